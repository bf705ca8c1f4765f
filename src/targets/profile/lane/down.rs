//! Takes everything down: the server first, then what it needed, then folders and names.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use tokio::sync::watch;

use super::contain::shows;
use super::{Lane, Made, Runs, Teardown, Up};
use crate::clock::{self, Instant};
use crate::docker::Engine;
use crate::docker::owned::Ending;
use crate::docker::owner::Owner;
use crate::domain::time;
use crate::event::PartState;
use crate::targets::profile::books::PROCESS;
use crate::targets::profile::error::NotEnded;
use crate::targets::profile::model::{COMMAND, SERVER, Stop};
use crate::targets::profile::part_log::PartLog;
use crate::targets::profile::process::{Process, end_marked, kill_marked};

/// Whoever interrupts does not wait for long graces.
const HURRIED: Duration = Duration::from_secs(1);

/// What takes the rest of a part away has so long after an interrupt: what it leaves is nobody's.
const HURRIED_TEARDOWN: Duration = Duration::from_secs(30);

/// Whoever interrupts twice waits for nothing longer than this, whatever does not answer.
const LAST: Duration = Duration::from_secs(3);

/// How much time there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// Every part has its own grace.
    None,
    /// The run was interrupted, at this moment.
    Interrupted(Instant),
    /// And again: nothing has any grace.
    AtOnce(Instant),
}

impl Haste {
    /// After one more interrupt.
    #[must_use]
    pub fn more(self) -> Haste {
        match self {
            Haste::None => Haste::Interrupted(Instant::now()),
            Haste::Interrupted(_) => Haste::AtOnce(Instant::now()),
            Haste::AtOnce(_) => self,
        }
    }

    /// When a grace that began is over.
    fn over(self, began: Instant, grace: Duration) -> Instant {
        match self {
            Haste::None => began + grace,
            Haste::Interrupted(since) => (began + grace).min(since.max(began) + HURRIED),
            Haste::AtOnce(_) => began,
        }
    }

    /// When a teardown that began is over.
    fn teardown_over(self, began: Instant) -> Instant {
        match self {
            Haste::None => began + COMMAND,
            Haste::Interrupted(since) => (began + COMMAND).min(since.max(began) + HURRIED_TEARDOWN),
            Haste::AtOnce(since) => since.max(began) + LAST,
        }
    }
}

/// Lasts as long as a grace, which every interrupt makes shorter.
async fn patience(haste: watch::Receiver<Haste>, grace: Duration) {
    let began = Instant::now();
    until(haste, |haste| haste.over(began, grace)).await;
}

/// Lasts until a moment that every interrupt moves.
async fn until(mut haste: watch::Receiver<Haste>, over: impl Fn(Haste) -> Instant) {
    loop {
        let over = over(*haste.borrow_and_update());
        tokio::select! {
            biased;
            () = clock::sleep_until(over) => return,
            Ok(()) = haste.changed() => {}
        }
    }
}

/// Does something that others have to answer; after a second interrupt they have only a moment.
async fn bounded<T>(
    mut haste: watch::Receiver<Haste>,
    work: impl Future<Output = Result<T, NotEnded>>,
) -> Result<T, NotEnded> {
    let over = async {
        let at_once = haste.wait_for(|haste| matches!(haste, Haste::AtOnce(_))).await.map(|haste| *haste);
        match at_once {
            Ok(Haste::AtOnce(since)) => clock::sleep_until(since + LAST).await,
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        done = work => done,
        () = over => Err(NotEnded::InterruptedTwice),
    }
}

impl Lane {
    /// Stops what was started and removes what was made; gives what is left and why.
    pub async fn down(&mut self, haste: &watch::Receiver<Haste>) -> Vec<String> {
        self.stopping.cancel();
        let mut left = Vec::new();
        // What is being stopped stays in the list until it is.
        while let Some(up) = self.up.last_mut() {
            let began = Instant::now();
            let stopped = stop(self.engine.as_ref(), up, &self.setup.run, haste).await;
            let Some(up) = self.up.pop() else { break };
            match stopped {
                Ok(how) => {
                    self.server_stopped |= up.name == SERVER;
                    self.books.part(&up.name, PartState::Stopped, how, Vec::new(), began.elapsed());
                    self.books.release(&up.entry, "clean-up");
                }
                Err(why) => left.push(self.books.leave(&up.entry, &why.to_string())),
            }
            if let Some(teardown) = &up.teardown {
                match Box::pin(tear_down(teardown, &up.log, haste)).await {
                    Ok(()) => self.books.release(&teardown.entry, "clean-up"),
                    Err(why) => left.push(self.books.leave(&teardown.entry, &why.to_string())),
                }
            }
        }
        let interrupted = *haste.borrow() != Haste::None;
        if let Some(engine) = self.engine.as_ref().filter(|_| interrupted) {
            // What was asked for when the interrupt came may come true a little later.
            let late = async { Ok(engine.remove_run(&self.setup.run, Ending::Killed).await?) };
            left.extend(bounded(haste.clone(), late).await.unwrap_or_else(|why| vec![why.to_string()]));
        }
        if self.ran {
            left.extend(self.end_marked(haste).await);
            self.ran = false;
        }
        while let Some((_, made)) = self.made.last() {
            let done = bounded(haste.clone(), self.unmake(made)).await;
            let Some((entry, _)) = self.made.pop() else { break };
            match done {
                Ok(()) => self.books.release(&entry, "clean-up"),
                Err(why) => left.push(self.books.leave(&entry, &why.to_string())),
            }
        }
        left
    }

    /// What has left its group to live on is stopped too; what refuses is for a sweep.
    async fn end_marked(&self, haste: &watch::Receiver<Haste>) -> Vec<String> {
        let marked = end_marked(&self.setup.run, patience(haste.clone(), HURRIED)).await;
        let leave = |owner: &Owner| {
            let mut entry = self.books.intend(PROCESS, &format!("of-{}", owner.pid()));
            self.books.own(&mut entry, &owner.label());
            self.books.leave(&entry, "it refuses to be killed")
        };
        marked.left.iter().map(leave).collect()
    }

    async fn unmake(&self, made: &Made) -> Result<(), NotEnded> {
        match (made, &self.engine) {
            (Made::Folder(path), _) => Ok(remove_folder(path)?),
            (Made::Tag(tag, image), Some(engine)) => {
                engine.untag(tag, image).await?;
                Ok(())
            }
            (Made::Network, Some(engine)) => Ok(engine.release_network(&self.setup.run).await?),
            (_, None) => Err(NotEnded::NoEngine),
        }
    }
}

/// Runs what takes away the rest of a part, one command after the other.
async fn tear_down(
    teardown: &Teardown,
    log: &PartLog,
    haste: &watch::Receiver<Haste>,
) -> Result<(), NotEnded> {
    for (spec, words) in &teardown.commands {
        let failed = |how: String| NotEnded::Command { command: words.clone(), how };
        let mut process = Process::spawn(spec, log).map_err(|error| failed(error.to_string()))?;
        let (began, mut ended) = (Instant::now(), process.ended());
        let in_time = tokio::select! {
            biased;
            _ = ended.wait_for(Option::is_some) => true,
            () = until(haste.clone(), |haste| haste.teardown_over(began)) => false,
        };
        process.finish().await?;
        if !in_time {
            return Err(failed(format!("it did not end within {}", time::show(began.elapsed()))));
        }
        if process.exit_code() != Some(0) {
            return Err(failed(process.how()));
        }
    }
    Ok(())
}

async fn stop(
    engine: Option<&Engine>,
    up: &mut Up,
    run: &str,
    haste: &watch::Receiver<Haste>,
) -> Result<String, NotEnded> {
    let patience = patience(haste.clone(), up.stop.grace);
    match &mut up.runs {
        Runs::Process(process) => process.stop(up.stop.signal, patience).await,
        Runs::Container(id, ended) => {
            let Some(engine) = engine else { return Err(NotEnded::NoEngine) };
            bounded(haste.clone(), async {
                if up.unsure {
                    let id = shows(engine, id, run).await.ok_or(NotEnded::Unsure)?;
                    engine.remove(&id).await?;
                    return Ok("it came late".to_owned());
                }
                let how = stop_container(engine, id, ended, up.stop, patience).await;
                engine.remove(id).await?;
                Ok(how)
            })
            .await
        }
    }
}

async fn stop_container(
    engine: &Engine,
    id: &str,
    ended: &mut watch::Receiver<Option<String>>,
    stop: Stop,
    patience: impl Future<Output = ()>,
) -> String {
    // It may have ended already, or never have been started: it is removed in any case.
    if engine.signal(id, stop.signal.as_str()).await.is_err() {
        return ended.borrow().clone().unwrap_or_else(|| "it did not run".to_owned());
    }
    tokio::select! {
        biased;
        how = ended.wait_for(Option::is_some) => how.ok().and_then(|h| h.clone()).unwrap_or_default(),
        () = patience => "killed".to_owned(),
    }
}

/// Removes a folder of ours; one that is gone is as good.
///
/// # Errors
/// It cannot be removed.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Drop for Lane {
    /// A panic comes by here: processes kill themselves, folders go with them.
    fn drop(&mut self) {
        self.stopping.cancel();
        self.up.clear();
        if self.ran {
            kill_marked(&self.setup.run);
        }
        for (entry, made) in &self.made {
            if let Made::Folder(path) = made
                && remove_folder(path).is_ok()
            {
                self.books.release(entry, "clean-up");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::Setup;
    use super::*;
    use crate::event::Log;
    use crate::redact::Redactor;
    use crate::source::SourceFile;
    use crate::targets::profile::books::STARTED_BY;

    #[test]
    fn every_interrupt_leaves_less_time() {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        for (haste, grace, over) in [
            (Haste::None, 600, at(600)),
            (Haste::Interrupted(at(5)), 600, at(6)),
            (Haste::Interrupted(at(5)), 3, at(3)),
            (Haste::AtOnce(at(5)), 600, began),
        ] {
            assert_eq!(haste.over(began, Duration::from_secs(grace)), over, "{haste:?} of {grace} s");
        }
        // An interrupt of the run itself, long before.
        assert_eq!(Haste::Interrupted(began).over(at(60), Duration::from_secs(600)), at(61));
        let twice = Haste::None.more().more();
        assert!(matches!(twice, Haste::AtOnce(_)) && twice.more() == twice);
    }

    /// A panic of ours ends here.
    #[test]
    fn a_lane_that_is_dropped_takes_what_a_command_left_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let text = "profile: a\nbase_url: http://127.0.0.1:1\nservices:\n  x:\n    directory: DIR\n    command: [/nowhere/x]\n    \
                    before: [[/bin/sh, -c, \"setsid /bin/sh -c 'echo > away; exec sleep 600' & until [ -e away ]; do :; done\"]]\n";
        let text = text.replace("DIR", &folder.path().display().to_string());
        let profile = crate::targets::profile::load(&SourceFile::new("a.yaml", text)).profile.unwrap();
        let run = format!("dropped-{}", std::process::id());
        let setup = Setup {
            profile: Arc::new(profile),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            program: "lifecycle".into(),
            run: run.clone(),
            logs: folder.path().join("logs"),
            temp: folder.path().to_owned(),
            log: Log::create(folder.path(), Redactor::new()).unwrap(),
            engine: crate::docker::Settings::default(),
            http: crate::http::Config::default(),
        };
        let mut lane = Lane::new(setup).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let failed = runtime.block_on(lane.up()).unwrap_err();
        assert!(failed.what.contains("/nowhere/x"), "{}", failed.what);
        let daemon = Owner::with_variable(STARTED_BY, &run);
        assert_eq!(daemon.len(), 1);
        drop(lane);
        while daemon[0].lives() == Some(true) {
            std::thread::yield_now();
        }
    }
}
