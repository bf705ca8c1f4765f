//! Logs as evidence: the instance's, the server's, the one that the call names.

use std::path::Path;

use serde_json::{Value, json};

use super::asked::{EvidenceError, Found, get};
use super::server_log;
use crate::mechanism::short_time;
use crate::platform::{Auth, segment};
use crate::redact::excerpt_of_redacted;
use crate::runner::context::ScenarioContext;
use crate::runner::workspace::Workspace;
use crate::targets::LogSource;

/// Lines of a server's container that are asked for.
const LOG_OF_CONTAINER: usize = 20_000;

/// A log as evidence.
fn log_lines(kept: Vec<String>) -> Found {
    // The end of a log says most, and a screen has few lines.
    let mut lines: Vec<String> =
        kept.iter().rev().take(4).map(|line| excerpt_of_redacted(&short_time(line), 200)).collect();
    lines.reverse();
    if lines.is_empty() {
        lines.push("nothing".into());
    }
    Found { lines, data: json!({ "lines": kept }) }
}

fn lines_of(data: &Value) -> Vec<String> {
    let all = data.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) async fn instance_log(
    context: &ScenarioContext,
    workspace: &Workspace,
) -> Result<Found, EvidenceError> {
    let path = format!("/__lifecycle/workspaces/{}/logs?lines=100", segment(&workspace.id));
    let request = context.run.api.request("GET", &path, &Auth::Admin);
    let all = lines_of(&get(context, "evidence: instance log", request).await?);
    Ok(log_lines(all.iter().skip(all.len().saturating_sub(server_log::LINES)).cloned().collect()))
}

pub(super) async fn server_log(
    context: &ScenarioContext,
    id: Option<String>,
) -> Result<Found, EvidenceError> {
    let lines = match &context.run.target.server_log {
        Some(log) => log.lines(),
        None => {
            let request = context.run.api.request("GET", "/__lifecycle/log", &Auth::Admin);
            lines_of(&get(context, "evidence: server log", request).await?)
        }
    };
    // Its clock may be faster than ours.
    Ok(log_lines(server_log::window(&lines, id.as_deref(), None)))
}

/// The log that the call names.
pub(super) async fn named_log(
    context: &ScenarioContext,
    source: LogSource,
    id: Option<String>,
    since: Option<jiff::Timestamp>,
) -> Result<Found, EvidenceError> {
    let redactor = context.run.log.redactor();
    let lines = match &source {
        LogSource::File(path) => {
            let lines = server_log::end_of(path)
                .map_err(|e| EvidenceError::Other(format!("{}: {e}", path.display())))?;
            lines.iter().map(|line| redactor.text(line).into_owned()).collect()
        }
        LogSource::Container(name) => {
            let engine = context.run.target.engine.as_ref();
            let engine = engine.ok_or_else(|| EvidenceError::other("no engine is connected (--docker)"))?;
            engine.logs(name, LOG_OF_CONTAINER, redactor).await.map_err(|e| EvidenceError::Other(e.what))?
        }
    };
    let mut found = log_lines(server_log::window(&lines, id.as_deref(), since));
    found.data["from"] = json!(source.to_string());
    Ok(found)
}

/// What a server that we started has printed, redacted when it was written.
pub(super) fn printed(
    path: &Path,
    id: Option<&str>,
    since: Option<jiff::Timestamp>,
) -> Result<Found, EvidenceError> {
    let lines = server_log::end_of(path).map_err(EvidenceError::other)?;
    let mut found = log_lines(server_log::window(&lines, id, since));
    found.data["file"] = json!(path.display().to_string());
    Ok(found)
}
