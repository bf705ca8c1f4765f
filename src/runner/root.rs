//! The run's own root: the parent of everything that it creates (DESIGN §3, contract L6).

use std::time::Duration;

use serde_json::json;

use super::context::RunContext;
use super::root_name::{PREFIX, is_called};
use super::steps::answer::refused;
use crate::clock::{Backoff, Instant};
use crate::domain::time;
use crate::http::Response;
use crate::platform::ask::Asker;
use crate::platform::row::Row;
use crate::platform::{Auth, policy, record, segment};

/// The root is asked for within this.
const WITHIN: Duration = Duration::from_secs(30);

/// Why a run has no root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoRoot {
    /// The platform refused it.
    #[error("{0}")]
    Refused(String),
    /// Nothing said that it was made.
    #[error("{0} (tried for {within})", within = time::show(WITHIN))]
    NotMade(String),
}

/// Makes the root: an external poll workspace, which costs the platform no instance.
///
/// # Errors
/// Why there is none: the environment cannot be used.
pub(crate) async fn make(run: &RunContext) -> Result<(), NoRoot> {
    let name = name(run);
    let deadline = Instant::now() + WITHIN;
    let intend = || run.ledger.intend("workspace", &name, None, false);
    let mut resource = intend();
    // A request that may come true yet stays in the ledger: whatever bears its name is ours.
    let mut doubtful = false;
    let body = json!({ "name": name, "external": true, "runtime": "external", "delivery_mode": "poll" });
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        let create = run.api.create(body.clone());
        let answer =
            run.asker("root", deadline).ask("make the run's root", create, &policy::MAKE_ROOT).await.result();
        let (why, unclear) = match answer {
            Ok(answer) if answer.status == 201 && id_of(&answer).is_some() => {
                let id = id_of(&answer).unwrap_or_default();
                if let Some(token) = answer.json.as_ref().and_then(record::auth_token) {
                    run.log.redactor().register("auth_token", token);
                }
                adopt(run, &resource, &id, &name, deadline).await;
                return Ok(());
            }
            // Only a refusal says that nothing was made: a gateway's page may hide a 201.
            Ok(answer) if refused(&answer) => {
                run.ledger.release(&resource, "never made", None);
                return Err(NoRoot::Refused(record::said(&answer)));
            }
            Ok(answer) => {
                let says_so = record::error(answer.json.as_ref()).is_some();
                (format!("{}: {}", answer.status, answer.excerpt()), !says_so)
            }
            Err(error) => {
                let unclear = !error.never_sent();
                (error.text, unclear)
            }
        };
        // The answer may be lost and the root made: its name tells.
        if let Some((id, bears)) = named(run, &asker(run, deadline)).await {
            adopt(run, &resource, &id, &bears, deadline).await;
            return Ok(());
        }
        if unclear && !doubtful {
            doubtful = true;
            resource = intend();
        }
        if run.cancel.reason().is_some() || !backoff.ends_before(deadline) {
            if doubtful {
                // The first of them stands for all that bear the name.
                run.ledger.release(&resource, "never made", None);
            }
            return Err(NoRoot::NotMade(why));
        }
        backoff.pause().await;
    }
}

/// The name of a run's root.
fn name(run: &RunContext) -> String {
    format!("{PREFIX}{}", run.tail)
}

/// Id and name of a row that bears the root's name; none when the list cannot be read.
async fn named(run: &RunContext, asker: &Asker<'_>) -> Option<(String, String)> {
    let name = name(run);
    let list = asker.ask("look for the root", run.api.list(), &policy::ROOT).await.answer()?;
    let mut rows = record::list(list.json.as_ref())?.iter().filter(|row| is_called(row, &name));
    rows.find(|row| !row.id().is_empty()).map(|row| (row.id().to_owned(), row.name().to_owned()))
}

/// The id of an answer that is whole.
fn id_of(answer: &Response) -> Option<String> {
    let id = record::text(answer.json.as_ref()?, "id");
    (!id.is_empty()).then(|| id.to_owned())
}

/// Owns it, and takes it out from under the root of another run: that one could not be removed before ours.
async fn adopt(run: &RunContext, resource: &str, id: &str, name: &str, deadline: Instant) {
    run.ledger.own(resource, id, name);
    if let Ok(mut root) = run.root.lock() {
        *root = Some(id.to_owned());
    }
    let asker = asker(run, deadline);
    let parent = async {
        let row = asker.ask("read the root", run.api.read(id), &policy::ROOT).await.answer()?.json?;
        // A server without another top-level workspace put it nowhere.
        let parent = Some(row.parent()).filter(|parent| !parent.is_empty())?.to_owned();
        let above = asker.ask("read what is above", run.api.read(&parent), &policy::ROOT).await.answer()?;
        record::text(&above.json?, "name").starts_with(PREFIX).then_some(())
    };
    if parent.await.is_some() {
        let path = format!("/workspaces/{}", segment(id));
        let request = run.api.json("PATCH", &path, &Auth::Admin, json!({ "parent_id": null }));
        asker.ask("stand beside the other run's root", request, &policy::ROOT).await;
    }
}

/// Asks about the root until the run is cancelled: until ours has moved, another run's root cannot be removed.
fn asker(run: &RunContext, deadline: Instant) -> Asker<'_> {
    Asker { stop: Some(run.cancel.steps()), ..run.asker("root", deadline) }
}
