//! Runs decided again from their logs: by the same files and the same code every decision comes out as it did.

use std::sync::Arc;

use lifecycle_harness::facade::mechanism::again::named_otherwise;
use lifecycle_harness::facade::runner::again::{Decision, Now, decide};
use lifecycle_harness::facade::scenario::{self, Scenario};
use lifecycle_harness::facade::source::SourceFile;

use super::case::{Case, OF_TENANTS};
use super::play::{self, Played};

/// The decisions of a log by these scenarios, and the reds that are named otherwise.
fn replayed(log: &str, scenarios: &[Arc<Scenario>]) -> (Vec<Decision>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("events.jsonl"), log).unwrap();
    (decide(folder.path(), scenarios).unwrap(), named_otherwise(folder.path()).unwrap())
}

/// What comes out otherwise than it did, a line each, and how many decisions were taken again.
pub(crate) fn otherwise(played: &Played) -> (Vec<String>, usize) {
    let (decisions, mut lines) = replayed(&played.log, &OF_TENANTS);
    let judged = decisions.iter().filter(|one| matches!(one.now, Now::Holds | Now::Fails(_))).count();
    for one in decisions {
        let now = match &one.now {
            Now::Diverged(why) => format!("diverged: {why}"),
            Now::Holds if one.changed() => "holds now".to_owned(),
            Now::Fails(why) if one.changed() => format!("fails now: {why}"),
            _ => continue,
        };
        lines.push(format!("{} step {} ({}), {}: {now}", one.scenario, one.step, one.verb, one.said));
    }
    (lines, judged)
}

/// What an edited scenario wants of a run that is over.
#[test]
fn a_changed_assertion_comes_out_otherwise_and_a_changed_request_diverges() {
    const NAME: &str = "access-health";
    let played = play::play(&Case { instances: vec![NAME.to_owned()], ..Case::healthy(7) });
    let own = OF_TENANTS.iter().find(|scenario| scenario.name == NAME).unwrap();
    let edited = |change: &dyn Fn(&str) -> String| {
        let text = change(&own.source.text);
        assert_ne!(text, *own.source.text);
        let file = SourceFile::new("edited.yaml", text);
        let scenario = scenario::load(&file, &scenario::shipped_fragments()).scenario.unwrap();
        replayed(&played.log, &[Arc::new(scenario)]).0
    };
    assert!(otherwise(&played).0.is_empty(), "{:?}", otherwise(&played).0);
    let status = edited(&|text| text.replacen("200", "418", 1));
    let changed: Vec<&Decision> = status.iter().filter(|one| one.changed()).collect();
    assert!(
        matches!(changed.as_slice(), [one] if matches!(&one.now, Now::Fails(why) if why.contains("418")))
    );
    let path = edited(&|text| text.replacen("/health", "/healthy", 1));
    let diverged = path.iter().filter(|one| matches!(one.now, Now::Diverged(_))).count();
    assert!(diverged > 0 && path.iter().all(|one| !one.changed()), "{path:?}");
    let longer = edited(&|text| format!("{}\n  - http: {{ path: /health }}\n", text.trim_end()));
    assert!(longer.iter().any(|one| matches!(&one.now, Now::Diverged(why) if why.contains("no such step"))));
}
