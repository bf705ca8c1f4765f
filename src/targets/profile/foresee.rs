//! What a profile would do, known before it does anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::model::{Part, Probe, Profile, SERVER, Starts};
use super::ready::{masked, shown};
use super::saas;
use super::values::Values;
use crate::domain::time;
use crate::redact::is_credential_field;
use crate::scenario::template::{Template, TemplateError};
use crate::source::{Problem, Span};

/// What one part would be; secrets are words.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Foreseen {
    /// The service's name, or `server`.
    pub part: String,
    /// The variable that says where it is already: nothing is started.
    pub given: Option<String>,
    /// `command` or `image`.
    pub kind: &'static str,
    /// Program or image, and arguments.
    pub argv: Vec<String>,
    /// Where it answers.
    pub url: Option<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Commands that run before and after its start.
    pub commands: Vec<Vec<String>>,
    /// What must hold.
    pub ready: Vec<String>,
    /// How it is stopped.
    pub stop: String,
    /// Commands that run once it is stopped.
    pub finally: Vec<Vec<String>>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    /// What would be started, in its order.
    pub parts: Vec<Foreseen>,
    /// Where the target would answer.
    pub base_url: Option<String>,
    /// Values of inputs.
    pub inputs: BTreeMap<String, String>,
    /// Inputs whose value depends on what is picked or made.
    pub not_yet: BTreeSet<String>,
}

/// What is wrong with templates, each once.
struct Render<'a> {
    profile: &'a Profile,
    values: Values,
    problems: Vec<Problem>,
}

impl Render<'_> {
    fn text(&mut self, template: &Template) -> String {
        template.render(&self.values).unwrap_or_else(|error| {
            let problem = match &error {
                TemplateError::Missing { path } if path.starts_with("env.") => {
                    let name = path.trim_start_matches("env.");
                    Problem::error("profile::unset-variable", format!("the variable {name} is not set"))
                        .hint(format!("set it, or give a default: `${{first(env.{name}, 'default')}}`"))
                }
                _ => Problem::error("profile::template", error.to_string()),
            };
            self.problem(problem.at(&self.profile.source, template.span, "looked up here"));
            String::new()
        })
    }

    fn problem(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Where the target answers is asked by HTTP.
    fn address(&mut self, url: &str, span: Span) {
        if self.problems.is_empty() && !(url.starts_with("http://") || url.starts_with("https://")) {
            let problem = Problem::error("profile::address", format!("`{}` is not an address", shown(url)));
            let problem = problem.at(&self.profile.source, span, "where the server answers");
            self.problem(problem.hint("write http://… or https://…"));
        }
    }

    fn all<'t>(&mut self, templates: impl IntoIterator<Item = &'t Template>) -> Vec<String> {
        templates.into_iter().map(|t| self.text(t)).collect()
    }

    fn part(&mut self, part: &Part) -> Foreseen {
        let given = self.values.given(part).map(|(name, value)| (name.to_owned(), value.to_owned()));
        if let Some((name, url)) = given {
            if part.name == SERVER {
                self.address(&url, part.span);
            }
            self.values.set_url(&part.name, shown(&url));
            return Foreseen {
                part: part.name.clone(),
                given: Some(name),
                url: Some(shown(&url)),
                ..Foreseen::default()
            };
        }
        let url = part.url.as_ref().map(|t| self.text(t));
        if let Some(url) = &url {
            self.values.set_url(&part.name, url.clone());
            if part.name == SERVER {
                self.address(url, part.url.as_ref().map_or(part.span, |t| t.span));
            }
        }
        let (kind, argv) = match &part.starts {
            Starts::Nothing => {
                let message =
                    format!("nobody says where `{}` is: none of {} is set", part.name, part.given.join(", "));
                let problem = Problem::error("profile::unset-variable", message);
                self.problems.push(problem.at(&self.profile.source, part.span, "this one"));
                ("nothing", Vec::new())
            }
            Starts::Command { argv, user, directory } => {
                self.all(user.iter().chain(directory));
                ("command", self.all(argv))
            }
            Starts::Image { image, argv, publish } => {
                self.all(publish.iter().map(|(_, at)| at));
                ("image", self.all(std::iter::once(image).chain(argv)))
            }
        };
        let mut env: BTreeMap<String, String> = BTreeMap::new();
        for name in &part.pass {
            env.extend(self.values.variable(name).map(|value| (name.clone(), value.to_owned())));
        }
        for (name, template) in &part.env {
            let value = self.text(template);
            env.insert(name.clone(), value);
        }
        if let Some(why) = saas::refusal(&env) {
            let problem =
                Problem::error("profile::production", format!("`{}` is not started: {why}", part.name));
            let hint =
                "set all of them, for example to a stub of the control plane, or take the organisation away";
            self.problems.push(problem.at(&self.profile.source, part.span, "this one").hint(hint));
        }
        // What is written out in the file is no less secret.
        for (name, value) in &mut env {
            *value = match is_credential_field(name) && !is_word(value) {
                true => format!("<redacted:{name}>"),
                false => masked(value),
            };
        }
        let ready = part.ready.iter().map(|ready| {
            let what = match &ready.probe {
                Probe::Http(url, status) => format!("{} answers {status}", self.text(url)),
                Probe::Tcp { address, .. } => format!("{} takes a connection", self.text(address)),
                Probe::Log(expression) => format!("its log matches `{expression}`"),
            };
            format!("{} within {}", masked(&what), time::show(ready.within))
        });
        let ready = ready.collect();
        let commands = part.before.iter().chain(&part.after).map(|argv| all_masked(self.all(argv))).collect();
        let finally = part.finally.iter().map(|argv| all_masked(self.all(argv))).collect();
        let stop = format!("{}, then KILL after {}", part.stop.signal.as_str(), time::show(part.stop.grace));
        let (url, argv) = (url.map(|url| masked(&url)), all_masked(argv));
        Foreseen {
            part: part.name.clone(),
            given: None,
            kind,
            argv,
            url,
            env,
            commands,
            ready,
            stop,
            finally,
        }
    }
}

fn all_masked(texts: Vec<String>) -> Vec<String> {
    texts.iter().map(|text| masked(text)).collect()
}

/// Whether a text is one word that stands for a value.
fn is_word(text: &str) -> bool {
    text.starts_with('<') && text.ends_with('>') && text.matches('<').count() == 1
}

/// What would be started, and what scenarios would be told.
///
/// # Errors
/// Variables that are not set, and servers that would call production.
pub fn foresee(profile: &Profile, env: &BTreeMap<String, String>) -> Result<Outlook, Vec<Problem>> {
    let mut render = Render { profile, values: Values::foreseen(profile, env), problems: Vec::new() };
    render.all(profile.images.iter().flat_map(|tag| [&tag.image, &tag.tag]));
    let parts = profile.parts.iter().map(|part| render.part(part)).collect();
    let base_url = profile.base_url.as_ref().map(|template| {
        let url = render.text(template);
        render.address(&url, template.span);
        url
    });
    let base_url = base_url.or_else(|| render.values.get("server.url").map(str::to_owned));
    let base_url = base_url.map(|url| masked(&url));
    render.all([&profile.admin_token, &profile.org, &profile.provider].into_iter().flatten());
    let inputs = profile.inputs.iter().map(|(name, value)| (name.clone(), render.text(value))).collect();
    let fixed = Values::new(env);
    let not_yet = profile.inputs.iter().filter(|(_, value)| !fixed.settles(value));
    let not_yet = not_yet.map(|(name, _)| name.clone()).collect();
    if render.problems.is_empty() {
        Ok(Outlook { parts, base_url, inputs, not_yet })
    } else {
        Err(render.problems)
    }
}
