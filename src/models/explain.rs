//! Everything about one choice of a model: which rule, who serves and pays, what is sent when, what
//! the container will hold, what fights.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::models::allowlist::Allowlist;
use crate::models::auto::{Choice, NoChoice, Overrides, Reason, Ruling, auto};
use crate::models::billing::{Billing, decide};
use crate::models::catalogue::Catalogue;
use crate::models::contradictions::{Fate, Finding, Situation, detect};
use crate::models::derive::derive_how;
use crate::models::dispatch::{Origin, Plan, Script, dispatch};
use crate::models::inputs::{Inputs, LLM_PATH, LlmPath, RUNTIME};
use crate::models::projection::{Expect, Expecting, Projection, expected};
use crate::models::situation::SET;
use crate::models::slug::{Pick, Rules, pinned};
use crate::models::table::config_line;
use crate::source::Level;

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// The catalogue.
    pub catalogue: &'a Catalogue,
    /// Runtimes that the platform accepts.
    pub allowlist: &'a Allowlist,
    /// The runtime.
    pub runtime: &'a str,
    /// Who is meant to pay.
    pub path: LlmPath,
    /// Slug, default model and names of keys.
    pub inputs: &'a Inputs,
}

impl Question<'_> {
    /// The pinned table's answer.
    pub(crate) fn pinned(&self) -> Pick {
        pinned(self.runtime, &Inputs { llm_path: Some(self.path.as_str().into()), ..self.inputs.clone() })
    }

    /// The answer that the catalogue accepts.
    pub(crate) fn auto(&self) -> Result<Choice, NoChoice> {
        let overrides = Overrides::of(self.inputs);
        auto(self.catalogue, self.allowlist, self.runtime, self.path, &self.inputs.keys, overrides, None)
    }

    /// Where the two rules part, in a line.
    pub(crate) fn difference(&self) -> Option<String> {
        let pick = self.pinned();
        match self.auto() {
            Ok(choice) if choice.model == pick.slug => None,
            Ok(choice) => {
                let fired = choice.why.iter().find(|reason| reason.verdict == Ruling::Fired);
                let because =
                    fired.map(|reason| format!(" ({}: {})", reason.rule, reason.because)).unwrap_or_default();
                Some(format!("`{}` by {}; auto would take `{}`{because}", pick.slug, pick.row, choice.model))
            }
            Err(none) => Some(format!(
                "`{}` by {}; auto finds nothing that works: {}",
                pick.slug,
                pick.row,
                none.summary()
            )),
        }
    }
}

/// An answer, explained.
#[derive(Clone, Debug)]
pub(crate) struct Explanation {
    /// The runtime that the model is for.
    pub runtime: String,
    /// The template, when one is sent instead.
    pub template: Option<String>,
    /// The model; empty when there is none.
    pub model: String,
    /// Provider and how it was found.
    pub provider: Result<String, String>,
    /// Who pays, before any override.
    pub billing: Billing,
    /// Secrets of the create body.
    pub create: Plan,
    /// Secrets that are written after.
    pub deferred: Plan,
    /// Which rule fired, which lost and why.
    pub why: Vec<Reason>,
    /// What `config.yaml` will say.
    pub config: String,
    /// What the container's environment will hold.
    pub projection: Projection,
    /// What the platform makes of it.
    pub fate: Fate,
    /// What fights.
    pub findings: Vec<Finding>,
}

/// Explains the answer of the pinned table, or of `auto`. The error is `auto`'s: nothing works.
pub(crate) fn explain(question: &Question<'_>, rules: Rules) -> Result<Explanation, NoChoice> {
    let (situation, create, deferred, why, runtime, template) = match rules {
        Rules::Auto => {
            let choice = question.auto()?;
            let situation = Situation {
                runtime: choice.template.is_none().then(|| choice.runtime.clone()),
                template: choice.template.map(str::to_owned),
                model: Some(choice.model.clone()),
                secrets: Some(marked(&choice.create_secrets)),
                ..Situation::default()
            };
            let template = choice.template.map(str::to_owned);
            (situation, choice.create_secrets, choice.deferred_secrets, choice.why, choice.runtime, template)
        }
        Rules::Pinned => {
            let inputs = Inputs { llm_path: Some(question.path.as_str().into()), ..question.inputs.clone() };
            let plan = dispatch(Script::Harness, &inputs);
            let pick = question.pinned();
            let because = format!("gives `{}`", pick.slug);
            let mut why = vec![Reason { rule: pick.row.to_string(), verdict: Ruling::Fired, because }];
            why.extend(plan.unused.iter().map(|key| Reason {
                rule: format!("key {key}"),
                verdict: Ruling::Lost,
                because: "an earlier key won the chain, or the platform pays".into(),
            }));
            let situation = pinned_situation(question, &inputs);
            (situation, plan.create, plan.deferred, why, question.runtime.to_owned(), None)
        }
    };
    let catalogue = question.catalogue;
    let sent = situation.sent(catalogue);
    let names: BTreeSet<String> = create.keys().cloned().collect();
    let derived = derive_how(catalogue, &sent.resolved_runtime, &sent.model, &names);
    let provider = derived
        .map(|(provider, how)| format!("{} ({}), {}", provider.name, provider.display_name, how.words()))
        .map_err(|error| error.to_string());
    let none = BTreeSet::new();
    Ok(Explanation {
        runtime,
        template,
        billing: decide(catalogue, None, &sent.resolved_runtime, &sent.model, &names, true),
        provider,
        create,
        deferred,
        why,
        config: config_line(catalogue, &sent.resolved_runtime, &sent.model),
        projection: expected(
            catalogue,
            &Expecting {
                behaviours: catalogue.edition().behaviours(),
                workspace_id: None,
                runtime: &sent.resolved_runtime,
                model: &sent.model,
                global_names: &none,
                workspace_names: &names,
                billing_override: None,
                server: None,
            },
        ),
        fate: sent.fate(catalogue, question.allowlist, &situation),
        findings: detect(catalogue, question.allowlist, &situation),
        model: sent.model,
    })
}

fn marked(plan: &Plan) -> BTreeMap<String, String> {
    plan.iter()
        .map(|(name, from)| {
            let value = match from {
                Origin::Env(_) => SET.to_owned(),
                Origin::Text(text) => text.clone(),
            };
            (name.clone(), value)
        })
        .collect()
}

fn pinned_situation(question: &Question<'_>, inputs: &Inputs) -> Situation {
    let mut env: BTreeMap<String, String> =
        inputs.keys.iter().map(|key| (key.clone(), SET.to_owned())).collect();
    env.insert(RUNTIME.into(), question.runtime.to_owned());
    env.insert(LLM_PATH.into(), question.path.as_str().to_owned());
    let optional = [
        (crate::models::inputs::MODEL_SLUG, &inputs.slug),
        (crate::models::inputs::DEFAULT_PLATFORM_MODEL, &inputs.default_platform_model),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            env.insert(name.into(), value.clone());
        }
    }
    Situation { env, ..Situation::default() }
}

impl Explanation {
    /// For a screen.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:12}{value}");
        };
        let model = if self.model.is_empty() { "none" } else { &self.model };
        line("model", model);
        match &self.template {
            Some(template) => line("template", &format!("{template}, which runs on {}", self.runtime)),
            None => line("runtime", &self.runtime),
        }
        line("provider", self.provider.as_ref().unwrap_or_else(|error| error));
        line("pays", &format!("{} ({})", self.billing.mode, self.billing.source));
        line("in create", &plan_words(&self.create));
        line("after", &plan_words(&self.deferred));
        line("config.yaml", &self.config);
        line("platform", &self.fate.words());
        let _ = writeln!(text, "\nwhy");
        for reason in &self.why {
            let mark = match reason.verdict {
                Ruling::Fired => "fired",
                Ruling::Lost => "lost",
                Ruling::Skipped => "unused",
            };
            let _ = writeln!(text, "  {mark:8}{}: {}", reason.rule, reason.because);
        }
        text.push_str(&projection_words(&self.projection));
        if !self.findings.is_empty() {
            let _ = writeln!(text, "\ncontradictions");
            for finding in &self.findings {
                let level = if finding.level == Level::Error { "error" } else { "warning" };
                let _ = writeln!(text, "  {} {level}: {}", finding.class.code, finding.message);
                let _ = writeln!(text, "      the platform: {}\n      fix: {}", finding.outcome, finding.fix);
            }
        }
        text
    }
}

/// Why `auto` has nothing, for a screen.
pub(crate) fn no_choice_text(none: &NoChoice) -> String {
    let mut text = String::from("no usable model\n\nwhy\n");
    for reason in &none.why {
        let _ = writeln!(text, "  {}: {}", reason.rule, reason.because);
    }
    text
}

/// `NAME from VARIABLE`: names only.
fn plan_words(plan: &Plan) -> String {
    if plan.is_empty() {
        return "no secrets".into();
    }
    let words = plan.iter().map(|(name, from)| match from {
        Origin::Env(holder) if holder == name => name.clone(),
        Origin::Env(holder) => format!("{name} from {holder}"),
        Origin::Text(text) => format!("{name}={text}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

fn projection_words(projection: &Projection) -> String {
    let mut text = String::from("\nenvironment of the container\n");
    if let Some(abort) = &projection.abort {
        let _ = writeln!(text, "  none: {abort}");
        return text;
    }
    let shown = projection.rows.iter().filter(|row| row.expect != Expect::Absent);
    let width = shown.clone().map(|row| row.name.len()).max().unwrap_or(0);
    for row in shown {
        let value = match &row.expect {
            Expect::Absent => continue,
            Expect::Literal(value) => value.clone(),
            Expect::SecretValue(name) => format!("the value of secret {name}"),
            Expect::Present => "set by the server".into(),
        };
        let _ = writeln!(text, "  {:width$}  {value}  [{}]", row.name, row.rule);
    }
    let removed = projection.rows.iter().filter(|row| row.expect == Expect::Absent);
    let removed: Vec<&str> =
        removed.filter(|row| !row.rule.ends_with("nothing sets it")).map(|row| row.name.as_str()).collect();
    if !removed.is_empty() {
        let _ = writeln!(text, "  removed: {}", removed.join(", "));
    }
    let _ = writeln!(text, "  no other of the 23 vendor keys");
    text
}
