//! What somebody outside wants of a run: the signals of the process, or those that somebody in this process gives.

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
    Process { interrupt: UnixSignal, terminate: UnixSignal, hangup: UnixSignal, user1: UnixSignal },
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
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
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
            Source::Process { interrupt, terminate, hangup, user1 } => tokio::select! {
                biased;
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
                _ = hangup.recv() => Signal::Terminate,
                _ = user1.recv() => Signal::Dump,
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
