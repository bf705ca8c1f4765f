//! What a sweep does at control planes: organisations by the ledgers of dead runs, and by name and age.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Shell;
use super::args::SweepArgs;
use super::failure::CliError;
use super::swept::Outcome;
use crate::domain::{ExitCode, Secret};
use crate::event::{EventKind, Log, read_events};
use crate::http;
use crate::run::folder;
use crate::run::ledger::Entry;
use crate::targets::saas::{self, Desk, LeakCheck, Leaks, Made, ORGANISATION, Plane, PurgeRules, slug};

/// One organisation is gone within this.
const PURGE: PurgeRules = PurgeRules {
    limit: Duration::from_secs(180),
    leaks: Leaks { check: LeakCheck::Auto, terminate: false, within: None },
};

async fn plane(args: &SweepArgs, shell: &Shell, url: &str) -> Result<Plane, CliError> {
    let token = args.cp_token.as_deref().map(Secret::new);
    let token = token.or_else(|| shell.env.first(&["CP_ADMIN_API_TOKEN"]).map(Secret::new));
    let cp_token =
        token.or_else(|| args.admin_token.as_deref().map(Secret::new)).or_else(|| shell.env.admin_token());
    if cp_token.is_none() {
        let text = format!("the control plane {url} needs its administrator's token");
        return Err(CliError::new(ExitCode::BadInput, text)
            .next("--cp-token TOKEN, or the variables CP_ADMIN_API_TOKEN or MOLECULE_ADMIN_TOKEN"));
    }
    let ca_cert = match &args.ca_cert {
        Some(path) => Some(crate::session::files::certificates(path)?),
        None => None,
    };
    let settings = saas::Settings { cp_url: Some(url.to_owned()), cp_token, ..saas::Settings::default() };
    let http = http::Config {
        ca_cert,
        insecure: args.insecure,
        proxies: shell.env.proxies(),
        tls: false,
        network: None,
        redactor: shell.printer.redactor().clone(),
    };
    Ok(Plane::open(&settings, &http, &crate::targets::embedded::Settings::default()).await?)
}

/// Purges what a dead run made; without an address, the control plane lived in that run.
pub(super) async fn of_run(
    args: &SweepArgs,
    shell: &Shell,
    log: &Log,
    orgs: &[Entry],
    base_url: &str,
) -> Result<Outcome, CliError> {
    let desk = Desk::new(log.clone(), base_url);
    let mut outcome = Outcome::default();
    if base_url.is_empty() {
        for org in orgs {
            desk.release(&org.resource, "sweep");
        }
        outcome.removed = orgs.len();
        outcome.lines.push(format!("{} organisations went with their control plane", orgs.len()));
        return Ok(outcome);
    }
    let plane = plane(args, shell, base_url).await?;
    if let Some(token) = &plane.api.token {
        desk.secret("CP_ADMIN_API_TOKEN", token.expose());
    }
    for org in orgs {
        let made = Made { resource: org.resource.clone(), slug: org.name.clone() };
        desk.restore(made.clone());
        match saas::purge(&plane.api, &made, &desk, PURGE).await {
            None => {
                outcome.removed += 1;
                outcome.lines.push(format!("removed {ORGANISATION} {}", org.name));
            }
            Some(why) => {
                outcome.left += 1;
                outcome.lines.push(format!("could not remove {why}"));
            }
        }
    }
    Ok(outcome)
}

/// Purges organisations that no ledger here knows: by the whole form of their names and by age, and never one that
/// somebody works on.
pub(super) async fn by_name(args: &SweepArgs, shell: &Shell, url: &str) -> Result<Outcome, CliError> {
    let Some(age) = args.older_than else {
        let text = "organisations are swept by name only with an age: others may be working on theirs";
        return Err(CliError::new(ExitCode::BadInput, text).next("--older-than 2h"));
    };
    let prefix = args.org_prefix.as_deref().unwrap_or(slug::PREFIX);
    slug::check(prefix).map_err(|e| CliError::new(ExitCode::BadInput, e.to_string()))?;
    let plane = plane(args, shell, url).await?;
    let own = live(shell);
    let stale = saas::stale(&plane.api, prefix, age).await;
    let (stale, whole) =
        stale.map_err(|why| CliError::new(ExitCode::Environment, format!("{url}: {why}")))?;
    let mut outcome = Outcome::default();
    if !whole {
        let text = format!("{url} shows one page of many organisations: those on others were not looked at");
        outcome.lines.push(text);
    }
    for org in stale.into_iter().filter(|org| !own.contains(org.slug())) {
        if args.dry_run {
            outcome.lines.push(format!("would remove {ORGANISATION} {} at {url}", org.slug()));
            continue;
        }
        let made = Made { resource: String::new(), slug: org.slug().to_owned() };
        match saas::purge(&plane.api, &made, &Desk::of_nobody(), PURGE).await {
            None => {
                outcome.removed += 1;
                outcome.lines.push(format!("removed {ORGANISATION} {}", org.slug()));
            }
            Some(why) => {
                outcome.left += 1;
                outcome.lines.push(format!("could not remove {why}"));
            }
        }
    }
    Ok(outcome)
}

/// Organisations of runs that live on this machine.
fn live(shell: &Shell) -> BTreeSet<String> {
    let mut own = BTreeSet::new();
    for path in folder::list(&shell.runs_dir).into_iter().filter(|path| folder::is_live(path)) {
        let _ = read_events(&path, |event| {
            if let EventKind::Intent(intent) = event.event
                && intent.kind == ORGANISATION
            {
                own.insert(intent.name);
            }
        });
    }
    own
}
