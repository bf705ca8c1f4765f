//! Containers: made, started, looked at, acted on, removed. Always by exact name or by label.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::body_full;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, NetworkingConfig, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    ContainerArchiveInfoOptions, CreateContainerOptions, EventsOptions, InspectContainerOptions,
    KillContainerOptions, ListContainersOptions, LogsOptions, RemoveContainerOptions,
    RestartContainerOptions, StartContainerOptions, StopContainerOptions, UploadToContainerOptions,
};
use futures_util::{FutureExt as _, StreamExt as _};

use super::bounds::LOOK;
use super::lines::Lines;
use super::shown::{Container, name_of, shown};
use super::{Engine, EngineError, ErrorKind, filters, names, tar};
use crate::clock::Instant;
use crate::redact::Redactor;

/// What a container is made from.
#[derive(Clone, Debug, Default)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Arguments after the image's entry point; empty: the image's own.
    pub command: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The network it hangs on, under its name as alias; `None`: the host's.
    pub network: Option<String>,
    /// A port of the container and the port of 127.0.0.1 that leads to it.
    pub publish: Option<(u16, u16)>,
    /// `volume-or-folder:/path[:ro]`.
    pub binds: Vec<String>,
    /// Folders in memory: path and options.
    pub tmpfs: BTreeMap<String, String>,
    /// Bytes; 0 is no limit.
    pub memory: i64,
    /// Billionths of a CPU; 0 is no limit.
    pub nano_cpus: i64,
    /// Privileged, and in the host's process namespace.
    pub privileged: bool,
    /// Its root cannot be written to.
    pub read_only: bool,
    /// Started again whenever it ends by itself.
    pub restart: bool,
}

/// A container in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its name, without the slash.
    pub name: String,
    /// `running`, `exited`, …
    pub state: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

/// What can be done to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL; the restart policy does not apply.
    Kill,
    /// TERM, then KILL after ten seconds.
    Stop,
    /// Starts what is stopped.
    Start,
    /// Stops and starts it.
    Restart,
    /// Freezes it.
    Pause,
    /// Thaws it.
    Unpause,
    /// Removes it, running or not. Volumes with a name stay.
    Remove,
}

impl Engine {
    /// Makes a container; gives its id.
    ///
    /// # Errors
    /// The name is taken, the image is missing, or the engine refuses.
    pub async fn create(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        let options =
            CreateContainerOptions { name: Some(spec.name.clone()), ..CreateContainerOptions::default() };
        let made = self.docker.create_container(Some(options), body(spec));
        self.change(&format!("make the container {}", spec.name), made).await.map(|m| m.id)
    }

    /// Puts files below a folder of a container, also of one that was never started.
    ///
    /// # Errors
    /// The folder is not there, the disk is full, or the engine refuses.
    pub async fn put_files(
        &self,
        container: &str,
        folder: &str,
        files: &BTreeMap<String, Vec<u8>>,
        owner: u32,
    ) -> Result<(), EngineError> {
        let archive =
            tar::archive(files.iter().map(|(p, c)| (p.as_str(), tar::READABLE, owner, c.as_slice())));
        let options =
            UploadToContainerOptions { path: folder.to_owned(), ..UploadToContainerOptions::default() };
        let done = self.docker.upload_to_container(container, Some(options), body_full(archive.into()));
        self.change(&format!("put files into {folder} of {container}"), done).await
    }

    /// Whether a container has a file.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn has_file(&self, container: &str, path: &str) -> Result<bool, EngineError> {
        let options = ContainerArchiveInfoOptions { path: path.to_owned() };
        let found = self.docker.get_container_archive_info(container, Some(options));
        match self.look(&format!("look at {path} of {container}"), found).await {
            Ok(_) => Ok(true),
            Err(gone) if gone.kind == ErrorKind::NotFound => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Does something to a container.
    ///
    /// # Errors
    /// There is none, its state does not allow it, a port is taken, or the engine refuses.
    pub async fn act(&self, container: &str, action: Action) -> Result<(), EngineError> {
        let docker = &self.docker;
        let doing = |verb: &str| format!("{verb} {container}");
        match action {
            Action::Kill => {
                let options = KillContainerOptions { signal: "SIGKILL".to_owned() };
                self.change(&doing("kill"), docker.kill_container(container, Some(options))).await
            }
            Action::Stop => {
                let options = StopContainerOptions { t: Some(GRACE), ..StopContainerOptions::default() };
                let stopped = docker.stop_container(container, Some(options));
                self.within(STOP, &doing("stop"), stopped).await
            }
            Action::Start => {
                let started = docker.start_container(container, None::<StartContainerOptions>);
                self.change(&doing("start"), started).await
            }
            Action::Restart => {
                let options =
                    RestartContainerOptions { t: Some(GRACE), ..RestartContainerOptions::default() };
                let restarted = docker.restart_container(container, Some(options));
                self.within(STOP, &doing("restart"), restarted).await
            }
            Action::Pause => self.change(&doing("pause"), docker.pause_container(container)).await,
            Action::Unpause => self.change(&doing("unpause"), docker.unpause_container(container)).await,
            Action::Remove => {
                let options =
                    RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
                self.change(&doing("remove"), docker.remove_container(container, Some(options))).await
            }
        }
    }

    /// Sends a signal to a container's process: `TERM`.
    ///
    /// # Errors
    /// It does not run, or the engine refuses.
    pub async fn signal(&self, container: &str, signal: &str) -> Result<(), EngineError> {
        let options = KillContainerOptions { signal: format!("SIG{signal}") };
        let done = self.docker.kill_container(container, Some(options));
        self.change(&format!("send {signal} to {container}"), done).await
    }

    /// Removes a container, running or not; says whether there was one.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn remove(&self, container: &str) -> Result<bool, EngineError> {
        match self.act(container, Action::Remove).await {
            Ok(()) => Ok(true),
            Err(gone) if gone.kind == ErrorKind::NotFound => Ok(false),
            // Somebody else removes it right now: as good as gone, but look.
            Err(busy) if busy.kind == ErrorKind::Conflict && busy.what.contains("already in progress") => {
                Ok(self.inspect(container).await?.is_some())
            }
            Err(other) => Err(other),
        }
    }

    /// A container by its exact name or id.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn inspect(&self, container: &str) -> Result<Option<Container>, EngineError> {
        let found = self.docker.inspect_container(container, None::<InspectContainerOptions>);
        match self.look(&format!("look at {container}"), found).await {
            Ok(found) => Ok(Some(shown(found))),
            Err(gone) if gone.kind == ErrorKind::NotFound => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Containers, running or not, whose label has this value (`None`: any value).
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn labelled(&self, label: &str, value: Option<&str>) -> Result<Vec<Listed>, EngineError> {
        let wanted = value.map_or_else(|| label.to_owned(), |value| format!("{label}={value}"));
        self.list(&[("label", &wanted)]).await
    }

    /// All containers that bear a workspace's name, whoever made them.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn workspaces(&self) -> Result<Vec<Listed>, EngineError> {
        let mut found = self.list(&[("name", "^/ws-")]).await?;
        found.retain(|c| c.name.starts_with("ws-"));
        Ok(found)
    }

    pub(super) async fn list(&self, pairs: &[(&str, &str)]) -> Result<Vec<Listed>, EngineError> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(filters(pairs)),
            ..ListContainersOptions::default()
        };
        let listed = self.look("list containers", self.docker.list_containers(Some(options))).await?;
        Ok(listed
            .into_iter()
            .map(|c| Listed {
                id: c.id.unwrap_or_default(),
                name: name_of(c.names.unwrap_or_default().first()),
                state: c.state.map(|s| s.to_string()).unwrap_or_default(),
                labels: c.labels.unwrap_or_default().into_iter().collect(),
                created: c.created.unwrap_or_default(),
            })
            .collect())
    }

    /// The last lines that a container printed, redacted.
    ///
    /// # Errors
    /// There is none, or the engine refuses.
    pub async fn logs(
        &self,
        container: &str,
        lines: usize,
        redactor: &Redactor,
    ) -> Result<Vec<String>, EngineError> {
        let options =
            LogsOptions { stdout: true, stderr: true, tail: lines.to_string(), ..LogsOptions::default() };
        let mut stream = self.docker.logs(container, Some(options));
        let (mut out, mut err) = (Lines::default(), Lines::default());
        let mut kept = std::collections::VecDeque::new();
        let mut bytes = 0;
        let until = Instant::now() + LOOK;
        let doing = format!("read the log of {container}");
        while let Some(piece) = self.within(left(until), &doing, stream.next().map(Option::transpose)).await?
        {
            bytes += piece.as_ref().len();
            let half = if matches!(piece, bollard::container::LogOutput::StdErr { .. }) {
                &mut err
            } else {
                &mut out
            };
            kept.extend(half.push(piece.as_ref(), redactor));
            while kept.len() > lines {
                kept.pop_front();
            }
            if bytes > LOG_BYTES {
                kept.push_back(format!("(more than {} KiB: the rest is left out)", LOG_BYTES >> 10));
                return Ok(kept.into());
            }
        }
        kept.extend(out.finish(redactor));
        kept.extend(err.finish(redactor));
        while kept.len() > lines {
            kept.pop_front();
        }
        Ok(kept.into())
    }

    /// Hands on every line that a container prints, redacted, until it ends.
    ///
    /// # Errors
    /// There is none, or the engine goes away.
    pub async fn follow(
        &self,
        container: &str,
        redactor: &Redactor,
        mut each: impl FnMut(Vec<String>),
    ) -> Result<(), EngineError> {
        let options = LogsOptions { stdout: true, stderr: true, follow: true, ..LogsOptions::default() };
        let mut stream = self.docker.logs(container, Some(options));
        let (mut out, mut err) = (Lines::default(), Lines::default());
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|e| self.error(&format!("follow the log of {container}"), &e))?;
            let is_error = matches!(piece, bollard::container::LogOutput::StdErr { .. });
            let half = if is_error { &mut err } else { &mut out };
            each(half.push(piece.as_ref(), redactor));
        }
        each([out.finish(redactor), err.finish(redactor)].into_iter().flatten().collect());
        Ok(())
    }

    /// What the engine did to a container during so many seconds until now.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn events(&self, container: &str, window: i64) -> Result<Vec<(i64, String)>, EngineError> {
        // With nanoseconds: whole seconds would leave out the one that runs, and with it what just happened.
        let now = self.now();
        let options = EventsOptions {
            since: Some((now.as_second() - window).to_string()),
            until: Some(format!("{}.{:09}", now.as_second(), now.subsec_nanosecond())),
            filters: Some(filters(&[("type", "container"), ("container", container)])),
        };
        let mut stream = self.docker.events(Some(options));
        let mut events = std::collections::VecDeque::new();
        // An engine whose clock fell behind since it was asked holds the stream open, and has nothing more to tell.
        let (until, doing) = (Instant::now() + LOOK, "read the engine's events");
        loop {
            let next = self.within(left(until), doing, stream.next().map(Option::transpose));
            let Ok(next) = crate::clock::timeout(QUIET, next).await else { break };
            let Some(event) = next? else { break };
            // Health checks would push out the end, which is what matters.
            if event.action.as_deref().is_some_and(|action| action.starts_with("exec_")) {
                continue;
            }
            let code = event.actor.and_then(|a| a.attributes).and_then(|a| a.get("exitCode").cloned());
            let code = code.map(|c| format!(" (exit code {c})")).unwrap_or_default();
            events.push_back((event.time.unwrap_or_default(), event.action.unwrap_or_default() + &code));
            if events.len() > EVENTS {
                events.pop_front();
            }
        }
        Ok(events.into())
    }
}

/// Events of the past come at once: after so long without one there are no more.
const QUIET: Duration = Duration::from_secs(1);
/// A container that is asked to end has so many seconds.
const GRACE: i32 = 10;
/// So long may that take.
const STOP: Duration = Duration::from_secs(40);

/// What is left of a bound.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// A log larger than this is cut.
const LOG_BYTES: usize = 1 << 20;
/// More events than this are not kept.
const EVENTS: usize = 200;

fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    let published = spec.publish.map(|(inside, outside)| {
        let binding =
            PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(outside.to_string()) };
        HashMap::from([(format!("{inside}/tcp"), Some(vec![binding]))])
    });
    let host = HostConfig {
        binds: Some(spec.binds.clone()),
        tmpfs: (!spec.tmpfs.is_empty()).then(|| spec.tmpfs.clone().into_iter().collect()),
        memory: (spec.memory > 0).then_some(spec.memory),
        nano_cpus: (spec.nano_cpus > 0).then_some(spec.nano_cpus),
        privileged: Some(spec.privileged),
        pid_mode: spec.privileged.then(|| "host".to_owned()),
        readonly_rootfs: Some(spec.read_only),
        network_mode: Some(spec.network.clone().unwrap_or_else(|| "host".to_owned())),
        port_bindings: published,
        restart_policy: spec.restart.then_some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            maximum_retry_count: None,
        }),
        ..HostConfig::default()
    };
    let networking = spec.network.as_ref().map(|network| NetworkingConfig {
        endpoints_config: Some(HashMap::from([(
            network.clone(),
            EndpointSettings {
                // The engine's own bridge knows no aliases.
                aliases: (network != names::BRIDGE).then(|| vec![spec.name.clone()]),
                ..EndpointSettings::default()
            },
        )])),
    });
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: (!spec.command.is_empty()).then(|| spec.command.clone()),
        env: Some(spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        exposed_ports: spec.publish.map(|(inside, _)| vec![format!("{inside}/tcp")]),
        host_config: Some(host),
        networking_config: networking,
        ..ContainerCreateBody::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_port_is_loopback_only() {
        let spec = ContainerSpec { publish: Some((8000, 41_000)), ..ContainerSpec::default() };
        let text = serde_json::to_string(&body(&spec)).unwrap();
        assert!(text.contains(r#""8000/tcp":[{"HostIp":"127.0.0.1","HostPort":"41000"}]"#), "{text}");
    }
}
