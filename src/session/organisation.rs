//! The organisation of a run against a control plane: made before the target is opened, purged after it is closed.

use std::time::Duration;

use tokio::sync::watch;

use super::at_most::at_most;
use super::brought_up;
use super::env::Env;
use super::failure::SessionError;
use super::kind::kind_of;
use super::settings::{JOBS, RunSettings, TargetSettings};
use crate::domain::{ExitCode, Secret};
use crate::event::{CancelReason, EventKind, Log, RunFinished, Verdict};
use crate::models::inputs::LlmPath;
use crate::reference::control_plane::Rule;
use crate::run::ledger::Ledger;
use crate::run::signals::Signals;
use crate::runner::contradictions::{Foreseen, creates};
use crate::runner::plan::Instance;
use crate::targets::saas::{
    self, Hurry, LLM_PROXY_ROUTE, LeakCheck, Leaks, LlmProxy, Spread, Stage, Waits, slug,
};

const PROXY_TIMEOUT: &str = "E2E_LLM_PROXY_TIMEOUT";

/// Nobody keeps an organisation from sweeps for longer.
const LONGEST_LEASE: Duration = Duration::from_secs(48 * 3_600);

/// Flags and environment, as the settings of organisations.
///
/// # Errors
/// A prefix, an address or a rule that is none; a control plane without its token.
pub(super) fn settings(args: &TargetSettings, env: &Env, used: bool) -> Result<saas::Settings, SessionError> {
    let defaults = saas::Settings::default();
    let cp_url = args.cp_url.clone().or_else(|| env.get("MOLECULE_CP_URL").map(str::to_owned));
    let cp_token = args.cp_token.clone().or_else(|| env.first(&["CP_ADMIN_API_TOKEN"]).map(Secret::new));
    let cp_token = cp_token.or_else(|| env.admin_token());
    let prefix = args.org_prefix.clone().unwrap_or(defaults.prefix);
    let waits = waits(&args.org_within, env, used)?;
    if used {
        slug::check(&prefix).map_err(|e| SessionError::Organisation(e.to_string()))?;
        if let Some(url) = &cp_url {
            crate::http::address(url)
                .map_err(|why| SessionError::Organisation(format!("the control plane's address {why}")))?;
            if cp_token.is_none() {
                return Err(SessionError::Organisation(
                    "a control plane needs its administrator's token: --cp-token (or MOLECULE_ADMIN_TOKEN)"
                        .to_owned(),
                ));
            }
        }
    }
    let rules = args.cp_routes.iter().map(|text| text.parse::<Rule>());
    let rules =
        rules.collect::<Result<Vec<_>, _>>().map_err(|e| SessionError::Organisation(e.to_string()))?;
    let terminate = env
        .get("LIFECYCLE_TERMINATE")
        .map(|command| command.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let names = |word: &String| ["{instance}", "{workspace}", "{org}"].iter().any(|name| word.contains(name));
    let terminate = terminate.filter(|words| !words.is_empty());
    if terminate.as_ref().is_some_and(|words| !words.iter().any(names)) {
        let text = "LIFECYCLE_TERMINATE has none of {instance}, {workspace} and {org}: it would not know what to end";
        return Err(SessionError::Organisation(text.to_owned()));
    }
    let asking = seconds(env, PROXY_TIMEOUT, used)?;
    let ci = env.ci();
    let run_name = env.get("E2E_RUN_ID").map(str::to_owned).or_else(|| ci.get("run").cloned());
    Ok(saas::Settings {
        cp_url,
        cp_token,
        prefix,
        run_name: run_name.unwrap_or_default(),
        spread: args.spread.unwrap_or_default(),
        keep: args.keep_org || env.flag("E2E_KEEP_ORG"),
        tenant_domain: args
            .tenant_domain
            .clone()
            .or_else(|| env.get("MOLECULE_TENANT_DOMAIN").map(str::to_owned)),
        waits,
        rules,
        tenant_env: args.tenant_env.clone(),
        poison: env.flag("E2E_INTENTIONAL_FAILURE"),
        terminate,
        leaks: leaks(env, used)?,
        llm_proxy: env
            .get("E2E_LLM_PROXY_URL")
            .filter(|url| !url.is_empty())
            .map(|url| proxy(url.to_owned(), asking)),
        ..defaults
    })
}

/// What the old scripts' check for leaked instances was told; the control plane's list is asked in place of a cloud.
fn leaks(env: &Env, used: bool) -> Result<Leaks, SessionError> {
    const CHECK: &str = "E2E_AWS_LEAK_CHECK";
    let check = match env.get(CHECK).map(|text| (text, text.parse())) {
        Some((_, Ok(check))) => check,
        Some((text, Err(()))) if used => {
            let text = format!("{CHECK}={text}: one of off, auto, required");
            return Err(SessionError::Organisation(text));
        }
        _ => LeakCheck::default(),
    };
    Ok(Leaks {
        check,
        terminate: env.flag("E2E_AWS_TERMINATE_LEAKS"),
        within: seconds(env, "E2E_AWS_LEAK_CHECK_SECS", used)?,
    })
}

/// How long the phases may take: flags, then variables.
fn waits(typed: &[(String, Duration)], env: &Env, used: bool) -> Result<Waits, SessionError> {
    let mut waits = Waits::default();
    if let Some(given) = seconds(env, "E2E_PROVISION_TIMEOUT_SECS", used)? {
        waits.instance = given;
    }
    for (phase, within) in typed {
        *match phase.as_str() {
            "control-plane" => &mut waits.control_plane,
            "create" => &mut waits.create,
            "instance" => &mut waits.instance,
            "token" => &mut waits.token,
            "dns" => &mut waits.dns,
            "tls" => &mut waits.tls,
            "health" => &mut waits.health,
            "api" => &mut waits.api,
            "purge" => &mut waits.purge,
            other => {
                return Err(SessionError::Organisation(format!(
                    "--org-within {other}: one of control-plane, create, instance, token, dns, tls, health, api, purge"
                )));
            }
        } = *within;
    }
    Ok(waits)
}

/// A variable of the old scripts that counts seconds. What is none is only told to whoever has a use for it.
fn seconds(env: &Env, name: &str, used: bool) -> Result<Option<Duration>, SessionError> {
    match env.get(name).map(|text| (text, text.trim().parse::<u64>())) {
        None => Ok(None),
        Some((_, Ok(seconds))) => Ok(Some(Duration::from_secs(seconds))),
        Some(_) if !used => Ok(None),
        Some((text, Err(_))) => {
            Err(SessionError::Organisation(format!("{name}={text}: a whole number of seconds is meant")))
        }
    }
}

/// How long an organisation takes at the most before and after what runs on it; nothing where none is made.
///
/// # Errors
/// A kind of target or a limit that is none.
pub(crate) fn around(args: &TargetSettings, of_profile: bool, env: &Env) -> Result<Duration, SessionError> {
    let makes_one = of_profile || kind_of(args, env)?.has_control_plane();
    if makes_one { Ok(waits(&args.org_within, env, true)?.sum()) } else { Ok(Duration::ZERO) }
}

/// How the proxy of the platform's models is asked.
fn proxy(url: String, within: Option<Duration>) -> LlmProxy {
    LlmProxy { url, within: within.unwrap_or(Duration::from_secs(30)) }
}

/// The control plane's own proxy is asked too when the platform pays for what a run creates there.
pub(super) fn learn_proxy(settings: &mut saas::Settings, instances: &[Instance], env: &Env) {
    let on_platform = |create: Foreseen| LlmPath::of_scripts(Some(&create.llm_path)) == LlmPath::Platform;
    let runs = instances.iter().filter(|i| i.skip.is_none());
    if let (None, Some(cp)) = (&settings.llm_proxy, &settings.cp_url)
        && runs.flat_map(creates).any(on_platform)
    {
        let within = seconds(env, PROXY_TIMEOUT, false).ok().flatten();
        settings.llm_proxy = Some(proxy(format!("{}{LLM_PROXY_ROUTE}", cp.trim_end_matches('/')), within));
    }
}

/// Until when, from now on, the organisations of a run are somebody's: as long as it may take at the most, clean-up
/// included. A sweep of another machine that comes earlier would take them from a run that lives.
pub(super) fn lease(settings: &saas::Settings, instances: &[Instance], asked: &RunSettings) -> Duration {
    let runs = || instances.iter().filter(|instance| instance.skip.is_none());
    let body = at_most(runs(), asked);
    let jobs = asked.jobs.unwrap_or(JOBS).max(1) as usize;
    let turns = (runs().count() * asked.rounds()).div_ceil(jobs) as u32;
    // Organisations after the first are made and purged while scenarios run.
    let others = if settings.spread == Spread::default() { 0 } else { turns };
    let made = settings.waits.sum().saturating_mul(others.saturating_add(1));
    settings.lease.max(body.saturating_add(made)).min(LONGEST_LEASE)
}

/// What was in an organisation is gone with it: also what the platform would not remove, which is told and is no leak.
pub(super) fn took_all_with_it(finished: &mut RunFinished, ledger: &Ledger) {
    const BY: &str = "went with its organisation";
    for entry in ledger.all_open() {
        ledger.release(&entry.resource, BY, None);
    }
    for entry in ledger.left() {
        ledger.took_after_all(&entry.resource, BY);
    }
    finished.left.clear();
    if finished.exit == ExitCode::Leak {
        let flaky = [Verdict::Flaky, Verdict::UnexpectedPass];
        let flaky = flaky.iter().any(|verdict| finished.counts.contains_key(verdict));
        finished.exit = if flaky { ExitCode::Flaky } else { ExitCode::Passed };
        finished.code = finished.exit.code();
        finished.reason = finished.exit.meaning().to_owned();
    }
}

/// Purges it; every interrupt meanwhile leaves less time.
pub(super) async fn down(
    stage: &mut Stage,
    log: &Log,
    signals: &mut Signals,
    ended: &mut Result<RunFinished, SessionError>,
) -> Vec<String> {
    let mut hurry = Hurry::None;
    for _ in 0..signals.interrupts() {
        hurry = hurry.more();
    }
    let (sender, _kept) = watch::channel(hurry);
    let mut done = std::pin::pin!(stage.down(&sender));
    loop {
        let code = tokio::select! {
            biased;
            left = &mut done => return left,
            code = signals.interrupted() => code,
        };
        // Later ones leave less time; how the run ends is decided.
        if *sender.borrow() == Hurry::None {
            let reason = match code {
                ExitCode::Terminated => CancelReason::Terminated,
                _ => CancelReason::Interrupted,
            };
            log.emit(EventKind::CancelBegan { reason });
        }
        sender.send_modify(|hurry| *hurry = hurry.more());
        brought_up::interrupt(ended, code, "interrupted while the organisation was purged");
    }
}
