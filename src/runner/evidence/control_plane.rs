//! What the control plane knows of a failure: the organisation's row, the instance, its console, the provision call.

use std::time::Duration;

use serde_json::{Value, json};

use super::asked::Found;
use crate::clock::Instant;
use crate::http::Request;
use crate::platform::control_plane::orgs;
use crate::platform::record;
use crate::targets::saas::Behind;

/// One question may not take longer.
const EACH: Duration = Duration::from_secs(4);
/// So many lines of a console are kept, the newest.
const CONSOLE: usize = 40;

/// Asks for all of it at once; what it does not tell is left out.
pub(super) async fn gather(behind: &Behind, workspace: Option<&str>) -> Found {
    let id = workspace.unwrap_or_default();
    let (list, instances, console, record, counters) = tokio::join!(
        ask(behind, behind.api.list_orgs()),
        ask(behind, behind.api.instances(&behind.org.slug)),
        ask(behind, behind.api.console(id)),
        ask(behind, behind.api.record_of(id)),
        ask(behind, behind.api.counters()),
    );
    let mut lines = Vec::new();
    let mut data = json!({});
    if let Some(org) =
        orgs(list.as_ref()).and_then(|rows| rows.into_iter().find(|row| row.slug() == behind.org.slug))
    {
        let error = if org.last_error().is_empty() { "none" } else { org.last_error() };
        lines.push(format!("organisation {}: {}, last_error {error}", org.slug(), org.instance_status()));
        data["org"] = org.value().clone();
    }
    if let Some(all) = instances.as_ref().and_then(|b| b["instances"].as_array()) {
        let own: Vec<&Value> = all.iter().filter(|i| record::text(i, "workspace_id") == id).collect();
        for instance in &own {
            lines.push(format!("instance {}", history(instance)));
        }
        if own.is_empty() {
            lines.push("no instance of this workspace".to_owned());
        }
        data["instances"] = json!(own);
    }
    if let Some(calls) = record.as_ref().and_then(|b| b["requests"].as_array()) {
        let provisions: Vec<&Value> =
            calls.iter().filter(|c| record::text(c, "path") == "/cp/workspaces/provision").collect();
        for call in &provisions {
            lines.push(told(call));
        }
        if provisions.is_empty() {
            lines.push("no provision call about this workspace arrived here".to_owned());
        }
        data["provisions"] = json!(provisions);
    }
    if let Some(counters) = counters.filter(Value::is_object) {
        let count = |name: &str| counters[name].as_u64();
        if let (Some(provisions), Some(configs)) = (count("provision_calls"), count("tenants_config_calls")) {
            lines.push(format!("counters: provision_calls {provisions}, tenants_config_calls {configs}"));
        }
        data["counters"] = counters;
    }
    if let Some(output) = console.as_ref().and_then(|b| b["output"].as_str()) {
        let all: Vec<&str> = output.lines().collect();
        let tail = &all[all.len().saturating_sub(CONSOLE)..];
        if let Some(last) = tail.last() {
            lines.push(format!("console, last line: {}", behind.api.client.redactor().excerpt(last, 200)));
        }
        data["console"] = json!(tail);
    }
    Found { lines, data }
}

async fn ask(behind: &Behind, request: Request) -> Option<Value> {
    let answer = behind.api.send(&request, Instant::now() + EACH).await.ok()?;
    answer.json.filter(|_| answer.status == 200)
}

/// `i-1: pending → running → terminated (terminated by an administrator)`.
fn history(instance: &Value) -> String {
    let steps = instance["history"].as_array().map(Vec::as_slice).unwrap_or_default();
    let states: Vec<&str> = steps.iter().map(|step| record::text(step, "state")).collect();
    let why = steps.last().map(|step| record::text(step, "why")).unwrap_or_default();
    let states =
        if states.is_empty() { record::text(instance, "state").to_owned() } else { states.join(" → ") };
    format!("{}: {states} ({why})", record::text(instance, "instance_id"))
}

/// A call as its record shows it, without what is secret.
fn told(call: &Value) -> String {
    let header = |name: &str| call["headers"][name].as_str().unwrap_or("absent").to_owned();
    format!(
        "{} {} was answered {} by {}; authorization: {}, x-molecule-admin-token: {}",
        record::text(call, "method"),
        record::text(call, "path"),
        call["status"],
        record::text(call, "answered_by"),
        header("authorization"),
        header("x-molecule-admin-token"),
    )
}
