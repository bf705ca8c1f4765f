//! `--on-new CMD`: somebody is told of a red that nobody knew.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::clock;
use crate::output::Printer;
use crate::report::{FileKind, RunState};

/// The command may take so long; the run's exit code does not wait for more.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the command did not do its work.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Report(#[from] crate::report::ReportError),
    #[error("ended with {0}")]
    Status(std::process::ExitStatus),
    #[error("did not end within {} s", PATIENCE.as_secs())]
    Late,
}

/// Runs the command with the report as JSON on its standard input, if a red is there that counts and that neither
/// `--known` nor `--state` knows. What goes wrong is said and changes nothing.
pub(super) async fn tell(command: &str, state: &RunState, printer: &Printer) {
    if !state.reds().any(|red| !red.is_advisory() && red.known().is_none()) {
        return;
    }
    if let Err(error) = run(command, state).await {
        // A terminal that is gone cannot be told.
        let _ = printer.talk(&format!("warning: --on-new: the command {error}"));
    }
}

async fn run(command: &str, state: &RunState) -> Result<(), Failed> {
    let report = FileKind::Json.render(state)?;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("LIFECYCLE_RUN", &state.identity.run)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = child.stdin.take();
    let work = async {
        if let Some(input) = &mut input {
            // Whoever does not read all of it has seen enough.
            let _ = input.write_all(report.as_bytes()).await;
        }
        drop(input);
        child.wait().await
    };
    match clock::timeout(PATIENCE, work).await {
        Err(_) => Err(Failed::Late),
        Ok(status) => match status? {
            status if status.success() => Ok(()),
            status => Err(Failed::Status(status)),
        },
    }
}
