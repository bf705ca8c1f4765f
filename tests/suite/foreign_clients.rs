//! Somebody else's code against `serve platform`: `curl`, and an A2A library, as caller and as external agent.
//! What had to be adapted is in `docs/foreign-clients.md`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::harness::{Harness, switch, word};
use super::platform::{Platform, TOKEN};

/// Whether a missing registry or program fails instead of skipping.
fn demanded() -> bool {
    switch("LIFECYCLE_REQUIRE_FOREIGN").as_deref() == Some("1")
}

/// A skip that nobody overlooks.
#[track_caller]
fn skip(why: &str) {
    assert!(!demanded(), "LIFECYCLE_REQUIRE_FOREIGN=1, but {why}");
    eprintln!("SKIPPED: {why}");
}

/// Runs a program to its end: what it printed, or what went wrong.
fn output(command: &mut Command) -> Result<String, String> {
    let name = format!("{command:?}");
    let done = command.output().map_err(|e| format!("{name}: {e}"))?;
    if !done.status.success() {
        return Err(format!("{name}: {}", String::from_utf8_lossy(&done.stderr)));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// One request by `curl`: status and body.
fn curl(
    platform: &Platform,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&str>,
) -> (u16, Value) {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
        "--max-time",
        "30",
        "--write-out",
        "\n%{http_code}",
    ]);
    command.args(["--request", method]).arg(format!("{}{path}", platform.base));
    if let Some(token) = token {
        command.arg("--header").arg(format!("Authorization: Bearer {token}"));
    }
    if let Some(body) = body {
        command.args(["--header", "Content-Type: application/json", "--data", body]);
    }
    let text = output(&mut command).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn curl_is_an_external_agent_and_a_caller() {
    if let Err(why) = output(Command::new("curl").arg("--version")) {
        return skip(&why);
    }
    let platform = Platform::start(["--time-scale", "40"]);
    let make = r#"{"name":"by curl","external":true,"delivery_mode":"poll"}"#;
    let (status, made) = curl(&platform, "POST", "/workspaces", Some(TOKEN), Some(make));
    assert_eq!((status, &made["status"]), (201, &json!("awaiting_agent")));
    let id = word(&made["id"]);
    let token = word(&made["connection"]["auth_token"]);
    // The template that the platform hands out is runnable as it stands, but for the card.
    assert!(word(&made["connection"]["curl_register_template"]).contains("/registry/register"));
    let register =
        json!({ "id": id, "delivery_mode": "poll", "agent_card": { "name": "curl", "skills": [] } });
    let own = Some(token.as_str());
    let (status, body) = curl(&platform, "POST", "/registry/register", own, Some(&register.to_string()));
    assert_eq!((status, &body["status"]), (200, &json!("registered")));
    let beat = json!({ "workspace_id": id, "current_task": "curling", "active_tasks": 1 }).to_string();
    assert_eq!(curl(&platform, "POST", "/registry/heartbeat", own, Some(&beat)).0, 200);
    assert_eq!(curl(&platform, "GET", &format!("/workspaces/{id}"), None, None).1["status"], "online");
    let mut cursor = String::new();
    for text in ["one", "two"] {
        let message = json!({ "method": "message/send", "params": { "message": { "parts": [{ "type": "text", "text": text }] } } });
        let (status, body) =
            curl(&platform, "POST", &format!("/workspaces/{id}/a2a"), None, Some(&message.to_string()));
        assert_eq!((status, &body["status"]), (200, &json!("queued")));
        let (status, rows) =
            curl(&platform, "GET", &format!("/workspaces/{id}/activity?type=a2a_receive{cursor}"), own, None);
        assert_eq!((status, rows.as_array().map(Vec::len)), (200, Some(1)), "{rows}");
        assert_eq!(rows[0]["request_body"]["params"]["message"]["parts"][0]["text"], text);
        cursor = format!("&since_id={}", word(&rows[0]["id"]));
    }
    let (status, body) =
        curl(&platform, "POST", &format!("/workspaces/{id}/notify"), own, Some(r#"{"message":"got both"}"#));
    assert_eq!((status, &body["status"]), (200, &json!("sent")));
    let lost = format!("/workspaces/{id}/activity?since_id=00000000-0000-0000-0000-000000000000");
    assert_eq!(curl(&platform, "GET", &lost, own, None).0, 410);
    assert_eq!(curl(&platform, "GET", "/workspaces", Some("wrong"), None).0, 401);
}

/// A Python with one library of a registry in it, made once for all tests.
struct Library {
    python: PathBuf,
    _dir: tempfile::TempDir,
}

impl Library {
    fn install(requirements: &[&str]) -> Result<Library, String> {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        output(Command::new("python3").args(["-m", "venv"]).arg(dir.path()))?;
        let python = dir.path().join("bin/python");
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--retries",
            "1",
            "--no-compile",
        ];
        output(Command::new(&python).args(pip).args(requirements))?;
        Ok(Library { python, _dir: dir })
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/foreign").join(name));
        command.env("NO_PROXY", "127.0.0.1,localhost");
        command
    }
}

static V0_3: LazyLock<Result<Library, String>> =
    LazyLock::new(|| Library::install(&["a2a-sdk[http-server]==0.3.26", "uvicorn==0.54.0"]));
static V1: LazyLock<Result<Library, String>> =
    LazyLock::new(|| Library::install(&["a2a-sdk==1.3.0", "httpx==0.28.1"]));

/// A managed workspace that answers known questions by the platform's own provider.
fn managed(platform: &Platform) -> String {
    let (_, about) = platform.ask("GET", "/__lifecycle", None);
    let secrets = json!({
        "MINIMAX_API_KEY": "foreign-key-0123456789",
        "LIFECYCLE_PROVIDER_OVERRIDE": format!("https://api.minimax.io={}", word(&about["provider"])),
    });
    let body =
        json!({ "name": "known", "runtime": "claude-code", "model": "MiniMax-M2.7", "secrets": secrets });
    let (status, made) = platform.ask("POST", "/workspaces", Some(body));
    assert_eq!(status, 201, "{made}");
    let id = word(&made["id"]);
    super::harness::wait_for("an online workspace", || {
        (platform.ask("GET", &format!("/workspaces/{id}"), None).1["status"] == "online").then_some(())
    });
    id
}

const PONG: &str = "To confirm that you received it, reply with exactly the word: PONG";

#[test]
fn an_a2a_library_is_a_caller() {
    let library = match &*V0_3 {
        Ok(library) => library,
        Err(why) => return skip(why),
    };
    let platform = Platform::start(["--time-scale", "40"]);
    let id = managed(&platform);
    let poll = platform.stranger("poll", None);
    let deaf = platform.ask(
        "POST",
        "/workspaces",
        Some(json!({ "name": "deaf", "external": true, "url": "http://localhost:1/" })),
    );
    let deaf = word(&deaf.1["id"]);
    let call = |id: &str, bearer: &str, text: &str| {
        let url = format!("{}/workspaces/{id}/a2a", platform.base);
        output(library.script("caller.py").args([&url, bearer, text])).unwrap().trim().to_owned()
    };
    assert_eq!(call(&id, "-", PONG), "message agent PONG");
    assert_eq!(call(&id, TOKEN, PONG), "message agent PONG", "as the admin");
    assert!(call(&id, "-", "--get-task").contains("-32601"), "an error of the agent is one of the library");
    assert!(call(&deaf, "-", "hello").starts_with("error A2AClientHTTPError HTTP Error 502"));
    // Not an answer of the protocol: the library says so instead of taking it for one.
    assert_eq!(call(&poll, "-", "hello"), "invalid ValidationError");
}

#[test]
fn its_newest_release_is_a_caller_too() {
    let library = match &*V1 {
        Ok(library) => library,
        Err(why) => return skip(why),
    };
    let platform = Platform::start(["--time-scale", "40"]);
    let url = format!("{}/workspaces/{}/a2a", platform.base, managed(&platform));
    assert_eq!(output(library.script("caller_v1.py").args([&url, PONG])).unwrap().trim(), "message PONG");
}

/// Ends with its test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_a2a_library_is_an_external_agent() {
    let library = match &*V0_3 {
        Ok(library) => library,
        Err(why) => return skip(why),
    };
    let platform = Platform::start(["--time-scale", "5"]);
    let (status, made) =
        platform.ask("POST", "/workspaces", Some(json!({ "name": "theirs", "external": true })));
    assert_eq!(status, 201, "{made}");
    let (id, token) = (word(&made["id"]), word(&made["connection"]["auth_token"]));
    let mut command = library.script("agent.py");
    command.args([&platform.base, &id, &token]).stdout(Stdio::piped());
    let mut agent = Agent(command.spawn().unwrap());
    let mut url = String::new();
    BufReader::new(agent.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim().to_owned();
    assert!(url.starts_with("http://localhost:"), "{url}");
    let row = platform.ask("GET", &format!("/workspaces/{id}"), None).1;
    assert_eq!((&row["status"], &row["url"]), (&json!("online"), &json!(url)));
    assert_eq!(row["agent_card"]["skills"][0]["id"], "last-word", "the library's own card is kept");
    let message = json!({ "method": "message/send", "params": { "message": { "parts": [{ "kind": "text", "text": PONG }] } } });
    let (status, answer) = platform.ask("POST", &format!("/workspaces/{id}/a2a"), Some(message));
    assert_eq!((status, &answer["result"]["parts"][0]["text"]), (200, &json!("PONG")), "{answer}");
    let (_, refused) =
        platform.ask("POST", &format!("/workspaces/{id}/a2a"), Some(json!({ "method": "nobody/knows" })));
    assert_eq!(refused["error"]["code"], -32601, "{refused}");
    // And the harness takes its answers for what they are.
    let scenario = format!(
        "scenario: theirs\nneeds: [external]\nsteps:\n  - create: {{ as: ws, external: true, url: \"{url}\" }}\n  \
         - a2a: {{ to: ws, say: {{ text: \"{PONG}\" }}, reply: {{ equals: PONG }}, within: 30s }}\n"
    );
    Harness::new().args(["run", "-q"]).scenario(&scenario).against(&platform).run().exit(0);
}
