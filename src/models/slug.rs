//! The decision table that scripts pick a model with, pinned case by case (models.md §2).
//!
//! | # | condition, first match wins | slug |
//! |---|---|---|
//! | 1 | `E2E_MODEL_SLUG` set | that, verbatim |
//! | 2 | `E2E_LLM_PATH` is exactly `platform` | `E2E_DEFAULT_PLATFORM_MODEL`, else `moonshot/kimi-k2.6` |
//! | 3 | `hermes` | `openai/gpt-4o` |
//! | 4 | `claude-code`, `seo-agent`, `E2E_MINIMAX_API_KEY` set | `MiniMax-M2.7` |
//! | 5 | the same, `E2E_ANTHROPIC_API_KEY` set | `claude-sonnet-4-6` |
//! | 6 | the same | `sonnet` |
//! | 7 | `google-adk` | `gemini-2.5-pro` |
//! | 8 | anything else | `openai/gpt-4o` |
//!
//! It never fails and never asks the catalogue: impossible pairs are part of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::models::inputs::Inputs;

/// The platform model of the pinned table.
pub(crate) const PLATFORM_MODEL: &str = "moonshot/kimi-k2.6";

/// Which rules choose a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rules {
    /// The table as scripts know it, literally.
    #[default]
    Pinned,
    /// What the catalogue accepts ([`crate::models::auto`]).
    Auto,
}

impl Rules {
    /// Both.
    pub(crate) const NAMES: [&str; 2] = ["pinned", "auto"];
}

impl FromStr for Rules {
    type Err = UnknownRules;

    fn from_str(text: &str) -> Result<Self, UnknownRules> {
        match text {
            "pinned" => Ok(Rules::Pinned),
            "auto" => Ok(Rules::Auto),
            _ => Err(UnknownRules(text.to_owned())),
        }
    }
}

/// A word that names no rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rules are called `{0}`")]
pub(crate) struct UnknownRules(pub String);

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row(pub u8);

impl Row {
    /// What the row asks for.
    pub(crate) fn condition(self) -> &'static str {
        match self.0 {
            1 => "E2E_MODEL_SLUG is set",
            2 => "E2E_LLM_PATH is platform",
            3 => "the runtime is hermes",
            4 => "claude-code or seo-agent, and E2E_MINIMAX_API_KEY is set",
            5 => "claude-code or seo-agent, and E2E_ANTHROPIC_API_KEY is set",
            6 => "claude-code or seo-agent",
            7 => "the runtime is google-adk",
            _ => "anything else",
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pinned {}: {}", self.0, self.condition())
    }
}

/// A slug and the row that gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Pick {
    /// The model id.
    pub slug: String,
    /// The row.
    pub row: Row,
}

/// The slug of the pinned table.
pub(crate) fn pinned(runtime: &str, inputs: &Inputs) -> Pick {
    let pick = |row, slug: &str| Pick { slug: slug.to_owned(), row: Row(row) };
    let has = |key: &str| inputs.keys.contains(key);
    if let Some(slug) = inputs.slug.as_deref() {
        return pick(1, slug);
    }
    if inputs.llm_path.as_deref() == Some("platform") {
        return pick(
            2,
            inputs
                .default_platform_model
                .as_deref()
                .unwrap_or(inputs.usual_platform_model.as_deref().unwrap_or(PLATFORM_MODEL)),
        );
    }
    match runtime {
        "hermes" => pick(3, "openai/gpt-4o"),
        "claude-code" | "seo-agent" if has("E2E_MINIMAX_API_KEY") => pick(4, "MiniMax-M2.7"),
        "claude-code" | "seo-agent" if has("E2E_ANTHROPIC_API_KEY") => pick(5, "claude-sonnet-4-6"),
        "claude-code" | "seo-agent" => pick(6, "sonnet"),
        "google-adk" => pick(7, "gemini-2.5-pro"),
        _ => pick(8, "openai/gpt-4o"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::models::catalogue::Catalogue;

    /// runtime | environment | slug, as upstream's own test has them.
    const CASES: &str = "\
hermes      |                                                                        | openai/gpt-4o
codex       |                                                                        | openai/gpt-4o
claude-code |                                                                        | sonnet
claude-code | E2E_MINIMAX_API_KEY=mx-test                                            | MiniMax-M2.7
claude-code | E2E_ANTHROPIC_API_KEY=sk-ant-test                                      | claude-sonnet-4-6
claude-code | E2E_MINIMAX_API_KEY=mx-test E2E_ANTHROPIC_API_KEY=sk-ant-test          | MiniMax-M2.7
seo-agent   |                                                                        | sonnet
seo-agent   | E2E_MINIMAX_API_KEY=mx-test                                            | MiniMax-M2.7
seo-agent   | E2E_ANTHROPIC_API_KEY=sk-ant-test                                      | claude-sonnet-4-6
google-adk  |                                                                        | gemini-2.5-pro
google-adk  | E2E_MODEL_SLUG=google_genai:gemini-2.5-pro                             | google_genai:gemini-2.5-pro
gemini      |                                                                        | openai/gpt-4o
            |                                                                        | openai/gpt-4o
claude-code | E2E_LLM_PATH=platform                                                  | moonshot/kimi-k2.6
claude-code | E2E_LLM_PATH=platform E2E_MINIMAX_API_KEY=mx-stray                     | moonshot/kimi-k2.6
claude-code | E2E_LLM_PATH=platform E2E_DEFAULT_PLATFORM_MODEL=minimax/MiniMax-M3    | minimax/MiniMax-M3
claude-code | E2E_LLM_PATH=platform E2E_MODEL_SLUG=anthropic/claude-opus-4-7         | anthropic/claude-opus-4-7
codex       | E2E_MODEL_SLUG=anthropic:claude-opus-4-7                               | anthropic:claude-opus-4-7
hermes      | E2E_MODEL_SLUG=custom/whatever                                         | custom/whatever
claude-code | E2E_MODEL_SLUG=some-bare-id                                            | some-bare-id
codex       | E2E_MODEL_SLUG=                                                        | openai/gpt-4o
";

    #[test]
    fn pinned_21_of_21() {
        let mut passed = 0;
        for line in CASES.lines() {
            let [runtime, env, want] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let env: BTreeMap<String, String> = env
                .split_whitespace()
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            assert_eq!(pinned(runtime, &Inputs::from_env(Catalogue::built_in(), &env)).slug, want, "{line}");
            passed += 1;
        }
        assert_eq!(passed, 21);
    }
}
