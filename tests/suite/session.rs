//! A run without a command line: settings, signals and the terminal are handed in.

use std::collections::BTreeMap;
use std::fs;

use lifecycle_harness::facade::domain::ExitCode;
use lifecycle_harness::facade::output::{Captured, Colour, Printer, Terminal, Verbosity};
use lifecycle_harness::facade::run::signals::{Signal, Signals};
use lifecycle_harness::facade::session::{self, Env, Outside, RunName, RunSettings, SessionError, Shell};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::harness::PASSES;

struct Room {
    dir: tempfile::TempDir,
    shell: Shell,
    terminal: Captured,
}

impl Room {
    fn new() -> Room {
        let dir = tempfile::tempdir().unwrap();
        let (printer, terminal) =
            Printer::captured(Verbosity::Normal, Colour::Never, false, Terminal::default());
        let shell = Shell::new(printer, Env::of(BTreeMap::new()), dir.path().join("runs"));
        Room { dir, shell, terminal }
    }

    fn settings(&self, text: &str) -> RunSettings {
        let file = self.dir.path().join("one.yaml");
        fs::write(&file, text).unwrap();
        RunSettings { selection: vec![file.display().to_string()], ..RunSettings::default() }
    }
}

fn outside() -> (UnboundedSender<Signal>, Outside) {
    let (sender, receiver) = unbounded_channel();
    let name = RunName { stamp: "20261128-120000".into(), tail: "0000002a".into() };
    (sender, Outside { signals: Signals::given(receiver), name, ..Outside::real().unwrap() })
}

#[tokio::test]
async fn a_run_needs_no_command_line() {
    let room = Room::new();
    let (_signals, outside) = outside();
    let ran = session::run(room.settings(PASSES), &room.shell, outside).await.unwrap();
    assert_eq!(ran.code, ExitCode::Passed);
    assert_eq!(ran.folder, Some(room.dir.path().join("runs/20261128-120000-0000002a")));
    assert!(room.terminal.stderr().contains("1 passed"), "{}", room.terminal.stderr());
}

#[tokio::test]
async fn signals_come_from_whoever_is_asked() {
    let room = Room::new();
    let (signals, outside) = outside();
    signals.send(Signal::Terminate).unwrap();
    let error = session::run(room.settings(PASSES), &room.shell, outside).await.unwrap_err();
    let SessionError::Told(error) = error else { panic!("nobody was told of {error:?}") };
    assert!(matches!(*error, SessionError::Interrupted { code: ExitCode::Terminated, .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_wrong_is_told_as_what_it_is() {
    let room = Room::new();
    let (_signals, outside) = outside();
    let asked = RunSettings { selection: vec!["no/such.yaml".into()], ..RunSettings::default() };
    let error = session::run(asked, &room.shell, outside).await.unwrap_err();
    assert!(matches!(&error, SessionError::NoSuchFile(name) if name == "no/such.yaml"), "{error:?}");
    assert_eq!(error.code(), ExitCode::BadInput);
    assert!(!room.shell.runs_dir.exists());
}
