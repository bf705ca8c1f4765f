//! Words of the field as types: statuses, secrets, verdicts, exit codes.

pub(crate) mod answers;
pub(crate) mod exit;
pub(crate) mod input_source;
pub(crate) mod instance;
pub(crate) mod natural;
pub(crate) mod red;
pub(crate) mod secret;
pub(crate) mod status;
pub(crate) mod time;
pub(crate) mod transport;
pub(crate) mod words;

pub use exit::ExitCode;
pub(crate) use input_source::InputSource;
pub use secret::Secret;
pub(crate) use status::Status;
pub(crate) use transport::Elsewhere;
pub use transport::Transport;
