//! Each class of contradiction is sent to the reference platform: it does what the class says.

use std::path::Path;
use std::time::Duration;

use lifecycle_harness::facade::domain::Secret;
use lifecycle_harness::facade::models::catalogue::Catalogue;
use lifecycle_harness::facade::models::contradictions::CLASSES;
use lifecycle_harness::facade::models::situation::Fate;
use lifecycle_harness::facade::models::situation_file::{self, SituationFile};
use lifecycle_harness::facade::reference::options::{AgentKind, Options};
use lifecycle_harness::facade::reference::server;
use lifecycle_harness::facade::source::SourceFile;
use reqwest::Method;
use serde_json::{Value, json};

use super::harness::Harness;

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth("admin");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        (status, reply.json().await.unwrap_or(Value::Null))
    }

    /// The first status that is one of these; the platform's clock runs a thousand times faster.
    async fn settles(&self, id: &str, wanted: &[&str]) -> String {
        for _ in 0..5_000 {
            let (_, row) = self.send(Method::GET, &format!("/workspaces/{id}"), None).await;
            let status = row["status"].as_str().unwrap_or_default().to_owned();
            if wanted.contains(&status.as_str()) {
                return status;
            }
            tokio::task::yield_now().await;
        }
        panic!("{id} never became one of {wanted:?}");
    }

    /// Waits until the workspace came online that many times.
    async fn boots(&self, id: &str, times: usize) {
        for _ in 0..5_000 {
            let (_, events) = self.send(Method::GET, &format!("/events/{id}"), None).await;
            let online = |event: &&Value| event["event_type"] == "WORKSPACE_ONLINE";
            if events.as_array().is_some_and(|events| events.iter().filter(online).count() >= times) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{id} did not boot {times} times");
    }

    async fn failure_code(&self, id: &str) -> Option<String> {
        let (_, events) = self.send(Method::GET, &format!("/events/{id}"), None).await;
        let failed =
            events.as_array()?.iter().find(|event| event["event_type"] == "WORKSPACE_PROVISION_FAILED")?;
        failed["payload"]["code"].as_str().map(str::to_owned)
    }
}

async fn platform(file: &SituationFile) -> (server::Running, Client) {
    let mut options = Options {
        admin_token: Secret::new("admin"),
        time_scale: 1_000.0,
        llm_proxy: file.situation.target.proxy != Some(false),
        agent: AgentKind::Stub,
        ..Options::default()
    };
    if !file.allowlist.allows("google-adk") {
        options.server_env.insert("WORKSPACE_MANIFEST_PATH".into(), "/nowhere/manifest.json".into());
    }
    let running = server::start(options).await.unwrap();
    let http = lifecycle_harness::facade::tls::client().no_proxy().build().unwrap();
    let client = Client { http, base: running.base_url() };
    (running, client)
}

async fn sent_is_what_the_class_says(code: &str) {
    let path = format!("fixtures/contradictions/{code}.yaml");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
    let file = situation_file::parse(Catalogue::built_in(), &SourceFile::new(path, text)).unwrap();
    let sent = file.situation.sent(Catalogue::built_in());
    let fate = sent.fate(Catalogue::built_in(), &file.allowlist, &file.situation);
    let (running, client) = platform(&file).await;
    let (status, reply) =
        client.send(Method::POST, "/workspaces", Some(sent.body(&format!("c-{code}")))).await;
    let id = reply["id"].as_str().unwrap_or_default().to_owned();
    if let Fate::Refused(refusal) = &fate {
        assert_eq!(status, refusal.status, "{code}: {reply}");
        assert_eq!(reply["code"].as_str(), refusal.code, "{code}: {reply}");
        running.stop().await;
        return;
    }
    assert_eq!(status, 201, "{code}: {reply}");
    if let Some(mode) = file.situation.billing_override {
        // The override comes after the create, so it is the next provision that fails.
        client.settles(&id, &["online"]).await;
        let body = json!({"mode": mode.as_str()});
        let (status, reply) =
            client.send(Method::PUT, &format!("/admin/workspaces/{id}/llm-billing-mode"), Some(body)).await;
        assert_eq!((status, reply["resolved_mode"].as_str()), (200, Some(mode.as_str())));
        client.send(Method::POST, &format!("/workspaces/{id}/restart"), None).await;
    }
    match &fate {
        Fate::Refused(_) => {}
        Fate::Aborts(abort) => {
            client.settles(&id, &["failed"]).await;
            assert_eq!(client.failure_code(&id).await.as_deref(), abort.code, "{code}");
        }
        Fate::NoImage => {
            client.settles(&id, &["failed"]).await;
        }
        Fate::Runs if sent.external => {}
        Fate::Runs => {
            client.settles(&id, &["online"]).await;
        }
    }
    if let Some(left) = &file.situation.left_at_restart {
        for name in sent.secrets.keys().filter(|name| !left.contains(*name)) {
            let (status, _) =
                client.send(Method::DELETE, &format!("/workspaces/{id}/secrets/{name}"), None).await;
            assert_eq!(status, 200);
        }
        client.send(Method::POST, &format!("/workspaces/{id}/restart"), None).await;
        client.boots(&id, 2).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_27_classes_sent_to_the_reference_platform() {
    for class in &CLASSES {
        let done =
            tokio::time::timeout(Duration::from_secs(20), sent_is_what_the_class_says(class.code)).await;
        assert!(done.is_ok(), "{} did not end", class.code);
    }
}

/// A key twice makes the forge pass over a file in silence; nobody has to name the file (field D9).
#[test]
fn the_workflows_of_a_repository_are_checked_without_being_named() {
    const TWICE: &str = "name: Lane\non: { pull_request: { branches: [main] } }\njobs:\n  lane:\n    runs-on: docker-host\n    \
        steps:\n      - name: Fetch the key\n        env: { KEY: a }\n        run: ./fetch-key.sh\n        env: { LEDGER: b }\n";
    let check = |text: &str| Harness::new().file(".gitea/workflows/lane.yml", text).args(["check"]).run();
    let twice = check(TWICE).exit(2).stderr_has("the key `env` is written twice");
    twice.stderr_has(".gitea/workflows/lane.yml:10:");
    check(&TWICE.replace("        env: { LEDGER: b }\n", "")).exit(0);
}
