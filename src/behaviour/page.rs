//! `docs/behaviours.md`, written from the table.

use std::fmt::Write as _;

use super::contract::where_and_how;
use super::{editions, rows};

/// The page; the file in `docs/` is compared with it.
pub fn page() -> String {
    let mut page = String::from(
        "# Behaviours and editions\n\nGenerated from `src/behaviour/behaviours.yaml`; `UPDATE_DOCS=1 cargo test the_page_of_behaviours_is_the_table` writes \
         it again.\n\nA *behaviour* is something that a workspace-server does one way or the other. An *edition* is a state of the platform: \
         the set of behaviours that are on, with its runtimes and defaults. Scenarios name behaviours under `needs:`, `when:` \
         and `behaviour:`; `lifecycle behaviours probe` says what a server does.\n\n## Editions\n\n\
         | edition | commit | what it is | runtimes | runtime of a bare create |\n|---|---|---|---|---|\n",
    );
    for edition in editions() {
        let runtimes: Vec<String> = edition.runtimes.iter().map(|r| format!("`{r}`")).collect();
        let _ = writeln!(
            page,
            "| `{}` | `{}` | {} | {} | `{}` |",
            edition.name,
            edition.commit,
            edition.says,
            runtimes.join(", "),
            edition.default_runtime
        );
    }
    page.push_str(
        "\n## Behaviours\n\n| behaviour | where it is on | on in | found by |\n|---|---|---|---|\n",
    );
    for row in rows() {
        let (place, _) = where_and_how(row.behaviour);
        let how = match &row.probe {
            Some(probe) => format!("`GET {}`", probe.get),
            None => "declared only".to_owned(),
        };
        let played = if row.played { "" } else { " (not played by the reference platform)" };
        let _ = writeln!(page, "| `{}` | {}{played} | {place} | {how} |", row.behaviour, row.says);
    }
    page.push_str("\n## What it looks like from outside\n\n");
    for row in rows() {
        let _ = writeln!(page, "- `{}`: {}", row.behaviour, row.seen);
    }
    page
}
