//! What runs of this harness made through an engine, found by our label and by nothing else.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};

use super::owner::Owner;
use super::{Engine, EngineError, ErrorKind, lock, names};

/// How many things are removed at once.
const AT_ONCE: usize = 16;

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A container.
    Container,
    /// A volume.
    Volume,
}

/// Something that a run made.
#[derive(Clone, Debug)]
pub struct Owned {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Which run made it.
    pub run: String,
    /// Which process made it, if the label says so.
    pub owner: Option<Owner>,
}

impl Owned {
    /// `container ws-…`.
    pub fn what(&self) -> String {
        match self.kind {
            Kind::Container => format!("container {}", self.name),
            Kind::Volume => format!("volume {}", self.name),
        }
    }
}

/// Labels of everything that a run makes.
pub fn labels(run: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (names::RUN.to_owned(), run.to_owned()),
        (names::OWNER.to_owned(), Owner::this().label()),
    ])
}

fn lease(run: &str) -> String {
    format!("lifecycle-lease-{run}")
}

impl Engine {
    /// Everything that a run made (`None`: any run), containers first.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn owned(&self, run: Option<&str>) -> Result<Vec<Owned>, EngineError> {
        let owned = |kind, name: String, labels: &BTreeMap<String, String>| Owned {
            kind,
            name,
            run: labels.get(names::RUN).cloned().unwrap_or_default(),
            owner: labels.get(names::OWNER).and_then(|o| Owner::parse(o)),
        };
        let mut all: Vec<Owned> = Vec::new();
        let containers = self.labelled(names::RUN, run).await?;
        all.extend(containers.into_iter().map(|c| owned(Kind::Container, c.name, &c.labels)));
        let volumes = self.volumes(names::RUN, run).await?;
        all.extend(volumes.into_iter().map(|v| owned(Kind::Volume, v.name, &v.labels)));
        Ok(all)
    }

    /// Removes what a run made, its share in the network included; gives what is left and why.
    ///
    /// # Errors
    /// The engine cannot be asked.
    pub async fn remove_run(&self, run: &str) -> Result<Vec<String>, EngineError> {
        let mut left = Vec::new();
        // Twice: a container that was being made while we looked is there at the second look.
        for _ in 0..2 {
            let (containers, volumes): (Vec<_>, Vec<_>) =
                self.owned(Some(run)).await?.into_iter().partition(|o| o.kind == Kind::Container);
            left = self.remove_all(containers).await;
            left.extend(self.remove_all(volumes).await);
        }
        left.extend(self.release_network(run).await.err().map(|e| e.what));
        Ok(left)
    }

    async fn remove_all(&self, owned: Vec<Owned>) -> Vec<String> {
        let removals = owned.into_iter().map(|o| async move {
            let done = match o.kind {
                Kind::Container => self.remove(&o.name).await,
                Kind::Volume => self.remove_volume(&o.name).await,
            };
            done.err().map(|e| format!("{}: {}", o.what(), e.what))
        });
        let done: Vec<Option<String>> = stream::iter(removals).buffer_unordered(AT_ONCE).collect().await;
        done.into_iter().flatten().collect()
    }

    /// Takes a share in the network of workspaces, which is made if it is missing.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn share_network(&self, run: &str) -> Result<super::networks::Network, EngineError> {
        let _one_at_a_time = lock::machine().await;
        let mut lease_labels = labels(run);
        lease_labels.insert(names::LEASE.to_owned(), names::NETWORK.to_owned());
        self.make_volume(&lease(run), &lease_labels).await?;
        self.ensure_network(names::NETWORK, &labels(run)).await
    }

    /// Gives the share back. The last one removes the network, if one of our runs made it.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn release_network(&self, run: &str) -> Result<(), EngineError> {
        let _one_at_a_time = lock::machine().await;
        self.remove_volume(&lease(run)).await?;
        let Some(network) = self.network(names::NETWORK).await? else { return Ok(()) };
        let ours = network.labels.contains_key(names::RUN);
        if !ours || network.containers > 0 || !self.volumes(names::LEASE, None).await?.is_empty() {
            return Ok(());
        }
        match self.remove_network(&network.id).await {
            // Somebody has hung a container on it since: it is theirs now.
            Err(used) if used.kind == ErrorKind::Other && used.what.contains("active endpoints") => Ok(()),
            other => other.map(|_| ()),
        }
    }
}
