//! Workspaces that bear a name of this run's and are not in its ledger: whatever stands between may send a create twice,
//! and a create whose answer was lost may come true after its name was looked for in vain.

use serde_json::Value;

use super::cleanup_look;
use super::context::RunContext;
use super::root_name::{base, is_called};
use crate::clock::Instant;
use crate::event::EventKind;
use crate::platform::record;
use crate::platform::row::Row;
use crate::run::ledger::Entry;

/// A shorter tail of a run's id could stand in somebody else's name.
const LEAST_TAIL: usize = 8;

/// Whether nobody but this run can have given a row its name.
pub(super) fn is_ours(run: &RunContext, row: &Value) -> bool {
    !run.ledger.owns(row.id()) && asked(run, row).is_some()
}

/// Whether a row that an answer of ours named is somebody else's: it bears another name than what was asked for, and hangs
/// under nothing of ours. A platform may shorten a name, change its case, or give it a number.
pub(super) fn is_strangers(run: &RunContext, asked: &str, row: &Value) -> bool {
    !row.name().is_empty() && !is_alike(asked, &run.tail, row.name()) && !run.ledger.owns(row.parent())
}

fn is_alike(asked: &str, tail: &str, stored: &str) -> bool {
    let (asked, stored) = (base(asked).to_lowercase(), base(stored).to_lowercase());
    let tailed = tail.len() >= LEAST_TAIL && stored.contains(&tail.to_lowercase());
    let shortened = stored.len() >= LEAST_TAIL && asked.starts_with(&stored);
    asked == stored || tailed || shortened
}

/// What was asked for under the name that a row bears: whose it is, and whether the platform makes its instances.
fn asked(run: &RunContext, row: &Value) -> Option<Entry> {
    if run.tail.len() < LEAST_TAIL || row.id().is_empty() || !row.name().contains(&run.tail) {
        return None;
    }
    run.ledger.workspaces().into_iter().find(|entry| is_called(row, base(&entry.name)))
}

/// Takes such rows into the ledger, each in the place of a request of which nobody knows what came, if there is one.
pub(super) fn adopt<'r>(run: &RunContext, rows: impl IntoIterator<Item = &'r Value>) -> Vec<Entry> {
    let mut adopted = Vec::new();
    for row in rows {
        let Some(asked) = asked(run, row).filter(|_| !run.ledger.owns(row.id())) else { continue };
        let open = run.ledger.all_open().into_iter();
        let doubtful = open.rev().find(|entry| entry.id.is_none() && is_called(row, base(&entry.name)));
        let intend = || run.ledger.intend(&asked.kind, row.name(), None, asked.managed);
        let resource = doubtful.map_or_else(intend, |entry| entry.resource);
        run.ledger.own(&resource, row.id(), row.name());
        adopted.extend(run.ledger.by_id(row.id()));
    }
    adopted
}

/// Looks for them once; those that were taken in.
pub(super) async fn look(run: &RunContext, deadline: Instant) -> Vec<Entry> {
    if run.ledger.workspaces().is_empty() {
        return Vec::new();
    }
    let Some(list) = cleanup_look::list(run, "look for what else bears our names", deadline).await else {
        return Vec::new();
    };
    let rows = record::list(list.json.as_ref()).filter(|_| list.status == 200).unwrap_or_default();
    let adopted = adopt(run, rows);
    if !adopted.is_empty() {
        let names: Vec<&str> = adopted.iter().map(|entry| entry.name.as_str()).take(3).collect();
        run.log.emit(EventKind::Warning {
            scenario: None,
            text: format!(
                "{} more of this run's workspaces were found by name ({}): a create came true twice, or late; they are \
                 removed with the others",
                adopted.len(),
                names.join(", ")
            ),
        });
    }
    adopted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_again_and_no_other_is_taken_for_it() {
        for (stored, alike) in [
            ("lc-names-ws-e233-2ba01a10", true),
            ("LC-Names-WS-E233-2BA01A10", true),
            ("lc-names-ws-e233-2ba01a10 (3)", true),
            ("lc-names-ws-e233", true),
            ("ws of 2ba01a10", true),
            ("lc-", false),
            ("precious", false),
            ("lc-names-ws-e233-77777777", false),
            ("lc-root-77777777", false),
        ] {
            assert_eq!(is_alike("lc-names-ws-e233-2ba01a10", "2ba01a10", stored), alike, "{stored}");
        }
        assert!(is_alike("mine", "", "Mine (2)"), "whoever has no tail has the name");
        assert!(!is_alike("mine", "", "theirs"));
    }
}
