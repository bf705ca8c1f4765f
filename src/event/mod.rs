//! The event log: the one truth of a run. Everything anybody reads is a projection of it.

mod log;
mod payload;
mod read;
mod symptoms;

pub use log::{Log, LogError};
pub use payload::*;
pub use read::{BadLines, LogReader, ReadSummary, read_events};
pub use symptoms::{Ended, Kind, Red, Subject, Symptoms, Wait};
