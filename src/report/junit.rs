//! JUnit: a suite a file, a test case a scenario instance.
//!
//! Advisory and expected failures are `skipped` with the full text, so that dashboards stay honest.

use std::time::Duration;

use indexmap::IndexMap;
use quick_junit::{
    NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestRerun, TestSuite,
};

use super::drifted::{self, Difference};
use super::scenario_state::ScenarioState;
use super::state::RunState;
use super::text::clean;
use super::whole::{failure_text, steps_text};
use crate::event::{Class, PartState, Verdict};

/// The file, whole.
///
/// # Errors
/// The writer's word; none is known that a state can cause.
pub(super) fn render(state: &RunState) -> Result<String, SerializeError> {
    let mut report = Report::new(format!("lifecycle {}", xml(&state.identity.run)));
    report.set_time(Duration::from_millis(state.took_ms()));
    let mut suites: IndexMap<&str, Vec<&ScenarioState>> = IndexMap::new();
    for scenario in state.scenarios.values().filter(|s| !s.is_retry()) {
        suites.entry(&scenario.plan.file).or_default().push(scenario);
    }
    for (n, (file, scenarios)) in suites.into_iter().enumerate() {
        let mut suite = TestSuite::new(if file.is_empty() { "unknown file".to_owned() } else { xml(file) });
        suite.timestamp = state.started_at.parse().ok();
        if !file.is_empty() {
            suite.extra.insert("file".into(), xml(file).into());
        }
        // The run's identity is said once; each suite names the run.
        let told = if n == 0 { usize::MAX } else { 1 };
        for (name, value) in identity(state).into_iter().take(told) {
            suite.add_property(Property::new(name, xml(&value)));
        }
        let mut time = 0;
        for scenario in scenarios {
            time += scenario.finish.as_ref().map_or(0, |f| f.took_ms);
            suite.add_test_case(case(state, scenario));
        }
        suite.set_time(Duration::from_millis(time));
        report.add_test_suite(suite);
    }
    let drifts = drifted::all(state);
    if !drifts.is_empty() {
        let mut suite = TestSuite::new(super::class_name(Class::Contract));
        suite.timestamp = state.started_at.parse().ok();
        for drift in &drifts {
            suite.add_test_case(of_contract(drift));
        }
        report.add_test_suite(suite);
    }
    if let Some(case) = unrun(state) {
        let mut suite = TestSuite::new("run");
        suite.timestamp = state.started_at.parse().ok();
        for (name, value) in identity(state) {
            suite.add_property(Property::new(name, xml(&value)));
        }
        suite.add_test_case(case);
        report.add_test_suite(suite);
    }
    report.to_string().map(|text| without_skipped(&text))
}

/// Jenkins' schema (junit-10) knows no `skipped` of all suites together.
fn without_skipped(text: &str) -> String {
    let root = text.find("<testsuites").and_then(|start| Some(start..start + text[start..].find('>')?));
    let attribute = root.and_then(|root| {
        let start = root.start + text[root].find(" skipped=\"")?;
        let value = start + " skipped=\"".len();
        Some(start..value + text[value..].find('"')? + 1)
    });
    match attribute {
        Some(attribute) => format!("{}{}", &text[..attribute.start], &text[attribute.end..]),
        None => text.to_owned(),
    }
}

/// A run that came to no scenario and not to a good end: no tests would look like no trouble.
fn unrun(state: &RunState) -> Option<TestCase> {
    if !state.scenarios.is_empty() {
        return None;
    }
    let (kind, reason) = match &state.finished {
        Some(finished) if finished.code == 0 => return None,
        Some(finished) => (format!("exit {}", finished.code), finished.reason.as_str()),
        None => ("unfinished".to_owned(), "the log ends before any scenario"),
    };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(xml(reason)).set_type(kind);
    Some(TestCase::new("run", status))
}

/// A difference is a test that failed, unless somebody knows of it or it decides nothing.
fn of_contract(drift: &Difference<'_>) -> TestCase {
    let mut status = match drift.is_advisory() || drift.known().is_some() {
        true => TestCaseStatus::skipped(),
        false => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    status.set_type(super::class_name(Class::Contract)).set_message(xml(&drift.line()));
    let mut case = TestCase::new(drift.name(), status);
    case.set_classname(super::class_name(Class::Contract));
    case.set_system_out(xml(&format!("fingerprint: {}\n{}", drift.fingerprint(), drift.text())));
    case
}

/// Who ran what against what, as properties.
pub(super) fn identity(state: &RunState) -> Vec<(&'static str, String)> {
    let identity = &state.identity;
    let mut all = vec![
        ("run", identity.run.clone()),
        ("tool_version", identity.tool_version.clone()),
        ("host", identity.host.clone()),
        ("catalogue_sha256", identity.catalogue.sha256.clone()),
    ];
    if let Some(target) = &identity.target {
        all.push(("target", target.kind.clone()));
        all.push(("base_url", target.base_url.clone()));
        all.push(("time_scale", target.time_scale.to_string()));
        if let Some(buildinfo) = &target.buildinfo {
            all.push(("buildinfo", buildinfo.to_string()));
        }
    }
    if let Some(error) = &identity.target_error {
        all.push(("target_error", error.clone()));
    }
    if let Some(profile) = &identity.profile {
        all.push(("profile", format!("{} {}", profile.name, profile.sha256)));
    }
    for (key, name) in [
        ("system", "ci_system"),
        ("run", "ci_run"),
        ("job", "ci_job"),
        ("commit", "commit"),
        ("url", "ci_url"),
    ] {
        if let Some(value) = identity.ci.get(key) {
            all.push((name, value.clone()));
        }
    }
    for part in state.parts.iter().filter(|p| matches!(p.state, PartState::Failed | PartState::Died)) {
        let text = format!("{} {}: {}", part.part, part.state.as_str(), part.text);
        all.push((
            "part",
            [text].into_iter().chain(part.lines.iter().cloned()).collect::<Vec<_>>().join("\n"),
        ));
    }
    for fixed in &state.fixed {
        all.push(("fixed_red", format!("{} {}", fixed.fingerprint, fixed.told)));
    }
    if let Some(finished) = &state.finished {
        all.push(("exit_code", finished.code.to_string()));
        all.push(("exit_reason", finished.reason.clone()));
    }
    for remark in &state.remarks {
        all.push(("remark", remark.clone()));
    }
    all
}

fn case(state: &RunState, scenario: &ScenarioState) -> TestCase {
    let mut case = TestCase::new(xml(scenario.name()), status(state, scenario));
    case.set_classname(xml(&classname(&scenario.plan.file)));
    if let Some(finish) = &scenario.finish {
        case.set_time(Duration::from_millis(finish.took_ms));
    }
    let mut out: String = facts(scenario).iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    out.push_str(&steps_text(state, scenario));
    case.set_system_out(xml(&out));
    case
}

/// What a test case has no attribute for, above its steps.
fn facts(scenario: &ScenarioState) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("place", clean(&scenario.place(scenario.decisive_step()))),
        ("verdict", scenario.verdict().map_or("no end", Verdict::as_str).to_owned()),
        ("gate", if scenario.is_advisory() { "advisory" } else { "required" }.to_owned()),
    ];
    if let Some(expected) = &scenario.plan.expects_failure {
        facts.push(("expected failure", format!("{} until {}", expected.issue, expected.until)));
    }
    if let Some(diagnosis) = &scenario.diagnosis {
        facts.push(("cause", format!("{} ({})", diagnosis.mechanism, super::class_name(diagnosis.class))));
        facts.push(("fingerprint", diagnosis.fingerprint.clone()));
    }
    if let Some(known) = scenario.known() {
        facts.push(("known red", known.to_owned()));
    } else if scenario.is_new() {
        facts.push(("new red", scenario.new_because().to_owned()));
    }
    if let Some(finish) = &scenario.finish {
        facts.extend(finish.milestones.iter().map(|milestone| ("milestone", milestone.clone())));
        facts.extend(
            finish.missing_milestones.iter().map(|milestone| ("missing milestone", milestone.clone())),
        );
        facts.extend(finish.unproven.iter().map(|step| ("unproven answer", format!("step {step}"))));
    }
    facts
}

fn status(state: &RunState, scenario: &ScenarioState) -> TestCaseStatus {
    let Some(verdict) = scenario.verdict() else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message("the log ends before this scenario").set_type("unfinished");
        return status;
    };
    let mut status = match verdict {
        Verdict::Passed => return TestCaseStatus::success(),
        Verdict::Flaky => {
            let mut first_try = TestRerun::new(NonSuccessKind::Failure);
            first_try.set_message(xml(scenario.reason())).set_type("flaky");
            let mut status = TestCaseStatus::success();
            status.add_rerun(first_try);
            return status;
        }
        Verdict::Skipped | Verdict::Cancelled | Verdict::ExpectedFailure => TestCaseStatus::skipped(),
        Verdict::Failed | Verdict::Inconclusive | Verdict::UnexpectedPass | Verdict::Error
            if scenario.is_advisory() =>
        {
            TestCaseStatus::skipped()
        }
        Verdict::Failed | Verdict::Inconclusive | Verdict::UnexpectedPass => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        Verdict::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let kind = scenario.diagnosis.as_ref().map_or(verdict.as_str(), |d| d.mechanism.as_str());
    status.set_type(xml(kind));
    let prefix = match verdict {
        Verdict::ExpectedFailure => "failed as expected: ",
        Verdict::Cancelled => "cancelled: ",
        v if v.is_red() && scenario.is_advisory() => "advisory red: ",
        _ => "",
    };
    status.set_message(xml(&format!("{prefix}{}", scenario.reason())));
    if scenario.has_failure() {
        let place = clean(&scenario.place(scenario.decisive_step()));
        status.set_description(xml(&format!("{place}\n{}", failure_text(state, scenario))));
    }
    status
}

/// `scenarios/local/provision.yaml` → `scenarios.local.provision`.
fn classname(file: &str) -> String {
    file.trim_matches(['<', '>', '/'])
        .trim_end_matches(".yaml")
        .replace("<", "")
        .replace(">", "")
        .replace('/', ".")
}

/// Without the characters that XML 1.0 has no way to write.
fn xml(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_write_is_left_out() {
        assert_eq!(xml("a\0b\u{8}c\u{1b}d\u{fffe}e\u{ffff}\tf\ng"), "abcde\tf\ng");
        assert_eq!(classname("<built-in>/local-provision.yaml"), "built-in.local-provision");
        assert_eq!(classname("scenarios/a/b.yaml"), "scenarios.a.b");
    }
}
