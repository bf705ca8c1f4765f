//! Asking an address from inside a container, without a shell in its image.
//!
//! A container of our own agent image is asked to run our program. Any other gets, for a moment, a neighbour made from
//! our image that shares its network; so does one that is frozen. One that does not run has no inside: the neighbour
//! then hangs on the network of workspaces.

use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::query_parameters::WaitContainerOptions;
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::agent_image::runs_our_program;
use super::owned::labels;
use super::{Action, Container, ContainerSpec, Engine, EngineError, ErrorKind, names};
use crate::redact::Redactor;

/// From where nothing is said about the inside.
pub(crate) const OUTSIDE: &str = "the network of workspaces";

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// Somebody answered HTTP there.
    pub answered: bool,
    /// In words: the status, or why there was no answer.
    pub said: String,
    /// From where it was asked: `inside`, `its network`, or [`OUTSIDE`].
    pub from: &'static str,
}

/// The line that `lifecycle probe` prints.
#[derive(Deserialize)]
struct Line {
    answered: bool,
    said: String,
}

/// A neighbour is made, asks and ends within this.
const NEIGHBOUR: Duration = Duration::from_secs(4);
/// Said when it did not.
pub(crate) const LATE: &str = "no answer of the engine in time";

/// More output of a probe is not read.
const OUTPUT: usize = 16 << 10;

fn parse(output: &str, from: &'static str) -> Result<Probed, EngineError> {
    let line = output.lines().find_map(|line| serde_json::from_str::<Line>(line).ok());
    match line {
        Some(Line { answered, said }) => Ok(Probed { answered, said, from }),
        None => {
            let said =
                output.trim().lines().last().unwrap_or("nothing").chars().take(200).collect::<String>();
            Err(EngineError::new(ErrorKind::Other, format!("the probe said: {said}")))
        }
    }
}

impl Engine {
    /// Asks an address from inside a container; what it makes for that bears the run's label and is removed.
    ///
    /// # Errors
    /// There is no image of ours on the engine, or the engine refuses.
    pub async fn probe(&self, container: &Container, url: &str, run: &str) -> Result<Probed, EngineError> {
        // A label is inherited by every image that is made from ours, whatever it runs.
        let ours = container.labels.contains_key(names::AGENT) && runs_our_program(&container.entrypoint);
        if ours && container.status == "running" {
            return self.probe_inside(container, url).await;
        }
        let image = if ours { Some(container.image.clone()) } else { self.agent_image().await? };
        let image = image.ok_or_else(|| {
            EngineError::new(ErrorKind::NotFound, "there is no image of ours on the engine to ask from")
        })?;
        // What restarts is "running" to the engine, and has no network to share.
        let (network, from) = match container.status.as_str() {
            "running" | "paused" => (format!("container:{}", container.id), "its network"),
            _ => (names::NETWORK.to_owned(), OUTSIDE),
        };
        let spec = ContainerSpec {
            name: names::probe(),
            image,
            command: vec!["probe".to_owned(), url.to_owned()],
            labels: labels(run),
            network: Some(network),
            ..ContainerSpec::default()
        };
        let output = self.neighbour(spec).await?;
        parse(&output, from)
    }

    /// Makes a container, gives what it prints as soon as it ended, and removes it in every ending: whoever loses
    /// patience must not leave it behind, and nobody waits for the removal but [`Engine::settled`].
    async fn neighbour(&self, spec: ContainerSpec) -> Result<String, EngineError> {
        let (tell, told) = oneshot::channel();
        let engine = self.clone();
        self.errands.tasks.spawn(async move {
            let said = crate::clock::timeout(NEIGHBOUR, async {
                let id = engine.create(&spec).await?;
                engine.run_to_end(&id).await
            });
            let said = said.await.unwrap_or_else(|_| Err(EngineError::new(ErrorKind::Other, LATE)));
            // Nobody may be listening any more.
            let _ = tell.send(said);
            // By its name: the engine may have made it and not said so.
            if let Err(error) = engine.remove(&spec.name).await {
                engine.errands.left().push(format!("container {}: {}", spec.name, error.what));
            }
        });
        told.await.unwrap_or_else(|_| Err(EngineError::new(ErrorKind::Other, "the probe was given up")))
    }

    /// Waits until what was made for a moment is removed again, but not longer than this; gives what is left.
    pub async fn settled(&self, within: Duration) -> Vec<String> {
        self.errands.tasks.close();
        let all = crate::clock::timeout(within, self.errands.tasks.wait()).await;
        self.errands.tasks.reopen();
        let mut left = std::mem::take(&mut *self.errands.left());
        if all.is_err() {
            left.push("a container that asked from inside is still being removed".to_owned());
        }
        left
    }

    async fn probe_inside(&self, container: &Container, url: &str) -> Result<Probed, EngineError> {
        let doing = format!("run a probe in {}", container.name);
        let argv = container.entrypoint.iter().cloned().chain(["probe".to_owned(), url.to_owned()]);
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.collect::<Vec<String>>()),
            ..CreateExecOptions::default()
        };
        let said = async {
            let exec = self.docker.create_exec(&container.id, options).await?;
            let started = self.docker.start_exec(&exec.id, None).await?;
            let mut text = String::new();
            if let StartExecResults::Attached { mut output, .. } = started {
                while let Some(piece) = output.next().await {
                    text.push_str(&String::from_utf8_lossy(piece?.as_ref()));
                    if text.len() > OUTPUT {
                        break;
                    }
                }
            }
            Ok(text)
        };
        parse(&self.look(&doing, said).await?, "inside")
    }

    /// Starts a container, waits for its end, and gives what it printed.
    async fn run_to_end(&self, id: &str) -> Result<String, EngineError> {
        self.act(id, Action::Start).await?;
        let mut end = Box::pin(self.docker.wait_container(id, None::<WaitContainerOptions>));
        // An exit code that is not 0 is an error to bollard, and an answer to us.
        let _ = end.next().await;
        Ok(self.logs(id, 20, &Redactor::new()).await?.join("\n"))
    }

    /// An agent image of this version.
    async fn agent_image(&self) -> Result<Option<String>, EngineError> {
        let wanted = names::agent_image(concat!(env!("CARGO_PKG_VERSION"), "-"));
        Ok(self.old_agent_images("").await?.into_iter().find(|tag| tag.starts_with(&wanted)))
    }
}

/// The line that a probe prints.
pub(crate) fn line(answered: bool, said: &str) -> String {
    serde_json::json!({ "answered": answered, "said": said }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_and_anything_else_is_no_answer() {
        let good = format!("warning: x\n{}\n", line(true, "200"));
        let wanted = Probed { answered: true, said: "200".into(), from: "inside" };
        assert_eq!(parse(&good, "inside").unwrap(), wanted);
        for bad in ["", "error: unrecognized subcommand 'probe'", "{\"answered\": 1}"] {
            assert!(parse(bad, "inside").is_err(), "{bad}");
        }
    }
}
