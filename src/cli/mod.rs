//! The command line: one file a command, and the only reader of settings.

mod args;
mod args_serve;
mod args_target;
mod behaviours;
mod candidates;
mod check;
mod check_times;
mod codes;
mod codes_table;
mod complete;
mod diagnose;
mod diff;
mod drift;
mod doctor;
mod explain;
mod export;
mod failure;
mod history;
mod format;
mod help;
mod info;
mod init;
mod man;
mod mechanisms;
pub(crate) mod model;
mod pages;
mod plan;
mod probe;
mod replay;
mod report;
mod reproduce;
mod run;
mod runs;
mod runtime;
mod serve;
mod state;
mod sweep;
mod sweep_docker;
mod sweep_org;
mod sweep_profile;
mod swept;
mod table;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser as _;

use crate::domain::ExitCode;
use crate::output::{CiLog, Colour, Printer, Terminal, Verbosity};
pub(crate) use crate::session::Shell;
use crate::session::env::current_folder;
use crate::session::{Env, files, project};
use args::{Cli, Command};
use failure::CliError;

/// Runs a command line and says how the process ends.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if complete::answer(&args) {
        return ExitCode::Passed;
    }
    let env = Env::read();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let terminal = Terminal::detect(env.get("NO_COLOR").is_some(), env.flag("CLICOLOR_FORCE"));
    let colour = match cli.global.color {
        args::ColorChoice::Auto => Colour::Auto,
        args::ColorChoice::Always => Colour::Always,
        args::ColorChoice::Never => Colour::Never,
    };
    let ci_log = env.ci().get("system").map(|system| CiLog::of_system(system)).unwrap_or_default();
    let printer = Printer::new(verbosity, colour, cli.global.ci || env.flag("CI"), terminal);
    for (name, value) in env.secrets() {
        printer.redactor().register(name, value);
    }
    let mut shell = Shell::new(printer.for_ci_log(ci_log), env, PathBuf::from("runs"));
    let ended = settle(&mut shell, &cli).and_then(|()| dispatch(cli.command, &shell));
    match ended {
        Ok(code) => code,
        Err(error) => {
            if error.is_news() {
                // A terminal that is gone cannot be told.
                let _ = shell.printer.talk(&error.draw(&shell.printer));
            }
            error.code
        }
    }
}

/// The project that the command is typed in, and what follows from it.
fn settle(shell: &mut Shell, cli: &Cli) -> Result<(), CliError> {
    shell.preset.clone_from(&cli.global.preset);
    shell.project = match (&cli.global.project, &cli.command) {
        (Some(file), _) if file.as_os_str() == "none" => None,
        // Nothing of a project decides what they do, and a broken file is what `check` is for.
        (_, command) if command.needs_no_project() => None,
        (Some(file), _) => Some(project::read(file)?),
        (None, _) => match current_folder() {
            Ok(folder) => project::find(&folder)?,
            Err(_) => None,
        },
    };
    let own = match shell.preset()? {
        Some(preset) => preset.runs(),
        None => None,
    };
    let typed =
        cli.global.runs_dir.clone().or_else(|| shell.env.get("LIFECYCLE_RUNS_DIR").map(PathBuf::from));
    if let Some(runs) = typed.or(own) {
        shell.runs_dir = runs;
    }
    Ok(())
}

fn dispatch(command: Command, shell: &Shell) -> Result<ExitCode, CliError> {
    match command {
        Command::Run(args) => report::or_say_why(&args.reports, shell, || run::run(&args, shell)),
        Command::List(args) => info::list(&args, shell),
        Command::Plan(args) => plan::run(&args, shell),
        Command::Check(args) => check::run(&args, shell),
        Command::Mechanisms(args) => mechanisms::run(&args, shell),
        Command::Drift(args) => drift::run(&args, shell),
        Command::Behaviours(args) => behaviours::run(&args, shell),
        Command::Explain(args) => explain::run(&args, shell),
        Command::Replay(args) => replay::run(&args, shell),
        Command::Diff(args) => diff::run(&args, shell),
        Command::Reproduce(args) => reproduce::run(&args, shell),
        Command::Report(args) => report::run(&args, shell),
        Command::History(args) => history::run(&args, shell),
        Command::Gate(args) => history::gate(&args, shell),
        Command::Diagnose(args) => diagnose::run(&args, shell),
        Command::Model(args) => models(args, shell),
        Command::Sweep(args) => sweep::run(&args, shell),
        Command::Serve(args) => serve::run(args, shell),
        Command::Probe(args) => probe::run(&args, shell),
        Command::Doctor(args) => doctor::run(&args, shell),
        Command::Schema { of } => info::schema(of, shell),
        Command::Completions { shell: which } => complete::run(which, shell),
        Command::Man(args) => man::run(&args, shell),
        Command::Help { topic } => help::run(&topic, shell),
        Command::Export(args) => export::run(&args, shell),
        Command::Runs(args) => runs::run(&args, shell),
        Command::State(args) => state::run(&args, shell),
        Command::Init(args) => init::run(&args, shell),
    }
}

fn models(args: model::ModelArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = model::run(args, shell.env.vars(), &files::text, &mut out, &mut err)?;
    if !err.is_empty() {
        shell.printer.talk(String::from_utf8_lossy(&err).trim_end())?;
    }
    if !out.is_empty() {
        shell.printer.data(String::from_utf8_lossy(&out).trim_end())?;
    }
    Ok(code)
}

/// Help and version are data; everything else is bad usage.
fn usage(error: &clap::Error) -> ExitCode {
    // A broken pipe is the reader's business.
    let _ = error.print();
    match error.kind() {
        clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion => ExitCode::Passed,
        _ => ExitCode::BadInput,
    }
}
