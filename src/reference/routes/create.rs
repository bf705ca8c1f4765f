//! `POST /workspaces` (contract §2).

use std::collections::BTreeSet;

use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::payload::{Create, compute_kept};
use super::{Call, external};
use crate::behaviour::Behaviour;
use crate::models::gates::{CreateFacts, Refusal, Resolved, check_create};
use crate::reference::addresses::check_agent_url;
use crate::reference::cycle::Plan;
use crate::reference::faults::Fault;
use crate::reference::platform::Platform;
use crate::reference::reply;
use crate::reference::state::tokens::Kind;
use crate::reference::state::workspace::{Delivery, SecretRow, Workspace};

/// Templates that this platform ships: name and runtime.
const TEMPLATES: [(&str, &str); 7] = [
    ("claude-code-default", "claude-code"),
    ("claude-code", "claude-code"),
    ("hermes", "hermes"),
    ("openclaw", "openclaw"),
    ("codex", "codex"),
    ("google-adk", "google-adk"),
    ("seo-agent", "claude-code"),
];

/// Whether the folder of this template is there.
pub(super) fn is_template(template: &str) -> bool {
    TEMPLATES.iter().any(|(name, _)| *name == template)
}

pub(super) async fn create(call: Call) -> Response {
    let platform = &call.platform;
    let Some(payload) = call.object::<Create>().filter(|p| p.name.as_ref().is_some_and(|n| !n.is_empty()))
    else {
        return reply::error(400, "invalid workspace payload");
    };
    let Some(compute) = compute_kept(payload.compute.as_ref().unwrap_or(&Value::Null)) else {
        return reply::error(400, "invalid workspace payload");
    };
    let payload = Create { compute: Some(compute), ..payload };
    if !payload.fields_ok() {
        return reply::error(400, "invalid workspace fields");
    }
    let open = |value: &Option<String>| value.as_deref().unwrap_or_default().is_empty();
    let escapes = payload.template_escapes();
    if escapes
        && (open(&payload.runtime)
            || open(&payload.model)
            || platform.does(Behaviour::EscapingTemplateRefused))
    {
        return reply::error(400, "invalid template");
    }
    let (resolved, guard) = match gates(platform, &payload) {
        Ok(found) => found,
        Err(refusal) => return reply::json_body(refusal.status, &refusal.body()),
    };
    if let Some(text) = payload.placement_error() {
        return reply::error(400, text);
    }
    let url = payload.url.clone().unwrap_or_default();
    if !url.is_empty()
        && let Err(why) = check_agent_url(&url, platform.saas(), platform.loopback_ok()).await
    {
        return reply::error(400, format!("unsafe workspace URL: {why}"));
    }
    let mode = payload.delivery_mode.as_deref().filter(|m| !m.is_empty()).unwrap_or("push");
    let Some(delivery) = Delivery::parse(mode) else {
        return reply::error(400, "delivery_mode must be 'push' or 'poll'");
    };
    let id = crate::chance::uuid();
    let workspace = match row(platform, &payload, &resolved, id, delivery) {
        Ok(workspace) => workspace,
        Err(refusal) => return refusal,
    };
    if let Some(refusal) = guard {
        let mut body = refusal.body();
        body["workspace_id"] = json!(id);
        return reply::json_body(refusal.status, &body);
    }
    let name = workspace.name.clone();
    let access = workspace.workspace_access.clone();
    let response = if resolved.external || payload.external == Some(true) {
        external_created(&call, workspace)
    } else {
        platform.state().created(workspace);
        if escapes {
            // The row is committed before the template is looked at again, and nobody answers (contract §13, 21).
            return reply::empty(200);
        }
        if let Some(refusal) = refused_after_commit(platform, &payload, id) {
            return refusal;
        }
        let token = platform.state().tokens.issue(id, Kind::Api);
        platform.launch(id, Plan { first: true, ..Plan::default() }).await;
        let body =
            json!({ "id": id, "status": "provisioning", "workspace_access": access, "auth_token": token });
        reply::json_body(201, &body)
    };
    if platform.fault_once(Fault::CreateDuplicatesOnRetry, &name) {
        return reply::error(503, "service unavailable");
    }
    response
}

/// A template that is not there is missed only once the row is stored, which then reads `failed`.
fn refused_after_commit(platform: &Platform, payload: &Create, id: Uuid) -> Option<Response> {
    let template = payload.template.as_deref().unwrap_or_default();
    if platform.fault(Fault::RefusedAfterCommit) {
        let missing = ["TENANT_NAME", "TENANT_DOMAIN"];
        let error = format!("missing required env vars {}: add them as secrets", missing.join(", "));
        let stored = json!({ "error": error, "missing": missing });
        platform.state().provision_failed(id, &error, stored, platform.behaviours);
        let body = json!({
            "error": error, "missing": missing, "template": template, "runtime": payload.runtime,
            "code": "MISSING_REQUIRED_ENV",
        });
        return Some(reply::json_body(422, &body));
    }
    let known = template.is_empty() || is_template(template);
    if known || !platform.does(Behaviour::CreateRefusesAfterCommit) {
        return None;
    }
    let error = format!("template {template} is not available");
    let payload = json!({ "error": error, "code": "TEMPLATE_UNAVAILABLE" });
    platform.state().provision_failed(id, &error, payload, platform.behaviours);
    let body = json!({ "error": error, "code": "TEMPLATE_UNAVAILABLE", "template": template });
    Some(reply::json_body(422, &body))
}

/// Rows 4 to 10; row 15, the vendor-key guard, comes back apart because other checks stand between.
fn gates(platform: &Platform, payload: &Create) -> Result<(Resolved, Option<Refusal>), Refusal> {
    let template = payload.template.as_deref().unwrap_or_default();
    let template_runtime = TEMPLATES.iter().find(|(name, _)| *name == template).map(|(_, runtime)| *runtime);
    let secrets = payload.secrets.clone().unwrap_or_default();
    let global: BTreeSet<String> = platform.state().global_secrets.keys().cloned().collect();
    let facts = CreateFacts {
        runtime: payload.runtime.as_deref(),
        model: payload.model.as_deref(),
        template: payload.template.as_deref(),
        template_runtime,
        template_model: None,
        external: payload.external == Some(true),
        secrets: &secrets,
        global_secret_names: &global,
    };
    let runtime = payload.runtime.as_deref().unwrap_or_default();
    if platform.does(Behaviour::TemplateVariantIsNoRuntime) && runtime == "seo-agent" {
        let fields = [("runtime", runtime.to_owned())].into_iter().collect();
        let error = "unsupported workspace runtime".to_owned();
        return Err(Refusal { status: 422, code: Some("RUNTIME_UNSUPPORTED"), error, fields, row: 6 });
    }
    match check_create(platform.catalogue, &platform.allowlist, &facts) {
        Ok(resolved) => Ok((resolved, None)),
        Err(refusal) if refusal.row == 15 => {
            let none = Default::default();
            let resolved = check_create(
                platform.catalogue,
                &platform.allowlist,
                &CreateFacts { secrets: &none, ..facts },
            );
            // Without its secrets it may miss a credential; the guard is what will be answered.
            let resolved = resolved.unwrap_or_else(|_| Resolved {
                runtime: runtime.to_owned(),
                model: payload.model.clone().unwrap_or_default(),
                external: false,
                provider: None,
            });
            Ok((resolved, Some(refusal)))
        }
        Err(refusal) => Err(refusal),
    }
}

fn row(
    platform: &Platform,
    payload: &Create,
    resolved: &Resolved,
    id: Uuid,
    delivery: Delivery,
) -> Result<Workspace, Response> {
    if !payload.storable() {
        return Err(reply::error(500, "failed to create workspace"));
    }
    let state = platform.state();
    let parent = match payload.parent_id.as_deref() {
        None if platform.does(Behaviour::CreateMayBeARoot) => None,
        None => state.default_parent(),
        Some(text) => match Uuid::try_parse(text).ok().filter(|p| state.get(*p).is_some()) {
            Some(parent) => Some(parent),
            None if platform.does(Behaviour::ParentIsValidated) => {
                let body =
                    json!({ "error": "parent not found", "code": "WORKSPACE_REPARENT_PARENT_NOT_FOUND" });
                return Err(reply::json_body(422, &body));
            }
            None => return Err(reply::error(500, "failed to create workspace")),
        },
    };
    let wanted = payload.name.clone().unwrap_or_default();
    let Some(name) = state.free_name(parent, &wanted) else {
        return Err(reply::error(409, "workspace name already in use; please pick a different name"));
    };
    let mut workspace = Workspace::new(id, name, resolved.runtime.clone());
    workspace.parent = parent;
    workspace.role = payload.role.clone().filter(|r| !r.is_empty());
    workspace.template = payload.template.clone().unwrap_or_default();
    workspace.tier = match payload.tier {
        _ if platform.saas() => 4,
        None | Some(0) => 3,
        Some(tier) => tier,
    };
    // Of a managed workspace it was only looked at.
    if resolved.external || payload.external == Some(true) {
        workspace.url = payload.url.clone().unwrap_or_default();
    }
    workspace.delivery = delivery;
    workspace.workspace_dir = payload.workspace_dir.clone().filter(|d| !d.is_empty());
    if let Some(access) = payload.workspace_access.clone().filter(|a| !a.is_empty()) {
        workspace.workspace_access = access;
    }
    workspace.budget_limit = payload.budget_limit;
    workspace.max_concurrent_tasks = payload.max_concurrent_tasks.filter(|n| *n > 0).unwrap_or(1);
    workspace.compute = payload.compute.clone().unwrap_or_else(|| json!({}));
    if let Some(canvas) = payload.canvas {
        (workspace.x, workspace.y) = (canvas.x, canvas.y);
    }
    let secrets = payload.secrets.clone().unwrap_or_default();
    workspace.secrets = secrets.into_iter().map(|(key, value)| (key, SecretRow::new(value))).collect();
    if !resolved.model.is_empty() {
        workspace.secrets.insert("MODEL".to_owned(), SecretRow::new(resolved.model.clone()));
    }
    Ok(workspace)
}

fn external_created(call: &Call, workspace: Workspace) -> Response {
    let (id, has_url) = (workspace.id, !workspace.url.is_empty());
    let mut state = call.platform.state();
    state.created_external(workspace);
    if has_url {
        return reply::json_body(201, &json!({ "id": id, "external": true, "status": "online" }));
    }
    let token = state.tokens.issue(id, Kind::Instance);
    drop(state);
    let connection = external::connection_of(call, id, &token);
    let body = json!({ "id": id, "external": true, "status": "awaiting_agent", "connection": connection });
    reply::json_body(201, &body)
}
