//! What anybody may ask (contract §1.1).

use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use super::payload::INSTANCES;
use crate::reference::reply;

pub fn health(_: &Call) -> Response {
    reply::ok(&json!({ "status": "ok" }))
}

pub fn buildinfo(call: &Call) -> Response {
    reply::ok(&json!({ "git_sha": call.platform.server_var("GIT_SHA").unwrap_or("dev") }))
}

pub fn identity(call: &Call) -> Response {
    let var = |name: &str| call.platform.server_var(name).unwrap_or_default().to_owned();
    reply::ok(&json!({
        "name": var("MOLECULE_ORG_NAME"),
        "slug": var("MOLECULE_ORG_SLUG"),
        "org_id": var("MOLECULE_ORG_ID"),
        "platform_managed_available": call.platform.server.proxy_configured(),
    }))
}

pub fn upload_limits(_: &Call) -> Response {
    reply::ok(&json!({ "max_file_bytes": 25 << 20, "max_total_bytes": 100 << 20, "max_files": 10 }))
}

pub fn compute_metadata(_: &Call) -> Response {
    let labels = ["AWS", "Google Cloud", "Hetzner"];
    let providers: Vec<Value> = INSTANCES
        .iter()
        .zip(labels)
        .map(|((id, instances), label)| {
            json!({ "id": id, "label": label, "default_instance": instances[0], "instances": instances })
        })
        .collect();
    reply::ok(&json!({ "providers": providers }))
}

pub fn metrics(call: &Call) -> Response {
    let live = call.platform.state().live().count();
    let mut response = reply::text(200, "");
    *response.body_mut() = axum::body::Body::from(format!(
        "# HELP molecule_workspaces Workspaces that are not removed.\n\
         # TYPE molecule_workspaces gauge\nmolecule_workspaces {live}\n"
    ));
    response
}

pub fn viewport(_: &Call) -> Response {
    reply::ok(&json!({ "x": 0, "y": 0, "zoom": 1 }))
}
