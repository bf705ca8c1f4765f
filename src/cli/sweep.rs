//! `lifecycle sweep`: removes what earlier runs left, by their ledgers and nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::args::SweepArgs;
use super::failure::CliError;
use super::runtime::runtime;
use super::swept::Outcome;
use super::{Shell, format, sweep_docker, sweep_org, sweep_profile};
use crate::domain::words::count;
use crate::domain::{ExitCode, Secret};
use crate::event::{EventKind, Log};
use crate::http;
use crate::redact::Redactor;
use crate::run::folder::{self, RunFolder};
use crate::run::ledger::{Entry, Ledger};
use crate::runner::owing::{self, Owing};
use crate::runner::{bundle, sweep};
use crate::targets::profile::books;
use crate::targets::saas::ORGANISATION;
use crate::targets::{self, Kind};

/// Sweeps all runs that do not live.
pub(crate) fn run(args: &SweepArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let (mut left, mut swept, mut kept, mut forgotten) = (0, 0, 0, 0);
    let mut unreachable: Option<CliError> = None;
    let mut why_kept = "";
    let mut rows = Vec::new();
    let json = args.format.is_json();
    // Each server that is gone is waited for once.
    let mut gone = BTreeSet::new();
    for path in folder::list(&shell.runs_dir) {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if folder::is_live(&path) {
            shell.printer.note(&format!("{name}: lives, left alone"))?;
            continue;
        }
        if args.older_than.is_some_and(|limit| age(&path) < limit) {
            continue;
        }
        let owing = match owing::read(&path) {
            Ok(Some(owing)) => owing,
            Ok(None) => continue,
            Err(why) => {
                shell.printer.talk(&format!("{name}: {why}"))?;
                left += 1;
                continue;
            }
        };
        for remark in &owing.remarks {
            shell.printer.talk(&format!("{name}: {remark}"))?;
        }
        if args.dry_run {
            for entry in owing.entries.iter().chain(&owing.parts).chain(&owing.orgs) {
                let id = entry.id.as_deref().unwrap_or("(id unknown: found by its name)");
                let at = match owing.home.base_url.as_str() {
                    _ if entry.kind == ORGANISATION => format!(" at {}", owing.plane),
                    url if !url.is_empty() && !books::KINDS.contains(&entry.kind.as_str()) => {
                        format!(" at {url}")
                    }
                    _ => String::new(),
                };
                // What lived in the run's own process ended with it: there is nothing to remove.
                let ended = owing.embedded && owing.entries.iter().any(|e| e.resource == entry.resource);
                if json {
                    let would = if ended { "ended_with_platform" } else { "would_remove" };
                    rows.push(json!({ "run": name, would: entry.kind, "name": entry.name,
                        "id": entry.id, "at": owing.home.base_url }));
                    continue;
                }
                let what = match ended {
                    true => format!("{} {} ended with its platform", entry.kind, entry.name),
                    false => format!("would remove {} {} {id}{at}", entry.kind, entry.name),
                };
                shell.printer.data(&format!("{name}: {what}"))?;
            }
            continue;
        }
        let owned = owing.entries.len();
        let url = owing.home.base_url.clone();
        if gone.contains(&url) && owing.is_on_a_server_alone() && !args.forget {
            let why = format!("{url} did not answer a moment ago");
            shell.printer.talk(&format!("{name}: {why}"))?;
            rows.push(json!({ "run": name, "not_removed": owned, "error": why }));
            kept += owned;
            continue;
        }
        match runtime()?.block_on(sweep(args, shell, &path, owing)) {
            Ok(outcome) => {
                for line in outcome.lines.iter().filter(|_| !json) {
                    shell.printer.data(&format!("{name}: {line}"))?;
                }
                rows.push(json!({ "run": name, "removed": outcome.removed, "left": outcome.left,
                    "lines": outcome.lines }));
                left += outcome.left;
                swept += outcome.removed;
                forgotten += outcome.forgotten;
            }
            Err(NotSwept { error, refused }) => {
                shell.printer.talk(&format!("{name}: {}", error.draw(&shell.printer)))?;
                rows.push(json!({ "run": name, "not_removed": owned, "error": error.text() }));
                kept += owned;
                if !refused {
                    gone.insert(url);
                }
                why_kept = if refused { "credential refused" } else { "server unreachable" };
                unreachable = Some(error);
            }
        }
    }
    if let Some(url) = &args.cp_url {
        match runtime()?.block_on(sweep_org::by_name(args, shell, url)) {
            Ok(outcome) => {
                for line in &outcome.lines {
                    shell.printer.data(line)?;
                }
                left += outcome.left;
                swept += outcome.removed;
            }
            Err(error) => {
                shell.printer.talk(&error.draw(&shell.printer))?;
                unreachable = Some(error);
            }
        }
    }
    if args.docker {
        match runtime()?.block_on(sweep_docker::all(args, shell)) {
            Ok(more) => {
                swept += more.removed;
                left += more.left;
            }
            Err(error) => {
                shell.printer.talk(&error.draw(&shell.printer))?;
                unreachable = Some(error);
            }
        }
    }
    let code = match &unreachable {
        Some(error) => error.code,
        None if left > 0 => ExitCode::Leak,
        None => ExitCode::Passed,
    };
    if json {
        let whole = json!({ "removed": swept, "left": left, "not_removed": kept, "forgotten": forgotten, "runs": rows,
            "exit": code.code() });
        format::print(shell, &whole)?;
    } else if !args.dry_run {
        let kept = if kept > 0 { format!(", {kept} not removed: {why_kept}") } else { String::new() };
        let gone = if forgotten > 0 { format!(", {forgotten} forgotten") } else { String::new() };
        shell.printer.note(&format!("{swept} removed, {left} left{gone}{kept}"))?;
    }
    Ok(code)
}

/// Why a run was not swept.
struct NotSwept {
    error: CliError,
    /// Its server was reached and this credential was refused or held back.
    refused: bool,
}

impl From<CliError> for NotSwept {
    fn from(error: CliError) -> Self {
        NotSwept { error, refused: false }
    }
}

async fn sweep(args: &SweepArgs, shell: &Shell, path: &Path, owing: Owing) -> Result<Outcome, NotSwept> {
    let fail = |e: &dyn std::fmt::Display| CliError::new(ExitCode::Environment, e.to_string());
    let _lock = RunFolder::reopen(path).map_err(|e| fail(&e))?;
    let redactor = Redactor::new();
    let token = args.admin_token.as_deref().map(Secret::new).or_else(|| shell.env.admin_token());
    if let Some(token) = &token {
        redactor.register("ADMIN_TOKEN", token.expose());
    }
    let log = Log::reopen(path, redactor).map_err(|e| fail(&e))?;
    let (home, once) = (owing.home.clone(), owing.once.clone());
    let ledger = Ledger::restore(log.clone(), home, owing.entries.clone(), once, owing.slowest);
    if owing.own_server || owing.ran || !owing.parts.is_empty() {
        let swept = sweep_profile::parts(shell, path, &log, &owing.parts, args.older_than.is_some()).await;
        let entries: &[Entry] = if owing.own_server { &owing.entries } else { &[] };
        let outcome = sweep_profile::with_its_server(shell, &ledger, entries, swept).await;
        if owing.own_server || owing.entries.is_empty() {
            return Ok(outcome);
        }
        for line in &outcome.lines {
            shell.printer.data(line).map_err(CliError::from)?;
        }
    }
    if !owing.orgs.is_empty() {
        let mut outcome = sweep_org::of_run(args, shell, &log, &owing.orgs, &owing.plane).await?;
        // What was in an organisation is gone with it.
        if outcome.left == 0 {
            for entry in &owing.entries {
                ledger.release(&entry.resource, "went with its organisation", None);
            }
            outcome.removed += owing.entries.len();
        } else {
            outcome.left += owing.entries.len();
        }
        return Ok(outcome);
    }
    if owing.entries.is_empty() && owing.watched.is_empty() {
        return Ok(Outcome::default());
    }
    if owing.docker {
        let run = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        sweep_docker::went_with_its_platform(shell, &run).await?;
    }
    if owing.embedded || owing.docker {
        for entry in &owing.entries {
            ledger.release(&entry.resource, "sweep", None);
        }
        let n = owing.entries.len();
        let lines = vec![format!("{} ended with the platform of the run", count(n, "resource"))];
        // Containers were removed; what lived in that process was not there any more.
        let removed = if owing.embedded { 0 } else { n };
        return Ok(Outcome { lines, removed, ..Outcome::default() });
    }
    if let Some(token) = &token
        && !(owing.entries.is_empty() && owing.watched.is_empty())
        && !owing.home.is_sealed_by(token)
        && !shell.env.base_url().is_some_and(|named| is_same(named, &owing.home.base_url))
    {
        if owing.entries.is_empty() {
            return Ok(Outcome::default());
        }
        let url = &owing.home.base_url;
        let what = format!(
            "{} things are at {url}, where this admin token was not used by the run",
            owing.entries.len()
        );
        let error = CliError::new(ExitCode::Leak, what)
            .next(format!("the credential was called {}: give that server's own", owing.home.credential))
            .next(format!("MOLECULE_BASE_URL={url} or BASE={url} says that the token is meant for it"));
        return Err(NotSwept { error, refused: true });
    }
    let ca_cert = match &args.ca_cert {
        Some(path) => Some(crate::session::files::certificates(path).map_err(CliError::from)?),
        None => None,
    };
    let settings = targets::Settings {
        kind: Kind::of_an_address(),
        base_url: Some(owing.home.base_url.clone()),
        admin_token: token,
        org: owing.home.org.clone(),
        http: http::Config {
            ca_cert,
            insecure: args.insecure,
            proxies: shell.env.proxies(),
            tls: false,
            network: None,
            redactor: shell.printer.redactor().clone(),
        },
        embedded: targets::embedded::Settings::default(),
        docker: targets::docker::Settings {
            engine: shell.env.docker(),
            ..targets::docker::Settings::default()
        },
        with_engine: args.docker || owing.containers,
        log_source: None,
        provider: None,
        answers: None,
        declared: std::collections::BTreeMap::new(),
        contract: targets::Asked::default(),
        played: None,
        saas: targets::saas::Settings::default(),
        behind: None,
        patience: Duration::from_secs(5),
        catalogue: std::sync::Arc::new(crate::models::catalogue::Catalogue::built_in().clone()),
    };
    let target = match targets::open(&settings).await {
        Ok(target) => target,
        // Nothing is owed there: it was only to be seen that nothing came back.
        Err(_) if owing.entries.is_empty() => return Ok(Outcome::default()),
        Err(error) if args.forget && !error.refused => {
            let lines = owing.entries.iter().map(|entry| {
                ledger.release(&entry.resource, "forgotten: its server is gone", None);
                format!("forgotten {} {} at {}", entry.kind, entry.name, owing.home.base_url)
            });
            let forgotten = owing.entries.len();
            return Ok(Outcome { lines: lines.collect(), forgotten, ..Outcome::default() });
        }
        Err(error) if error.refused => {
            let hint = format!("that run used {}: set it", owing.home.credential);
            return Err(NotSwept { error: CliError::from(error).next(hint), refused: true });
        }
        Err(error) => {
            let hint = "a server that is gone for good: `lifecycle sweep --forget` closes its ledger";
            return Err(CliError::from(error).next(hint).into());
        }
    };
    let mut heard = log.listen();
    let run = bundle::sweeper(&target, log, ledger.clone(), &owing.tail);
    let back = sweep::sweep(&run, &owing.watched).await;
    target.close().await;
    let tally = ledger.tally();
    let mut lines = Vec::new();
    for entry in &owing.entries {
        let left = ledger.left().iter().any(|l| l.resource == entry.resource);
        let what = if left { "could not remove" } else { "removed" };
        lines.push(format!(
            "{what} {} {} {}",
            entry.kind,
            entry.name,
            entry.id.as_deref().unwrap_or_default()
        ));
    }
    lines.extend(back.lines);
    while let Ok(event) = heard.try_recv() {
        if let EventKind::Warning { text, .. } = &event.event {
            lines.push(text.clone());
        }
    }
    Ok(Outcome {
        lines,
        removed: tally.removed + back.removed,
        left: tally.left + back.left,
        ..Outcome::default()
    })
}

/// Whether two addresses are the same but for a slash at the end.
fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// How long ago a run's log was last written to.
fn age(path: &Path) -> Duration {
    let modified = std::fs::metadata(path.join("events.jsonl")).and_then(|m| m.modified());
    let at = modified.ok().and_then(|at| jiff::Timestamp::try_from(at).ok());
    at.and_then(|at| Duration::try_from(crate::clock::wall().duration_since(at)).ok()).unwrap_or_default()
}
