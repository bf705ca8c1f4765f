//! Starts parts and waits until they can be used.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use super::{Failed, Lane, Runs, SHOWN, Teardown, Up};
use crate::clock::{self, Instant};
use crate::docker::{ContainerSpec, names, owned};
use crate::domain::time;
use crate::event::PartState;
use crate::scenario::template::Template;
use crate::targets::docker;
use crate::targets::profile::books::{PROCESS, STARTED_BY, TEARDOWN, container_name};
use crate::targets::profile::error::NotReady;
use crate::targets::profile::model::{COMMAND, Part, Probe, Ready, SERVER, Starts};
use crate::targets::profile::part_log::PartLog;
use crate::targets::profile::process::{Process, Spec, User};
use crate::targets::profile::ready::{Look, host_port, learn};
use crate::targets::profile::saas;

/// Something that is there already answers within this.
const GIVEN: Duration = Duration::from_secs(3);
/// What every process gets of our own environment.
const MINIMAL: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];
/// The image of the agent, made from this program.
pub(super) const AGENT: &str = "agent";

impl Lane {
    pub(super) fn text(&self, template: &Template) -> Result<String, Failed> {
        let text = template.render(&self.values).map_err(|e| Failed::new(e.to_string()))?;
        learn(self.setup.log.redactor(), &text);
        Ok(text)
    }

    fn texts(&self, templates: &[Template]) -> Result<Vec<String>, Failed> {
        templates.iter().map(|t| self.text(t)).collect()
    }

    pub(super) async fn image(&self, image: &Template) -> Result<String, Failed> {
        let named = self.text(image)?;
        let Some(engine) = &self.engine else { return Err(Failed::new("there is no engine")) };
        let named = (named != AGENT).then_some(named.as_str());
        docker::image(engine, named).await.map_err(|e| Failed::new(e.what))
    }

    /// Starts a part and waits until it can be used.
    pub(super) async fn start(&mut self, part: &Part) -> Result<PartState, Failed> {
        if let Some((variable, url)) = self.values.given(part) {
            let (variable, url) = (variable.to_owned(), url.to_owned());
            // An address without a port of its own is the server's business.
            if let Some(address) = host_port(&url) {
                let look = Look::Tcp(address, None, None).until(Instant::now() + GIVEN).await;
                look.map_err(|why| Failed::new(format!("{variable} says where it is, but {why}")))?;
            }
            self.values.set_url(&part.name, url);
            return Ok(PartState::Given);
        }
        if let Some(url) = &part.url {
            let url = self.text(url)?;
            self.values.set_url(&part.name, url);
        }
        let env = self.environment(part)?;
        let wanted: Vec<Regex> = part.ready.iter().filter_map(|r| r.probe.log().cloned()).collect();
        let redactor = self.setup.log.redactor().clone();
        let log = PartLog::create(&self.setup.logs, &part.name, wanted, &redactor)
            .map_err(|e| Failed::new(format!("its log cannot be written: {e}")))?;
        match &part.starts {
            Starts::Nothing => Err(Failed::new(format!("none of {} is set", part.given.join(", ")))),
            Starts::Command { argv, user, directory } => {
                let user = user.as_ref().map(|u| self.text(u)).transpose()?;
                let user = user.map(|name| User::find(&name).map_err(Failed::new)).transpose()?;
                self.hand_over(part, user.as_ref())?;
                let directory = directory.as_ref().map(|d| self.text(d)).transpose()?.map(PathBuf::from);
                let here = directory.clone().unwrap_or_else(|| PathBuf::from("."));
                // A folder that is not there is named when the program is started.
                let above = saas::beside_checkout(&fs::canonicalize(here).unwrap_or_default());
                refuse_production(above, &env, ".env beside the checkout")?;
                let base = BaseSpec { env, user, directory };
                for command in &part.before {
                    self.run(part, base.spec(self.texts(command)?), &log).await?;
                }
                let spec = base.spec(self.texts(argv)?);
                log.forget();
                let finally = part.finally.iter().map(|command| Ok(base.spec(self.texts(command)?)));
                let finally = finally.collect::<Result<Vec<Spec>, Failed>>()?;
                self.spawn(part, &spec, log.clone())?;
                self.tear_down_later(part, finally);
                self.await_ready(part, &log).await?;
                for command in &part.after {
                    self.run(part, base.spec(self.texts(command)?), &log).await?;
                }
                self.watch(&part.name);
                Ok(PartState::Ready)
            }
            Starts::Image { image, argv, publish } => {
                let image = self.image(image).await?;
                if let Some(engine) = &self.engine {
                    let own = engine.image_env(&image).await.map_err(|e| Failed::new(e.what))?;
                    refuse_production(own, &env, "the image")?;
                }
                let publish = match publish {
                    Some((inside, at)) => {
                        let at = self.text(at)?;
                        let port = at
                            .parse()
                            .map_err(|_| Failed::new(format!("`{at}` is not a port to publish at")))?;
                        Some((*inside, port))
                    }
                    None => None,
                };
                let network = self.setup.profile.network.clone().unwrap_or_else(|| names::BRIDGE.to_owned());
                let spec = ContainerSpec {
                    name: container_name(&self.setup.run, &part.name),
                    image,
                    command: self.texts(argv)?,
                    env,
                    labels: owned::labels(&self.setup.run),
                    network: Some(network),
                    publish,
                    ..ContainerSpec::default()
                };
                self.contain(part, &spec, log.clone()).await?;
                self.await_ready(part, &log).await?;
                self.watch(&part.name);
                Ok(PartState::Ready)
            }
        }
    }

    /// The folders that a part speaks of belong to the user that runs it.
    fn hand_over(&self, part: &Part, user: Option<&User>) -> Result<(), Failed> {
        let (Some(user), Starts::Command { argv, .. }) = (user, &part.starts) else { return Ok(()) };
        let templates = argv.iter().chain(part.commands().flatten()).chain(part.env.values());
        for path in templates.flat_map(Template::paths) {
            if let [root, name] = path
                && root == "folders"
                && let Some(folder) = self.values.get(&format!("folders.{name}"))
            {
                chown(folder, Some(user.uid), Some(user.gid))
                    .map_err(|e| Failed::new(format!("the folder `{name}` cannot be handed over: {e}")))?;
            }
        }
        Ok(())
    }

    /// What a part gets. A server that would call production is never started.
    fn environment(&self, part: &Part) -> Result<BTreeMap<String, String>, Failed> {
        let mut env = BTreeMap::new();
        if matches!(part.starts, Starts::Command { .. }) {
            env.extend(
                MINIMAL.iter().filter_map(|n| Some(((*n).to_owned(), self.values.variable(n)?.to_owned()))),
            );
            env.insert(STARTED_BY.to_owned(), self.setup.run.clone());
        }
        for name in &part.pass {
            env.extend(self.values.variable(name).map(|value| (name.clone(), value.to_owned())));
        }
        for (name, value) in &part.env {
            env.insert(name.clone(), self.text(value)?);
        }
        for (name, value) in env.iter().filter(|(name, _)| crate::redact::is_credential_field(name)) {
            self.setup.log.redactor().register(name, value);
        }
        match saas::refusal(&env) {
            Some(why) => Err(Failed::new(why)),
            None => Ok(env),
        }
    }

    fn spawn(&mut self, part: &Part, spec: &Spec, log: PartLog) -> Result<(), Failed> {
        let mut entry = self.books.intend(PROCESS, &part.name);
        self.ran = true;
        let process = match Process::spawn(spec, &log) {
            Ok(process) => process,
            Err(error) => {
                self.books.release(&entry, "never made");
                return Err(cannot_run(spec, &error));
            }
        };
        if let Some(owner) = process.owner() {
            self.books.own(&mut entry, &owner.label());
        }
        self.up.push(Up {
            name: part.name.clone(),
            stop: part.stop,
            entry,
            log,
            runs: Runs::Process(process),
            teardown: None,
            unsure: false,
        });
        Ok(())
    }

    /// What the part that was just started leaves is taken away once it is stopped.
    fn tear_down_later(&mut self, part: &Part, specs: Vec<Spec>) {
        let Some(up) = self.up.last_mut().filter(|_| !specs.is_empty()) else { return };
        let redactor = self.setup.log.redactor();
        let with_words = |spec: Spec| {
            let words = redactor.excerpt(&spec.argv.join(" "), 400);
            (spec, words)
        };
        let commands: Vec<(Spec, String)> = specs.into_iter().map(with_words).collect();
        let mut entry = self.books.intend(TEARDOWN, &part.name);
        let typed: Vec<&str> = commands.iter().map(|(_, words)| words.as_str()).collect();
        // For whoever has to type it: a sweep runs nothing that a log says.
        self.books.own(&mut entry, &typed.join(" && "));
        up.teardown = Some(Teardown { entry, commands });
    }

    /// Tells when a part that is ready ends by itself.
    fn watch(&self, name: &str) {
        let Some(up) = self.up.iter().find(|up| up.name == name) else { return };
        let (died, books, log, mut ended) =
            (self.died.clone(), self.books.clone(), up.log.clone(), up.runs.ended());
        let (name, began) = (name.to_owned(), Instant::now());
        tokio::spawn(self.stopping.clone().run_until_cancelled_owned(async move {
            let Ok(how) = ended.wait_for(Option::is_some).await.map(|how| how.clone().unwrap_or_default())
            else {
                return;
            };
            log.drained().await;
            let text = format!("ended by itself: {how}");
            books.part(&name, PartState::Died, text, log.tail(SHOWN), began.elapsed());
            died.send_modify(|died| {
                died.why.get_or_insert_with(|| format!("the profile's `{name}` ended by itself: {how}"));
                died.server |= name == SERVER;
            });
        }));
    }

    /// Runs a command to its end. It stands among what is up, so that an interrupt ends it too.
    async fn run(&mut self, part: &Part, spec: Spec, log: &PartLog) -> Result<(), Failed> {
        self.spawn(part, &spec, log.clone())?;
        let Some(mut ended) = self.up.last().map(|up| up.runs.ended()) else { return Ok(()) };
        let in_time = crate::clock::timeout(COMMAND, ended.wait_for(Option::is_some)).await.is_ok();
        let Some(Runs::Process(process)) = self.up.last_mut().map(|up| &mut up.runs) else { return Ok(()) };
        // What refuses stays among what is up: it is tried again when everything goes.
        process.finish().await.map_err(Failed::new)?;
        let Some(up) = self.up.pop() else { return Ok(()) };
        let Runs::Process(process) = &up.runs else { return Ok(()) };
        self.books.release(&up.entry, "clean-up");
        if in_time && process.exit_code() == Some(0) {
            return Ok(());
        }
        log.drained().await;
        let how =
            if in_time { process.how() } else { format!("it did not end within {}", time::show(COMMAND)) };
        // A secret that is cut in two is not known any more.
        let argv = spec.argv.join(" ");
        let what = self.setup.log.redactor().excerpt(&argv, 200);
        Err(Failed { what: format!("`{what}`: {how}"), lines: log.tail(SHOWN) })
    }

    async fn await_ready(&self, part: &Part, log: &PartLog) -> Result<(), Failed> {
        let Some(up) = self.up.iter().find(|up| up.name == part.name) else { return Ok(()) };
        let mut number = 0;
        for ready in &part.ready {
            let deadline = Instant::now() + ready.within;
            let mut ended = up.runs.ended();
            let looked = tokio::select! {
                biased;
                how = ended.wait_for(Option::is_some) => {
                    let how = how.map(|h| h.clone().unwrap_or_default()).unwrap_or_default();
                    log.drained().await;
                    Err(format!("ended before it was ready: {how}"))
                }
                looked = self.look(ready, log, number, deadline) => looked.map_err(|last| {
                    format!("not ready within {}: {last}", time::show(ready.within))
                }),
            };
            looked.map_err(|what| Failed { what, lines: log.tail(SHOWN) })?;
            number += usize::from(ready.probe.log().is_some());
        }
        Ok(())
    }

    async fn look(
        &self,
        ready: &Ready,
        log: &PartLog,
        number: usize,
        deadline: Instant,
    ) -> Result<(), NotReady> {
        let text = |t: &Template| self.text(t).map_err(|f| NotReady::Unfilled(f.what));
        match &ready.probe {
            Probe::Http(url, status) => {
                Look::http(&text(url)?, *status, &self.setup.http)?.until(deadline).await
            }
            Probe::Tcp { address, send, expect } => {
                Look::Tcp(text(address)?, send.clone(), expect.clone()).until(deadline).await
            }
            Probe::Log(expression) => {
                let mut grown = log.grown();
                while !log.matched(number) {
                    tokio::select! {
                        biased;
                        _ = grown.changed() => {}
                        () = clock::sleep_until(deadline) => return Err(NotReady::NoLine(expression.to_string())),
                    }
                }
                Ok(())
            }
        }
    }
}

impl Probe {
    fn log(&self) -> Option<&Regex> {
        match self {
            Probe::Log(expression) => Some(expression),
            _ => None,
        }
    }
}

/// What commands of one part share.
struct BaseSpec {
    env: BTreeMap<String, String>,
    user: Option<User>,
    directory: Option<PathBuf>,
}

impl BaseSpec {
    fn spec(&self, argv: Vec<String>) -> Spec {
        let mut env = self.env.clone();
        if let Some(user) = &self.user {
            env.insert("HOME".to_owned(), user.home.clone());
        }
        // Our own folder may be closed to another user.
        let elsewhere = self.user.as_ref().map(|_| PathBuf::from("/"));
        Spec { argv, env, directory: self.directory.clone().or(elsewhere), user: self.user.clone() }
    }
}

/// What a part finds besides what it is given can put it in SaaS mode too; what it is given wins.
fn refuse_production(
    found: BTreeMap<String, String>,
    given: &BTreeMap<String, String>,
    whence: &str,
) -> Result<(), Failed> {
    let mut all = found;
    all.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    match saas::refusal(&all) {
        Some(why) => Err(Failed::new(format!("with {whence}, {why}"))),
        None => Ok(()),
    }
}

fn cannot_run(spec: &Spec, error: &std::io::Error) -> Failed {
    let program = spec.argv.first().map(String::as_str).unwrap_or_default();
    Failed::new(match error.kind() {
        std::io::ErrorKind::NotFound => {
            format!("cannot run `{program}`: there is no such program, or no such directory")
        }
        std::io::ErrorKind::PermissionDenied => format!("cannot run `{program}`: {error}; `user` needs root"),
        _ => format!("cannot run `{program}`: {error}"),
    })
}
