//! Lines of a stream, redacted: a secret may be cut in two by the pieces in which it comes.

use crate::redact::Redactor;

/// A line longer than this is handed on in parts.
const LONGEST: usize = 32 << 10;
/// So much of an unfinished line is held back, so that a secret in it stays whole.
const HELD: usize = 8 << 10;

/// Collects pieces, gives redacted lines. Pieces are bytes: a character may be cut in two as well.
#[derive(Default)]
pub(crate) struct Lines {
    held: Vec<u8>,
}

impl Lines {
    /// Adds a piece; gives the lines that are whole now.
    pub(crate) fn push(&mut self, piece: &[u8], redactor: &Redactor) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            self.held.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let line = String::from_utf8_lossy(&self.held);
            lines.push(redactor.text(line.trim_end_matches('\r')).into_owned());
            self.held.clear();
        }
        self.held.extend_from_slice(rest);
        if self.held.len() > LONGEST {
            // Redacted whole, then cut: what is held back is redacted already and stays so. A character that is not
            // whole yet is no part of that.
            let whole = self.held.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
            let tail = self.held.split_off(self.held.len() - whole);
            let mut shown = redactor.text(&String::from_utf8_lossy(&self.held)).into_owned();
            let at = shown.floor_char_boundary(shown.len().saturating_sub(HELD));
            self.held = shown.split_off(at).into_bytes();
            self.held.extend(tail);
            lines.push(shown);
        }
        lines
    }

    /// The last line, if it did not end.
    pub(crate) fn finish(self, redactor: &Redactor) -> Option<String> {
        (!self.held.is_empty()).then(|| redactor.text(&String::from_utf8_lossy(&self.held)).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_secret_in_pieces_never_shows(at in 1usize..24, before in "[ a-z]{0,40}", long in any::<bool>()) {
            let secret = "S3cret-välue-of-some-length";
            let redactor = Redactor::new();
            redactor.register("KEY", secret);
            let fill = if long { "x ".repeat(LONGEST / 2 + 9) } else { String::new() };
            let whole = format!("{before}{fill}{secret}\nnext");
            let (first, second) = whole.as_bytes().split_at(before.len() + fill.len() + at);
            let mut lines = Lines::default();
            let mut all = lines.push(first, &redactor);
            all.extend(lines.push(second, &redactor));
            all.extend(lines.finish(&redactor));
            let text = all.concat();
            prop_assert!(!text.contains(secret));
            prop_assert!(text.contains("<redacted:KEY>"), "{}", &text[text.len().saturating_sub(80)..]);
        }
    }

    /// Cut at every byte between two pieces.
    #[test]
    fn no_kind_of_token_shows_when_it_comes_in_two_pieces() {
        use crate::redact::tests::{Dice, KINDS, tokens_of_each};
        let mut dice = Dice(3);
        for (kind, has_shape, make) in KINDS {
            for n in 0..tokens_of_each(8) {
                let token = make(&mut dice);
                let redactor = Redactor::new();
                if !has_shape || n % 2 == 0 {
                    redactor.register("KEY", &token);
                }
                let text = format!("key {token}\nnext");
                let every = if n < 8 { 1 } else { text.len() / 3 };
                for at in (0..=text.len()).step_by(every) {
                    let (first, second) = text.as_bytes().split_at(at);
                    let mut lines = Lines::default();
                    let mut all = lines.push(first, &redactor);
                    all.extend(lines.push(second, &redactor));
                    all.extend(lines.finish(&redactor));
                    let shown = all.join("\n");
                    let line = token.lines().max_by_key(|line| line.len()).unwrap_or(&token).trim();
                    assert!(!shown.contains(line), "{kind}: {token:?} cut at {at}: {shown}");
                }
            }
        }
    }
}
