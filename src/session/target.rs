//! Flags and environment → settings of a target.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::failure::SessionError;
use super::files;
use super::kind::kind_of;
use super::settings::{PATIENCE, TargetSettings};
use super::shell::Shell;
use crate::behaviour::overlay::Overlay;
use crate::behaviour::{self, Behaviour, Edition, Played, row};
use crate::http;
use crate::models::catalogue::Catalogue;
use crate::models::keys::GUARDED;
use crate::reference::faults::{ALL, FaultError, Faults};
use crate::source::near_or;
use crate::targets::{self, Kind};

/// Flags and environment, as a target's settings.
pub(crate) fn target_settings(
    args: &TargetSettings,
    shell: &Shell,
    seed: Option<u64>,
    catalogue: Arc<Catalogue>,
) -> Result<targets::Settings, SessionError> {
    let kind = kind_of(args, &shell.env)?;
    let base_url = args.base_url.clone().or_else(|| shell.env.base_url().map(str::to_owned));
    let saas = super::organisation::settings(args, &shell.env, kind.has_control_plane())?;
    // With a control plane of ours, so are its tenants.
    let ours = kind.is_ours() || (kind.has_control_plane() && saas.cp_url.is_none());
    excluded(args, kind, ours)?;
    if kind.needs_address() {
        let url = base_url.as_deref().ok_or(SessionError::NoAddress)?;
        http::address(url).map_err(|why| SessionError::BadAddress(why.to_string()))?;
    }
    readable(args)?;
    let ca_cert = match &args.ca_cert {
        Some(path) => Some(files::certificates(path)?),
        None => None,
    };
    let faults = faults(&args.faults)?;
    let plays = match ours {
        true => plays(args.edition.unwrap_or_default(), &args.behaviours)?,
        false => Played::default(),
    };
    let accepted = match ours && args.contract.is_none() {
        true => Overlay::default(),
        false => overlay(args.contract.as_deref())?,
    };
    one_line(args, shell)?;
    Ok(targets::Settings {
        kind,
        base_url,
        admin_token: args.admin_token.clone().or_else(|| shell.env.admin_token()),
        org: args.org_id.clone().or_else(|| shell.env.org().map(str::to_owned)),
        http: http::Config {
            ca_cert,
            insecure: args.insecure,
            proxies: shell.env.proxies(),
            tls: false,
            network: None,
            redactor: shell.printer.redactor().clone(),
        },
        embedded: targets::embedded::Settings {
            time_scale: args.time_scale.unwrap_or(targets::embedded::TIME_SCALE),
            plays,
            faults: faults.clone(),
            seed: seed.unwrap_or_default(),
            ..targets::embedded::Settings::default()
        },
        docker: targets::docker::Settings {
            engine: shell.env.docker(),
            run: String::new(),
            agent_image: args.agent_image.clone(),
            allow_privileged: args.allow_privileged,
            time_scale: args.time_scale.unwrap_or(targets::docker::TIME_SCALE),
            plays,
            faults,
            seed: seed.unwrap_or_default(),
            admin_token: None,
            port: 0,
        },
        with_engine: args.docker,
        log_source: args.server_log.clone(),
        provider: args.provider_url.clone(),
        answers: args.answers,
        declared: BTreeMap::new(),
        contract: targets::Asked {
            edition: args.edition,
            declared: args.behaviours.clone(),
            accepted,
            build: args.expect_build.clone().or_else(|| shell.env.expected_build().map(str::to_owned)),
        },
        played: None,
        saas,
        behind: None,
        patience: args.patience.unwrap_or(PATIENCE),
        catalogue,
    })
}

/// A log that cannot be read is told before the run, not at its first red.
fn readable(args: &TargetSettings) -> Result<(), SessionError> {
    match &args.server_log {
        Some(targets::LogSource::File(path)) => Ok(files::readable(path)?),
        Some(targets::LogSource::Container(name)) if !args.docker || name.is_empty() => {
            Err(SessionError::LogOfContainer)
        }
        Some(targets::LogSource::Container(_)) | None => Ok(()),
    }
}

/// What goes into a header has one line: a key that was read with the end of its line is told before anything is sent.
fn one_line(args: &TargetSettings, shell: &Shell) -> Result<(), SessionError> {
    let token = args.admin_token.as_ref().map(|token| token.expose());
    let flags = [("--admin-token", token), ("--org-id", args.org_id.as_deref())];
    let named: [&'static str; 3] = ["MOLECULE_ADMIN_TOKEN", "ADMIN_TOKEN", "MOLECULE_ORG_ID"];
    let keys = GUARDED.iter().filter(|name| !name.ends_with("_JSON"));
    let variables = named.iter().chain(keys).map(|name| (*name, shell.env.get(name)));
    let broken = |value: &str| value.chars().any(|c| c.is_control() && c != '\t');
    match flags.into_iter().chain(variables).find(|(_, value)| value.is_some_and(broken)) {
        Some((name, _)) => Err(SessionError::LineBreak { name }),
        None => Ok(()),
    }
}

/// Flags that say nothing to this target are a mistake, not a wish.
fn excluded(args: &TargetSettings, kind: Kind, ours: bool) -> Result<(), SessionError> {
    let elsewhere = [
        ("--base-url", args.base_url.is_some(), !kind.needs_address(), "a live server"),
        ("--server-log", args.server_log.is_some(), !kind.needs_address(), "a live server"),
        ("--fault", !args.faults.is_empty(), !ours, "a platform that the run starts"),
        ("--time-scale", args.time_scale.is_some(), !ours, "a platform that the run starts"),
        ("--cp-url", args.cp_url.is_some(), !kind.has_control_plane(), "a control plane (--target saas)"),
        ("--keep-org", args.keep_org, !kind.has_control_plane(), "a control plane (--target saas)"),
        ("--org", args.spread.is_some(), !kind.has_control_plane(), "a control plane (--target saas)"),
        (
            "--org-prefix",
            args.org_prefix.is_some(),
            !kind.has_control_plane(),
            "a control plane (--target saas)",
        ),
        (
            "--cp-route",
            !args.cp_routes.is_empty(),
            !ours || !kind.has_control_plane(),
            "a control plane that the run starts",
        ),
    ];
    for (flag, given, wrong, whom) in elsewhere {
        if given && wrong {
            return Err(SessionError::NotForTarget { flag, whom, kind: kind.as_str() });
        }
    }
    Ok(())
}

/// `--edition` and `--behaviour`, as a reference platform plays them.
///
/// # Errors
/// One that it cannot play.
pub(crate) fn plays(edition: Edition, changed: &BTreeMap<Behaviour, bool>) -> Result<Played, SessionError> {
    let unplayed = changed.keys().find(|behaviour| row(**behaviour).is_some_and(|row| !row.played));
    match unplayed {
        Some(behaviour) => Err(SessionError::NotPlayed(*behaviour)),
        None => Ok(Played::of(edition, changed)),
    }
}

/// The overlay that is named, or the one that lies here.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn overlay(named: Option<&Path>) -> Result<Overlay, SessionError> {
    let usual = Path::new(behaviour::overlay::FILE);
    let path = match named {
        Some(path) => path,
        None if usual.is_file() => usual,
        None => return Ok(Overlay::default()),
    };
    behaviour::overlay::read(&files::read(path)?).map_err(SessionError::Problems)
}

/// `--fault`, with the valid names where one is none.
///
/// # Errors
/// Which one is none, and which there are.
pub(crate) fn faults(names: &[String]) -> Result<Faults, SessionError> {
    Faults::parse(names).map_err(|error| {
        let hint = match &error {
            FaultError::Unknown(name) => {
                let list = "`lifecycle serve platform --help` and docs/faults.md list the faults";
                Some(near_or(name, ALL.iter().map(|info| info.name), list))
            }
            _ => None,
        };
        SessionError::Fault { text: error.to_string(), hint }
    })
}
