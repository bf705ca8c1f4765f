//! Faults by name: each historic regression at its real mechanism, and faults of the wire.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One fault that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// No ANTHROPIC_* is projected, neither at create nor later.
    NoProjection,
    /// What was projected at create is gone after any re-provision.
    ProjectionLostOnRestart,
    /// The base URL keeps its `/v1`.
    BaseUrlDoubleV1,
    /// The restart-context row cannot be inserted because of its source.
    RestartContextSource,
    /// The first register of each instance is refused with 400.
    Register400Once,
    /// The instance runs but its agent never speaks.
    NeverOnline,
    /// The instance cannot be started.
    BootFailed,
    /// Boot takes `value` seconds of contract time longer.
    SlowOnline,
    /// The credential in the instance's environment is not the one that was given.
    Agent401,
    /// The agent answers with an empty text.
    EmptyCompletion,
    /// The agent wraps an error text in a good answer.
    ErrorAsText,
    /// The agent acknowledges the first message of an instance instead of answering it.
    AcknowledgesFirst,
    /// The agent answers under the id of another request.
    ReplyOfAnother,
    /// The agent advertises an address that nobody can resolve.
    UrlUnroutable,
    /// The config volume is empty when a workspace is provisioned again.
    ConfigVolumeLost,
    /// The new token never reaches the config volume on a re-provision.
    TokenLostOnRestart,
    /// A secret write is answered 200 and dropped.
    SecretWriteIgnored,
    /// The health sweep believes that every instance runs.
    StaleOnlineAfterKill,
    /// Restart is answered 200 and keeps the old instance.
    RestartNoop,
    /// After a restart the old instance runs and sends heartbeats `value` seconds on, in contract time.
    OldLingers,
    /// Delete is answered 200 and nothing is removed.
    DeleteLeaks,
    /// Pause, hibernate and delete are answered and stored, and stop no instance.
    StopIgnored,
    /// The backend refuses to stop an instance for pause, hibernate and delete.
    StopFails,
    /// Resume is answered 200, and neither stored nor done.
    ResumeNotStored,
    /// A delete is answered 409 `value` times, as if something were under way, before it is done.
    DeleteBusy,
    /// A delete is answered 202, and done `value` seconds of contract time later.
    DeleteLater,
    /// A create is refused with 422 for missing variables when its row is stored already.
    RefusedAfterCommit,
    /// Messages are queued, and completed with the answer to another request.
    QueuedForAnother,
    /// The control plane refuses to provision because of a forbidden name.
    CpForbids,
    /// A gateway answers instead of the control plane, at every attempt.
    CpAway,
    /// The control plane does not answer the provision call in time.
    CpSilent,
    /// The first create of a name is committed and answered 503.
    CreateDuplicatesOnRetry,
    /// Reads of workspaces never answer.
    Hang,
    /// Every n-th answer is a 503.
    Http503EveryN,
    /// Every n-th answer is a 429 with Retry-After.
    Http429EveryN,
    /// Every n-th connection is reset.
    ResetEveryN,
    /// Every n-th answer is not JSON.
    GarbageEveryN,
    /// Every n-th request is never answered.
    HangEveryN,
}

/// What is known about one fault.
#[derive(Clone, Copy, Debug)]
pub struct FaultInfo {
    /// Which.
    pub fault: Fault,
    /// The name that switches it on.
    pub name: &'static str,
    /// What it does, in one line.
    pub does: &'static str,
    /// The historic issue that it reproduces.
    pub historic: Option<&'static str>,
    /// The value used when none is given, for faults that take `name=value`.
    pub value: Option<u64>,
}

const fn info(
    fault: Fault,
    name: &'static str,
    does: &'static str,
    historic: Option<&'static str>,
    value: Option<u64>,
) -> FaultInfo {
    FaultInfo { fault, name, does, historic, value }
}

/// All faults, in the order in which they are listed.
pub const ALL: [FaultInfo; 38] = [
    info(Fault::NoProjection, "no-projection", "no ANTHROPIC_* reaches the instance", Some("#2709"), None),
    info(
        Fault::ProjectionLostOnRestart,
        "projection-lost-on-restart",
        "ANTHROPIC_* is there after create and gone after any re-provision",
        Some("#2712"),
        None,
    ),
    info(
        Fault::BaseUrlDoubleV1,
        "base-url-double-v1",
        "ANTHROPIC_BASE_URL keeps its /v1, so a client asks for /v1/v1/messages",
        Some("#2754"),
        None,
    ),
    info(
        Fault::RestartContextSource,
        "restart-context-source",
        "the restart-context row fails on its source and is missing from activity",
        Some("#2680"),
        None,
    ),
    info(
        Fault::Register400Once,
        "register-400-once",
        "an instance's first register is refused with 400: degraded for five minutes",
        Some("#2739"),
        None,
    ),
    info(Fault::NeverOnline, "never-online", "the instance runs, its agent never registers", None, None),
    info(Fault::BootFailed, "boot-failed", "the instance cannot be started: failed", None, None),
    info(Fault::SlowOnline, "slow-online", "boot takes VALUE seconds longer", None, Some(60)),
    info(Fault::Agent401, "agent-401", "the credential in the environment is a wrong one", None, None),
    info(Fault::EmptyCompletion, "empty-completion", "the agent answers with an empty text", None, None),
    info(Fault::ErrorAsText, "error-as-text", "the agent wraps an error text in a good answer", None, None),
    info(
        Fault::AcknowledgesFirst,
        "acknowledges-first",
        "the agent answers an instance's first message with a promise, and later ones",
        None,
        None,
    ),
    info(
        Fault::ReplyOfAnother,
        "reply-of-another",
        "the agent answers under the id of another request",
        None,
        None,
    ),
    info(
        Fault::UrlUnroutable,
        "url-unroutable",
        "the agent registers under its container's short id, which nobody can resolve",
        Some("#2851"),
        None,
    ),
    info(
        Fault::ConfigVolumeLost,
        "config-volume-lost",
        "the config volume is empty at a re-provision: failed",
        None,
        None,
    ),
    info(
        Fault::TokenLostOnRestart,
        "token-lost-on-restart",
        "the new token does not reach the volume at a re-provision: register is 401",
        Some("#2530"),
        None,
    ),
    info(
        Fault::SecretWriteIgnored,
        "secret-write-ignored",
        "a secret write answers 200 and is dropped",
        None,
        None,
    ),
    info(
        Fault::StaleOnlineAfterKill,
        "stale-online-after-kill",
        "a killed instance is never noticed: the row stays online",
        None,
        None,
    ),
    info(Fault::RestartNoop, "restart-noop", "restart answers 200 and keeps the old instance", None, None),
    info(
        Fault::OldLingers,
        "old-lingers",
        "after a restart the old instance runs and sends heartbeats for VALUE seconds more",
        None,
        Some(40),
    ),
    info(Fault::DeleteLeaks, "delete-leaks", "delete answers 200 and the row stays", None, None),
    info(
        Fault::StopIgnored,
        "stop-ignored",
        "pause, hibernate and delete are answered and stored, and the instance goes on running",
        None,
        None,
    ),
    info(
        Fault::StopFails,
        "stop-fails",
        "the backend refuses to stop an instance for pause, hibernate and delete",
        None,
        None,
    ),
    info(
        Fault::ResumeNotStored,
        "resume-not-stored",
        "resume answers 200, and the row stays paused",
        None,
        None,
    ),
    info(
        Fault::DeleteBusy,
        "delete-busy",
        "a delete is answered 409 VALUE times, as if something were under way, and then done",
        None,
        Some(2),
    ),
    info(
        Fault::DeleteLater,
        "delete-later",
        "a delete is answered 202 and done VALUE seconds later",
        None,
        Some(5),
    ),
    info(
        Fault::RefusedAfterCommit,
        "refused-after-commit",
        "a create is refused with 422 for missing variables, and its row is stored all the same",
        None,
        None,
    ),
    info(
        Fault::QueuedForAnother,
        "queued-for-another",
        "messages are queued, and completed with the answer to another request",
        None,
        None,
    ),
    info(
        Fault::CpForbids,
        "cp-forbids",
        "the control plane refuses to provision because the server forwards a forbidden name: failed",
        None,
        None,
    ),
    info(
        Fault::CpAway,
        "cp-away",
        "a gateway answers every provision call with 502 while the control plane is redeployed: failed",
        None,
        None,
    ),
    info(
        Fault::CpSilent,
        "cp-silent",
        "the provision call runs out of time before the control plane answers: failed",
        None,
        None,
    ),
    info(
        Fault::CreateDuplicatesOnRetry,
        "create-duplicates-on-retry",
        "the first create of a name is committed and answered 503",
        None,
        None,
    ),
    info(Fault::Hang, "hang", "reads of workspaces are never answered", None, None),
    info(Fault::Http503EveryN, "http-503-every-n", "every VALUE-th request is answered 503", None, Some(5)),
    info(
        Fault::Http429EveryN,
        "http-429-every-n",
        "every VALUE-th request is answered 429 with Retry-After",
        None,
        Some(5),
    ),
    info(Fault::ResetEveryN, "reset-every-n", "every VALUE-th connection is reset", None, Some(5)),
    info(Fault::GarbageEveryN, "garbage-every-n", "every VALUE-th answer is not JSON", None, Some(5)),
    info(Fault::HangEveryN, "hang-every-n", "every VALUE-th request is never answered", None, Some(5)),
];

impl Fault {
    /// What is known about it.
    pub fn info(self) -> FaultInfo {
        ALL.into_iter().find(|i| i.fault == self).unwrap_or(ALL[0])
    }

    /// The right names for a red that it makes; any other name is wrong.
    pub const fn mechanisms(self) -> &'static [&'static str] {
        match self {
            Fault::NoProjection => &["projection-missing"],
            Fault::ProjectionLostOnRestart => &["projection-lost-over-edge"],
            Fault::BaseUrlDoubleV1 => &["base-url-keeps-v1"],
            // Without the server's log only the absence shows.
            Fault::RestartContextSource => &["restart-context-source", "restart-context-not-logged"],
            Fault::Register400Once => &["register-400-leaves-degraded"],
            Fault::NeverOnline => &["agent-never-speaks", "register-timeout", "no-register-seen"],
            Fault::BootFailed => &["provision-start-failed"],
            Fault::SlowOnline => &["boot-outlives-deadline", "came-after-deadline"],
            Fault::Agent401 => &["wrong-credential-projected"],
            Fault::EmptyCompletion => &["empty-completion"],
            Fault::ErrorAsText => &["provider-overloaded"],
            Fault::AcknowledgesFirst => &["acknowledged-not-answered"],
            Fault::ReplyOfAnother => &["reply-of-another-request"],
            Fault::UrlUnroutable => &["agent-url-unroutable"],
            Fault::ConfigVolumeLost => &["config-volume-lost"],
            Fault::TokenLostOnRestart => &["token-lost-over-edge"],
            Fault::SecretWriteIgnored => &["secret-write-dropped"],
            Fault::StaleOnlineAfterKill => &["dead-instance-stays-online"],
            Fault::RestartNoop => &["restart-keeps-old-instance", "restart-not-carried-out"],
            // For as long as a step looks, both look the same.
            Fault::OldLingers => &["restart-keeps-old-instance"],
            Fault::DeleteLeaks => &["delete-not-removed"],
            Fault::StopIgnored => &["instance-outlives-edge"],
            // A server that does not tell of it has the instance go on.
            Fault::StopFails => &["edge-failed-at-stage", "delete-stop-failed", "instance-outlives-edge"],
            // In other words the same: the resume was answered, and nothing was done.
            Fault::ResumeNotStored => &["edge-not-stored", "restart-not-carried-out"],
            Fault::DeleteBusy => &["delete-not-removed"],
            Fault::DeleteLater => &["delete-not-removed"],
            Fault::RefusedAfterCommit => &["create-required-variable"],
            // One at rest is never completed.
            Fault::QueuedForAnother => &["reply-of-another-request", "message-queued-at-rest"],
            Fault::CpForbids => &["cp-forbids-name"],
            Fault::CpAway => &["cp-behind-a-gateway-error"],
            Fault::CpSilent => &["cp-answers-too-late"],
            Fault::CreateDuplicatesOnRetry => &["server-unavailable"],
            Fault::Hang => &["server-hangs"],
            Fault::Http503EveryN => &["server-unavailable"],
            Fault::Http429EveryN => &["rate-limited"],
            Fault::ResetEveryN => &["connection-cut"],
            Fault::GarbageEveryN => &["answer-is-no-json"],
            // A request that hangs before its handler looks as if it had never come.
            Fault::HangEveryN => &["server-hangs", "reply-too-slow", "message-not-taken-in"],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.info().name)
    }
}

/// A set of faults that are switched on, with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    on: BTreeMap<Fault, u64>,
}

/// A fault that cannot be switched on as written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// There is no such fault.
    #[error("there is no fault `{0}`")]
    Unknown(String),
    /// The value is not a positive number.
    #[error("`{value}` is not a value for fault `{name}`: write a whole number of at least 1")]
    Value {
        /// The fault's name.
        name: &'static str,
        /// What was written.
        value: String,
    },
    /// The fault takes no value.
    #[error("fault `{0}` takes no value")]
    NoValue(&'static str),
}

impl Faults {
    /// No fault.
    pub fn none() -> Faults {
        Faults::default()
    }

    /// Switches one on with its usual value.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Faults {
        self.on.insert(fault, fault.info().value.unwrap_or(1));
        self
    }

    /// Reads names, each `name` or `name=value`.
    ///
    /// # Errors
    /// The first name or value that is not one.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Faults, FaultError> {
        let mut faults = Faults::default();
        for text in names {
            let (name, value) = match text.as_ref().split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (text.as_ref().trim(), None),
            };
            let info =
                ALL.iter().find(|i| i.name == name).ok_or_else(|| FaultError::Unknown(name.to_owned()))?;
            let number = match (info.value, value) {
                (None, None) => 1,
                (Some(usual), None) => usual,
                (None, Some(_)) => return Err(FaultError::NoValue(info.name)),
                (Some(_), Some(value)) => u64::from_str(value)
                    .ok()
                    .filter(|n| *n > 0)
                    .ok_or_else(|| FaultError::Value { name: info.name, value: value.to_owned() })?,
            };
            faults.on.insert(info.fault, number);
        }
        Ok(faults)
    }

    /// Whether it is on.
    pub fn has(&self, fault: Fault) -> bool {
        self.on.contains_key(&fault)
    }

    /// Its value, when it is on.
    pub fn value(&self, fault: Fault) -> Option<u64> {
        self.on.get(&fault).copied()
    }

    /// What is on, with values.
    pub fn iter(&self) -> impl Iterator<Item = (FaultInfo, u64)> + '_ {
        self.on.iter().map(|(fault, value)| (fault.info(), *value))
    }

    /// Whether nothing is on.
    pub fn is_empty(&self) -> bool {
        self.on.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_listed_once_under_its_own_name() {
        for info in ALL {
            assert_eq!(info.fault.info().name, info.name);
            assert_eq!(ALL.iter().filter(|i| i.name == info.name).count(), 1, "{}", info.name);
            assert_eq!(Faults::parse(&[info.name]).map(|f| f.has(info.fault)), Ok(true));
        }
    }

    #[test]
    fn values_are_checked() {
        let faults = Faults::parse(&["reset-every-n=3", "hang"]).unwrap();
        assert_eq!(faults.value(Fault::ResetEveryN), Some(3));
        assert_eq!(faults.value(Fault::SlowOnline), None);
        for bad in ["nope", "hang=3", "slow-online=0", "slow-online=x"] {
            assert!(Faults::parse(&[bad]).is_err(), "{bad}");
        }
    }
}
