//! `/cp/admin/…`: organisations, machines, consoles, quota.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::asked::Asked;
use super::machine::Machine;
use super::org::{Phase, is_slug};
use super::plane::Plane;
use super::{instances, tenant};
use crate::reference::reply;

pub(super) fn create_org(plane: &Arc<Plane>, asked: &Asked) -> Response {
    let Some(body) = asked.json.as_ref().filter(|b| b.is_object()) else {
        return reply::error(400, "invalid request body");
    };
    let text = |name: &str| body[name].as_str().unwrap_or_default().trim().to_owned();
    // The minimal cell creates with a runtime and names no owner (scenarios §2.5).
    let short = body["runtime"].is_string();
    let needed: &[&str] = if short { &["slug"] } else { &["slug", "name", "owner_user_id"] };
    let missing: Vec<&str> = needed.iter().copied().filter(|name| text(name).is_empty()).collect();
    if !missing.is_empty() {
        return reply::json_body(400, &json!({ "error": "missing required fields", "fields": missing }));
    }
    let slug = text("slug");
    if !is_slug(&slug) {
        let error = "slug must match ^[a-z][a-z0-9-]{2,31}$";
        return reply::json_body(400, &json!({ "error": error, "fields": ["slug"] }));
    }
    let (taken, living) = {
        let state = plane.state();
        (state.by_slug(&slug).is_some(), state.living())
    };
    if taken {
        return reply::error(409, "an organisation with this slug exists");
    }
    if living >= plane.options.quota {
        let body = json!({
            "error": "organisation quota exceeded",
            "code": "ORG_QUOTA_EXCEEDED",
            "used": living,
            "limit": plane.options.quota,
        });
        return reply::json_body(403, &body);
    }
    let name = if text("name").is_empty() { slug.clone() } else { text("name") };
    reply::json_body(201, &tenant::create(plane, &slug, &name, &text("owner_user_id")))
}

pub(super) fn list_orgs(plane: &Plane) -> Response {
    let orgs: Vec<Value> =
        plane.state().orgs.values().filter(|org| !org.foreign).map(super::org::Org::shown).collect();
    reply::ok(&json!({ "orgs": orgs }))
}

pub(super) fn read_org(plane: &Plane, slug: &str) -> Response {
    match plane.state().by_name(slug) {
        Some(org) => reply::ok(&org.shown()),
        None => reply::error(404, "organisation not found"),
    }
}

pub(super) fn admin_token(plane: &Plane, slug: &str) -> Response {
    match plane.state().by_name(slug) {
        Some(org) if org.phase == Phase::Running => {
            reply::ok(&json!({ "slug": org.slug, "admin_token": org.admin_token.expose() }))
        }
        Some(_) => reply::error(409, "the tenant is not ready"),
        None => reply::error(404, "organisation not found"),
    }
}

pub(super) fn delete_tenant(plane: &Arc<Plane>, slug: &str, asked: &Asked) -> Response {
    let confirm = asked.json.as_ref().and_then(|b| b["confirm"].as_str());
    // The minimal cell sends no body at all.
    if confirm.is_some_and(|given| given != slug) {
        return reply::error(400, "confirm must be the slug");
    }
    let found = plane.state().by_name(slug).map(|org| (org.id, org.phase));
    match found {
        None => reply::error(404, "organisation not found"),
        Some((id, Phase::Purging)) => reply::json_body(202, &json!({ "status": "purging", "id": id })),
        Some((id, _)) => {
            tenant::begin_purge(plane, id);
            reply::json_body(202, &json!({ "status": "purging", "id": id }))
        }
    }
}

pub(super) fn machines_of(plane: &Plane, slug: &str) -> Response {
    let state = plane.state();
    // Also of one that is purged: whoever looks for leaks looks then.
    let org = state.orgs.values().rev().find(|org| org.slug == slug || org.id.to_string() == slug);
    let Some(org) = org else { return reply::error(404, "organisation not found") };
    let machines: Vec<Value> =
        state.machines.values().filter(|m| m.org == org.id).map(Machine::shown).collect();
    reply::ok(&json!({ "instances": machines }))
}

pub(super) fn machine(plane: &Plane, id: &str) -> Response {
    match plane.state().machines.get(id) {
        Some(machine) => reply::ok(&machine.shown()),
        None => reply::error(404, "instance not found"),
    }
}

pub(super) async fn terminate(plane: &Plane, id: &str) -> Response {
    match instances::terminate(plane, id, "terminated by an administrator").await {
        Some(shown) => reply::ok(&shown),
        None => reply::error(404, "instance not found"),
    }
}

pub(super) async fn console(plane: &Plane, workspace: &str) -> Response {
    let Ok(id) = Uuid::try_parse(workspace) else { return reply::error(400, "invalid workspace id") };
    match instances::console(plane, id).await {
        Some(output) => reply::ok(&json!({ "output": output })),
        None => reply::error(404, "no instance"),
    }
}

pub(super) fn quota(plane: &Plane) -> Response {
    let used = plane.state().living();
    reply::ok(&json!({ "orgs": { "used": used, "limit": plane.options.quota } }))
}
