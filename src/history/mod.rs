//! What many runs say together: rates, durations, and whether a lane may gate.

mod gate;
mod kept;
mod page;
mod rates;
mod sample;

pub(crate) use gate::{Decision, Judged, Rules, judge};
pub(crate) use kept::{Kept, Why};
pub(crate) use page::page;
pub(crate) use rates::{History, histories};
pub(crate) use sample::{Sample, samples_of};
