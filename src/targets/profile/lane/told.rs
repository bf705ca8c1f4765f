//! What the target's settings and scenarios are told: at first what nothing changes any more, all of it once
//! everything is up.

use std::collections::BTreeMap;

use super::Lane;
use crate::domain::Secret;
use crate::scenario::template::Template;
use crate::targets::OpenError;
use crate::targets::profile::error::Unfilled;
use crate::targets::profile::model::Profile;
use crate::targets::profile::ready::learn;
use crate::targets::profile::values::Values;

/// What a profile says of its target, filled in; what it does not say is `None`.
#[derive(Default)]
pub struct Told {
    /// Where it answers.
    pub base_url: Option<String>,
    /// What opens it.
    pub admin_token: Option<Secret>,
    /// The organisation.
    pub org: Option<String>,
    /// A provider that its instances can reach.
    pub provider: Option<String>,
    /// Values of inputs.
    pub inputs: BTreeMap<String, String>,
}

impl Lane {
    /// What is known before anything is started, and stays.
    pub fn told_early(&self) -> Told {
        let told = fill(&self.setup.profile, &self.values, |_, template| {
            Ok(template.render(&self.values).ok().filter(|_| self.values.settles(template)))
        });
        // What cannot be filled in yet is left out, so that nothing is an error.
        self.learned(told.unwrap_or_default())
    }

    /// All of it, once everything is up.
    ///
    /// # Errors
    /// Something that is looked up has no value even now.
    pub fn told(&self) -> Result<Told, OpenError> {
        let told = all(&self.setup.profile, &self.values).map_err(|why| {
            let why = self.setup.log.redactor().text(&why.to_string()).into_owned();
            OpenError::new(why, &["everything is up, and what it looks up is still not known"])
        });
        told.map(|told| self.learned(told))
    }

    fn learned(&self, told: Told) -> Told {
        let redactor = self.setup.log.redactor();
        if let Some(token) = &told.admin_token {
            redactor.register("ADMIN_TOKEN", token.expose());
        }
        let texts = told.base_url.iter().chain(&told.provider).chain(told.inputs.values());
        texts.for_each(|text| learn(redactor, text));
        told
    }
}

/// Everything, or what has no value.
fn all(profile: &Profile, values: &Values) -> Result<Told, Unfilled> {
    fill(profile, values, |what, template| {
        template.render(values).map(Some).map_err(|error| Unfilled { what: what.to_owned(), error })
    })
}

/// Asks for every text by its name in the file; an empty one is as good as none.
fn fill(
    profile: &Profile,
    values: &Values,
    mut text: impl FnMut(&str, &Template) -> Result<Option<String>, Unfilled>,
) -> Result<Told, Unfilled> {
    let mut field = |name: &str, template: &Option<Template>| match template {
        Some(template) => Ok(text(&format!("`{name}`"), template)?.filter(|text| !text.is_empty())),
        None => Ok::<_, Unfilled>(None),
    };
    let mut told = Told {
        base_url: field("base_url", &profile.base_url)?
            .or_else(|| values.get("server.url").map(str::to_owned)),
        admin_token: field("admin_token", &profile.admin_token)?.map(Secret::new),
        org: field("org", &profile.org)?,
        provider: field("provider", &profile.provider)?,
        inputs: BTreeMap::new(),
    };
    for (name, template) in &profile.inputs {
        if let Some(value) = text(&format!("input `{name}`"), template)? {
            told.inputs.insert(name.clone(), value);
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;

    /// The reader of files lets none of these through: a name that is known to it always has a value in the end.
    #[test]
    fn what_has_no_value_is_an_error_that_names_it() {
        let text = "profile: a\nbase_url: http://127.0.0.1:1\nnetwork: molecule-core-net\n";
        for (line, named) in [
            ("org: \"${network.gateway}\"", "`org`"),
            ("admin_token: \"x-${network.gateway}\"", "`admin_token`"),
            ("provider: \"http://${network.gateway}\"", "`provider`"),
            ("inputs: { at: \"${network.gateway}\" }", "input `at`"),
        ] {
            let source = SourceFile::new("a.yaml", format!("{text}{line}\n"));
            let profile = crate::targets::profile::load(&source).profile.unwrap();
            let mut values = Values::new(&BTreeMap::new());
            let error = all(&profile, &values).err().map(|error| error.to_string()).unwrap_or_default();
            let wanted = format!(
                "the profile's {named} cannot be filled in: `${{network.gateway}}` has no value here"
            );
            assert_eq!(error, wanted);
            values.set("network.gateway", "172.18.0.1");
            assert!(all(&profile, &values).is_ok(), "{line}");
        }
    }
}
