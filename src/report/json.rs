//! `report.json`: the run for machines. Fields are only ever added within one schema version.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::block::{Size, failure_block, plain_text};
use super::commands::{rerun, run_name};
use super::scenario_state::{ExchangeNote, KeptEvidence, ScenarioState, StepState};
use super::state::RunState;
use super::timeline::Seen;
use crate::event::{
    Class, Diagnosis, ExpectedFailure, Left, ResolvedInput, SourceHash, StepOutcome, TargetIdentity, Verdict,
    WaitStats,
};

/// Version of the file's shape.
pub(crate) const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize, JsonSchema)]
struct Report<'a> {
    schema_version: u32,
    complete: bool,
    remarks: &'a [String],
    run: Run<'a>,
    totals: Totals<'a>,
    exit: Option<Exit<'a>>,
    /// What broke, those that turn the run red first.
    causes: Vec<Cause<'a>>,
    scenarios: Vec<Scenario<'a>>,
    #[serde(skip_serializing_if = "<[crate::event::Fixed]>::is_empty")]
    fixed: &'a [crate::event::Fixed],
    skips: Vec<Skip<'a>>,
    warnings: Vec<Warning<'a>>,
    resources: Resources<'a>,
    #[serde(skip_serializing_if = "<[crate::event::Part]>::is_empty")]
    parts: &'a [crate::event::Part],
}

#[derive(Serialize, JsonSchema)]
struct Run<'a> {
    id: &'a str,
    started_at: &'a str,
    took_ms: u64,
    tool_version: &'a str,
    log_schema: u32,
    selection: &'a [String],
    host: &'a str,
    ci: &'a BTreeMap<String, String>,
    target: Option<&'a TargetIdentity>,
    target_error: Option<&'a str>,
    catalogue: &'a SourceHash,
    profile: Option<&'a SourceHash>,
    scenario_files: Vec<&'a SourceHash>,
    flags: BTreeMap<String, String>,
    cancelled: Option<&'static str>,
    exchanges: u64,
    transport_errors: u64,
}

#[derive(Serialize, JsonSchema)]
struct Totals<'a> {
    scenarios: usize,
    by_verdict: BTreeMap<Verdict, usize>,
    advisory_reds: usize,
    unfinished: usize,
    line: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct Exit<'a> {
    code: u8,
    name: crate::domain::ExitCode,
    reason: &'a str,
}

/// One cause and everything that it broke.
#[derive(Serialize, JsonSchema)]
struct Cause<'a> {
    /// A mechanism, or what was said where nobody knows one.
    cause: String,
    /// What of it: a variable, a code.
    key: &'a str,
    class: Option<Class>,
    summary: &'a str,
    suggested_fix: &'a str,
    advisory: bool,
    known: bool,
    reds: Vec<&'a str>,
}

impl<'a> From<super::Cause<'a>> for Cause<'a> {
    fn from(cause: super::Cause<'a>) -> Self {
        let diagnosis = cause.representative().diagnosis.as_ref();
        Cause {
            key: cause.key,
            class: cause.class,
            summary: cause.summary,
            suggested_fix: diagnosis.map_or("", |d| d.fix_shape.as_str()),
            advisory: cause.is_advisory(),
            known: cause.is_known(),
            reds: cause.reds.iter().map(|red| red.name()).collect(),
            cause: cause.name.into_owned(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct Scenario<'a> {
    name: &'a str,
    summary: &'a str,
    file: &'a str,
    tags: &'a [String],
    advisory: bool,
    verdict: Option<Verdict>,
    class: Option<Class>,
    reason: &'a str,
    known: Option<&'a str>,
    new: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    came_back: Option<&'a str>,
    expects_failure: Option<&'a ExpectedFailure>,
    started_ms: Option<u64>,
    took_ms: Option<u64>,
    platform_ms: Option<u64>,
    milestones: &'a [String],
    missing_milestones: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unproven: &'a [String],
    inputs: Vec<&'a ResolvedInput>,
    steps: Vec<Step<'a>>,
    decisive_step: Option<&'a str>,
    workspaces: Vec<Workspace<'a>>,
    exchange_count: u64,
    last_exchanges: Vec<Exchange<'a>>,
    evidence: Vec<Evidence<'a>>,
    diagnosis: Option<&'a Diagnosis>,
    block: Option<String>,
    rerun: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Step<'a> {
    step: &'a str,
    name: &'a str,
    verb: &'a str,
    line: usize,
    started_ms: Option<u64>,
    took_ms: Option<u64>,
    attempts: u32,
    outcome: Option<StepOutcome>,
    message: &'a str,
    details: &'a [String],
    wanted: Option<&'a str>,
    last_seen: Option<&'a str>,
    wait: Option<&'a WaitStats>,
    milestone: Option<&'a str>,
    advisory: bool,
}

#[derive(Serialize, JsonSchema)]
struct Workspace<'a> {
    name: &'a str,
    id: &'a str,
    timeline: Vec<Stretch>,
    dropped_transitions: usize,
}

#[derive(Serialize, JsonSchema)]
struct Stretch {
    status: String,
    from_ms: u64,
    took_ms: u64,
    still: bool,
    edge: u32,
}

#[derive(Serialize, JsonSchema)]
struct Exchange<'a> {
    step: &'a str,
    purpose: &'a str,
    method: &'a str,
    url: &'a str,
    status: Option<u16>,
    error: Option<&'a str>,
    started_ms: u64,
    took_ms: u64,
}

#[derive(Serialize, JsonSchema)]
struct Evidence<'a> {
    step: &'a str,
    workspace: Option<&'a str>,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct Part<'a> {
    name: &'a str,
    title: &'a str,
    lines: &'a [String],
    #[schemars(with = "Option<serde_json::Value>")]
    data: Option<&'a RawValue>,
    left_out_bytes: usize,
    error: Option<&'a str>,
    took_ms: u64,
}

#[derive(Serialize, JsonSchema)]
struct Skip<'a> {
    reason: &'a str,
    scenarios: Vec<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct Warning<'a> {
    scenario: Option<&'a str>,
    text: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct Resources<'a> {
    made: u64,
    released: u64,
    left_by_platform: &'a [String],
    leaks: &'a [Left],
    left: Vec<String>,
}

/// The JSON Schema of the file.
pub(crate) fn schema() -> serde_json::Value {
    crate::scenario::schema_of_written::<Report<'_>>()
}

/// The file, whole.
///
/// # Errors
/// None that a state can cause; serde's word if there is one.
pub(super) fn render(state: &RunState) -> serde_json::Result<String> {
    let totals = state.totals();
    let line = totals.line();
    let identity = &state.identity;
    let report = Report {
        schema_version: SCHEMA_VERSION,
        complete: state.finished.is_some(),
        remarks: &state.remarks,
        run: Run {
            id: &identity.run,
            started_at: &state.started_at,
            took_ms: state.took_ms(),
            tool_version: &identity.tool_version,
            log_schema: identity.schema,
            selection: &identity.selection,
            host: &identity.host,
            ci: &identity.ci,
            target: identity.target.as_ref(),
            target_error: identity.target_error.as_deref(),
            catalogue: &identity.catalogue,
            profile: identity.profile.as_ref(),
            scenario_files: identity.scenarios.iter().map(|s| &s.file).collect(),
            flags: identity.asked(),
            cancelled: state.cancelled.map(super::cancel_text),
            exchanges: state.exchanges,
            transport_errors: state.transport_errors,
        },
        totals: Totals {
            scenarios: totals.scenarios,
            by_verdict: totals.counted().collect(),
            advisory_reds: totals.advisory_reds(),
            unfinished: totals.unfinished,
            line: &line,
        },
        causes: state.causes().into_iter().map(Cause::from).collect(),
        exit: state.finished.as_ref().map(|f| Exit { code: f.code, name: f.exit, reason: &f.reason }),
        scenarios: state.scenarios.values().map(|s| scenario(state, s)).collect(),
        fixed: &state.fixed,
        skips: state.skips().into_iter().map(|(reason, scenarios)| Skip { reason, scenarios }).collect(),
        warnings: state
            .warnings
            .iter()
            .map(|(scenario, text)| Warning { scenario: scenario.as_deref(), text })
            .collect(),
        resources: Resources {
            made: state.resources.made,
            released: state.resources.released,
            left_by_platform: &state.resources.left_by_platform,
            leaks: &state.resources.left,
            left: state.left(),
        },
        parts: &state.parts,
    };
    serde_json::to_string_pretty(&report).map(|text| text + "\n")
}

fn scenario<'a>(state: &'a RunState, s: &'a ScenarioState) -> Scenario<'a> {
    let finish = s.finish.as_ref();
    let failed = s.has_failure();
    Scenario {
        name: s.name(),
        summary: &s.plan.summary,
        file: &s.plan.file,
        tags: &s.plan.tags,
        advisory: s.is_advisory(),
        verdict: s.verdict(),
        class: finish.and_then(|f| f.class),
        reason: s.reason(),
        known: s.known(),
        new: s.is_new(),
        came_back: finish.and_then(|f| f.came_back.as_deref()),
        expects_failure: s.plan.expects_failure.as_ref(),
        started_ms: s.started_ms,
        took_ms: finish.map(|f| f.took_ms),
        platform_ms: finish.map(|f| f.platform_ms),
        milestones: finish.map_or(&[], |f| &f.milestones),
        missing_milestones: finish.map_or(&[], |f| &f.missing_milestones),
        unproven: finish.map_or(&[], |f| &f.unproven),
        inputs: state.identity.inputs.iter().filter(|i| i.scenario == s.name()).collect(),
        steps: s.steps.values().map(step).collect(),
        decisive_step: if failed { s.decisive_step().map(|s| s.step.as_str()) } else { None },
        workspaces: workspaces(state, s),
        exchange_count: s.exchange_count,
        last_exchanges: s.exchanges.iter().map(exchange).collect(),
        evidence: s.evidence.iter().map(evidence).collect(),
        diagnosis: s.diagnosis.as_ref(),
        block: failed.then(|| plain_text(&failure_block(state, s, &run_name(state), Size::WHOLE))),
        rerun: failed.then(|| rerun(state, s).line()),
    }
}

fn step(s: &StepState) -> Step<'_> {
    let result = s.result.as_ref();
    Step {
        step: &s.step,
        name: &s.name,
        verb: &s.verb,
        line: s.line,
        started_ms: s.started_ms,
        took_ms: result.map(|r| r.took_ms),
        attempts: s.attempts,
        outcome: s.outcome(),
        message: result.map_or("", |r| &r.message),
        details: result.map_or(&[], |r| &r.details),
        wanted: s.waiting.as_ref().map(|w| w.wants.as_str()),
        last_seen: s.waiting.as_ref().map(|w| w.last.as_str()),
        wait: s.wait_stats(),
        milestone: result.and_then(|r| r.milestone.as_deref()),
        advisory: result.is_some_and(|r| r.advisory),
    }
}

fn workspaces<'a>(state: &RunState, s: &'a ScenarioState) -> Vec<Workspace<'a>> {
    let end = s.finished_ms.unwrap_or(state.last_ms);
    s.workspaces
        .iter()
        .map(|(name, timeline)| Workspace {
            name,
            id: &timeline.id,
            timeline: timeline.seen(end).into_iter().map(stretch).collect(),
            dropped_transitions: timeline.dropped,
        })
        .collect()
}

fn stretch(s: Seen) -> Stretch {
    Stretch { status: s.status, from_ms: s.from_ms, took_ms: s.took_ms, still: s.still, edge: s.edge }
}

fn exchange(e: &ExchangeNote) -> Exchange<'_> {
    Exchange {
        step: &e.step,
        purpose: &e.purpose,
        method: &e.method,
        url: &e.url,
        status: e.status,
        error: e.error.as_deref(),
        started_ms: e.started_ms,
        took_ms: e.took_ms,
    }
}

fn evidence(e: &KeptEvidence) -> Evidence<'_> {
    let parts = e.parts.iter().map(|part| Part {
        name: &part.name,
        title: &part.title,
        lines: &part.lines,
        data: part.data.as_deref().and_then(|data| serde_json::from_str(data).ok()),
        left_out_bytes: part.left_out,
        error: part.error.as_deref(),
        took_ms: part.took_ms,
    });
    Evidence { step: &e.step, workspace: e.workspace.as_deref(), parts: parts.collect() }
}
