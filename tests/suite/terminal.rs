//! A terminal that is closed while a run goes on: the run cleans up, whatever it writes to.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

use super::harness::{BIN, Harness, events, newest_run, pause, soak, wait_for};
use super::platform::{Platform, TOKEN};

const MAKES: &str = "scenario: makes
summary: Makes workspaces, one after another.
steps:
  - foreach:
      in: [a, b, c, d, e, f]
      as: name
      steps:
        - create: { as: more, external: true, delivery_mode: poll }
        - http:   { path: /workspaces, expect: { status: 200 } }
";

/// What is done to such a run is done before its end, on the slowest machine.
fn makes_and_holds() -> String {
    format!(
        "{MAKES}  - create: {{ as: last, external: true, delivery_mode: poll }}\n  - await: {{ workspace: last, status: online, within: 9m }}\n"
    )
}

/// Our side of a terminal: what is written there is read and forgotten until it is closed.
struct Screen {
    closed: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Screen {
    /// The screen, and the other side.
    fn open() -> (Screen, File) {
        let ours: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = OpenOptions::new().read(true).write(true).open(path).unwrap();
        rustix::io::ioctl_fionbio(&ours, true).unwrap();
        let closed = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&closed);
        let reader = std::thread::spawn(move || {
            let mut ours = File::from(ours);
            let mut text = [0; 4096];
            while !until.load(Ordering::Acquire) {
                match ours.read(&mut text) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => pause(),
                    // Nobody is at the other side yet, or any more.
                    Err(_) => pause(),
                    Ok(_) => {}
                }
            }
        });
        (Screen { closed, reader: Some(reader) }, theirs)
    }

    /// As when its window is closed.
    fn close(&mut self) {
        self.closed.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

/// Runs in a session of its own on a terminal that is closed once the log has so many lines. A terminal that is the
/// session's own sends HUP with that.
fn closed_after(
    dir: &Arc<TempDir>,
    flags: &[&str],
    platform: &Platform,
    lines: usize,
    own: bool,
) -> ExitStatus {
    let (mut screen, theirs) = Screen::open();
    let side = || Stdio::from(theirs.try_clone().unwrap());
    // Whoever runs the tests under `nohup` has the signal ignored.
    let mut command = Command::new("env");
    command
        .args(["--default-signal=HUP", "setsid"])
        .args(if own { vec!["--ctty"] } else { Vec::new() })
        .arg(BIN);
    command.args(["run", "makes.yaml", "--target", "live", "--admin-token", TOKEN]);
    command.args(["--base-url", &platform.base]).args(flags);
    std::fs::write(dir.path().join("makes.yaml"), if own { makes_and_holds() } else { MAKES.to_owned() })
        .unwrap();
    let mut child = command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .current_dir(dir.path())
        .stdin(if own { side() } else { Stdio::null() })
        .stdout(side())
        .stderr(side())
        .spawn()
        .unwrap();
    drop(theirs);
    // The command holds the other side's handles until it is dropped.
    drop(command);
    wait_for("its log", || {
        let log = std::fs::read_to_string(newest_run(dir.path())?.join("events.jsonl")).unwrap_or_default();
        (log.lines().count() >= lines || child.try_wait().unwrap().is_some()).then_some(())
    });
    screen.close();
    wait_for("its end", || child.try_wait().unwrap())
}

#[test]
fn a_terminal_that_is_closed_at_any_moment_takes_nothing_with_it() {
    let platform = Platform::start(["--time-scale", "20"]);
    let each = if soak() { 1 } else { 12 };
    for flags in [&[][..], &["-v"], &["-q"], &["--ci"]] {
        for lines in (1..38).step_by(each) {
            let dir = Harness::new().dir();
            let status = closed_after(&dir, flags, &platform, lines, true);
            let log = events(&newest_run(dir.path()).unwrap());
            let end = &log[log.len() - 1]["event"]["run_finished"];
            let told = format!("{flags:?}, closed after {lines} lines: {status}, log: {end}");
            assert_eq!(status.code(), Some(143), "{told}");
            assert_eq!(end["code"], 143, "{told}");
            platform.is_empty();
        }
    }
}

#[test]
fn talk_that_cannot_be_written_any_more_does_not_end_a_run() {
    let platform = Platform::start(["--time-scale", "20"]);
    for (flags, lines) in [(&[][..], 1), (&[], 15), (&["-v"], 15), (&["--ci"], 15)] {
        let dir = Harness::new().dir();
        let status = closed_after(&dir, flags, &platform, lines, false);
        assert_eq!(status.code(), Some(0), "{flags:?}, closed after {lines} lines");
        platform.is_empty();
    }
}

/// The kernel and the shell both send HUP: the second one is no haste. `nohup` has it ignored.
#[test]
fn hangups_end_a_run_once_and_not_at_all_under_nohup() {
    let platform = Platform::start(["--time-scale", "20"]);
    for (nohup, code) in [(false, 143), (true, 0)] {
        let text = if nohup { MAKES.to_owned() } else { makes_and_holds() };
        let harness = Harness::new().file("makes.yaml", text).args(["run", "makes.yaml"]).against(&platform);
        let signal = if nohup { "--ignore-signal=HUP" } else { "--default-signal=HUP" };
        let run = harness.under(&["env", signal]).spawn();
        wait_for("something made", || (platform.rows().len() > 2).then_some(()));
        for _ in 0..3 {
            run.signal("HUP");
        }
        run.output().exit(code);
        platform.is_empty();
    }
}
