//! `lifecycle doctor`: what this machine can, what each target lacks, and what to type.

use serde::Serialize;

use super::args::DoctorArgs;
use super::failure::CliError;
use super::runtime::runtime;
use super::{Shell, format};
use crate::docker::{Engine, EngineError};
use crate::domain::ExitCode;
use crate::report::text::wrap;
use crate::session::profile::Foreseeable;
use crate::targets;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    level: Level,
    what: String,
    text: String,
    /// What to type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    next: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// Set, and not asked.
    Set,
    /// Not there, and only some runs need it.
    None,
    Fail,
}

impl Finding {
    fn new(level: Level, what: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding { level, what: what.into(), text: text.into(), next: Vec::new() }
    }

    fn next(mut self, line: impl Into<String>) -> Finding {
        self.next.push(line.into());
        self
    }
}

/// Looks at everything that a run on this machine needs.
pub(crate) fn run(args: &DoctorArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let mut findings = vec![runs_folder(shell), open_files(), project(shell)];
    let runtime = runtime()?;
    findings.push(runtime.block_on(embedded()));
    let engine = runtime.block_on(engine(shell));
    findings.extend(match &engine {
        Ok((engine, about)) => on_the_engine(engine, about),
        Err(error) => {
            let mut missing = Finding::new(Level::None, "container engine", &error.what);
            missing.next.clone_from(&error.check);
            let target = Finding::new(Level::None, "target docker", "it needs a container engine");
            vec![
                missing,
                target.next("start Docker, or set DOCKER_HOST; then `lifecycle run --target docker`"),
            ]
        }
    });
    findings.push(live(shell));
    let engine = engine.ok().map(|(engine, _)| engine);
    for profile in crate::session::profile::doctor(shell) {
        findings.push(runtime.block_on(one_profile(profile, engine.as_ref())));
    }
    let able = findings.iter().all(|finding| finding.level != Level::Fail);
    if args.format.is_json() {
        format::print(shell, &findings)?;
    } else {
        for finding in &findings {
            let word = match finding.level {
                Level::Ok => "ok  ",
                Level::Set => "set ",
                Level::None => "none",
                Level::Fail => "FAIL",
            };
            let text = format!("{}: {}", finding.what, finding.text);
            let lines = match shell.printer.stdout_is_tty() {
                true => wrap(&text, shell.printer.width().saturating_sub(5), usize::MAX),
                false => vec![text],
            };
            shell.printer.data(&format!("{word} {}", lines.join("\n     ")))?;
            for line in &finding.next {
                shell.printer.data(&format!("       → {line}"))?;
            }
        }
    }
    Ok(if able { ExitCode::Passed } else { ExitCode::Environment })
}

fn runs_folder(shell: &Shell) -> Finding {
    let runs = &shell.runs_dir;
    let probe = runs.join(".doctor");
    let written = std::fs::create_dir_all(runs)
        .and_then(|()| std::fs::write(&probe, "x"))
        .and_then(|()| std::fs::remove_file(&probe));
    let finding = |level, text| Finding::new(level, "runs folder", text);
    match written {
        Ok(()) => finding(Level::Ok, format!("{} can be written", runs.display())),
        Err(e) => {
            finding(Level::Fail, format!("{}: {e}", runs.display())).next("--runs-dir DIR writes elsewhere")
        }
    }
}

fn open_files() -> Finding {
    let finding = |level, text: String| Finding::new(level, "open files", text);
    match rlimit::increase_nofile_limit(65_536) {
        Ok(n) if n >= 1_024 => finding(Level::Ok, format!("{n} at once")),
        Ok(n) => finding(Level::Fail, format!("only {n} at once")).next("ulimit -n 4096"),
        Err(e) => finding(Level::Fail, e.to_string()).next("ulimit -n 4096"),
    }
}

fn project(shell: &Shell) -> Finding {
    match &shell.project {
        Some(project) => Finding::new(Level::Ok, "project", project.file.display().to_string()),
        None => Finding::new(Level::None, "project", "there is no lifecycle.yaml here or above")
            .next("lifecycle init writes one"),
    }
}

async fn embedded() -> Finding {
    let started = targets::embedded::start(&targets::embedded::Settings::default()).await;
    match started {
        Ok(started) => {
            let url = started.platform.base_url();
            started.platform.stop().await;
            started.provider.stop().await;
            Finding::new(Level::Ok, "embedded platform", format!("starts ({url})")).next("lifecycle run")
        }
        Err(e) => {
            let mut finding = Finding::new(Level::Fail, "embedded platform", e.what);
            finding.next = e.check;
            finding
        }
    }
}

async fn engine(shell: &Shell) -> Result<(Engine, crate::docker::About), EngineError> {
    let engine = shell.env.docker().connect()?;
    engine.ping().await?;
    let about = engine.about().await?;
    Ok((engine, about))
}

/// What the engine is, and what `--target docker` lacks on it.
fn on_the_engine(engine: &Engine, about: &crate::docker::About) -> Vec<Finding> {
    let shown = format!("{} (API {}) at {}", about.version, about.api, engine.endpoint());
    let mut findings = vec![match about.trouble() {
        Some(trouble) => Finding::new(Level::None, "container engine", trouble),
        None => Finding::new(Level::Ok, "container engine", shown),
    }];
    let mut target =
        Finding::new(Level::Ok, "target docker", "every workspace is a container of this engine")
            .next("lifecycle run --target docker");
    let lacks = |text: String, next: &str| Finding::new(Level::None, "target docker", text).next(next);
    if let Some(trouble) = about.trouble() {
        target = lacks(trouble, "lifecycle run (embedded) needs no engine");
    } else if about.rootless {
        let text = "the engine is rootless: its bridge cannot reach this machine";
        target = lacks(text.to_owned(), "DOCKER_HOST names an engine that is not rootless");
    } else if about.architecture != std::env::consts::ARCH {
        let text = format!("the engine runs {} programs", about.architecture);
        target = lacks(text, "--agent-image names an image of the agent for it");
    }
    findings.push(target);
    if !about.limits {
        let text = "memory and CPU limits do not work: scenarios that need `limits` are skipped";
        findings.push(Finding::new(Level::None, "limits", text).next("mount the cgroup controllers"));
    }
    findings
}

fn live(shell: &Shell) -> Finding {
    let Some(url) = shell.env.base_url() else {
        return Finding::new(Level::None, "live server", "BASE is not set, nor ADMIN_TOKEN")
            .next("lifecycle run --base-url URL --admin-token TOKEN");
    };
    let finding = Finding::new(Level::Set, "live server", format!("BASE is {url}, which was not asked"));
    match shell.env.admin_token() {
        Some(_) => finding.next("lifecycle run --target live"),
        None => finding.next("no admin token is set: --admin-token TOKEN, or the variable ADMIN_TOKEN"),
    }
}

/// Variables, an engine and images: what a profile wants before it can start anything.
async fn one_profile(profile: Foreseeable, engine: Option<&Engine>) -> Finding {
    let what = format!("profile {}", profile.name);
    let summary = match profile.built_in_plane {
        true => {
            format!("{} Here on a control plane of this program: MOLECULE_CP_URL is not set", profile.summary)
        }
        false => profile.summary,
    };
    if let Some(lack) = profile.lack {
        let mut finding = Finding::new(Level::None, what, lack);
        finding.next.extend(profile.unset.iter().map(|name| format!("export {name}=…")));
        return finding;
    }
    let Some(engine) = engine else {
        return match profile.images.is_empty() {
            true => Finding::new(Level::Ok, what, summary)
                .next(format!("lifecycle run --profile {}", profile.name)),
            false => Finding::new(Level::None, what, "it needs a container engine").next(format!(
                "start Docker, or set DOCKER_HOST; then `lifecycle run --profile {}`",
                profile.name
            )),
        };
    };
    let mut missing = Vec::new();
    for image in &profile.images {
        match engine.has_image(image).await {
            Ok(true) => {}
            Ok(false) => missing.push(image.clone()),
            Err(error) => return Finding::new(Level::None, what, error.what),
        }
    }
    if missing.is_empty() {
        return Finding::new(Level::Ok, what, summary)
            .next(format!("lifecycle run --profile {}", profile.name));
    }
    let text = format!("not on this engine, and nothing is pulled: {}", missing.join(", "));
    let mut finding = Finding::new(Level::None, what, text);
    finding.next.extend(missing.iter().map(|image| format!("docker pull {image}")));
    finding
}
