//! How clean-up asks the server: patiently, and by another way where one is closed.

use std::time::Duration;

use serde_json::Value;

use super::context::{RunContext, send_filed};
use crate::clock::{self, Instant};
use crate::domain::time;
use crate::http::{Request, Response};
use crate::platform::record;

/// What the server shows of a workspace.
pub(super) enum Row {
    There(Value),
    /// The single read says so.
    Gone,
    /// The single read cannot be had, and the list does not have it.
    Unlisted,
    /// Neither the row nor the list can be had.
    Hidden(String),
}

/// A read without an answer is waited for so long: there is another way.
const SILENT: Duration = Duration::from_secs(10);
/// A server that nobody could reach for so long is gone; one that is only restarted is back by then.
const GONE: Duration = Duration::from_secs(30);
/// A read whose answers are damaged is asked again for so long.
const DAMAGED: Duration = Duration::from_secs(2);

/// The single read; where that is refused or damaged, or speaks of another workspace, the list.
pub(super) async fn look(run: &RunContext, id: &str, purpose: &str, deadline: Instant) -> Row {
    let soon = |patience| deadline.min(Instant::now() + patience);
    let patience = || Patience { damaged: soon(DAMAGED), silent: soon(SILENT), limited: deadline };
    let single = match send_until(run, purpose, run.api.read(id), patience()).await {
        Ok(read) if matches!(read.status, 404 | 410) && record::error(read.json.as_ref()).is_some() => {
            return Row::Gone;
        }
        Ok(read) => match read.json {
            Some(row) if read.status == 200 && record::text(&row, "id") == id => return Row::There(row),
            Some(row) if read.status == 200 => {
                format!("asked for {id}, it answers with {:?}", record::text(&row, "id"))
            }
            _ => said(&read),
        },
        Err(why) => why,
    };
    let list = send_until(run, "look for it in the list", run.api.list(), patience()).await;
    let list = list.map(|l| (l.status, record::list(l.json.as_ref()).map(<[Value]>::to_vec), said(&l)));
    match list {
        Ok((200, Some(rows), _)) => match rows.into_iter().find(|row| record::text(row, "id") == id) {
            Some(row) => Row::There(row),
            None => Row::Unlisted,
        },
        Ok((_, _, why)) | Err(why) => Row::Hidden(format!("{single}; the list: {why}")),
    }
}

/// Sends until a whole answer that is no 5xx, 429 or garbage comes; filed under `cleanup`.
pub(super) async fn send(
    run: &RunContext,
    purpose: &str,
    request: Request,
    deadline: Instant,
) -> Result<Response, String> {
    send_until(run, purpose, request, Patience { damaged: deadline, silent: deadline, limited: deadline })
        .await
}

/// Until when what is no answer is borne.
#[derive(Clone, Copy)]
struct Patience {
    damaged: Instant,
    silent: Instant,
    limited: Instant,
}

async fn send_until(
    run: &RunContext,
    purpose: &str,
    request: Request,
    patience: Patience,
) -> Result<Response, String> {
    let mut pause = Duration::from_millis(100);
    loop {
        let now = Instant::now();
        if now >= patience.limited {
            return Err(format!("{purpose}: out of time"));
        }
        let bound = patience.limited.min(patience.silent.max(now + Duration::from_secs(1)));
        let result = send_filed(run, "cleanup", purpose, &request, bound).await;
        let refused = matches!(&result, Err(error) if error.never_sent());
        let unreachable = run.unreachable_for(refused);
        let (why, wait, until) = match result {
            // All of the run's clean-up shares it: a server that is gone is not waited for by each.
            Err(error) if unreachable >= GONE => {
                let since = time::show(unreachable);
                return Err(format!(
                    "{purpose}: {} (the server has been unreachable for {since})",
                    error.text
                ));
            }
            Ok(answer) if answer.status == 429 => {
                let wait = run.api.scale.shorten(answer.retry_after().unwrap_or(Duration::from_secs(1)));
                (said(&answer), wait.max(pause), patience.limited)
            }
            Ok(answer) if answer.status >= 500 && record::error(answer.json.as_ref()).is_none() => {
                (said(&answer), pause, patience.silent)
            }
            Ok(answer) if matches!(answer.status, 502..=504) => (said(&answer), pause, patience.silent),
            Ok(answer)
                if matches!(answer.status, 300..=399) || (answer.status == 200 && answer.json.is_none()) =>
            {
                (said(&answer), pause, patience.damaged)
            }
            Ok(answer) => return Ok(answer),
            Err(error) => (error.text, pause, patience.silent),
        };
        if Instant::now() + wait >= until {
            return Err(format!("{purpose}: {why} (out of time after {})", time::show(now.elapsed())));
        }
        clock::sleep(wait).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

pub(super) fn said(answer: &Response) -> String {
    format!("{}: {}", answer.status, record::error(answer.json.as_ref()).unwrap_or_else(|| answer.excerpt()))
}
