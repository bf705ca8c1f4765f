//! What is gathered about a failure: before clean-up, once, each gatherer with its own time-out.

mod asked;
pub(super) mod container;
mod control_plane;
mod environment;
mod logs;
mod rows;
mod server;
mod server_log;

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};

use self::asked::{EACH, EvidenceError, Found, KEPT};
use super::context::ScenarioContext;
use super::outcome::Failure;
use super::workspace::Workspace;
use crate::clock::Instant;
use crate::domain::time;
use crate::event::{EventKind, Evidence, EvidencePart, EvidenceSource, Red};
use crate::scenario::model::Capability;

/// An engine that is busy needs more.
const ENGINE: Duration = Duration::from_secs(15);

/// Name, title, and what to do.
type Gatherer<'a> = (EvidenceSource, &'static str, BoxFuture<'a, Result<Found, EvidenceError>>);

/// The workspace that a failure is about: the one it names, the one whose id was in the request, or the only
/// one. Of several it takes none rather than a wrong one (#2680).
pub(crate) fn target(context: &ScenarioContext, failure: &Failure) -> Option<Workspace> {
    let state = context.state();
    if let Some(alias) = &failure.workspace {
        return state.workspaces.get(alias).cloned();
    }
    let asked = failure.origin.as_ref().and_then(|o| Some(o.exchanges.exchanges.last()?.url.as_str()));
    let in_url = |w: &&Workspace| !w.id.is_empty() && asked.is_some_and(|url| url.contains(&w.id));
    let mut there = state.workspaces.values().filter(|w| !w.gone);
    match (state.workspaces.values().find(in_url), there.next(), there.next()) {
        (Some(found), _, _) => Some(found.clone()),
        (None, Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// Gathers about the workspace that the failure is about.
pub(crate) async fn gather(context: &ScenarioContext, step: &str, failure: &Failure) -> Evidence {
    let target = target(context, failure);
    let mut gatherers: Vec<Gatherer<'_>> = Vec::new();
    if let Some(workspace) = &target {
        gatherers.push((
            EvidenceSource::Record,
            "the record",
            Box::pin(rows::whole_record(context, workspace)),
        ));
        gatherers.push((
            EvidenceSource::Activity,
            "activity, newest first",
            Box::pin(rows::activity(context, workspace)),
        ));
        gatherers.push((
            EvidenceSource::Events,
            "events of the platform, newest first",
            Box::pin(rows::events(context, workspace)),
        ));
        gatherers.push((
            EvidenceSource::Environment,
            "environment before and after the last edge",
            Box::pin(environment::env(context, workspace)),
        ));
        if let Some(engine) = &context.run.target.engine {
            // Whether the agent listens is worth asking only where somebody wants to hear it.
            let asserts = failure.origin.as_ref().map(|o| o.asserts);
            let listens = matches!(asserts, Some(Red::Reply | Red::Online | Red::Hold));
            let deadline = Instant::now() + ENGINE - KEPT;
            let work = async move {
                let found = container::gather(context, engine, workspace, listens, deadline).await;
                found.map_err(|e| EvidenceError::Other(e.what))
            };
            gatherers.push((
                EvidenceSource::Container,
                "the container, and what the engine did to it",
                Box::pin(work),
            ));
        }
        gatherers.push((
            EvidenceSource::Billing,
            "billing mode",
            Box::pin(rows::billing(context, workspace)),
        ));
        if !workspace.sent.is_null() {
            gatherers.push((
                EvidenceSource::Sent,
                "what was sent at create",
                Box::pin(async { Ok(rows::sent(workspace)) }),
            ));
        }
        gatherers.push((
            EvidenceSource::Neighbours,
            "other workspaces",
            Box::pin(rows::neighbours(context, workspace)),
        ));
    }
    if let Some(behind) = &context.run.target.behind {
        let id = target.as_ref().map(|w| w.id.clone());
        let work = async move { Ok(control_plane::gather(behind, id.as_deref()).await) };
        gatherers.push((
            EvidenceSource::ControlPlane,
            "the control plane: organisation, instance, provision call",
            Box::pin(work),
        ));
    }
    gatherers.push((EvidenceSource::Server, "the server", Box::pin(server::server(context))));
    let inspect = context.run.target.capabilities.contains(&Capability::Inspect);
    if let Some(workspace) = target.as_ref().filter(|_| inspect) {
        gatherers.push((
            EvidenceSource::AgentLog,
            "the instance's own log, oldest first",
            Box::pin(logs::instance_log(context, workspace)),
        ));
    }
    let id = target.as_ref().map(|w| w.id.clone());
    let since =
        target.as_ref().and_then(|w| server_log::edge_time(w.baseline.edge_at.or(w.edge_at)?.elapsed()));
    let asked = context.run.target.log_source.clone();
    if inspect || context.run.target.server_log.is_some() || asked.is_some() {
        gatherers.push((
            EvidenceSource::ServerLog,
            "the server's log: lines about this workspace or about none",
            match asked {
                Some(source) => Box::pin(logs::named_log(context, source, id.clone(), since)),
                None => Box::pin(logs::server_log(context, id.clone())),
            },
        ));
    }
    if let Some(log) = &context.run.target.log {
        // A server that shows its log itself says more there than on its standard streams.
        let (name, title) = match inspect {
            true => (EvidenceSource::ServerOutput, "what the server printed"),
            false => {
                (EvidenceSource::ServerLog, "the server's log: lines about this workspace or about none")
            }
        };
        gatherers.push((
            name,
            title,
            Box::pin(async move { logs::printed(log.path(), id.as_deref(), since) }),
        ));
    }
    let parts = gatherers.into_iter().map(|(name, title, work)| async move {
        let began = Instant::now();
        let each = if name == EvidenceSource::Container { ENGINE } else { EACH };
        let bounded = crate::clock::timeout(each, work).await;
        let mut part = EvidencePart {
            source: Some(name),
            name: name.name().into(),
            title: title.into(),
            took_ms: time::ms(began.elapsed()),
            ..EvidencePart::default()
        };
        match bounded {
            Ok(Ok(found)) => (part.lines, part.data) = (found.lines, found.data),
            Ok(Err(why)) => part.error = Some(why.to_string()),
            Err(_) => part.error = Some(format!("no answer within {}", time::show(each))),
        }
        part
    });
    Evidence {
        scenario: context.name.to_string(),
        step: step.to_owned(),
        workspace: target.as_ref().map(|w| w.id.clone()),
        parts: join_all(parts).await,
    }
}

/// Gathers and files.
pub(crate) async fn file(context: &ScenarioContext, step: &str, failure: &Failure) -> Evidence {
    let evidence = gather(context, step, failure).await;
    context.run.log.emit(EventKind::Evidence(Box::new(evidence.clone())));
    evidence
}
