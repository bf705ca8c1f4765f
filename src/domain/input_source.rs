//! Where the value of an input came from.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who said an input's value. As text: `default`, `--input`, `recorded`, `env NAME`, `profile`, `matrix`,
/// `lifecycle.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum InputSource {
    /// `--input`.
    Flag,
    /// An earlier run, for one that is had again.
    Recorded,
    /// The instance's own place in its matrix.
    Matrix,
    /// A variable of the environment.
    Env(String),
    /// The profile.
    Profile,
    /// The project file.
    Project,
    /// The scenario itself.
    #[default]
    Default,
    /// What another version of this program wrote.
    Other(String),
}

/// How they are written, in the log too.
const WORDS: [(InputSource, &str); 6] = [
    (InputSource::Flag, "--input"),
    (InputSource::Recorded, "recorded"),
    (InputSource::Matrix, "matrix"),
    (InputSource::Profile, "profile"),
    (InputSource::Project, "lifecycle.yaml"),
    (InputSource::Default, "default"),
];

impl InputSource {
    /// The person who started the run said it, and has to say it again for the same run.
    pub fn is_typed(&self) -> bool {
        matches!(self, InputSource::Flag | InputSource::Env(_))
    }
}

impl fmt::Display for InputSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputSource::Env(name) => write!(f, "env {name}"),
            InputSource::Other(text) => f.write_str(text),
            known => f.write_str(WORDS.iter().find(|(one, _)| one == known).map_or("", |(_, word)| word)),
        }
    }
}

impl From<String> for InputSource {
    fn from(text: String) -> Self {
        match (text.strip_prefix("env "), WORDS.iter().find(|(_, word)| *word == text)) {
            (Some(name), _) => InputSource::Env(name.to_owned()),
            (None, Some((known, _))) => known.clone(),
            (None, None) => InputSource::Other(text),
        }
    }
}

impl From<InputSource> for String {
    fn from(source: InputSource) -> String {
        source.to_string()
    }
}

impl JsonSchema for InputSource {
    fn schema_name() -> Cow<'static, str> {
        "InputSource".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_read_as_it_was_written() {
        let all = WORDS.map(|(source, _)| source);
        let others = [InputSource::Env("E2E_RUNTIME".into()), InputSource::Other("a later version".into())];
        for source in all.into_iter().chain(others) {
            let text = source.to_string();
            assert!(!text.is_empty());
            assert_eq!(InputSource::from(text), source);
        }
    }
}
