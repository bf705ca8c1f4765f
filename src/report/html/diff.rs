//! Two runs side by side on the same page as a run's report: a row for each scenario that differs.

use indexmap::IndexMap;
use maud::{Markup, html};

use super::{Filter, Page, whole};
use crate::report::run_diff::{Difference, Kind, Side};
use crate::report::text::{clean, count};

/// The file, whole.
pub(crate) fn diff(left: &Side, right: &Side, found: &[Difference]) -> String {
    let mut scenarios: IndexMap<&str, Vec<&Difference>> = IndexMap::new();
    for one in found {
        scenarios.entry(one.scenario.as_str()).or_default().push(one);
    }
    let of = |class: &str| scenarios.values().filter(|all| class_of(all) == class).count();
    let filters: Vec<Filter> = [("failed", "differ"), ("flaky", "only in time")]
        .into_iter()
        .map(|(class, word)| (class, word, of(class)))
        .filter(|(_, _, number)| *number > 0)
        .collect();
    whole(&Page {
        title: &format!("lifecycle diff {} {}", clean(&left.run), clean(&right.run)),
        before: html! {
            header.red[of("failed") > 0] {
                p.run { "lifecycle diff" }
                h1 { @if found.is_empty() { "no difference" } @else {
                    (count(found.len() as u64, "difference")) " in " (count(scenarios.len() as u64, "scenario"))
                } }
                dl.facts {
                    @for (n, side) in [left, right].into_iter().enumerate() {
                        div { dt { (n + 1) } dd { code { (clean(&side.run)) } " " (clean(&side.target)) } }
                    }
                }
            }
        },
        what: "What differs (1 / 2)",
        filters: &filters,
        rows: scenarios.iter().map(|(name, all)| row(name, all)).collect(),
        after: html! {},
    })
}

fn class_of(all: &[&Difference]) -> &'static str {
    if all.iter().any(|one| one.kind != Kind::Time) { "failed" } else { "flaky" }
}

fn row(name: &str, all: &[&Difference]) -> Markup {
    html! {
        details.row.(class_of(all)) id=(clean(name)) data-name=(clean(name)) open {
            summary {
                span.badge { (all.len()) }
                span.name { (clean(name)) }
                span.why { @if let Some(first) = all.first() { (first.kind.as_str()) ": " (clean(&first.what)) } }
            }
            table {
                thead { tr { th { "what" } th { "step" } th { "1 / 2" } } }
                tbody { @for one in all {
                    tr class=(if one.kind == Kind::Time { "dim" } else { "" }) {
                        td { (one.kind.as_str()) }
                        td { (clean(one.step.as_deref().unwrap_or_default())) }
                        td { (clean(&one.what)) }
                    }
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_that_differs_is_a_row_and_time_alone_is_told_apart() {
        let side = |run: &str| Side::of(run, "live <x>");
        let one = |scenario: &str, kind, what: &str| Difference {
            scenario: scenario.into(),
            step: Some("4".into()),
            kind,
            what: what.into(),
        };
        let found = [
            one("a", Kind::Verdict, "passed / failed"),
            one("a", Kind::Time, "1 s / 9 s"),
            one("b", Kind::Time, "1 s / 4 s"),
        ];
        let page = diff(&side("r1"), &side("r2"), &found);
        for part in ["3 differences in 2 scenarios", "live &lt;x&gt;", "passed / failed", "only in time"] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert_eq!(page.matches("data-name=").count(), 2);
        assert!(diff(&side("r1"), &side("r2"), &[]).contains("no difference"));
    }
}
