//! `create:` intent first, then the request; never two workspaces.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::answer;
use crate::clock::{Backoff, Instant};
use crate::domain::{Elsewhere, Status};
use crate::event::EventKind;
use crate::http::Response;
use crate::platform::ask::Outcome;
use crate::platform::row::Row;
use crate::platform::{policy, record};
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::credentials;
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::runner::root_name::is_called;
use crate::runner::scope::StepScope;
use crate::runner::twins;
use crate::runner::workspace::Workspace;
use crate::scenario::model::Create;
use crate::scenario::template::Template;

/// An answer that was lost may come true so much later.
const PATIENCE: Duration = policy::FIND_BY_NAME.within;
/// A request that a gateway gave up may come true so much later.
const BEHIND: Duration = Duration::from_secs(2);

/// Runs the step.
pub(super) async fn run(
    context: &ScenarioContext,
    verb: &Create,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let render = |template: &Option<Template>| template.as_ref().map(|t| t.render(scope)).transpose();
    let runtime = render(&verb.runtime)?.filter(|r| !r.is_empty());
    let parent = match &verb.parent {
        Some(parent) => context.workspace(&parent.name).map(|w| w.id),
        None => context.run.root.lock().ok().and_then(|root| root.clone()),
    };
    let prefix = render(&verb.name)?.unwrap_or_else(|| format!("lc-{}-{}", short(&context.name), verb.alias));
    let name = unique(&prefix, &context.run.tail, &context.name);
    let credentials = credentials::choose(context, verb, runtime.as_deref(), scope)?;
    let mut body = Map::new();
    body.insert("name".into(), json!(name));
    for (field, value) in
        [("runtime", runtime.clone()), ("template", render(&verb.template)?), ("role", render(&verb.role)?)]
    {
        if let Some(value) = value {
            body.insert(field.into(), json!(value));
        }
    }
    if verb.external {
        body.insert("external".into(), json!(true));
    } else {
        body.insert("tier".into(), json!(verb.tier.unwrap_or(2)));
    }
    for (field, value) in [("url", render(&verb.url)?), ("delivery_mode", render(&verb.delivery_mode)?)] {
        if let Some(value) = value {
            body.insert(field.into(), json!(value));
        }
    }
    if let Some(model) = &credentials.model {
        body.insert("model".into(), json!(model));
    }
    if !credentials.secrets.is_empty() {
        let secrets: Map<String, Value> =
            credentials.secrets.iter().map(|(k, v)| (k.clone(), json!(v.expose()))).collect();
        body.insert("secrets".into(), Value::Object(secrets));
    }
    if let Some(parent) = &parent {
        body.insert("parent_id".into(), json!(parent));
    }
    for (field, value) in &verb.body {
        body.insert(field.clone(), value.render(scope)?);
    }
    let body = Value::Object(body);
    let sent_name = body.name().to_owned();
    let managed =
        !verb.external && !crate::models::allowlist::external_like(runtime.as_deref().unwrap_or_default());

    let resource = context.run.ledger.intend("workspace", &sent_name, Some(&context.name), managed);
    let asked = Instant::now();
    let workspace = Workspace {
        alias: verb.alias.clone(),
        name: sent_name.clone(),
        resource: resource.clone(),
        managed,
        runtime: runtime.unwrap_or_default(),
        model: credentials.model.clone().unwrap_or_default(),
        provider: credentials.provider.clone().unwrap_or_default(),
        parent_id: parent,
        secrets: credentials.secrets.clone(),
        edge_name: "create".into(),
        edge_at: Some(asked),
        made_at: Some(asked),
        sent: body.clone(),
        ..Workspace::default()
    };
    let wants_refusal = !verb.answer.status.is_empty() && !verb.answer.status_fits(201);
    match send(context, step, &body, &sent_name).await {
        Ok(Made::Answer(response)) => {
            let id = response.json.as_ref().map(|b| b.id().to_owned()).unwrap_or_default();
            if !id.is_empty() {
                adopt(context, workspace, &id, response.json.as_ref());
                read_back(context, &verb.alias, step).await.map_err(|f| f.about(&verb.alias))?;
            } else if answer::refused(&response) || response.status == 500 {
                refused(context, workspace, &body, &response, step).await;
            }
            if verb.answer.is_default() {
                answer::succeeded("create", &response, &[201], None).map_err(|f| f.about(&verb.alias))?;
                if id.is_empty() {
                    return Err(Failure::product(format!(
                        "create: 201 without an id: {}",
                        answer::describe(&response)
                    )));
                }
            } else {
                answer::judge(&response, &verb.answer, scope).map_err(|f| f.about(&verb.alias))?;
            }
            if wants_refusal {
                return Ok(Passed::with(format!("refused as it should be: {}", answer::describe(&response))));
            }
            // An external one with a URL gets its first token from its register.
            let promised = managed || response.json.as_ref().is_some_and(|b| b.get("connection").is_some());
            if promised && context.workspace(&verb.alias).is_some_and(|w| w.token.is_none()) {
                let why =
                    "it was answered without an auth_token (contract §2.3: the server could not mint one)";
                mint(context, &verb.alias, step, why, FailureKind::Product).await?;
                context.run.log.emit(EventKind::Warning {
                    scenario: Some(context.name.to_string()),
                    text: format!("create of {}: {why}; one was minted", verb.alias),
                });
            }
            let model = credentials.model.map(|m| format!(" with {m}")).unwrap_or_default();
            Ok(Passed::with(format!("{id}{model}")))
        }
        Ok(Made::Found(id, lost)) => {
            adopt(context, workspace, &id, None);
            read_back(context, &verb.alias, step).await.map_err(|f| f.about(&verb.alias))?;
            context.run.log.emit(EventKind::Warning {
                scenario: Some(context.name.to_string()),
                text: format!("the answer to create was lost ({lost}); the workspace was found by its name"),
            });
            if wants_refusal {
                return Err(Failure::product("create: wanted a refusal, but the workspace was made")
                    .about(&verb.alias));
            }
            mint(context, &verb.alias, step, "its answer was lost", FailureKind::Environment).await?;
            Ok(Passed::with(format!("{id}, found by its name after the answer was lost")))
        }
        // What was looked for afterwards explains nothing.
        Err(failure) => Err(Failure { purpose: Some("create".to_owned()), ..failure }),
    }
}

/// A create that was refused may have stored its row before: then the row is ours, and goes with the others. A name that
/// is not of this run alone says nothing about whose the row is.
async fn refused(
    context: &ScenarioContext,
    workspace: Workspace,
    body: &Value,
    answer: &Response,
    step: &StepRun,
) {
    let ledger = &context.run.ledger;
    let release = |why: &str| ledger.release(&workspace.resource, why, None);
    let own = !context.run.tail.is_empty() && workspace.name.contains(&context.run.tail);
    if !own || answer.status == 409 {
        return release("never made");
    }
    let list = context.ask(step, &policy::LOOK, "look for the name", context.run.api.list()).await.answer();
    let Some(rows) = list.as_ref().and_then(rows) else {
        // Who may not see the list may make nothing either; in all other cases the clean-up looks by name.
        if matches!(answer.status, 401 | 403) {
            release("never made");
        }
        return;
    };
    let Some(id) = named(context, rows, body, &workspace.name).filter(|id| !ledger.owns(id)) else {
        return release("never made");
    };
    let text = format!(
        "create of {}: it was refused ({}), and its row was stored all the same: it is removed with the others",
        workspace.alias, answer.status
    );
    adopt(context, workspace, &id, None);
    context.run.log.emit(EventKind::Warning { scenario: Some(context.name.to_string()), text });
}

enum Made {
    Answer(Response),
    Found(String, String),
}

/// Sends the create. An answer that says nothing about the outcome is settled by looking for the
/// unique name; only a server that certainly did nothing is asked again.
async fn send(context: &ScenarioContext, step: &StepRun, body: &Value, name: &str) -> Result<Made, Failure> {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        // The platform's own no.
        let mut denied = None;
        let request = context.run.api.create(body.clone());
        let outcome = context.ask(step, &policy::CREATE, "create", request).await;
        let mut not_before = Instant::now();
        let (why, again) = match outcome {
            Outcome::Limited(answer) | Outcome::Answer(answer) if answer.status == 429 => {
                not_before += context.run.api.come_back(&answer);
                (answer::describe(&answer), Again::IfLimited)
            }
            Outcome::Elsewhere(answer, kind) => {
                let again = match (kind, answer.status) {
                    (Elsewhere::Redirect, _) => return Ok(Made::Answer(answer)),
                    // A gateway that ran out of time may have a platform behind it that is still at it.
                    (_, 504) => Again::Never,
                    (_, 400..) => Again::IfStillAbsent,
                    _ => Again::Never,
                };
                (answer::describe(&answer), again)
            }
            Outcome::Answer(answer) if answer.status >= 500 => {
                let said = answer::describe(&answer);
                // Of what it could not do for a moment it may be asked again; this is its answer.
                denied = Some(answer).filter(|answer| answer.status == 500);
                (said, Again::IfAbsent)
            }
            Outcome::Answer(answer) | Outcome::Limited(answer) => return Ok(Made::Answer(answer)),
            Outcome::Silent(error) if error.never_sent() => (error.text, Again::Always),
            Outcome::Silent(error) => (error.text, Again::Never),
            Outcome::Cancelled => {
                return Err(Failure::of(FailureKind::Cancelled, "create: the run was cancelled"));
            }
        };
        if context.stop.is_cancelled() {
            return Err(Failure::of(FailureKind::Cancelled, format!("create: {why}")));
        }
        if let Some(patience) = again.patience() {
            match find(context, step, body, name, patience).await {
                Sight::Found(id) => return Ok(denied.map_or(Made::Found(id, why), Made::Answer)),
                _ if context.stop.is_cancelled() => {
                    return Err(Failure::of(FailureKind::Cancelled, format!("create: {why}")));
                }
                Sight::Absent => {}
                Sight::Unreadable(list) => {
                    let text =
                        format!("create: {why}; whether `{name}` was made cannot be seen (the list: {list})");
                    return Err(Failure::of(FailureKind::Environment, text));
                }
            }
        }
        match again {
            Again::Never => {
                return Err(Failure::of(
                    FailureKind::Environment,
                    format!(
                        "create: {why}; no workspace is called `{name}`, and asking again could make two"
                    ),
                ));
            }
            _ if not_before.max(Instant::now() + backoff.next()) >= step.deadline => {
                return Err(Failure::of(again.to_blame(), format!("create: {why}")));
            }
            _ => context.pause_until(not_before.max(Instant::now() + backoff.next())).await,
        }
        backoff.grow();
    }
}

enum Again {
    /// The request may be under way still: a second one could make a second workspace.
    Never,
    /// The server answered: what is not in its list was not made.
    IfAbsent,
    /// Whoever limits rates has done nothing, and says nothing of the platform.
    IfLimited,
    /// Something in between answered: what is not in the list for a while was not made.
    IfStillAbsent,
    /// Nothing was sent.
    Always,
}

impl Again {
    /// For how long the name is looked for first; none when it need not be.
    fn patience(&self) -> Option<Duration> {
        match self {
            Self::Never => Some(PATIENCE),
            Self::IfStillAbsent => Some(BEHIND),
            Self::IfAbsent | Self::IfLimited => Some(Duration::ZERO),
            Self::Always => None,
        }
    }

    /// Whose failure it is when there is no time left.
    fn to_blame(&self) -> FailureKind {
        match self {
            Self::IfAbsent => FailureKind::Product,
            _ => FailureKind::Environment,
        }
    }
}

/// What the list says of a name.
enum Sight {
    /// It is this workspace's.
    Found(String),
    /// A list that could be read does not have it.
    Absent,
    /// No list could be read, for this reason.
    Unreadable(String),
}

/// Looks for a workspace by its unique name. An answer that was lost may come true a little later,
/// so it is looked for with `patience`; without a list that can be read the step's deadline is the end.
async fn find(
    context: &ScenarioContext,
    step: &StepRun,
    body: &Value,
    name: &str,
    patience: Duration,
) -> Sight {
    let until = (Instant::now() + patience).min(step.deadline);
    loop {
        let list = context.run.api.list();
        let outcome = context.ask(step, &policy::FIND_BY_NAME, "look for the name", list).await;
        let mut unreadable = Some(outcome.said());
        if let Some(rows) = outcome.answer().as_ref().and_then(rows) {
            if let Some(id) = named(context, rows, body, name) {
                return Sight::Found(id);
            }
            if Instant::now() >= until {
                return Sight::Absent;
            }
            unreadable = None;
        }
        if context.stop.is_cancelled() || Instant::now() >= step.deadline {
            return unreadable.map_or(Sight::Absent, Sight::Unreadable);
        }
        context.pause(Duration::from_millis(100)).await;
    }
}

fn rows(answer: &Response) -> Option<&[Value]> {
    record::list(answer.json.as_ref()).filter(|_| answer.status == 200)
}

/// A name that the scenario gives twice is not unique: what we have already is not the new one, which the platform
/// calls `name (2)` under the same parent.
fn named(context: &ScenarioContext, rows: &[Value], body: &Value, name: &str) -> Option<String> {
    let known: Vec<String> = context.state().workspaces.values().map(|w| w.id.clone()).collect();
    let id = |row: &Value| row.id().to_owned();
    let fresh = |row: &&Value| !known.contains(&id(row));
    let exact = |row: &&Value| row.name() == name;
    if let Some(hit) = rows.iter().filter(fresh).find(exact) {
        return Some(id(hit));
    }
    let ours = rows.iter().any(|row| exact(&row) && known.contains(&id(row)));
    let beside = |row: &&Value| is_called(row, name) && row.parent() == body.parent();
    rows.iter().filter(fresh).find(beside).filter(|_| ours).map(id)
}

/// Reads what was made. The row must be ours: whatever mixes answers up may name a workspace of somebody else, which nothing
/// may be done to. A create that names no runtime gets the template's or the server's own: the row says which, and every
/// rule needs it.
async fn read_back(context: &ScenarioContext, alias: &str, step: &StepRun) -> Result<(), Failure> {
    let Some(workspace) = context.workspace(alias) else { return Ok(()) };
    let request = context.run.api.read(&workspace.id);
    let needs_runtime = workspace.managed && workspace.runtime.is_empty();
    let row = match needs_runtime {
        true => context.fetch(step, "read the runtime", request).await.ok(),
        false => context.ask(step, &policy::LOOK, "read what was made", request).await.answer(),
    };
    let row = row.filter(|row| row.status == 200).and_then(|row| row.json);
    if let Some(row) = row.as_ref().filter(|row| twins::is_strangers(&context.run, &workspace.name, row)) {
        context.run.ledger.disown(&workspace.resource);
        context.run.poller.forget(&workspace.id);
        context.state().workspaces.shift_remove(alias);
        return Err(Failure::product(format!(
            "create: the answer names {}, which is another workspace, called {}",
            workspace.id,
            context.excerpt(row.name(), 80)
        )));
    }
    let unlike = row.as_ref().and_then(|row| row.unlike(&workspace.sent));
    if let Some(unlike) = unlike.filter(|_| workspace.managed) {
        let text = format!("create: the stored row is not what was asked for: {unlike}");
        return Err(Failure::product(text).about(alias));
    }
    if needs_runtime {
        let said = row.map(|row| row.runtime().to_owned()).filter(|said| !said.is_empty());
        context.update(alias, |w| w.runtime = said.unwrap_or_else(|| credentials::RUNTIME.to_owned()));
    }
    Ok(())
}

fn adopt(context: &ScenarioContext, mut workspace: Workspace, id: &str, body: Option<&Value>) {
    id.clone_into(&mut workspace.id);
    workspace.token = body.and_then(record::auth_token).map(|t| context.secret("auth_token", t));
    if !workspace.managed && workspace.runtime.is_empty() {
        workspace.runtime = "external".into();
    }
    context.run.ledger.own(&workspace.resource, id, &workspace.name);
    context.run.poller.track(id);
    let alias = workspace.alias.clone();
    let status = body.and_then(Row::status);
    context.state().workspaces.insert(alias.clone(), workspace);
    if let Some(status) = status
        && status != Status::Removed
    {
        context.observe(&alias, &json!({ "status": status, "url": "" }), "create");
    }
}

/// Mints an API token where the create gave none. Without one every later 401 would look like the platform's.
async fn mint(
    context: &ScenarioContext,
    alias: &str,
    step: &StepRun,
    why: &str,
    kind: FailureKind,
) -> Result<(), Failure> {
    let Some(workspace) = context.workspace(alias) else { return Ok(()) };
    let answer =
        context.mutate(step, "mint a token", context.run.api.mint(&workspace.id)).await.map_err(|e| {
            Failure::transport(&format!("create: {why}, and no answer came to a new token"), &e).about(alias)
        })?;
    let Some(token) = answer.json.as_ref().and_then(record::auth_token) else {
        let said = answer::describe(&answer);
        let message = format!("create: {why}, and no token could be minted instead: {said}");
        return Err(Failure::of(kind, message).about(alias));
    };
    let token = context.secret("auth_token", token);
    context.update(alias, |w| w.token = Some(token));
    Ok(())
}

/// A short form of an instance name that is safe in a workspace's name (contract §2.1).
pub(super) fn short(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    clean.trim_matches('-').chars().take(60).collect()
}

/// `<prefix>-<scenario hash>-<run's tail>`: unique over scenarios and runs, the tail is never cut.
fn unique(prefix: &str, tail: &str, scenario: &str) -> String {
    let hash = scenario.bytes().fold(0u32, |h, b| h.wrapping_mul(16_777_619) ^ u32::from(b)) & 0xffff;
    let prefix: String = prefix.chars().take(200).collect();
    format!("{prefix}-{hash:04x}-{tail}")
}
