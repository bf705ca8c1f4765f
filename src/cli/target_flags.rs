//! Flags and environment → settings of a target.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shell;
use super::args::{QuirksArg, TargetArgs};
use super::failure::CliError;
use crate::domain::{ExitCode, Secret};
use crate::http;
use crate::models::catalogue::Catalogue;
use crate::reference::faults::{ALL, FaultError, Faults};
use crate::reference::options::Quirks;
use crate::source::did_you_mean;
use crate::targets::{self, Kind};

/// Flags and environment, as a target's settings.
pub(crate) fn target_settings(
    args: &TargetArgs,
    shell: &Shell,
    seed: Option<u64>,
    catalogue: Arc<Catalogue>,
) -> Result<targets::Settings, CliError> {
    let named = shell.env.get("LIFECYCLE_TARGET").map(|text| {
        <Kind as clap::ValueEnum>::from_str(text, true).map_err(|_| {
            let names = [Kind::Embedded.as_str(), Kind::Docker.as_str(), Kind::Live.as_str()];
            CliError::new(
                ExitCode::BadInput,
                format!("LIFECYCLE_TARGET is `{text}`; {}", did_you_mean(text, names)),
            )
        })
    });
    let base_url = args.base_url.clone().or_else(|| shell.env.base_url().map(str::to_owned));
    let kind = match (args.target, named.transpose()?) {
        (Some(kind), _) => kind,
        (None, _) if args.base_url.is_some() => Kind::Live,
        (None, Some(kind)) => kind,
        // What CI sets means what the flag means.
        (None, None) if base_url.is_some() => Kind::Live,
        (None, None) => Kind::Embedded,
    };
    excluded(args, kind)?;
    if kind == Kind::Live {
        let Some(url) = &base_url else {
            return Err(CliError::new(ExitCode::BadInput, "a live target needs an address")
                .next("--base-url URL, or the variable BASE"));
        };
        if let Err(why) = http::address(url) {
            return Err(CliError::new(ExitCode::BadInput, format!("the server's address {why}"))
                .next("--base-url (or BASE) is like https://server.example or http://127.0.0.1:8080"));
        }
    }
    let ca_cert = match &args.ca_cert {
        Some(path) => Some(super::files::bytes(path)?),
        None => None,
    };
    let faults = faults(&args.faults)?;
    Ok(targets::Settings {
        kind,
        base_url,
        admin_token: args.admin_token.as_deref().map(Secret::new).or_else(|| shell.env.admin_token()),
        org: args.org_id.clone().or_else(|| shell.env.org().map(str::to_owned)),
        http: http::Config {
            ca_cert,
            insecure: args.insecure,
            proxies: shell.env.proxies(),
            tls: false,
            network: None,
        },
        embedded: targets::embedded::Settings {
            time_scale: args.time_scale.unwrap_or(targets::embedded::TIME_SCALE),
            quirks: quirks(args.quirks.unwrap_or_default()),
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
            quirks: quirks(args.quirks.unwrap_or_default()),
            faults,
            seed: seed.unwrap_or_default(),
            admin_token: None,
            port: 0,
        },
        with_engine: args.docker,
        provider: args.provider_url.clone(),
        answers: args.answers,
        declared: BTreeMap::new(),
        patience: args.patience,
        catalogue,
    })
}

/// Flags that say nothing to this target are a mistake, not a wish.
fn excluded(args: &TargetArgs, kind: Kind) -> Result<(), CliError> {
    let elsewhere = [
        ("--base-url", args.base_url.is_some(), kind != Kind::Live, "a live server"),
        ("--fault", !args.faults.is_empty(), kind == Kind::Live, "a platform that the run starts"),
        ("--time-scale", args.time_scale.is_some(), kind == Kind::Live, "a platform that the run starts"),
    ];
    for (flag, given, wrong, whom) in elsewhere {
        if given && wrong {
            let text = format!("{flag} is for {whom}, and the target is {}", kind.as_str());
            return Err(CliError::new(ExitCode::BadInput, text).next("--target, or leave one of them out"));
        }
    }
    Ok(())
}

/// `--fault`, with the valid names where one is none.
pub(crate) fn faults(names: &[String]) -> Result<Faults, CliError> {
    Faults::parse(names).map_err(|error| {
        let failure = CliError::new(ExitCode::BadInput, error.to_string());
        match &error {
            FaultError::Unknown(name) => failure.next(did_you_mean(name, ALL.iter().map(|info| info.name))),
            _ => failure,
        }
    })
}

/// `--quirks` as the platform says it.
pub(crate) fn quirks(arg: QuirksArg) -> Quirks {
    match arg {
        QuirksArg::Observed => Quirks::Observed,
        QuirksArg::Intended => Quirks::Intended,
    }
}
