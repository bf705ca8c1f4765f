//! Replies that come later: of a message in the platform's queue, of a task that an agent works on.

use std::time::Duration;

use serde_json::{Value, json};

use super::a2a_fits::{logged_reply, rows_of};
use super::a2a_reply::{Judged, reply_to};
use super::await_status::known;
use crate::clock::Instant;
use crate::event::EventKind;
use crate::http::{Payload, Request};
use crate::platform::record::{self, Reply as Got};
use crate::platform::segment;
use crate::run::wait::pause;
use crate::runner::context::StepRun;
use crate::runner::outcome::{Failure, FailureKind};

/// Asks an agent for its task until that has ended (A2A's `tasks/get`). An agent that does not know the method, or a step
/// that is over, leaves the task as it was last seen.
pub(super) async fn task(judged: &Judged<'_>, body: &Value, first: Got, step: &StepRun) -> Got {
    let context = judged.context;
    let ids = ["/result/id", "/result/task/id"];
    let Some(task) = ids.iter().find_map(|place| body.pointer(place)).and_then(Value::as_str) else {
        return first;
    };
    context.run.log.emit(EventKind::Warning {
        scenario: Some(context.name.to_string()),
        text: format!("{} answers with a task that it works on; waiting for its end", judged.verb.to.name),
    });
    let began = Instant::now();
    let mut last = first;
    while Instant::now() < step.deadline && !context.stop.is_cancelled() {
        context.pause(pause(began.elapsed()).max(Duration::from_millis(50))).await;
        let id = crate::chance::uuid().to_string();
        let asked = json!({ "jsonrpc": "2.0", "id": id, "method": "tasks/get", "params": { "id": task } });
        let request = Request { body: Payload::Json(asked), ..judged.request.clone() };
        let Ok(answer) = context.fetch(step, "follow the task", request).await else { continue };
        match answer.json.as_ref().filter(|_| answer.is_success()).map(record::reply) {
            Some(Got::Task(state, text)) if record::is_under_way(&state) => last = Got::Task(state, text),
            Some(Got::RpcError(_, why) | Got::Platform(why)) => return untold(last, &why),
            Some(reply) => return reply,
            None => {}
        }
    }
    last
}

/// A task of which nobody tells any more what became of it.
fn untold(last: Got, why: &str) -> Got {
    match last {
        Got::Task(state, text) => {
            let before = if text.trim().is_empty() { String::new() } else { format!("{text}; ") };
            Got::Task(state, format!("{before}asked for its end, the agent says: {why}"))
        }
        other => other,
    }
}

/// Follows a queued message to its reply (contract §7.5).
pub(super) async fn queued(judged: &Judged<'_>, queue: Option<&str>, step: &StepRun) -> Result<Got, Failure> {
    let context = judged.context;
    let alias = &judged.verb.to.name;
    let workspace = known(context, alias)?;
    context.run.log.emit(EventKind::Warning {
        scenario: Some(context.name.to_string()),
        text: format!("the message to {alias} was queued; waiting for its reply"),
    });
    let began = Instant::now();
    let mut last = "queued".to_owned();
    while Instant::now() < step.deadline && !context.stop.is_cancelled() {
        context.pause(pause(began.elapsed()).max(Duration::from_millis(50))).await;
        let request = match queue {
            Some(queue) => {
                let path = format!("/workspaces/{}/a2a/queue/{}", segment(&workspace.id), segment(queue));
                let mut request = context.run.api.request("GET", &path, &context.own_auth(alias));
                request.headers.push(("X-Workspace-ID".into(), workspace.id.clone()));
                request
            }
            None => {
                context.run.api.activity(&workspace.id, "type=a2a_receive&limit=50", &context.own_auth(alias))
            }
        };
        let Ok(answer) = context.fetch(step, "follow the queued message", request).await else { continue };
        let Some(body) = answer.json.as_ref() else { continue };
        match queue {
            Some(_) if !answer.is_success() => last = record::said(&answer),
            Some(_) => match judged.wants.queued(body)? {
                Ok(got) => return Ok(got),
                Err(standing) => last = standing,
            },
            None => {
                let rows = body.as_array().map(Vec::as_slice).unwrap_or_default();
                if let Some(reply) = logged_reply(&rows_of(rows, judged.wants.id)) {
                    return reply_to(judged, reply);
                }
            }
        }
    }
    let kind = if context.stop.is_cancelled() { FailureKind::Cancelled } else { FailureKind::Product };
    Err(Failure::of(kind, format!("the queued message was not answered in time; last seen: {last}")))
}
