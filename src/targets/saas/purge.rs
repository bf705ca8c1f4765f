//! Removes organisations, and proves by listing that nothing is left.

use std::time::Duration;

use super::ask::{BACKOFF, Take, describe, until};
use super::not_gone::NotGone;
use super::org::Made;
use super::outliving::Leaks;
use super::{Desk, Phase, slug};
use crate::clock::Instant;
use crate::domain::time;
use crate::event::PartState;
use crate::http::Response;
use crate::platform::control_plane::{ControlPlane, OrgRow, orgs};
use crate::platform::record;

/// One look may not take longer.
const EACH: Duration = Duration::from_secs(10);
/// A create whose answer was lost may come true so much later.
const LATE: Duration = Duration::from_secs(2);

/// How an organisation is purged.
#[derive(Clone, Copy, Debug)]
pub struct PurgeRules {
    /// It is gone within this.
    pub limit: Duration,
    /// What is done about instances that are not.
    pub leaks: Leaks,
}

/// Purges one organisation and waits until the list does not have it; gives the line of what is left.
pub async fn purge(plane: &ControlPlane, made: &Made, desk: &Desk, rules: PurgeRules) -> Option<String> {
    let (began, limit) = (Instant::now(), rules.limit);
    match Box::pin(gone(plane, &made.slug, began + limit, rules.leaks)).await {
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

/// Purges one while the run goes on. What is not gone by then stays in the desk, and is purged when the run ends; so it may
/// be dropped at any moment.
///
/// # Errors
/// It is not known to be gone.
pub(crate) async fn purge_early(
    plane: &ControlPlane,
    made: &Made,
    desk: &Desk,
    rules: PurgeRules,
) -> Result<(), NotGone> {
    let began = Instant::now();
    Box::pin(gone(plane, &made.slug, began + rules.limit, rules.leaks)).await?;
    desk.phase(Phase::Purge, PartState::Stopped, format!("{} is gone", made.slug), began.elapsed());
    desk.release(&made.resource, "purge");
    Ok(())
}

async fn gone(plane: &ControlPlane, slug: &str, deadline: Instant, leaks: Leaks) -> Result<(), NotGone> {
    let were_listed = leaks.are_listed(plane, slug, deadline).await;
    let seen_until = Instant::now() + LATE;
    // What the last delete said: it was there, or it was not.
    let mut deleted = None;
    let mut seen = false;
    let mut backoff = BACKOFF;
    loop {
        let mut refused = None;
        if deleted != Some(true) {
            match delete(plane, slug, deadline).await {
                Ok(was_there) => deleted = Some(was_there),
                Err(why) => refused = Some(why),
            }
        }
        let last = match rows(plane, deadline).await {
            Ok((rows, whole)) => {
                let row = rows.iter().find(|row| row.slug() == slug);
                let there = row.is_some_and(|row| !row.is_purged());
                seen |= row.is_some();
                let proven = match deleted {
                    _ if there => false,
                    // A list that never showed it says nothing by not showing it, unless it is whole.
                    Some(true) => seen || whole,
                    Some(false) => row.is_some() || Instant::now() >= seen_until,
                    None => row.is_some(),
                };
                if proven {
                    break;
                }
                if deleted == Some(true) && !there {
                    deleted = None;
                }
                match refused {
                    Some(why) => NotGone::Unproven(why),
                    None if there => NotGone::Remains("the list still has it".to_owned()),
                    None => NotGone::Unproven(
                        "the list is one page of many and does not show it, which proves nothing".to_owned(),
                    ),
                }
            }
            Err(why) => NotGone::Unproven(refused.unwrap_or(why)),
        };
        if !backoff.ends_before(deadline) {
            return Err(last);
        }
        backoff.pause().await;
    }
    leaks.gone(plane, slug, were_listed, deadline).await
}

/// The list, and whether it shows all that there are.
async fn rows(plane: &ControlPlane, deadline: Instant) -> Result<(Vec<OrgRow>, bool), String> {
    let listed = |answer: &Response| match orgs(answer.json.as_ref()).filter(|_| answer.status == 200) {
        Some(rows) => {
            let whole = !record::is_page(answer, rows.len());
            Take::Done((rows, whole))
        }
        None => Take::Never(describe(answer)),
    };
    let bound = deadline.min(Instant::now() + EACH);
    until(plane, &plane.list_orgs(), bound, listed).await.map_err(|why| why.last)
}

/// Whether it was there. 202 is an answer too: the list tells when it is over.
async fn delete(plane: &ControlPlane, slug: &str, deadline: Instant) -> Result<bool, String> {
    let taken = |answer: &Response| match answer.status {
        200..=299 => Take::Done(true),
        404 | 410 => Take::Done(false),
        409 => Take::Again(describe(answer)),
        _ => Take::Never(describe(answer)),
    };
    let bound = deadline.min(Instant::now() + EACH * 3);
    let deleted = until(plane, &plane.delete_tenant(slug), bound, taken).await;
    deleted.map_err(|why| match why.kind {
        None => format!("DELETE answered {}", why.last),
        Some(_) => format!("DELETE: {}", why.last),
    })
}

/// Organisations that a sweep may remove by name and age: the whole form of our names, no lease that holds,
/// older than `age`. And whether the list showed all that there are.
///
/// # Errors
/// The control plane cannot be read.
pub(crate) async fn stale(
    plane: &ControlPlane,
    prefix: &str,
    age: Duration,
) -> Result<(Vec<OrgRow>, bool), String> {
    let now = crate::clock::wall();
    let (rows, whole) = rows(plane, Instant::now() + EACH * 3).await?;
    let old = |row: &OrgRow| {
        let age_of = row.created_at().and_then(|at| Duration::try_from(now.duration_since(at)).ok());
        age_of.is_some_and(|of| of >= age)
    };
    let worked_on = |row: &OrgRow| slug::lease(row.name()).is_some_and(|until| until > now);
    let ours =
        |row: &OrgRow| !row.is_purged() && slug::is_ours(row.slug(), prefix) && old(row) && !worked_on(row);
    Ok((rows.into_iter().filter(ours).collect(), whole))
}
