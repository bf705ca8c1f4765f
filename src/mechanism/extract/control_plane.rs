//! What the control plane said, where it was asked.

use serde_json::Value;

use super::parts::{part, plain};
use crate::mechanism::Symptoms;
use crate::mechanism::facts::Facts;
use crate::platform::record::text;

/// Adds it.
pub fn add(symptoms: &Symptoms, facts: &mut Facts) {
    let Some(told) = part(symptoms, "control plane") else { return };
    if let Some(org) = told.get("org") {
        facts.set("org.status", text(org, "instance_status"));
        facts.set("org.last_error", text(org, "last_error"));
    }
    if let Some(instances) = told.get("instances").and_then(Value::as_array) {
        facts.list("cp.instances", instances.iter().map(|i| text(i, "state").to_owned()));
    }
    if let Some(calls) = told.get("provisions").and_then(Value::as_array) {
        facts.set("cp.record", if calls.is_empty() { "none" } else { "there" });
        facts.list("cp.answers", calls.iter().map(|call| plain(&call["status"])));
        if let Some(last) = calls.last() {
            facts.set("cp.status", plain(&last["status"]));
            let header = |name: &str| plain(&last["headers"][name]);
            facts.set("cp.authorization", header("authorization"));
        }
    }
    if let Some(lines) = told.get("console").and_then(Value::as_array) {
        facts.list("cp.console", lines.iter().map(plain));
    }
}
