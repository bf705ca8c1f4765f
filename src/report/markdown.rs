//! Markdown for people who read a run on a forge: the causes, each with one whole block, then a table of everything.

use super::block::{Size, failure_block, plain_text};
use super::causes::Cause;
use super::commands::run_name;
use super::drifted;
use super::junit::identity;
use super::scenario_state::ScenarioState;
use super::state::RunState;
use super::text::{brief, clean, cut};
use super::whole::failure_text;
use crate::event::{Class, Verdict};

/// The forge's limit of a job summary is 1 MiB; what is longer is dropped whole by it.
const MAX_BYTES: usize = 900 << 10;
/// What one scenario's whole text may take before only its block is shown.
const MAX_FAILURE: usize = 64 << 10;
/// Rows of a table that is not folded.
const MAX_ROWS: usize = 40;
/// Causes whose block is open.
const MAX_OPEN: usize = 3;
/// Columns of a cell.
const MAX_WHY: usize = 300;

/// The file, whole, at most 900 KiB.
pub(super) fn render(state: &RunState) -> String {
    let mut page = head(state);
    let causes: Vec<String> =
        state.causes().iter().enumerate().map(|(n, cause)| of_cause(state, cause, n)).collect();
    push_within(&mut page, &causes, MAX_BYTES / 2, "causes");
    page.push_str(&contract(state));
    let rows = rows(state);
    let folded = rows.len() > MAX_ROWS;
    if folded {
        let all = super::text::count(rows.len() as u64, "scenario");
        page.push_str(&format!("<details><summary>{all}</summary>\n\n"));
    }
    page.push_str("| | scenario | took | platform | why |\n|---|---|---|---|---|\n");
    push_within(&mut page, &rows, MAX_BYTES * 3 / 4, "rows");
    if folded {
        page.push_str("\n</details>\n");
    }
    page.push_str(&tail(state));
    let expected = state.scenarios.values().filter(|s| s.verdict() == Some(Verdict::ExpectedFailure));
    let details: Vec<String> = expected.map(|s| details(state, s, false)).collect();
    push_within(&mut page, &details, MAX_BYTES, "expected failures");
    page
}

/// Where the server's contract differs.
fn contract(state: &RunState) -> String {
    let drifts = drifted::all(state);
    if drifts.is_empty() {
        return String::new();
    }
    let many = super::text::count(drifts.len() as u64, "difference");
    let lines = drifts.iter().map(|drift| format!("- {}\n", escape(&cut(&drift.line(), MAX_WHY))));
    let class = super::class_name(Class::Contract);
    format!(
        "### The server's contract differs ({class}): {many}\n\n{}\n`lifecycle drift` shows them, `--accept` takes them in.\n\n",
        lines.collect::<String>()
    )
}

/// What was broken, its block, and what else it broke.
fn of_cause(state: &RunState, cause: &Cause<'_>, n: usize) -> String {
    let class = cause.class.map(|class| format!(" ({})", super::class_name(class))).unwrap_or_default();
    let standing = match cause {
        cause if cause.is_known() => ", known",
        cause if cause.is_advisory() => ", advisory",
        _ => "",
    };
    let reds = super::text::count(cause.reds.len() as u64, "red");
    let mut text = format!("### {}{class}: {reds}{standing}\n\n", escape(&cut(&cause.title(), MAX_WHY)));
    if !cause.summary.is_empty() {
        text.push_str(&format!("{}\n\n", escape(cause.summary)));
    }
    let open = n < MAX_OPEN && !cause.is_advisory() && !cause.is_known();
    text.push_str(&details(state, cause.representative(), open));
    if !cause.others().is_empty() {
        let names: Vec<String> = cause.others().iter().map(|red| escape(&cut(red.name(), MAX_WHY))).collect();
        text.push_str(&format!("Red by the same cause: {}\n\n", names.join(", ")));
    }
    text
}

/// Pushes what fits below a limit, then says how many did not; returns how many did.
fn push_within(page: &mut String, items: &[String], limit: usize, what: &str) -> usize {
    for (i, item) in items.iter().enumerate() {
        if page.len() + item.len() + 200 > limit {
            page.push_str(&format!("\n… {} more {what}: see the other reports\n", items.len() - i));
            return i;
        }
        page.push_str(item);
    }
    items.len()
}

fn head(state: &RunState) -> String {
    let totals = state.totals();
    let exit = match &state.finished {
        Some(finished) => format!("exit {}: {}", finished.code, escape(&finished.reason)),
        None => "no exit code: the run has no end".to_owned(),
    };
    let mut page = format!(
        "## lifecycle: {}\n\n{} in {} · {exit}\n\n",
        escape(&totals.line()),
        super::text::count(totals.scenarios as u64, "scenario"),
        brief(state.took_ms())
    );
    for remark in &state.remarks {
        page.push_str(&format!("> {}\n\n", escape(remark)));
    }
    if state.reds().count() > 1 {
        page.push_str(&format!("**{}**\n\n", state.causes_line()));
    }
    page
}

fn rows(state: &RunState) -> Vec<String> {
    state.by_importance().into_iter().map(row).collect()
}

fn row(scenario: &ScenarioState) -> String {
    let verdict = scenario.verdict();
    let advisory =
        if scenario.is_advisory() && verdict.is_some_and(Verdict::is_red) { " (advisory)" } else { "" };
    let took = scenario.finish.as_ref().map_or_else(String::new, |f| brief(f.took_ms));
    let platform = scenario.finish.as_ref().filter(|f| f.platform_ms > 0);
    let platform = platform.map_or_else(String::new, |f| brief(f.platform_ms));
    let mechanism =
        scenario.diagnosis.as_ref().map(|d| format!("**{}** ", escape(&d.mechanism))).unwrap_or_default();
    let standing = match scenario.known() {
        Some(known) => format!("known {}: ", escape(known)),
        None if scenario.is_new() => "**new** ".to_owned(),
        None => String::new(),
    };
    let mut why = if verdict == Some(Verdict::Passed) {
        String::new()
    } else if verdict.is_some_and(Verdict::is_red) && scenario.started_ms.is_none() {
        // What stopped one before it began stopped them all, and is told above.
        "did not begin".to_owned()
    } else {
        escape(&cut(scenario.reason(), MAX_WHY))
    };
    for line in scenario.advisory_lines() {
        let gap = if why.is_empty() { "" } else { "; " };
        why.push_str(&format!("{gap}advisory: {}", escape(&cut(&line, MAX_WHY))));
    }
    format!(
        "| {} {}{advisory} | {} | {took} | {platform} | {standing}{mechanism}{why} |\n",
        mark(verdict),
        verdict.map_or("no end", Verdict::as_str),
        escape(&cut(scenario.name(), MAX_WHY)),
    )
}

fn mark(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Passed) => "✅",
        Some(Verdict::Flaky) => "⚠️",
        Some(Verdict::ExpectedFailure) => "🟡",
        Some(Verdict::Skipped) => "⏭️",
        Some(Verdict::Cancelled) | None => "⏹️",
        Some(_) => "❌",
    }
}

fn tail(state: &RunState) -> String {
    let mut page = String::from("\n");
    let left = state.left();
    if !left.is_empty() {
        page.push_str("**Left behind** (remove with `lifecycle sweep`):\n\n");
        for line in left.iter().take(50) {
            page.push_str(&format!("- {}\n", escape(line)));
        }
        page.push('\n');
    }
    if !state.fixed.is_empty() {
        page.push_str("**Fixed** (red in earlier runs, passed now):\n\n");
        for fixed in state.fixed.iter().take(50) {
            page.push_str(&format!("- {} {}\n", escape(&fixed.fingerprint), escape(&fixed.told)));
        }
        page.push('\n');
    }
    let warnings = state.warnings.len() as u64 + state.more_warnings;
    if warnings > 0 {
        page.push_str(&format!(
            "<details><summary>{}</summary>\n\n",
            super::text::count(warnings, "warning")
        ));
        for (scenario, text) in state.warnings.iter().take(50) {
            let whose = scenario.as_deref().map(|s| format!("{}: ", escape(s))).unwrap_or_default();
            page.push_str(&format!("- {whose}{}\n", escape(text)));
        }
        page.push_str("\n</details>\n\n");
    }
    page.push_str("<details><summary>run</summary>\n\n| | |\n|---|---|\n");
    for (name, value) in identity(state) {
        let short: String = value.chars().take(300).collect();
        page.push_str(&format!("| {} | {} |\n", name.replace('_', " "), escape(&short)));
    }
    page.push_str("\n</details>\n\n");
    page
}

fn details(state: &RunState, scenario: &ScenarioState, open: bool) -> String {
    // What is open fits a screen; the rest of it is folded below.
    let block = plain_text(&failure_block(
        state,
        scenario,
        &run_name(state),
        Size { lines: Some(40), ..Size::WHOLE },
    ));
    let whole = failure_text(state, scenario);
    let more = whole.len() > block.len() && whole.len() <= MAX_FAILURE;
    let text = block;
    let open = if open { " open" } else { "" };
    let mut page = format!(
        "<details{open}><summary>{} {} {}</summary>\n\n{}</details>\n\n",
        mark(scenario.verdict()),
        html(scenario.name()),
        html(scenario.verdict().map_or("", Verdict::as_str)),
        fenced(&text),
    );
    if more {
        let title = html(scenario.name());
        page.push_str(&format!(
            "<details><summary>full evidence: {title}</summary>\n\n{}</details>\n\n",
            fenced(&whole)
        ));
    }
    page
}

fn fenced(text: &str) -> String {
    let fence = fence(text);
    format!("{fence}text\n{text}{fence}\n\n")
}

/// A fence that is longer than any run of backticks in the text.
fn fence(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat((longest + 1).max(3))
}

/// For the flow of a page or a cell of a table: nothing in it is markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in html(text).chars() {
        if matches!(c, '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' | '@' | '!') {
            out.push('\\');
        }
        out.push(c);
    }
    // A number sign that begins a word links to an issue of the forge's own, which is welcome.
    out
}

fn html(text: &str) -> String {
    maud::html! { (clean(text)) }.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup() {
        assert_eq!(
            escape("a|b `c` <script>*x*</script> [l](u)\n| d"),
            "a\\|b \\`c\\` &lt;script&gt;\\*x\\*&lt;/script&gt; \\[l\\](u) \\| d"
        );
        assert_eq!(fence("a ```` b"), "`````");
        assert_eq!(fence("a"), "```");
    }
}
