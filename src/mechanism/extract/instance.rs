//! The instance: which one, its environment before and after the edge, its log.

use std::collections::BTreeMap;

use serde_json::Value;

use super::parts::{part, plain, short_time, yes};
use crate::event::{EnvVar, Symptoms};
use crate::mechanism::facts::Facts;
use crate::models::expected::{BOOKS, WHOSE};

type Vars = BTreeMap<String, EnvVar>;

pub(super) fn add(symptoms: &Symptoms, facts: &mut Facts) {
    if let Some(log) = part(symptoms, "agent log").and_then(|log| log.get("lines")?.as_array()) {
        facts.list("instance.log", log.iter().map(|line| short_time(&plain(line))));
    }
    let Some(data) = part(symptoms, "environment") else { return };
    if data.get("instance").is_none_or(Value::is_null) {
        // A row read at another moment than this look proves nothing about a dead instance.
        let stood = data.get("status").and_then(Value::as_str);
        let row = facts.text("record.status");
        if stood.is_some_and(|stood| row.is_none_or(|row| row == stood)) {
            facts.set("instance", "none");
        }
        return;
    }
    facts.set("instance", "running");
    let id = data.get("instance").and_then(Value::as_str).unwrap_or_default();
    facts.set("instance.id", id);
    let before = symptoms.workspace.as_ref().and_then(|w| w.instance_before.as_deref());
    if let Some(before) = before.filter(|b| !b.is_empty() && !id.is_empty()) {
        facts.set("instance.same", yes(before == id));
    }
    let Some(now) = vars(data.get("after")) else { return };
    describe("env", &now, facts);
    judge(&now, facts);
    let difference = data.get("difference").and_then(Value::as_array);
    // Over several edges a variable may be lost at the first and missing since: what counts is that an earlier
    // instance of the workspace had it right.
    let right = vars(data.get("right_before"));
    let before = vars(data.get("before"));
    if let Some(had) = right.as_ref().or(before.as_ref()) {
        let lost = had.values().filter(|old| {
            let unset = now.get(&old.name).is_none_or(|new| !new.set);
            let wanted =
                now.get(&old.name).and_then(|new| new.expected.as_deref()).or(old.expected.as_deref());
            old.set
                && unset
                && old.ok != Some(false)
                && wanted.is_some_and(|e| e != "unset")
                && !old.name.starts_with("MOLECULE_")
        });
        facts.list("env_lost", lost.map(|old| old.name.clone()));
    }
    if let Some(before) = before {
        describe("env_before", &before, facts);
        // What no rule speaks of changes with every instance: its own address, its parent.
        let ruled = |line: &String| {
            let name = line.split(':').next().unwrap_or_default();
            let vars = [before.get(name), now.get(name)];
            let in_both = vars.iter().all(|var| var.is_some_and(|var| var.set));
            let kept = BOOKS.contains(&name) || WHOSE.contains(&name);
            vars.into_iter().flatten().any(|v| v.expected.is_some()) || (kept && in_both)
        };
        facts.list("env_difference", difference.into_iter().flatten().map(plain).filter(ruled));
    }
}

fn vars(value: Option<&Value>) -> Option<Vars> {
    serde_json::from_value(value?.clone()).ok()
}

/// `unset`, or `set` and what it is in words; the words come first.
fn describe(map: &'static str, vars: &Vars, facts: &mut Facts) {
    facts.whole(map, &["unset"]);
    for (name, var) in vars {
        let values =
            if var.set { vec![var.value.clone(), "set".to_owned()] } else { vec!["unset".to_owned()] };
        facts.list(&format!("{map}.{name}"), values);
    }
}

/// What the rules say of each variable.
fn judge(vars: &Vars, facts: &mut Facts) {
    let wrong = |keep: &dyn Fn(&EnvVar) -> bool| -> Vec<String> {
        let bad = vars.values().filter(|v| v.ok == Some(false));
        bad.filter(|v| keep(v)).map(|v| v.name.clone()).collect()
    };
    let unwanted = |v: &EnvVar| v.expected.as_deref() == Some("unset");
    // A secret under its own name is handed on; everything else is projected.
    let own = |v: &EnvVar| v.wants_secret.as_deref() == Some(&*v.name);
    let kept = |v: &EnvVar| v.name.starts_with("MOLECULE_");
    facts.list("env_missing", wrong(&|v| !v.set && !own(v) && !kept(v)));
    facts.list("env_bookkeeping", wrong(&kept));
    facts.list("env_not_passed", wrong(&|v| !v.set && own(v)));
    facts.list("env_extra", wrong(&|v| v.set && unwanted(v) && !kept(v)));
    facts.list("env_wrong", wrong(&|v| v.set && !unwanted(v) && !kept(v)));
    let line = |v: &EnvVar| {
        let is = if v.set { v.value.as_str() } else { "unset" };
        let expected = v.expected.as_deref().unwrap_or("?");
        format!("{} is {is}, expected {expected} ({})", v.name, v.rule.as_deref().unwrap_or("?"))
    };
    facts.list("env_rows", vars.values().filter(|v| v.ok == Some(false)).map(line));
}
