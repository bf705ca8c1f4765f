//! Register and heartbeats (contract §6.1, §6.2, §9.3).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::core::{CONTAINER_PORT, Core};
use crate::reference::options::AgentKind;
use crate::reference::outbound::{Answer, Call, CallError};

/// How often a register is tried, and the pause between tries.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(2);
/// How long one call to the platform may take, in real time.
const CALL: Duration = Duration::from_secs(10);

/// Registers, then sends heartbeats for as long as the agent runs.
pub(super) async fn speak(core: Arc<Core>) {
    let mut issued = register(&core).await;
    loop {
        if heartbeat(&core, issued.as_deref()).await == Some(401) {
            core.say("heartbeat refused, registering again");
            issued = register(&core).await;
        }
        core.clock.sleep(core.heartbeat).await;
    }
}

/// The card as the platform gets it; the stub's is the old stub's.
fn card(core: &Core) -> Value {
    match core.kind {
        AgentKind::Stub => json!({ "name": "stub", "description": "stub", "skills": [] }),
        AgentKind::Echo => json!({
            "name": "Parrot", "description": "says it again", "version": "0.9.1", "protocolVersion": "0.3.0",
            "capabilities": { "streaming": true }, "skills": [{ "id": "echo", "name": "Echo", "tags": [] }],
        }),
        AgentKind::Reference => json!({ "name": "", "description": "reference agent", "skills": [] }),
    }
}

/// The address that the agent tells: what the platform gave it, or its own guess.
fn advertised(core: &Core) -> String {
    if core.fault("url-unroutable") {
        let host =
            core.var("HOSTNAME").map_or_else(|| core.workspace().chars().take(12).collect(), str::to_owned);
        return format!("http://{host}:{}", CONTAINER_PORT);
    }
    core.var("MOLECULE_WORKSPACE_URL")
        .map_or_else(|| format!("http://localhost:{}", CONTAINER_PORT), str::to_owned)
}

async fn post(core: &Core, path: &str, body: &Value, issued: Option<&str>) -> Result<Answer, CallError> {
    let base = core.var("PLATFORM_URL").unwrap_or_default().trim_end_matches('/');
    let mut call = Call::post_json(format!("{base}{path}"), body.to_string()).within(CALL);
    // Read anew each time: the platform replaces it on every provision.
    let token = match core.config.read(".auth_token").await {
        Some(token) => Some(token),
        None => issued.map(str::to_owned),
    };
    if let Some(token) = token {
        call = call.header("authorization", format!("Bearer {token}"));
    }
    core.outbound.send(call).await
}

/// The token that the platform issued, if it did.
async fn register(core: &Core) -> Option<String> {
    let body = json!({
        "id": core.workspace(),
        "url": advertised(core),
        "delivery_mode": "push",
        "agent_card": card(core),
    });
    for _ in 0..TRIES {
        match post(core, "/registry/register", &body, None).await {
            Ok(answer) if answer.status == 200 => {
                core.say("registered");
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                return body["auth_token"].as_str().map(str::to_owned);
            }
            // What the platform refuses it will refuse again; a missing or old token may yet arrive.
            Ok(answer)
                if (400..500).contains(&answer.status) && answer.status != 401 && answer.status != 429 =>
            {
                let why: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                let why = why["error"].as_str().unwrap_or("no reason given");
                core.say(&format!(
                    "register refused with {}: {why} (url {})",
                    answer.status,
                    advertised(core)
                ));
                return None;
            }
            Ok(answer) => core.say(&format!("register answered {}", answer.status)),
            Err(error) => core.say(&format!("register: {error}")),
        }
        core.clock.sleep(PAUSE).await;
    }
    None
}

async fn heartbeat(core: &Core, issued: Option<&str>) -> Option<u16> {
    let body = json!({
        "workspace_id": core.workspace(),
        "error_rate": 0.0,
        "sample_error": "",
        "active_tasks": core.busy(),
        "uptime_seconds": core.uptime(),
        "current_task": "",
    });
    match post(core, "/registry/heartbeat", &body, issued).await {
        Ok(answer) => Some(answer.status),
        Err(error) => {
            core.say(&format!("heartbeat: {error}"));
            None
        }
    }
}
