//! The part of a server's log that may say why a workspace is as it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;

use crate::domain::time::written_at;

/// Lines that are kept.
pub(super) const LINES: usize = 60;
/// Of those, so many at most are about no workspace.
const OF_NOBODY: usize = 25;
/// More of the end of a file is not read.
const END: u64 = 4 << 20;
/// A clock that differs from ours by more is not compared with it.
const SAME_CLOCK: i64 = 600;
/// So long before an edge a line may belong to it.
const SLACK: i64 = 2;

/// The lines of a log that are kept: about this workspace, the newest, then about none. Access lines (this tool's own
/// polls are most of them), repeats, and what was before the last edge are left out before anything is counted.
pub(super) fn window(lines: &[String], id: Option<&str>, since: Option<Timestamp>) -> Vec<String> {
    let since = since.filter(|_| same_clock(lines));
    let fits = |line: &&String| {
        let at = since.and_then(|since| Some((since, written_at(line)?)));
        about(line, id) && !is_access(line) && at.is_none_or(|(since, at)| at >= since)
    };
    let (mut own, mut nobody): (Vec<&String>, Vec<&String>) = newest_of_each(lines.iter().filter(fits))
        .into_iter()
        .partition(|line| id.is_some_and(|id| line.contains(id)));
    let room = OF_NOBODY.max(LINES.saturating_sub(own.len()));
    nobody.drain(..nobody.len().saturating_sub(room));
    own.drain(..own.len().saturating_sub(LINES - nobody.len().min(OF_NOBODY)));
    nobody.drain(..(own.len() + nobody.len()).saturating_sub(LINES));
    own.into_iter().chain(nobody).cloned().collect()
}

/// Lines that differ only in times and numbers are one: the newest of them stays, at its place.
fn newest_of_each<'a>(lines: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    static NUMBERS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\d+(\.\d+)?(ns|µs|ms|s\b)?").ok());
    let mut newest: BTreeMap<String, (usize, &String)> = BTreeMap::new();
    for (place, line) in lines.enumerate() {
        let said = match &*NUMBERS {
            // Ids hold digits: what remains of two of them is hardly the same.
            Some(numbers) => numbers.replace_all(line, "#").into_owned(),
            None => line.clone(),
        };
        newest.insert(said, (place, line));
    }
    let mut kept: Vec<_> = newest.into_values().collect();
    kept.sort_by_key(|(place, _)| *place);
    kept.into_iter().map(|(_, line)| line).collect()
}

/// A line for each request, as gin and common proxies write them.
fn is_access(line: &str) -> bool {
    static ACCESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"\[GIN\] .*\|\s*\d{3}\s*\|| \| \d{3} \| .*\| (GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) |"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /[^"]*" \d{3}\b|"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) [^"]* HTTP/[0-9.]+" \d{3}\b"#,
        )
        .ok()
    });
    ACCESS.as_ref().is_some_and(|access| access.is_match(line))
}

/// Whether the log's clock is about ours: only then is a line before or after an edge.
fn same_clock(lines: &[String]) -> bool {
    let newest = lines.iter().rev().find_map(|line| written_at(line));
    newest.is_some_and(|at| (crate::clock::wall().as_second() - at.as_second()).abs() < SAME_CLOCK)
}

/// When the last edge was asked for, by the wall clock.
pub(super) fn edge_time(ago: std::time::Duration) -> Option<Timestamp> {
    let seconds = i64::try_from(ago.as_secs()).ok()? + SLACK;
    crate::clock::wall().checked_sub(jiff::SignedDuration::from_secs(seconds)).ok()
}

/// The server speaks of everybody: a line with another workspace's id is not evidence about this one.
pub(super) fn about(line: &str, id: Option<&str>) -> bool {
    id.is_some_and(|id| line.contains(id)) || !names_a_workspace(line)
}

fn names_a_workspace(line: &str) -> bool {
    static ID: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new("(?i)(^|[^0-9a-f])[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}($|[^0-9a-f])").ok()
    });
    ID.as_ref().is_some_and(|id| id.is_match(line))
}

/// The lines at the end of a file, oldest first.
///
/// # Errors
/// It cannot be read.
pub(super) fn end_of(path: &Path) -> std::io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
    let mut bytes = Vec::new();
    file.take(END).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line was cut unless the file was read whole.
    let skip = usize::from(length > END);
    Ok(text.lines().skip(skip).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "11111111-2222-3333-4444-555555555555";
    const OTHER: &str = "550e8400-e29b-41d4-a716-446655440000";

    #[test]
    fn a_line_about_another_workspace_is_known_by_any_name_of_it() {
        for (line, ours) in [
            (format!("container ws-{OTHER} died, OOM"), false),
            (format!("volume ws-{OTHER}-configs is empty"), false),
            (format!("{OTHER}: register 401"), false),
            (format!("container ws-{OWN} died"), true),
            ("trace 550e8400e29b41d4a716446655440000 took 3 s".to_owned(), true),
            ("listening on :8080".to_owned(), true),
        ] {
            assert_eq!(about(&line, Some(OWN)), ours, "{line}");
        }
        assert!(!about(&format!("ws-{OTHER}"), None));
    }

    /// The decisive line is minutes of polls away from the end.
    #[test]
    fn polls_and_repeats_do_not_push_out_what_the_server_said() {
        let mut lines = vec![
            format!("2026/06/15 10:00:00 Provisioner: workspace start failed for {OWN}: No such image: x"),
            "2026/06/15 10:00:00 cp provisioner: provision failed (401): <unstructured body, 0 bytes>"
                .to_owned(),
        ];
        for n in 0..5_000 {
            lines.push(format!(
                "[GIN] 2026/06/15 - 10:01:00 | 200 | {n}.25ms | 172.17.0.1 | GET \"/workspaces/{OWN}\""
            ));
            lines.push(format!("2026/06/15 10:01:00 health sweep: {n} looked at"));
            lines.push(format!("2026/06/15 10:01:00 {OTHER} is offline"));
        }
        let kept = window(&lines, Some(OWN), None);
        assert_eq!(kept.len(), 3, "{kept:?}");
        assert!(
            kept[0].contains("No such image") && kept[1].contains("(401)") && kept[2].contains("4999 looked")
        );
    }

    #[test]
    fn the_window_has_room_for_both_kinds_of_lines() {
        let words = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let word = |n: usize| format!("{}{}{}", words[n / 100 % 10], words[n / 10 % 10], words[n % 10]);
        let own = (0..200).map(|n| format!("{OWN} {}", word(n)));
        let nobody = (0..200).map(|n| format!("line {}", word(n)));
        let lines: Vec<String> = own.zip(nobody).flat_map(|(a, b)| [a, b]).collect();
        let kept = window(&lines, Some(OWN), None);
        let ours = kept.iter().filter(|l| l.contains(OWN)).count();
        assert_eq!((kept.len(), ours), (LINES, LINES - OF_NOBODY));
        assert!(kept[0].contains(OWN) && kept[LINES - 1] == "line bjj", "{}", kept[LINES - 1]);
        assert_eq!(window(&lines[..20], Some(OWN), None).len(), 20);
    }

    #[test]
    fn what_was_before_the_edge_is_left_out_where_the_clocks_agree() {
        let ago = |seconds: i64| {
            crate::clock::wall().checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap()
        };
        let go = |at: Timestamp| at.strftime("%Y/%m/%d %H:%M:%S").to_string();
        let lines =
            |base: i64| vec![format!("{} old", go(ago(base + 100))), format!("{} new", go(ago(base)))];
        let edge = edge_time(std::time::Duration::from_secs(50));
        assert_eq!(window(&lines(1), None, edge).len(), 1);
        // An hour away it is another clock.
        assert_eq!(window(&lines(3_600), None, edge).len(), 2);
        assert_eq!(window(&["no time".to_owned()], None, edge).len(), 1);
        assert!(written_at(&format!("{} x", ago(3))).is_some());
    }

    #[test]
    fn only_the_end_of_a_large_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        let line = "x".repeat(99);
        std::fs::write(&path, format!("{line}\n").repeat(60_000)).unwrap();
        let lines = end_of(&path).unwrap();
        assert!(lines.len() < 42_000 && lines.iter().all(|l| *l == line), "{}", lines.len());
        assert!(end_of(&folder.path().join("none")).is_err());
    }
}
