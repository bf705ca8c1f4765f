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
    /// Whether a reply is the token: a sentence or line that says it and nothing else, or what says so first ("the word
    /// is …"). The question, a promise and a refusal hold it too, in any language: they say more than that.
    pub(crate) fn is_in(&self, reply: &str) -> bool {
        let said = without_thoughts(reply);
        // A reply that was streamed comes in pieces of a word.
        let whole = said.replace('\n', "");
        bare(&whole).to_uppercase() == self.token
            || sentences(&said).iter().any(|sentence| self.is_said_by(sentence))
    }

    fn is_said_by(&self, sentence: &str) -> bool {
        let is_token = |text: &str| bare(text).to_uppercase() == self.token;
        if is_token(sentence) {
            return true;
        }
        // `PONG, at your service` and `PONG - received` say it first.
        let plain = sentence.trim_start_matches(|c: char| !c.is_alphanumeric());
        let head = plain.split([',', ';', ':', '\u{2014}', '\u{2013}', '(']).next().unwrap_or_default();
        if is_token(head) || is_token(plain.split(" - ").next().unwrap_or_default()) {
            return true;
        }
        if let Some((before, last)) = sentence.rsplit_once(':')
            && is_token(last)
        {
            // Whoever tells what was asked of him quotes the question.
            let words: Vec<&str> = before.split_whitespace().collect();
            return words.len() <= LEAD && !refuses(before) && !before.to_lowercase().contains("exactly");
        }
        let words: Vec<String> = sentence.split_whitespace().map(|word| bare(word).to_lowercase()).collect();
        let Some((last, before)) = words.split_last() else { return false };
        let only_says = before.iter().all(|word| word.is_empty() || SAYS.contains(&word.as_str()));
        // Whatever the words before `is` call it, it is said; what is to come or was asked for is not.
        let is_it = before.last().is_some_and(|word| word == "is")
            && !refuses(sentence)
            && !before.iter().any(|word| TO_COME.contains(&word.as_str()));
        // `You requested PONG` tells the question.
        let has = |word: &str| before.iter().any(|said| said == word);
        let tells = has("you") && (has("requested") || has("expected"));
        last.to_uppercase() == self.token && ((only_says && !tells) || is_it)
    }
}

/// So many words at most introduce an answer before a colon.
const LEAD: usize = 6;
/// Words that introduce an answer and can promise or refuse nothing.
const SAYS: [&str; 30] = [
    "the",
    "word",
    "is",
    "answer",
    "my",
    "reply",
    "response",
    "sure",
    "ok",
    "okay",
    "here",
    "it",
    "its",
    "it's",
    "yes",
    "of",
    "course",
    "certainly",
    "received",
    "confirmed",
    "acknowledged",
    "done",
    "your",
    "you",
    "as",
    "requested",
    "confirmation",
    "expected",
    "following",
    "code",
];
/// Words of a sentence that tells what will be said, or what somebody wants to hear.
const TO_COME: [&str; 14] = [
    "will",
    "shall",
    "i'll",
    "going",
    "asked",
    "must",
    "should",
    "would",
    "want",
    "wanted",
    "need",
    "have",
    "supposed",
    "requested",
];

/// Without emphasis, quotes, brackets and emoji around it.
fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| !c.is_alphanumeric())
}

/// A reply without what a model thought before it; a thought that was cut off goes to the end.
fn without_thoughts(reply: &str) -> String {
    let mut said = reply.to_owned();
    for name in ["think", "thinking", "thought"] {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        while let Some(from) = said.find(&open) {
            let to = said[from..].find(&close).map_or(said.len(), |at| from + at + close.len());
            said.replace_range(from..to, "\n");
        }
    }
    said
}

/// Lines, and the sentences in them.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut from = 0;
        for (at, mark) in line.match_indices(['.', '!', '?', '\u{2026}']) {
            let end = at + mark.len();
            if line[end..].chars().next().is_none_or(|next| !next.is_alphanumeric()) {
                found.push(&line[from..end]);
                from = end;
            }
        }
        found.push(&line[from..]);
    }
    found
}

/// Whether a text says that something was not done.
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
/// What a second message is for, when the answer to the first was lost and the log has its reply.
pub(crate) const ASK_ANOTHER: &str = "a message after a lost answer";
/// The activity log, for the reply to that one.
pub(crate) const LOOK_FOR_ANOTHER: &str = "look for its reply";

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
            (pong, "<think>I should not add anything.</think>PONG", true),
            (pong, "<think>The user wants the word PONG.</think>\n\nPONG", true),
            (pong, "<think>The user wants me to say PONG. Let me", false),
            (pong, "<think>PONG</think>", false),
            (pong, "I have not seen any errors. PONG", true),
            (pong, "Die Antwort lautet: PONG", true),
            (pong, "PONG - message received", true),
            (pong, "{\"answer\": \"PONG\"}", true),
            (pong, "\u{1f3d3} PONG \u{1f3d3}", true),
            (pong, "\u{201c}PONG\u{201d}", true),
            (pong, "Sure, PONG", true),
            (pong, "PO\nNG", true),
            (pong, "PO\nING", false),
            (pong, "As requested, PONG", true),
            (
                pong,
                "I received your check. The requested confirmation word is \"PONG\". Is there anything else?",
                true,
            ),
            (pong, "The magic word of today is PONG!", true),
            (pong, "The word that I will say is PONG", false),
            (pong, "The word I need to say is PONG", false),
            (pong, "You requested PONG. I have no model.", false),
            (pong, "What I cannot say is PONG", false),
            (pong, "What you asked for is PONG", false),
            (pong, "Got it! I will reply with PONG in a moment.", false),
            (pong, "You asked me to reply with exactly the word: PONG. Working on it\u{2026}", false),
            (pong, "Lo siento, no puedo responder con PONG", false),
            (pong, "Ich kann leider keine Antwort mit PONG geben.", false),
            (pong, "PONG is what I may say to nobody", false),
            (pong, "PING", false),
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
