//! The phases of an organisation.

/// What is waited for, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The control plane answers and takes the token.
    ControlPlane,
    /// It has room for one more.
    Quota,
    /// The proxy of models that the platform pays for answers.
    LlmProxy,
    /// The organisation's row is there.
    Create,
    /// Its machine runs.
    Instance,
    /// The tenant's token can be read.
    Token,
    /// The tenant's name resolves.
    Dns,
    /// The connection opens and the certificate is good.
    Tls,
    /// `/health` answers.
    Health,
    /// The routes answer.
    Api,
    /// It is gone again.
    Purge,
}

impl Phase {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::ControlPlane => "control plane",
            Phase::Quota => "quota",
            Phase::LlmProxy => "llm proxy",
            Phase::Create => "create",
            Phase::Instance => "instance",
            Phase::Token => "token",
            Phase::Dns => "dns",
            Phase::Tls => "tls",
            Phase::Health => "health",
            Phase::Api => "api",
            Phase::Purge => "purge",
        }
    }
}
