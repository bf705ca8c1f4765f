//! What is wrong with the messages that an agent in poll mode reads.

use serde_json::Value;

use crate::event::InboxProblem;
use crate::platform::record::text;

/// One look of an agent that polls, and what is known from before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inbox<'a> {
    /// The rows that came, oldest first.
    pub rows: &'a [&'a Value],
    /// The cursor that was sent.
    pub since: Option<&'a str>,
    /// The texts that were wanted, and those that came.
    pub texts: Option<(&'a [String], &'a [String])>,
    /// What earlier looks showed: the row's id and the message's, oldest first.
    pub shown: &'a [(String, String)],
    /// Ids of the messages that were answered `queued`.
    pub queued: &'a [String],
}

/// The id that a message was sent with.
pub(super) fn message_id(row: &Value) -> &str {
    row.pointer("/request_body/params/message/messageId").and_then(Value::as_str).unwrap_or_default()
}

impl Inbox<'_> {
    /// What is wrong, where that can be told.
    pub(super) fn problem(&self) -> Option<InboxProblem> {
        let at_cursor = self.since.and_then(|since| self.shown.iter().position(|(row, _)| row == since));
        let read = at_cursor.map_or(&[][..], |at| &self.shown[..=at]);
        let is_old = |row: &&Value| read.iter().any(|(id, _)| id == text(row, "id"));
        if self.rows.iter().any(is_old) {
            return Some(InboxProblem::BeforeTheCursor);
        }
        let twice = |at: usize, row: &Value| {
            let (id, message) = (text(row, "id"), message_id(row));
            let earlier = self.rows[..at].iter().map(|row| (text(row, "id"), message_id(row)));
            let shown = self.shown.iter().map(|(row, message)| (row.as_str(), message.as_str()));
            !message.is_empty() && earlier.chain(shown).any(|(row, same)| same == message && row != id)
        };
        if self.rows.iter().enumerate().any(|(at, row)| twice(at, row)) {
            return Some(InboxProblem::Twice);
        }
        let is_there = |message: &str| {
            let shown = self.shown.iter().any(|(_, shown)| shown == message);
            shown || self.rows.iter().any(|row| message_id(row) == message)
        };
        if self.queued.iter().any(|message| !is_there(message)) {
            return Some(InboxProblem::Lost);
        }
        let (wanted, got) = self.texts?;
        let sorted = |texts: &[String]| {
            let mut texts = texts.to_vec();
            texts.sort();
            texts
        };
        (wanted != got && sorted(wanted) == sorted(got)).then_some(InboxProblem::Order)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_problem_is_told_from_the_others() {
        let row = |id: &str, message: &str| json!({ "id": id, "request_body": { "params": { "message": { "messageId": message } } } });
        let [one, two, again, silent] = [row("r1", "m1"), row("r2", "m2"), row("r3", "m1"), row("r4", "")];
        let shown = [("r1".to_owned(), "m1".to_owned())];
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (ab, ba, c) = (owned(&["a", "b"]), owned(&["b", "a"]), owned(&["c"]));
        let first = Inbox { rows: &[], since: None, texts: None, shown: &[], queued: &[] };
        let later = Inbox { since: Some("r1"), shown: &shown, ..first };
        let (m1, m2) = (owned(&["m1"]), owned(&["m1", "m2"]));
        let table = [
            ("in two rows", Inbox { rows: &[&one, &again], ..first }, Some(InboxProblem::Twice)),
            ("in a later look", Inbox { rows: &[&again], ..later }, Some(InboxProblem::Twice)),
            (
                "the same row in a second look without a cursor",
                Inbox { rows: &[&one], shown: &shown, ..first },
                None,
            ),
            ("without ids", Inbox { rows: &[&silent, &silent], ..first }, None),
            ("answered queued, and not there", Inbox { queued: &m2, ..later }, Some(InboxProblem::Lost)),
            ("answered queued, and read before", Inbox { queued: &m1, ..later }, None),
            ("at the cursor", Inbox { rows: &[&one, &two], ..later }, Some(InboxProblem::BeforeTheCursor)),
            ("a cursor that nobody read", Inbox { rows: &[&one], since: Some("r0"), ..first }, None),
            ("after the cursor", Inbox { rows: &[&two], ..later }, None),
            ("another order", Inbox { texts: Some((&ab, &ba)), ..first }, Some(InboxProblem::Order)),
            ("other texts", Inbox { texts: Some((&ab, &c)), ..first }, None),
            ("as wanted", Inbox { texts: Some((&ab, &ab)), ..first }, None),
        ];
        for (name, inbox, problem) in table {
            assert_eq!(inbox.problem(), problem, "{name}");
        }
    }
}
