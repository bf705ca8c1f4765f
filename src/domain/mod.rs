//! Words of the field as types: statuses, secrets, verdicts, exit codes.

pub mod answers;
pub mod exit;
pub mod input_source;
pub mod instance;
pub mod natural;
pub mod red;
pub mod secret;
pub mod status;
pub mod time;
pub mod transport;
pub mod words;

pub use exit::ExitCode;
pub use input_source::InputSource;
pub use secret::Secret;
pub use status::Status;
pub use transport::{Elsewhere, Transport};
