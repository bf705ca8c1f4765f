//! What anybody may ask (contract §1.1).

use axum::http::{HeaderValue, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use super::payload::{CLOUDS, Cloud};
use crate::reference::reply;

pub(super) fn health(_: &Call) -> Response {
    reply::ok(&json!({ "status": "ok" }))
}

pub(super) fn buildinfo(call: &Call) -> Response {
    reply::ok(&json!({ "git_sha": call.platform.server_var("GIT_SHA").unwrap_or("dev") }))
}

pub(super) fn identity(call: &Call) -> Response {
    let var = |name: &str| call.platform.server_var(name).unwrap_or_default().to_owned();
    reply::ok(&json!({
        "name": var("MOLECULE_ORG_NAME"),
        "slug": var("MOLECULE_ORG_SLUG"),
        "org_id": var("MOLECULE_ORG_ID"),
        "platform_managed_available": call.platform.server.proxy_configured(),
    }))
}

pub(super) fn upload_limits(_: &Call) -> Response {
    let most = 100 << 20;
    reply::ok(
        &json!({ "per_file_bytes": most, "per_request_bytes": most, "max_attachments_per_message": 10 }),
    )
}

/// What each cloud offers.
pub(super) fn compute_metadata(_: &Call) -> Response {
    let providers: Vec<Value> = CLOUDS
        .iter()
        .map(|cloud| {
            let (id, label, usual) = (cloud.id, cloud.label, cloud.usual);
            json!({ "id": id, "label": label, "default_instance": usual, "instances": cloud.instances })
        })
        .collect();
    reply::ok(&json!({ "providers": providers }))
}

/// The same for a workspace, by provider.
pub(super) fn compute_options(call: &Call) -> Response {
    let id = match call.id() {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    if call.platform.state().present(id).is_none() {
        return reply::error(404, "workspace not found");
    }
    let by = |show: fn(&Cloud) -> Value| -> Value {
        Value::Object(CLOUDS.iter().map(|cloud| (cloud.id.to_owned(), show(cloud))).collect())
    };
    reply::ok(&json!({
        "providers": ["aws", "hetzner", "gcp"],
        "instanceTypes": by(|cloud| json!(cloud.instances)),
        "defaults": by(|cloud| json!(cloud.usual)),
        "display_defaults": by(|cloud| json!(cloud.with_display)),
    }))
}

pub(super) fn metrics(call: &Call) -> Response {
    let live = call.platform.state().live().count();
    let mut response = reply::text(200, "");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    *response.body_mut() = axum::body::Body::from(format!(
        "# HELP molecule_workspaces Workspaces that are not removed.\n\
         # TYPE molecule_workspaces gauge\nmolecule_workspaces {live}\n"
    ));
    response
}

pub(super) fn viewport(_: &Call) -> Response {
    reply::ok(&json!({ "x": 0, "y": 0, "zoom": 1 }))
}
