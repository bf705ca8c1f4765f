//! What a scenario can ask of a target: something that it offers, or something that its server does.

use std::fmt;

use super::model::Capability;
use crate::behaviour::Behaviour;
use crate::source::did_you_mean;

/// One word under `needs:` or `when:`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(untagged)]
pub enum Need {
    /// The target offers it.
    Capability(Capability),
    /// The server does it.
    Behaviour(Behaviour),
}

impl Need {
    /// By its word.
    pub fn named(word: &str) -> Option<Need> {
        let capability = Capability::ALL.into_iter().find(|c| c.as_str() == word).map(Need::Capability);
        capability.or_else(|| Behaviour::named(word).map(Need::Behaviour))
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Need::Capability(capability) => capability.as_str(),
            Need::Behaviour(behaviour) => behaviour.as_str(),
        }
    }

    /// What to do about a word that is none: all capabilities, and of the many behaviours only a near one.
    pub fn hint(word: &str) -> String {
        match Behaviour::near(word) {
            Some(_) => Behaviour::hint(word),
            None => {
                let capabilities = did_you_mean(word, Capability::ALL.map(Capability::as_str));
                format!("{capabilities}; or a behaviour (`lifecycle behaviours list`)")
            }
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_behaviour_has_the_name_of_a_capability() {
        for capability in Capability::ALL {
            assert_eq!(Behaviour::named(capability.as_str()), None);
            assert_eq!(Need::named(capability.as_str()), Some(Need::Capability(capability)));
        }
        assert_eq!(Need::named("hibernate-wakes"), Some(Need::Behaviour(Behaviour::HibernateWakes)));
        assert_eq!(Need::named("mended"), None);
    }
}
