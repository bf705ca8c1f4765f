//! Instances that a control plane makes: the workspace-server's side of contract §10.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Instance, InstanceSpec, Pending, Provisioner, StartError};
use crate::domain::Secret;
use crate::reference::clock::{Clock, wall};
use crate::reference::control_plane::privileged;
use crate::reference::outbound::{Answer, Call, Outbound};

/// How long a call may take, in contract time.
const CALL: Duration = Duration::from_secs(120);
/// What is read of an answer.
const ANSWER: usize = 64 << 10;
/// What is shown of an answer that refuses a stop.
const SHOWN: usize = 512;
/// A provision is asked for so often by a server of August, within [`ASK_AGAIN`] in all.
const TRIES: u32 = 6;
const ASK_AGAIN: Duration = Duration::from_secs(34);

/// How a server calls its control plane.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// `CP_PROVISION_URL`, else `MOLECULE_CP_URL`; `None`: the production one, which is never called from here.
    pub base_url: Option<String>,
    /// `MOLECULE_CP_SHARED_SECRET`; without one the header is left out.
    pub shared_secret: Option<Secret>,
    /// `ADMIN_TOKEN`.
    pub admin_token: Secret,
    /// `MOLECULE_ORG_ID`.
    pub org: String,
    /// Where instances reach the server.
    pub platform_url: String,
    /// One key for all tries, retries, no privileged names: as servers do since August.
    pub retries: bool,
    /// Its clock.
    pub clock: Clock,
    /// Sends.
    pub outbound: Outbound,
}

/// Asks a control plane for everything.
pub(crate) struct Cloud {
    setup: Setup,
    slots: Mutex<HashMap<Uuid, Instance>>,
}

impl Cloud {
    /// A server that knows no instance yet.
    pub(crate) fn new(setup: Setup) -> Cloud {
        Cloud { setup, slots: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Instance>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn instance_of(&self, workspace: Uuid) -> Option<String> {
        self.lock().get(&workspace).map(|i| i.instance.clone())
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, String> {
        let Some(base) = &self.setup.base_url else {
            // What production answers to a call without its shared secret; nobody is asked.
            return Ok(Answer {
                status: 401,
                headers: axum::http::HeaderMap::new(),
                body: bytes::Bytes::new(),
            });
        };
        let base = base.trim_end_matches('/');
        let text = body.map(Value::to_string).unwrap_or_default();
        let mut call = Call::post_json(format!("{base}{path}"), text).within(self.setup.clock.patience(CALL));
        call.method = method;
        call.max_bytes = ANSWER;
        if let Some(secret) = &self.setup.shared_secret {
            call = call.header("authorization", format!("Bearer {}", secret.expose()));
        }
        if !self.setup.admin_token.is_empty() {
            call = call.header("x-molecule-admin-token", self.setup.admin_token.expose());
        }
        self.setup.outbound.send(call).await.map_err(|e| e.to_string())
    }

    async fn provision(&self, spec: InstanceSpec) -> Result<Instance, StartError> {
        let fail = |text: String| StartError::Backend(format!("cp provisioner: {text}"));
        let body = self.body(&spec);
        let began = crate::clock::Instant::now();
        let mut tried = 0;
        let answer = loop {
            tried += 1;
            let answer = self.call(Method::POST, "/cp/workspaces/provision", Some(&body)).await;
            let passing = match &answer {
                Err(_) => true,
                Ok(answer) => passes(answer),
            };
            let over = self.setup.clock.since(began) >= ASK_AGAIN;
            if !self.setup.retries || !passing || tried == TRIES || over {
                break answer;
            }
            self.setup.clock.sleep(Duration::from_secs(1 << (tried - 1).min(3))).await;
        };
        let answer = answer.map_err(|why| fail(format!("send: {why}")))?;
        let told: Option<Value> = serde_json::from_slice(&answer.body).ok();
        if answer.status != 201 {
            let error = told.as_ref().and_then(|t| t["error"].as_str()).filter(|e| !e.is_empty());
            let error = error
                .map_or_else(|| format!("<unstructured body, {} bytes>", answer.body.len()), str::to_owned);
            return Err(fail(format!("provision failed ({}): {error}", answer.status)));
        }
        let Some(told) = told else { return Err(fail("decode 201 response: invalid character".into())) };
        let instance = Instance {
            instance: told["instance_id"].as_str().unwrap_or_default().to_owned(),
            workspace_id: spec.workspace,
            // Nobody knows it before the agent registers.
            url: String::new(),
            started_at: wall(),
            env: spec.env,
            running: true,
        };
        self.lock().insert(spec.workspace, instance.clone());
        Ok(instance)
    }

    fn body(&self, spec: &InstanceSpec) -> Value {
        let env: BTreeMap<&String, &String> =
            spec.env.iter().filter(|(name, _)| !(self.setup.retries && privileged(name))).collect();
        let mut body = json!({
            "org_id": self.setup.org,
            "workspace_id": spec.workspace,
            "runtime": spec.runtime,
            "tier": spec.tier,
            "display": {},
            "platform_url": self.setup.platform_url,
            "env": env,
        });
        let config = spec.files.iter().filter(|(name, _)| !name.starts_with('.'));
        let config: BTreeMap<&String, String> =
            config.map(|(name, content)| (name, STANDARD.encode(content))).collect();
        if !config.is_empty() {
            body["config_files"] = json!(config);
        }
        if self.setup.retries {
            body["idempotency_key"] = json!(crate::chance::uuid());
        }
        body
    }
}

/// What a server of August asks for again.
fn passes(answer: &Answer) -> bool {
    let busy = || String::from_utf8_lossy(&answer.body).contains("in progress");
    match answer.status {
        408 | 429 | 500..=599 => true,
        409 => busy(),
        _ => false,
    }
}

impl Provisioner for Cloud {
    fn start(&self, spec: InstanceSpec) -> Pending<'_, Result<Instance, StartError>> {
        Box::pin(self.provision(spec))
    }

    fn stop(&self, workspace: Uuid) -> Pending<'_, Result<(), String>> {
        Box::pin(async move {
            let Some(instance) = self.instance_of(workspace) else { return Ok(()) };
            let path = format!("/cp/workspaces/{workspace}?instance_id={instance}");
            let answer = self.call(Method::DELETE, &path, None).await;
            let answer = answer.map_err(|why| format!("cp provisioner: stop {workspace}: {why}"))?;
            if !(200..300).contains(&answer.status) {
                let body = String::from_utf8_lossy(&answer.body);
                let body: String = body.chars().take(SHOWN).collect();
                return Err(format!(
                    "cp provisioner: stop {workspace}: unexpected {}: {body}",
                    answer.status
                ));
            }
            let mut slots = self.lock();
            if slots.get(&workspace).is_some_and(|i| i.instance == instance) {
                slots.remove(&workspace);
            }
            Ok(())
        })
    }

    fn is_running(&self, workspace: Uuid) -> Pending<'_, Result<bool, String>> {
        Box::pin(async move {
            let Some(instance) = self.instance_of(workspace) else { return Ok(false) };
            let path = format!("/cp/workspaces/{workspace}/status?instance_id={instance}");
            let answer = self.call(Method::GET, &path, None).await?;
            let told: Option<Value> = serde_json::from_slice(&answer.body).ok();
            match told {
                Some(told) if (200..300).contains(&answer.status) => Ok(told["state"] == "running"),
                _ => Err(format!("cp provisioner: status {workspace}: unexpected {}", answer.status)),
            }
        })
    }

    fn instance(&self, workspace: Uuid) -> Pending<'_, Option<Instance>> {
        Box::pin(async move { self.lock().get(&workspace).cloned() })
    }

    fn instances(&self) -> Pending<'_, Vec<Instance>> {
        // Whose they are ends with the organisation: its control plane removes them.
        Box::pin(async { Vec::new() })
    }

    fn volumes(&self) -> Pending<'_, Vec<String>> {
        Box::pin(async { Vec::new() })
    }

    fn remove_volumes(&self, _: Uuid, _: bool) -> Pending<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn empty_config(&self, _: Uuid) -> Pending<'_, ()> {
        Box::pin(async {})
    }

    fn logs(&self, workspace: Uuid, lines: usize) -> Pending<'_, Vec<String>> {
        Box::pin(async move {
            let path = format!("/cp/admin/workspaces/{workspace}/console");
            let Ok(answer) = self.call(Method::GET, &path, None).await else { return Vec::new() };
            let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let all: Vec<String> =
                told["output"].as_str().unwrap_or_default().lines().map(str::to_owned).collect();
            all[all.len().saturating_sub(lines)..].to_vec()
        })
    }
}
