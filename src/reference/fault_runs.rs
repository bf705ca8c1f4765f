//! Which fault is noticed by which scenario, as which mechanism: what `docs/faults.md` shows, `reproduce` runs, and a
//! test holds true.

use crate::scenario::scenario_of;

/// One line of the table: a fault, what must notice it, and how it is explained.
#[derive(Clone, Copy, Debug)]
pub struct FaultRun {
    /// The fault, with its value where it needs another one than its own.
    pub fault: &'static str,
    /// Shipped scenarios, or `waits`, which is one of nothing but waits.
    pub scenarios: &'static [&'static str],
    /// Inputs and flags that make it show in seconds.
    pub flags: &'static [&'static str],
    /// What every one of the scenarios comes to; `None`: the run does not begin.
    pub verdict: Option<&'static str>,
    /// The mechanism of each red.
    pub mechanism: &'static str,
    /// The exit code of the run.
    pub exit: i32,
}

impl FaultRun {
    /// Its own name, without a value.
    pub fn name(&self) -> &'static str {
        self.fault.split('=').next().unwrap_or_default()
    }
}

/// The faults that a mechanism explains; those that are known to show in an instance's scenario come first.
pub fn making(mechanism: &str, instance: &str) -> Vec<&'static FaultRun> {
    let scenario = scenario_of(instance);
    let mut runs: Vec<&FaultRun> =
        TABLE.iter().filter(|run| !mechanism.is_empty() && run.mechanism == mechanism).collect();
    runs.sort_by_key(|run| !run.scenarios.contains(&scenario));
    runs
}

/// A fault is known to make the mechanism in the scenario of an instance.
pub fn shows(mechanism: &str, instance: &str) -> bool {
    making(mechanism, instance).first().is_some_and(|run| run.scenarios.contains(&scenario_of(instance)))
}

const fn red(
    fault: &'static str,
    scenarios: &'static [&'static str],
    flags: &'static [&'static str],
    mechanism: &'static str,
) -> FaultRun {
    FaultRun { fault, scenarios, flags, verdict: Some("failed"), mechanism, exit: 1 }
}

const fn provider(
    fault: &'static str,
    scenarios: &'static [&'static str],
    mechanism: &'static str,
) -> FaultRun {
    FaultRun { fault, scenarios, flags: &[], verdict: Some("failed"), mechanism, exit: 70 }
}

const fn infra(fault: &'static str, scenarios: &'static [&'static str], mechanism: &'static str) -> FaultRun {
    FaultRun { fault, scenarios, flags: &[], verdict: Some("failed"), mechanism, exit: 3 }
}

const fn green(fault: &'static str, scenarios: &'static [&'static str]) -> FaultRun {
    FaultRun { fault, scenarios, flags: &[], verdict: Some("passed"), mechanism: "", exit: 0 }
}

const PROVISION: &[&str] = &["local-provision"];
const ANSWER: &[&str] = &["local-first-answer"];

/// Faults that the default waits would only notice after minutes get shorter ones; `--time-scale 1` where
/// the platform's own five minutes must outlast them.
pub const TABLE: &[FaultRun] = &[
    red("no-projection", &["local-first-answer", "local-provision"], &[], "projection-missing"),
    red(
        "projection-lost-on-restart",
        &["local-provision", "local-pause-resume"],
        &[],
        "projection-lost-over-edge",
    ),
    red("base-url-double-v1", &["local-first-answer", "local-provision"], &[], "base-url-keeps-v1"),
    red("restart-context-source", PROVISION, &[], "restart-context-source"),
    red(
        "register-400-once",
        &["local-first-answer", "local-provision"],
        &["--time-scale", "1", "-i", "online_within=5s"],
        "register-400-leaves-degraded",
    ),
    red("never-online", ANSWER, &["-i", "online_within=5s"], "agent-never-speaks"),
    red("boot-failed", &["local-first-answer", "local-provision"], &[], "provision-start-failed"),
    red("slow-online=150", ANSWER, &["-i", "online_within=1s"], "boot-outlives-deadline"),
    red("agent-401", PROVISION, &[], "wrong-credential-projected"),
    provider("empty-completion", &["local-first-answer", "local-provision"], "empty-completion"),
    provider("error-as-text", &["local-first-answer", "local-provision"], "provider-overloaded"),
    red("acknowledges-first", ANSWER, &[], "acknowledged-not-answered"),
    red("reply-of-another", &["local-first-answer", "local-provision"], &[], "reply-of-another-request"),
    red("url-unroutable", ANSWER, &["--time-scale", "1", "-i", "online_within=5s"], "agent-url-unroutable"),
    red("config-volume-lost", &["local-provision", "local-restart-context"], &[], "config-volume-lost"),
    red(
        "token-lost-on-restart",
        &["local-provision", "local-pause-resume"],
        &["-i", "restart_within=5s"],
        "token-lost-over-edge",
    ),
    red("secret-write-ignored", &["local-secret-write", "settings-secrets"], &[], "secret-write-dropped"),
    red(
        "stale-online-after-kill",
        &["local-instance-terminated"],
        &["-i", "noticed_within=5s"],
        "dead-instance-stays-online",
    ),
    red("restart-noop", &["local-provision", "local-restart-context"], &[], "restart-keeps-old-instance"),
    // Its heartbeats turn the row online again, and nobody takes that for the new instance.
    green("old-lingers", &["local-provision"]),
    red("delete-leaks", ANSWER, &[], "delete-not-removed"),
    red("stop-ignored", &["local-pause-resume", "local-hibernate-restart"], &[], "instance-outlives-edge"),
    // June's server does not tell of it, and its instance goes on.
    red("stop-fails", &["local-pause-resume"], &["--edition", "mid-august"], "edge-failed-at-stage"),
    red("resume-not-stored", &["local-pause-resume"], &[], "edge-not-stored"),
    // The step and the clean-up ask again, and look until the row is gone.
    green("delete-busy", ANSWER),
    green("delete-later", ANSWER),
    red("refused-after-commit", ANSWER, &[], "create-required-variable"),
    red("queued-for-another", ANSWER, &[], "reply-of-another-request"),
    red("cp-forbids", ANSWER, &[], "cp-forbids-name"),
    infra("cp-away", ANSWER, "cp-behind-a-gateway-error"),
    infra("cp-silent", ANSWER, "cp-answers-too-late"),
    // The harness finds the workspace by its name and makes no second one.
    green("create-duplicates-on-retry", &["local-first-answer"]),
    FaultRun { fault: "hang", scenarios: ANSWER, flags: &[], verdict: None, mechanism: "", exit: 3 },
    green("http-503-every-n=3", &["waits"]),
    green("http-429-every-n=3", &["waits"]),
    green("reset-every-n=5", &["waits"]),
    green("garbage-every-n=3", &["waits"]),
    green("hang-every-n=11", &["waits"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::faults::ALL;

    #[test]
    fn a_run_is_explained_by_a_name_that_its_fault_may_have() {
        for run in TABLE.iter().filter(|run| !run.mechanism.is_empty()) {
            let info = ALL.iter().find(|info| info.name == run.name());
            let names = info.map(|info| info.fault.mechanisms()).unwrap_or_default();
            assert!(names.contains(&run.mechanism), "{}: {} is not in {names:?}", run.fault, run.mechanism);
        }
    }

    #[test]
    fn a_mechanism_finds_its_fault_and_an_unknown_one_finds_none() {
        let faults =
            |mechanism: &str| making(mechanism, "x").iter().map(|run| run.name()).collect::<Vec<_>>();
        assert_eq!(faults("boot-outlives-deadline"), ["slow-online"]);
        assert_eq!(faults("unclassified"), [""; 0]);
        assert_eq!(faults(""), [""; 0]);
    }
}
