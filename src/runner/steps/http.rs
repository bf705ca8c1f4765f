//! `http:` any request; what changes something is never dropped half-way.

use base64::Engine as _;
use serde_json::{Value, json};

use super::identity::auth_of;
use super::last_look::LastLook;
use super::{answer, approval};
use crate::clock::Instant;
use crate::http::{Payload, Request, Response};
use crate::platform::Auth;
use crate::run::wait::pause;
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::runner::scope::StepScope;
use crate::scenario::model::{Http, HttpBody, Picked};
use crate::scenario::template::Scope;

/// Runs the step.
pub(super) async fn run(
    context: &ScenarioContext,
    verb: &Http,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let began = Instant::now();
    let mut last = LastLook::default();
    loop {
        let looked = Instant::now();
        let mut result = once(context, verb, step, scope).await;
        if verb.until {
            result = result.map_err(|failure| last.of(failure, looked, step.deadline));
        }
        let again = verb.until
            && matches!(&result, Err(f) if matches!(f.kind, FailureKind::Product | FailureKind::Environment))
            && !context.stop.is_cancelled()
            && Instant::now() < step.deadline;
        if !again {
            return result;
        }
        context.pause(pause(began.elapsed())).await;
    }
}

async fn once(context: &ScenarioContext, verb: &Http, step: &StepRun, scope: &StepScope<'_>) -> StepResult {
    let auth = auth_of(context, Some(&verb.identity), Auth::Admin, scope)?;
    let mut request: Request = context.run.api.request(&verb.method, &verb.path.render(scope)?, &auth);
    for (name, value) in &verb.headers {
        // What a step says stands alone; said empty, the header is left out.
        request.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        let value = value.render(scope)?;
        if !value.is_empty() {
            request.headers.push((name.clone(), value));
        }
    }
    request.body = match &verb.body {
        HttpBody::None => Payload::None,
        HttpBody::Json(value) => Payload::Json(value.render(scope)?),
        HttpBody::Text(text) => Payload::Text(text.render(scope)?),
        HttpBody::File { field, name, mime, base64 } => {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(base64.render(scope)?)
                .map_err(|e| Failure::of(FailureKind::Config, format!("the file is not base64: {e}")))?;
            Payload::File { field: field.clone(), name: name.clone(), mime: mime.clone(), bytes }
        }
    };
    let purpose = purpose(verb);
    let reads = matches!(verb.method.as_str(), "GET" | "HEAD" | "OPTIONS");
    let result = if reads {
        context.fetch(step, &purpose, request.clone()).await
    } else {
        context.mutate(step, &purpose, request.clone()).await
    };
    let mut answer = result.map_err(|e| Failure::transport(&purpose, &e))?;
    if let (Some(approval), Some(id)) = (&verb.approval, approval::waits_for(&answer)) {
        answer = approval::decide(context, approval, &id, request, &purpose, step, scope).await?;
    }
    let captured = judged(verb, &answer, scope)?;
    context.state().captures.extend(captured);
    Ok(Passed::with(answer.status.to_string()))
}

/// What a request is for: as it is written.
pub(in crate::runner) fn purpose(verb: &Http) -> String {
    format!("{} {}", verb.method, verb.path.raw)
}

/// Judges an answer, and gives what is named of it.
///
/// # Errors
/// It is not as wanted, or has nothing to name.
pub(in crate::runner) fn judged(
    verb: &Http,
    answer: &Response,
    scope: &dyn Scope,
) -> Result<Vec<(String, Value)>, Failure> {
    if verb.answer.is_default() {
        if !answer.is_success() {
            let text = format!("{}: wanted a 2xx, got {}", purpose(verb), answer::describe(answer));
            return Err(answer::unwanted(answer, text));
        }
    } else {
        answer::judge(answer, &verb.answer, scope)?;
    }
    let mut captured = Vec::new();
    for (name, from) in &verb.capture {
        let value = pick(answer, from, scope)?.ok_or_else(|| {
            Failure::product(format!(
                "{}: nothing to capture at `{from}` in {}",
                purpose(verb),
                answer::describe(answer)
            ))
        })?;
        captured.push((name.clone(), value));
    }
    Ok(captured)
}

/// What an answer has of it; a path that can find several nodes gives their list.
fn pick(answer: &Response, what: &Picked, scope: &dyn Scope) -> Result<Option<Value>, Failure> {
    Ok(match what {
        Picked::Header(name) => answer.headers.get(&name.to_ascii_lowercase()).map(|v| json!(v)),
        Picked::Status => Some(json!(answer.status)),
        Picked::Body => Some(answer.json.clone().unwrap_or_else(|| json!(answer.text()))),
        Picked::Path(path) => {
            let path = path.resolve(scope)?;
            answer.json.as_ref().and_then(|body| path.find(body))
        }
    })
}
