//! Text from elsewhere: nothing in it steers a terminal or gives a command to the log of a CI system.

use std::borrow::Cow;

/// Which commands the log of a CI system understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CiLog {
    /// None.
    #[default]
    Plain,
    /// `::group::` and `::error::`, as GitHub, Gitea and Forgejo do.
    Commands,
}

impl CiLog {
    /// By the name of a CI system.
    pub fn of_system(system: &str) -> CiLog {
        let system = system.to_ascii_lowercase();
        let knows = ["github", "gitea", "forgejo"].iter().any(|name| system.contains(name));
        if knows { CiLog::Commands } else { CiLog::Plain }
    }

    /// Takes the meaning from what this log would obey in a text that came from elsewhere.
    pub fn defuse(self, text: &str) -> Cow<'_, str> {
        // A line may begin at `\r` too, and `##[` is obeyed anywhere in a line.
        if self == CiLog::Plain || !(text.contains("::") || text.contains("##[")) {
            return Cow::Borrowed(text);
        }
        let lines = text.split_inclusive(['\n', '\r']).map(|line| {
            let bare = console::strip_ansi_codes(line);
            let bare = bare.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || steers(c));
            let line = if bare.starts_with("::") { line.replacen("::", ": :", 1) } else { line.to_owned() };
            line.replace("##[", "## [")
        });
        Cow::Owned(lines.collect())
    }
}

/// Whether a character, unseen itself, changes how the others are shown: the direction of writing, the line, or as a
/// tag that no font draws.
pub(crate) fn steers(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{e0000}'..='\u{e007f}')
}

/// The same JSON, in which no character steers a terminal and no text is a command to a CI system's log.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for (at, c) in json.char_indices() {
        let command = c == '#' && json[at..].starts_with("##[");
        if command || steers(c) || (c.is_control() && c != '\n') {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// A drawn text in which nothing but lines and colours is left of what steers a terminal.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let colour = || {
            let rest = text[at..].strip_prefix("\u{1b}[")?;
            rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').strip_prefix('m')
        };
        match c {
            '\n' | '\t' => out.push(c),
            '\u{1b}' if colour().is_some() => out.push(c),
            c if steers(c) => {}
            c if c.is_control() => out.push('·'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_gives_no_command_to_a_ci_log() {
        for (text, shown) in [
            ("::error::x", ": :error::x"),
            ("a\n  ::stop-commands::t\nb\n", "a\n  : :stop-commands::t\nb\n"),
            ("a\r::set-output::t", "a\r: :set-output::t"),
            ("\u{200e}::add-mask::x", "\u{200e}: :add-mask::x"),
            ("\u{1b}[2m::add-mask::x", "\u{1b}[2m: :add-mask::x"),
            ("x ##[error] y", "x ## [error] y"),
            ("std::fmt", "std::fmt"),
        ] {
            assert_eq!(CiLog::Commands.defuse(text), shown);
            assert_eq!(CiLog::Plain.defuse(text), text);
        }
    }

    #[test]
    fn ci_systems_by_name() {
        for (system, log) in [
            ("github", CiLog::Commands),
            ("GitHub Actions", CiLog::Commands),
            ("gitea", CiLog::Commands),
            ("forgejo", CiLog::Commands),
            ("jenkins", CiLog::Plain),
            ("", CiLog::Plain),
        ] {
            assert_eq!(CiLog::of_system(system), log, "{system}");
        }
    }
}
