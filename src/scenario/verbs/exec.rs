//! `exec:` runs a command.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::spec::{Budget, Group, Help, Holds, Names, VerbSpec};
use crate::scenario::check::Check;
use crate::scenario::check::names::Means;
use crate::scenario::decode::Spanned;
use crate::scenario::model::answer::Answer;
use crate::scenario::model::field::WorkspaceRef;
use crate::scenario::model::matcher::Matcher;
use crate::scenario::raw::values::{ListOr, Tests, Text, TextMap};
use crate::scenario::raw::words::{NewName, SomeTexts, TimeOrLookup};
use crate::scenario::template::Template;
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// `exec:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Exec")]
#[expect(dead_code, reason = "some fields are there for the schema: the check reads the mapping itself")]
pub(crate) struct RawExec {
    /// Program and arguments; no shell.
    #[schemars(required, with = "SomeTexts")]
    pub argv: Option<Node>,
    /// Variables added to a minimal environment.
    #[schemars(with = "Option<TextMap>")]
    pub env: Option<Node>,
    /// Written to its standard input.
    pub stdin: Option<Text>,
    /// The expected exit code; 0 when absent.
    pub code: Option<Spanned<i32>>,
    /// What must hold of standard output.
    #[schemars(with = "Option<Tests>")]
    pub stdout: Option<Node>,
    /// Names standard output (trimmed) for later steps.
    #[schemars(with = "Option<NewName>")]
    pub capture: Option<Text>,
    /// The deadline; may stand beside the verb instead.
    #[schemars(with = "Option<TimeOrLookup>")]
    pub within: Option<Text>,
}

/// `exec:` runs a command, never through a shell.
#[derive(Clone, Debug)]
pub struct Exec {
    /// Program and arguments.
    pub argv: Vec<Template>,
    /// Added to a minimal environment.
    pub env: IndexMap<String, Template>,
    /// Written to its standard input.
    pub stdin: Option<Template>,
    /// The expected exit code; 0 when absent.
    pub code: i32,
    /// What must hold of standard output.
    pub stdout: Vec<Matcher>,
    /// Names standard output (trimmed) for later steps.
    pub capture: Option<String>,
}

impl VerbSpec for Exec {
    const HELP: Help = Help {
        keyword: "exec",
        group: Group::Outside,
        meaning: "Runs a command on this machine, never through a shell; only with `--allow-exec`. Short form: the list of arguments.",
        example: "- exec: { argv: [psql, --version], stdout: { contains: psql } }",
        names: Names::Field("capture"),
        holds: Holds::Nothing,
    };

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<ListOr<RawExec>>()
    }

    fn check(check: &mut Check<'_>, node: &Node, span: Span, _: &str) -> Option<Self> {
        let raw: RawExec = match node.kind {
            Kind::List(_) => RawExec { argv: Some(node.clone()), ..RawExec::default() },
            _ => check.read(node),
        };
        let mut argv = Vec::new();
        match &raw.argv {
            Some(Node { kind: Kind::List(items), .. }) if !items.is_empty() => {
                for item in items {
                    let text = check.text_of(item);
                    argv.push(check.template(&text));
                }
            }
            _ => {
                let hint = "write the program and each argument apart: `argv: [psql, -c, \"select 1\"]`; no shell reads it";
                let span = raw.argv.as_ref().map_or(span, |n| n.span);
                check.error(
                    "missing-field",
                    span,
                    "`exec` needs a list of arguments",
                    "here",
                    hint.to_owned(),
                );
            }
        }
        let env = check.templates(raw.env.as_ref());
        let stdin = check.template_of(raw.stdin.as_ref());
        let stdout = raw.stdout.as_ref().map(|n| check.matchers(n)).unwrap_or_default();
        if let Some(name) = &raw.capture {
            check.define(name, Means::Text);
        }
        check.edge(None);
        Some(Exec {
            argv,
            env,
            stdin,
            code: raw.code.map_or(0, |c| c.value),
            stdout,
            capture: raw.capture.map(|t| t.value),
        })
    }

    fn title(&self) -> String {
        format!("exec {}", self.argv.first().map_or("", |a| a.raw.as_str()))
    }

    fn budget(&self) -> Budget<'_> {
        Budget::Own(Duration::from_secs(60))
    }

    fn answer(&self) -> Option<&Answer> {
        None
    }

    fn workspaces(&self) -> Vec<&WorkspaceRef> {
        Vec::new()
    }
}
