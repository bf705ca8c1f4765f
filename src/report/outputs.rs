//! What the next step of a CI job and a collector of metrics read: `GITHUB_OUTPUT`, Prometheus' text format.

use super::state::RunState;
use super::text::clean;
use crate::event::Verdict;

/// `name=value` lines for `GITHUB_OUTPUT`.
pub(super) fn step_outputs(state: &RunState) -> String {
    let totals = state.totals();
    let code = state.finished.as_ref().map_or_else(String::new, |finished| finished.code.to_string());
    let reason = state.finished.as_ref().map_or("", |finished| finished.reason.as_str());
    let causes: Vec<String> = state.causes().iter().map(super::Cause::title).collect();
    let mut lines = vec![
        ("exit", code),
        ("reason", reason.to_owned()),
        ("run", state.identity.run.clone()),
        ("scenarios", totals.scenarios.to_string()),
        ("red", state.reds().filter(|red| !red.is_advisory()).count().to_string()),
        ("new", state.reds().filter(|red| red.is_new()).count().to_string()),
        ("causes", causes.join("; ")),
        ("left", state.left().len().to_string()),
    ];
    for verdict in Verdict::ALL {
        lines.push((name(verdict), totals.of(verdict).to_string()));
    }
    lines.iter().map(|(name, value)| format!("{name}={}\n", clean(value))).collect()
}

/// A verdict as a name without spaces.
fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Flaky => "flaky",
        Verdict::ExpectedFailure => "expected_failure",
        Verdict::Skipped => "skipped",
        Verdict::Failed => "failed",
        Verdict::Inconclusive => "inconclusive",
        Verdict::UnexpectedPass => "unexpected_pass",
        Verdict::Error => "error",
        Verdict::Cancelled => "cancelled",
    }
}

/// Prometheus' text format, for node_exporter's textfile collector.
pub(super) fn prometheus(state: &RunState) -> String {
    let mut text = String::new();
    let mut metric = |name: &str, help: &str, rows: &[(String, String)]| {
        if rows.is_empty() {
            return;
        }
        text.push_str(&format!("# HELP lifecycle_{name} {help}\n# TYPE lifecycle_{name} gauge\n"));
        for (labels, value) in rows {
            let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
            text.push_str(&format!("lifecycle_{name}{labels} {value}\n"));
        }
    };
    let one = |value: String| vec![(String::new(), value)];
    let ended = state.clock_at(state.last_ms).parse::<jiff::Timestamp>().ok().map(|at| at.as_second());
    if let Some(finished) = &state.finished {
        metric("exit_code", "Exit code of the last run.", &one(finished.code.to_string()));
        let passed = u8::from(finished.code == 0);
        metric("up", "1 when the last run passed.", &one(passed.to_string()));
        if let Some(ended) = ended.filter(|_| finished.code == 0) {
            metric("last_success_timestamp_seconds", "When a run last passed.", &one(ended.to_string()));
        }
    }
    if let Some(ended) = ended {
        metric("last_run_timestamp_seconds", "When the last run ended.", &one(ended.to_string()));
    }
    metric("run_seconds", "Wall time of the last run.", &one(seconds(state.took_ms())));
    let totals = state.totals();
    let verdicts: Vec<_> = Verdict::ALL
        .into_iter()
        .map(|verdict| (format!("verdict=\"{}\"", name(verdict)), totals.of(verdict).to_string()))
        .collect();
    metric("scenarios", "Scenarios of the last run by verdict.", &verdicts);
    let reds = |what: &str, n: usize| (format!("standing=\"{what}\""), n.to_string());
    let known = state.reds().filter(|red| red.known().is_some()).count();
    let new = state.reds().filter(|red| red.is_new()).count();
    metric(
        "reds",
        "Reds of the last run: known, new to the state file, fixed since.",
        &[reds("known", known), reds("new", new), reds("fixed", state.fixed.len())],
    );
    let mut causes = Vec::new();
    for cause in state.causes() {
        causes.push((
            format!("mechanism=\"{}\",key=\"{}\"", label(&cause.name), label(cause.key)),
            cause.reds.len().to_string(),
        ));
    }
    metric("cause_reds", "Reds of the last run by cause.", &causes);
    let mut phases = Vec::new();
    let mut took = Vec::new();
    for scenario in state.scenarios.values() {
        let Some(finish) = &scenario.finish else { continue };
        if scenario.started_ms.is_none() {
            continue;
        }
        let who = format!("scenario=\"{}\"", label(scenario.name()));
        took.push((who.clone(), seconds(finish.took_ms)));
        for step in scenario.steps.values() {
            if let Some(result) = &step.result {
                let step_name =
                    format!("{who},step=\"{}\",verb=\"{}\"", label(&step.step), label(&step.verb));
                phases.push((step_name, seconds(result.took_ms)));
            }
        }
    }
    metric("scenario_seconds", "Wall time of a scenario's body.", &took);
    metric("step_seconds", "Wall time of a step.", &phases);
    metric("left", "Resources that could not be removed.", &one(state.left().len().to_string()));
    text
}

const SUCCESS: &str = "lifecycle_last_success_timestamp_seconds";

/// What the file that is replaced says of the last success, where the run is none: whoever waits for the next one loses
/// sight of it otherwise at the first red.
pub(super) fn last_success(text: &str, replaced: &str) -> String {
    let is_ours = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["#", "HELP" | "TYPE", name, ..] => *name == SUCCESS,
            [name, value] => *name == SUCCESS && value.parse::<u64>().is_ok(),
            _ => false,
        }
    };
    if text.contains(SUCCESS) {
        return String::new();
    }
    replaced.lines().filter(is_ours).map(|line| format!("{line}\n")).collect()
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

fn label(text: &str) -> String {
    clean(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_red_keeps_the_last_success_of_the_file_that_it_replaces() {
        let kept = "# HELP lifecycle_last_success_timestamp_seconds When a run last passed.\n\
                    # TYPE lifecycle_last_success_timestamp_seconds gauge\n\
                    lifecycle_last_success_timestamp_seconds 1781329315\n";
        let old =
            format!("lifecycle_up 1\n{kept}lifecycle_last_success_timestamp_seconds{{x=\"1\"}} rubbish\n");
        assert_eq!(last_success("lifecycle_up 0\n", &old), kept);
        assert_eq!(last_success(kept, &old), "");
        assert_eq!(last_success("lifecycle_up 0\n", ""), "");
    }
}
