//! Removes organisations, and proves by listing that nothing is left.

use std::time::Duration;

use serde_json::Value;

use super::ask::{Take, describe, until};
use super::org::Made;
use super::{Desk, Phase, slug};
use crate::clock::{self, Instant};
use crate::domain::time;
use crate::event::PartState;
use crate::http::Response;
use crate::platform::control_plane::{ControlPlane, OrgRow, orgs};
use crate::platform::record;

/// How often the list is looked at.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// One look may not take longer.
const EACH: Duration = Duration::from_secs(10);
/// A create whose answer was lost may come true so much later.
const LATE: Duration = Duration::from_secs(2);

/// Purges one organisation and waits until the list does not have it; gives the line of what is left.
pub async fn purge(plane: &ControlPlane, made: &Made, desk: &Desk, limit: Duration) -> Option<String> {
    let began = Instant::now();
    match gone(plane, &made.slug, began + limit).await {
        Ok(()) => {
            let text = format!("{} is gone", made.slug);
            desk.phase(Phase::Purge, PartState::Stopped, text, began.elapsed());
            desk.release(&made.resource, "purge");
            None
        }
        Err(why) => {
            let text = format!("{why} (after {}, limit {})", time::show(began.elapsed()), time::show(limit));
            desk.phase(Phase::Purge, PartState::Failed, text.clone(), began.elapsed());
            Some(desk.leave(&made.resource, &made.slug, &text))
        }
    }
}

/// Purges one while the run goes on; what cannot be removed now is asked again when the run ends. Whether it is gone.
pub(crate) async fn purge_early(plane: &ControlPlane, made: &Made, desk: &Desk, limit: Duration) -> bool {
    let began = Instant::now();
    let done = gone(plane, &made.slug, began + limit).await.is_ok();
    if done {
        desk.phase(Phase::Purge, PartState::Stopped, format!("{} is gone", made.slug), began.elapsed());
        desk.release(&made.resource, "purge");
    }
    done
}

async fn gone(plane: &ControlPlane, slug: &str, deadline: Instant) -> Result<(), String> {
    let seen_until = Instant::now() + LATE;
    let mut asked = false;
    let mut pause = LOOK.0;
    let mut last = String::new();
    loop {
        match rows(plane, deadline).await {
            Ok(rows) => {
                let there = rows.iter().any(|row| row.slug() == slug && !row.is_purged());
                let ever = rows.iter().any(|row| row.slug() == slug);
                match there {
                    false if asked || ever || Instant::now() >= seen_until => break,
                    false => {}
                    true if !asked => match delete(plane, slug, deadline).await {
                        Ok(()) => asked = true,
                        Err(why) => last = why,
                    },
                    true => "the list still has it".clone_into(&mut last),
                }
            }
            Err(why) => last = why,
        }
        if Instant::now() + pause >= deadline {
            return Err(last);
        }
        clock::sleep(pause).await;
        pause = (pause * 2).min(LOOK.1);
    }
    machines_gone(plane, slug, deadline).await
}

async fn rows(plane: &ControlPlane, deadline: Instant) -> Result<Vec<OrgRow>, String> {
    let listed = |answer: &Response| match orgs(answer.json.as_ref()).filter(|_| answer.status == 200) {
        Some(rows) => Take::Done(rows),
        None => Take::Never(describe(answer)),
    };
    let bound = deadline.min(Instant::now() + EACH);
    until(plane, &plane.list_orgs(), bound, listed).await.map_err(|why| why.last)
}

/// 202 is an answer too: the list tells when it is over.
async fn delete(plane: &ControlPlane, slug: &str, deadline: Instant) -> Result<(), String> {
    let taken = |answer: &Response| match answer.status {
        200..=299 | 404 | 410 => Take::Done(()),
        409 => Take::Again(describe(answer)),
        _ => Take::Never(format!("DELETE answered {}", describe(answer))),
    };
    let bound = deadline.min(Instant::now() + EACH * 3);
    until(plane, &plane.delete_tenant(slug), bound, taken).await.map_err(|why| why.last)
}

/// Instances that outlive their organisation are a leak that its row does not show.
async fn machines_gone(plane: &ControlPlane, slug: &str, deadline: Instant) -> Result<(), String> {
    let mut pause = LOOK.0;
    loop {
        let bound = deadline.min(Instant::now() + EACH);
        let Ok(answer) = plane.send(&plane.instances(slug), bound).await else {
            return Ok(());
        };
        // A control plane that does not show instances, or none of what is gone, has said what it can.
        let all = answer.json.as_ref().filter(|_| answer.status == 200);
        let Some(all) = all.and_then(|b| b["instances"].as_array().cloned()) else { return Ok(()) };
        let living = |i: &&Value| !matches!(record::text(i, "state"), "terminated" | "shutting-down");
        let left: Vec<String> =
            all.iter().filter(living).map(|i| record::text(i, "instance_id").to_owned()).collect();
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() + pause >= deadline {
            return Err(format!("instances outlive it: {}", left.join(", ")));
        }
        clock::sleep(pause).await;
        pause = (pause * 2).min(LOOK.1);
    }
}

/// Organisations that a sweep may remove by name and age: the whole form of our names, no lease that holds,
/// older than `age`.
///
/// # Errors
/// The control plane cannot be read.
pub(crate) async fn stale(plane: &ControlPlane, prefix: &str, age: Duration) -> Result<Vec<OrgRow>, String> {
    let now = crate::clock::wall();
    let rows = rows(plane, Instant::now() + EACH * 3).await?;
    let old = |row: &OrgRow| {
        let age_of = row.created_at().and_then(|at| Duration::try_from(now.duration_since(at)).ok());
        age_of.is_some_and(|of| of >= age)
    };
    let worked_on = |row: &OrgRow| slug::lease(row.name()).is_some_and(|until| until > now);
    Ok(rows
        .into_iter()
        .filter(|row| !row.is_purged() && slug::is_ours(row.slug(), prefix) && old(row) && !worked_on(row))
        .collect())
}
