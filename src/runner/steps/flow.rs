//! `hold`, `capture` and `exec`.

use std::process::Stdio;
use std::time::Duration;

use indexmap::IndexMap;
use rustix::process::Pid;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::await_status::known;
use super::held::Held;
use crate::clock::{self, Instant};
use crate::domain::time;
use crate::event::EventKind;
use crate::platform::Auth;
use crate::redact::excerpt_of_redacted as excerpt;
use crate::runner::context::{ScenarioContext, StepRun};
use crate::runner::outcome::{Failure, FailureKind, Passed, StepResult};
use crate::runner::scope::StepScope;
use crate::scenario::model::{Exec, Hold};
use crate::scenario::template::TemplateValue;

/// A window that is too short is made longer by this at least.
const SHORTEST: Duration = Duration::from_millis(5);
/// Output of a command beyond this is cut.
const MAX_OUTPUT: u64 = 1 << 20;

/// `hold:` a quiet window on the target's clock, in which a status may have to stay.
pub(super) async fn hold(
    context: &ScenarioContext,
    verb: &Hold,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let wanted = verb.duration.resolve(scope)?;
    let window = context.run.api.scale.shorten(wanted);
    let began = platform_clock(context, step).await;
    let mut end = Instant::now() + window;
    if end > context.deadline {
        return Err(Failure::of(
            FailureKind::Config,
            format!("a hold of {} does not fit into the scenario's budget", time::show(window)),
        ));
    }
    let mut watched = match &verb.stays {
        Some((workspace, statuses)) => {
            Some(Held::begin(context, known(context, &workspace.name)?, statuses, step).await?)
        }
        None => None,
    };
    let every = (window / 20).clamp(Duration::from_millis(5), Duration::from_secs(1));
    loop {
        let now = Instant::now();
        if let Some(held) = &mut watched {
            if now >= end {
                held.fresh(context).await?;
                held.was_seen(Instant::now(), every)?;
            } else {
                held.look(context)?;
                held.want(every);
            }
        }
        if now >= end {
            let short = match began {
                Some(began) => platform_clock(context, step)
                    .await
                    .map(|at| wanted.saturating_sub(at.saturating_sub(began))),
                None => None,
            };
            let Some(short) = short.filter(|s| !s.is_zero() && now < context.deadline) else {
                if let Some(held) = &mut watched {
                    held.ends(context, wanted, step).await?;
                }
                return Ok(Passed::with(format!("held for {}", time::show(window))));
            };
            end = (now + context.run.api.scale.shorten(short).max(SHORTEST)).min(context.deadline);
        }
        let changed = async {
            match &mut watched {
                Some(held) => held.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return Err(Failure::of(FailureKind::Cancelled, "the run was cancelled")),
            () = changed => {}
            () = clock::sleep_until(end) => {}
        }
    }
}

/// What a fast platform's own clock shows: it stands still while the machine has no time for it, and then a window of
/// ours is less than one of its own.
async fn platform_clock(context: &ScenarioContext, step: &StepRun) -> Option<Duration> {
    if context.run.api.scale.factor() <= 1.0 {
        return None;
    }
    let request = context.run.api.request("GET", "/health", &Auth::Anonymous);
    let answer = context.look(step, "clock", request).await.ok()?;
    answer.headers.get("x-lifecycle-clock")?.trim().parse().ok().map(Duration::from_millis)
}

/// `capture:` names values.
pub(super) fn capture(
    context: &ScenarioContext,
    values: &IndexMap<String, TemplateValue>,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    for (name, value) in values {
        let value = value.render(scope)?;
        context.run.log.emit(EventKind::Captured {
            scenario: context.name.to_string(),
            step: step.id.clone(),
            name: name.clone(),
            value: value.clone(),
        });
        context.state().captures.insert(name.clone(), value);
    }
    Ok(Passed::default())
}

/// The processes of a command that has not ended; its own children too are ended with the step.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // One that is gone cannot be ended.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

/// The beginning of an output. The rest is read too: a closed pipe would end the command.
async fn keep(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let _ = (&mut stream).take(MAX_OUTPUT).read_to_end(kept).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

/// `exec:` a command without a shell, in a minimal environment, in a process group of its own.
pub(super) async fn exec(
    context: &ScenarioContext,
    verb: &Exec,
    step: &StepRun,
    scope: &StepScope<'_>,
) -> StepResult {
    let mut argv = Vec::new();
    for argument in &verb.argv {
        argv.push(argument.render(scope)?);
    }
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Failure::of(FailureKind::Config, "exec: nothing to run"));
    };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true).process_group(0);
    for name in ["PATH", "HOME", "LANG", "TMPDIR"] {
        if let Some(value) = context.run.env.get(name) {
            command.env(name, value);
        }
    }
    for (name, value) in &verb.env {
        command.env(name, value.render(scope)?);
    }
    let stdin = verb.stdin.as_ref().map(|t| t.render(scope)).transpose()?;
    let mut child = command
        .spawn()
        .map_err(|e| Failure::of(FailureKind::Config, format!("exec: cannot run `{program}`: {e}")))?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let pipe = child.stdin.take();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let run = async {
        // While its output is read: a command that writes as it reads would block otherwise.
        let write_in = async {
            if let (Some(mut pipe), Some(text)) = (pipe, stdin) {
                // A command that does not read its input is judged by its exit code.
                let _ = pipe.write_all(text.as_bytes()).await;
            }
        };
        tokio::join!(write_in, keep(stdout, &mut out), keep(stderr, &mut err));
        child.wait().await
    };
    let status = tokio::select! {
        biased;
        status = run => status.map_err(|e| Failure::of(FailureKind::Harness, format!("exec: {e}")))?,
        () = clock::sleep_until(step.deadline) => return Err(Failure::product(format!("exec: `{program}` did not end in time"))),
        () = context.stop.cancelled() => return Err(Failure::of(FailureKind::Cancelled, "the run was cancelled")),
    };
    group.0 = None;
    let out = context.run.log.redactor().text(&String::from_utf8_lossy(&out)).into_owned();
    let err = context.run.log.redactor().text(&String::from_utf8_lossy(&err)).into_owned();
    if status.code() != Some(verb.code) {
        let code = status.code().map_or_else(|| "a signal".to_owned(), |c| c.to_string());
        return Err(Failure::product(format!("exec: `{program}` ended with {code}, wanted {}", verb.code))
            .details([
                format!("stdout: {}", excerpt(&out, 400)),
                format!("stderr: {}", excerpt(&err, 400)),
            ]));
    }
    let value = Value::String(out.trim_end().to_owned());
    for matcher in &verb.stdout {
        matcher.check(Some(&value), scope).map_err(|m| Failure::product(format!("exec: stdout: {m}")))?;
    }
    if let Some(name) = &verb.capture {
        context.state().captures.insert(name.clone(), value);
    }
    Ok(Passed::with(excerpt(&out, 80)))
}
