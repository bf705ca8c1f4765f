//! One call of an agent.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::behaviour::Behaviour;
use crate::domain::time;
use crate::reference::outbound::{Answer, Call, CallError};
use crate::reference::platform::Platform;

/// An agent that says nothing for this long is given up.
pub(super) const IDLE: Duration = Duration::from_secs(30 * 60);
/// How often an agent may send a message elsewhere.
const REDIRECTS: usize = 10;
/// An agent has this long for the headers of its answer.
const HEADERS: Duration = Duration::from_secs(30 * 60);

pub(super) async fn call(
    platform: &Platform,
    id: Uuid,
    url: &str,
    body: Bytes,
    limit: Duration,
) -> Result<Answer, CallError> {
    let headers = platform.clock.patience(header_limit(platform));
    let mut call = Call::post_json(url, body).within(platform.clock.patience(limit)).headers_within(headers);
    let bearer = match platform.does(Behaviour::CallsExternalWithBearer) {
        true => platform.state().get(id).filter(|w| w.external_like()).and_then(|w| w.inbound_secret.clone()),
        false => None,
    };
    if let Some(secret) = bearer {
        call = call.header("authorization", format!("Bearer {secret}"));
    }
    for _ in 0..REDIRECTS {
        let answer = platform.outbound.send(call.clone()).await?;
        match call.redirected(&answer) {
            Some(next) => call = next,
            None => return Ok(answer),
        }
    }
    Err(CallError::Unsendable(format!("stopped after {REDIRECTS} redirects")))
}

/// Whether the instance of a managed workspace is known not to run.
pub(super) async fn gone(platform: &Platform, id: Uuid) -> bool {
    let managed = platform.state().get(id).is_some_and(|w| w.runtime != "external" && w.runtime != "mock");
    managed && platform.has_backend && platform.provisioner.is_running(id).await == Ok(false)
}

/// How long the headers of an answer may take, as the server's environment may set it.
fn header_limit(platform: &Platform) -> Duration {
    let own = platform.server_var("A2A_PROXY_RESPONSE_HEADER_TIMEOUT");
    own.and_then(|v| time::parse(v).ok()).unwrap_or(HEADERS)
}
