//! How a scenario ended, and why.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::ExitCode;

/// The class of a cause; each maps to one exit code.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The platform.
    Product,
    /// How it was asked: scenario, inputs, workflow.
    Config,
    /// Machine, network, unreachable server.
    Infra,
    /// A model provider or proxy.
    Provider,
    /// This tool.
    Harness,
    /// The server does what it was changed to do, and another thing was expected.
    Contract,
    /// Nobody knows yet.
    #[default]
    Unclassified,
}

impl Class {
    /// The code that a required red of this class gives.
    pub fn exit(self) -> ExitCode {
        match self {
            Class::Product | Class::Config | Class::Contract | Class::Unclassified => ExitCode::Failed,
            Class::Infra | Class::Harness => ExitCode::Environment,
            Class::Provider => ExitCode::DependencyDown,
        }
    }
}

/// Why a scenario failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// Which scenario.
    pub scenario: String,
    /// Name in the catalogue of mechanisms, or `unclassified`.
    pub mechanism: String,
    /// One sentence.
    pub summary: String,
    /// Its class.
    pub class: Class,
    /// Quoted evidence.
    pub evidence: Vec<String>,
    /// What it rules out.
    pub rules_out: Vec<String>,
    /// What a fix looks like.
    pub fix_shape: String,
    /// The responsible part.
    pub part: String,
    /// A known issue.
    pub issue: Option<String>,
    /// Stable identity of this red: scenario, step name or verb and subject, mechanism, key field.
    pub fingerprint: String,
    /// The same as earlier versions wrote it, with the step's number; lists and states that hold it still match.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub former_fingerprint: String,
    /// For `unclassified`: the nearest mechanisms and what they lacked.
    pub nearest: Vec<String>,
    /// What holds as well, and is not the cause or not the first one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_seen: Vec<AlsoSeen>,
}

/// What a failure is called that no mechanism explains; such a failure has no cause in common with another one but its
/// own words.
pub(crate) const UNCLASSIFIED: &str = "unclassified";

impl Diagnosis {
    /// What of the mechanism: a variable, a code. It follows the mechanism in a fingerprint.
    fn key(&self) -> &str {
        let name = format!("/{}/", self.mechanism);
        self.fingerprint.rfind(&name).map_or("", |at| &self.fingerprint[at + name.len()..])
    }
}

/// By what a red is the same as another one: its mechanism and key, or else the words of its reason.
pub(crate) fn cause_of<'a>(diagnosis: Option<&'a Diagnosis>, reason: &str) -> (Cow<'a, str>, &'a str) {
    match diagnosis {
        Some(diagnosis) if diagnosis.mechanism != UNCLASSIFIED => {
            (Cow::Borrowed(&diagnosis.mechanism), diagnosis.key())
        }
        _ => (Cow::Owned(without_numbers(reason)), ""),
    }
}

/// Ids, times and ports differ between reds of one cause.
fn without_numbers(reason: &str) -> String {
    let mut out = String::new();
    for word in reason.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        let digits = word.chars().filter(char::is_ascii_digit).count();
        // A status is a number that says something.
        let plain = digits == 0 || (digits == 3 && word.len() <= 4);
        out.push_str(if plain { word } else { "…" });
    }
    out
}

/// A mechanism whose evidence is there and that is not what a failure is named after.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlsoSeen {
    /// Its name in the catalogue.
    pub mechanism: String,
    /// One sentence.
    pub summary: String,
    /// It could have made this failure too: a second cause. Otherwise it only holds.
    pub explains: bool,
    /// The first of its evidence.
    pub evidence: Vec<String>,
}

/// How a scenario ended.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All steps passed at the first try.
    #[default]
    Passed,
    /// A step passed only at a later try.
    Flaky,
    /// Failed as expected, by the expected mechanism.
    ExpectedFailure,
    /// Did not run here; the reason says why.
    Skipped,
    /// A required step failed.
    Failed,
    /// Neither proven nor refuted: red.
    Inconclusive,
    /// An expected failure passed: red.
    UnexpectedPass,
    /// The environment or the harness itself.
    Error,
    /// The run was cancelled before it ended.
    Cancelled,
}

impl Verdict {
    /// All verdicts, in the order in which summaries count them.
    pub const ALL: [Verdict; 9] = [
        Verdict::Passed,
        Verdict::Flaky,
        Verdict::ExpectedFailure,
        Verdict::Skipped,
        Verdict::Failed,
        Verdict::Inconclusive,
        Verdict::UnexpectedPass,
        Verdict::Error,
        Verdict::Cancelled,
    ];

    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Flaky => "flaky",
            Verdict::ExpectedFailure => "failed as expected",
            Verdict::Skipped => "skipped",
            Verdict::Failed => "failed",
            Verdict::Inconclusive => "inconclusive",
            Verdict::UnexpectedPass => "passed unexpectedly",
            Verdict::Error => "error",
            Verdict::Cancelled => "cancelled",
        }
    }

    /// Whether a required scenario with this verdict turns the run red.
    pub fn is_red(self) -> bool {
        matches!(self, Verdict::Failed | Verdict::Inconclusive | Verdict::UnexpectedPass | Verdict::Error)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A scenario ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioFinished {
    /// Which.
    pub scenario: String,
    /// How.
    pub verdict: Verdict,
    /// Shown, never turns the run red.
    pub advisory: bool,
    /// Of a red.
    pub class: Option<Class>,
    /// Why, in one line: the failed step's message, the skip's reason, the expected failure's issue.
    pub reason: String,
    /// The step that decided.
    pub step: Option<String>,
    /// A red that `--known` names, or that `--state` remembers: its issue and until when, or since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// A red that no run before had that used the same `--state`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new: bool,
    /// Of a new red that an earlier run saw and that was fixed in between: its history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_back: Option<String>,
    /// Another attempt after a red one: its scenario counts once, by its first attempt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
    /// Milestones that were reached.
    pub milestones: Vec<String>,
    /// Milestones that were declared and not reached.
    pub missing_milestones: Vec<String>,
    /// Steps that passed by an answer that nobody could judge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<String>,
    /// It passed, and none of its steps ran.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idle: bool,
    /// Wall time of the body, without clean-up.
    pub took_ms: u64,
    /// The platform's own time: sum of the transitions that were waited for.
    pub platform_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_red_to_red_is_no_cause() {
        for (reason, cause) in [
            ("GET http://127.0.0.1:8080/x answered 503, wanted 200", "GET … answered 503, wanted 200"),
            ("not online within 5.1 s", "not online within … s"),
            ("", ""),
        ] {
            assert_eq!(without_numbers(reason), cause);
        }
    }
}
