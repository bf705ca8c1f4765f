//! What runs of this harness made through an engine, found by our label, and containers by a name of ours besides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use super::names::lease;
use super::owner::Owner;
use super::{Engine, EngineError, ErrorKind, lock, names};
use crate::clock::{self, Instant};

/// How many things are removed at once.
const AT_ONCE: usize = 16;

/// After a kill the engine may still be busy with the last thing it was asked for: nothing may
/// come up for so long.
const QUIET: Duration = Duration::from_millis(1_500);
/// What cannot be removed for this long stays.
const STUCK: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything that it asked the engine for has been answered.
    Orderly,
    /// Nobody knows what was under way.
    Killed,
}

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
    /// What it is removed by: the id of a container, the name of a volume.
    id: String,
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
pub(crate) fn labels(run: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (names::RUN.to_owned(), run.to_owned()),
        (names::OWNER.to_owned(), Owner::this().label()),
    ])
}

impl Engine {
    /// Everything that a run made (`None`: any run), containers first.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn owned(&self, run: Option<&str>) -> Result<Vec<Owned>, EngineError> {
        let owned = |kind, name: String, id: String, labels: &BTreeMap<String, String>| Owned {
            kind,
            name,
            id,
            run: labels.get(names::RUN).cloned().unwrap_or_default(),
            owner: labels.get(names::OWNER).and_then(|o| Owner::parse(o)),
        };
        let mut all: Vec<Owned> = Vec::new();
        let containers = self.labelled(names::RUN, run).await?;
        let containers = containers.into_iter().map(|c| owned(Kind::Container, c.name, c.id, &c.labels));
        all.extend(containers.filter(|c| names::is_given_by(&c.run, &c.name)));
        let volumes = self.volumes(names::RUN, run).await?;
        all.extend(volumes.into_iter().map(|v| owned(Kind::Volume, v.name.clone(), v.name, &v.labels)));
        Ok(all)
    }

    /// Removes what a run made, its share in the network included; gives what is left and why.
    ///
    /// # Errors
    /// The engine cannot be asked.
    pub async fn remove_run(&self, run: &str, after: Ending) -> Result<Vec<String>, EngineError> {
        let (mut quiet_since, mut asked_since) = (None, None);
        let mut left = Vec::new();
        loop {
            let (containers, volumes) = self.things_of(run).await?;
            let found = !(containers.is_empty() && volumes.is_empty());
            let mut removals = self.remove_all(containers).await;
            removals.extend(self.remove_all(volumes).await);
            if found {
                quiet_since = None;
                let again = asked_since.is_some();
                if asked_since.get_or_insert_with(Instant::now).elapsed() >= STUCK {
                    let why = |why: Option<String>| why.unwrap_or_else(|| "still being removed".to_owned());
                    left =
                        removals.into_iter().map(|(what, error)| format!("{what}: {}", why(error))).collect();
                    break;
                }
                // What is asked for again is given time to go.
                if again {
                    clock::sleep(LOOK).await;
                }
            } else {
                let since = *quiet_since.get_or_insert_with(Instant::now);
                if after == Ending::Orderly || since.elapsed() >= QUIET {
                    break;
                }
                clock::sleep(LOOK).await;
            }
        }
        left.extend(self.release_network(run).await.err().map(|e| e.what));
        Ok(left)
    }

    /// Containers and volumes of a run, but for its share in the network.
    async fn things_of(&self, run: &str) -> Result<(Vec<Owned>, Vec<Owned>), EngineError> {
        let (containers, mut volumes): (Vec<_>, Vec<_>) =
            self.owned(Some(run)).await?.into_iter().partition(|o| o.kind == Kind::Container);
        volumes.retain(|v| v.name != lease(run));
        let known: BTreeSet<String> = volumes.iter().map(|v| v.name.clone()).collect();
        // A container that is made after its volumes were removed makes them anew, without our label.
        for container in &containers {
            let Some(id) = container.name.strip_prefix("ws-") else { continue };
            for volume in self.volumes_named(&names::volumes(id)).await? {
                if !known.contains(&volume.name) {
                    let (id, name) = (volume.name.clone(), volume.name);
                    volumes.push(Owned { kind: Kind::Volume, name, id, ..container.clone() });
                }
            }
        }
        Ok((containers, volumes))
    }

    /// Asks for the removal of each; gives what each is, and why it stays if it does.
    async fn remove_all(&self, owned: Vec<Owned>) -> Vec<(String, Option<String>)> {
        let removals = owned.into_iter().map(|o| async move {
            let done = match o.kind {
                Kind::Container => self.remove(&o.id).await,
                Kind::Volume => self.remove_volume(&o.id).await,
            };
            (o.what(), done.err().map(|e| e.what))
        });
        stream::iter(removals).buffer_unordered(AT_ONCE).collect().await
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
        if !ours
            || !self.volumes(names::LEASE, None).await?.is_empty()
            || !self.on_network(&network).await?.is_empty()
        {
            return Ok(());
        }
        match self.remove_network(&network.id).await {
            // Somebody has hung a container on it since: it is theirs now.
            Err(used) if used.kind == ErrorKind::Other && used.what.contains("active endpoints") => Ok(()),
            other => other.map(|_| ()),
        }
    }
}
