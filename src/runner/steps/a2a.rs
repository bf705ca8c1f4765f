//! `a2a:` a message, and a reply that is an answer: never an error wrapped in a 200.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value};

use super::a2a_fits::{Wants, question};
use super::a2a_reply::Judged;
use super::await_status::known;
use super::before_edge::{baseline, remember_activity};
use super::identity::auth_of;
use super::{a2a_follow, a2a_lost, answer};
use crate::clock::Instant;
use crate::domain::Status;
use crate::domain::answers::{ASK_ONCE_MORE, KnownAnswer};
use crate::event::EventKind;
use crate::http::{Payload, Request, Response};
use crate::platform::policy;
use crate::platform::record::{self, Reply as Got};
use crate::platform::{Auth, message, segment};
use crate::run::instance::Baseline;
use crate::run::wait::pause;
use crate::runner::context::{Answers, ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::runner::scope::StepScope;
use crate::runner::workspace::Workspace;
use crate::scenario::model::{A2a, Envelope, Reply, Say};

/// Runs the step.
pub(super) async fn run(
    context: &ScenarioContext,
    verb: &A2a,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let alias = &verb.to.name;
    let workspace = known(context, alias)?;
    let question = question(verb);
    let text = match (&verb.say, question) {
        (Say::Text(text), _) => text.render(scope)?,
        (_, question) => question.map(|known| known.prompt.to_owned()).unwrap_or_default(),
    };
    let id = match &verb.message_id {
        Some(id) => id.render(scope)?,
        None => crate::chance::uuid().to_string(),
    };
    let method = match &verb.method {
        Some(method) => method.render(scope)?,
        None => "message/send".to_owned(),
    };
    let mut params = Map::new();
    for (name, value) in &verb.params {
        params.insert(name.clone(), value.render(scope)?);
    }
    let body =
        message(&id, &method, &text, verb.part, verb.envelope == Envelope::Bare, Value::Object(params));
    let default = match &verb.from {
        Some(from) => context.own_auth(&from.name),
        None => Auth::Admin,
    };
    let auth = auth_of(context, verb.identity.as_ref(), default, scope)?;
    let mut request =
        context.run.api.json("POST", &format!("/workspaces/{}/a2a", segment(&workspace.id)), &auth, body);
    if let Some(from) = &verb.from {
        request.headers.push(("X-Workspace-ID".into(), known(context, &from.name)?.id));
    }
    for (name, value) in &verb.headers {
        request.headers.push((name.clone(), value.render(scope)?));
    }
    let redactor = context.run.log.redactor();
    let answers = context.run.target.answers;
    let wants = Wants { verb, question, answers, id: &id, scope, redactor };
    let judged = Judged { context, verb, wants, request: &request };
    // Where a message wakes a workspace it is an edge: what comes up is another instance than the one that went to rest.
    let asleep = match workspace.managed && context.wakes(&workspace.id) {
        true => {
            remember_activity(context, alias, step).await;
            Some(baseline(context, &workspace, step).await)
        }
        false => None,
    };
    let passed = converse(&judged, request.clone(), asleep, step).await.map_err(|f| f.about(alias))?;
    Ok(passed)
}

/// Sends until the platform takes the message: an agent that starts, is busy or restarts is "not yet".
async fn converse(
    judged: &Judged<'_>,
    request: Request,
    mut asleep: Option<Baseline>,
    step: &StepRun,
) -> StepResult {
    let context = judged.context;
    let began = Instant::now();
    loop {
        let result = context.fetch(step, "message", request.clone()).await;
        let answer = match result {
            Ok(answer) => answer,
            // Nothing was sent: asking again cannot deliver twice.
            Err(error)
                if error.never_sent() && Instant::now() < step.deadline && !context.stop.is_cancelled() =>
            {
                context.pause(pause(began.elapsed()).max(Duration::from_millis(100))).await;
                continue;
            }
            Err(error)
                if judged.wants.may_look()
                    && Failure::transport("", &error).kind == FailureKind::Environment =>
            {
                return judge_found(judged, step, &error.text).await;
            }
            Err(error) => return Err(Failure::transport("message", &error)),
        };
        if answer.is_success() && !judged.wants.is_lost(&answer) {
            context.run.messages_answered.store(true, Ordering::Relaxed);
        }
        if says(&answer, "waking")
            && let Some(baseline) = asleep.take()
        {
            context.update(&judged.verb.to.name, |w| w.begin_edge("wake", baseline));
        }
        if !judged.verb.answer.is_default() {
            answer::judge(&answer, &judged.verb.answer, judged.wants.scope)?;
            return Ok(Passed::with(answer::describe(&answer)));
        }
        if let Some(wait) = retryable(judged, &answer)
            && Instant::now() + wait < step.deadline
            && !context.stop.is_cancelled()
        {
            found_dead(judged, &answer, step);
            context.pause(wait).await;
            continue;
        }
        if judged.wants.is_lost(&answer) {
            return judge_found(judged, step, &answer::describe(&answer)).await;
        }
        return judge(judged, answer, step).await;
    }
}

fn says(answer: &Response, field: &str) -> bool {
    answer.json.as_ref().and_then(|body| body.get(field)).and_then(Value::as_bool).unwrap_or(false)
}

/// A restart that was asked for may be under way so long.
const RESTARTS: Duration = Duration::from_secs(120);

/// The platform found the agent dead and starts another: what answers later is not what the scenario had online.
fn found_dead(judged: &Judged<'_>, answer: &Response, step: &StepRun) {
    let context = judged.context;
    let was_online =
        |w: Workspace| w.timeline.iter().any(|(status, edge)| *status == Status::Online && *edge == w.edge);
    // A write of the tenant's secrets restarts it without an edge of the scenario.
    let calm = |w: &Workspace| context.run.ledger.by_id(&w.id).is_none_or(|entry| entry.is_calm(RESTARTS));
    let stood = known(context, &judged.verb.to.name).is_ok_and(|w| calm(&w) && was_online(w));
    if says(answer, "restarting") && stood {
        let text = format!(
            "step {}: a message found the agent dead, and the platform restarted it: {}",
            step.id,
            answer::describe(answer)
        );
        context.state().flaky.get_or_insert(text);
    }
}

/// 429 and the platform's "busy" and "restarting" answers say when to come again.
fn retryable(judged: &Judged<'_>, answer: &Response) -> Option<Duration> {
    let later = || says(answer, "busy") || says(answer, "restarting");
    let temporary = answer.status == 429 || (matches!(answer.status, 502..=504) && later());
    temporary.then(|| {
        let wait = answer.retry_after().unwrap_or(Duration::from_secs(5));
        judged.context.run.api.scale.shorten(wait).max(Duration::from_millis(20))
    })
}

/// Judges the reply that the log has of a message whose answer was lost.
async fn judge_found(judged: &Judged<'_>, step: &StepRun, lost: &str) -> StepResult {
    let body = a2a_lost::found(judged, step, lost).await?;
    let passed = judge(judged, body, step).await?;
    a2a_lost::answers_arrive(judged, step, lost).await?;
    Ok(passed)
}

async fn judge(judged: &Judged<'_>, answer: Response, step: &StepRun) -> StepResult {
    let (context, wants) = (judged.context, &judged.wants);
    let mut got = wants.read(&answer)?;
    if let Got::Followed(queue) = &got
        && wants.follows()
    {
        got = a2a_follow::queued(judged, queue.as_deref(), step).await?;
    }
    if wants.follows_task(&got)
        && let Some(body) = answer.json.as_ref()
    {
        got = a2a_follow::task(judged, body, got.clone(), step).await;
    }
    let (promise, said) = match (&judged.verb.reply, &got) {
        (Reply::Answer, Got::Text(text)) => (judged.asks_again(text), text.clone()),
        _ => (false, String::new()),
    };
    let mut kept = None;
    let queued = matches!(got, Got::Queued);
    let fits = wants.fits(&answer, got, &mut kept);
    if let (Some(text), Some(name)) = (kept, &judged.verb.capture) {
        context.state().captures.insert(name.clone(), Value::String(text));
    }
    match fits {
        Ok(fits) => {
            if queued {
                context.update(&judged.verb.to.name, |w| w.queued.push(wants.id.to_owned()));
            }
            if fits.known {
                context.update(&judged.verb.to.name, |w| w.answered_at = Some(w.edge));
            }
            if let Some(question) = wants.question.filter(|_| fits.unproven) {
                let unproven = &mut context.state().unproven;
                if !unproven.contains(&step.id) {
                    unproven.push(step.id.clone());
                }
                tell_unproven(judged, question, &said);
            }
            Ok(Passed::with(fits.message))
        }
        Err(wrong) if promise => Err(ask_once_more(judged, wrong, step).await),
        Err(wrong) => Err(wrong),
    }
}

impl Judged<'_> {
    /// Whether a text that is no answer may be a promise of one: a second question tells.
    fn asks_again(&self, text: &str) -> bool {
        let plain = self.verb.envelope == Envelope::Full && self.verb.method.is_none();
        let known = self.context.run.target.answers == Answers::Known;
        let promise = |question: &KnownAnswer| {
            !question.is_in(text) && !text.contains(question.prompt) && record::wrapped_error(text).is_none()
        };
        plain && known && self.wants.question.is_some_and(promise)
    }
}

/// What the second question adds to a failure by the first reply: an agent that can answer only acknowledged the first.
async fn ask_once_more(judged: &Judged<'_>, wrong: Failure, step: &StepRun) -> Failure {
    let Some(question) = judged.wants.question else { return wrong };
    let id = crate::chance::uuid().to_string();
    let part = judged.verb.part;
    let body = message(&id, "message/send", question.prompt, part, false, Value::Object(Map::new()));
    let request = Request { body: Payload::Json(body), ..judged.request.clone() };
    let until = policy::SECOND_LOOK.end(step.deadline, Instant::now());
    let look = StepRun { deadline: until, ..step.clone() };
    let Ok(answer) = judged.context.fetch(&look, ASK_ONCE_MORE, request).await else { return wrong };
    let second = answer.json.as_ref().map(record::reply);
    match second {
        Some(Got::Text(text)) if question.is_in(&text) => wrong.details([
            "asked once more, the agent answers: the first reply was no answer of its own".to_owned(),
        ]),
        _ => wrong,
    }
}

/// Nobody says what these agents can answer: any words pass, and a person is told once that they prove little.
fn tell_unproven(judged: &Judged<'_>, question: &KnownAnswer, text: &str) {
    let run = &judged.context.run;
    let text = judged.context.excerpt(text, 80);
    if !run.unproven_told.swap(true, Ordering::Relaxed) {
        run.log.emit(EventKind::Warning {
            scenario: None,
            text: format!(
                "answers are unproven: {} was asked for the word {} and said {text:?}, which passes because nobody says what \
                 these agents can answer; `--answers known` makes it red, `--answers stub` is for agents without a model",
                judged.verb.to.name, question.token
            ),
        });
    }
}
