//! A process of our own: in a group of its own, its output followed, ended in every ending.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{self, Pid, WaitId, WaitIdOptions};
use tokio::sync::watch;

use super::books::STARTED_BY;
use super::error::{NoUser, NotEnded};
use super::model::Signal;
use super::part_log::PartLog;
use crate::clock;
use crate::docker::owner::Owner;

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
    pub fn find(name: &str) -> Result<User, NoUser> {
        let table = std::fs::read_to_string("/etc/passwd")?;
        User::parse(&table, name).ok_or_else(|| NoUser::Unknown(name.to_owned()))
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

    /// Asks it to end, kills what is left of its group when patience is over; says how it ended.
    ///
    /// # Errors
    /// Something of it refuses to be killed.
    pub async fn stop(
        &mut self,
        signal: Signal,
        patience: impl Future<Output = ()>,
    ) -> Result<String, NotEnded> {
        if self.ended.borrow().is_none() {
            // It may end in this moment.
            let _ = process::kill_process(self.group, system(signal));
            tokio::select! {
                biased;
                () = self.wait() => {}
                () = patience => {}
            }
        }
        self.finish().await
    }

    /// Kills what is left of its group; says how it ended.
    ///
    /// # Errors
    /// Something of it refuses to be killed.
    pub async fn finish(&mut self) -> Result<String, NotEnded> {
        let members = Owner::group(self.child.id());
        self.end();
        await_end(&members).await?;
        Ok(self.how())
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
    fn end(&mut self) {
        if self.status.is_none() {
            // Nothing may be left of it.
            let _ = process::kill_process_group(self.group, process::Signal::KILL);
            // What belongs to another user (sudo) refuses the signal: waiting for it would never end.
            if process::kill_process(self.group, process::Signal::KILL) != Err(rustix::io::Errno::PERM) {
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

/// What is killed is gone within this, unless it refuses.
const GONE: Duration = Duration::from_secs(2);
/// Between two looks at what was signalled.
const LOOK: Duration = Duration::from_millis(10);
/// Something that starts others faster than they are ended is given up after so many rounds.
const ROUNDS: usize = 5;

/// Ends a process that an earlier run left, and what is in its group; says whether there was one. Its number
/// may belong to somebody else by now: the time of its start tells.
///
/// # Errors
/// It refuses to be killed.
pub async fn end_left(owner: &Owner, grace: Duration) -> Result<bool, NotEnded> {
    if owner.lives() != Some(true) {
        return Ok(false);
    }
    let mut all = Owner::group(owner.pid());
    all.retain(|member| member != owner);
    all.push(owner.clone());
    // Who may not be asked to end is not waited for.
    if signal(owner, process::Signal::TERM) {
        tokio::select! {
            biased;
            () = gone(std::slice::from_ref(owner)) => {}
            () = clock::sleep(grace) => {}
        }
    }
    for left in &all {
        signal(left, process::Signal::KILL);
    }
    await_end(&all).await.map(|()| true)
}

/// What came of ending everything that carries a run's mark.
#[derive(Debug, Default)]
pub struct Marked {
    /// How many were ended.
    pub ended: usize,
    /// What refused.
    pub left: Vec<Owner>,
}

/// Ends every process that carries a run's mark, also one that has left its group: all are asked at once, and
/// killed when patience is over.
pub async fn end_marked(run: &str, patience: impl Future<Output = ()>) -> Marked {
    let mut marked = Marked::default();
    let asked = Owner::with_variable(STARTED_BY, run);
    if asked.is_empty() {
        return marked;
    }
    marked.ended = asked.len();
    let asked: Vec<Owner> = asked.into_iter().filter(|owner| signal(owner, process::Signal::TERM)).collect();
    tokio::select! {
        biased;
        () = gone(&asked) => {}
        () = patience => {}
    }
    for _ in 0..ROUNDS {
        // What was started meanwhile is among them.
        marked.left = kill_marked(run);
        if marked.left.is_empty() || await_end(&marked.left).await.is_err() {
            break;
        }
    }
    marked.left.retain(|owner| owner.lives() == Some(true));
    marked.ended = marked.ended.saturating_sub(marked.left.len());
    marked
}

/// Kills every process that carries a run's mark at once; gives them.
pub fn kill_marked(run: &str) -> Vec<Owner> {
    let marked = Owner::with_variable(STARTED_BY, run);
    for owner in &marked {
        signal(owner, process::Signal::KILL);
    }
    marked
}

/// Waits until none of them runs.
async fn gone(owners: &[Owner]) {
    while owners.iter().any(|owner| owner.lives() == Some(true)) {
        clock::sleep(LOOK).await;
    }
}

/// Waits for the end of what was killed; names what refuses.
async fn await_end(killed: &[Owner]) -> Result<(), NotEnded> {
    if crate::clock::timeout(GONE, gone(killed)).await.is_ok() {
        return Ok(());
    }
    let left = killed.iter().filter(|owner| owner.lives() == Some(true));
    let left: Vec<u32> = left.map(Owner::pid).collect();
    if left.is_empty() { Ok(()) } else { Err(NotEnded::Unkillable(left)) }
}

/// Sends a signal to exactly this process, if it still runs; says whether it was taken.
fn signal(owner: &Owner, signal: process::Signal) -> bool {
    let pid = i32::try_from(owner.pid()).ok().and_then(Pid::from_raw);
    // It may end in this moment.
    pid.filter(|_| owner.lives() == Some(true)).is_some_and(|pid| process::kill_process(pid, signal).is_ok())
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
