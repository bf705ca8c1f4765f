//! Which runtimes a platform accepts at create: a third set beside catalogue and images.

use std::collections::BTreeSet;

use crate::behaviour::Edition;
use crate::models::yaml;
use crate::source::{Problem, SourceFile};

/// Runtimes that every platform accepts, whatever its manifest says.
pub(crate) const ALWAYS: [&str; 4] = ["external", "kimi", "kimi-cli", "mock"];

/// Runtimes with an image that can be started.
pub(crate) const IMAGES: [&str; 5] = ["claude-code", "codex", "google-adk", "hermes", "openclaw"];

/// The runtimes that a create may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowlist {
    /// Names, exact.
    pub runtimes: BTreeSet<String>,
}

impl Allowlist {
    /// From a platform's `manifest.json`: a template's `runtime` where it has one, else its name
    /// without a trailing `-default`.
    pub fn from_manifest(file: &SourceFile) -> Result<Allowlist, Vec<Problem>> {
        let tree = yaml::parse(file).map_err(|problem| vec![*problem])?;
        let Some(templates) = tree.entry("workspace_templates") else {
            return Err(vec![
                Problem::error("manifest::missing-field", "`workspace_templates` is missing")
                    .at(file, tree.span, "here")
                    .hint("pass the platform's manifest.json"),
            ]);
        };
        let mut problems = Vec::new();
        let mut names = Vec::new();
        if templates.1.what() != "a list" {
            problems.push(Problem::error("manifest::bad-type", "`workspace_templates` is a list").at(
                file,
                templates.1.span,
                templates.1.what(),
            ));
        }
        for template in templates.1.items() {
            let runtime =
                template.get("runtime").and_then(crate::yaml::Node::text).filter(|text| !text.is_empty());
            match (runtime, template.get("name").and_then(crate::yaml::Node::text)) {
                (Some(runtime), _) => names.push(runtime),
                (None, Some(name)) => names.push(name.strip_suffix("-default").unwrap_or(name)),
                (None, None) => problems.push(
                    Problem::error("manifest::missing-field", "a workspace template needs a `name`").at(
                        file,
                        template.span,
                        "here",
                    ),
                ),
            }
        }
        if problems.is_empty() { Ok(Allowlist::of(names)) } else { Err(problems) }
    }

    /// With the manifest that the platform ships (mid-June).
    pub fn shipped() -> Allowlist {
        Allowlist::of(["claude-code", "hermes", "openclaw", "codex", "google-adk", "seo-agent"])
    }

    /// With the manifest of an edition.
    pub fn of_edition(edition: Edition) -> Allowlist {
        match edition {
            Edition::MidJune => Allowlist::shipped(),
            Edition::MidAugust => Allowlist::fallback(),
        }
    }

    /// When the platform cannot read its manifest.
    pub fn fallback() -> Allowlist {
        Allowlist::of(["claude-code", "hermes", "openclaw", "codex"])
    }

    /// These, and those that are always accepted.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Allowlist {
        Allowlist { runtimes: names.into_iter().chain(ALWAYS).map(str::to_owned).collect() }
    }

    /// Whether a create may name it.
    pub fn allows(&self, runtime: &str) -> bool {
        self.runtimes.contains(runtime)
    }
}

/// Runtimes that somebody else runs: they need no model, and model rules do not look at them.
pub(crate) fn external_like(runtime: &str) -> bool {
    matches!(runtime, "external" | "kimi" | "kimi-cli")
}

/// Whether the platform has an image for a runtime: what passes create without one ends `failed`.
pub(crate) fn has_image(runtime: &str) -> bool {
    IMAGES.contains(&runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_both_times_is_read() {
        let june = r#"{"version": 1, "workspace_templates": [{"name": "claude-code-default", "ref": "main"},
            {"name": "hermes"}, {"name": "openclaw"}, {"name": "codex"}, {"name": "google-adk"}, {"name": "seo-agent"}]}"#;
        assert_eq!(
            Allowlist::from_manifest(&SourceFile::new("manifest.json", june)),
            Ok(Allowlist::shipped())
        );
        let august = r#"{"workspace_templates": [{"name": "claude-code-default"}, {"name": "hermes"},
            {"name": "openclaw"}, {"name": "codex"}, {"name": "seo-agent", "runtime": "claude-code"}]}"#;
        assert_eq!(
            Allowlist::from_manifest(&SourceFile::new("manifest.json", august)),
            Ok(Allowlist::fallback())
        );
    }

    #[test]
    fn a_bad_manifest_says_where() {
        let file = SourceFile::new("manifest.json", "{\"workspace_templates\": [{\"ref\": \"x\"}, 1]}");
        assert_eq!(Allowlist::from_manifest(&file).unwrap_err().len(), 2);
        assert!(Allowlist::from_manifest(&SourceFile::new("m", "{}")).is_err());
    }
}
