//! A process of our own: in a group of its own, its output followed, ended in every ending.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{self, Pid, WaitId, WaitIdOptions};
use tokio::sync::watch;

use super::books::STARTED_BY;
use super::model::{Signal, Stop};
use super::part_log::PartLog;
use crate::docker::owner::Owner;
use crate::run::clock;

/// What is started.
pub struct Spec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// All of its environment.
    pub env: BTreeMap<String, String>,
    /// Where; ours when absent.
    pub directory: Option<PathBuf>,
    /// Who; we when absent.
    pub user: Option<User>,
}

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub uid: u32,
    /// Their group.
    pub gid: u32,
    /// Their home.
    pub home: String,
}

impl User {
    /// By name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(name: &str) -> Result<User, String> {
        let table = std::fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: {e}"))?;
        User::parse(&table, name).ok_or_else(|| format!("this machine has no user `{name}`"))
    }

    fn parse(table: &str, name: &str) -> Option<User> {
        let fields = table.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| f[0] == name)?;
        let number = |n: usize| fields.get(n)?.parse().ok();
        Some(User { uid: number(2)?, gid: number(3)?, home: (*fields.get(5)?).to_owned() })
    }
}

/// A process that was started. Dropped without [`Process::stop`], its whole group is killed at once.
pub struct Process {
    child: Child,
    group: Pid,
    /// How it ended, once it did.
    ended: watch::Receiver<Option<String>>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// There is no such program, it is none, or the user may not be taken.
    pub fn spawn(spec: &Spec, log: &PartLog) -> io::Result<Process> {
        let Some((program, arguments)) = spec.argv.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is nothing to run"));
        };
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(&spec.env).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(directory) = &spec.directory {
            command.current_dir(directory);
        }
        if let Some(user) = &spec.user {
            command.gid(user.gid).uid(user.uid);
        }
        let mut child = command.spawn()?;
        if let Some(stream) = child.stdout.take() {
            log.follow(stream);
        }
        if let Some(stream) = child.stderr.take() {
            log.follow(stream);
        }
        let group = Pid::from_child(&child);
        let (tell, ended) = watch::channel(None);
        // It is not reaped here: its number stays its own until its group is gone.
        std::thread::spawn(move || {
            let wanted = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let status = loop {
                match process::waitid(WaitId::Pid(group), wanted) {
                    Err(rustix::io::Errno::INTR) => {}
                    other => break other.ok().flatten(),
                }
            };
            let code = status.as_ref().and_then(|s| s.exit_status());
            let signal = status.as_ref().and_then(|s| s.terminating_signal());
            // Nobody may be listening any more.
            let _ = tell.send(Some(how(code, signal)));
        });
        Ok(Process { child, group, ended, status: None })
    }

    /// How it is known again after we are gone.
    pub fn owner(&self) -> Option<Owner> {
        Owner::of(self.child.id())
    }

    /// How it ended, once it did.
    pub fn ended(&self) -> watch::Receiver<Option<String>> {
        self.ended.clone()
    }

    /// Waits for its end.
    pub async fn wait(&mut self) {
        // An error means that its watcher is gone, which lives as long as the process.
        let _ = self.ended.wait_for(Option::is_some).await;
    }

    /// Asks it to end, waits for so long, kills what is left of its group; says how it ended.
    pub async fn stop(&mut self, stop: Stop) -> String {
        if self.ended.borrow().is_none() {
            // It may end in this moment.
            let _ = process::kill_process(self.group, system(stop.signal));
            let until = Instant::now() + stop.grace;
            tokio::select! {
                () = self.wait() => {}
                () = clock::sleep_until(until) => {}
            }
        }
        self.end();
        self.how()
    }

    /// How it ended.
    pub fn how(&self) -> String {
        self.status.map_or_else(|| "it runs".to_owned(), |status| how(status.code(), status.signal()))
    }

    /// How it ended, if it did.
    pub fn exit_code(&self) -> Option<i32> {
        self.status.and_then(|s| s.code())
    }

    /// Kills the group and reaps.
    pub fn end(&mut self) {
        if self.status.is_none() {
            // Nothing may be left of it.
            let killed = process::kill_process_group(self.group, process::Signal::KILL);
            // What belongs to another user (sudo) refuses the signal: waiting for it would never end.
            if killed != Err(rustix::io::Errno::PERM) {
                self.status = self.child.wait().ok();
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn how(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "nobody knows how".to_owned(),
    }
}

fn system(signal: Signal) -> process::Signal {
    match signal {
        Signal::Term => process::Signal::TERM,
        Signal::Int => process::Signal::INT,
        Signal::Quit => process::Signal::QUIT,
        Signal::Hup => process::Signal::HUP,
        Signal::Kill => process::Signal::KILL,
    }
}

/// Ends a process that an earlier run left, and what is in its group; says whether there was one. Its number
/// may belong to somebody else by now: the time of its start tells.
pub async fn end_left(owner: &Owner, grace: Duration) -> bool {
    if owner.lives() != Some(true) {
        return false;
    }
    let members = Owner::group(owner.pid());
    signal(owner, process::Signal::TERM);
    let until = Instant::now() + grace;
    while owner.lives() == Some(true) && Instant::now() < until {
        clock::sleep(Duration::from_millis(20)).await;
    }
    for left in members.iter().chain([owner]) {
        signal(left, process::Signal::KILL);
    }
    true
}

/// Ends every process that carries a run's mark, also one that has left its group; gives their number.
pub async fn end_marked(run: &str, grace: Duration) -> usize {
    let mut ended = 0;
    for owner in Owner::with_variable(STARTED_BY, run) {
        ended += usize::from(end_left(&owner, grace).await);
    }
    ended
}

/// Sends a signal to exactly this process, if it still runs.
fn signal(owner: &Owner, signal: process::Signal) {
    let pid = i32::try_from(owner.pid()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid.filter(|_| owner.lives() == Some(true)) {
        // It may end in this moment.
        let _ = process::kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A panic of ours ends here.
    #[test]
    fn a_process_that_is_dropped_takes_its_group_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = PartLog::create(folder.path(), "x", Vec::new(), &crate::redact::Redactor::new()).unwrap();
        let script = "trap '' TERM INT; /bin/sleep 60 & echo up; wait; /bin/sleep 60";
        let argv = ["/bin/sh", "-c", script].map(str::to_owned).into();
        let spec = Spec { argv, env: BTreeMap::new(), directory: None, user: None };
        let process = Process::spawn(&spec, &log).unwrap();
        let owner = process.owner().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(log.grown().wait_for(|lines| *lines > 0)).unwrap();
        assert_eq!(Owner::group(owner.pid()).len(), 2);
        drop(process);
        assert_eq!(owner.lives(), Some(false));
        while !Owner::group(owner.pid()).is_empty() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn users_are_found_by_their_whole_name() {
        let table = "root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104:PG:/var/lib/postgresql:/bin/sh\nbad\n";
        let postgres = User { uid: 101, gid: 104, home: "/var/lib/postgresql".into() };
        assert_eq!(User::parse(table, "postgres"), Some(postgres));
        assert_eq!(User::parse(table, "post"), None);
        assert_eq!(User::parse(table, "bad"), None);
    }
}
