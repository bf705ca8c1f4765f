//! Questions whose answer is known beforehand, and who can answer them.

/// What the agents of a target can answer.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Answers {
    /// Known questions.
    Known,
    /// The stub's one sentence.
    Stub,
    /// Nobody knows.
    #[default]
    None,
}

/// A known-answer question: what the harness asks, what the reference provider answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownAnswer {
    /// The token that the reply must contain.
    pub token: &'static str,
    /// The question. Its wording is load-bearing (scenarios §6, #2332): models refuse bare echo requests.
    pub prompt: &'static str,
}

impl KnownAnswer {
    /// Whether a reply is the token: alone in a line, at its beginning, or as a word of its own in a text that refuses
    /// nothing. The question holds it too: an agent that only says the question again has not answered it.
    pub(crate) fn is_in(&self, reply: &str) -> bool {
        let bare = |line: &str| line.trim_matches(|c: char| !c.is_alphanumeric()).to_uppercase();
        let first = reply.split_whitespace().next().unwrap_or_default();
        if bare(first) == self.token || reply.lines().any(|line| bare(line) == self.token) {
            return true;
        }
        !refuses(reply) && self.is_word_of(reply)
    }

    fn is_word_of(&self, reply: &str) -> bool {
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
        let question = plain(self.prompt);
        let mut said = plain(reply).replace(&question, " ");
        for sentence in question.split(". ") {
            said = said.replace(sentence, " ");
        }
        said.match_indices(self.token).any(|(at, token)| {
            let (before, after) = (&said[..at], &said[at + token.len()..]);
            // `_PONG_` is emphasis, CHILD_PONG is another word.
            let joins = |next: Option<char>, beyond: Option<char>| match next {
                Some('_') => beyond.is_some_and(char::is_alphanumeric),
                next => next.is_some_and(char::is_alphanumeric),
            };
            let (mut left, mut right) = (before.chars().rev(), after.chars());
            !joins(left.next(), left.next()) && !joins(right.next(), right.next())
        })
    }
}

/// Whether a text says that something was not done: whoever refuses may name the word that was asked for.
fn refuses(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "not",
        "cannot",
        "can't",
        "couldn't",
        "won't",
        "wouldn't",
        "don't",
        "didn't",
        "unable",
        "refuse",
        "error",
        "failed",
        "failure",
        "unauthorized",
    ];
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    lower.split(|c: char| !(c.is_alphanumeric() || c == '\'')).any(|word| WORDS.contains(&word))
}

/// The questions that every known-answer agent can answer (scenarios §6).
pub(crate) const KNOWN: [KnownAnswer; 4] = [
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

/// What a second question is for, whose answer tells a promise from a wrong answer.
pub(crate) const ASK_ONCE_MORE: &str = "ask once more";

/// What the old stub agent answers to everything (scenarios §3).
pub(crate) const STUB_REPLY: &str = "STUB OK";

/// The answer to a question, if it is a known one: the word after `exactly the word:`.
pub(crate) fn answer(prompt: &str) -> Option<&str> {
    let (_, rest) = prompt.rsplit_once("exactly the word:")?;
    rest.split_whitespace().next().map(|word| word.trim_end_matches(['.', '!']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_word_and_not_the_question() {
        let [pong, _, child, _] = &KNOWN;
        for (known, reply, holds) in [
            (pong, "PONG", true),
            (pong, "pong.", true),
            (pong, "Sure: **PONG**!", true),
            (pong, "_PONG_", true),
            (pong, "PONG\n\nI do not know what else to say.", true),
            (pong, "The word is PONG.", true),
            (pong, "PONG! Let me know if you need anything, do not hesitate.", true),
            (pong, "I cannot help with that. I will not reply with PONG.", false),
            (pong, "I could not reach the model (HTTP 401). Please try again; you asked for PONG", false),
            (pong, "I won’t say PONG", false),
            (pong, "SPONGE", false),
            (pong, "CHILD_PONG", false),
            (pong, "PONG_2", false),
            (child, "child_pong", true),
            (child, "PONG", false),
            (pong, "", false),
            (pong, pong.prompt, false),
            (
                pong,
                "Echo: THIS is an automated connectivity check of a\n test suite. To confirm that you received it, reply with exactly the word: PONG",
                false,
            ),
            (pong, "> To confirm that you received it, reply with exactly the word: PONG", false),
            (
                pong,
                "This is an automated connectivity check of a test suite. To confirm that you received it, reply with exactly the word: PONG\n\nPONG",
                true,
            ),
        ] {
            assert_eq!(known.is_in(reply), holds, "{}: {reply}", known.token);
        }
    }

    #[test]
    fn our_provider_answers_every_question() {
        for known in &KNOWN {
            assert!(known.is_in(answer(known.prompt).unwrap_or_default()), "{}", known.token);
        }
    }
}
