//! Whether what was read is as an `expect` wants it, whoever reads it: a run, or the log of one.

use std::collections::BTreeSet;

use serde_json::Value;

use super::answer::{describe, unwanted};
use super::look::Look;
use crate::event::EnvVar;
use crate::http::Response;
use crate::platform::record;
use crate::platform::row::Row;
use crate::runner::outcome::{Failure, FailureKind, Passed};
use crate::scenario::model::{ActivityRow, ActivitySource, JsonPath, Matcher};
use crate::scenario::template::Scope;

/// What the single read shows, when it is one of this workspace.
///
/// # Errors
/// It is none.
pub(in crate::runner) fn single(
    answer: &Response,
    id: &str,
) -> Result<serde_json::Map<String, Value>, Failure> {
    if answer.status != 200 {
        return Err(unwanted(answer, format!("the row: {}", describe(answer))));
    }
    if answer.json.as_ref().is_some_and(|row| row.is_anothers(id)) {
        let said = describe(answer);
        return Err(Failure::product(format!("the row: asked for {id}, got another: {said}")));
    }
    Ok(answer.json.as_ref().and_then(Value::as_object).cloned().unwrap_or_default())
}

/// What is known of a stored row: the single read, completed by the row of the list, because each hides fields.
#[derive(Debug)]
pub(in crate::runner) struct Stored {
    /// Both, merged.
    pub merged: Value,
    /// The list does not tell: what the single read lacks is not known.
    untold: Option<Failure>,
}

/// Completes a single read by what the list shows of it.
pub(in crate::runner) fn stored(
    mut single: serde_json::Map<String, Value>,
    list: &Response,
    listed: Option<Value>,
) -> Stored {
    let untold = match &listed {
        Some(_) => None,
        None if list.status != 200 || (list.json.is_none() && !list.body.is_empty()) => {
            Some(unwanted(list, format!("the list of workspaces: {}", describe(list))))
        }
        None => Some(Failure::of(
            FailureKind::Environment,
            "the list of workspaces does not show it: what only the list tells is not known",
        )),
    };
    if let Some(Value::Object(row)) = listed {
        for (field, value) in row {
            single.entry(field).or_insert(value);
        }
    }
    Stored { merged: Value::Object(single), untold }
}

/// The stored row.
pub(in crate::runner) fn row(
    alias: &str,
    json: &[(JsonPath, Vec<Matcher>)],
    stored: Stored,
    scope: &dyn Scope,
) -> Look {
    let merged = &stored.merged;
    let lacks = |path: &JsonPath| path.template.is_none() && path.path.query(merged).is_empty();
    if let Some(why) = stored.untold.filter(|_| json.iter().any(|(path, _)| lacks(path))) {
        return Look::NotYet(why.about(alias));
    }
    let wrong: Vec<String> = json
        .iter()
        .flat_map(|(path, matchers)| path.check(Some(merged), matchers, scope))
        .map(|m| m.to_string())
        .collect();
    let mut wrong = wrong.into_iter();
    match wrong.next() {
        None => Look::Right(Passed::default()),
        Some(first) => {
            Look::NotYet(Failure::product(format!("the row of {alias}: {first}")).details(wrong).about(alias))
        }
    }
}

/// A value.
pub(in crate::runner) fn value(left: &Value, is: &[Matcher], scope: &dyn Scope) -> Look {
    match is.iter().find_map(|m| m.check(Some(left), scope).err()) {
        Some(mismatch) => Look::NotYet(Failure::product(mismatch.to_string())),
        None => Look::Right(Passed::default()),
    }
}

/// Variables that are not as the rules want them, a line each.
pub(in crate::runner) fn unlike_rules<'v>(vars: impl Iterator<Item = &'v EnvVar>) -> Vec<String> {
    vars.filter(|v| v.ok == Some(false))
        .map(|v| {
            let is = if v.set { v.value.clone() } else { "unset".to_owned() };
            format!(
                "{} is {is}, expected {} ({})",
                v.name,
                v.expected.as_deref().unwrap_or("?"),
                v.rule.as_deref().unwrap_or("?")
            )
        })
        .collect()
}

/// An activity log, and what is known of it.
pub(in crate::runner) struct ActivityLog<'a> {
    /// Whose.
    pub alias: &'a str,
    /// Its rows.
    pub rows: &'a [Value],
    /// Those from before the last edge.
    pub before: &'a BTreeSet<String>,
    /// They could not be read.
    pub unknown: bool,
    /// The last edge.
    pub edge: &'a str,
}

/// A row of the activity log. `text` is the rendered one of the wanted row, `source` the id of the workspace that it
/// names.
///
/// # Errors
/// Nobody knows whether the row is a new one.
pub(in crate::runner) fn activity(
    log: &ActivityLog<'_>,
    wanted: &ActivityRow,
    has: bool,
    text: Option<&str>,
    source: Option<&str>,
) -> Result<Look, Failure> {
    let ActivityLog { alias, before, edge, .. } = log;
    let fresh = log.rows.iter().filter(|row| !before.contains(record::text(row, "id")));
    let mut nearest = None;
    let mut seen = 0;
    for row in fresh {
        seen += 1;
        match differs(row, wanted, text, source) {
            None if log.unknown => {
                let text = format!(
                    "activity of {alias}: there is such a row, but the log could not be read before the {edge}"
                );
                return Err(Failure::of(FailureKind::Inconclusive, text).about(alias));
            }
            None if has => return Ok(Look::Right(Passed::with(record::text(row, "summary")))),
            None => {
                let text =
                    format!("activity of {alias}: there is such a row: {}", record::text(row, "summary"));
                return Ok(Look::NotYet(Failure::product(text).about(alias)));
            }
            Some((near, why)) if near => nearest = Some(why),
            Some(_) => {}
        }
    }
    if !has {
        return Ok(Look::Right(Passed::default()));
    }
    let what = if wanted.restart_context { "restart-context row" } else { "such a row" };
    let why = nearest.unwrap_or_else(|| format!("none of {seen} rows since the {edge}"));
    Ok(Look::NotYet(Failure::product(format!("activity of {alias}: no {what}: {why}")).about(alias)))
}

/// Why a row is not the wanted one; `true` when it is nearly.
fn differs(
    row: &Value,
    wanted: &ActivityRow,
    text: Option<&str>,
    source: Option<&str>,
) -> Option<(bool, String)> {
    let kind = row.pointer("/request_body/params/message/metadata/kind").and_then(Value::as_str);
    if wanted.restart_context && kind != Some("restart_context") {
        return Some((false, "another message".into()));
    }
    for (field, value) in
        [("activity_type", &wanted.kind), ("method", &wanted.method), ("status", &wanted.status)]
    {
        if let Some(value) = value
            && record::text(row, field) != value
        {
            return Some((field == "status", format!("{field} is `{}`", record::text(row, field))));
        }
    }
    if let Some(text) = text
        && !record::message_text(row).contains(text)
        && !record::text(row, "summary").contains(text)
    {
        return Some((false, "another text".into()));
    }
    let theirs = row.get("source_id").and_then(Value::as_str);
    let wanted_source = match &wanted.source {
        None => return None,
        Some(ActivitySource::None) => None,
        Some(ActivitySource::Workspace(_)) => source,
    };
    (theirs != wanted_source)
        .then(|| (true, format!("its source is {}", theirs.map_or_else(|| "none".to_owned(), str::to_owned))))
}

/// Why the single read does not say that a workspace is gone.
pub(in crate::runner) fn still_there(alias: &str, single: &Response) -> Option<Failure> {
    let text = || format!("{alias} is still there: {}", describe(single));
    (!record::is_gone(single)).then(|| unwanted(single, text()).about(alias))
}

/// Why the list does not say that a workspace is gone. No list is no proof that it is not in it.
pub(in crate::runner) fn still_listed(alias: &str, id: &str, list: &Response) -> Option<Failure> {
    let Some(rows) = record::list(list.json.as_ref()).filter(|_| list.status == 200) else {
        return Some(unwanted(list, format!("the list: {}", describe(list))).about(alias));
    };
    let listed = rows.iter().any(|row| row.is(id));
    listed.then(|| Failure::product(format!("{alias} is still in the list")).about(alias))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::redact::Redactor;

    #[test]
    fn what_only_the_list_tells_is_not_known_without_it() {
        let page = "<html>502</html>";
        for (status, json, text, row, untold) in [
            (200, Some(json!([{ "id": "a" }])), "", Some(json!({ "id": "a", "tier": 2 })), None),
            (200, Some(json!([])), "", None, Some(FailureKind::Environment)),
            (500, Some(json!({ "error": "query failed" })), "", None, Some(FailureKind::Product)),
            (502, None, page, None, Some(FailureKind::Environment)),
            (200, None, page, None, Some(FailureKind::Environment)),
        ] {
            let body = json.as_ref().map_or(text.to_owned(), Value::to_string).into();
            let list =
                Response { status, headers: Default::default(), body, json, redactor: Redactor::new() };
            let single = serde_json::Map::from_iter([("id".to_owned(), json!("a"))]);
            let stored = stored(single, &list, row);
            assert_eq!(stored.untold.as_ref().map(|why| why.kind), untold, "{}", describe(&list));
            assert_eq!(stored.merged.get("tier").is_some(), stored.untold.is_none());
        }
    }
}
