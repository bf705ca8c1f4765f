//! The 27 classes of settings that fight (models.md §5): what each is, what the platform does, the fix.

use crate::models::situation::SET;
use crate::source::{Level, Problem};

pub(crate) use crate::models::certainty::detect_certain;
pub use crate::models::classes::CLASSES;
pub(crate) use crate::models::classes::{Class, class_of};
pub(crate) use crate::models::detect::detect;
pub(crate) use crate::models::situation::{Fate, Situation, Target, TargetKind};

/// A contradiction that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
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
    pub(crate) fn problem(&self, situation: &Situation) -> Problem {
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
