//! The only place that writes to the terminal.
//!
//! Data goes to stdout, talk goes to stderr. What is written makes sense without colour. A reader
//! that went away (a broken pipe) is no error: later writes are dropped.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::stream::{AsLockedWrite, RawStream};
use anstream::{AutoStream, ColorChoice};
use indicatif::ProgressDrawTarget;

/// A drawn text in which nothing but lines and colours is left of what steers a terminal.
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let colour = || {
            let rest = text[at..].strip_prefix("\u{1b}[")?;
            rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').strip_prefix('m')
        };
        match c {
            '\n' | '\t' => out.push(c),
            '\u{1b}' if colour().is_some() => out.push(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => out.push('·'),
            c => out.push(c),
        }
    }
    out
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Failures and the summary.
    Quiet,
    /// What ended and what is slow.
    #[default]
    Normal,
    /// Steps and exchanges too.
    Verbose,
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// By the terminal, `NO_COLOR` and `CLICOLOR_FORCE`.
    #[default]
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}

/// What is known of the terminal; the environment is read in `cli`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Stdout is one.
    pub stdout_is_tty: bool,
    /// Stderr is one.
    pub stderr_is_tty: bool,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and not `0`.
    pub clicolor_force: bool,
    /// Columns, when they are set; a terminal is asked each time otherwise.
    pub width: Option<usize>,
}

impl Terminal {
    /// Asks the system about the streams; the two variables are the caller's.
    pub fn detect(no_color: bool, clicolor_force: bool) -> Self {
        let stderr_is_tty = io::stderr().is_terminal();
        Terminal {
            stdout_is_tty: io::stdout().is_terminal(),
            stderr_is_tty,
            no_color,
            clicolor_force,
            width: None,
        }
    }

    fn colours(self, is_tty: bool, choice: Colour) -> bool {
        match choice {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if self.no_color => false,
            Colour::Auto => self.clicolor_force || is_tty,
        }
    }
}

/// Columns when nobody knows better.
const DEFAULT_WIDTH: usize = 100;

/// Everything that is written goes through one of these. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Printer {
    verbosity: Verbosity,
    ci: bool,
    terminal: Terminal,
    stdout_colour: bool,
    stderr_colour: bool,
    sink: Sink,
}

#[derive(Clone, Debug)]
enum Sink {
    Streams(Arc<Gone>),
    Memory(Captured),
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

    /// Whether lines that move are drawn.
    pub fn draws_progress(&self) -> bool {
        self.terminal.stderr_is_tty && !self.ci && self.verbosity == Verbosity::Normal
    }

    /// Where lines that move are drawn: stderr, or nowhere.
    pub fn progress_target(&self) -> ProgressDrawTarget {
        match self.sink {
            Sink::Streams(_) if self.draws_progress() => ProgressDrawTarget::stderr_with_hz(10),
            _ => ProgressDrawTarget::hidden(),
        }
    }

    /// Data to stdout, ending in one newline. Colours in it are removed where they are not wanted.
    ///
    /// # Errors
    /// The system refused, other than for a reader that went away.
    pub fn data(&self, text: &str) -> io::Result<()> {
        let text = format!("{}\n", text.strip_suffix('\n').unwrap_or(text));
        match &self.sink {
            Sink::Streams(gone) => write_to(io::stdout().lock(), self.stdout_colour, &text, &gone.stdout),
            Sink::Memory(captured) => {
                captured.lock().0.push_str(&shown(&text, self.stdout_colour));
                Ok(())
            }
        }
    }

    /// One or more lines of talk to stderr; a newline is added.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn talk(&self, text: &str) -> io::Result<()> {
        let text = format!("{}\n", text.strip_suffix('\n').unwrap_or(text));
        match &self.sink {
            Sink::Streams(gone) => write_to(io::stderr().lock(), self.stderr_colour, &text, &gone.stderr),
            Sink::Memory(captured) => {
                captured.lock().1.push_str(&shown(&text, self.stderr_colour));
                Ok(())
            }
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

fn shown(text: &str, colour: bool) -> String {
    if colour { text.to_owned() } else { console::strip_ansi_codes(text).into_owned() }
}

fn write_to(
    stream: impl RawStream + AsLockedWrite,
    colour: bool,
    text: &str,
    gone: &AtomicBool,
) -> io::Result<()> {
    if gone.load(Ordering::Relaxed) {
        return Ok(());
    }
    let choice = if colour { ColorChoice::AlwaysAnsi } else { ColorChoice::Never };
    let mut stream = AutoStream::new(stream, choice);
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            gone.store(true, Ordering::Relaxed);
            Ok(())
        }
        other => other,
    }
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

    /// A stream whose reader went away.
    #[derive(Debug)]
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_broken_pipe_is_success_and_remembered() {
        let gone = AtomicBool::new(false);
        let broken: Box<dyn Write> = Box::new(Broken(io::ErrorKind::BrokenPipe));
        write_to(broken, true, "x", &gone).unwrap();
        assert!(gone.load(Ordering::Relaxed));
        let full: Box<dyn Write> = Box::new(Broken(io::ErrorKind::StorageFull));
        write_to(full, true, "x", &gone).unwrap();
        gone.store(false, Ordering::Relaxed);
        let full: Box<dyn Write> = Box::new(Broken(io::ErrorKind::StorageFull));
        assert!(write_to(full, true, "x", &gone).is_err());
    }
}
