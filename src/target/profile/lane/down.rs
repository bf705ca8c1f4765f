//! Takes everything down: the server first, then what it needed, then folders and names.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Lane, Made, Runs, Up};
use crate::docker::Engine;
use crate::docker::owned::Ending;
use crate::event::PartState;
use crate::run::clock;
use crate::target::profile::model::Stop;
use crate::target::profile::process::end_marked;

/// Whoever interrupts does not wait for long graces.
const HURRIED: Duration = Duration::from_secs(1);

/// How much time there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// Every part has its own grace.
    None,
    /// The run was interrupted.
    Interrupted,
}

impl Lane {
    /// Stops what was started and removes what was made; gives what is left and why.
    pub async fn down(&mut self, haste: Haste) -> Vec<String> {
        self.stopping.cancel();
        let mut left = Vec::new();
        let processes = self.up.iter().any(|up| matches!(up.runs, Runs::Process(_)));
        // What is being stopped stays in the list until it is: an interrupt comes here again.
        while let Some(up) = self.up.last_mut() {
            let began = Instant::now();
            if haste == Haste::Interrupted {
                up.stop.grace = up.stop.grace.min(HURRIED);
            }
            let stopped = stop(self.engine.as_ref(), up).await;
            let Some(up) = self.up.pop() else { break };
            match stopped {
                Ok(how) => {
                    self.books.part(&up.name, PartState::Stopped, how, Vec::new(), began.elapsed());
                    self.books.release(&up.entry, "clean-up");
                }
                Err(why) => left.push(self.books.leave(&up.entry, &why)),
            }
        }
        if let Some(engine) = self.engine.as_ref().filter(|_| haste == Haste::Interrupted) {
            // What was asked for when the interrupt came may come true a little later.
            let late = engine.remove_run(&self.setup.run, Ending::Killed).await;
            left.extend(late.unwrap_or_else(|e| vec![e.what]));
        }
        if processes {
            // What has left its group to live on is stopped too.
            end_marked(&self.setup.run, HURRIED).await;
        }
        while let Some((_, made)) = self.made.last() {
            let done = self.unmake(made).await;
            let Some((entry, _)) = self.made.pop() else { break };
            match done {
                Ok(()) => self.books.release(&entry, "clean-up"),
                Err(why) => left.push(self.books.leave(&entry, &why)),
            }
        }
        left
    }

    async fn unmake(&self, made: &Made) -> Result<(), String> {
        match (made, &self.engine) {
            (Made::Folder(path), _) => remove_folder(path),
            (Made::Tag(tag), Some(engine)) => engine.untag(tag).await.map(|_| ()).map_err(|e| e.what),
            (Made::Network, Some(engine)) => {
                engine.release_network(&self.setup.run).await.map_err(|e| e.what)
            }
            (_, None) => Err("there is no engine".to_owned()),
        }
    }
}

async fn stop(engine: Option<&Engine>, up: &mut Up) -> Result<String, String> {
    match &mut up.runs {
        Runs::Process(process) => Ok(process.stop(up.stop).await),
        Runs::Container(id, ended) => {
            let Some(engine) = engine else { return Err("there is no engine".to_owned()) };
            let how = stop_container(engine, id, ended, up.stop).await;
            engine.remove(id).await.map_err(|e| e.what)?;
            Ok(how)
        }
    }
}

async fn stop_container(
    engine: &Engine,
    id: &str,
    ended: &mut tokio::sync::watch::Receiver<Option<String>>,
    stop: Stop,
) -> String {
    // It may have ended already, or never have been started: it is removed in any case.
    if engine.signal(id, stop.signal.as_str()).await.is_err() {
        return ended.borrow().clone().unwrap_or_else(|| "it did not run".to_owned());
    }
    let until = Instant::now() + stop.grace;
    tokio::select! {
        how = ended.wait_for(Option::is_some) => how.ok().and_then(|h| h.clone()).unwrap_or_default(),
        () = clock::sleep_until(until) => "killed".to_owned(),
    }
}

/// Removes a folder of ours; one that is gone is as good.
pub fn remove_folder(path: &Path) -> Result<(), String> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}

impl Drop for Lane {
    /// A panic comes by here: processes kill themselves, folders go with them.
    fn drop(&mut self) {
        self.stopping.cancel();
        self.up.clear();
        for (entry, made) in &self.made {
            if let Made::Folder(path) = made
                && remove_folder(path).is_ok()
            {
                self.books.release(entry, "clean-up");
            }
        }
    }
}
