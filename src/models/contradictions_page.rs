//! `docs/contradictions.md`, made from the table.

#[cfg(test)]
use std::fmt::Write as _;

#[cfg(test)]
use crate::models::classes::CLASSES;
use crate::models::classes::Class;
use crate::source::Level;

/// The whole page.
#[cfg(test)]
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Contradictions\n\n\
         Settings about models that fight each other. `lifecycle check` finds them in scenarios, profiles, CI\n\
         workflow files and the environment at hand; `lifecycle run` refuses an error before any request.\n\n\
         The level is the highest that a class can have. It is an error only where a 4xx or a failed boot is\n\
         certain; what heals later, or depends on what nobody can see, is a warning. A step may carry\n\
         `contradiction: C8` when sending one is its purpose.\n\n\
         This page is made from `src/models/classes.rs`; a test compares them.\n\n\
         | code | level | what | example |\n|---|---|---|---|\n",
    );
    for class in &CLASSES {
        let _ = writeln!(
            page,
            "| [{0}](#{1}) | {2} | {3} | {4} |",
            class.code,
            class.code.to_lowercase(),
            level(class),
            class.title,
            class.example
        );
    }
    for class in &CLASSES {
        let _ = write!(
            page,
            "\n{}\n- **Fixture**: `fixtures/contradictions/{}.yaml`\n",
            section(class),
            class.code
        );
    }
    page
}

/// One of them, whole.
pub(crate) fn section(class: &Class) -> String {
    format!(
        "## {}\n\n{}.\n\n- **Level**: {}\n- **Rule**: {}.\n- **Example**: {}.\n- **What the platform does**: {}.\n- **Fix**: {}.",
        class.code,
        capital(class.title),
        level(class),
        class.rule,
        class.example,
        class.outcome,
        class.fix,
    )
}

fn level(class: &Class) -> &'static str {
    match class.level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
