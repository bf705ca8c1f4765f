//! `lifecycle doctor`: is this machine able?

use super::failure::CliError;
use super::{Shell, runtime};
use crate::domain::ExitCode;
use crate::targets;

/// What the engine is, or what is wrong with it and what to type.
async fn engine_lines(settings: &crate::docker::Settings) -> Vec<(bool, String)> {
    let failed = |e: crate::docker::EngineError| {
        let mut lines = vec![(false, e.what)];
        lines.extend(e.check.into_iter().map(|hint| (false, hint)));
        lines
    };
    let engine = match settings.connect() {
        Ok(engine) => engine,
        Err(error) => return failed(error),
    };
    if let Err(error) = engine.ping().await {
        return failed(error);
    }
    let about = match engine.about().await {
        Ok(about) => about,
        Err(error) => return failed(error),
    };
    let mut lines = vec![match about.trouble() {
        Some(trouble) => (false, trouble),
        None => (true, format!("{} (API {}) at {}", about.version, about.api, engine.endpoint())),
    }];
    if about.rootless {
        let text =
            "it is rootless: its bridge cannot reach this machine; `--target docker` needs one that is not";
        lines.push((false, text.to_owned()));
    }
    if !about.limits {
        let text = "memory or CPU limits do not work: tiers are not kept; mount the cgroup controllers";
        lines.push((false, text.to_owned()));
    }
    if about.architecture != std::env::consts::ARCH {
        let text = format!(
            "it runs {} programs: --agent-image names an image of the agent for it",
            about.architecture
        );
        lines.push((false, text));
    }
    lines
}

/// Looks at everything that a run on this machine needs.
pub(crate) fn run(shell: &Shell) -> Result<ExitCode, CliError> {
    let mut able = true;
    let mut say = |ok: bool, what: &str, text: String| -> Result<(), CliError> {
        able &= ok;
        Ok(shell.printer.data(&format!("{} {what}: {text}", if ok { "ok  " } else { "FAIL" }))?)
    };
    let runs = &shell.runs_dir;
    let probe = runs.join(".doctor");
    match std::fs::create_dir_all(runs)
        .and_then(|()| std::fs::write(&probe, "x"))
        .and_then(|()| std::fs::remove_file(&probe))
    {
        Ok(()) => say(true, "runs folder", format!("{} can be written", runs.display()))?,
        Err(e) => {
            say(false, "runs folder", format!("{}: {e}; --runs-dir DIR writes elsewhere", runs.display()))?
        }
    }
    match rlimit::increase_nofile_limit(65_536) {
        Ok(n) if n >= 1_024 => say(true, "open files", format!("{n} at once"))?,
        Ok(n) => say(false, "open files", format!("only {n} at once: ulimit -n"))?,
        Err(e) => say(false, "open files", e.to_string())?,
    }
    let settings = targets::embedded::Settings::default();
    let embedded = runtime()?.block_on(async {
        let started = targets::embedded::start(&settings).await?;
        let url = started.platform.base_url();
        started.platform.stop().await;
        started.provider.stop().await;
        Ok::<_, targets::OpenError>(url)
    });
    match embedded {
        Ok(url) => say(true, "embedded platform", format!("starts ({url})"))?,
        Err(e) => say(false, "embedded platform", format!("{}; {}", e.what, e.check.join("; ")))?,
    }
    // Only some scenarios need an engine: that there is none is told, and no reason to fail.
    for (ok, text) in runtime()?.block_on(engine_lines(&shell.env.docker())) {
        shell.printer.data(&format!("{} container engine: {text}", if ok { "ok  " } else { "none" }))?;
    }
    for (ready, text) in crate::session::profile::doctor(shell) {
        shell.printer.data(&format!("{} profile {text}", if ready { "ok  " } else { "none" }))?;
    }
    match shell.env.base_url() {
        Some(url) => shell.printer.data(&format!(
            "set  live server: BASE is {url}, which was not asked; `lifecycle run --target live` uses it"
        ))?,
        None => say(true, "live server", "none is set (BASE, ADMIN_TOKEN)".to_owned())?,
    }
    Ok(if able { ExitCode::Passed } else { ExitCode::Environment })
}
