//! `/__stub/…`: counters, the record of requests, and answers that are given instead.

use axum::response::Response;
use serde_json::{Value, json};

use super::asked::Asked;
use super::plane::Plane;
use super::rule::Rule;
use crate::reference::reply;

/// So many rules may stand at once.
const RULES: usize = 200;

pub(super) fn counters(plane: &Plane) -> Response {
    reply::ok(&json!(plane.state().counters))
}

/// The newest last; `workspace`, `org` and `path` choose.
pub(super) fn requests(plane: &Plane, asked: &Asked) -> Response {
    let (workspace, org, path) = (asked.query("workspace"), asked.query("org"), asked.query("path"));
    let limit = asked.query("limit").and_then(|l| l.parse().ok()).unwrap_or(100_usize).min(1_000);
    let state = plane.state();
    let id = org.as_deref().and_then(|o| state.by_name(o)).map(|o| o.id.to_string()).or(org);
    let mut found: Vec<Value> = state
        .record
        .iter()
        .rev()
        .filter(|s| workspace.is_none() || s.workspace == workspace)
        .filter(|s| id.is_none() || s.org == id)
        .filter(|s| path.as_deref().is_none_or(|p| s.path.starts_with(p)))
        .take(limit)
        .map(super::state::Seen::shown)
        .collect();
    found.reverse();
    reply::ok(&json!({ "requests": found }))
}

pub(super) fn rules(plane: &Plane) -> Response {
    reply::ok(&json!({ "routes": plane.state().rules }))
}

pub(super) fn add_rule(plane: &Plane, asked: &Asked) -> Response {
    let rule = asked.json.clone().map(serde_json::from_value::<Rule>);
    match rule {
        Some(Ok(rule)) if rule.path.starts_with('/') => {
            let mut state = plane.state();
            if state.rules.len() >= RULES {
                return reply::error(409, "too many routes");
            }
            state.rules.push(rule);
            reply::json_body(201, &json!({ "routes": state.rules.len() }))
        }
        Some(Err(error)) => reply::error(400, error.to_string()),
        _ => reply::error(400, "path must begin with /"),
    }
}

pub(super) fn clear_rules(plane: &Plane) -> Response {
    plane.state().rules.clear();
    reply::ok(&json!({ "routes": 0 }))
}
