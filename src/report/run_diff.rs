//! Two runs side by side: where they part first, in verdict, statuses, answers, environment and time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value;

use crate::domain::time;
use crate::event::{EventKind, Exchange, LogError, LogReader, StepOutcome, Verdict};
use crate::scenario::without_round;

/// A step that takes so many times longer is slower, if it takes a second longer too.
const SLOWER: u64 = 2;
const SECOND: u64 = 1_000;
/// More of an answer's fields are not compared.
const FIELDS: usize = 200;
/// More scenarios or steps of one log are not kept.
const MANY: usize = 20_000;

/// What of a run is compared.
#[derive(Debug, Default)]
pub(crate) struct Side {
    /// Its id.
    pub run: String,
    /// Where it ran: kind and address, and what the server says it is.
    pub target: String,
    scenarios: IndexMap<String, Played>,
}

#[derive(Debug, Default)]
struct Played {
    verdict: Option<Verdict>,
    mechanism: Option<String>,
    steps: IndexMap<String, Step>,
    /// By workspace: statuses, repeats left out.
    statuses: BTreeMap<String, Vec<String>>,
    /// By workspace and edge: variables in words.
    environments: IndexMap<(String, String), BTreeMap<String, String>>,
}

#[derive(Debug, Default)]
struct Step {
    verb: String,
    outcome: Option<StepOutcome>,
    message: String,
    took_ms: u64,
    /// By what was asked: status and shape of the last answer.
    answers: BTreeMap<String, (Option<u16>, BTreeSet<String>)>,
}

/// In what two runs differ, from what a person wants to know first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A scenario is in one of them only.
    Scenario,
    /// A step or scenario ended otherwise.
    Verdict,
    /// A workspace went another way.
    Statuses,
    /// An answer has another status or other fields.
    Answer,
    /// A variable is another.
    Environment,
    /// A step took much longer.
    Time,
}

impl Kind {
    /// In one word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Scenario => "scenario",
            Kind::Verdict => "verdict",
            Kind::Statuses => "statuses",
            Kind::Answer => "answer",
            Kind::Environment => "env",
            Kind::Time => "time",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Where.
    pub scenario: String,
    /// At which step, if at one.
    pub step: Option<String>,
    /// In what.
    pub kind: Kind,
    /// What the first run has, and what the second.
    pub what: String,
}

impl Side {
    #[cfg(test)]
    pub(crate) fn of(run: &str, target: &str) -> Side {
        Side { run: run.into(), target: target.into(), ..Side::default() }
    }

    /// Reads a run's log.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(run: &Path) -> Result<Side, LogError> {
        let mut side = Side::default();
        let mut log = LogReader::open(run)?;
        while let Some(event) = log.next()? {
            side.take(event.event);
        }
        Ok(side)
    }

    fn played(&mut self, scenario: &str) -> Option<&mut Played> {
        if self.scenarios.len() >= MANY && !self.scenarios.contains_key(scenario) {
            return None;
        }
        Some(self.scenarios.entry(scenario.to_owned()).or_default())
    }

    fn step(&mut self, scenario: &str, step: &str) -> Option<&mut Step> {
        let steps = &mut self.played(scenario)?.steps;
        (steps.len() < MANY || steps.contains_key(step)).then(|| steps.entry(step.to_owned()).or_default())
    }

    fn take(&mut self, event: EventKind) {
        match event {
            EventKind::RunStarted(started) => {
                self.run = started.run;
                if let Some(target) = started.target {
                    self.target = about(&target);
                }
            }
            EventKind::TargetFound(target) => self.target = about(&target),
            EventKind::StepStarted(started) => {
                if let Some(step) = self.step(&started.scenario, &started.step) {
                    step.verb = started.verb;
                }
            }
            EventKind::StepFinished(ended) => {
                if let Some(step) = self.step(&ended.scenario, &ended.step) {
                    (step.outcome, step.message, step.took_ms) =
                        (Some(ended.outcome), ended.message, ended.took_ms);
                }
            }
            EventKind::Exchange(exchange) => self.heard(&exchange),
            EventKind::Observed(seen) => {
                let Some(status) = seen.status else { return };
                if let Some(played) = self.played(&seen.scenario) {
                    let path = played.statuses.entry(seen.workspace).or_default();
                    if path.last().map(String::as_str) != Some(status.as_str()) {
                        path.push(status.as_str().to_owned());
                    }
                }
            }
            EventKind::EnvObserved(seen) => {
                if let Some(played) = self.played(&seen.scenario) {
                    let word = |v: &crate::event::EnvVar| match v.set {
                        true => v.value.clone(),
                        false => "unset".to_owned(),
                    };
                    let vars = seen.vars.iter().map(|v| (v.name.clone(), word(v))).collect();
                    played.environments.insert((seen.workspace, seen.edge), vars);
                }
            }
            EventKind::Diagnosed(diagnosis) => {
                if let Some(played) = self.played(&diagnosis.scenario) {
                    played.mechanism = Some(diagnosis.mechanism);
                }
            }
            EventKind::ScenarioFinished(ended) => {
                if let Some(played) = self.played(&ended.scenario) {
                    played.verdict = Some(ended.verdict);
                }
            }
            _ => {}
        }
    }

    fn heard(&mut self, exchange: &Exchange) {
        let Some(scenario) = &exchange.scenario else { return };
        if exchange.step == "evidence" {
            return;
        }
        let asked = format!("{} {}", exchange.method, exchange.purpose);
        let json = exchange.response.as_ref().and_then(|body| body.json.as_ref());
        let shape = json.map(shape).unwrap_or_default();
        if let Some(step) = self.step(scenario, &exchange.step)
            // A look that got no answer says nothing of what is answered.
            && (exchange.status.is_some() || !step.answers.contains_key(&asked))
        {
            step.answers.insert(asked, (exchange.status, shape));
        }
    }
}

fn about(target: &crate::event::TargetIdentity) -> String {
    let build = target.buildinfo.as_ref().and_then(|b| b.get("git_sha").or(b.get("commit"))?.as_str());
    let build =
        build.map(|sha| format!(" build {}", sha.chars().take(12).collect::<String>())).unwrap_or_default();
    format!("{} {}{build}", target.kind, target.base_url)
}

/// The fields of a body by their paths; items of a list are one.
fn shape(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, at: &str, into: &mut BTreeSet<String>) {
        if into.len() >= FIELDS {
            return;
        }
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    walk(value, &format!("{at}.{name}"), into);
                }
            }
            Value::Array(items) => items.iter().take(3).for_each(|item| walk(item, &format!("{at}[]"), into)),
            Value::Null => {}
            _ => {
                into.insert(at.trim_start_matches('.').to_owned());
            }
        }
    }
    let mut fields = BTreeSet::new();
    walk(value, "", &mut fields);
    fields
}

/// Every difference, scenario by scenario in the order of the first run; within one, step by step.
pub(crate) fn differences(left: &Side, right: &Side) -> Vec<Difference> {
    let mut found = Vec::new();
    let names = |side: &Side| -> BTreeSet<String> {
        side.scenarios.keys().map(|name| without_round(name).to_owned()).collect()
    };
    let (there, here) = (names(left), names(right));
    for name in there.symmetric_difference(&here) {
        let which = if there.contains(name) { &left.run } else { &right.run };
        let what = format!("only in {which}");
        found.push(Difference { scenario: name.clone(), step: None, kind: Kind::Scenario, what });
    }
    for (name, one) in &left.scenarios {
        let name = without_round(name);
        let Some((_, other)) = right.scenarios.iter().find(|(n, _)| without_round(n) == name) else {
            continue;
        };
        let mut say = |step: Option<&str>, kind: Kind, what: String| {
            found.push(Difference { scenario: name.to_owned(), step: step.map(str::to_owned), kind, what });
        };
        verdicts(one, other, &mut say);
        for (id, step) in &one.steps {
            let Some(twin) = other.steps.get(id) else { continue };
            steps(id, step, twin, &mut say);
        }
        for (workspace, path) in &one.statuses {
            if let Some(twin) = other.statuses.get(workspace).filter(|twin| *twin != path) {
                say(
                    None,
                    Kind::Statuses,
                    format!("{workspace}: {} / {}", path.join(" → "), twin.join(" → ")),
                );
            }
        }
        for ((workspace, edge), vars) in &one.environments {
            let Some(twin) = other.environments.get(&(workspace.clone(), edge.clone())) else { continue };
            let all: BTreeSet<&String> = vars.keys().chain(twin.keys()).collect();
            for var in all {
                let word =
                    |of: &BTreeMap<String, String>| of.get(var).map_or("unset", String::as_str).to_owned();
                let (was, is) = (word(vars), word(twin));
                if was != is && !own(var) {
                    say(None, Kind::Environment, format!("{workspace} after {edge}: {var}: {was} / {is}"));
                }
            }
        }
    }
    found.sort_by_key(|a| (a.kind == Kind::Time, a.kind));
    found
}

/// Variables that differ with every instance or address.
fn own(name: &str) -> bool {
    const OWN: [&str; 6] =
        ["HOSTNAME", "MOLECULE_URL", "MOLECULE_WORKSPACE_URL", "PARENT_ID", "PLATFORM_URL", "WORKSPACE_ID"];
    OWN.contains(&name) || name.ends_with("_BASE_URL_OVERRIDE")
}

fn verdicts(one: &Played, other: &Played, say: &mut dyn FnMut(Option<&str>, Kind, String)) {
    let word = |p: &Played| {
        let verdict = p.verdict.map_or_else(|| "no end".to_owned(), |v| v.to_string());
        match &p.mechanism {
            Some(mechanism) => format!("{verdict} by {mechanism}"),
            None => verdict,
        }
    };
    let (was, is) = (word(one), word(other));
    if was != is {
        let first = one.steps.iter().find_map(|(id, step)| {
            let twin = other.steps.get(id)?;
            (step.outcome != twin.outcome).then_some(id.as_str())
        });
        say(first, Kind::Verdict, format!("{was} / {is}"));
    }
}

fn steps(id: &str, step: &Step, twin: &Step, say: &mut dyn FnMut(Option<&str>, Kind, String)) {
    if step.outcome != twin.outcome {
        let word = |s: &Step| match s.outcome {
            Some(outcome) => format!("{outcome:?}").to_lowercase(),
            None => "no end".to_owned(),
        };
        let why =
            [step, twin].iter().find(|s| s.outcome == Some(StepOutcome::Failed)).map(|s| s.message.as_str());
        let why =
            why.map(|why| format!(" ({})", crate::redact::excerpt_of_redacted(why, 120))).unwrap_or_default();
        say(Some(id), Kind::Verdict, format!("{}: {} / {}{why}", step.verb, word(step), word(twin)));
    }
    for (asked, (status, shape)) in &step.answers {
        let Some((other, twin)) = twin.answers.get(asked) else { continue };
        let word = |s: &Option<u16>| s.map_or_else(|| "no answer".to_owned(), |s| s.to_string());
        if status != other {
            say(Some(id), Kind::Answer, format!("{asked}: {} / {}", word(status), word(other)));
        } else if shape != twin && !shape.is_empty() && !twin.is_empty() {
            let list =
                |names: Vec<&String>| names.iter().take(6).map(|s| s.as_str()).collect::<Vec<_>>().join(", ");
            let (gone, new) =
                (list(shape.difference(twin).collect()), list(twin.difference(shape).collect()));
            let part = |sign: char, names: &str| {
                if names.is_empty() { String::new() } else { format!(" {sign}{names}") }
            };
            say(Some(id), Kind::Answer, format!("{asked}: fields{}{}", part('-', &gone), part('+', &new)));
        }
    }
    let (fast, slow) = (step.took_ms.min(twin.took_ms), step.took_ms.max(twin.took_ms));
    if slow > fast.saturating_mul(SLOWER).saturating_add(SECOND) {
        let show = |ms: u64| time::show(std::time::Duration::from_millis(ms));
        say(Some(id), Kind::Time, format!("{}: {} / {}", step.verb, show(step.took_ms), show(twin.took_ms)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        Body, EnvObservation, EnvVar, Observation, ScenarioFinished, StepFinished, StepStarted,
    };
    use serde_json::json;

    fn side(run: &str, failed: bool, status: u16, body: Value, took_ms: u64, base: &str) -> Side {
        let mut side = Side { run: run.into(), ..Side::default() };
        let scenario = "s#1".to_owned();
        let outcome = if failed { StepOutcome::Failed } else { StepOutcome::Passed };
        let events = [
            EventKind::StepStarted(StepStarted {
                scenario: scenario.clone(),
                step: "1".into(),
                verb: "http".into(),
                ..StepStarted::default()
            }),
            EventKind::Exchange(Box::new(Exchange {
                scenario: Some(scenario.clone()),
                step: "1".into(),
                purpose: "read".into(),
                method: "GET".into(),
                status: Some(status),
                response: Some(Body { json: Some(body), ..Body::default() }),
                ..Exchange::default()
            })),
            EventKind::StepFinished(StepFinished {
                scenario: scenario.clone(),
                step: "1".into(),
                outcome,
                message: "wanted 200".into(),
                took_ms,
                ..StepFinished::default()
            }),
            EventKind::Observed(Observation {
                scenario: scenario.clone(),
                workspace: "ws".into(),
                status: Some(crate::domain::Status::Online),
                ..Observation::default()
            }),
            EventKind::EnvObserved(EnvObservation {
                scenario: scenario.clone(),
                workspace: "ws".into(),
                edge: "create".into(),
                vars: vec![EnvVar {
                    name: "BASE".into(),
                    set: true,
                    value: base.into(),
                    ..EnvVar::default()
                }],
                ..EnvObservation::default()
            }),
            EventKind::ScenarioFinished(Box::new(ScenarioFinished {
                scenario,
                verdict: if failed { Verdict::Failed } else { Verdict::Passed },
                ..ScenarioFinished::default()
            })),
        ];
        events.into_iter().for_each(|event| side.take(event));
        side
    }

    #[test]
    fn what_two_runs_differ_in() {
        let body = || json!({ "a": 1, "rows": [{ "x": 1 }, { "x": 2 }] });
        let same =
            differences(&side("l", false, 200, body(), 90, "u"), &side("r", false, 200, body(), 900, "u"));
        assert_eq!(same, []);
        let shapes = json!({ "a": 2, "rows": [{ "y": 1 }] });
        let found =
            differences(&side("l", false, 200, body(), 90, "u"), &side("r", true, 200, shapes, 9_000, "v"));
        let said: Vec<(&str, &str)> = found.iter().map(|d| (d.kind.as_str(), d.what.as_str())).collect();
        assert_eq!(
            said,
            [
                ("verdict", "passed / failed"),
                ("verdict", "http: passed / failed (wanted 200)"),
                ("answer", "GET read: fields -rows[].x +rows[].y"),
                ("env", "ws after create: BASE: u / v"),
                ("time", "http: 90 ms / 9.00 s"),
            ]
        );
        let found =
            differences(&side("l", false, 200, body(), 90, "u"), &side("r", false, 404, body(), 90, "u"));
        assert_eq!(found[0].what, "GET read: 200 / 404");
        assert_eq!(
            differences(&Side::default(), &side("r", false, 200, body(), 1, "u"))[0].kind,
            Kind::Scenario
        );
    }
}
