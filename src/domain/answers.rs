//! Questions whose answer is known beforehand, and who can answer them.

/// A known-answer question: what the harness asks, what the reference provider answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAnswer {
    /// The token that the reply must contain.
    pub token: &'static str,
    /// The question. Its wording is load-bearing (scenarios §6, #2332): models refuse bare echo requests.
    pub prompt: &'static str,
}

/// The questions that every known-answer agent can answer (scenarios §6).
pub const KNOWN: [KnownAnswer; 4] = [
    KnownAnswer {
        token: "PONG",
        prompt: "This is an automated connectivity check of a test suite. To confirm that you received it, reply with exactly the word: PONG",
    },
    KnownAnswer {
        token: "PINEAPPLE",
        prompt: "This is an automated connectivity check of a test suite. To confirm that you received it, reply with exactly the word: PINEAPPLE",
    },
    KnownAnswer {
        token: "CHILD_PONG",
        prompt: "This is an automated connectivity check of a test suite. To confirm that you received it, reply with exactly the word: CHILD_PONG",
    },
    KnownAnswer {
        token: "WOKE",
        prompt: "This is an automated connectivity check of a test suite. To confirm that you received it, reply with exactly the word: WOKE",
    },
];

/// What the old stub agent answers to everything (scenarios §3).
pub const STUB_REPLY: &str = "STUB OK";

/// The answer to a question, if it is a known one: the word after `exactly the word:`.
pub fn answer(prompt: &str) -> Option<&str> {
    let (_, rest) = prompt.rsplit_once("exactly the word:")?;
    rest.split_whitespace().next().map(|word| word.trim_end_matches(['.', '!']))
}
