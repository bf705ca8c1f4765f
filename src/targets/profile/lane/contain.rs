//! A part in a container: made, owned, started, followed; and what to do when nobody says whether it was made.

use std::time::Duration;

use tokio::sync::watch;

use super::{Failed, Lane, Runs, Up};
use crate::clock::{self, Instant};
use crate::docker::{Action, ContainerSpec, Engine, EngineError, names};
use crate::targets::profile::books::CONTAINER;
use crate::targets::profile::model::Part;
use crate::targets::profile::part_log::PartLog;

/// What an engine was asked for, and did not say whether it did, shows within this.
const SHOWS: Duration = Duration::from_millis(1_500);
/// Between two looks at a container.
const LOOK: Duration = Duration::from_millis(250);

impl Lane {
    pub(super) async fn contain(
        &mut self,
        part: &Part,
        spec: &ContainerSpec,
        log: PartLog,
    ) -> Result<(), Failed> {
        let Some(engine) = self.engine.clone() else { return Err(Failed::new("there is no engine")) };
        let entry = self.books.intend(CONTAINER, &spec.name);
        let failed = |e: EngineError| Failed::new(e.what);
        let (tell, ended) = watch::channel(None);
        // It is known by its name before it is asked for: an interrupt removes what comes of it.
        let runs = Runs::Container(spec.name.clone(), ended);
        let (name, log_of) = (part.name.clone(), log.clone());
        self.up.push(Up { name, stop: part.stop, entry, log: log_of, runs, teardown: None, unsure: false });
        let made = engine.create(spec).await;
        let Some(up) = self.up.last_mut() else { return Err(Failed::new("it is not there")) };
        let id = match made {
            Ok(id) => id,
            Err(error) if error.refused => {
                self.books.release(&up.entry, "never made");
                self.up.pop();
                return Err(failed(error));
            }
            // Without an answer the engine may have made it, or make it yet.
            Err(error) => {
                match shows(&engine, &spec.name, &self.setup.run).await {
                    Some(id) => self.books.own(&mut up.entry, &id),
                    None => up.unsure = true,
                }
                return Err(failed(error));
            }
        };
        self.books.own(&mut up.entry, &id);
        engine.act(&id, Action::Start).await.map_err(failed)?;
        tokio::spawn(follow(engine, id, self.setup.log.redactor().clone(), log, tell));
        Ok(())
    }
}

/// Hands on what it prints, and tells when it ended.
async fn follow(
    engine: Engine,
    id: String,
    redactor: crate::redact::Redactor,
    log: PartLog,
    tell: watch::Sender<Option<String>>,
) {
    // A log that breaks off is no end: the engine is asked.
    let _ = engine.follow(&id, &redactor, |lines| log.add(lines)).await;
    let how = loop {
        match engine.inspect(&id).await {
            Ok(Some(there)) if there.running => clock::sleep(LOOK).await,
            Ok(Some(there)) => break format!("exit status {}", there.exit_code),
            Ok(None) => break "it was removed".to_owned(),
            Err(error) => break error.what,
        }
    };
    // Nobody may be listening any more.
    let _ = tell.send(Some(how));
}

/// The id of a container of this run that bears a name, once it shows.
pub(super) async fn shows(engine: &Engine, name: &str, run: &str) -> Option<String> {
    let until = Instant::now() + SHOWS;
    loop {
        if let Ok(Some(there)) = engine.inspect(name).await
            && there.labels.get(names::RUN).is_some_and(|of| of == run)
        {
            return Some(there.id);
        }
        if Instant::now() >= until {
            return None;
        }
        clock::sleep(LOOK).await;
    }
}
