//! Lives of organisations: made at a control plane, run on, purged, whatever the control plane, the wire and whoever
//! interrupts do meanwhile.

use super::case::Case;
use super::seeds::{Series, shard};

/// So many seeds are played unless `LIFECYCLE_ORG_SEEDS` says otherwise.
const SEEDS: u64 = 60;

const ORGANISATIONS: Series = Series {
    of: Case::of_organisation,
    seeds: ("LIFECYCLE_ORG_SEEDS", SEEDS),
    one: "LIFECYCLE_ORG_SEED",
    filter: "organisations",
};

#[test]
fn first_shard() {
    shard(&ORGANISATIONS, 0);
}

#[test]
fn second_shard() {
    shard(&ORGANISATIONS, 1);
}

#[test]
fn third_shard() {
    shard(&ORGANISATIONS, 2);
}

#[test]
fn fourth_shard() {
    shard(&ORGANISATIONS, 3);
}
