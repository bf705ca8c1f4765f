//! `lifecycle diagnose`: the diagnostic bundle of a live workspace.

use super::args::DiagnoseArgs;
use super::failure::CliError;
use super::runtime::runtime;
use super::{Shell, format};
use crate::domain::ExitCode;
use crate::event::{EvidencePart, Log};
use crate::redact::Redactor;
use crate::report::text::clean;
use crate::run::folder::RunFolder;
use crate::run::ledger::{Home, Ledger};
use crate::runner::bundle;
use crate::session::target::target_settings;
use crate::targets::{self, Kind};

/// Gathers and shows; changes nothing.
pub(crate) fn run(args: &DiagnoseArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    let mut settings = target_settings(
        &args.target.settings(),
        shell,
        None,
        std::sync::Arc::new(crate::models::catalogue::Catalogue::built_in().clone()),
    )?;
    if settings.kind.ends_with_the_process() {
        if settings.base_url.is_none() {
            return Err(CliError::new(
                ExitCode::BadInput,
                "diagnose needs a live server; for a finished run use `lifecycle explain`",
            )
            .next("--base-url URL and --admin-token TOKEN, or the variables BASE and ADMIN_TOKEN"));
        }
        settings.kind = Kind::of_an_address();
    }
    if uuid::Uuid::parse_str(&args.workspace).is_err() {
        return Err(CliError::new(
            ExitCode::BadInput,
            format!("`{}` is not a workspace id (a UUID)", args.workspace),
        ));
    }
    runtime()?.block_on(async {
        let redactor = Redactor::new();
        for (name, value) in shell.env.secrets() {
            redactor.register(name, value);
        }
        let target = targets::open(&settings).await?;
        let folder = RunFolder::create(
            &shell.runs_dir,
            &format!("diagnose-{}", crate::clock::wall().strftime("%Y%m%d-%H%M%S-%3f")),
        );
        let fail = |e: &dyn std::fmt::Display| CliError::new(ExitCode::Environment, e.to_string());
        let folder = folder.map_err(|e| fail(&e))?;
        let log = Log::create(&folder.path, redactor).map_err(|e| fail(&e))?;
        let home = Home { base_url: target.api.base_url.clone(), ..Home::default() };
        let run = bundle::tool(&target, log.clone(), Ledger::new(log.clone(), home), "diagnose");
        let evidence = bundle::of(run, &args.workspace).await.map(|mut evidence| {
            log.redactor().clean(&mut evidence);
            evidence
        });
        // Nothing was made: there is nothing to remember.
        let _ = std::fs::remove_dir_all(&folder.path);
        target.close().await;
        let evidence = evidence.map_err(|e| CliError::new(ExitCode::Environment, e.to_string()))?;
        if args.format.is_json() {
            format::print(shell, &evidence)?;
            return Ok(ExitCode::Passed);
        }
        for part in &evidence.parts {
            shell.printer.data(&part.title)?;
            for line in &part.lines {
                shell.printer.data(&format!("  {}", clean(line)))?;
            }
            if let Some(error) = &part.error {
                shell.printer.data(&format!("  not available: {}", clean(error)))?;
            }
        }
        let record = evidence.parts.iter().find(|part| part.name == "record");
        // A workspace that is purged has a record without a line.
        let gone = |part: &EvidencePart| part.lines.is_empty().then(|| "the server knows none".to_owned());
        match record.and_then(|part| part.error.clone().or_else(|| gone(part))) {
            Some(why) => Err(CliError::new(
                ExitCode::Environment,
                format!("there is no record of workspace {}: {why}", args.workspace),
            )),
            None => Ok(ExitCode::Passed),
        }
    })
}
