//! `lifecycle help WORD`: a command, or whatever the screen shows that looks like a code: of a problem, an exit, a cause,
//! a fault, a contradiction, a verb.

use clap::CommandFactory as _;

use super::args::Cli;
use super::failure::CliError;
use super::{Shell, codes, mechanisms};
use crate::domain::ExitCode;
use crate::mechanism::catalogue;
use crate::models::classes::{CLASSES, class_of};
use crate::models::contradictions_page;
use crate::reference::fault_runs::TABLE;
use crate::reference::faults::{ALL, FaultInfo};
use crate::scenario::verbs::{self, VERBS};
use crate::source::near_or;

/// Prints all pages of a word.
pub(crate) fn run(topic: &[String], shell: &Shell) -> Result<ExitCode, CliError> {
    let word = topic.join(" ");
    let pages: Vec<String> = command(topic).into_iter().chain(pages(&word)).collect();
    if pages.is_empty() {
        let names = names();
        let lists = "`lifecycle help` lists the commands, `lifecycle help codes` the codes of problems";
        let hint = near_or(&word, names.iter().map(String::as_str), lists);
        return Err(CliError::new(ExitCode::BadInput, format!("nothing here is called `{word}`")).next(hint));
    }
    let pages: Vec<&str> = pages.iter().map(|page| page.trim_end()).collect();
    shell.printer.data(&pages.join("\n\n\n"))?;
    Ok(ExitCode::Passed)
}

fn command(topic: &[String]) -> Option<String> {
    let mut command = Cli::command().bin_name("lifecycle");
    command.build();
    let mut found = Some(&mut command);
    for word in topic {
        found = found.and_then(|command| command.find_subcommand_mut(word));
    }
    found.map(|command| command.render_long_help().to_string())
}

/// What there is to say about a word that is no command.
fn pages(word: &str) -> Vec<String> {
    if word.is_empty() {
        return Vec::new();
    }
    if word == "codes" {
        return vec![codes::page()];
    }
    let mut pages: Vec<String> = codes::find(word).into_iter().map(codes::Code::page).collect();
    pages.extend(exit(word));
    pages.extend(catalogue::find(word).map(mechanisms::show));
    pages.extend(ALL.iter().find(|fault| fault.name == word).map(fault));
    let class = word.strip_prefix("model::").unwrap_or(word).to_uppercase();
    pages.extend(class_of(&class).map(contradictions_page::section));
    pages.extend(verbs::page::of(word));
    pages
}

/// `5`, `exit 5` and `exit-5`.
fn exit(word: &str) -> Option<String> {
    let number = word.strip_prefix("exit").map_or(word, |rest| rest.trim_start_matches([' ', '-', ':']));
    let number: u8 = number.parse().ok()?;
    let code = ExitCode::PRECEDENCE.into_iter().find(|code| code.code() == number)?;
    Some(format!("exit {number}\n\n{}\n\nAll of them: docs/exit-codes.md", code.meaning()))
}

fn fault(info: &FaultInfo) -> String {
    let mut page = format!("{} (fault of the reference platform)\n\n{}", info.name, info.does);
    if let Some(issue) = info.historic {
        page.push_str(&format!("\n\nIt was issue {issue}."));
    }
    if let Some(value) = info.value {
        page.push_str(&format!("\n\nIt takes a value: `{}={value}`.", info.name));
    }
    for run in TABLE.iter().filter(|run| run.name() == info.name) {
        let line = [&["lifecycle run", run.scenarios[0], "--fault", run.fault], run.flags].concat().join(" ");
        if run.scenarios[0] != "waits" && !run.mechanism.is_empty() {
            page.push_str(&format!("\n\n    {line}    # {}", run.mechanism));
        }
    }
    page
}

/// Every word that has a page.
fn names() -> Vec<String> {
    let program = Cli::command();
    let commands = program.get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name().to_owned());
    let exits = ExitCode::PRECEDENCE.iter().map(|code| code.code().to_string());
    commands
        .chain(exits)
        .chain(codes::CODES.iter().map(|code| code.code.to_owned()))
        .chain(catalogue::shipped().iter().map(|m| m.name.clone()))
        .chain(ALL.iter().map(|fault| fault.name.to_owned()))
        .chain(CLASSES.iter().map(|class| class.code.to_owned()))
        .chain(VERBS.iter().map(|verb| verb.keyword.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_that_is_offered_has_a_page() {
        for name in names() {
            let pages = command(std::slice::from_ref(&name)).into_iter().chain(pages(&name));
            assert!(pages.into_iter().any(|page| page.contains(&name)), "{name}");
        }
        for (word, says) in [
            ("exit-5", "live work was demanded"),
            ("exit 5", "live work was demanded"),
            ("model::C8", "another vendor's key"),
            ("c8", "another vendor's key"),
            (
                "no-projection",
                "lifecycle run local-first-answer --fault no-projection    # projection-missing",
            ),
            ("create", "- create: {"),
            ("auth", "scenario::auth"),
        ] {
            assert!(pages(word).iter().any(|page| page.contains(says)), "{word}: {:?}", pages(word));
        }
        for nothing in ["", "999", "exit", "c99", "nope"] {
            assert!(pages(nothing).is_empty(), "{nothing}");
        }
    }
}
