//! What a target can offer.

/// What a target can offer, found by read-only probes and the profile (DESIGN §4).
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
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Workspaces whose instances the platform makes.
    Managed,
    /// Workspaces whose agents live elsewhere.
    External,
    /// The containers are reachable through an engine.
    Containers,
    /// The environment of an instance can be read.
    Env,
    /// Instances can be told apart and ended behind the platform's back.
    Instances,
    /// The engine keeps the limits of containers.
    Limits,
    /// An event stream.
    Events,
    /// Organisations of a control plane.
    Org,
    /// Agents answer known questions.
    Answers,
    /// Faults can be switched on.
    Faults,
    /// The reference platform's own inspection route.
    Inspect,
    /// The server reaches agents that the harness runs on this machine.
    Stubs,
}

impl Capability {
    /// All of them, in the order of documentation.
    pub const ALL: [Capability; 12] = [
        Capability::Managed,
        Capability::External,
        Capability::Containers,
        Capability::Env,
        Capability::Instances,
        Capability::Limits,
        Capability::Events,
        Capability::Org,
        Capability::Answers,
        Capability::Faults,
        Capability::Inspect,
        Capability::Stubs,
    ];

    /// The word in scenario files.
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::Managed => "managed",
            Capability::External => "external",
            Capability::Containers => "containers",
            Capability::Env => "env",
            Capability::Instances => "instances",
            Capability::Limits => "limits",
            Capability::Events => "events",
            Capability::Org => "org",
            Capability::Answers => "answers",
            Capability::Faults => "faults",
            Capability::Inspect => "inspect",
            Capability::Stubs => "stubs",
        }
    }
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
