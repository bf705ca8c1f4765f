//! Rows for people and for pipes: names never break, a pipe gets tabs and no padding.

use console::measure_text_width as width;

use super::Shell;
use crate::report::text::{short, wrap};

/// A table for the terminal; the last column takes what is left of the line, and goes below where that is little.
pub(super) fn drawn(shell: &Shell, head: &[&str], rows: &[Vec<String>]) -> String {
    if !shell.printer.stdout_is_tty() {
        let lines: Vec<String> = rows.iter().map(|row| row.join("\t")).collect();
        return lines.join("\n");
    }
    of_width(shell.printer.width(), head, rows)
}

fn of_width(columns: usize, head: &[&str], rows: &[Vec<String>]) -> String {
    let last = head.len().saturating_sub(1);
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell));
        cells.chain([width(head[column])]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..last).map(widest).collect();
    let before: usize = widths.iter().map(|w| w + 2).sum();
    // Less than this of a line is not read.
    let beside = columns.saturating_sub(before) >= 30;
    let line = |row: &[String]| -> String {
        let mut text = String::new();
        if beside {
            for (cell, w) in row.iter().zip(&widths) {
                text.push_str(&format!("{cell}{}  ", " ".repeat(w.saturating_sub(width(cell)))));
            }
            text.push_str(&short(row.get(last).map_or("", String::as_str), columns.saturating_sub(before)));
            return text.trim_end().to_owned();
        }
        if let Some((name, others)) = row.split_first()
            && widths.first().is_some_and(|widest| *widest > columns * 3 / 4)
        {
            // It has its line for itself; what else is known of it stands below, each under its head.
            let others = head.iter().skip(1).zip(others).filter(|(_, cell)| !cell.is_empty());
            let others: Vec<String> =
                others.map(|(head, cell)| format!("{} {cell}", head.to_lowercase())).collect();
            let below = wrap(&others.join(" · "), columns.saturating_sub(4), usize::MAX);
            return [name.clone()]
                .into_iter()
                .chain(below.iter().map(|l| format!("    {l}")))
                .collect::<Vec<_>>()
                .join("\n");
        }
        let filled: Vec<&str> = row.iter().take(last).map(String::as_str).filter(|c| !c.is_empty()).collect();
        text.push_str(&filled.join("  "));
        if let Some(cell) = row.get(last).filter(|cell| !cell.is_empty()) {
            text.push_str(&format!("\n    {}", short(cell, columns.saturating_sub(4))));
        }
        text
    };
    let head: Vec<String> = head.iter().map(|h| (*h).to_owned()).collect();
    let titles = beside.then(|| line(&head));
    titles.into_iter().chain(rows.iter().map(|row| line(row))).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_break() {
        let name = "local-env-projection-anthropic-oauth";
        let rows = vec![
            vec![
                name.to_owned(),
                "local env".to_owned(),
                "A summary that is longer than the line that is left for it.".to_owned(),
            ],
            vec!["b".to_owned(), String::new(), "Short.".to_owned()],
        ];
        for columns in [40, 60, 80, 100, 160] {
            let text = of_width(columns, &["SCENARIO", "TAGS", "SUMMARY"], &rows);
            assert_eq!(
                columns == 40,
                text.contains("\n    tags local env · summary A"),
                "{columns}:\n{text}"
            );
            assert!(text.contains(name), "{columns}:\n{text}");
            assert!(text.lines().all(|l| width(l) <= columns.max(name.len() + 12)), "{columns}:\n{text}");
        }
    }
}
