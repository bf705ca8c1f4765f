//! `lifecycle doctor`: is this machine able?

use super::failure::CliError;
use super::{Shell, runtime};
use crate::domain::ExitCode;
use crate::target;

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
    let settings = target::embedded::Settings::default();
    let embedded = runtime()?.block_on(async {
        let started = target::embedded::start(&settings).await?;
        let url = started.platform.base_url();
        started.platform.stop().await;
        started.provider.stop().await;
        Ok::<_, target::OpenError>(url)
    });
    match embedded {
        Ok(url) => say(true, "embedded platform", format!("starts ({url})"))?,
        Err(e) => say(false, "embedded platform", format!("{}; {}", e.what, e.check.join("; ")))?,
    }
    match shell.env.base_url() {
        Some(url) => {
            say(true, "live server", format!("BASE is {url}; `lifecycle run --target live` uses it"))?
        }
        None => say(true, "live server", "none is set (BASE, ADMIN_TOKEN)".to_owned())?,
    }
    Ok(if able { ExitCode::Passed } else { ExitCode::Environment })
}
