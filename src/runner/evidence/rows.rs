//! What the platform says of the workspace, and of the others beside it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::asked::{EvidenceError, Found, get};
use crate::domain::Status;
use crate::platform::row::Row;
use crate::platform::{Auth, record, segment};
use crate::runner::context::ScenarioContext;
use crate::runner::workspace::Workspace;

/// The whole record: single read and admin list merged, each field with where it was seen.
pub(super) async fn whole_record(
    context: &ScenarioContext,
    workspace: &Workspace,
) -> Result<Found, EvidenceError> {
    let single = context.run.api.request(
        "GET",
        &format!("/workspaces/{}?include_removed=true", segment(&workspace.id)),
        &Auth::Admin,
    );
    let (single, list) = tokio::join!(
        get(context, "evidence: record", single),
        get(context, "evidence: list", context.run.api.list())
    );
    let row = list
        .as_ref()
        .ok()
        .and_then(Value::as_array)
        .and_then(|rows| rows.iter().find(|r| r.is(&workspace.id)))
        .cloned();
    // Removed rows are shown when they are asked for; purged ones are not there at all.
    let gone = match (&single, &row) {
        (Ok(record), _) if record.status() == Some(Status::Removed) => "removed".to_owned(),
        (Err(EvidenceError::Answer { status, .. }), None)
            if single.as_ref().is_err_and(EvidenceError::is_gone) =>
        {
            status.to_string()
        }
        (Err(one), None) => {
            return Err(EvidenceError::Other(format!("single read: {one}; not in the list either")));
        }
        _ => "no".to_owned(),
    };
    let mut merged: BTreeMap<String, Value> = BTreeMap::new();
    for (origin, record) in [("read", single.ok()), ("list", row)] {
        for (field, value) in record.as_ref().and_then(Value::as_object).cloned().unwrap_or_default() {
            match merged.get_mut(&field) {
                Some(known) if known["value"] == value => known["from"] = json!("read, list"),
                Some(known) => known["list_says"] = value,
                None => {
                    merged.insert(field, json!({ "value": value, "from": origin }));
                }
            }
        }
    }
    merged.insert("gone".into(), json!({ "value": gone, "from": "read, list" }));
    let interesting = [
        "status",
        "url",
        "last_sample_error",
        "last_error_rate",
        "uptime_seconds",
        "active_tasks",
        "current_task",
        "runtime",
        "parent_id",
        "agent_card",
    ];
    let lines = interesting
        .iter()
        .filter_map(|field| Some((field, merged.get(*field)?)))
        .map(|(field, known)| {
            format!(
                "{field}: {} ({})",
                context.excerpt(&known["value"].to_string(), 120),
                record::text(known, "from")
            )
        })
        .collect();
    Ok(Found { lines, data: json!(merged) })
}

pub(super) async fn activity(
    context: &ScenarioContext,
    workspace: &Workspace,
) -> Result<Found, EvidenceError> {
    let request = context.run.api.activity(&workspace.id, "limit=30", &context.own_auth(&workspace.alias));
    let data = get(context, "evidence: activity", request).await?;
    let rows = data.as_array().map(Vec::as_slice).unwrap_or_default();
    let lines = rows.iter().take(6).map(|row| {
        let error = record::text(row, "error_detail");
        let error =
            if error.is_empty() { String::new() } else { format!(": {}", context.excerpt(error, 120)) };
        format!(
            "{} {} {}{error}",
            record::text(row, "activity_type"),
            record::text(row, "status"),
            context.excerpt(record::text(row, "summary"), 80)
        )
    });
    Ok(Found { lines: if rows.is_empty() { vec!["none".into()] } else { lines.collect() }, data })
}

pub(super) async fn events(context: &ScenarioContext, workspace: &Workspace) -> Result<Found, EvidenceError> {
    let request =
        context.run.api.request("GET", &format!("/events/{}", segment(&workspace.id)), &Auth::Admin);
    let data = get(context, "evidence: events", request).await?;
    let rows = data.as_array().map(Vec::as_slice).unwrap_or_default();
    let lines = rows.iter().take(6).map(|row| {
        format!(
            "{} {}",
            record::text(row, "event_type"),
            context.excerpt(&row.get("payload").map(Value::to_string).unwrap_or_default(), 140)
        )
    });
    Ok(Found { lines: if rows.is_empty() { vec!["none".into()] } else { lines.collect() }, data })
}

pub(super) async fn billing(
    context: &ScenarioContext,
    workspace: &Workspace,
) -> Result<Found, EvidenceError> {
    let path = format!("/admin/workspaces/{}/llm-billing-mode", segment(&workspace.id));
    let data = get(context, "evidence: billing", context.run.api.request("GET", &path, &Auth::Admin)).await?;
    let line = format!(
        "{} (source {}, provider {})",
        record::text(&data, "resolved_mode"),
        record::text(&data, "source"),
        data.get("provider_selection").map(Value::to_string).unwrap_or_default()
    );
    Ok(Found { lines: vec![line], data })
}

pub(super) fn sent(workspace: &Workspace) -> Found {
    let body = &workspace.sent;
    let names: Vec<&str> = body
        .get("secrets")
        .and_then(Value::as_object)
        .map(|s| s.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let line = format!(
        "runtime {}, model {}, provider {}, secrets {}",
        workspace.runtime,
        workspace.model,
        workspace.provider,
        names.join(", ")
    );
    Found { lines: vec![line], data: body.clone() }
}

/// Everybody else on the server, labelled so that nobody takes one for the target (#2680).
pub(super) async fn neighbours(
    context: &ScenarioContext,
    workspace: &Workspace,
) -> Result<Found, EvidenceError> {
    let data = get(context, "evidence: neighbours", context.run.api.list()).await?;
    let others: Vec<Map<String, Value>> = data
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter(|row| !row.is(&workspace.id))
        .map(|row| {
            let mut short = Map::new();
            for field in ["id", "name", "status", "runtime", "parent_id"] {
                short.insert(field.into(), row.get(field).cloned().unwrap_or_default());
            }
            short.insert("ours".into(), json!(context.run.ledger.owns(row.id())));
            short.insert("same_name".into(), json!(row.name() == workspace.name));
            short
        })
        .collect();
    let failed = others.iter().filter(|row| row["status"] == "failed").count();
    let ours = others.iter().filter(|row| row["ours"] == true).count();
    let lines = vec![match others.len() {
        1 => format!("1 other workspace ({ours} of this run), {failed} failed"),
        n => format!("{n} other workspaces ({ours} of this run), {failed} failed"),
    }];
    let kept: Vec<_> = others.into_iter().take(200).collect();
    Ok(Found { lines, data: json!(kept) })
}
