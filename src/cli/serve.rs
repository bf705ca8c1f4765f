//! `lifecycle serve`: parts of the reference platform, each a server of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Shell;
use super::args_serve::{Part, ServeAgent, ServeArgs, ServeControlPlane, ServePlatform, ServeProvider};
use super::failure::CliError;
use super::runtime::runtime;
use crate::domain::{ExitCode, Secret};
use crate::reference::options::{AgentKind, BootTiming, Mode, Options};
use crate::reference::{agent, control_plane as plane, provider, server};
use crate::run::signals::Signals;
use crate::session::left_on_engine;
use crate::session::target::{faults, plays};
use crate::targets;

/// Serves until it is told to stop.
pub(crate) fn run(args: ServeArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    // A server for a thousand workspaces needs as many descriptors; a limit that cannot be raised is respected.
    let _ = rlimit::increase_nofile_limit(65_536);
    runtime()?.block_on(async {
        match args.part {
            Part::Platform(args) => platform(args, shell).await,
            Part::ControlPlane(args) => control_plane(args, shell).await,
            Part::Provider(args) => provider(args, shell).await,
            Part::Agent(args) => agent(args, shell).await,
        }
    })
}

fn cannot_listen(what: &str, error: &std::io::Error) -> CliError {
    CliError::new(ExitCode::Environment, format!("cannot start the {what}: {error}"))
        .next("--listen ADDRESS:PORT; port 0 takes a free one")
}

/// The platform with containers, for `--target live --docker` and by hand.
async fn platform_with_containers(args: ServePlatform, shell: &Shell) -> Result<ExitCode, CliError> {
    let mut signals = Signals::listen()?;
    let faults = faults(&args.faults)?;
    let given = args.admin_token.as_deref().map(Secret::new).or_else(|| shell.env.admin_token());
    let stamp = crate::clock::wall().strftime("%Y%m%d-%H%M%S").to_string();
    let run = format!("{stamp}-serve-{:08x}", crate::chance::random::<u32>());
    let settings = targets::docker::Settings {
        engine: shell.env.docker(),
        run,
        agent_image: args.agent_image,
        allow_privileged: args.allow_privileged,
        time_scale: args.time_scale,
        plays: plays(args.edition, &args.behaviours.iter().copied().collect())?,
        faults,
        seed: args.seed,
        admin_token: given.clone(),
        port: args.listen.first().map_or(0, std::net::SocketAddr::port),
    };
    let started = tokio::select! {
        biased;
        started = targets::docker::start(&settings) => started?,
        code = signals.ended() => {
            let left = crate::clock::timeout(ABANDON, targets::docker::abandon(&settings)).await;
            let left = left.unwrap_or_else(|_| vec!["what it may have made: the engine did not answer in time".to_owned()]);
            return told(&left, code, shell);
        }
    };
    shell.printer.data(&started.platform.base_url())?;
    shell.printer.note(&format!("provider: {}", started.provider.base_url()))?;
    if given.is_none() {
        shell.printer.note(&format!("admin token: {}", started.admin_token.expose()))?;
    }
    shell.printer.note("stop it with Ctrl-C: its containers go with it")?;
    let code = signals.ended().await;
    let left = tokio::select! {
        biased;
        left = started.stop() => left,
        // Whoever asks twice does not wait.
        _ = signals.ended() => vec!["what it made: interrupted before it was removed".to_owned()],
    };
    told(&left, code, shell)
}

/// What was made by a start that was interrupted is removed within this, or told.
const ABANDON: Duration = Duration::from_secs(5);

fn told(left: &[String], code: ExitCode, shell: &Shell) -> Result<ExitCode, CliError> {
    for what in left {
        shell.printer.talk(&left_on_engine(what))?;
    }
    Ok(if left.is_empty() { code } else { ExitCode::Leak })
}

async fn platform(args: ServePlatform, shell: &Shell) -> Result<ExitCode, CliError> {
    if args.docker {
        return platform_with_containers(args, shell).await;
    }
    let mut signals = Signals::listen()?;
    let faults = faults(&args.faults)?;
    let given = args.admin_token.as_deref().map(Secret::new).or_else(|| shell.env.admin_token());
    let generated = given.is_none();
    let admin_token =
        given.unwrap_or_else(|| Secret::new(format!("lc-admin-{:032x}", crate::chance::random::<u128>())));
    let stands_in =
        provider::start(provider::Options { accept_any_key: true, ..provider::Options::default() })
            .await
            .map_err(|e| cannot_listen("provider", &e))?;
    let plays = plays(args.edition, &args.behaviours.iter().copied().collect())?;
    let running = server::start(Options {
        listen: args.listen,
        admin_token: admin_token.clone(),
        time_scale: args.time_scale,
        edition: plays.edition,
        behaviours: plays.behaviours,
        inspect: args.inspect,
        mode: if args.production { Mode::Production } else { Mode::Development },
        faults,
        seed: args.seed,
        llm_proxy: !args.no_proxy,
        boot: BootTiming { provision: args.boot, jitter: args.jitter, ..BootTiming::default() },
        agent: if args.stub { AgentKind::Stub } else { AgentKind::Reference },
        heartbeat: Duration::from_secs(5),
        server_env: if args.no_proxy {
            Default::default()
        } else {
            crate::targets::embedded::proxy_env(&stands_in.base_url())
        },
        provider: Some(stands_in.base_url()),
        ..Options::default()
    })
    .await
    .map_err(|e| cannot_listen("platform", &e))?;
    // The first line is for programs; a generated token is told to nobody else.
    shell.printer.data(&running.base_url())?;
    shell.printer.note(&format!("provider: {}", stands_in.base_url()))?;
    if generated {
        shell.printer.note(&format!("admin token: {}", admin_token.expose()))?;
    }
    shell.printer.note("stop it with Ctrl-C")?;
    let code = signals.ended().await;
    running.stop().await;
    stands_in.stop().await;
    Ok(code)
}

async fn control_plane(args: ServeControlPlane, shell: &Shell) -> Result<ExitCode, CliError> {
    let mut signals = Signals::listen()?;
    let given = args.admin_token.as_deref().map(Secret::new).or_else(|| shell.env.admin_token());
    let generated = given.is_none();
    let admin_token =
        given.unwrap_or_else(|| Secret::new(format!("lc-cp-{:032x}", crate::chance::random::<u128>())));
    let stands_in =
        provider::start(provider::Options { accept_any_key: true, ..provider::Options::default() })
            .await
            .map_err(|e| cannot_listen("provider", &e))?;
    let mut tenant_env = targets::embedded::proxy_env(&stands_in.base_url());
    tenant_env.extend(args.tenant_env);
    let running = plane::start(plane::Options {
        listen: args.listen,
        admin_token: admin_token.clone(),
        shared_secret: args.shared_secret.map(Secret::new),
        time_scale: args.time_scale,
        tenant_env,
        provider: Some(stands_in.base_url()),
        august: args.august,
        quota: args.quota,
        advertise: args.advertise,
        rules: args.routes,
        ..plane::Options::default()
    })
    .await
    .map_err(|e| cannot_listen("control plane", &e))?;
    shell.printer.data(&running.base_url())?;
    shell.printer.note(&format!("provider: {}", stands_in.base_url()))?;
    if generated {
        shell.printer.note(&format!("admin token: {}", admin_token.expose()))?;
    }
    shell.printer.note("stop it with Ctrl-C: its organisations go with it")?;
    let code = signals.ended().await;
    running.stop().await;
    stands_in.stop().await;
    Ok(code)
}

async fn provider(args: ServeProvider, shell: &Shell) -> Result<ExitCode, CliError> {
    let mut signals = Signals::listen()?;
    let keys: BTreeSet<String> = args.keys.into_iter().collect();
    let running = provider::start(provider::Options {
        listen: args.listen,
        accept_any_key: keys.is_empty(),
        keys,
        ..provider::Options::default()
    })
    .await
    .map_err(|e| cannot_listen("provider", &e))?;
    shell.printer.data(&running.base_url())?;
    let code = signals.ended().await;
    running.stop().await;
    Ok(code)
}

async fn agent(args: ServeAgent, shell: &Shell) -> Result<ExitCode, CliError> {
    let mut signals = Signals::listen()?;
    let running = agent::start(agent::Settings {
        env: shell.env.vars().clone(),
        listen: args.listen,
        kind: if args.stub { AgentKind::Stub } else { AgentKind::Reference },
        heartbeat: args.heartbeat,
        time_scale: args.time_scale,
        tell: Some(tell),
    })
    .await
    .map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidInput => {
            CliError::new(ExitCode::BadInput, format!("cannot start the agent: {e}"))
                .next("WORKSPACE_ID and PLATFORM_URL must be set (contract §9.3)")
        }
        _ => cannot_listen("agent", &e),
    })?;
    shell.printer.data(&format!("http://{}", running.addr))?;
    let code = signals.ended().await;
    running.stop().await;
    Ok(code)
}

/// A line that cannot be written is no reason for an agent to end.
fn tell(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
