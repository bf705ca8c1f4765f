//! Why a step failed: evidence while it is there, then the mechanisms.

use super::context::ScenarioContext;
use super::outcome::Decisive;
use super::{evidence, symptoms};
use crate::event::{AlsoSeen, Diagnosis, EventKind};
use crate::mechanism::{UNCLASSIFIED, diagnose};

/// Gathers, files, and looks for the cause.
pub(super) async fn find(context: &ScenarioContext, decisive: &Decisive) -> Diagnosis {
    let evidence = evidence::file(context, &decisive.step, &decisive.failure).await;
    let mut symptoms = symptoms::of(context, decisive, evidence);
    // As the log has them: whoever looks for the cause again looks at the same.
    let redactor = context.run.log.redactor();
    let mut evidence = std::mem::take(&mut symptoms.evidence);
    redactor.clean(&mut symptoms);
    redactor.clean(&mut evidence);
    symptoms.evidence = evidence;
    let found = diagnose(&symptoms);
    context.run.log.emit(EventKind::Failed(Box::new(symptoms)));
    found
}

/// The first cause, and the later ones beside it.
pub(super) fn first_of(first: Diagnosis, later: impl IntoIterator<Item = (String, Diagnosis)>) -> Diagnosis {
    let mut first = first;
    for (step, cause) in later {
        let known = cause.mechanism == first.mechanism
            || first.also_seen.iter().any(|also| also.mechanism == cause.mechanism && also.explains);
        if known || cause.mechanism == UNCLASSIFIED {
            continue;
        }
        first.also_seen.retain(|also| also.mechanism != cause.mechanism);
        first.also_seen.insert(
            0,
            AlsoSeen {
                mechanism: cause.mechanism,
                summary: format!("step {step}: {}", cause.summary),
                explains: true,
                evidence: cause.evidence.into_iter().take(2).collect(),
            },
        );
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_is_named_and_each_other_one_mentioned_once() {
        let of = |mechanism: &str| Diagnosis { mechanism: mechanism.into(), ..Diagnosis::default() };
        let seen = AlsoSeen { mechanism: "b".into(), ..AlsoSeen::default() };
        let first = Diagnosis { also_seen: vec![seen], ..of("a") };
        let later = [("4", "b"), ("5", "a"), ("6", "b"), ("7", UNCLASSIFIED)];
        let found = first_of(first, later.map(|(step, name)| (step.to_owned(), of(name))));
        assert_eq!(found.mechanism, "a");
        let also: Vec<(&str, bool)> =
            found.also_seen.iter().map(|a| (a.mechanism.as_str(), a.explains)).collect();
        assert_eq!(also, [("b", true)]);
    }
}
