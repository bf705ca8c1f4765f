//! One decision, by the verb's own judgement.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::decision::{Decision, Lack, Now};
use super::scope::RecordedScope;
use super::told::{Attempt, Change, Known, Told, hides, saw};
use crate::clock::{Instant, TimeScale};
use crate::domain::Status;
use crate::domain::answers::{ASK_ANOTHER, Answers};
use crate::event::{Exchange, StepFinished, StepOutcome};
use crate::http::{LONGEST, Response};
use crate::platform::record::{self, Reply as Got};
use crate::redact::Redactor;
use crate::run::instance::NotNew;
use crate::run::look::{Seen, View};
use crate::run::status_wait::{StatusJudge, Wanted};
use crate::run::wait::Verdict;
use crate::runner::environment;
use crate::runner::outcome::Failure;
use crate::runner::scope::Locals;
use crate::runner::steps::a2a_fits::{Wants, logged_reply, question, rows_of};
use crate::runner::steps::look::Look;
use crate::runner::steps::{answer, expect_fits, http};
use crate::scenario::model::{A2a, ActivitySource, Answer, Await, Expect, Hold, Http, Verb};
use crate::scenario::template::TemplateError;

/// A step ended: its decision, if it has one, taken again.
pub(super) fn end(told: &mut Told, finished: &StepFinished, ms: u64) -> Option<Decision> {
    let attempt = told.take(&finished.step)?;
    if matches!(finished.outcome, StepOutcome::Skipped | StepOutcome::Cancelled) {
        return None;
    }
    let (now, captured) = match told.step(&finished.step) {
        None => (Now::Diverged("today's scenario has no such step".to_owned()), Vec::new()),
        Some((step, _)) if step.verb.keyword() != attempt.verb => {
            let text = format!("it was `{}` and is `{}` today", attempt.verb, step.verb.keyword());
            (Now::Diverged(text), Vec::new())
        }
        Some((step, locals)) => {
            let ended = Ended { passed: finished.outcome == StepOutcome::Passed, step: finished, ms };
            let judged = judge(told, &step.verb, &attempt, locals, &ended)?;
            (judged.now, judged.captured)
        }
    };
    told.captures.extend(captured);
    Some(Decision {
        scenario: told.name().to_owned(),
        step: finished.step.clone(),
        attempt: attempt.number,
        verb: attempt.verb,
        then: finished.outcome,
        said: finished.message.clone(),
        now,
    })
}

/// How a step ended then.
struct Ended<'a> {
    /// It passed.
    passed: bool,
    /// What was written of it.
    step: &'a StepFinished,
    /// When.
    ms: u64,
}

/// A decision, and what its step names.
struct Judged {
    now: Now,
    captured: Vec<(String, Value)>,
}

/// Judges a step; `None` when it asserts nothing that is a decision of its own.
fn judge(told: &Told, verb: &Verb, attempt: &Attempt, locals: Locals, ended: &Ended<'_>) -> Option<Judged> {
    let scope = RecordedScope::new(told, locals);
    let step = Step { told, attempt, scope: &scope, ended };
    let mut captured = Vec::new();
    let taken = match verb {
        Verb::Http(http) => step.http(http, &mut captured),
        Verb::A2a(a2a) => step.a2a(a2a, &mut captured),
        Verb::Expect(expect) => step.expect(expect),
        Verb::Await(await_) => step.awaited(await_),
        Verb::Hold(hold) => step.held(hold)?,
        Verb::Create(create) => step.refusal("create", &create.answer)?,
        Verb::Delete(edge) => step.refusal("delete", &edge.0.answer)?,
        Verb::Restart(edge) => step.refusal("restart", &edge.0.answer)?,
        Verb::Pause(edge) => step.refusal("pause", &edge.0.answer)?,
        Verb::Resume(edge) => step.refusal("resume", &edge.0.answer)?,
        Verb::Hibernate(edge) => step.refusal("hibernate", &edge.0.answer)?,
        _ => return None,
    };
    let now = taken.unwrap_or_else(|now| now);
    Some(Judged { now: step.sure(now), captured })
}

/// A recorded step under judgement.
struct Step<'a> {
    told: &'a Told,
    attempt: &'a Attempt,
    scope: &'a RecordedScope<'a>,
    ended: &'a Ended<'a>,
}

/// A decision, or what came in its way.
type Taken = Result<Now, Now>;

impl From<Lack> for Now {
    fn from(lack: Lack) -> Now {
        Now::Unjudged(lack)
    }
}

impl From<Failure> for Now {
    fn from(failure: Failure) -> Now {
        Now::Fails(failure.message)
    }
}

impl From<TemplateError> for Now {
    fn from(error: TemplateError) -> Now {
        Now::Fails(error.to_string())
    }
}

impl From<Look> for Now {
    fn from(look: Look) -> Now {
        match look {
            Look::Right(_) => Now::Holds,
            Look::NotYet(failure) => failure.into(),
        }
    }
}

impl Step<'_> {
    /// A mismatch that what is not in the log may have made is none.
    fn sure(&self, now: Now) -> Now {
        let Now::Fails(text) = now else { return now };
        if let Some(lack) = self.scope.lack() {
            return Now::Unjudged(lack);
        }
        let hidden = || self.attempt.asked.values().any(|asked| hides(asked.answered.as_ref()));
        match self.ended.passed && hidden() {
            true => Now::Unjudged(Lack::Redacted),
            false => Now::Fails(text),
        }
    }

    fn known(&self, alias: &str) -> Result<&Known, Now> {
        let known = self.told.workspaces.get(alias).filter(|w| !w.id.is_empty());
        known.ok_or_else(|| Lack::Unmade(alias.to_owned()).into())
    }

    /// The whole answer to the last request for a purpose that got one.
    fn answer(&self, purpose: &str) -> Result<Response, Now> {
        whole(self.attempt.answered(purpose, self.ended.step.outcome)?)
    }

    /// The same where an answer is all that decides: a request that was lost after it decides instead.
    fn last_answer(&self, purpose: &str) -> Result<Response, Now> {
        let asked = self.attempt.asked(purpose, self.ended.step.outcome)?;
        match &asked.last.error {
            Some(error) if !self.ended.passed => Err(Now::Fails(format!("{purpose}: {error}"))),
            _ => self.answer(purpose),
        }
    }

    fn http(&self, verb: &Http, captured: &mut Vec<(String, Value)>) -> Taken {
        let purpose = http::purpose(verb);
        let response = if verb.until { self.answer(&purpose)? } else { self.last_answer(&purpose)? };
        self.can_assert(&purpose, &verb.answer, &response)?;
        captured.extend(http::judged(verb, &response, self.scope)?);
        Ok(Now::Holds)
    }

    /// Whether the log holds what is asserted of an answer.
    fn can_assert(&self, purpose: &str, wanted: &Answer, response: &Response) -> Result<(), Now> {
        let header = |name: &&String| !response.headers.contains_key(&name.to_ascii_lowercase());
        if let Some(name) = wanted.headers.iter().map(|(name, _)| name).find(header) {
            return Err(Lack::Header(name.clone()).into());
        }
        // Written again it may have other blanks and another order.
        if !wanted.text.is_empty() && response.json.is_some() {
            return Err(Lack::Text(purpose.to_owned()).into());
        }
        Ok(())
    }

    /// A request that the step expects to be refused.
    fn refusal(&self, purpose: &str, wanted: &Answer) -> Option<Taken> {
        if wanted.is_default() {
            return None;
        }
        let taken = || {
            let response = self.last_answer(purpose)?;
            self.can_assert(purpose, wanted, &response)?;
            answer::judge(&response, wanted, self.scope)?;
            Ok(response)
        };
        match taken() {
            // What was done has to show in the row too: that is a wait of its own.
            Ok(response) if response.is_success() => None,
            Ok(_) => Some(Ok(Now::Holds)),
            Err(now) => Some(Err(now)),
        }
    }

    fn a2a(&self, verb: &A2a, captured: &mut Vec<(String, Value)>) -> Taken {
        let asked = self.attempt.asked("message", self.ended.step.outcome)?;
        let question = question(verb);
        let answers = match (question, self.told.answers) {
            (Some(_), None) => return Err(Lack::Answers.into()),
            (_, answers) => answers.unwrap_or(Answers::None),
        };
        let sent = asked.last.request.as_ref().and_then(|b| b.json.as_ref());
        let own = sent.and_then(|b| b.pointer("/params/message/messageId")?.as_str());
        let id = sent.and_then(|b| b.get("id")?.as_str()).or(own).unwrap_or_default();
        let redactor = Redactor::new();
        let wants = Wants { verb, question, answers, id, scope: self.scope, redactor: &redactor };
        let last = &asked.last;
        let mut response = match &last.error {
            Some(_) if wants.may_look() => {
                self.arrives()?;
                self.looked_up(verb, own.unwrap_or_default())?
            }
            Some(error) => return Err(Now::Fails(format!("message: {error}"))),
            None => whole(last)?,
        };
        if last.error.is_none() {
            if !verb.answer.is_default() {
                self.can_assert("message", &verb.answer, &response)?;
                answer::judge(&response, &verb.answer, self.scope)?;
                return Ok(Now::Holds);
            }
            if wants.is_lost(&response) {
                self.arrives()?;
                response = self.looked_up(verb, own.unwrap_or_default())?;
            }
        }
        let mut got = wants.read(&response)?;
        if let Got::Followed(queue) = &got
            && wants.follows()
        {
            got = self.followed(&wants, queue.is_some(), own.unwrap_or_default())?;
        }
        if wants.follows_task(&got) {
            got = self.task(got)?;
        }
        let mut kept = None;
        let fits = wants.fits(&response, got, &mut kept);
        if let (Some(text), Some(name)) = (kept, &verb.capture) {
            captured.push((name.clone(), json!(text)));
        }
        fits?;
        Ok(Now::Holds)
    }

    /// The reply that the activity log has of a message whose answer was lost.
    fn looked_up(&self, verb: &A2a, id: &str) -> Result<Response, Now> {
        const LOOK: &str = "look for the lost answer";
        let lost = || Now::Fails("the answer to the message was lost".to_owned());
        if !self.attempt.asked.contains_key(LOOK) {
            return Err(lost());
        }
        let read = self.answer(LOOK)?;
        let rows = record::list(read.json.as_ref()).filter(|_| read.status == 200).unwrap_or_default();
        let mine = rows_of(rows, id);
        let managed = self.known(&verb.to.name)?.managed;
        let body = match logged_reply(&mine) {
            Some(body) if body.is_object() => body.clone(),
            Some(_) => return Err(Now::Fails("the reply is no JSON".to_owned())),
            None if !mine.is_empty() && !managed => json!({ "status": "queued", "delivery_mode": "poll" }),
            None => return Err(lost()),
        };
        Ok(response(200, Some(body), String::new(), &Exchange::default()))
    }

    /// Whether a step that failed did so because no answer to a message arrives.
    fn arrives(&self) -> Result<(), Now> {
        let another = self.attempt.asked.get(ASK_ANOTHER);
        match another.is_some_and(|another| another.last.error.is_some()) && !self.ended.passed {
            true => Err(Now::Fails("no answer to a message arrives".to_owned())),
            false => Ok(()),
        }
    }

    fn followed(&self, wants: &Wants<'_>, queued: bool, id: &str) -> Result<Got, Now> {
        const FOLLOW: &str = "follow the queued message";
        let unanswered = |last: &str| {
            Now::Fails(format!("the queued message was not answered in time; last seen: {last}"))
        };
        if !self.attempt.asked.contains_key(FOLLOW) && !self.ended.passed {
            return Err(unanswered("queued"));
        }
        let look = self.answer(FOLLOW)?;
        let body = look.json.unwrap_or_default();
        if queued {
            return wants.queued(&body)?.map_err(|standing| unanswered(&standing));
        }
        let rows = body.as_array().map(Vec::as_slice).unwrap_or_default();
        let reply = logged_reply(&rows_of(rows, id)).ok_or_else(|| unanswered("queued"))?;
        Ok(wants.reply_to(reply)?)
    }

    /// How a task ended that was under way; one that nobody could ask for stays as it was.
    fn task(&self, first: Got) -> Result<Got, Now> {
        const FOLLOW: &str = "follow the task";
        if !self.attempt.asked.contains_key(FOLLOW) {
            return Ok(first);
        }
        let look = self.answer(FOLLOW)?;
        Ok(match look.json.as_ref().filter(|_| look.is_success()).map(record::reply) {
            None | Some(Got::RpcError(..) | Got::Platform(_)) => first,
            Some(reply) => reply,
        })
    }

    fn expect(&self, verb: &Expect) -> Taken {
        match verb {
            Expect::Row { workspace, json } => {
                let alias = &workspace.name;
                let known = self.known(alias)?;
                let single = expect_fits::single(&self.answer("read the row")?, &known.id)?;
                let mut list = self.answer("read the list")?;
                // Filed without the rows of everybody else: nothing is left where it was not in the list.
                let listed = list.json.take().filter(|row| list.status == 200 && !row.is_null());
                let stored = expect_fits::stored(single, &list, listed);
                Ok(expect_fits::row(alias, json, stored, self.scope).into())
            }
            Expect::Env { workspace, satisfies_provider, stable, vars } => {
                let known = self.known(&workspace.name)?;
                let Some((_, now)) = &known.env else { return Err(Lack::Environment.into()) };
                let mut wrong = Vec::new();
                if *satisfies_provider {
                    wrong.extend(expect_fits::unlike_rules(now.values()));
                }
                if *stable && let Some(before) = &known.env_before {
                    wrong.extend(environment::unexplained(before, now));
                }
                match wrong.into_iter().next() {
                    // An older instance's variables may be what the log holds.
                    Some(_) if self.ended.passed && !self.attempt.env_of.contains(&workspace.name) => {
                        Err(Lack::Environment.into())
                    }
                    Some(first) => Ok(Now::Fails(format!("environment of {}: {first}", workspace.name))),
                    None if vars.is_empty() && self.ended.passed => Ok(Now::Holds),
                    // No instance, an old one, an abort that the rules expect, a value: none of it is in the log.
                    None => Err(Lack::Environment.into()),
                }
            }
            Expect::Activity { workspace, row, has } => {
                let known = self.known(&workspace.name)?;
                let answer = self.answer("activity")?;
                let rows = record::list(answer.json.as_ref()).filter(|_| answer.status == 200);
                let Some(rows) = rows else {
                    return Err(Now::Fails(format!("activity: {}", answer::describe(&answer))));
                };
                let text = row.text.as_ref().map(|t| t.render(self.scope)).transpose()?;
                let source = match &row.source {
                    Some(ActivitySource::Workspace(of)) => Some(self.known(&of.name)?.id.as_str()),
                    _ => None,
                };
                let log = expect_fits::ActivityLog {
                    alias: &workspace.name,
                    rows,
                    before: &known.before,
                    unknown: known.unknown,
                    edge: &known.edge,
                };
                Ok(expect_fits::activity(&log, row, *has, text.as_deref(), source)?.into())
            }
            Expect::Value { left, is } => {
                Ok(expect_fits::value(&left.render(self.scope)?, is, self.scope).into())
            }
            Expect::Gone { workspace } => {
                let alias = &workspace.name;
                let known = self.known(alias)?;
                let single = self.answer("read the row")?;
                let failure = match expect_fits::still_there(alias, &single) {
                    None => expect_fits::still_listed(alias, &known.id, &self.answer("read the list")?),
                    failure => failure,
                };
                Ok(failure.map_or(Now::Holds, Now::from))
            }
            Expect::Event { .. } => Err(Lack::Stream.into()),
            Expect::Container(_) => Err(Lack::Engine.into()),
        }
    }

    /// What was seen of a workspace in the step's time, and what was there when it began.
    fn changes<'k>(&self, known: &'k Known) -> (Option<&'k Change>, Vec<&'k Change>) {
        let (before, during): (Vec<_>, Vec<_>) =
            known.seen.iter().partition(|change| change.seq < self.attempt.seq);
        (before.last().copied(), during)
    }

    fn awaited(&self, verb: &Await) -> Taken {
        let known = self.known(&verb.workspace.name)?;
        let (before, during) = self.changes(known);
        let wait = self.ended.step.wait.as_ref();
        let is_up = |status: &Status| matches!(status, Status::Online | Status::Degraded);
        let live = verb.status.iter().any(is_up);
        let edge = during.last().copied().or(before).map_or(0, |change| change.edge);
        let bound = verb.new_instance || (edge > 0 && known.managed && live && !verb.leaves);
        // What proved the new instance is taken as it was recorded.
        let proven = !bound || wait.is_some_and(|wait| wait.proof.is_some());
        let mut judge = StatusJudge::new(Wanted {
            status: verb.status.clone(),
            leaves: verb.leaves,
            url: verb.url.unwrap_or(known.managed && live && !verb.leaves),
            tolerate: verb.tolerate.clone(),
            never: verb.never.clone(),
            scale: TimeScale::new(self.told.time_scale),
        });
        let first = before.filter(|_| saw(wait)).map(|change| (self.attempt.ms, change));
        let begun = first.is_some();
        let seen = first.into_iter().chain(during.iter().map(|change| (change.ms, *change)));
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms.saturating_sub(self.attempt.ms));
        let (mut ends_at, mut last, mut lacked) = (None::<Instant>, "nothing".to_owned(), false);
        for (number, (ms, change)) in seen.enumerate() {
            if let Some(end) = ends_at.filter(|end| at(ms) >= *end) {
                return self.hopeless(&last, end, at(ms));
            }
            let status = change.status.as_ref().map(ToString::to_string);
            let row = json!({ "status": status, "url": change.url });
            let view =
                View { look: Some(Arc::new(Seen::Record(Arc::new(row)))), at: Some(at(ms)), woken: false };
            let unproven = || NotNew::Unknown { url: change.url.clone(), uptime: "?".to_owned() };
            let instance = |_: &Value| if proven { Ok(()) } else { Err(unproven()) };
            // What was there when the step began need not be what its looks saw.
            let stale = begun && number == 0;
            ends_at = None;
            match judge.judge_at(at(ms), &view, instance) {
                Verdict::Ready(_) if self.ended.passed => return Ok(Now::Holds),
                Verdict::Ready(_) if stale => return Err(Lack::Looks.into()),
                Verdict::Ready(_) => return Ok(Now::Holds),
                Verdict::Never(_) | Verdict::NeverAfter(..) if stale && self.ended.passed => {}
                Verdict::Never(text) => return self.hopeless(&text, at(ms), at(ms)),
                Verdict::NeverAfter(text, end) => {
                    ends_at = Some(end);
                    last = text;
                }
                Verdict::NotYet(text) => {
                    lacked |= change.status.as_ref().is_some_and(|s| verb.status.contains(s));
                    last = text;
                }
            }
        }
        if let Some(end) = ends_at.filter(|end| at(self.ended.ms) >= *end) {
            return self.hopeless(&last, end, at(self.ended.ms));
        }
        // A workspace that is gone, a state that only the stream told of, an instance that only the engine showed.
        let elsewhere = verb.leaves || lacked || verb.status.contains(&Status::Removed);
        match self.ended.passed && (elsewhere || !begun && during.is_empty()) {
            true => Err(Lack::Looks.into()),
            false => Ok(Now::Fails(format!("last seen: {last}"))),
        }
    }

    /// A final status that a wait which passed went on after was not seen by it.
    fn hopeless(&self, last: &str, end: Instant, at: Instant) -> Taken {
        match self.ended.passed && at < end + Duration::from_secs(1) {
            true => Err(Lack::Looks.into()),
            false => Ok(Now::Fails(format!("this status is final; last seen: {last}"))),
        }
    }

    fn held(&self, verb: &Hold) -> Option<Taken> {
        let (workspace, statuses) = verb.stays.as_ref()?;
        let known = match self.known(&workspace.name) {
            Ok(known) => known,
            Err(now) => return Some(Err(now)),
        };
        let (_, during) = self.changes(known);
        let left = during.iter().filter_map(|change| change.status.as_ref()).find(|s| !statuses.contains(s));
        Some(match left {
            Some(status) => Ok(Now::Fails(format!("{} left its status: {status}", workspace.name))),
            None if self.ended.passed => Ok(Now::Holds),
            // Another instance, an event, a workspace that is gone.
            None => Err(Lack::Looks.into()),
        })
    }
}

/// An exchange as the answer that it was.
///
/// # Errors
/// Its body was cut.
fn whole(exchange: &Exchange) -> Result<Response, Now> {
    let Some(status) = exchange.status else {
        let error = exchange.error.as_deref().unwrap_or("no answer");
        return Err(Now::Fails(format!("{}: {error}", exchange.purpose)));
    };
    let body = exchange.response.as_ref();
    let bytes = body.filter(|b| b.json.is_none()).map_or(0, |b| b.bytes);
    if bytes > LONGEST as u64 {
        return Err(Lack::Cut { purpose: exchange.purpose.clone(), bytes }.into());
    }
    let text = body.and_then(|b| b.text.clone()).unwrap_or_default();
    Ok(response(status, body.and_then(|b| b.json.clone()), text, exchange))
}

fn response(status: u16, json: Option<Value>, text: String, exchange: &Exchange) -> Response {
    let body = json.as_ref().map_or(text, ToString::to_string);
    Response { status, headers: exchange.headers.clone(), body: body.into(), json, redactor: Redactor::new() }
}
