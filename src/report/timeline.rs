//! What a workspace was seen in, by transition.

use super::text::brief;
use crate::domain::Status;

/// Transitions that are kept of a workspace; when there are more, the oldest but the first few go.
const MAX_MOMENTS: usize = 256;
const FIRST_MOMENTS: usize = 32;

/// A workspace's states by transition.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Its id.
    pub id: String,
    /// Transitions in order.
    pub moments: Vec<Moment>,
    /// Transitions that were dropped from the middle.
    pub dropped: usize,
}

/// A transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub ms: u64,
    /// Into which status; `None` when the workspace is absent.
    pub status: Option<Status>,
    /// Edge it belongs to, from 0.
    pub edge: u32,
}

/// A stretch of time in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `online`, `absent`.
    pub status: String,
    /// From when.
    pub from_ms: u64,
    /// How long.
    pub took_ms: u64,
    /// Nothing else was seen after it.
    pub still: bool,
    /// Edge it belongs to.
    pub edge: u32,
}

impl Timeline {
    pub(super) fn add(&mut self, moment: Moment) {
        if let Some(last) = self.moments.last()
            && last.status == moment.status
            && last.edge == moment.edge
        {
            return;
        }
        if self.moments.len() == MAX_MOMENTS {
            self.moments.remove(FIRST_MOMENTS);
            self.dropped += 1;
        }
        self.moments.push(moment);
    }

    /// The stretches that began before `end_ms`; the last one ends there.
    pub fn seen(&self, end_ms: u64) -> Vec<Seen> {
        let before: Vec<&Moment> = self.moments.iter().take_while(|m| m.ms <= end_ms).collect();
        before
            .iter()
            .enumerate()
            .map(|(i, moment)| {
                let next = before.get(i + 1);
                Seen {
                    status: moment.status.as_ref().map_or_else(|| "absent".to_owned(), Status::to_string),
                    from_ms: moment.ms,
                    took_ms: next.map_or(end_ms, |n| n.ms).saturating_sub(moment.ms),
                    still: next.is_none(),
                    edge: moment.edge,
                }
            })
            .collect()
    }
}

/// `provisioning 0.5 s → online 3.2 s → provisioning 20.0 s (still)`.
pub(crate) fn timeline_text(seen: &[Seen]) -> String {
    let parts: Vec<String> = seen
        .iter()
        .map(|s| format!("{} {}{}", s.status, brief(s.took_ms), if s.still { " (still)" } else { "" }))
        .collect();
    parts.join(" → ")
}
