//! Brings up what a profile says, and down again in every ending.

mod contain;
pub mod down;
mod prepare;
mod start;
pub mod told;

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::books::{Books, Entry};
use super::model::{Part, Profile, SERVER, Starts, Stop};
use super::part_log::PartLog;
use super::process::{Process, Spec};
use super::ready::{learn, shown};
use super::values::Values;
use crate::clock::Instant;
use crate::docker::{self, Engine};
use crate::domain::{Secret, time};
use crate::event::{Log, PartState};
use crate::http;
use crate::targets::OpenError;

/// Lines of a log that are shown when something goes wrong.
const SHOWN: usize = 25;

/// What a profile is brought up with.
pub struct Setup {
    /// The profile.
    pub profile: Arc<Profile>,
    /// Our own environment.
    pub env: BTreeMap<String, String>,
    /// This program, as `${program}`.
    pub program: PathBuf,
    /// The run's id.
    pub run: String,
    /// Where logs are kept.
    pub logs: PathBuf,
    /// Where folders are made.
    pub temp: PathBuf,
    /// The run's log.
    pub log: Log,
    /// Which engine.
    pub engine: docker::Settings,
    /// How readiness is looked at.
    pub http: http::Config,
}

/// Everything that was brought up.
pub struct Lane {
    setup: Setup,
    values: Values,
    books: Books,
    engine: Option<Engine>,
    /// In the order of their start.
    up: Vec<Up>,
    /// Of our image tags, shares and folders, in the order of their making.
    made: Vec<(Entry, Made)>,
    /// A command was run: something of it may live on.
    ran: bool,
    /// The target itself was started here and is stopped.
    server_stopped: bool,
    /// What ended by itself.
    died: watch::Sender<Died>,
    /// What ends from now on was stopped.
    stopping: CancellationToken,
}

/// What ended by itself.
#[derive(Clone, Debug, Default)]
pub struct Died {
    /// The first part that did, and how.
    pub why: Option<String>,
    /// The target itself, started here, is among them: what it had went with it.
    pub server: bool,
}

/// A part that runs.
struct Up {
    name: String,
    stop: Stop,
    entry: Entry,
    log: PartLog,
    runs: Runs,
    teardown: Option<Teardown>,
    /// The engine did not say whether it made it.
    unsure: bool,
}

/// What takes away what a part leaves, once it is stopped.
struct Teardown {
    entry: Entry,
    /// Each with its words for people.
    commands: Vec<(Spec, String)>,
}

enum Runs {
    Process(Process),
    Container(String, watch::Receiver<Option<String>>),
}

impl Runs {
    fn ended(&self) -> watch::Receiver<Option<String>> {
        match self {
            Runs::Process(process) => process.ended(),
            Runs::Container(_, ended) => ended.clone(),
        }
    }
}

/// What is taken away when everything is down.
enum Made {
    Folder(PathBuf),
    /// A name, and the image that it was given to.
    Tag(String, String),
    Network,
}

impl Lane {
    /// Picks ports and secrets; nothing is started. Generated secrets are known to the log's redactor from here.
    ///
    /// # Errors
    /// There is no free port.
    pub fn new(setup: Setup) -> io::Result<Lane> {
        let mut values = Values::new(&setup.env);
        values.set("program", setup.program.display().to_string());
        values.set("run.id", setup.run.clone());
        // All are held until all are picked, so that no two are the same.
        let mut held = Vec::new();
        for name in &setup.profile.ports {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            values.set(&format!("ports.{name}"), listener.local_addr()?.port().to_string());
            held.push(listener);
        }
        for name in &setup.profile.secrets {
            let secret = Secret::new(format!("{:032x}", crate::chance::random::<u128>()));
            setup.log.redactor().register(&name.to_uppercase().replace('-', "_"), secret.expose());
            values.set(&format!("secrets.{name}"), secret.expose());
        }
        for name in &setup.profile.folders {
            let path = setup.temp.join(folder_name(&setup.run)).join(name);
            values.set(&format!("folders.{name}"), path.display().to_string());
        }
        let books = Books::new(setup.log.clone());
        let mut lane = Lane {
            setup,
            values,
            books,
            engine: None,
            up: Vec::new(),
            made: Vec::new(),
            ran: false,
            server_stopped: false,
            died: watch::channel(Died::default()).0,
            stopping: CancellationToken::new(),
        };
        lane.foresee_urls();
        Ok(lane)
    }

    /// Addresses that do not depend on the engine are known before anything is started.
    fn foresee_urls(&mut self) {
        let profile = Arc::clone(&self.setup.profile);
        self.setup.env.values().for_each(|value| learn(self.setup.log.redactor(), value));
        for part in &profile.parts {
            if let Some(url) = self.url_of(part) {
                learn(self.setup.log.redactor(), &url);
                self.values.set_url(&part.name, url);
            }
        }
        // One part may print what another is given.
        for part in &profile.parts {
            let argv = match &part.starts {
                Starts::Command { argv, .. } | Starts::Image { argv, .. } => argv.as_slice(),
                Starts::Nothing => &[],
            };
            let commands = part.commands().flatten();
            for template in part.env.values().chain(argv).chain(commands) {
                // What is not known yet is learned when it is rendered.
                if let Ok(text) = template.render(&self.values) {
                    learn(self.setup.log.redactor(), &text);
                }
            }
        }
    }

    fn url_of(&self, part: &Part) -> Option<String> {
        match self.values.given(part) {
            Some((_, url)) => Some(url.to_owned()),
            None => part.url.as_ref()?.render(&self.values).ok(),
        }
    }

    /// What the server prints, when it was started here.
    pub fn server_log(&self) -> Option<PartLog> {
        self.up.iter().find(|up| up.name == SERVER).map(|up| up.log.clone())
    }

    /// Changes once a part ended by itself.
    pub fn died(&self) -> watch::Receiver<Died> {
        self.died.subscribe()
    }

    /// Whether the target itself was started here and has ended by itself.
    pub fn server_died(&self) -> bool {
        self.died.borrow().server
    }

    /// Whether the target itself was started here and was stopped by [`Lane::down`].
    pub fn server_stopped(&self) -> bool {
        self.server_stopped
    }

    /// Brings everything up, in the file's order; what was started stays until [`Lane::down`].
    ///
    /// # Errors
    /// What could not be started or was not ready in time, with the end of its log.
    pub async fn up(&mut self) -> Result<(), OpenError> {
        let profile = Arc::clone(&self.setup.profile);
        self.prepare(&profile).await?;
        for part in &profile.parts {
            let began = Instant::now();
            match self.start(part).await {
                Ok(state) => {
                    let url = self.url_of(part).map(|url| format!(" at {}", shown(&url))).unwrap_or_default();
                    let took = time::show(began.elapsed());
                    let text = match state {
                        PartState::Given => format!("was there already{url}"),
                        _ => format!("ready after {took}{url}"),
                    };
                    self.books.part(&part.name, state, text, Vec::new(), began.elapsed());
                }
                Err(failed) => {
                    let Failed { what, lines } = failed;
                    // It goes to the terminal too, not only through the log.
                    let what = self.setup.log.redactor().text(&what).into_owned();
                    self.books.part(&part.name, PartState::Failed, what.clone(), lines, began.elapsed());
                    let log = self
                        .up
                        .iter()
                        .find(|up| up.name == part.name)
                        .map(|up| up.log.path().display().to_string());
                    let check = log.map(|path| vec![format!("its log: {path}")]).unwrap_or_default();
                    return Err(OpenError {
                        what: format!("the profile's `{}`: {what}", part.name),
                        check,
                        busy: false,
                        refused: false,
                        dependency: None,
                    });
                }
            }
        }
        Ok(())
    }
}

/// A part that could not be brought up.
struct Failed {
    what: String,
    lines: Vec<String>,
}

impl Failed {
    fn new(what: impl std::fmt::Display) -> Failed {
        Failed { what: what.to_string(), lines: Vec::new() }
    }
}

/// The folder that holds a run's folders; a sweep removes nothing that is called otherwise.
pub fn folder_name(run: &str) -> String {
    format!("lifecycle-{run}")
}
