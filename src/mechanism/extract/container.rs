//! The container as the engine showed it, and what the engine did to it.

use serde_json::Value;

use super::parts::{part, plain, short_time, yes};
use crate::event::Symptoms;
use crate::mechanism::facts::Facts;
use crate::platform::record::text;

pub(super) fn add(symptoms: &Symptoms, facts: &mut Facts) {
    let Some(data) = part(symptoms, "container") else { return };
    let texts = |field: &str| -> Vec<String> {
        data.get(field).and_then(Value::as_array).into_iter().flatten().map(plain).collect()
    };
    let events: Vec<String> = data
        .get("events")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|event| text(event, "what").to_owned())
        .collect();
    let since_edge = |event: &&Value| event["since_edge"] == true && text(event, "what") == "start";
    let started = data.get("events").and_then(Value::as_array).into_iter().flatten().any(|e| since_edge(&e));
    let out_of_memory = events.iter().any(|event| event == "oom");
    facts.list("container.events", events);
    facts.list("container.volumes", texts("volumes"));
    if let Some(on) = data.get("on_network").and_then(Value::as_bool) {
        facts.set("container.on_network", yes(on));
    }
    if let Some(probe) = data.get("platform_from_inside").filter(|p| p.is_object()) {
        facts.set("container.reaches_platform", yes(probe["answered"] == true));
        facts.set("container.probe", text(probe, "said"));
    }
    if let Some(listens) = data.get("listens").and_then(Value::as_str) {
        facts.set("container.listens", listens);
    }
    let Some(container) = data.get("container").filter(|c| c.is_object()) else {
        facts.set("container.status", "none");
        facts.set("container.oom", yes(out_of_memory));
        // What was started and is gone again ended; only what never was is not there yet.
        facts.set("instance", if started { "ended" } else { "none" });
        return;
    };
    let status = text(container, "status");
    facts.set("container.status", status);
    facts.set("container.oom", yes(out_of_memory || container["oom_killed"] == true));
    for (fact, field) in [("container.exit_code", "exit_code"), ("container.restarts", "restarts")] {
        facts.set(fact, plain(&container[field]));
    }
    facts.set("container.error", text(container, "error"));
    let log: Vec<String> = texts("log").iter().map(|line| short_time(line)).collect();
    facts.list("container.log", log.clone());
    if facts.get("instance.log").is_none() {
        facts.list("instance.log", log);
    }
    // An environment can be read of a container that ended, too.
    if matches!(status, "exited" | "dead" | "restarting") {
        facts.set("instance", "ended");
    }
}
