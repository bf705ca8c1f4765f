//! The one source of chance: the system's, or in a simulated run a seed's, so that the run can be had again.

use std::cell::RefCell;
use std::ops::Range;

use rand::distr::{Distribution, StandardUniform};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

thread_local! {
    static SEEDED: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// While it lives, chance on this thread comes from a seed.
#[must_use]
pub struct Seeded(());

/// Takes chance on this thread from a seed. For simulated runs, which live on one thread.
pub fn seeded(seed: u64) -> Seeded {
    SEEDED.with_borrow_mut(|own| *own = Some(StdRng::seed_from_u64(seed)));
    Seeded(())
}

impl Drop for Seeded {
    fn drop(&mut self) {
        SEEDED.with_borrow_mut(|own| *own = None);
    }
}

/// A random value.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub(crate) fn random<T>() -> T
where
    StandardUniform: Distribution<T>,
{
    SEEDED.with_borrow_mut(|own| match own {
        Some(own) => own.random(),
        None => rand::rng().random(),
    })
}

/// A factor out of a range.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub(crate) fn factor(range: Range<f64>) -> f64 {
    SEEDED.with_borrow_mut(|own| match own {
        Some(own) => own.random_range(range),
        None => rand::rng().random_range(range),
    })
}

/// A random UUID (version 4).
pub(crate) fn uuid() -> Uuid {
    uuid::Builder::from_random_bytes(random()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_until_it_ends() {
        let three = || [uuid(), uuid(), uuid()];
        let first = {
            let _seeded = seeded(7);
            three()
        };
        let again = {
            let _seeded = seeded(7);
            three()
        };
        assert_eq!(first, again);
        assert_ne!(three(), first);
        assert_eq!(first[0].get_version_num(), 4);
    }
}
