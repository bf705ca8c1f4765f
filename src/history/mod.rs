//! What many runs say together: rates, durations, and whether a lane may gate.

mod gate;
mod rates;
mod sample;

pub use gate::{Decision, Judged, Rules, judge};
pub use rates::{History, Spread, histories};
pub use sample::{Outcome, Sample, samples_of};
