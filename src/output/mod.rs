//! The only place that writes to the terminal.
//!
//! Data goes to stdout, talk goes to stderr. What is written makes sense without colour. A reader
//! that went away (a broken pipe, a closed terminal) is no error: later writes are dropped.
//!
//! Text may come from a server: nothing in it steers a terminal or gives a command to a CI system's log.

mod foreign;
mod screen;
mod terminal;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::stream::{AsLockedWrite, RawStream};
use anstream::{AutoStream, ColorChoice};
use indicatif::ProgressDrawTarget;

use crate::redact::Redactor;

pub(crate) use foreign::CiLog;
pub(crate) use foreign::{harmless, harmless_json, steers};
use screen::{Screen, Surface};
pub use terminal::{Colour, Terminal, Verbosity};

/// Columns when nobody knows better.
const DEFAULT_WIDTH: usize = 100;

/// Everything that is written goes through one of these. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Printer {
    verbosity: Verbosity,
    ci: bool,
    ci_log: CiLog,
    redactor: Redactor,
    terminal: Terminal,
    stdout_colour: bool,
    stderr_colour: bool,
    sink: Sink,
}

#[derive(Clone, Debug)]
enum Sink {
    Streams(Arc<Gone>),
    Memory(Captured),
    /// Takes so many writes more, then fails like a terminal that was closed.
    #[cfg(test)]
    Closing(Arc<std::sync::atomic::AtomicUsize>),
}

/// Streams whose reader went away.
#[derive(Debug, Default)]
struct Gone {
    stdout: AtomicBool,
    stderr: AtomicBool,
}

/// What a printer of a test wrote.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    texts: Arc<Mutex<(String, String)>>,
}

impl Captured {
    /// Everything that went to stdout.
    pub fn stdout(&self) -> String {
        self.lock().0.clone()
    }

    /// Everything that went to stderr.
    pub fn stderr(&self) -> String {
        self.lock().1.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (String, String)> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Printer {
    /// A printer to the process's streams. `ci` means plain lines whatever the terminal says.
    pub fn new(verbosity: Verbosity, colour: Colour, ci: bool, terminal: Terminal) -> Self {
        Printer {
            verbosity,
            ci,
            ci_log: CiLog::Plain,
            redactor: Redactor::new(),
            terminal,
            stdout_colour: terminal.colours(terminal.stdout_is_tty, colour),
            stderr_colour: terminal.colours(terminal.stderr_is_tty, colour),
            sink: Sink::Streams(Arc::default()),
        }
    }

    /// The same decisions, but into memory.
    pub fn captured(verbosity: Verbosity, colour: Colour, ci: bool, terminal: Terminal) -> (Self, Captured) {
        let captured = Captured::default();
        let printer =
            Printer { sink: Sink::Memory(captured.clone()), ..Printer::new(verbosity, colour, ci, terminal) };
        (printer, captured)
    }

    /// Somebody watches standard output.
    pub fn stdout_is_tty(&self) -> bool {
        self.terminal.stdout_is_tty
    }

    /// A terminal that is closed once so many writes are over.
    #[cfg(test)]
    pub fn closing(verbosity: Verbosity, ci: bool, writes: &Arc<std::sync::atomic::AtomicUsize>) -> Self {
        let tty = Terminal { stdout_is_tty: true, stderr_is_tty: true, ..Terminal::default() };
        Printer { sink: Sink::Closing(Arc::clone(writes)), ..Printer::new(verbosity, Colour::Auto, ci, tty) }
    }

    /// For the log of a CI system.
    pub fn for_ci_log(self, ci_log: CiLog) -> Self {
        Printer { ci_log, ..self }
    }

    /// The commands that whoever reads this understands.
    pub fn ci_log(&self) -> CiLog {
        self.ci_log
    }

    /// Keeps out of the terminal what every command knows to be secret.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Only failures and the summary.
    pub fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// Steps and exchanges too.
    pub fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// Plain lines for a log that nobody watches.
    pub fn is_ci(&self) -> bool {
        self.ci
    }

    /// Whether stdout is coloured, for those who draw by themselves.
    pub fn stdout_colour(&self) -> bool {
        self.stdout_colour
    }

    /// Whether stderr is coloured, for those who draw by themselves.
    pub fn stderr_colour(&self) -> bool {
        self.stderr_colour
    }

    /// Columns, 40 to 240.
    pub fn width(&self) -> usize {
        let asked = || match self.sink {
            Sink::Streams(_) if self.terminal.stderr_is_tty => console::Term::stderr().size_checked(),
            _ => None,
        };
        let width = self.terminal.width.or_else(|| asked().map(|(_, columns)| usize::from(columns)));
        width.unwrap_or(DEFAULT_WIDTH).clamp(40, 240)
    }

    /// Rows, where stderr is a terminal.
    pub fn height(&self) -> Option<usize> {
        match self.sink {
            Sink::Streams(_) if self.terminal.stderr_is_tty => {
                console::Term::stderr().size_checked().map(|(rows, _)| usize::from(rows))
            }
            _ => None,
        }
    }

    /// Whether lines that move are drawn.
    pub fn draws_progress(&self) -> bool {
        self.terminal.stderr_is_tty && !self.ci && self.verbosity == Verbosity::Normal
    }

    /// Where lines that move are drawn: stderr, or nowhere. Drawing there never fails.
    pub fn progress_target(&self) -> ProgressDrawTarget {
        match self.sink {
            Sink::Memory(_) => ProgressDrawTarget::hidden(),
            _ if self.draws_progress() => {
                let screen = Screen::of(self.clone());
                ProgressDrawTarget::term_like_with_hz(Box::new(screen), 10)
            }
            _ => ProgressDrawTarget::hidden(),
        }
    }

    /// Data to stdout, ending in one newline. Colours in it are removed where they are not wanted.
    ///
    /// # Errors
    /// The system refused, other than for a reader that went away.
    pub fn data(&self, text: &str) -> io::Result<()> {
        self.exact_data(&self.ci_log.defuse(&harmless(&self.redactor.text(text))))
    }

    /// Whether somebody reads stdout as it is written.
    pub fn stdout_is_watched(&self) -> bool {
        self.terminal.stdout_is_tty && !self.ci && matches!(self.sink, Sink::Streams(_))
    }

    /// Data as [`Printer::data`] would write them.
    pub fn shown(&self, text: &str) -> String {
        shown(&harmless(&self.redactor.text(text)), self.stdout_colour)
    }

    /// JSON to stdout: the same value for a program, harmless on a terminal and in a log.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn json(&self, text: &str) -> io::Result<()> {
        self.exact_data(&harmless_json(&self.redactor.text(text)))
    }

    fn exact_data(&self, text: &str) -> io::Result<()> {
        let text = format!("{}\n", text.strip_suffix('\n').unwrap_or(text));
        match &self.sink {
            Sink::Streams(gone) => {
                let is_tty = self.terminal.stdout_is_tty;
                write_to(io::stdout().lock(), self.stdout_colour, &text, &gone.stdout, is_tty)
                    .map_err(|e| io::Error::new(e.kind(), format!("cannot write standard output: {e}")))
            }
            Sink::Memory(captured) => {
                captured.lock().0.push_str(&shown(&text, self.stdout_colour));
                Ok(())
            }
            #[cfg(test)]
            Sink::Closing(writes) => write_to(closing(writes), true, &text, &AtomicBool::new(false), true),
        }
    }

    /// One or more lines of talk to stderr; a newline is added.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn talk(&self, text: &str) -> io::Result<()> {
        self.talk_with_commands(&self.ci_log.defuse(text))
    }

    /// Lines among which commands to a CI system's log stand; all else in them was defused.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn talk_with_commands(&self, text: &str) -> io::Result<()> {
        let text = harmless(&self.redactor.text(text));
        let text = format!("{}\n", text.strip_suffix('\n').unwrap_or(&text));
        match &self.sink {
            Sink::Streams(gone) => {
                let is_tty = self.terminal.stderr_is_tty;
                write_to(io::stderr().lock(), self.stderr_colour, &text, &gone.stderr, is_tty)
            }
            Sink::Memory(captured) => {
                captured.lock().1.push_str(&shown(&text, self.stderr_colour));
                Ok(())
            }
            #[cfg(test)]
            Sink::Closing(writes) => write_to(closing(writes), true, &text, &AtomicBool::new(false), true),
        }
    }

    /// Talk that `--quiet` drops.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn note(&self, text: &str) -> io::Result<()> {
        if self.is_quiet() { Ok(()) } else { self.talk(text) }
    }
}

impl Surface for Printer {
    fn columns(&self) -> usize {
        self.width()
    }

    /// What steers the lines that move. It is for eyes only: what cannot be drawn is dropped.
    fn draw(&self, text: &str) {
        let _ = match &self.sink {
            Sink::Streams(gone) => write_to(io::stderr().lock(), true, text, &gone.stderr, true),
            Sink::Memory(_) => Ok(()),
            #[cfg(test)]
            Sink::Closing(writes) => write_to(closing(writes), true, text, &AtomicBool::new(false), true),
        };
    }
}

fn shown(text: &str, colour: bool) -> String {
    if colour { text.to_owned() } else { console::strip_ansi_codes(text).into_owned() }
}

/// Whatever a terminal says when it is written to, it is gone: no disk is full there.
fn write_to(
    stream: impl RawStream + AsLockedWrite,
    colour: bool,
    text: &str,
    gone: &AtomicBool,
    is_tty: bool,
) -> io::Result<()> {
    if gone.load(Ordering::Relaxed) {
        return Ok(());
    }
    let choice = if colour { ColorChoice::AlwaysAnsi } else { ColorChoice::Never };
    let mut stream = AutoStream::new(stream, choice);
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if is_tty && error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) if is_tty || error.kind() == io::ErrorKind::BrokenPipe => {
            gone.store(true, Ordering::Relaxed);
            Ok(())
        }
        other => other,
    }
}

#[cfg(test)]
fn closing(writes: &std::sync::atomic::AtomicUsize) -> Box<dyn Write> {
    let left = writes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
    if left.is_ok() { Box::new(io::sink()) } else { Box::new(tests::Broken(5)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_decided_once_and_by_this_table() {
        let tty = Terminal { stdout_is_tty: true, stderr_is_tty: true, ..Terminal::default() };
        let pipe = Terminal::default();
        for (choice, terminal, expected) in [
            (Colour::Auto, tty, true),
            (Colour::Auto, pipe, false),
            (Colour::Auto, Terminal { no_color: true, ..tty }, false),
            (Colour::Auto, Terminal { clicolor_force: true, ..pipe }, true),
            (Colour::Auto, Terminal { no_color: true, clicolor_force: true, ..tty }, false),
            (Colour::Always, Terminal { no_color: true, ..pipe }, true),
            (Colour::Never, tty, false),
        ] {
            let printer = Printer::new(Verbosity::Normal, choice, false, terminal);
            assert_eq!(printer.stderr_colour(), expected, "{choice:?} {terminal:?}");
            assert_eq!(printer.stdout_colour(), expected, "{choice:?} {terminal:?}");
        }
    }

    #[test]
    fn progress_is_drawn_on_a_watched_terminal_only() {
        let tty = Terminal { stderr_is_tty: true, ..Terminal::default() };
        for (verbosity, ci, terminal, expected) in [
            (Verbosity::Normal, false, tty, true),
            (Verbosity::Normal, true, tty, false),
            (Verbosity::Quiet, false, tty, false),
            (Verbosity::Verbose, false, tty, false),
            (Verbosity::Normal, false, Terminal::default(), false),
        ] {
            let printer = Printer::new(verbosity, Colour::Auto, ci, terminal);
            assert_eq!(printer.draws_progress(), expected, "{verbosity:?} {ci}");
        }
    }

    #[test]
    fn streams_are_apart_and_colour_is_stripped_where_unwanted() {
        let (printer, captured) =
            Printer::captured(Verbosity::Quiet, Colour::Never, false, Terminal::default());
        printer.data("{}\n").unwrap();
        printer.talk("\u{1b}[31mred\u{1b}[0m").unwrap();
        printer.note("dropped").unwrap();
        assert_eq!(captured.stdout(), "{}\n");
        assert_eq!(captured.stderr(), "red\n");
    }

    /// A stream that always says this, by the system's number.
    #[derive(Debug)]
    pub(super) struct Broken(pub(super) i32);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(self.0))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_success_and_remembered() {
        const EIO: i32 = 5;
        const ENOSPC: i32 = 28;
        const EPIPE: i32 = 32;
        for (error, is_tty, lost) in [
            (EPIPE, false, true),
            (EPIPE, true, true),
            (EIO, true, true),
            (EIO, false, false),
            (ENOSPC, false, false),
        ] {
            let gone = AtomicBool::new(false);
            let stream: Box<dyn Write> = Box::new(Broken(error));
            assert_eq!(write_to(stream, true, "x", &gone, is_tty).is_ok(), lost, "{error} {is_tty}");
            assert_eq!(gone.load(Ordering::Relaxed), lost, "{error} {is_tty}");
            let stream: Box<dyn Write> = Box::new(Broken(error));
            assert_eq!(write_to(stream, true, "y", &gone, is_tty).is_ok(), lost, "{error} {is_tty}");
        }
    }

    #[test]
    fn every_command_defuses_what_it_prints() {
        let text = "::set-output name=x::y\u{9b}31m \u{202e}\u{200e}\u{61c}\u{2028}\u{e0041} ##[group]";
        let (printer, captured) =
            Printer::captured(Verbosity::Normal, Colour::Never, true, Terminal::default());
        let printer = printer.for_ci_log(CiLog::Commands);
        printer.data(text).unwrap();
        printer.talk(text).unwrap();
        let json = serde_json::json!({ "said": text, "u": "\u{e0041}" });
        printer.json(&serde_json::to_string_pretty(&json).unwrap()).unwrap();
        let (out, err) = (captured.stdout(), captured.stderr());
        for c in out.chars().chain(err.chars()) {
            assert!(!steers(c) && (c == '\n' || !c.is_control()), "{c:?} in {out}{err}");
        }
        assert!(!out.contains("##[") && !err.contains("##["), "{out}{err}");
        assert!(
            !out.lines().chain(err.lines()).any(|line| line.trim_start().starts_with("::")),
            "{out}{err}"
        );
        let data = out.split_once('\n').unwrap().1;
        assert_eq!(serde_json::from_str::<serde_json::Value>(data).unwrap(), json);
    }
}
