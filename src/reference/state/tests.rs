//! Whatever happens, the state stays in order.

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::State;
use super::machine::{Heartbeat, Register};
use super::tokens::Kind;
use super::workspace::{Delivery, Workspace};
use crate::behaviour::{Behaviour, Behaviours};
use crate::domain::Status;
use crate::reference::clock::Clock;

#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Register(u8),
    Heartbeat(u8, bool),
    Begin(u8),
    Failed(u8),
    Pause(u8),
    Hibernate(u8),
    Offline(u8),
    Expire(u8),
    Remove(u8),
    Forget(u8),
    Token(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..6_u8;
    prop_oneof![
        who.clone().prop_map(Step::Create),
        who.clone().prop_map(Step::Register),
        (who.clone(), any::<bool>()).prop_map(|(w, bad)| Step::Heartbeat(w, bad)),
        who.clone().prop_map(Step::Begin),
        who.clone().prop_map(Step::Failed),
        who.clone().prop_map(Step::Pause),
        who.clone().prop_map(Step::Hibernate),
        who.clone().prop_map(Step::Offline),
        who.clone().prop_map(Step::Expire),
        who.clone().prop_map(Step::Remove),
        who.clone().prop_map(Step::Forget),
        who.prop_map(Step::Token),
    ]
}

fn id(who: u8) -> Uuid {
    Uuid::from_u128(u128::from(who) + 1)
}

fn apply(state: &mut State, step: &Step, behaviours: Behaviours) {
    match *step {
        Step::Create(w) => {
            if state.get(id(w)).is_none() {
                let mut workspace = Workspace::new(id(w), format!("w{w}"), "claude-code".to_owned());
                workspace.parent = state.default_parent();
                state.created(workspace);
            }
        }
        Step::Register(w) => {
            let card = json!({ "name": "x" });
            let register =
                Register { id: id(w), url: String::new(), agent_card: card, delivery: Delivery::Poll };
            state.register(register, behaviours);
        }
        Step::Heartbeat(w, bad) => {
            let beat = Heartbeat { error_rate: if bad { 0.9 } else { 0.0 }, ..Heartbeat::default() };
            state.heartbeat(id(w), &beat, &Clock::new(1.0));
        }
        Step::Begin(w) => {
            // Every way into a provision looks for a removed row first.
            if state.present(id(w)).is_some() {
                state.begin_provisioning(id(w), behaviours);
            }
        }
        Step::Failed(w) => state.provision_failed(id(w), "no", json!({}), behaviours),
        Step::Pause(w) => {
            if state.present(id(w)).is_some() {
                state.paused(id(w));
            }
        }
        Step::Hibernate(w) => {
            if state.claim_hibernation(id(w), false) {
                state.hibernated(id(w));
            }
        }
        Step::Offline(w) => state.offline(id(w), Status::Offline),
        Step::Expire(w) => {
            state.expired(id(w), behaviours);
        }
        Step::Remove(w) => {
            if state.present(id(w)).is_some() {
                state.removed(id(w));
            }
        }
        Step::Forget(w) => state.forget(id(w)),
        Step::Token(w) => {
            if state.present(id(w)).is_some() {
                state.tokens.issue(id(w), Kind::Api);
            }
        }
    }
}

proptest! {
    #[test]
    fn lists_tokens_and_urls_agree_with_statuses(steps in prop::collection::vec(step(), 1..80), mend in any::<bool>()) {
        let behaviours = Behaviour::ALL.iter().fold(Behaviours::NONE, |set, b| set.with(*b, mend));
        let mut state = State::default();
        for step in &steps {
            let before: Vec<(Uuid, Status)> =
                (0..6).filter_map(|w| state.get(id(w))).map(|w| (w.id, w.status.clone())).collect();
            apply(&mut state, step, behaviours);
            let listed: Vec<Uuid> = state.live().map(|w| w.id).collect();
            let mut orders: Vec<u64> = state.live().map(|w| w.order).collect();
            prop_assert!(orders.is_sorted());
            orders.dedup();
            prop_assert_eq!(orders.len(), listed.len());
            for who in 0..6 {
                let row = state.get(id(who));
                let live = row.is_some_and(|w| w.status != Status::Removed);
                prop_assert_eq!(listed.contains(&id(who)), live);
                if row.is_none_or(|w| w.status == Status::Removed) {
                    prop_assert!(!state.tokens.has_any(id(who)), "a token of somebody who is gone");
                }
                if row.is_some_and(|w| matches!(w.status, Status::Paused | Status::Hibernated)) {
                    prop_assert!(row.is_some_and(|w| w.url.is_empty()));
                }
            }
            // Only a failed provision brings a removed row back, and only where that is kept.
            for (id, was) in before {
                let back = was == Status::Removed
                    && state.get(id).is_some_and(|w| w.status != Status::Removed);
                prop_assert!(!back || (matches!(step, Step::Failed(_)) && !mend));
            }
        }
    }
}
