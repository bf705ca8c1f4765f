//! What the mechanisms are tried against: the failure, its evidence, and what was seen on the way.

use std::collections::BTreeSet;

use serde_json::Value;

use super::context::ScenarioContext;
use super::outcome::Decisive;
use super::workspace::Workspace;
use crate::behaviour::Behaviour;
use crate::clock::Instant;
use crate::domain::{Status, time};
use crate::event::{Evidence, Exchange, Red, Subject, Symptoms, Wait};
use crate::models::derive::derive;
use crate::models::inputs::{LLM_PATH, LlmPath};
use crate::platform::record;
use crate::runner::scope::{Locals, StepScope};
use crate::scenario::model::{Expect, Step, Verb};
use crate::scenario::verbs::walk_where;

/// What a verb wants of the platform.
pub(super) fn wanted(verb: &Verb) -> Red {
    let runs = |status: &[Status]| status.iter().any(|s| matches!(s, Status::Online | Status::Degraded));
    match verb {
        Verb::Create(_) => Red::Create,
        Verb::Register(_)
        | Verb::Heartbeat(_)
        | Verb::Restart(_)
        | Verb::Pause(_)
        | Verb::Resume(_)
        | Verb::Hibernate(_)
        | Verb::Inbox(_)
        | Verb::Secret(_)
        | Verb::Billing(_)
        | Verb::Model(_)
        | Verb::Token(_)
        | Verb::Http(_) => Red::Answer,
        Verb::Wake(_) => Red::Online,
        Verb::Await(verb) if runs(&verb.status) && !verb.leaves => Red::Online,
        Verb::Await(_) => Red::Status,
        Verb::Hold(_) => Red::Hold,
        Verb::Delete(_) => Red::Gone,
        Verb::A2a(_) => Red::Reply,
        Verb::Expect(verb) => match &**verb {
            Expect::Row { .. } => Red::Row,
            Expect::Env { .. } => Red::Environment,
            Expect::Activity { .. } => Red::Activity,
            Expect::Event { .. } => Red::Event,
            Expect::Value { .. } => Red::Value,
            Expect::Gone { .. } => Red::Gone,
            Expect::Container(_) => Red::Container,
        },
        Verb::Terminate(_)
        | Verb::Capture(_)
        | Verb::Container(_)
        | Verb::Exec(_)
        | Verb::Stub(_)
        | Verb::Org(_)
        | Verb::Parallel(_)
        | Verb::Foreach(_)
        | Verb::Steps(_)
        | Verb::Note(_) => Red::Other,
    }
}

/// Collects them for a failure.
pub(crate) fn of(context: &ScenarioContext, decisive: &Decisive, evidence: Evidence) -> Symptoms {
    let failure = &decisive.failure;
    let workspace = super::evidence::target(context, failure);
    let origin = failure.origin.as_deref();
    let within_ms = origin.map_or(0, |o| time::ms(o.within));
    let exchanges = origin.map(|o| o.exchanges.clone()).unwrap_or_default();
    // A request that got no answer, or one of nobody, is often followed by looks that do; it is what the step failed by.
    let decisive_at = failure.purpose.as_ref().and_then(|purpose| {
        let all = &exchanges.exchanges;
        let lost = all.iter().rposition(|e| e.purpose == *purpose && e.error.is_some());
        lost.or_else(|| all.iter().rposition(|e| e.purpose == *purpose))
    });
    let failed_by = decisive_at.and_then(|at| exchanges.exchanges.get(at)).or(exchanges.exchanges.last());
    let servers_own = failed_by.is_some_and(|exchange| context.run.own_answers.has(exchange));
    Symptoms {
        scenario: context.name.to_string(),
        step: origin.map_or_else(|| decisive.step.clone(), |o| o.step.clone()),
        name: origin.map(|o| o.name.clone()).unwrap_or_default(),
        verb: origin.map(|o| o.verb.to_owned()).unwrap_or_default(),
        asserts: origin.map(|o| o.asserts).unwrap_or_default(),
        message: failure.message.clone(),
        details: failure.details.clone(),
        kind: failure.counts(),
        wait: failure.waited.as_deref().cloned().map(|wait| Wait { within_ms, ..wait }),
        workspace: workspace.map(|w| subject(context, w, origin.map(|o| o.at))),
        credential: credential(context, &exchanges.exchanges),
        exchanges: exchanges.exchanges,
        decisive: decisive_at,
        servers_own,
        exchanges_whole: exchanges.whole,
        evidence,
        llm_path: Some(llm_path(context, failure.workspace.as_deref())),
        time_scale: context.run.api.scale.factor(),
        wakes: Some(context.run.target.contract.has(Behaviour::HibernateWakes)),
        inbox: failure.inbox,
    }
}

/// Whether the create that was sent carries a credential of the provider that its model derives to.
fn credential(context: &ScenarioContext, exchanges: &[Exchange]) -> Option<bool> {
    let sent = exchanges.iter().rev().find(|e| e.purpose == "create")?.request.as_ref()?.json.as_ref()?;
    let secrets = sent.get("secrets").and_then(Value::as_object);
    let names: BTreeSet<String> = secrets.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let (runtime, model) = (record::text(sent, "runtime"), record::text(sent, "model"));
    let provider = derive(&context.run.catalogue, runtime, model, &names).ok()?;
    (!provider.is_platform()).then(|| provider.accepts(names.iter().map(String::as_str)))
}

/// Who was to pay: what the create said, an input of the scenario, or the variable that the scripts read.
fn llm_path(context: &ScenarioContext, alias: Option<&str>) -> String {
    let scope = StepScope { context, locals: &Locals::default() };
    let of_create = |step: &Step| match &step.verb {
        Verb::Create(create) if Some(create.alias.as_str()) == alias => {
            create.llm_path.as_ref()?.render(&scope).ok().filter(|path| !path.is_empty())
        }
        _ => None,
    };
    let said = walk_where(&context.scenario.steps, |_| true).find_map(of_create);
    let input = || context.inputs.get("llm_path").and_then(serde_json::Value::as_str).map(str::to_owned);
    let told = said.or_else(input).or_else(|| context.run.env.get(LLM_PATH).cloned());
    LlmPath::of_scripts(told.as_deref()).as_str().to_owned()
}

fn subject(context: &ScenarioContext, workspace: Workspace, failed: Option<Instant>) -> Subject {
    let parent_gone = {
        let state = context.state();
        state.workspaces.values().any(|w| w.gone && workspace.parent_id.as_deref() == Some(w.id.as_str()))
    };
    let poller = &context.run.poller;
    // A stream that began after the edge may have missed what came in between.
    let edge = workspace.baseline.edge_at.or(workspace.edge_at);
    let whole = edge.zip(poller.stream_since()).filter(|(edge, since)| since <= edge);
    // What came while the evidence was gathered was not there for the step.
    let events = whole.map(|(edge, _)| {
        let events = poller.events_since(&workspace.id, edge);
        events.into_iter().filter(|e| failed.is_none_or(|failed| e.at <= failed)).collect::<Vec<_>>()
    });
    let online = events.iter().flatten().find(|e| e.kind == "WORKSPACE_ONLINE");
    let online_told_ms =
        online.zip(failed).map(|(e, failed)| time::ms(failed.saturating_duration_since(e.at)));
    let stream = events.map(|events| events.into_iter().map(|e| e.kind).collect());
    let new_instance_seen =
        workspace.env.as_ref().is_some_and(|(id, _)| workspace.baseline.instance.as_ref() != Some(id));
    Subject {
        deleted: workspace.gone || parent_gone,
        id: workspace.id,
        managed: workspace.managed,
        runtime: workspace.runtime,
        model: workspace.model,
        provider: workspace.provider,
        answered: workspace.answered_at == Some(workspace.edge),
        outlived: workspace.outlived,
        new_instance_seen,
        old_speaks: workspace.old_speaks || workspace.contradicted.is_some(),
        gap_ms: workspace.unseen.0,
        failed_looks: workspace.unseen.1,
        stream,
        online_told_ms,
        edge: workspace.edge_name,
        edges: workspace.edge,
        instance_before: workspace.baseline.instance,
        activity_before: (workspace.activity_for == workspace.edge)
            .then(|| workspace.activity_before.into_iter().collect()),
        timeline: workspace.timeline,
    }
}
