//! The control plane of one run: what it made there is purged in every ending.

use std::time::Duration;

use tokio::sync::watch;

use super::behind::Behind;
use super::desk::Desk;
use super::plane::Plane;
use super::purge;
use super::settings::Settings;
use crate::clock::{self, Instant};
use crate::event::Log;
use crate::targets::{self, OpenError};

/// How much time there is for the purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hurry {
    /// As much as it takes.
    None,
    /// The run was interrupted.
    Interrupted,
    /// And again.
    AtOnce,
}

impl Hurry {
    /// After one more interrupt.
    #[must_use]
    pub(crate) fn more(self) -> Hurry {
        match self {
            Hurry::None => Hurry::Interrupted,
            _ => Hurry::AtOnce,
        }
    }

    fn limit(self) -> Option<Duration> {
        match self {
            Hurry::None => None,
            Hurry::Interrupted => Some(Duration::from_secs(60)),
            Hurry::AtOnce => Some(Duration::from_secs(2)),
        }
    }
}

/// The control plane, and what the run has there.
pub(crate) struct Stage {
    desk: Desk,
    plane: Option<Plane>,
    settings: Settings,
}

impl Stage {
    /// Nothing is asked yet.
    pub(crate) fn new(settings: &Settings, log: Log) -> Stage {
        let base_url = settings.cp_url.clone().unwrap_or_default();
        Stage {
            desk: Desk::new(log, base_url.trim_end_matches('/')),
            plane: None,
            settings: settings.clone(),
        }
    }

    /// Makes an organisation, and tells the target's settings where its tenant is.
    ///
    /// # Errors
    /// The phase that failed; what was made is purged by [`Stage::down`].
    pub(crate) async fn up(&mut self, settings: &mut targets::Settings) -> Result<(), OpenError> {
        let own = self.settings.clone();
        let plane = Plane::open(&own, &settings.http, &settings.embedded).await?;
        let plane = self.plane.insert(plane);
        if let Some(token) = &plane.api.token {
            self.desk.secret("CP_ADMIN_API_TOKEN", token.expose());
        }
        plane.maker().preflight(&own, &self.desk).await?;
        if let Some(proxy) = &own.llm_proxy {
            proxy.ask(&settings.http, &self.desk).await?;
        }
        let org = plane.maker().make(&own, &settings.http, &self.desk).await?;
        settings.base_url = Some(org.base_url.clone());
        settings.admin_token = Some(own.token_of(&org));
        settings.org = Some(org.id.clone());
        settings.behind = Some(Behind {
            api: plane.api.clone(),
            org,
            pattern: plane.pattern.clone(),
            http: settings.http.clone(),
            desk: self.desk.clone(),
            settings: own,
        });
        Ok(())
    }

    /// Whether nothing of the run is there any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.desk.open().is_empty()
    }

    /// Purges what the run has there and stops what it started; gives what is left.
    pub(crate) async fn down(&mut self, hurry: &watch::Sender<Hurry>) -> Vec<String> {
        let Some(plane) = self.plane.take() else { return Vec::new() };
        let mut left = Vec::new();
        if self.settings.keep && !plane.is_embedded() {
            for made in self.desk.open() {
                self.desk.warn(format!(
                    "the organisation {} is kept; `lifecycle sweep` removes it later",
                    made.slug
                ));
            }
        } else {
            let made = self.desk.open();
            let purges = made.iter().map(|made| bounded(&plane, made, &self.desk, hurry, &self.settings));
            left = futures_util::future::join_all(purges).await.into_iter().flatten().collect();
        }
        plane.stop().await;
        left
    }
}

async fn bounded(
    plane: &Plane,
    made: &super::org::Made,
    desk: &Desk,
    hurry: &watch::Sender<Hurry>,
    settings: &Settings,
) -> Option<String> {
    let mut changes = hurry.subscribe();
    let began = Instant::now();
    let mut work = std::pin::pin!(purge(&plane.api, made, desk, settings.purge()));
    loop {
        let limit = changes.borrow_and_update().limit();
        let over = async {
            match limit {
                Some(limit) => clock::sleep_until(began.max(Instant::now()) + limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            left = &mut work => return left,
            changed = changes.changed() => if changed.is_err() { continue },
            () = over => {
                // With its process goes what was in it.
                if plane.is_embedded() {
                    desk.release(&made.resource, "went with its control plane");
                    return None;
                }
                return Some(desk.leave(&made.resource, &made.slug, "interrupted before it was purged"));
            }
        }
    }
}
