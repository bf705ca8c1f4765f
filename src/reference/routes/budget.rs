//! What a workspace may spend (divergences B2).

use axum::response::Response;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Call;
use crate::domain::Status;
use crate::reference::reply;
use crate::reference::state::budget::{MONTHLY, PERIODS};

pub(super) fn read(call: &Call) -> Response {
    match call.id_or("query failed") {
        Ok(id) => shown(call, id),
        Err(refusal) => refusal,
    }
}

fn shown(call: &Call, id: Uuid) -> Response {
    match call.platform.state().present(id) {
        Some(workspace) => reply::ok(&workspace.budget.show(|at| call.platform.clock.since(at))),
        None => reply::error(404, "workspace not found"),
    }
}

/// Each call replaces all periods: what is not named is off.
pub(super) fn write(call: &Call) -> Response {
    let Some(body) = call.json::<Map<String, Value>>() else {
        return reply::error(400, "invalid request body");
    };
    let limits = match limits(&body) {
        Ok(limits) => limits,
        Err(error) => return reply::error(400, error),
    };
    let Ok(id) = call.id() else { return reply::error(404, "workspace not found") };
    match call.platform.state().get_mut(id).filter(|w| w.status != Status::Removed) {
        Some(workspace) => {
            workspace.budget.limits = limits;
            workspace.budget_limit = limits[MONTHLY];
        }
        None => return reply::error(404, "workspace not found"),
    }
    shown(call, id)
}

fn limits(body: &Map<String, Value>) -> Result<[Option<i64>; 4], String> {
    let mut limits = [None; 4];
    match (body.get("budget_limits"), body.get("budget_limit")) {
        (Some(Value::Object(periods)), _) => {
            for (period, value) in periods {
                let at = PERIODS.iter().position(|(name, _)| name == period).ok_or_else(|| {
                    let all = PERIODS.map(|(name, _)| name).join(", ");
                    format!("unknown budget period: {period} (allowed: {all})")
                })?;
                limits[at] = cents(value)?;
            }
        }
        (Some(_), _) => return Err("budget_limits must be an object of period→int|null".to_owned()),
        (None, Some(monthly)) => limits[MONTHLY] = cents(monthly)?,
        (None, None) => return Err("budget_limits or budget_limit field is required".to_owned()),
    }
    Ok(limits)
}

fn cents(value: &Value) -> Result<Option<i64>, String> {
    if value.is_null() {
        return Ok(None);
    }
    match value.as_i64() {
        None => Err("budget_limit must be an integer (USD cents) or null".to_owned()),
        Some(cents) if cents < 0 => Err("budget_limit must be >= 0 (USD cents)".to_owned()),
        Some(cents) => Ok(Some(cents)),
    }
}

/// The refusal of a message to a workspace that spent what it may.
pub(super) fn exceeded(call: &Call, id: Uuid) -> Option<Response> {
    let state = call.platform.state();
    let exceeded = state.get(id)?.budget.exceeded(|at| call.platform.clock.since(at));
    let body = json!({ "error": "workspace budget limit exceeded", "exceeded_periods": exceeded });
    (!exceeded.is_empty()).then(|| reply::json_body(402, &body))
}
