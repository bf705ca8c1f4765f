//! The progress bars' way to the printer.

use std::io;
use std::sync::{Mutex, PoisonError};

use indicatif::TermLike;

/// Where it draws.
pub(super) trait Surface: std::fmt::Debug + Send + Sync {
    /// Columns.
    fn columns(&self) -> usize;
    /// Shows what was drawn since the last time.
    fn draw(&self, text: &str);
}

/// The terminal as `indicatif` sees it. Nothing here fails: it unwraps what it gets, in destructors too.
#[derive(Debug)]
pub(super) struct Screen<S> {
    surface: S,
    drawn: Mutex<String>,
}

impl<S: Surface> Screen<S> {
    pub(super) fn of(surface: S) -> Self {
        Screen { surface, drawn: Mutex::default() }
    }

    fn add(&self, text: &str) -> io::Result<()> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    /// Moves the cursor; `to` is the letter of the direction.
    fn go(&self, n: usize, to: char) -> io::Result<()> {
        if n == 0 { Ok(()) } else { self.add(&format!("\u{1b}[{n}{to}")) }
    }
}

impl<S: Surface> TermLike for Screen<S> {
    fn width(&self) -> u16 {
        u16::try_from(self.surface.columns()).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        console::Term::stderr().size_checked().map_or(24, |(rows, _)| rows)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(text)?;
        self.add("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let drawn = std::mem::take(&mut *self.drawn.lock().unwrap_or_else(PoisonError::into_inner));
        if !drawn.is_empty() {
            self.surface.draw(&drawn);
        }
        Ok(())
    }
}
