//! Contexts for tools that run no scenario: `diagnose` and `sweep`.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::context::{Destroy, RunContext, ScenarioContext};
use super::evidence;
use super::outcome::Failure;
use super::own_answers::OwnAnswers;
use super::tenant::Tenant;
use super::workspace::Workspace;
use crate::event::{Evidence, Log};
use crate::models::allowlist::Allowlist;
use crate::models::catalogue::Catalogue;
use crate::platform::policy;
use crate::platform::reach::Reach;
use crate::run::cancel::Cancel;
use crate::run::ledger::Ledger;
use crate::run::poller::Poller;
use crate::scenario::{self, Fragments};
use crate::source::SourceFile;
use crate::targets::Target;

/// A run without scenarios.
pub fn tool(target: &Target, log: Log, ledger: Ledger, run: &str) -> RunContext {
    RunContext {
        run: run.to_owned(),
        tail: String::new(),
        log,
        api: target.api.clone(),
        poller: Poller::start(Box::new(target.api.clone())),
        ledger,
        cancel: Cancel::new(),
        target: target.facts.clone(),
        catalogue: Arc::new(Catalogue::built_in().clone()),
        allowlist: Allowlist::shipped(),
        env: BTreeMap::new(),
        root: Mutex::new(None),
        hmac_key: crate::chance::random(),
        seed: 0,
        drifts: Arc::default(),
        known: crate::scenario::known::KnownReds::default(),
        exclusive: false,
        tenant: Tenant::default(),
        reach: Reach::new(policy::GIVE_UP),
        engine_proven: AtomicBool::new(false),
        unproven_told: AtomicBool::new(false),
        messages_answered: AtomicBool::new(false),
        own_answers: OwnAnswers::default(),
        destroy: Destroy::Always,
    }
}

/// For the removal of what an earlier run left, whose id ends so.
pub fn sweeper(target: &Target, log: Log, ledger: Ledger, tail: &str) -> RunContext {
    RunContext { tail: tail.to_owned(), ..tool(target, log, ledger, "sweep") }
}

/// The harness's own placeholder scenario does not load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoPlaceholder(String);

/// The diagnostic bundle of a workspace: the same gatherers as at a failure.
///
/// # Errors
/// The harness's own placeholder scenario does not load.
pub async fn of(run: RunContext, workspace: &str) -> Result<Evidence, NoPlaceholder> {
    let text = "scenario: diagnose\nsummary: Gathers evidence\nsteps:\n  - note: gather\n";
    let loaded = scenario::load(&SourceFile::new("<diagnose>", text), &Fragments::default());
    let scenario = loaded.scenario.ok_or_else(|| {
        NoPlaceholder(loaded.problems.iter().map(|p| p.line()).collect::<Vec<_>>().join("; "))
    })?;
    let context =
        ScenarioContext::new(Arc::new(run), "diagnose", Arc::new(scenario), CancellationToken::new());
    let target = Workspace {
        alias: "workspace".into(),
        id: workspace.to_owned(),
        managed: true,
        edge_name: "last edge".into(),
        ..Workspace::default()
    };
    context.state().workspaces.insert("workspace".into(), target);
    Ok(evidence::gather(&context, "diagnose", &Failure::product("diagnose").about("workspace")).await)
}
