//! `lifecycle probe`: does an address answer HTTP from here? What evidence runs inside containers.

use std::time::Duration;

use super::Shell;
use super::args::ProbeArgs;
use super::failure::CliError;
use super::runtime::runtime;
use crate::clock::Instant;
use crate::docker::probe::line;
use crate::domain::ExitCode;
use crate::http::{Client, Config, Request};

/// Evidence waits for the answer: one that does not come is told in time.
const WITHIN: Duration = Duration::from_millis(1_500);

/// Asks once and prints one line of JSON.
pub(crate) fn run(args: &ProbeArgs, shell: &Shell) -> Result<ExitCode, CliError> {
    // Nothing secret is sent, and who answers is not the question; an image of nothing but this program has no roots.
    let config = Config { tls: args.url.starts_with("https:"), insecure: true, ..Config::default() };
    let client = Client::new(&config).map_err(|e| CliError::new(ExitCode::Environment, e.to_string()))?;
    let request = Request { method: "GET".into(), url: args.url.clone(), ..Request::default() };
    let answer = runtime()?.block_on(client.send(&request, Instant::now() + WITHIN));
    let (answered, said) = match answer {
        Ok(answer) => (true, format!("{} answered {}", args.url, answer.status)),
        Err(error) => (false, format!("{}: {}", args.url, error.text)),
    };
    shell.printer.data(&line(answered, &said))?;
    Ok(if answered { ExitCode::Passed } else { ExitCode::Environment })
}
