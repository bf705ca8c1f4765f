//! Lines of a stream, redacted: a secret may be cut in two by the pieces in which it comes.

use crate::redact::Redactor;

/// A line longer than this is handed on in parts.
const LONGEST: usize = 32 << 10;
/// So much of an unfinished line is held back, so that a secret in it stays whole.
const HELD: usize = 8 << 10;

/// Collects pieces, gives redacted lines.
#[derive(Default)]
pub struct Lines {
    held: String,
}

impl Lines {
    /// Adds a piece; gives the lines that are whole now.
    pub fn push(&mut self, piece: &str, redactor: &Redactor) -> Vec<String> {
        self.held.push_str(piece);
        let mut lines = Vec::new();
        while let Some(end) = self.held.find('\n') {
            let rest = self.held.split_off(end + 1);
            lines.push(redactor.text(self.held.trim_end_matches(['\n', '\r'])).into_owned());
            self.held = rest;
        }
        if self.held.len() > LONGEST {
            // Redacted whole, then cut: what is held back is redacted already and stays so.
            let mut shown = redactor.text(&self.held).into_owned();
            let mut at = shown.len().saturating_sub(HELD);
            while !shown.is_char_boundary(at) {
                at -= 1;
            }
            self.held = shown.split_off(at);
            lines.push(shown);
        }
        lines
    }

    /// The last line, if it did not end.
    pub fn finish(self, redactor: &Redactor) -> Option<String> {
        (!self.held.is_empty()).then(|| redactor.text(&self.held).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_secret_in_pieces_never_shows(at in 1usize..24, before in "[ a-z]{0,40}", long in any::<bool>()) {
            let secret = "S3cret-value-of-some-length";
            let redactor = Redactor::new();
            redactor.register("KEY", secret);
            let fill = if long { "x ".repeat(LONGEST / 2 + 9) } else { String::new() };
            let (first, second) = secret.split_at(at);
            let mut lines = Lines::default();
            let mut all = lines.push(&format!("{before}{fill}{first}"), &redactor);
            all.extend(lines.push(&format!("{second}\nnext"), &redactor));
            all.extend(lines.finish(&redactor));
            let text = all.concat();
            prop_assert!(!text.contains(secret));
            prop_assert!(text.contains("<redacted:KEY>"), "{}", &text[text.len().saturating_sub(80)..]);
        }
    }
}
