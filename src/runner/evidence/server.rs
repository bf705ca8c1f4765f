//! Whether the server itself is well: its health, and a route that needs its database.

use serde_json::{Value, json};

use super::asked::{EvidenceError, Found, get};
use crate::clock::Instant;
use crate::domain::time;
use crate::http::Transport;
use crate::platform::Auth;
use crate::runner::context::ScenarioContext;

pub(super) async fn server(context: &ScenarioContext) -> Result<Found, EvidenceError> {
    let api = &context.run.api;
    let began = Instant::now();
    // An id that nobody has: it is looked up in the database, and not found there.
    let nobody = format!("/workspaces/{}", uuid::Uuid::nil());
    let (health, liveness, data) = tokio::join!(
        get(context, "evidence: health", api.request("GET", "/health", &Auth::Anonymous)),
        get(context, "evidence: liveness", api.request("GET", "/admin/liveness", &Auth::Admin)),
        get(context, "evidence: database", api.request("GET", &nobody, &Auth::Admin)),
    );
    let mut lines = vec![match &health {
        Ok(_) => format!("/health answered in {}", time::show(began.elapsed())),
        Err(why) => format!("/health: {why}"),
    }];
    let data_state = match &data {
        Err(EvidenceError::Answer { status: 400..=499, .. }) => "ok",
        other => state(other),
    };
    if data_state != "ok" {
        lines.push(format!("a route that needs the database: {data_state}"));
    }
    let data = json!({
        "health": health.as_ref().ok(),
        "health_error": health.as_ref().err().map(ToString::to_string),
        "health_state": state(&health),
        "data_state": data_state,
        "liveness": liveness.ok(),
    });
    Ok(Found { lines, data })
}

/// What a route did, in one word.
fn state(result: &Result<Value, EvidenceError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(EvidenceError::Answer { status: 500.., .. }) => "5xx",
        Err(EvidenceError::Transport { kind: Transport::TimedOut, .. }) => "hangs",
        Err(EvidenceError::Transport { kind: Transport::Connect | Transport::Dns, .. }) => "refused",
        Err(_) => "odd",
    }
}
