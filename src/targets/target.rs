//! A target that answers, until it is closed.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::docker;
use super::facts::TargetFacts;
use super::kind::Kind;
use crate::event::TargetIdentity;
use crate::platform::Api;
use crate::reference;

/// An embedded platform stops in so much real time; what does not is left to the end of the process.
const STOP: Duration = Duration::from_secs(10);

/// How to speak to it, what it offers, and what must be stopped with it.
pub struct Target {
    /// How to speak to it.
    pub api: Api,
    /// What it offers.
    pub facts: TargetFacts,
    /// For the log.
    pub identity: TargetIdentity,
    /// Stops its event stream.
    pub stop: CancellationToken,
    pub(super) parts: Option<(reference::server::Running, reference::provider::Running)>,
    pub(super) containers: Option<docker::Started>,
}

impl Target {
    /// Its containers are on another engine than the one that was named.
    pub(super) fn misses(&mut self, why: &str) {
        use crate::scenario::model::Capability::{Containers, Env, Limits};
        for capability in [Containers, Env, Limits] {
            if !self.facts.capabilities.contains(&capability) {
                self.facts.lacks.insert(capability.as_str().to_owned(), why.to_owned());
            }
        }
        self.identity.lacks = self.facts.lacks.clone();
    }

    /// Its containers are on this engine.
    pub(super) fn sees(&mut self, engine: crate::docker::Engine) {
        use crate::scenario::model::Capability::{Containers, Env, Instances, Limits};
        let limits = engine.keeps_limits();
        for capability in
            [Some(Containers), Some(Env), Some(Instances), limits.then_some(Limits)].into_iter().flatten()
        {
            self.facts.capabilities.insert(capability);
            self.facts.lacks.remove(capability.as_str());
        }
        if !limits {
            let why = "the engine keeps no memory or CPU limits: mount the cgroup controllers";
            self.facts.lacks.insert(Limits.as_str().to_owned(), why.to_owned());
        }
        self.identity.capabilities = self.facts.capabilities.iter().map(ToString::to_string).collect();
        self.identity.lacks = self.facts.lacks.clone();
        self.facts.engine = Some(engine);
    }

    /// Whether the engine that was named is the server's for certain: our own platforms say so themselves.
    pub fn engine_proven(&self) -> bool {
        self.identity.kind != Kind::Live.as_str()
    }

    /// It makes containers, and removes them when it is closed.
    pub fn makes_containers(&self) -> bool {
        self.containers.is_some()
    }

    /// Stops what was started, and removes what it made; gives what is left of it and why.
    pub async fn close(self) -> Vec<String> {
        self.stop.cancel();
        let left = match &self.facts.engine {
            Some(engine) => engine.settled(STOP).await,
            None => Vec::new(),
        };
        if let Some((platform, provider)) = self.parts {
            // Whatever still works in there goes with the process: no run waits for it longer.
            let stopped = async {
                platform.stop().await;
                provider.stop().await;
            };
            let _ = crate::clock::timeout(STOP, stopped).await;
        }
        match self.containers {
            Some(started) => started.stop().await,
            None => left,
        }
    }
}
