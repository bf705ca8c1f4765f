//! The table of exit codes: the one place where a meaning gets its number.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// How a process of `lifecycle` ends (DESIGN §2). The page `docs/exit-codes.md` is made from this.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ExitCode {
    /// Everything that ran passed.
    Passed,
    /// A scenario failed: product, config or unclassified.
    Failed,
    /// Bad input or usage, or an `error` contradiction: nothing was sent.
    BadInput,
    /// The environment or the harness itself.
    Environment,
    /// Passed, but something is left that could not be removed.
    Leak,
    /// Nothing of what was asked for ran, or live work was demanded and did not happen.
    NotLive,
    /// Flaky, or an expected failure passed.
    Flaky,
    /// Only known reds.
    KnownRed,
    /// Another run holds the lock.
    Locked,
    /// A dependency (provider, proxy) is down.
    DependencyDown,
    /// A dependency is not configured.
    NotConfigured,
    /// INT, after clean-up.
    Interrupted,
    /// TERM, after clean-up.
    Terminated,
}

impl ExitCode {
    /// In order of precedence: when several hold, the first of this list wins.
    pub const PRECEDENCE: [ExitCode; 13] = [
        ExitCode::Interrupted,
        ExitCode::Terminated,
        ExitCode::BadInput,
        ExitCode::Locked,
        ExitCode::Environment,
        ExitCode::NotConfigured,
        ExitCode::DependencyDown,
        ExitCode::Failed,
        ExitCode::KnownRed,
        ExitCode::NotLive,
        ExitCode::Leak,
        ExitCode::Flaky,
        ExitCode::Passed,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            ExitCode::Passed => 0,
            ExitCode::Failed => 1,
            ExitCode::BadInput => 2,
            ExitCode::Environment => 3,
            ExitCode::Leak => 4,
            ExitCode::NotLive => 5,
            ExitCode::Flaky => 6,
            ExitCode::KnownRed => 7,
            ExitCode::Locked => 8,
            ExitCode::DependencyDown => 70,
            ExitCode::NotConfigured => 71,
            ExitCode::Interrupted => 130,
            ExitCode::Terminated => 143,
        }
    }

    /// One line for people.
    pub fn meaning(self) -> &'static str {
        match self {
            ExitCode::Passed => "passed",
            ExitCode::Failed => "a scenario failed: product, config or unclassified",
            ExitCode::BadInput => "bad input or usage, or an `error` contradiction: nothing was sent",
            ExitCode::Environment => {
                "the environment or the harness itself: unreachable, set-up failed, transport dead, internal error"
            }
            ExitCode::Leak => "passed, but something is left that could not be removed",
            ExitCode::NotLive => {
                "nothing of what was asked for ran, or live work was demanded and did not happen"
            }
            ExitCode::Flaky => "flaky, or an expected failure passed",
            ExitCode::KnownRed => "only known reds (`--known`, `--state`)",
            ExitCode::Locked => "another run holds the lock",
            ExitCode::DependencyDown => "a dependency (provider, proxy) is down",
            ExitCode::NotConfigured => "a dependency is not configured",
            ExitCode::Interrupted => "interrupted, after clean-up",
            ExitCode::Terminated => "terminated, after clean-up",
        }
    }

    /// The code of a run in which all of these hold.
    pub fn worst(codes: &BTreeSet<ExitCode>) -> ExitCode {
        Self::PRECEDENCE.into_iter().find(|code| codes.contains(code)).unwrap_or(ExitCode::Passed)
    }

    /// `docs/exit-codes.md`, whole.
    pub fn page() -> String {
        let mut codes = Self::PRECEDENCE;
        codes.sort_by_key(|c| c.code());
        let mut page = String::from(
            "# Exit codes\n\nThis page is generated from `src/domain/exit.rs`; a test compares the two.\n\n\
             | code | meaning |\n|---|---|\n",
        );
        for code in codes {
            page.push_str(&format!("| {} | {} |\n", code.code(), code.meaning()));
        }
        page.push_str("\nWhen several hold, the first of these wins: ");
        let order: Vec<String> = Self::PRECEDENCE.iter().map(|c| c.code().to_string()).collect();
        page.push_str(&order.join(", "));
        page.push_str(".\n\nA class of cause maps to one code: product, config, contract and unclassified to 1, infra and harness to 3, provider to 70.\n");
        page
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_place_and_a_number_of_its_own() {
        let numbers: BTreeSet<u8> = ExitCode::PRECEDENCE.iter().map(|c| c.code()).collect();
        assert_eq!(numbers.len(), ExitCode::PRECEDENCE.len());
    }

    #[test]
    fn precedence_is_the_designs() {
        let order: Vec<u8> = ExitCode::PRECEDENCE.iter().map(|c| c.code()).collect();
        assert_eq!(order, [130, 143, 2, 8, 3, 71, 70, 1, 7, 5, 4, 6, 0]);
    }

    #[test]
    fn a_leak_never_hides_a_failure() {
        let codes = BTreeSet::from([ExitCode::Leak, ExitCode::Failed, ExitCode::Flaky]);
        assert_eq!(ExitCode::worst(&codes), ExitCode::Failed);
        assert_eq!(ExitCode::worst(&BTreeSet::new()), ExitCode::Passed);
    }
}
