//! The real binary in a folder of its own, with an empty environment.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use regex::Regex;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_lifecycle");
/// Nothing here takes this long on any machine; a process that does hangs.
const PATIENCE: Duration = Duration::from_secs(240);

/// A scenario that any server passes.
pub(crate) const PASSES: &str = "scenario: passes
summary: Asks for the server's health.
steps:
  - http: { path: /health, expect: { status: 200 } }
";

/// One command line to come.
#[must_use]
pub(crate) struct Harness {
    dir: Arc<TempDir>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    files: usize,
    nobody: bool,
    stderr: Option<PathBuf>,
    under: Vec<String>,
}

impl Harness {
    /// In a fresh folder.
    pub(crate) fn new() -> Self {
        Self::within(&Arc::new(tempfile::tempdir().unwrap()))
    }

    /// In the folder of an earlier command.
    pub(crate) fn within(dir: &Arc<TempDir>) -> Self {
        Harness {
            dir: Arc::clone(dir),
            args: Vec::new(),
            env: Vec::new(),
            files: 0,
            nobody: false,
            stderr: None,
            under: Vec::new(),
        }
    }

    /// Adds arguments.
    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable; there are no others.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Started by another program, which gets the command line as its last arguments.
    pub(crate) fn under(mut self, program: &[&str]) -> Self {
        self.under = program.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// As a user who may do nothing; the folder becomes everybody's.
    pub(crate) fn by_nobody(mut self) -> Self {
        let all = fs::Permissions::from_mode(0o777);
        let runs = self.dir.path().join("runs");
        for path in [self.dir.path().to_owned(), runs] {
            // A folder that is not there yet is made by whoever needs it.
            let _ = fs::set_permissions(path, all.clone());
        }
        self.nobody = true;
        self
    }

    /// What it says goes there.
    pub(crate) fn stderr_to(mut self, path: &Path) -> Self {
        self.stderr = Some(path.to_owned());
        self
    }

    /// Writes a scenario file and names it on the command line.
    pub(crate) fn scenario(mut self, text: &str) -> Self {
        self.files += 1;
        let name = format!("scenario-{}.yaml", self.files);
        fs::write(self.dir.path().join(&name), text).unwrap();
        self.args.push(name);
        self
    }

    /// Writes a file.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Its folder, shared.
    pub(crate) fn dir(&self) -> Arc<TempDir> {
        Arc::clone(&self.dir)
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Against a server that runs.
    pub(crate) fn against(self, platform: &super::platform::Platform) -> Self {
        self.at(&platform.base)
    }

    /// Against an address, with the tests' token.
    pub(crate) fn at(self, base: &str) -> Self {
        self.args(["--target", "live", "--base-url", base, "--admin-token", super::platform::TOKEN])
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Output {
        self.spawn().output()
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn spawn(self) -> Process {
        let streams = tempfile::tempdir().unwrap();
        let to = |name: &str| Stdio::from(File::create(streams.path().join(name)).unwrap());
        let mut words = self.under.iter().map(String::as_str).chain([BIN]);
        let mut command = Command::new(words.next().unwrap_or(BIN));
        command.args(words);
        if self.nobody {
            command.uid(65_534).gid(65_534);
        }
        let child = command
            .args(&self.args)
            .env_clear()
            .envs(self.env)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(to("stdout"))
            .stderr(match &self.stderr {
                Some(path) => Stdio::from(File::create(path).unwrap()),
                None => to("stderr"),
            })
            .spawn()
            .unwrap();
        Process { child, streams, dir: self.dir, line: self.args.join(" ") }
    }
}

/// A command that runs; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    streams: TempDir,
    dir: Arc<TempDir>,
    line: String,
}

impl Process {
    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// What it said so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.streams.path().join("stderr"))
    }

    /// Its data so far.
    pub(crate) fn stdout(&self) -> String {
        read(&self.streams.path().join("stdout"))
    }

    /// Whether it ended.
    pub(crate) fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// The folder of its run, once there is one.
    pub(crate) fn run_folder(&self) -> Option<PathBuf> {
        newest_run(self.dir.path())
    }

    /// Its own folder.
    pub(crate) fn dir(&self) -> Arc<TempDir> {
        Arc::clone(&self.dir)
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn output(mut self) -> Output {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > until {
                self.child.kill().unwrap();
                panic!("`lifecycle {}` did not end; it said:\n{}", self.line, self.stderr());
            }
            pause();
        };
        Output {
            status,
            stdout: read(&self.streams.path().join("stdout")),
            stderr: self.stderr(),
            dir: Arc::clone(&self.dir),
            line: self.line.clone(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command came to.
pub(crate) struct Output {
    status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub dir: Arc<TempDir>,
    line: String,
}

impl Output {
    /// The failure block, from its cross to the empty line after it, fits 40 lines.
    #[track_caller]
    pub(crate) fn block_fits_a_screen(&self) {
        let block: Vec<&str> =
            self.stderr.lines().skip_while(|l| !l.starts_with('✗')).take_while(|l| !l.is_empty()).collect();
        assert!(!block.is_empty() && block.len() <= 22, "{} lines:\n{}", block.len(), self.stderr);
    }

    /// It ended with this code.
    #[track_caller]
    pub(crate) fn exit(self, code: i32) -> Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "`lifecycle {}`\n--- stdout\n{}\n--- stderr\n{}",
            self.line,
            self.stdout,
            self.stderr
        );
        self
    }

    /// The code.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Its data hold this.
    #[track_caller]
    pub(crate) fn stdout_has(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "`{text}` is not in the data:\n{}", self.stdout);
        self
    }

    /// Its talk holds this.
    #[track_caller]
    pub(crate) fn stderr_has(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` was not said:\n{}", self.stderr);
        self
    }

    /// Its talk does not hold this.
    #[track_caller]
    pub(crate) fn stderr_lacks(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "`{text}` was said:\n{}", self.stderr);
        self
    }

    /// Its talk, with everything that differs from run to run taken out.
    pub(crate) fn said(&self) -> String {
        redact(&self.stderr, self.dir.path())
    }

    /// The next command in the same folder.
    pub(crate) fn then<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Harness {
        Harness::within(&self.dir).args(args)
    }

    /// The folder of its run.
    pub(crate) fn run_folder(&self) -> PathBuf {
        newest_run(self.dir.path()).unwrap_or_else(|| panic!("there is no run; it said:\n{}", self.stderr))
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str) -> String {
        read(&self.dir.path().join(name))
    }

    /// The log of its run, one event a line.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        events(&self.run_folder())
    }

    /// `scenario → verdict`, sorted.
    pub(crate) fn verdicts(&self) -> Vec<(String, String)> {
        let mut verdicts: Vec<(String, String)> = of_kind(&self.events(), "scenario_finished")
            .map(|e| (word(&e["scenario"]), word(&e["verdict"])))
            .collect();
        verdicts.sort();
        verdicts
    }
}

/// The events of a run's log.
pub(crate) fn events(run: &Path) -> Vec<serde_json::Value> {
    let text = read(&run.join("events.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The payloads of one kind of event.
pub(crate) fn of_kind<'a>(
    events: &'a [serde_json::Value],
    kind: &'a str,
) -> impl Iterator<Item = &'a serde_json::Value> {
    events.iter().filter_map(move |e| e["event"].get(kind).or_else(|| e.get(kind)))
}

/// A JSON string as text.
pub(crate) fn word(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The newest run below a folder.
pub(crate) fn newest_run(dir: &Path) -> Option<PathBuf> {
    let mut runs: Vec<PathBuf> =
        fs::read_dir(dir.join("runs")).ok()?.filter_map(Result::ok).map(|e| e.path()).collect();
    // Names tell seconds only.
    let second =
        |run: &Path| run.file_name().map(|name| name.to_string_lossy().chars().take(15).collect::<String>());
    runs.sort_by_key(|run| (second(run), fs::metadata(run).and_then(|m| m.modified()).ok()));
    runs.pop()
}

/// A variable of the tests themselves.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests")]
pub(crate) fn switch(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `LIFECYCLE_SOAK=1`: the long forms are wanted.
pub(crate) fn soak() -> bool {
    switch("LIFECYCLE_SOAK").as_deref() == Some("1")
}

/// A table whose rows are tests of their own: they run side by side, and a red one is told by its name.
macro_rules! rows {
    ($work:expr; $($name:ident: $row:expr),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                let work = $work;
                work($row);
            }
        )+
    };
}
pub(crate) use rows;

/// Works on the rows of a table, a few at a time: a table is no load test. Their results are in its order.
pub(crate) fn few_at_once<T: Send, R: Send>(
    rows: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    const AT_ONCE: usize = 4;
    let rows: Vec<T> = rows.into_iter().collect();
    let mut results: Vec<Option<R>> = rows.iter().map(|_| None).collect();
    let todo = Mutex::new(rows.into_iter().zip(&mut results));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().unwrap().next();
                    let Some((row, result)) = next else { break };
                    *result = Some(work(row));
                }
            });
        }
    });
    results.into_iter().map(Option::unwrap).collect()
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(pid: u32, name: &str) {
    let done = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).output().unwrap();
    // A process that has just ended cannot be told any more.
    let _ = done.status;
}

/// Looks until a condition holds; `what` says what was waited for.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within two minutes");
        pause();
    }
}

/// Between two looks at another process.
#[expect(clippy::disallowed_methods, reason = "other processes are looked at, not waited for")]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// A random moment of a run: there is nothing to wait for.
#[expect(clippy::disallowed_methods, reason = "the moment is the point")]
pub(crate) fn moment(after: Duration) {
    std::thread::sleep(after);
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Takes out what differs from run to run.
pub(crate) fn redact(text: &str, dir: &Path) -> String {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        [
            (r"\d{8}-\d{6}-[0-9a-f]{8}", "[RUN]"),
            (r"\d\d:\d\d:\d\dZ", "[TIME]"),
            (r"(127\.0\.0\.1|localhost):\d+", "$1:[PORT]"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[ID]"),
            (r"-[0-9a-f]{4}-[0-9a-f]{8}", "-[NAME]"),
            (r"\b\d+(\.\d+)? (ms|s)\b", "[TOOK]"),
            (r"(?m)[ \t]+$", ""),
        ]
        .into_iter()
        .map(|(pattern, with)| (Regex::new(pattern).unwrap(), with))
        .collect()
    });
    let mut text = text.replace(&dir.display().to_string(), "[DIR]");
    for (rule, with) in RULES.iter() {
        text = rule.replace_all(&text, *with).into_owned();
    }
    text
}
