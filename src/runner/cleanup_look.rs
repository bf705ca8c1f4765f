//! How clean-up asks the server: patiently, and by another way where one is closed.

use std::time::Duration;

use serde_json::Value;

use super::cleanup_gone::Stays;
use super::context::RunContext;
use crate::clock::Instant;
use crate::domain::{Status, time};
use crate::http::{Request, Response};
use crate::platform::ask::{Asker, Outcome};
use crate::platform::policy::{self, Policy};
use crate::platform::record;
use crate::platform::row::Row;

/// What the server shows of a workspace.
pub(super) enum Looked {
    There(Value),
    /// The single read says so.
    Gone,
    /// The single read cannot be had, and the list does not have it.
    Unlisted,
    /// Neither the row nor the list can be had.
    Hidden(String),
}

/// The single read; where that is refused or damaged, or speaks of another workspace, the list.
pub(super) async fn look(run: &RunContext, id: &str, purpose: &str, deadline: Instant) -> Looked {
    let policy = &policy::CLEAN_UP_LOOK;
    let single = match ask(run, purpose, run.api.read(id), policy, deadline).await {
        Ok(read) if record::is_gone(&read) => {
            return Looked::Gone;
        }
        Ok(read) => match read.json {
            // Some servers show what was removed.
            Some(row) if read.status == 200 && row.is(id) => {
                return if is_removed(&row) { Looked::Gone } else { Looked::There(row) };
            }
            Some(row) if read.status == 200 => {
                format!("asked for {id}, it answers with {:?}", row.id())
            }
            _ => record::said(&read),
        },
        Err(why) => why.to_string(),
    };
    let list = ask(run, "look for it in the list", run.api.list(), policy, deadline).await;
    let list =
        list.map(|l| (l.status, record::list(l.json.as_ref()).map(<[Value]>::to_vec), record::said(&l)));
    match list {
        Ok((200, Some(rows), _)) => match rows.into_iter().find(|row| row.is(id) && !is_removed(row)) {
            Some(row) => Looked::There(row),
            None => Looked::Unlisted,
        },
        Ok((_, _, why)) => Looked::Hidden(format!("{single}; the list: {why}")),
        Err(why) => Looked::Hidden(format!("{single}; the list: {why}")),
    }
}

fn is_removed(row: &Value) -> bool {
    row.status() == Some(Status::Removed)
}

/// So long a list is waited for that is only asked beside.
const APART: Duration = Duration::from_secs(5);

/// The list, if it can be had.
pub(super) async fn list(run: &RunContext, purpose: &str, deadline: Instant) -> Option<Response> {
    ask(run, purpose, run.api.list(), &policy::CLEAN_UP_LOOK, deadline).await.ok()
}

/// The list, for a question that must not decide whether the server is given up: a moment, and nothing is counted.
///
/// # Errors
/// It could not be had.
pub(super) async fn list_apart(
    run: &RunContext,
    purpose: &str,
    deadline: Instant,
) -> Result<Response, Stays> {
    if !run.reach.silent_for("GET").is_zero() {
        return Err(Stays::Server(format!("{purpose}: not asked, no read is answered")));
    }
    let asker = run.asker("cleanup", deadline.min(Instant::now() + APART));
    match asker.ask(purpose, run.api.list(), &policy::CLEAN_UP_LOOK).await {
        Outcome::Answer(answer) => Ok(answer),
        outcome => Err(Stays::Server(format!("{purpose}: {}", outcome.said()))),
    }
}

/// Asks until a whole answer of the platform comes; filed under `cleanup`.
pub(super) async fn send(
    run: &RunContext,
    purpose: &str,
    request: Request,
    deadline: Instant,
) -> Result<Response, Stays> {
    ask(run, purpose, request, &policy::CLEAN_UP, deadline).await
}

async fn ask(
    run: &RunContext,
    purpose: &str,
    request: Request,
    policy: &Policy,
    deadline: Instant,
) -> Result<Response, Stays> {
    let (began, method) = (Instant::now(), request.method.clone());
    if began >= deadline {
        return Err(Stays::Server(format!("{purpose}: out of time")));
    }
    let asker = Asker { reach: Some(&run.reach), ..run.asker("cleanup", deadline) };
    match asker.ask(purpose, request, policy).await {
        Outcome::Answer(answer) => Ok(answer),
        outcome if run.reach.left(&method).is_zero() => {
            let silent = time::show(run.reach.silent_for(&method));
            let said = outcome.said();
            Err(Stays::Server(format!("{purpose}: {said} (the server has been unreachable for {silent})")))
        }
        outcome => {
            let waited = time::show(began.elapsed());
            Err(Stays::Server(format!("{purpose}: {} (after {waited})", outcome.said())))
        }
    }
}
