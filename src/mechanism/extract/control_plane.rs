//! What the control plane said, where it was asked.

use serde_json::Value;

use super::parts::{part, plain, short_time};
use crate::mechanism::Symptoms;
use crate::mechanism::facts::Facts;
use crate::platform::record::text;

/// What a cloud says of a machine that runs nothing any more.
const ENDED: [&str; 4] = ["shutting-down", "terminated", "stopping", "stopped"];

/// Adds it.
pub(super) fn add(symptoms: &Symptoms, facts: &mut Facts) {
    let Some(told) = part(symptoms, "control plane") else { return };
    if let Some(org) = told.get("org") {
        facts.set("org.status", text(org, "instance_status"));
        facts.set("org.last_error", text(org, "last_error"));
    }
    if let Some(instances) = told.get("instances").and_then(Value::as_array) {
        facts.list("cp.instances", instances.iter().map(|i| text(i, "state").to_owned()));
        own_instance(instances, facts);
    }
    if let Some(calls) = told.get("provisions").and_then(Value::as_array) {
        facts.set("cp.record", if calls.is_empty() { "none" } else { "there" });
        facts.list("cp.answers", calls.iter().map(|call| plain(&call["status"])));
        if let Some(last) = calls.last() {
            facts.set("cp.status", plain(&last["status"]));
            let header = |name: &str| plain(&last["headers"][name]);
            facts.set("cp.authorization", header("authorization"));
        }
    } else if told["counters"]["provision_calls"] == 0 {
        // A stub that keeps no record counts: nobody's call arrived.
        facts.set("cp.record", "none");
    }
    if let Some(counters) = told.get("counters").and_then(Value::as_object) {
        facts.list("cp.counters", counters.iter().map(|(name, count)| format!("{name} {count}")));
    }
    if let Some(lines) = told.get("console").and_then(Value::as_array) {
        facts.list("cp.console", lines.iter().map(plain));
    }
}

/// The instance that the row means, or the newest: its state, and that it ended where it did.
fn own_instance(instances: &[Value], facts: &mut Facts) {
    let named = facts.text("record.instance_id").or_else(|| facts.text("instance.id"));
    let of_row = instances.iter().find(|i| named.as_deref().is_some_and(|id| text(i, "instance_id") == id));
    let Some(own) = of_row.or(instances.last()) else { return };
    let state = text(own, "state");
    facts.set("cp.instance", state);
    let steps = own["history"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told: Vec<String> = steps
        .iter()
        .map(|step| format!("{} {} ({})", text(step, "at"), text(step, "state"), text(step, "why")))
        .map(|line| short_time(&line))
        .collect();
    facts.set("cp.instance_history", format!("{}: {}", text(own, "instance_id"), told.join(" → ")));
    // Its id outlives it on the row; what the control plane says of it counts.
    if ENDED.contains(&state) {
        facts.set("instance", "ended");
    }
}
