//! What somebody outside wants of a run: the signals of the process, or those that somebody in this process gives.

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal as UnixSignal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::domain::ExitCode;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// INT.
    Interrupt,
    /// TERM, or HUP: the terminal is gone.
    Terminate,
    /// USR1: say what everything is waiting for.
    Dump,
}

/// Signals, listened to from the very beginning of a run.
pub struct Signals {
    source: Source,
    interrupts: u32,
}

enum Source {
    Process {
        interrupt: UnixSignal,
        terminate: UnixSignal,
        /// `None` where it is ignored: `nohup` wants the run to outlive its terminal.
        hangup: Option<UnixSignal>,
        user1: UnixSignal,
        /// Listened to so that a file size limit is an error of writing and not the end of the process.
        _file_size: UnixSignal,
    },
    Given(mpsc::UnboundedReceiver<Signal>),
}

impl Signals {
    /// Begins to listen to those of the process.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen() -> std::io::Result<Signals> {
        let source = Source::Process {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_ignored(Number::HUP) { None } else { Some(signal(SignalKind::hangup())?) },
            user1: signal(SignalKind::user_defined1())?,
            _file_size: signal(SignalKind::from_raw(Number::XFSZ.as_raw()))?,
        };
        Ok(Signals { source, interrupts: 0 })
    }

    /// Listens to whoever holds the sender; its end is silence.
    pub fn given(signals: mpsc::UnboundedReceiver<Signal>) -> Signals {
        Signals { source: Source::Given(signals), interrupts: 0 }
    }

    /// Waits for an INT or TERM while nothing has been made yet.
    pub async fn interrupted(&mut self) -> ExitCode {
        loop {
            match self.next().await {
                Signal::Interrupt => return ExitCode::Interrupted,
                Signal::Terminate => return ExitCode::Terminated,
                Signal::Dump => {}
            }
        }
    }

    /// Waits for the end of a server: INT and TERM are its ordinary ends.
    pub async fn ended(&mut self) -> ExitCode {
        self.interrupted().await;
        ExitCode::Passed
    }

    /// How often an end was asked for so far.
    pub fn interrupts(&self) -> u32 {
        self.interrupts
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        let signal = match &mut self.source {
            Source::Process { interrupt, terminate, hangup, user1, .. } => loop {
                let hung_up = async {
                    match hangup {
                        Some(hangup) => hangup.recv().await,
                        None => std::future::pending().await,
                    }
                };
                break tokio::select! {
                    biased;
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                    // The kernel and the shell both send one when a terminal is closed: nobody is in haste.
                    _ = hung_up => if self.interrupts == 0 { Signal::Terminate } else { continue },
                    _ = user1.recv() => Signal::Dump,
                };
            },
            Source::Given(signals) => match signals.recv().await {
                Some(signal) => signal,
                None => std::future::pending().await,
            },
        };
        self.interrupts += u32::from(signal != Signal::Dump);
        signal
    }
}

/// Whether whoever started this process wants a signal to be ignored. Asked before anybody listens to it.
fn is_ignored(signal: Number) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal.as_raw() - 1) & 1 == 1
}
