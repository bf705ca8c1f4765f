//! Parse, run, exit code; the only place that exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    lifecycle_harness::facade::cli::main(std::env::args_os()).into()
}
