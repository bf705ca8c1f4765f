//! The 27 classes of settings that fight (models.md §5): what each is, what the platform does, the fix.

use std::fmt::Write as _;

use crate::models::situation::SET;
use crate::source::{Level, Problem};

pub use crate::models::certainty::{Report, detect_certain};
pub use crate::models::classes::{CLASSES, Class, class_of, codes};
pub use crate::models::detect::detect;
pub use crate::models::situation::{Fate, Sent, Situation, Target, TargetKind};

/// A contradiction that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which one.
    pub class: &'static Class,
    /// Here; never above the class's.
    pub level: Level,
    /// What fights, with names and values.
    pub message: String,
    /// The settings that fight, the first is the main one.
    pub settings: Vec<String>,
    /// What the platform would do, here.
    pub outcome: String,
    /// What to do, here.
    pub fix: String,
}

impl Finding {
    /// As a problem of a file: code `model::C1`, a label for each setting that has a place.
    pub fn problem(&self, situation: &Situation) -> Problem {
        let mut problem = Problem::error(format!("model::{}", self.class.code), self.message.clone())
            .hint(format!("the platform: {}; fix: {}", self.outcome, self.fix));
        problem.level = self.level;
        for setting in &self.settings {
            let Some((source, span)) = situation.places.get(setting) else { continue };
            let label = match situation.env.get(setting) {
                Some(value) if value != SET => format!("{setting}: {value}"),
                _ => setting.clone(),
            };
            if problem.labels.iter().any(|(known, _)| known == span) {
                continue;
            }
            if problem.source.as_ref().is_none_or(|known| known == source) {
                problem = problem.at(source, *span, label);
            } else {
                // A problem draws one file: a place in another one is told in words.
                let at = source.position(span.start);
                problem
                    .message
                    .push_str(&format!("; {label} is at {}:{}:{}", source.name, at.line, at.column));
            }
        }
        problem
    }
}

/// `docs/contradictions.md`, made from the table.
pub fn page() -> String {
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
            "\n## {}\n\n{}.\n\n- **Level**: {}\n- **Rule**: {}.\n- **Example**: {}.\n- **What the platform does**: {}.\n- **Fix**: {}.\n- **Fixture**: `fixtures/contradictions/{}.yaml`\n",
            class.code,
            capital(class.title),
            level(class),
            class.rule,
            class.example,
            class.outcome,
            class.fix,
            class.code,
        );
    }
    page
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
