//! What a server offers, compared with the catalogue: drift is told, it is no red (DESIGN §4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;

use crate::clock::Instant;
use crate::models::catalogue::Catalogue;
use crate::models::derive::{OfferedModel, offered_models};
use crate::platform::ask::Asker;
use crate::platform::filing::Unrecorded;
use crate::platform::{Api, Auth, policy, record, segment};

/// Reads the offers of every runtime of the catalogue; says where they differ from it.
pub(super) async fn read(
    api: &Api,
    catalogue: &Catalogue,
) -> (BTreeMap<String, Vec<OfferedModel>>, Vec<String>) {
    let runtimes = catalogue.runtimes().iter().map(|r| r.name.clone());
    let answers = join_all(runtimes.map(|runtime| async {
        let path = format!("/admin/llm/offered-models?runtime={}", segment(&runtime));
        let asker = Asker::new(api, Arc::new(Unrecorded), Instant::now() + policy::PROBE.within);
        let request = api.request("GET", &path, &Auth::Admin);
        let answer = asker.ask("offered models", request, &policy::PROBE).await.answer();
        (runtime, answer)
    }));
    let (mut offered, mut drift) = (BTreeMap::new(), Vec::new());
    for (runtime, answer) in answers.await {
        let Some(answer) = answer else { continue };
        match (answer.status, answer.json) {
            (200, Some(body)) => {
                let Some(rows) = body.get("models").and_then(Value::as_array) else { continue };
                let models: Vec<OfferedModel> = rows.iter().map(model).collect();
                drift.extend(differs(
                    &runtime,
                    &models,
                    &offered_models(catalogue, &runtime).unwrap_or_default(),
                ));
                offered.insert(runtime, models);
            }
            (404, Some(body)) if record::text(&body, "error") == "unknown runtime" => {
                drift.push(format!("the server does not know the runtime {runtime}"));
                offered.insert(runtime, Vec::new());
            }
            // A server without the route says nothing about its offers.
            _ => {}
        }
    }
    (offered, drift)
}

fn model(row: &Value) -> OfferedModel {
    let names = row.get("auth_env").and_then(Value::as_array);
    OfferedModel {
        model: record::text(row, "model").to_owned(),
        provider: record::text(row, "provider").to_owned(),
        platform_billed: row.get("platform_billed").and_then(Value::as_bool).unwrap_or(false),
        auth_env: names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

fn differs(runtime: &str, server: &[OfferedModel], catalogue: &[OfferedModel]) -> Vec<String> {
    fn ids(models: &[OfferedModel]) -> BTreeSet<&str> {
        models.iter().map(|m| m.model.as_str()).collect()
    }
    let (there, here) = (ids(server), ids(catalogue));
    let mut lines = Vec::new();
    let list = |ids: Vec<&&str>| ids.iter().map(|id| **id).collect::<Vec<_>>().join(", ");
    let missing: Vec<&&str> = here.difference(&there).collect();
    let more: Vec<&&str> = there.difference(&here).collect();
    if !missing.is_empty() {
        lines.push(format!("the server does not offer for {runtime}: {}", list(missing)));
    }
    if !more.is_empty() {
        lines.push(format!(
            "the server offers for {runtime} what the catalogue does not have: {}",
            list(more)
        ));
    }
    for model in server {
        let known = catalogue.iter().find(|m| m.model == model.model);
        if let Some(known) = known.filter(|k| k.provider != model.provider) {
            lines.push(format!(
                "{} on {runtime} is served by {} on the server, by {} in the catalogue",
                model.model, model.provider, known.provider
            ));
        }
    }
    lines
}
