//! Messages whose answers were lost: the platform's log has what became of them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value};

use super::a2a_fits::{logged_reply, rows_of};
use super::a2a_reply::Judged;
use super::await_status::known;
use crate::clock::{self, Instant};
use crate::domain::answers::{ASK_ANOTHER, LOOK_FOR_ANOTHER};
use crate::event::EventKind;
use crate::http::{Payload, Request, Response, Transport};
use crate::platform::{message, policy, record};
use crate::run::wait::pause;
use crate::runner::context::StepRun;
use crate::runner::outcome::{Failure, FailureKind};
use crate::scenario::model::Reply;

/// A second message is waited for so long.
const ANOTHER: Duration = Duration::from_secs(6);
/// A reply that the log has for so long, and that nobody got, is held back.
const HELD: Duration = Duration::from_secs(3);
/// Between two looks at the log.
const LOOKS: Duration = Duration::from_millis(250);

/// The reply to a message whose answer did not arrive whole, from the activity log: by its message id, never sent
/// again, because it may have been delivered (contract §7.2).
pub(super) async fn found(judged: &Judged<'_>, step: &StepRun, lost: &str) -> Result<Response, Failure> {
    let context = judged.context;
    let workspace = known(context, &judged.verb.to.name)?;
    let environment = |why: &str| {
        Failure::of(FailureKind::Environment, format!("the answer to the message was lost ({lost}), {why}"))
    };
    let began = Instant::now();
    let until = policy::SECOND_LOOK.end(step.deadline, began);
    let mut last: Option<&str> = None;
    loop {
        let auth = context.own_auth(&judged.verb.to.name);
        let request = context.run.api.activity(&workspace.id, "type=a2a_receive&limit=50", &auth);
        let look = StepRun { deadline: until, ..step.clone() };
        let answer = context.ask(&look, &policy::SECOND_LOOK, "look for the lost answer", request).await;
        let unread = answer.said();
        let read = answer.answer().filter(|a| a.status == 200).and_then(|a| a.json);
        let rows = record::list(read.as_ref());
        let was_read = rows.is_some();
        let rows = rows.unwrap_or_default();
        let mine = rows_of(rows, judged.wants.id);
        let body = match logged_reply(&mine) {
            Some(body) if body.is_object() => Some(body.clone()),
            Some(_) => return Err(Failure::product(format!("the reply is no JSON: {lost}"))),
            None if !mine.is_empty() && matches!(judged.verb.reply, Reply::Queued) && !workspace.managed => {
                Some(serde_json::json!({ "status": "queued", "delivery_mode": "poll" }))
            }
            None => None,
        };
        if let Some(body) = body {
            context.run.log.emit(EventKind::Warning {
                scenario: Some(context.name.to_string()),
                text: format!("the answer to a message was lost ({lost}); it was found in the activity log"),
            });
            let (status, headers) = (200, BTreeMap::new());
            let redactor = context.run.log.redactor().clone();
            return Ok(Response {
                status,
                headers,
                body: body.to_string().into(),
                json: Some(body),
                redactor,
            });
        }
        if was_read {
            last = Some(match mine.is_empty() {
                true => "and it is not in the activity log",
                false => "and the activity log has the message without one",
            });
        }
        if context.stop.is_cancelled() {
            return Err(Failure::of(FailureKind::Cancelled, "the run was cancelled"));
        }
        if Instant::now() >= until {
            let unknown = format!("and whether the activity log has it is unknown ({unread})");
            return Err(environment(last.unwrap_or(&unknown)));
        }
        context.pause(pause(began.elapsed()).max(Duration::from_millis(50))).await;
    }
}

/// Where no message of the run has been answered yet, one lost answer may be all there is: another message is sent, and
/// when its answer is lost as well while the log has the reply, answers to messages do not arrive there at all.
///
/// # Errors
/// They do not.
pub(super) async fn answers_arrive(judged: &Judged<'_>, step: &StepRun, lost: &str) -> Result<(), Failure> {
    let context = judged.context;
    let Some(question) = judged.wants.question else { return Ok(()) };
    if context.run.messages_answered.load(Ordering::Relaxed) {
        return Ok(());
    }
    let id = crate::chance::uuid().to_string();
    let body =
        message(&id, "message/send", question.prompt, judged.verb.part, false, Value::Object(Map::new()));
    let request = Request { body: Payload::Json(body), ..judged.request.clone() };
    let until = Instant::now() + ANOTHER;
    let look = StepRun { deadline: until, ..step.clone() };
    let mut asked = std::pin::pin!(context.fetch(&look, ASK_ANOTHER, request));
    let mut logged: Option<Instant> = None;
    let ended = loop {
        tokio::select! {
            biased;
            answer = &mut asked => break answer,
            () = clock::sleep(LOOKS) => {}
        }
        if logged.is_none() && is_replied(judged, &id, &look).await {
            logged = Some(Instant::now());
        }
    };
    let held = match ended {
        Ok(_) => return Ok(()),
        // Its own end says nothing of what comes after it.
        Err(error) if matches!(error.kind, Transport::TimedOut | Transport::Cancelled) => {
            logged.is_some_and(|at| at.elapsed() >= HELD)
        }
        Err(_) => {
            while logged.is_none() && Instant::now() < until && !context.stop.is_cancelled() {
                context.pause(LOOKS).await;
                if is_replied(judged, &id, &look).await {
                    logged = Some(Instant::now());
                }
            }
            logged.is_some()
        }
    };
    if !held || context.stop.is_cancelled() {
        return Ok(());
    }
    let text = format!(
        "no answer to a message arrives ({lost}; another one was sent after it): the activity log has the replies to both"
    );
    let failure = Failure::of(FailureKind::Environment, text);
    Err(Failure { purpose: Some("message".to_owned()), ..failure })
}

/// Whether the activity log has the reply to a message.
async fn is_replied(judged: &Judged<'_>, id: &str, step: &StepRun) -> bool {
    let context = judged.context;
    let Ok(workspace) = known(context, &judged.verb.to.name) else { return false };
    let auth = context.own_auth(&judged.verb.to.name);
    let request = context.run.api.activity(&workspace.id, "type=a2a_receive&limit=50", &auth);
    let Ok(answer) = context.look(step, LOOK_FOR_ANOTHER, request).await else { return false };
    let rows = record::list(answer.json.as_ref()).filter(|_| answer.status == 200).unwrap_or_default();
    logged_reply(&rows_of(rows, id)).is_some()
}
