//! Which of the runs that are kept count, and why others do not.

use crate::domain::words::count;

/// Why a run says nothing of a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It had faults of one's own making.
    Fault,
    /// No scenario of it came to an end.
    NoEnd,
    /// Its log cannot be read.
    Unreadable,
}

/// Runs that were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Those that count.
    pub counted: usize,
    faults: usize,
    endless: usize,
    unreadable: usize,
}

impl Kept {
    #[cfg(test)]
    pub(crate) fn of(counted: usize) -> Kept {
        Kept { counted, ..Kept::default() }
    }

    /// One that is left out.
    pub(crate) fn leave_out(&mut self, why: Why) {
        match why {
            Why::Fault => self.faults += 1,
            Why::NoEnd => self.endless += 1,
            Why::Unreadable => self.unreadable += 1,
        }
    }

    fn left_out(&self) -> Vec<String> {
        [
            (self.faults, "with --fault, which says nothing of a platform"),
            (self.endless, "in which no scenario ended"),
            (self.unreadable, "that cannot be read"),
        ]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect()
    }

    /// `14 runs; left out: 3 with --fault, which says nothing of a platform`.
    pub(crate) fn line(&self) -> String {
        let runs = count(self.counted, "run");
        match self.left_out().as_slice() {
            [] => runs,
            left => format!("{runs}; left out: {}", left.join(", ")),
        }
    }

    /// Why there is nothing to tell, of runs in a place.
    pub(crate) fn nothing(&self, place: &str) -> String {
        match (self.counted + self.faults + self.endless + self.unreadable, self.left_out()) {
            (0, _) => format!("no run is kept in {place}"),
            (n, left) => format!("{} kept in {place}, none counts: {}", count(n, "run"), left.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_counted_and_told() {
        let mut kept = Kept::default();
        assert_eq!(kept.nothing("runs"), "no run is kept in runs");
        kept.leave_out(Why::Fault);
        kept.leave_out(Why::Fault);
        kept.leave_out(Why::NoEnd);
        let left = "2 with --fault, which says nothing of a platform, 1 in which no scenario ended";
        assert_eq!(kept.nothing("runs"), format!("3 runs kept in runs, none counts: {left}"));
        kept.counted = 1;
        assert_eq!(kept.line(), format!("1 run; left out: {left}"));
        assert_eq!(Kept::of(14).line(), "14 runs");
    }
}
