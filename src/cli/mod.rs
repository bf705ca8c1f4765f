//! The command line: one file a command, and the only reader of settings.

mod args;
mod args_serve;
mod behaviours;
mod check;
mod check_times;
mod diagnose;
mod diff;
mod doctor;
mod explain;
mod failure;
mod history;
mod info;
mod mechanisms;
pub mod model;
mod plan;
mod probe;
mod replay;
mod report;
mod reproduce;
mod run;
mod serve;
mod sweep;
mod sweep_docker;
mod sweep_org;
mod sweep_profile;

use std::ffi::OsString;

use clap::Parser as _;

use crate::domain::ExitCode;
use crate::output::{Colour, Printer, Terminal, Verbosity};
pub(crate) use crate::session::Shell;
use crate::session::{Env, files};
use args::{Cli, Command};
use failure::CliError;

/// Runs a command line and says how the process ends.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
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
    let shell = Shell {
        printer: Printer::new(verbosity, colour, cli.global.ci || env.flag("CI"), terminal),
        runs_dir: cli.global.runs_dir.clone().unwrap_or_else(|| env.runs_dir()),
        env,
    };
    match dispatch(cli.command, &shell) {
        Ok(code) => code,
        Err(error) => {
            // A terminal that is gone cannot be told.
            let _ = shell.printer.talk(&error.draw(&shell.printer));
            error.code
        }
    }
}

fn dispatch(command: Command, shell: &Shell) -> Result<ExitCode, CliError> {
    match command {
        Command::Run(args) => report::or_say_why(&args.reports, shell, || run::run(&args, shell)),
        Command::List(args) => info::list(&args, shell),
        Command::Plan(args) => plan::run(&args, shell),
        Command::Check(args) => check::run(&args, shell),
        Command::Mechanisms(args) => mechanisms::run(&args, shell),
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
        Command::Doctor => doctor::run(shell),
        Command::Schema { of } => info::schema(of, shell),
        Command::Completions { shell: which } => info::completions(which, shell),
        Command::Man => info::man(shell),
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

/// The runtime of commands that speak to servers.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| CliError::new(ExitCode::Environment, format!("cannot start: {e}")))
}
