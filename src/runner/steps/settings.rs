//! Secrets, billing, model and tokens of a workspace: every write is asserted.

use serde_json::{Value, json};

use super::answer;
use super::await_status::known;
use super::before_edge::{baseline, remember_activity};
use super::identity::auth_of;
use crate::clock::Instant;
use crate::domain::Status;
use crate::models::billing::BillingMode;
use crate::platform::{Auth, record, segment};
use crate::run::instance::Baseline;
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::runner::scope::StepScope;
use crate::runner::workspace::Workspace;
use crate::runner::{tenant, tenant_read};
use crate::scenario::model::{Billing, ModelChange, Secret, TokenAction, TokenVerb};

/// A write that makes the platform restart the workspace by itself: an edge, if it is managed and live.
///
/// The first edge after quick writes counts (contract §8.1): a later write within the debounce window
/// starts no second cycle, so the baseline of the first stays the one to compare with.
async fn begin_edge(
    context: &ScenarioContext,
    alias: &str,
    name: &str,
    step: &StepRun,
) -> Result<Option<Baseline>, Failure> {
    let workspace = known(context, alias)?;
    let live = workspace
        .seen
        .as_ref()
        .is_some_and(|(status, _)| matches!(status, Status::Online | Status::Degraded));
    if !workspace.managed || !live || workspace.edge_name == name && workspace.edge_at.is_some() {
        return Ok(None);
    }
    let baseline = baseline(context, &workspace, step).await;
    remember_activity(context, alias, step).await;
    Ok(Some(Baseline { edge_at: Some(Instant::now()), ..baseline }))
}

/// `secret:` writes one by one, then deletes.
pub(super) async fn secret(
    context: &ScenarioContext,
    verb: &Secret,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let Some(target) = &verb.workspace else { return global_secret(context, verb, step, scope).await };
    let alias = &target.name;
    let workspace = known(context, alias)?;
    let auth = auth_of(context, verb.identity.as_ref(), Auth::Admin, scope)?;
    let path = format!("/workspaces/{}/secrets", segment(&workspace.id));
    // A workspace's own bearer never restarts it (contract §8.1).
    let restarts = matches!(auth, Auth::Admin);
    let edge = if restarts && verb.answer.is_default() {
        begin_edge(context, alias, "secret write", step).await?
    } else {
        None
    };
    for (key, value) in &verb.set {
        let value = value.render(scope)?;
        if !value.is_empty() {
            context.run.log.redactor().register(key, &value);
        }
        let request = context.run.api.json("POST", &path, &auth, json!({ "key": key, "value": value }));
        let answer = context.mutate(step, &format!("write secret {key}"), request).await;
        let answer = answer.map_err(|e| Failure::transport("secret", &e).about(alias))?;
        if verb.answer.is_default() {
            answer::succeeded(&format!("secret {key}"), &answer, &[200, 201, 204], None)
                .map_err(|f| f.about(alias))?;
            context.update(alias, |w| w.secrets.insert(key.clone(), crate::domain::Secret::new(value)));
        } else {
            answer::judge(&answer, &verb.answer, scope).map_err(|f| f.about(alias))?;
        }
    }
    for key in &verb.delete {
        let request = context.run.api.request("DELETE", &format!("{path}/{}", segment(key)), &auth);
        let answer = context.mutate(step, &format!("delete secret {key}"), request).await;
        let answer = answer.map_err(|e| Failure::transport("secret", &e).about(alias))?;
        if verb.answer.is_default() {
            answer::succeeded(&format!("delete secret {key}"), &answer, &[200, 204], None)
                .map_err(|f| f.about(alias))?;
            context.update(alias, |w| w.secrets.remove(key));
        } else {
            answer::judge(&answer, &verb.answer, scope).map_err(|f| f.about(alias))?;
        }
    }
    if verb.answer.is_default() {
        stored_keys(context, &workspace, verb, &path, step).await.map_err(|f| f.about(alias))?;
    }
    if let Some(baseline) = edge {
        context.update(alias, |w| w.begin_edge("secret write", baseline));
    }
    Ok(Passed::with(format!("{} written, {} deleted", verb.set.len(), verb.delete.len())))
}

/// A 200 to a write proves nothing until the key is listed (LP:420 never looked).
async fn stored_keys(
    context: &ScenarioContext,
    workspace: &Workspace,
    verb: &Secret,
    path: &str,
    step: &StepRun,
) -> Result<(), Failure> {
    let auth = context.own_auth(&workspace.alias);
    let answer = context.fetch(step, "list secrets", context.run.api.request("GET", path, &auth)).await;
    let answer = answer.map_err(|e| Failure::transport("list secrets", &e))?;
    answer::succeeded("list secrets", &answer, &[200], None)?;
    let Some(rows) = record::list(answer.json.as_ref()) else {
        let text = format!("list secrets: wanted a list, got {}", answer::describe(&answer));
        return Err(answer::unwanted(&answer, text));
    };
    let has = |key: &str| {
        rows.iter().any(|row| {
            record::text(row, "key") == key && row.get("has_value").and_then(Value::as_bool) != Some(false)
        })
    };
    if let Some(key) = verb.set.keys().find(|key| !has(key)) {
        return Err(Failure::product(format!(
            "the write of {key} was answered with success, but it is not stored"
        )));
    }
    match verb.delete.iter().find(|key| has(key)) {
        Some(key) => Err(Failure::product(format!("{key} was deleted with success, but it is still stored"))),
        None => Ok(()),
    }
}

/// Nobody can read a value back: what the tenant has already is neither written nor deleted.
async fn keep_off(context: &ScenarioContext, key: &str, step: &StepRun) -> Result<(), Failure> {
    let own = context.run.ledger.all_open();
    if own.iter().any(|entry| entry.kind == "global-secret" && entry.name == key) {
        return Ok(());
    }
    tenant_read::learn(context, step).await;
    match context.run.tenant.names() {
        Some(names) if !names.contains(key) => Ok(()),
        Some(_) => Err(Failure::of(
            FailureKind::Config,
            format!(
                "the server has a global secret {key} of its own, whose value a run cannot put back: choose another name"
            ),
        )),
        None => Err(Failure::of(
            FailureKind::Environment,
            format!("whether the server has a global secret {key} of its own cannot be seen"),
        )),
    }
}

async fn global_secret(
    context: &ScenarioContext,
    verb: &Secret,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    if !context.run.exclusive {
        return Err(Failure::of(
            FailureKind::Config,
            "a global secret touches every workspace of the server: say `--exclusive` when it is yours alone",
        ));
    }
    for (key, value) in &verb.set {
        let value = value.render(scope)?;
        context.run.log.redactor().register(key, &value);
        keep_off(context, key, step).await?;
        let resource = context.run.ledger.intend("global-secret", key, Some(&context.name), false);
        let request =
            context.run.api.json("PUT", tenant::ROUTE, &Auth::Admin, json!({ "key": key, "value": value }));
        let answer = context.mutate(step, &format!("write global secret {key}"), request).await;
        context.run.tenant.changed();
        let answer = answer.map_err(|e| Failure::transport("global secret", &e))?;
        if answer.is_success() {
            context.run.ledger.own(&resource, key, key);
        } else if answer::refused(&answer) {
            context.run.ledger.release(&resource, "never made", None);
        }
        if verb.answer.is_default() {
            answer::succeeded(&format!("global secret {key}"), &answer, &[200], None)?;
        } else {
            answer::judge(&answer, &verb.answer, scope)?;
        }
    }
    for key in &verb.delete {
        keep_off(context, key, step).await?;
        let request =
            context.run.api.request("DELETE", &format!("{}/{}", tenant::ROUTE, segment(key)), &Auth::Admin);
        let answer = context.mutate(step, &format!("delete global secret {key}"), request).await;
        context.run.tenant.changed();
        let answer = answer.map_err(|e| Failure::transport("global secret", &e))?;
        answer::succeeded(&format!("delete global secret {key}"), &answer, &[200], None)?;
        for entry in context.run.ledger.open(Some(&context.name)) {
            if entry.kind == "global-secret" && entry.name == *key {
                context.run.ledger.release(&entry.resource, "scenario", None);
            }
        }
    }
    Ok(Passed::with(format!("{} written, {} deleted", verb.set.len(), verb.delete.len())))
}

/// `billing:` sets or clears the override; the resolved mode must follow.
pub(super) async fn billing(
    context: &ScenarioContext,
    verb: &Billing,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    let mode = verb.mode.as_ref().map(|m| m.render(scope)).transpose()?;
    let path = format!("/admin/workspaces/{}/llm-billing-mode", segment(&workspace.id));
    let request = context.run.api.json("PUT", &path, &Auth::Admin, json!({ "mode": mode }));
    let answer = context
        .mutate(step, "billing mode", request)
        .await
        .map_err(|e| Failure::transport("billing", &e).about(alias))?;
    if !verb.answer.is_default() {
        answer::judge(&answer, &verb.answer, scope).map_err(|f| f.about(alias))?;
    } else {
        answer::succeeded("billing", &answer, &[200], None).map_err(|f| f.about(alias))?;
        for (what, answer) in [
            ("the answer", answer.clone()),
            ("the stored mode", stored(context, &path, step).await.map_err(|f| f.about(alias))?),
        ] {
            let body = answer.json.clone().unwrap_or_default();
            let stored = body.get("workspace_override").and_then(Value::as_str);
            let resolved = record::text(&body, "resolved_mode");
            let right = stored == mode.as_deref() && mode.as_deref().is_none_or(|mode| mode == resolved);
            if !right {
                return Err(Failure::product(format!(
                    "billing: asked for {}, {what} is {}",
                    mode.as_deref().unwrap_or("no override"),
                    answer::describe(&answer)
                ))
                .about(alias));
            }
        }
    }
    if answer.is_success() {
        let parsed = mode.as_deref().and_then(parse_mode);
        context.update(alias, |w| w.billing = parsed);
    }
    Ok(Passed::with(answer::describe(&answer)))
}

async fn stored(
    context: &ScenarioContext,
    path: &str,
    step: &StepRun,
) -> Result<crate::http::Response, Failure> {
    let request = context.run.api.request("GET", path, &Auth::Admin);
    let answer = context
        .fetch(step, "read it back", request)
        .await
        .map_err(|e| Failure::transport("read it back", &e))?;
    answer::succeeded("read it back", &answer, &[200], None)?;
    Ok(answer)
}

fn parse_mode(text: &str) -> Option<BillingMode> {
    [BillingMode::PlatformManaged, BillingMode::Byok, BillingMode::Disabled]
        .into_iter()
        .find(|m| m.as_str() == text)
}

/// `model:` changes the model; the stored value must follow.
pub(super) async fn model(
    context: &ScenarioContext,
    verb: &ModelChange,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    let slug = verb.set.render(scope)?;
    let path = format!("/workspaces/{}/model", segment(&workspace.id));
    let edge =
        if verb.answer.is_default() { begin_edge(context, alias, "model change", step).await? } else { None };
    let request = context.run.api.json("PUT", &path, &context.own_auth(alias), json!({ "model": slug }));
    let answer = context
        .mutate(step, "model", request)
        .await
        .map_err(|e| Failure::transport("model", &e).about(alias))?;
    if !verb.answer.is_default() {
        answer::judge(&answer, &verb.answer, scope).map_err(|f| f.about(alias))?;
        return Ok(Passed::with(answer::describe(&answer)));
    }
    answer::succeeded("model", &answer, &[200], Some(("status", &["saved", "cleared"])))
        .map_err(|f| f.about(alias))?;
    let request = context.run.api.request("GET", &path, &context.own_auth(alias));
    let read = context
        .fetch(step, "read it back", request)
        .await
        .map_err(|e| Failure::transport("model", &e).about(alias))?;
    let now = read.json.as_ref().map(|b| record::text(b, "model").to_owned()).unwrap_or_default();
    if now != slug {
        return Err(Failure::product(format!(
            "the model was answered with success, but `{now}` is stored instead of `{slug}`"
        ))
        .about(alias));
    }
    if let Some(baseline) = edge {
        context.update(alias, |w| w.begin_edge("model change", baseline));
    }
    let names = workspace.secrets.keys().cloned().collect();
    let provider = crate::models::derive::derive(&context.run.catalogue, &workspace.runtime, &slug, &names);
    let provider = provider.map(|p| p.name.clone()).unwrap_or_default();
    context.update(alias, |w| (w.model, w.provider) = (slug, provider));
    Ok(Passed::with(format!("{now} is stored")))
}

/// `token:` mints, revokes, rotates.
pub(super) async fn token(
    context: &ScenarioContext,
    verb: &TokenVerb,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let alias = &verb.workspace.name;
    let workspace = known(context, alias)?;
    let id = segment(&workspace.id);
    let (purpose, request, success): (_, _, &[u16]) = match &verb.action {
        TokenAction::Mint { .. } => ("mint a token", context.run.api.mint(&workspace.id), &[201]),
        TokenAction::RevokeAll => (
            "revoke all tokens",
            context.run.api.request(
                "POST",
                &format!("/admin/workspaces/{id}/revoke-auth-tokens"),
                &Auth::Admin,
            ),
            &[200],
        ),
        TokenAction::Rotate => (
            "rotate the external credentials",
            context.run.api.request(
                "POST",
                &format!("/workspaces/{id}/external/rotate"),
                &context.own_auth(alias),
            ),
            &[200],
        ),
    };
    let answer = context
        .mutate(step, purpose, request)
        .await
        .map_err(|e| Failure::transport(purpose, &e).about(alias))?;
    if verb.answer.is_default() {
        answer::succeeded(purpose, &answer, success, None).map_err(|f| f.about(alias))?;
    } else {
        answer::judge(&answer, &verb.answer, scope).map_err(|f| f.about(alias))?;
    }
    if !answer.is_success() {
        return Ok(Passed::with(answer::describe(&answer)));
    }
    let token = answer.json.as_ref().and_then(record::auth_token).map(|t| context.secret("auth_token", t));
    match (&verb.action, token) {
        (TokenAction::Mint { alias: name }, Some(token)) => {
            context.state().captures.insert(name.clone(), json!(token.expose()));
        }
        (TokenAction::Rotate, Some(token)) => {
            context.update(alias, |w| w.token = Some(token));
        }
        (TokenAction::RevokeAll, _) => {
            context.update(alias, |w| w.token = None);
        }
        (_, None) => {
            return Err(
                Failure::product(format!("{purpose}: {} without a token", answer.status)).about(alias)
            );
        }
    }
    Ok(Passed::with(answer.status.to_string()))
}
