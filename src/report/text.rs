//! Text for people: cleaned of what could steer a terminal, cut and wrapped to columns.

use console::{measure_text_width, strip_ansi_codes, truncate_str};

use crate::output::steers;

/// One line without anything that steers a terminal or turns the direction of writing.
pub(crate) fn clean(text: &str) -> String {
    let plain = strip_ansi_codes(text);
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            '\r' => {}
            '\u{2028}' | '\u{2029}' => out.push(' '),
            c if steers(c) => {}
            c if c.is_control() => out.push('·'),
            c => out.push(c),
        }
    }
    out
}

/// At most so many columns, with `…` where it was cut.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    cut_with(text, columns, "…")
}

/// Characters are cut one by one, while a line is as wide as its characters make each other: what is still too wide
/// is cut again, a column earlier each time.
fn cut_with(text: &str, columns: usize, tail: &str) -> String {
    (0..=columns)
        .rev()
        .map(|columns| truncate_str(text, columns, tail))
        .find(|cut| measure_text_width(cut) <= columns)
        .map_or_else(String::new, |cut| cut.into_owned())
}

/// Filled with spaces to so many columns, cut when it is longer.
pub(crate) fn fill(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let spaces = columns.saturating_sub(measure_text_width(&text));
    text + &" ".repeat(spaces)
}

/// Longer words are broken, whatever they are.
const WHOLE: usize = 200;

/// A word, a path, an address, an id, a fingerprint, an option: in two pieces nobody can copy it.
fn is_whole(word: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@,+%~#?&[]()`';!|*<>".contains(&b);
    word.len() <= WHOLE && word.bytes().all(plain)
}

/// One line of at most so many columns: what does not fit is left out, never a part of what could be copied.
pub(crate) fn short(text: &str, columns: usize) -> String {
    if measure_text_width(text) <= columns {
        return text.to_owned();
    }
    wrap(text, columns, 1).pop().unwrap_or_default()
}

/// `head: a, b, c` in at most so many lines: no name is cut, and those that have no room are counted.
pub(crate) fn listed(head: &str, names: &[&str], columns: usize, max_lines: usize) -> Vec<String> {
    // A name and what parts it from the next are three columns at least.
    let most = names.len().min(max_lines.saturating_mul(columns) / 3).max(1);
    let text = |shown: usize| {
        let more = match names.len().saturating_sub(shown) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("{head}: {}{more}", names.get(..shown).unwrap_or_default().join(", "))
    };
    (1..=most)
        .rev()
        .map(|shown| wrap(&text(shown), columns, usize::MAX))
        .find(|lines| lines.len() <= max_lines)
        .unwrap_or_else(|| wrap(head, columns, max_lines))
}

/// Wrapped between words; words that are too long are broken, unless they are there to be copied; the last line says
/// when more follows. Takes time in proportion to the text it shows.
pub(crate) fn wrap(text: &str, columns: usize, max_lines: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    'words: for word in text.split_whitespace() {
        let (mut piece, mut wide, mut rest) =
            if is_whole(word) { (word, word.len(), "") } else { first_columns(word, columns) };
        if used > 0 && used + 1 + wide + usize::from(!rest.is_empty()) > columns {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        while !rest.is_empty() {
            if lines.len() > max_lines {
                break 'words;
            }
            lines.push(piece.to_owned());
            (piece, wide, rest) = first_columns(rest, columns);
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(piece);
        used += wide;
        if lines.len() > max_lines {
            break;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    if lines.len() > max_lines {
        lines.truncate(max_lines);
        if let Some(last) = lines.last_mut() {
            *last = format!("{}…", ended(last, columns - 1, text));
        }
    }
    lines
}

/// The beginning of a line, without the piece of a word that was to stay whole; the whole word where it is the only one.
fn ended<'a>(line: &'a str, columns: usize, text: &str) -> &'a str {
    let kept = cut_with(line, columns, "").len().min(line.len());
    let Some((start, rest)) = line.get(..kept).zip(line.get(kept..)) else { return line };
    let from = start.rfind(' ').map_or(0, |at| at + 1);
    let to = kept + rest.find(' ').unwrap_or(rest.len());
    if rest.is_empty()
        || rest.starts_with(' ')
        || !is_whole(&line[from..to])
        || !text.split_whitespace().any(|word| word == &line[from..to])
    {
        return start;
    }
    if from == 0 { &line[..to] } else { start[..from].trim_end() }
}

/// What of a word fits into so many columns, how wide that is, and what is left.
fn first_columns(word: &str, columns: usize) -> (&str, usize, &str) {
    let mut used = 0;
    for (at, c) in word.char_indices() {
        // What makes the character before it an emoji makes it wider.
        let wide = if c == '\u{fe0f}' { 1 } else { measure_text_width(c.encode_utf8(&mut [0; 4])) };
        if used + wide > columns {
            return (&word[..at], used, &word[at..]);
        }
        used += wide;
    }
    (word, used, "")
}

/// A duration in few characters: `7 ms`, `0.5 s`, `20.0 s`, `4m 05s`, `2h 10m`.
pub(crate) fn brief(ms: u64) -> String {
    match ms {
        0..100 => format!("{ms} ms"),
        100..59_950 => {
            let tenths = (ms + 50) / 100;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        59_950..3_600_000 => {
            let seconds = ms.div_ceil(1_000);
            format!("{}m {:02}s", seconds / 60, seconds % 60)
        }
        _ => format!("{}h {:02}m", ms / 3_600_000, ms / 60_000 % 60),
    }
}

pub(crate) use crate::domain::words::count;

/// The time of day of an event's time stamp, UTC: `05:41:55Z`.
pub(crate) fn clock(at: &str) -> String {
    at.get(11..19).map_or_else(|| "--:--:--".to_owned(), |time| format!("{time}Z"))
}

/// A time stamp for people: `2026-06-13 05:41:55 UTC`.
pub(crate) fn moment(at: &str) -> String {
    match (at.get(..10), at.get(11..19), at.ends_with('Z')) {
        (Some(day), Some(time), true) => format!("{day} {time} UTC"),
        _ => at.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_brief() {
        for (ms, shown) in [
            (0, "0 ms"),
            (99, "99 ms"),
            (100, "0.1 s"),
            (512, "0.5 s"),
            (20_000, "20.0 s"),
            (59_949, "59.9 s"),
            (59_950, "1m 00s"),
            (245_000, "4m 05s"),
            (7_800_000, "2h 10m"),
        ] {
            assert_eq!(brief(ms), shown, "{ms}");
        }
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m a\tb\r\nc\u{7}d\u{202e}e"), "red a b c·de");
        assert_eq!(clean("a\u{200e}b\u{61c}c\u{2028}d\u{e0041}e\u{85}f"), "abc de·f");
    }

    #[test]
    fn a_huge_word_is_wrapped_in_time_that_grows_with_it() {
        let word = "x".repeat(8 << 20);
        assert_eq!(wrap(&word, 80, usize::MAX).len(), word.len().div_ceil(80));
        let names = vec!["name"; 100_000];
        assert_eq!(listed("red", &names, 24, 1), ["red: name and 99999 more"]);
        assert_eq!(wrap(&word, 80, 3), ["x".repeat(80), "x".repeat(80), format!("{}…", "x".repeat(79))]);
    }

    #[test]
    fn a_character_that_makes_the_one_before_it_wider_is_counted() {
        let text = "0\u{fe0f}".repeat(20);
        let wrapped = wrap(&format!("{text} more"), 9, 1);
        assert!(wrapped.iter().all(|line| measure_text_width(line) <= 9), "{wrapped:?}");
        assert!(measure_text_width(&cut(&text, 9)) <= 9);
        assert_eq!(measure_text_width(&fill(&text, 9)), 9);
    }

    #[test]
    fn the_clock_of_anything_is_no_panic() {
        assert_eq!(clock("2026-06-13T05:41:55.123Z"), "05:41:55Z");
        assert_eq!(clock(""), "--:--:--");
        assert_eq!(moment("2026-06-13T05:41:55.123Z"), "2026-06-13 05:41:55 UTC");
        assert_eq!(moment("éé"), "éé");
        assert_eq!(clock("ééééééééééééééééééé"), "--:--:--");
    }

    #[test]
    fn what_is_there_to_be_copied_stays_whole() {
        let print = "local-env-projection/expect-env-of-ws/projection-missing/ANTHROPIC_BASE_URL";
        assert_eq!(wrap(&format!("red by {print} again"), 40, 9), ["red by", print, "again"]);
        assert_eq!(wrap(&format!("{print} again"), 40, 1), [format!("{print}…")]);
        assert_eq!(short(&format!("see {print}"), 40), "see…");
        assert_eq!(short("see runs/20260613-054100-k3v9/events.jsonl", 30), "see…");
        assert_eq!(short("short", 30), "short");
        let names = ["local-first-answer", "local-provision", "local-restart-context"];
        for (lines, columns, says) in [
            (1, 80, vec!["3 red: local-first-answer, local-provision, local-restart-context"]),
            (1, 50, vec!["3 red: local-first-answer and 2 more"]),
            (2, 36, vec!["3 red: local-first-answer,", "local-provision and 1 more"]),
            (1, 20, vec!["3 red"]),
        ] {
            assert_eq!(listed("3 red", &names, columns, lines), says, "{lines} of {columns}");
        }
    }

    proptest! {
        #[test]
        fn cut_filled_and_wrapped_lines_fit(text in "\\PC{0,200}", columns in 8usize..60, max in 1usize..5) {
            let text = clean(&text);
            prop_assert!(measure_text_width(&cut(&text, columns)) <= columns);
            prop_assert_eq!(measure_text_width(&fill(&text, columns)), columns);
            let lines = wrap(&text, columns, max);
            prop_assert!(lines.len() <= max);
            for line in lines {
                let is_one_word = is_whole(line.trim_end_matches('…'));
                prop_assert!(measure_text_width(&line) <= columns || is_one_word, "{line}");
            }
        }

        #[test]
        fn wrapping_loses_no_word(words in proptest::collection::vec("[a-z]{1,30}", 0..40), columns in 8usize..60) {
            let text = words.join(" ");
            let wrapped = wrap(&text, columns, usize::MAX).concat().replace(' ', "");
            prop_assert_eq!(wrapped, words.concat());
        }
    }
}
