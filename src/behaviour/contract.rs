//! What a server is expected to do, what it was seen to do, and where the two differ.

use std::collections::BTreeMap;

use super::overlay::Overlay;
use super::{Behaviour, Behaviours, Edition, edition, row, rows, word};
use crate::domain::red::Identity;

/// Where an expectation is from.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The edition that was named.
    Edition,
    /// The edition that fits best.
    Found,
    /// The overlay file.
    Accepted,
    /// The profile, or a flag.
    Declared,
}

/// Who told what a server does.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// The server itself, where it is a reference platform that can be inspected.
    Server,
    /// A read-only probe.
    Probe,
}

/// One way in which a server differs from what was expected.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct Drift {
    /// What.
    pub behaviour: Behaviour,
    /// What was expected.
    pub expected: bool,
    /// By which edition.
    pub edition: Edition,
    /// Why that was expected.
    pub origin: Origin,
}

impl Drift {
    /// What it is remembered by, from run to run: `contract/billing-route/off`.
    pub fn identity(&self) -> Identity {
        let fingerprint = format!("contract/{}/{}", self.behaviour, word(!self.expected));
        Identity { fingerprint, former: String::new() }
    }

    /// `billing-route is off, expected on by mid-june`.
    pub fn line(&self) -> String {
        let by = match self.origin {
            Origin::Edition | Origin::Found => format!("by {}", self.edition),
            Origin::Accepted => "by lifecycle.contract.yaml".to_owned(),
            Origin::Declared => "by the profile or --behaviour".to_owned(),
        };
        format!("{} is {}, expected {} {by}", self.behaviour, word(!self.expected), word(self.expected))
    }
}

/// What is expected of one server, and what it was seen to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contract {
    /// The edition that was named, or that fits best.
    pub edition: Edition,
    /// Somebody named it.
    pub named: bool,
    promised: BTreeMap<Behaviour, (bool, Origin)>,
    seen: BTreeMap<Behaviour, (bool, Told)>,
}

impl Contract {
    /// Of a server that was seen so; without a name the edition that fits best is taken.
    pub fn of(
        named: Option<Edition>,
        commit: Option<&str>,
        seen: BTreeMap<Behaviour, (bool, Told)>,
        accepted: &Overlay,
        declared: &BTreeMap<Behaviour, bool>,
    ) -> Contract {
        let edition = named.or(accepted.edition).unwrap_or_else(|| best(commit, &seen));
        let promised = accepted
            .rows
            .iter()
            .map(|row| (row.behaviour, (row.value, Origin::Accepted)))
            .chain(declared.iter().map(|(behaviour, on)| (*behaviour, (*on, Origin::Declared))))
            .collect();
        Contract { edition, named: named.or(accepted.edition).is_some(), promised, seen }
    }

    /// Of a server that does everything, for plans without one.
    pub fn of_everything() -> Contract {
        let seen = Behaviour::ALL.iter().map(|b| (*b, (true, Told::Server))).collect();
        Contract { seen, ..Contract::default() }
    }

    /// What is expected, and why.
    pub fn expected(&self, behaviour: Behaviour) -> (bool, Origin) {
        let by = if self.named { Origin::Edition } else { Origin::Found };
        let own = (self.edition.behaviours().has(behaviour), by);
        self.promised.get(&behaviour).copied().unwrap_or(own)
    }

    /// What a run goes by: what was seen, else what is expected.
    pub fn has(&self, behaviour: Behaviour) -> bool {
        self.seen.get(&behaviour).map_or_else(|| self.expected(behaviour).0, |(on, _)| *on)
    }

    /// All that a run goes by.
    pub fn behaviours(&self) -> Behaviours {
        Behaviour::ALL.iter().fold(Behaviours::NONE, |set, b| set.with(*b, self.has(*b)))
    }

    /// Who told it, where somebody did.
    pub fn told(&self, behaviour: Behaviour) -> Option<Told> {
        self.seen.get(&behaviour).map(|(_, told)| *told)
    }

    /// Whether the server was seen to do as expected.
    pub fn is_kept(&self, behaviour: Behaviour) -> bool {
        self.seen.get(&behaviour).is_some_and(|(on, _)| *on == self.expected(behaviour).0)
    }

    /// What was promised and is seen otherwise. A found edition promises nothing: it is only the nearest one.
    pub fn drifts(&self) -> Vec<Drift> {
        self.seen
            .iter()
            .filter_map(|(behaviour, (on, _))| {
                let (expected, origin) = self.expected(*behaviour);
                (expected != *on && origin != Origin::Found).then(|| self.drift(*behaviour))
            })
            .collect()
    }

    /// This behaviour differs from what was expected.
    pub fn drift(&self, behaviour: Behaviour) -> Drift {
        let (expected, origin) = self.expected(behaviour);
        Drift { behaviour, expected, edition: self.edition, origin }
    }

    /// `mid-august, 11 of 12; differs: billing-route (on)`.
    pub fn line(&self) -> String {
        let own = self.edition.behaviours();
        let differs: Vec<String> = self
            .seen
            .iter()
            .filter(|(behaviour, (on, _))| own.has(**behaviour) != *on)
            .map(|(behaviour, (on, _))| format!("{behaviour} ({})", word(*on)))
            .collect();
        let (told, fits) = (self.seen.len(), self.seen.len() - differs.len());
        let how = if told == 0 { "assumed, nothing tells".to_owned() } else { format!("{fits} of {told}") };
        let mut line = format!("{}, {how}", self.edition);
        if !differs.is_empty() {
            line.push_str(&format!("; differs: {}", differs.join(", ")));
        }
        line
    }
}

/// The edition whose commit was built, else the one that fits most of what was seen; the older one of two.
fn best(commit: Option<&str>, seen: &BTreeMap<Behaviour, (bool, Told)>) -> Edition {
    let built = |e: &Edition| {
        let own = edition(*e).map(|row| row.commit.as_str()).unwrap_or_default();
        commit.is_some_and(|commit| !own.is_empty() && commit.starts_with(own))
    };
    if let Some(edition) = Edition::ALL.into_iter().find(built) {
        return edition;
    }
    let fits = |e: &Edition| seen.iter().filter(|(b, (on, _))| e.behaviours().has(**b) == *on).count();
    let mut best = Edition::default();
    for edition in Edition::ALL {
        if fits(&edition) > fits(&best) {
            best = edition;
        }
    }
    best
}

/// What `behaviours list` shows of one behaviour: where it is on, and how that is found out.
pub(crate) fn where_and_how(behaviour: Behaviour) -> (String, &'static str) {
    let Some(row) = row(behaviour) else { return Default::default() };
    let on: Vec<&str> = row.editions.iter().map(|e| e.as_str()).collect();
    let place = if on.is_empty() { "none".to_owned() } else { on.join(", ") };
    (place, if row.probe.is_some() { "probed" } else { "declared only" })
}

/// Behaviours that a probe tells.
pub(crate) fn probed() -> impl Iterator<Item = (Behaviour, &'static super::probe::Probe)> {
    rows().iter().filter_map(|row| Some((row.behaviour, row.probe.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(list: &[(Behaviour, bool)]) -> BTreeMap<Behaviour, (bool, Told)> {
        list.iter().map(|(b, on)| (*b, (*on, Told::Probe))).collect()
    }

    #[test]
    fn the_edition_that_fits_best_is_found_and_promises_nothing() {
        let august = [
            (Behaviour::BillingRoute, true),
            (Behaviour::WsNeedsBearer, true),
            (Behaviour::AnonymousA2a, false),
        ];
        let found = Contract::of(None, None, seen(&august), &Overlay::default(), &BTreeMap::new());
        assert_eq!(found.line(), "mid-august, 2 of 3; differs: billing-route (on)");
        assert_eq!(found.drifts(), []);
        assert!(found.has(Behaviour::BillingRoute) && found.has(Behaviour::HibernateWakes));
        let built =
            Contract::of(None, Some("41a28aebff"), seen(&august), &Overlay::default(), &BTreeMap::new());
        assert_eq!(built.edition, Edition::MidJune);
        let nothing = Contract::of(None, None, seen(&[]), &Overlay::default(), &BTreeMap::new());
        assert_eq!(nothing.line(), "mid-june, assumed, nothing tells");
    }

    #[test]
    fn what_is_named_accepted_or_declared_is_promised() {
        let told = seen(&[(Behaviour::BillingRoute, false)]);
        let june =
            Contract::of(Some(Edition::MidJune), None, told.clone(), &Overlay::default(), &BTreeMap::new());
        assert_eq!(june.drifts()[0].line(), "billing-route is off, expected on by mid-june");
        assert!(!june.has(Behaviour::BillingRoute), "life goes by what was seen");
        let declared = BTreeMap::from([(Behaviour::BillingRoute, false)]);
        let own = Contract::of(Some(Edition::MidJune), None, told, &Overlay::default(), &declared);
        assert_eq!(own.drifts(), []);
    }
}
