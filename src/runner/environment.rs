//! The environment of an instance: read, described without values, compared with the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::context::{ScenarioContext, StepRun, TargetFacts};
use super::workspace::Workspace;
use super::{container, tenant_read};
use crate::clock::{self, Instant};
use crate::docker::{Engine, EngineError, ErrorKind};
use crate::event::{EnvObservation, EnvVar, EventKind};
use crate::http::Response;
use crate::models::expected::{BOOKS, Expect, Expecting, Projection, WHOSE, expected};
use crate::models::keys::GUARDED;
use crate::platform::ask::{Asker, Outcome};
use crate::platform::filing::Unrecorded;
use crate::platform::{policy, record};
use crate::scenario::model::Capability;

/// Between two looks at an engine that failed.
const PAUSE: Duration = Duration::from_millis(50);

/// Why an environment cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// Neither the server nor an engine shows any.
    #[error("this target does not show environments")]
    NotShown,
    /// The run was cancelled.
    #[error("the run was cancelled")]
    Cancelled,
    /// The server did not show it.
    #[error("the environment was not shown: {0}")]
    Platform(String),
    /// The engine has none, and the server does not say whether there should be one.
    #[error("there is no container, and the server cannot be asked: {0}")]
    NobodyKnows(String),
    /// An answer of the right kind with nothing in it.
    #[error("the answer has no environment")]
    NoEnvironment,
    /// The engine did not show it.
    #[error("{0}")]
    Engine(#[from] EngineError),
}

/// The environment of one instance, as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// Which instance.
    pub instance: String,
    /// Its variables; secrets are in it, so it is never kept in an event.
    pub vars: BTreeMap<String, String>,
}

/// Reads the environment of the current instance; `Ok(None)` when there is none.
///
/// # Errors
/// Why it cannot be read.
pub(crate) async fn read(
    context: &ScenarioContext,
    id: &str,
    step: &StepRun,
) -> Result<Option<Environment>, Unread> {
    if let Some(engine) = &context.run.target.engine {
        return of_container(context, engine, id, step).await;
    }
    if !context.run.target.capabilities.contains(&Capability::Inspect) {
        return Err(Unread::NotShown);
    }
    // Not filed as an exchange: its body is nothing but secrets and addresses.
    let asker = Asker {
        stop: Some(&context.stop),
        ..Asker::new(&context.run.api, Arc::new(Unrecorded), step.deadline)
    };
    let request = context.run.api.environment(id);
    let body = match asker.ask("environment", request, &policy::ENVIRONMENT).await {
        Outcome::Answer(answer) if record::is_absent(&answer) => return Ok(None),
        Outcome::Answer(Response { status: 200, json: Some(body), .. }) => body,
        Outcome::Cancelled => return Err(Unread::Cancelled),
        other => return Err(Unread::Platform(other.said())),
    };
    let vars = body.get("env").and_then(Value::as_object).ok_or(Unread::NoEnvironment)?;
    let vars: BTreeMap<String, String> =
        vars.iter().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect();
    learn(context, step, &vars).await;
    Ok(Some(Environment { instance: record::text(&body, "instance").to_owned(), vars }))
}

/// Of the exact container, created or started; `Ok(None)` when there is none.
async fn of_container(
    context: &ScenarioContext,
    engine: &Engine,
    id: &str,
    step: &StepRun,
) -> Result<Option<Environment>, Unread> {
    let policy = &policy::ENVIRONMENT;
    let give_up = policy.end(step.deadline, Instant::now());
    let found = loop {
        let bound = policy.bound(1, Instant::now(), give_up);
        let found = tokio::select! {
            biased;
            found = container::of_workspace(context, engine, id, bound) => found,
            () = clock::sleep_until(bound) => Err(EngineError::new(
                ErrorKind::Other,
                "the engine did not answer in time".to_owned(),
            )),
            () = context.stop.cancelled() => return Err(Unread::Cancelled),
        };
        match found {
            Ok(found) => break found,
            // Looking again changes nothing.
            Err(error) if matches!(error.kind, ErrorKind::Foreign | ErrorKind::Elsewhere) => {
                return Err(error.into());
            }
            Err(error) if Instant::now() + PAUSE >= give_up => return Err(error.into()),
            Err(_) => context.pause(PAUSE).await,
        }
    };
    let Some(container) = found else {
        // A server that nobody can ask may be about to make one.
        let row = context.ask(step, &policy::LOOK, "read the row", context.run.api.read(id)).await;
        return match row {
            Outcome::Answer(_) | Outcome::Limited(_) => Ok(None),
            Outcome::Cancelled => Err(Unread::Cancelled),
            other => Err(Unread::NobodyKnows(other.said())),
        };
    };
    learn(context, step, &container.env).await;
    Ok(Some(Environment { instance: container.instance(), vars: container.env }))
}

/// What is secret in an environment, before anything of it is kept: also what the tenant put there.
async fn learn(context: &ScenarioContext, step: &StepRun, vars: &BTreeMap<String, String>) {
    tenant_read::learn(context, step).await;
    let tenants = context.run.tenant.names().unwrap_or_default();
    for (name, value) in vars {
        let own = tenants.contains(name) && !is_plain(name, false);
        if own || crate::redact::is_credential_field(name) {
            context.run.log.redactor().register(name, value);
        }
    }
}

/// Whether the target's instances can be looked at and stopped behind its back.
pub(crate) fn in_reach(target: &TargetFacts) -> bool {
    target.engine.is_some() || target.capabilities.contains(&Capability::Inspect)
}

/// The id of the current instance, if it can be had.
pub(crate) async fn instance(
    context: &ScenarioContext,
    workspace: &Workspace,
    step: &StepRun,
) -> Option<String> {
    read(context, &workspace.id, step).await.ok().flatten().map(|e| e.instance)
}

/// What the rules expect of a workspace's environment.
pub(crate) fn projection(context: &ScenarioContext, workspace: &Workspace) -> Projection {
    let names: BTreeSet<String> = workspace.secrets.keys().cloned().collect();
    let tenants = context.run.tenant.names();
    let mut projection = expected(
        &context.run.catalogue,
        &Expecting {
            behaviours: context.run.target.contract.behaviours(),
            workspace_id: Some(&workspace.id),
            runtime: &workspace.runtime,
            model: &workspace.model,
            global_names: tenants.as_deref().unwrap_or(&BTreeSet::new()),
            workspace_names: &names,
            billing_override: workspace.billing,
            server: None,
        },
    );
    if tenants.is_none() {
        // A vendor key that the workspace did not bring may be the tenant's, or stand in front of its own.
        projection.rows.retain_mut(|row| {
            let others = GUARDED.contains(&row.name.as_str()) && !names.contains(&row.name);
            if others && matches!(row.expect, Expect::SecretValue(_)) {
                row.expect = Expect::Present;
            }
            !(others && row.expect == Expect::Absent)
        });
    }
    projection
}

/// Describes an environment without a value, row by row against the rules, and files it.
pub(crate) fn describe(context: &ScenarioContext, workspace: &Workspace, found: &Environment) -> Vec<EnvVar> {
    let projection = projection(context, workspace);
    let mut names: BTreeSet<&str> = found.vars.keys().map(String::as_str).collect();
    names.extend(projection.rows.iter().filter(|r| r.expect != Expect::Absent).map(|r| r.name.as_str()));
    let vars: Vec<EnvVar> = names
        .into_iter()
        .map(|name| {
            let value = found.vars.get(name);
            let rule = projection.rows.iter().find(|row| row.name == name);
            EnvVar {
                name: name.to_owned(),
                set: value.is_some(),
                value: value.map(|v| words(context, workspace, name, rule.is_some(), v)).unwrap_or_default(),
                secret: value.and_then(|v| secret(context, workspace, v)).map(str::to_owned),
                hmac: value.map(|v| tag(context, v)),
                wants_secret: rule.and_then(|row| match &row.expect {
                    Expect::SecretValue(secret) => Some(secret.clone()),
                    _ => None,
                }),
                expected: rule.map(|row| match &row.expect {
                    Expect::Absent => "unset".to_owned(),
                    Expect::Literal(text) => text.clone(),
                    Expect::SecretValue(secret) if workspace.secrets.contains_key(secret) => {
                        format!("equals secret {secret}")
                    }
                    Expect::SecretValue(secret) => format!("set, to the tenant's secret {secret}"),
                    Expect::Present => "set".to_owned(),
                }),
                rule: rule.map(|row| row.rule.to_owned()),
                ok: rule.map(|row| match (&row.expect, value) {
                    (Expect::Absent, value) => value.is_none(),
                    (Expect::Present, value) => value.is_some_and(|v| !v.is_empty()),
                    (Expect::Literal(text), value) => value == Some(text),
                    (Expect::SecretValue(secret), value) => match workspace.secrets.get(secret) {
                        Some(own) => value.map(String::as_str) == Some(own.expose()),
                        // Nobody shows a tenant's values.
                        None => value.is_some_and(|v| !v.is_empty()),
                    },
                }),
            }
        })
        .collect();
    context.run.log.emit(EventKind::EnvObserved(EnvObservation {
        scenario: context.name.to_string(),
        workspace: workspace.alias.clone(),
        id: workspace.id.clone(),
        instance: found.instance.clone(),
        edge: workspace.edge_name.clone(),
        vars: vars.clone(),
    }));
    vars
}

/// Reads, describes and remembers the environment of the current instance; `Ok(None)` when there is none.
///
/// # Errors
/// Why it cannot be read.
pub(crate) async fn remember(
    context: &ScenarioContext,
    alias: &str,
    step: &StepRun,
) -> Result<Option<Environment>, Unread> {
    let Some(workspace) = context.workspace(alias) else { return Ok(None) };
    let Some(found) = read(context, &workspace.id, step).await? else { return Ok(None) };
    let vars = describe(context, &workspace, &found);
    let by_name = vars.into_iter().map(|v| (v.name.clone(), v)).collect();
    let instance = found.instance.clone();
    context.update(alias, |w| w.env = Some((instance, by_name)));
    Ok(Some(found))
}

/// Whether a variable of this name is shown as it is: the platform's own, or one that a rule writes. Of all others
/// nobody knows what a tenant keeps in them.
fn is_plain(name: &str, ruled: bool) -> bool {
    const OWN: [&str; 12] = [
        "HOSTNAME",
        "MODEL",
        "MOLECULE_URL",
        "MOLECULE_WORKSPACE_URL",
        "PARENT_ID",
        "PATH",
        "PLATFORM_URL",
        "PLUGINS_DIR",
        "RUNTIME",
        "TIER",
        "WORKSPACE_CONFIG_PATH",
        "WORKSPACE_ID",
    ];
    let ends = ["_URL", "_MODEL", "_MODE", "_MODE_RESOLVED"];
    OWN.contains(&name) || (ruled && ends.iter().any(|end| name.ends_with(end)))
}

/// The secret that a value is.
fn secret<'a>(context: &ScenarioContext, workspace: &'a Workspace, value: &str) -> Option<&'a str> {
    let own = workspace.secrets.iter().find(|(_, s)| !value.is_empty() && s.expose() == value);
    let admin = || context.run.api.admin.as_ref().filter(|admin| admin.expose() == value);
    own.map(|(name, _)| name.as_str()).or_else(|| admin().map(|_| "ADMIN_TOKEN"))
}

/// A value in words: which secret it is, the literal where it can be no secret, or how long it is.
fn words(context: &ScenarioContext, workspace: &Workspace, name: &str, ruled: bool, value: &str) -> String {
    if value.is_empty() {
        return "empty".into();
    }
    if let Some(secret) = secret(context, workspace, value) {
        return format!("equals secret {secret}");
    }
    if is_plain(name, ruled) && !crate::redact::is_credential_field(name) {
        return context.run.log.redactor().text(value).into_owned();
    }
    format!("set ({} bytes)", value.len())
}

/// Equal values have equal tags within a run; the key is never written.
fn tag(context: &ScenarioContext, value: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&context.run.hmac_key) else { return String::new() };
    mac.update(value.as_bytes());
    mac.finalize().into_bytes().iter().take(6).map(|b| format!("{b:02x}")).collect()
}

/// Changes of variables that neither the rules nor a written secret explain.
pub(crate) fn unexplained(
    before: &BTreeMap<String, EnvVar>,
    after: &BTreeMap<String, EnvVar>,
) -> Vec<String> {
    let lines = difference(before, after);
    let rule = |var: Option<&EnvVar>| var.and_then(|v| v.expected.clone());
    // A step that changed the model or who pays changed what the rules want.
    let as_before =
        after.iter().all(|(name, new)| before.get(name).is_none_or(|old| rule(Some(old)) == rule(Some(new))));
    lines
        .into_iter()
        .filter(|line| {
            let name = line.split(':').next().unwrap_or_default();
            let (old, new) = (before.get(name), after.get(name));
            let in_both = [old, new].iter().all(|var| var.is_some_and(|var| var.set));
            if BOOKS.contains(&name) || WHOSE.contains(&name) {
                return in_both && (as_before || WHOSE.contains(&name));
            }
            let ruled = rule(old).is_some() || rule(new).is_some();
            let same_rule = rule(old) == rule(new);
            let written = new.is_some_and(|v| v.ok == Some(true) && v.secret.is_some());
            // The rule changed while the old instance ran, and the new one follows it.
            let caught_up = old.and_then(|v| v.ok) == Some(false) && new.and_then(|v| v.ok) == Some(true);
            ruled && same_rule && !written && !caught_up
        })
        .collect()
}

/// Lines that say how two environments differ: `ANTHROPIC_AUTH_TOKEN: equals secret X → unset`.
pub(crate) fn difference(before: &BTreeMap<String, EnvVar>, after: &BTreeMap<String, EnvVar>) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let show = |var: Option<&EnvVar>| match var {
                Some(var) if var.set => var.value.clone(),
                _ => "unset".to_owned(),
            };
            let (old, new) = (before.get(name), after.get(name));
            let same = old.and_then(|v| v.hmac.as_ref()) == new.and_then(|v| v.hmac.as_ref());
            (!same).then(|| format!("{name}: {} → {}", show(old), show(new)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_change_over_an_edge() {
        let env = |vars: &[(&str, &str, Option<&str>)]| -> BTreeMap<String, EnvVar> {
            let var = |(name, value, expected): &(&str, &str, Option<&str>)| {
                let var = EnvVar {
                    name: (*name).to_owned(),
                    set: true,
                    value: (*value).to_owned(),
                    hmac: Some((*value).to_owned()),
                    expected: expected.map(str::to_owned),
                    ..EnvVar::default()
                };
                ((*name).to_owned(), var)
            };
            vars.iter().map(var).collect()
        };
        let mode = "MOLECULE_LLM_BILLING_MODE";
        for (what, before, after, lines) in [
            (
                "another workspace's",
                env(&[("WORKSPACE_ID", "a", None)]),
                env(&[("WORKSPACE_ID", "b", None)]),
                1,
            ),
            ("an address of its own", env(&[("HOSTNAME", "a", None)]), env(&[("HOSTNAME", "b", None)]), 0),
            ("who pays", env(&[(mode, "byok", None)]), env(&[(mode, "platform_managed", None)]), 1),
            (
                "who pays, after another model was set",
                env(&[(mode, "byok", None), ("MODEL", "a", Some("a"))]),
                env(&[(mode, "platform_managed", None), ("MODEL", "b", Some("b"))]),
                0,
            ),
            ("a name that is new", env(&[]), env(&[("WORKSPACE_ID", "b", None)]), 0),
        ] {
            assert_eq!(unexplained(&before, &after).len(), lines, "{what}");
        }
    }
}
