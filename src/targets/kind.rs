//! Kinds of targets, and what follows from each. Nothing outside of `targets` matches a kind.

use clap::ValueEnum as _;

use crate::models::contradictions::TargetKind;
use crate::source::did_you_mean;

/// Kinds of targets.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The reference platform in this process.
    #[default]
    Embedded,
    /// The reference platform in this process, every workspace a real container.
    Docker,
    /// A workspace-server that runs already.
    Live,
    /// The tenant of an organisation that the run makes at a control plane.
    Saas,
}

impl Kind {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Embedded => "embedded",
            Kind::Docker => "docker",
            Kind::Live => "live",
            Kind::Saas => "saas",
        }
    }

    /// The kind that a word names.
    ///
    /// # Errors
    /// Which words there are.
    pub fn named(text: &str) -> Result<Kind, String> {
        let all = || Kind::value_variants().iter().map(|kind| kind.as_str());
        Kind::from_str(text, true).map_err(|_| did_you_mean(text, all()))
    }

    /// The one that an address means.
    pub fn of_an_address() -> Kind {
        Kind::Live
    }

    /// The one that the address of a control plane means.
    pub fn of_a_control_plane() -> Kind {
        Kind::Saas
    }

    /// An organisation is made first.
    pub fn has_control_plane(self) -> bool {
        match self {
            Kind::Saas => true,
            Kind::Embedded | Kind::Docker | Kind::Live => false,
        }
    }

    /// A reference platform that the run starts: it is this run's alone, and can be told what it is like.
    pub fn is_ours(self) -> bool {
        match self {
            Kind::Embedded | Kind::Docker => true,
            Kind::Live | Kind::Saas => false,
        }
    }

    /// Ends with this process, and everything on it too.
    pub fn ends_with_the_process(self) -> bool {
        match self {
            Kind::Embedded => true,
            Kind::Docker | Kind::Live | Kind::Saas => false,
        }
    }

    /// Opening it makes things on an engine, which are removed when it is closed.
    pub fn makes_containers(self) -> bool {
        match self {
            Kind::Docker => true,
            Kind::Embedded | Kind::Live | Kind::Saas => false,
        }
    }

    /// It runs already, somewhere.
    pub fn needs_address(self) -> bool {
        match self {
            Kind::Live => true,
            Kind::Embedded | Kind::Docker | Kind::Saas => false,
        }
    }

    /// What the model rules call it.
    pub fn for_models(self) -> TargetKind {
        match self {
            Kind::Embedded => TargetKind::Embedded,
            Kind::Docker => TargetKind::Docker,
            Kind::Live => TargetKind::Unknown,
            Kind::Saas => TargetKind::Saas,
        }
    }
}
