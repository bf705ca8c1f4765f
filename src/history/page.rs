//! Histories as a page to look at: the same page as a run's report, with a row for each scenario.

use maud::{Markup, html};

use super::kept::Kept;
use super::rates::{History, Spread};
use crate::domain::words::count;
use crate::report::html::{Filter, Page, whole};
use crate::report::text::{brief, clean};

/// The file, whole.
pub(crate) fn page(histories: &[History], kept: &Kept) -> String {
    let of = |class: &str| histories.iter().filter(|one| class_of(one) == class).count();
    let filters: Vec<Filter> = [
        ("failed", "red at times"),
        ("flaky", "flaky"),
        ("passed", "always good"),
        ("skipped", "not judged"),
    ]
    .into_iter()
    .map(|(class, word)| (class, word, of(class)))
    .filter(|(_, _, number)| *number > 0)
    .collect();
    let mut sorted: Vec<&History> = histories.iter().collect();
    sorted.sort_by_key(|one| (std::cmp::Reverse(one.bad), std::cmp::Reverse(one.flaky), one.slow.is_none()));
    let unsteady = of("failed") + of("flaky");
    whole(&Page {
        title: "lifecycle history",
        before: html! {
            header.red[of("failed") > 0] {
                p.run { "lifecycle history" }
                h1 { (count(histories.len(), "scenario")) " in " (clean(&kept.line())) }
                p { (unsteady) " not always good" }
                p.dim { ". good · f flaky · x red · - not judged; the newest run is the last one" }
            }
        },
        what: "Scenarios",
        filters: &filters,
        rows: sorted.into_iter().map(row).collect(),
        after: html! {},
    })
}

fn class_of(one: &History) -> &'static str {
    match (one.bad, one.flaky, one.good) {
        (1.., _, _) => "failed",
        (0, 1.., _) => "flaky",
        (0, 0, 1..) => "passed",
        (0, 0, 0) => "skipped",
    }
}

fn row(one: &History) -> Markup {
    let percent = 100.0 * one.good as f64 / one.judged.max(1) as f64;
    let spreads: Vec<(&str, &Spread)> = one
        .took
        .iter()
        .map(|took| ("passes", took))
        .chain(one.phases.iter().map(|(phase, spread)| (phase.as_str(), spread)))
        .collect();
    let name = format!("{} on {}", clean(&one.scenario), clean(&one.target));
    html! {
        details.row.(class_of(one)) id=(name) data-name=(name)
            data-took=[one.took.map(|took| took.p50)] {
            summary {
                span.badge { (format!("{percent:.0} %")) }
                span.name { (clean(&one.scenario)) " " span.dim { "on " (clean(&one.target)) } }
                span.why {
                    code { (one.strip) }
                    @for (cause, times) in &one.causes { " " b { (clean(cause)) } " × " (times) }
                    @if one.slow.is_some() { " " span.tag { "slow" } }
                }
                span.took { @if let Some(took) = &one.took { (brief(took.p50)) } }
            }
            p { (count(one.judged, "run")) " judged: " (one.good) " good, " (one.flaky) " flaky, " (one.bad) " red; "
                (one.unjudged) " not judged" }
            @if let Some(bound) = one.flake_rate_below {
                p { (format!("flake rate {:.1} %, below {:.1} % with 95 % confidence",
                    100.0 * one.flaky as f64 / one.judged.max(1) as f64, bound * 100.0)) }
            }
            @if let Some(slow) = &one.slow {
                p.bad { "slow: " code { (clean(&slow.run)) } " took " (brief(slow.took_ms))
                    "; 95 of 100 before it took at most " (brief(slow.p95)) }
            }
            @if !spreads.is_empty() {
                table {
                    thead { tr { th { "time in" } th { "p50" } th { "p95" } } }
                    tbody { @for (what, spread) in spreads {
                        tr { td { (clean(what)) } td { (brief(spread.p50)) } td { (brief(spread.p95)) } }
                    } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_row_for_each_scenario_what_is_red_first_and_escapes_names() {
        let one = |scenario: &str, good, bad| History {
            scenario: scenario.into(),
            target: "embedded".into(),
            judged: good + bad,
            good,
            flaky: 0,
            bad,
            unjudged: 0,
            flake_rate_below: Some(0.2),
            took: Some(Spread { p50: 1_200, p95: 4_000 }),
            phases: [("provisioning".to_owned(), Spread { p50: 900, p95: 3_000 })].into(),
            slow: None,
            causes: [("projection-missing".to_owned(), bad)].into_iter().filter(|(_, n)| *n > 0).collect(),
            strip: "..x".into(),
        };
        let kept = Kept::of(14);
        let page = page(&[one("steady", 14, 0), one("<b>", 13, 1)], &kept);
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is not in {page}"));
        assert!(place("data-name=\"&lt;b&gt; on embedded\"") < place("data-name=\"steady on embedded\""));
        for part in ["14 runs", "93 %", "100 %", "projection-missing", "red at times", "always good", "1.2 s"]
        {
            place(part);
        }
        assert!(!page.contains("<b></span>") && !page.contains("http://"));
    }
}
