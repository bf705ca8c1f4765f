//! Instances that outlive their organisation: a leak that its row does not show.

use std::str::FromStr;
use std::time::Duration;

use super::ask::{BACKOFF, describe};
use super::not_gone::NotGone;
use crate::clock::Instant;
use crate::http::Response;
use crate::platform::control_plane::ControlPlane;
use crate::platform::record;

/// One look may not take longer.
const EACH: Duration = Duration::from_secs(10);
/// Nor is it given less.
const LEAST: Duration = Duration::from_secs(2);

/// Whether they are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeakCheck {
    /// Never.
    Off,
    /// Where the control plane lists them.
    #[default]
    Auto,
    /// A control plane that does not list them leaves the purge unproven.
    Required,
}

impl FromStr for LeakCheck {
    type Err = ();

    fn from_str(text: &str) -> Result<LeakCheck, ()> {
        match text {
            "off" => Ok(LeakCheck::Off),
            "auto" => Ok(LeakCheck::Auto),
            "required" => Ok(LeakCheck::Required),
            _ => Err(()),
        }
    }
}

/// What a purge does about them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leaks {
    /// Whether they are looked for.
    pub check: LeakCheck,
    /// What outlived its organisation is ended, and is a leak all the same.
    pub terminate: bool,
    /// They have so long from the moment when the organisation is gone; as long as the purge has, when nobody says.
    pub within: Option<Duration>,
}

impl Leaks {
    /// Whether the control plane lists the instances of an organisation that is there: afterwards a list that is gone with
    /// it and a route that never was look alike.
    pub(super) async fn are_listed(self, plane: &ControlPlane, slug: &str, deadline: Instant) -> bool {
        if self.check != LeakCheck::Required {
            return false;
        }
        let bound = deadline.min(Instant::now() + EACH);
        plane.send(&plane.instances(slug), bound).await.is_ok_and(|answer| listed(&answer).is_some())
    }

    /// Waits until none is left.
    pub(super) async fn gone(
        self,
        plane: &ControlPlane,
        slug: &str,
        were_listed: bool,
        deadline: Instant,
    ) -> Result<(), NotGone> {
        if self.check == LeakCheck::Off {
            return Ok(());
        }
        let deadline = self.within.map_or(deadline, |within| Instant::now() + within);
        let required = self.check == LeakCheck::Required;
        let mut backoff = BACKOFF;
        loop {
            // A look has time of its own, however little is left.
            let bound = deadline.clamp(Instant::now() + LEAST, Instant::now() + EACH);
            let answer = plane.send(&plane.instances(slug), bound).await;
            let left = match answer.as_ref().map(listed) {
                Ok(Some(left)) => left,
                // A control plane that does not show instances, or none of what is gone, has said what it can.
                _ if !required => return Ok(()),
                Ok(None) if were_listed && answer.as_ref().is_ok_and(|a| matches!(a.status, 404 | 410)) => {
                    return Ok(());
                }
                _ if !backoff.ends_before(deadline) => {
                    let last = answer.map_or_else(|error| error.text, |answer| describe(&answer));
                    let why = format!("whether instances outlive it is not known: {last}");
                    return Err(NotGone::Unproven(why));
                }
                _ => {
                    backoff.pause().await;
                    continue;
                }
            };
            if left.is_empty() {
                return Ok(());
            }
            if !backoff.ends_before(deadline) {
                return Err(NotGone::Remains(self.told(plane, &left).await));
            }
            backoff.pause().await;
        }
    }

    async fn told(self, plane: &ControlPlane, left: &[String]) -> String {
        let mut text = format!("instances outlive it: {}", left.join(", "));
        for instance in left.iter().filter(|_| self.terminate) {
            let ended = plane.send(&plane.terminate(instance), Instant::now() + EACH).await;
            let how = match &ended {
                Ok(answer) if answer.is_success() => "was told to end".to_owned(),
                Ok(answer) => format!("was not ended: {}", describe(answer)),
                Err(error) => format!("was not ended: {}", error.text),
            };
            text.push_str(&format!("; {instance} {how}"));
        }
        text
    }
}

/// Ids of those that live; `None` when this is no list of instances.
fn listed(answer: &Response) -> Option<Vec<String>> {
    let all = answer.json.as_ref().filter(|_| answer.status == 200)?["instances"].as_array()?;
    let living = all.iter().filter(|i| !matches!(record::text(i, "state"), "terminated" | "shutting-down"));
    Some(living.map(|i| record::text(i, "instance_id").to_owned()).collect())
}
