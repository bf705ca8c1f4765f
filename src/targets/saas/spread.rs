//! Over how many organisations a run spreads its scenarios.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

/// More are never made by one run.
const MOST: usize = 1_000;

/// `--org`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Spread {
    /// So many, shared in turn; one is what a run makes when nobody says.
    Over(NonZeroUsize),
    /// Each scenario has its own, which is purged as it ends.
    Each,
}

impl Default for Spread {
    fn default() -> Spread {
        Spread::Over(NonZeroUsize::MIN)
    }
}

/// Why a text is no number of organisations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}`: a number of organisations from 1 to {MOST}, or `each`")]
pub struct SpreadError(String);

impl std::str::FromStr for Spread {
    type Err = SpreadError;

    fn from_str(text: &str) -> Result<Spread, SpreadError> {
        if text == "each" {
            return Ok(Spread::Each);
        }
        let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MOST);
        number.map(Spread::Over).ok_or_else(|| SpreadError(text.to_owned()))
    }
}

impl TryFrom<String> for Spread {
    type Error = SpreadError;

    fn try_from(text: String) -> Result<Spread, SpreadError> {
        text.parse()
    }
}

impl From<Spread> for String {
    fn from(spread: Spread) -> String {
        match spread {
            Spread::Over(number) => number.to_string(),
            Spread::Each => "each".to_owned(),
        }
    }
}

impl Spread {
    /// How many organisations so many scenarios have.
    pub(crate) fn among(self, scenarios: usize) -> usize {
        match self {
            Spread::Over(number) => number.get().min(scenarios.max(1)),
            Spread::Each => scenarios.max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_each() {
        for (text, among_five) in [("1", Some(1)), ("3", Some(3)), ("1000", Some(5)), ("each", Some(5))] {
            let spread: Option<Spread> = text.parse().ok();
            assert_eq!(spread.map(|s| s.among(5)), among_five, "{text}");
            assert_eq!(spread.map(String::from).as_deref(), Some(text));
        }
        for text in ["0", "-1", "1001", "all", ""] {
            assert_eq!(text.parse::<Spread>(), Err(SpreadError(text.to_owned())), "{text}");
        }
        assert_eq!(Spread::default().among(0), 1);
    }
}
