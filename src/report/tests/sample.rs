//! Synthetic logs: what the engine would have written, with times that are chosen.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::domain::{ExitCode, Status};
use crate::event::*;
use crate::report::RunState;

pub(super) const FAILING: &str = "local-provision";
const FILE: &str = "scenarios/local-provision.yaml";
const TEXT: &str = "scenario: local-provision\nsteps:\n  - create:  { as: ws, runtime: claude-code }\n  \
                    - await:   { workspace: ws, status: online, within: 90s }\n  - restart: { workspace: ws }\n  \
                    - await:   { workspace: ws, status: online, new_instance: true, within: 20s }\n";
const ID: &str = "8c0c5f6e-6f0a-4b57-9a37-0f0f5f1b2c3d";

/// Events in order, at times that are said.
#[derive(Default)]
pub(super) struct Sample {
    pub events: Vec<Event>,
    ms: u64,
}

impl Sample {
    pub(super) fn at(&mut self, ms: u64) -> &mut Self {
        self.ms = ms;
        self
    }

    pub(super) fn emit(&mut self, event: EventKind) -> &mut Self {
        let seq = self.events.len() as u64;
        let at = format!(
            "2026-06-13T05:{:02}:{:02}.{:03}Z",
            41 + self.ms / 60_000,
            self.ms / 1_000 % 60,
            self.ms % 1_000
        );
        self.events.push(Event { seq, at, ms: self.ms, event });
        self
    }

    pub(super) fn state(&self) -> RunState {
        let mut state = RunState::default();
        self.events.iter().for_each(|event| state.apply(event));
        state
    }

    /// The same events as a log on disk.
    pub(super) fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("events.jsonl");
        let lines: String =
            self.events.iter().map(|event| serde_json::to_value(event).unwrap().to_string() + "\n").collect();
        std::fs::write(&path, lines).unwrap();
        path
    }

    pub(super) fn started(&mut self) -> &mut Self {
        let input = |scenario: &str, name: &str, value: &str, source: &str| ResolvedInput {
            scenario: scenario.into(),
            name: name.into(),
            value: value.into(),
            source: source.to_owned().into(),
        };
        let file = SourceHash { name: FILE.into(), sha256: "ab".repeat(32) };
        self.at(0).emit(EventKind::RunStarted(Box::new(RunStarted {
            schema: SCHEMA,
            tool_version: "0.1.0".into(),
            run: "20260613-054100-k3v9".into(),
            selection: vec!["@local".into()],
            ci: [("system", "gitea"), ("run", "357183"), ("job", "485015"), ("commit", "179ec8fb")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            host: "runner-3".into(),
            pid: 4711,
            target: Some(TargetIdentity {
                kind: "live".into(),
                base_url: "http://127.0.0.1:8080".into(),
                buildinfo: Some(json!({ "git_sha": "179ec8fb", "built": 1781329315.123456 })),
                time_scale: 1.0,
                capabilities: vec!["managed".into()],
                ..TargetIdentity::default()
            }),
            catalogue: SourceHash { name: "<built-in>/providers.yaml".into(), sha256: "cd".repeat(32) },
            scenarios: vec![ScenarioSource { scenario: FAILING.into(), file, text: TEXT.into() }],
            inputs: vec![
                input(FAILING, "runtime", "claude-code", "default"),
                input(FAILING, "llm_path", "byok", "--input"),
                input(FAILING, "note", "two words", "env E2E_NOTE"),
                input(FAILING, "key", "<redacted:MINIMAX_API_KEY>", "env MINIMAX_API_KEY"),
            ],
            flags: [("jobs", "16"), ("destroy", "always")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..RunStarted::default()
        })))
    }

    /// Scenarios with the steps `create`, `await`, `restart`, `await`.
    pub(super) fn planned(&mut self, change: impl Fn(&mut PlannedScenario), names: &[&str]) -> &mut Self {
        let steps = [
            ("1", "ws", "create", 3),
            ("2", "ws online", "await", 4),
            ("3", "ws", "restart", 5),
            ("4", "ws online", "await", 6),
        ];
        let scenarios = names.iter().map(|name| {
            let mut plan = PlannedScenario {
                scenario: (*name).to_owned(),
                file: FILE.replace(FAILING, name.split('[').next().unwrap_or(name)),
                summary: "A workspace survives a restart.".into(),
                tags: vec!["local".into()],
                steps: steps
                    .map(|(step, name, verb, line)| PlannedStep {
                        file: None,
                        step: step.into(),
                        name: name.into(),
                        verb: verb.into(),
                        line,
                    })
                    .into(),
                budget_ms: 600_000,
                ..PlannedScenario::default()
            };
            change(&mut plan);
            plan
        });
        let planned = Planned { scenarios: scenarios.collect() };
        self.emit(EventKind::Planned(planned))
    }

    pub(super) fn begin(&mut self, scenario: &str) -> &mut Self {
        self.emit(EventKind::ScenarioStarted { scenario: scenario.into() })
    }

    pub(super) fn step(&mut self, scenario: &str, step: &str) -> &mut Self {
        let (name, verb, line) = match step {
            "1" => ("ws", "create", 3),
            "3" => ("ws", "restart", 5),
            "2" => ("ws online", "await", 4),
            _ => ("ws online", "await", 6),
        };
        self.emit(EventKind::StepStarted(StepStarted {
            scenario: scenario.into(),
            step: step.into(),
            name: name.into(),
            shown: String::new(),
            verb: verb.into(),
            line,
            budget_ms: 20_000,
            limit: "input online_within".into(),
            attempt: 1,
        }))
    }

    pub(super) fn waiting(
        &mut self,
        scenario: &str,
        step: &str,
        last: &str,
        waited_ms: u64,
        slow: bool,
    ) -> &mut Self {
        self.emit(EventKind::StepWaiting(StepWaiting {
            scenario: scenario.into(),
            step: step.into(),
            wants: "status online of a new instance".into(),
            last: last.into(),
            waited_ms,
            slow,
        }))
    }

    pub(super) fn exchange(&mut self, scenario: &str, step: &str, status: u16) -> &mut Self {
        let started_ms = self.ms;
        self.emit(EventKind::Exchange(Box::new(Exchange {
            scenario: Some(scenario.into()),
            step: step.into(),
            attempt: 1,
            purpose: "look".into(),
            method: "GET".into(),
            url: format!("http://127.0.0.1:8080/workspaces/{ID}"),
            identity: "admin".into(),
            status: Some(status),
            response: Some(Body { json: Some(json!({ "status": "provisioning" })), text: None, bytes: 25 }),
            headers: [("retry-after".to_owned(), "1".to_owned())].into(),
            started_ms,
            took_ms: 3,
            ..Exchange::default()
        })))
    }

    pub(super) fn saw(&mut self, scenario: &str, status: Option<Status>, edge: u32) -> &mut Self {
        self.emit(EventKind::Observed(Observation {
            scenario: scenario.into(),
            workspace: "ws".into(),
            id: ID.into(),
            status,
            via: "poll".into(),
            edge,
            ..Observation::default()
        }))
    }

    pub(super) fn end_step(
        &mut self,
        scenario: &str,
        step: &str,
        outcome: StepOutcome,
        message: &str,
        took_ms: u64,
    ) -> &mut Self {
        let wait = matches!(step, "2" | "4").then(|| WaitStats {
            polls: 312,
            errors: 2,
            last_error: Some("GET /workspaces: Connection refused".into()),
            longest_gap_ms: 1_200,
            woken: 1,
            ..WaitStats::default()
        });
        self.emit(EventKind::StepFinished(StepFinished {
            scenario: scenario.into(),
            step: step.into(),
            outcome,
            message: message.into(),
            took_ms,
            wait,
            ..StepFinished::default()
        }))
    }

    pub(super) fn own(&mut self, resource: &str) -> &mut Self {
        self.emit(EventKind::Intent(Intent {
            resource: resource.into(),
            kind: "workspace".into(),
            name: format!("lc-{resource}"),
            base_url: "http://127.0.0.1:8080".into(),
            credential: "ADMIN_TOKEN".into(),
            ..Intent::default()
        }));
        self.emit(EventKind::Owned(Owned {
            resource: resource.into(),
            id: ID.into(),
            name: format!("lc-{resource}"),
        }))
    }

    pub(super) fn end(
        &mut self,
        scenario: &str,
        verdict: Verdict,
        reason: &str,
        change: impl Fn(&mut ScenarioFinished),
    ) -> &mut Self {
        let mut finished = ScenarioFinished {
            scenario: scenario.into(),
            verdict,
            reason: reason.into(),
            took_ms: self.ms,
            platform_ms: self.ms * 9 / 10,
            ..ScenarioFinished::default()
        };
        change(&mut finished);
        self.emit(EventKind::ScenarioFinished(Box::new(finished)))
    }

    pub(super) fn finish(&mut self, exit: ExitCode, reason: &str, left: &[&str]) -> &mut Self {
        let totals = self.state().totals();
        let took_ms = self.ms;
        self.emit(EventKind::RunFinished(RunFinished {
            exit,
            code: exit.code(),
            reason: reason.into(),
            counts: totals.counted().collect(),
            advisory_reds: totals.advisory_reds(),
            left: left.iter().map(|l| (*l).to_owned()).collect(),
            took_ms,
        }))
    }
}

/// One scenario that passes.
pub(super) fn healthy() -> Sample {
    let mut s = Sample::default();
    s.started().planned(|_| {}, &["smoke"]);
    s.begin("smoke").step("smoke", "1").own("w1").exchange("smoke", "1", 201);
    s.at(500).end_step("smoke", "1", StepOutcome::Passed, "created", 500);
    s.saw("smoke", Some(Status::Provisioning), 0).step("smoke", "2");
    s.at(1_500).saw("smoke", Some(Status::Online), 0);
    s.end_step("smoke", "2", StepOutcome::Passed, "online", 1_000);
    s.end("smoke", Verdict::Passed, "", |_| {});
    s.emit(EventKind::CleanupStarted { resources: 1 });
    s.emit(EventKind::Released(Released {
        resource: "w1".into(),
        by: "clean-up".into(),
        left_by_platform: None,
    }));
    s.at(1_600).emit(EventKind::CleanupFinished { removed: 1, left_by_platform: 0, leaks: 0, took_ms: 100 });
    s.finish(ExitCode::Passed, "passed", &[]);
    s
}

/// One scenario that is red with evidence and a mechanism, up to its end.
pub(super) fn failing(s: &mut Sample, scenario: &str, evidence_lines: usize) {
    s.begin(scenario).step(scenario, "1").own("w1").exchange(scenario, "1", 201);
    s.at(100).saw(scenario, Some(Status::Provisioning), 0);
    s.end_step(scenario, "1", StepOutcome::Passed, "created", 100).step(scenario, "2");
    s.at(600).saw(scenario, Some(Status::Online), 0);
    s.end_step(scenario, "2", StepOutcome::Passed, "online", 500);
    s.at(3_800).step(scenario, "3").saw(scenario, Some(Status::Provisioning), 1);
    s.end_step(scenario, "3", StepOutcome::Passed, "accepted", 12);
    s.at(3_812).step(scenario, "4").waiting(scenario, "4", "provisioning", 0, false);
    s.exchange(scenario, "4", 200).exchange(scenario, "4", 503);
    s.at(9_000).waiting(scenario, "4", "provisioning, last error 401 invalid api key | <b>", 5_200, false);
    s.at(15_000).waiting(scenario, "4", "provisioning, last error 401 invalid api key | <b>", 11_200, true);
    s.at(23_800);
    s.end_step(
        scenario,
        "4",
        StepOutcome::Failed,
        "wanted status online of a new instance within 20 s, saw provisioning",
        19_988,
    );
    let lines =
        |n: usize, what: &str| (0..n).map(|i| format!("{what} {i}: {}", "x".repeat(i * 7 % 150))).collect();
    let part = |name: &str, title: &str, lines: Vec<String>| EvidencePart {
        name: name.into(),
        title: title.into(),
        data: json!({ "lines": lines, "ratio": 0.30000000000000004 }),
        lines,
        took_ms: 4,
        ..EvidencePart::default()
    };
    s.emit(EventKind::Evidence(Box::new(Evidence {
        scenario: scenario.into(),
        step: "4".into(),
        workspace: Some(ID.into()),
        parts: vec![
            part("record", "Merged record", lines(evidence_lines, "field")),
            part(
                "environment",
                "Environment before and after",
                vec![
                    "MINIMAX_API_KEY: equals secret MINIMAX_API_KEY".into(),
                    "ANTHROPIC_AUTH_TOKEN: unset after restart, expected equals secret MINIMAX_API_KEY"
                        .into(),
                ],
            ),
            part(
                "activity",
                "Activity",
                lines(evidence_lines, "\u{1b}[31mactivity\u{1b}[0m ```</pre><script>"),
            ),
            EvidencePart {
                name: "server".into(),
                title: "Server log".into(),
                error: Some("no server log on this target".into()),
                ..EvidencePart::default()
            },
            part(
                "neighbours",
                "other workspaces",
                vec!["ws-other degraded: All connection attempts failed".into()],
            ),
        ],
    })));
    s.emit(EventKind::Diagnosed(Box::new(Diagnosis {
        scenario: scenario.into(),
        mechanism: "minimax-projection-lost".into(),
        summary: "After a restart the MiniMax key is no longer projected into what the SDK reads".into(),
        class: Class::Product,
        evidence: vec!["ANTHROPIC_AUTH_TOKEN was set before the restart and is unset after it".into(), "the agent logged 401 invalid api key".into()],
        rules_out: vec!["loss of the workspace token".into(), "network".into()],
        fix_shape: "Project the provider's key again on every edge that re-provisions, then assert it before the wait".into(),
        part: "claude-code template, runtime adapter".into(),
        issue: Some("#2709".into()),
        fingerprint: format!("{scenario}/await-ws-online/minimax-projection-lost/ANTHROPIC_AUTH_TOKEN"),
        ..Diagnosis::default()
    })));
    s.at(24_000);
}

/// Everything at once: red, advisory red, expected, flaky, skipped, cancelled, a leak.
pub(super) fn everything() -> Sample {
    let mut s = Sample::default();
    let names = [
        "advisory-real-image",
        "flaky-wake",
        FAILING,
        "needs-billing",
        "needs-containers",
        "never-began",
        "smoke",
        "xfail-canary",
    ];
    s.started().planned(
        |plan| match plan.scenario.as_str() {
            "advisory-real-image" => plan.advisory = true,
            "needs-billing" | "needs-containers" => {
                plan.skip = Some("the target offers no `billing` | `containers`".into())
            }
            "xfail-canary" => {
                plan.expects_failure = Some(ExpectedFailure {
                    issue: "#2863".into(),
                    reason: "the stub answers 401".into(),
                    mechanism: None,
                    until: "2026-12-31".into(),
                });
            }
            _ => {}
        },
        &names,
    );
    s.emit(EventKind::Warning { scenario: None, text: "the server offers no model `MiniMax-M2`".into() });
    failing(&mut s, FAILING, 3);
    s.end(
        FAILING,
        Verdict::Failed,
        "wanted status online of a new instance within 20 s, saw provisioning",
        |f| {
            f.step = Some("4".into());
            f.class = Some(Class::Product);
            f.milestones = vec!["created".into()];
            f.missing_milestones = vec!["restarted".into()];
        },
    );
    s.begin("smoke").step("smoke", "1").end_step("smoke", "1", StepOutcome::Passed, "", 7);
    s.end("smoke", Verdict::Passed, "", |_| {});
    s.begin("advisory-real-image").step("advisory-real-image", "2");
    s.end_step("advisory-real-image", "2", StepOutcome::Inconclusive, "no evidence of a new instance", 900);
    s.emit(EventKind::Diagnosed(Box::new(Diagnosis {
        scenario: "advisory-real-image".into(),
        mechanism: "unclassified".into(),
        nearest: vec!["stale-token: lacks a 401 on /registry/register".into()],
        ..Diagnosis::default()
    })));
    s.end("advisory-real-image", Verdict::Inconclusive, "no evidence of a new instance", |f| {
        f.advisory = true;
        f.step = Some("2".into());
    });
    s.begin("xfail-canary").step("xfail-canary", "2");
    s.end_step("xfail-canary", "2", StepOutcome::Failed, "saw failed", 30);
    s.end("xfail-canary", Verdict::ExpectedFailure, "#2863", |f| f.step = Some("2".into()));
    s.begin("flaky-wake").step("flaky-wake", "1").end(
        "flaky-wake",
        Verdict::Flaky,
        "step 1 passed at try 2",
        |_| {},
    );
    s.end("needs-billing", Verdict::Skipped, "the target offers no `billing` | `containers`", |_| {});
    s.end("never-began", Verdict::Cancelled, "interrupted", |_| {});
    s.emit(EventKind::CancelBegan { reason: CancelReason::Interrupted });
    s.emit(EventKind::CleanupStarted { resources: 1 });
    s.at(24_500).emit(EventKind::Left(Left {
        resource: "w1".into(),
        kind: "workspace".into(),
        id: Some(ID.into()),
        name: "lc-w1".into(),
        reason: "DELETE answered 500 five times".into(),
    }));
    s.emit(EventKind::CleanupFinished { removed: 0, left_by_platform: 0, leaks: 1, took_ms: 500 });
    s.finish(ExitCode::Failed, "a scenario failed: product, config or unclassified", &["workspace lc-w1"]);
    s
}

/// A variable of the tests themselves.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests")]
pub(super) fn switch(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
