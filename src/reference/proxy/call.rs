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
    let call = Call::post_json(url, body).within(platform.clock.patience(limit)).headers_within(headers);
    let bearer = match platform.does(Behaviour::CallsExternalWithBearer) {
        true => platform.state().get(id).filter(|w| w.external_like()).and_then(|w| w.inbound_secret.clone()),
        false => None,
    };
    let call = match bearer {
        Some(secret) => call.header("authorization", format!("Bearer {secret}")),
        None => call,
    };
    platform.outbound.send(call).await
}

/// How long the headers of an answer may take, as the server's environment may set it.
fn header_limit(platform: &Platform) -> Duration {
    let own = platform.server_var("A2A_PROXY_RESPONSE_HEADER_TIMEOUT");
    own.and_then(|v| time::parse(v).ok()).unwrap_or(HEADERS)
}
