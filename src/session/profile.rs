//! What `--profile` means to `run` and `plan`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::failure::SessionError;
use super::library::{self, Library};
use super::selection::{Choice, choose as select};
use super::settings::LibrarySettings;
use super::shell::Shell;
use crate::runner::plan::InputSources;
use crate::scenario::model::Gate;
use crate::source::{Problem, did_you_mean};
use crate::targets::profile::foresee::{Foreseen, Outlook};
use crate::targets::profile::{Profile, foresee};

/// A profile that can be used here.
pub(crate) struct Chosen {
    /// The profile.
    pub profile: Arc<Profile>,
    /// What it would start, and tell scenarios.
    pub outlook: Outlook,
    /// Why nothing of it runs: variables that it needs are not set.
    pub skip: Option<String>,
}

/// The profile of the command line, with everything that can be wrong before anything is started.
pub(crate) fn choose(wanted: &str, args: &LibrarySettings, shell: &Shell) -> Result<Chosen, SessionError> {
    let profile = library::profile(wanted, args)?;
    let unset: Vec<&str> =
        profile.needs_env.iter().map(String::as_str).filter(|name| shell.env.get(name).is_none()).collect();
    let skip = (!unset.is_empty()).then(|| {
        let are = if unset.len() == 1 { "is" } else { "are" };
        format!(
            "not configured: the profile `{}` needs {}, which {are} not set",
            profile.name,
            unset.join(", ")
        )
    });
    let outlook = match foresee(&profile, shell.env.vars()) {
        Ok(outlook) => outlook,
        // What is not configured is skipped, whatever else its templates would say about it.
        Err(_) if skip.is_some() => Outlook::default(),
        Err(problems) => return Err(SessionError::Problems(problems)),
    };
    Ok(Chosen { profile: Arc::new(profile), outlook, skip })
}

/// Where inputs come from, before a profile is up.
pub(crate) fn sources(
    flags: &BTreeMap<String, String>,
    profile: Option<&Chosen>,
    shell: &Shell,
) -> InputSources {
    let outlook = profile.map(|p| p.outlook.clone()).unwrap_or_default();
    InputSources {
        flags: flags.clone(),
        recorded: BTreeMap::new(),
        env: shell.env.vars().clone(),
        profile: outlook.inputs,
        project: BTreeMap::new(),
        not_yet: outlook.not_yet,
    }
}

impl Chosen {
    /// The scenarios that run: those of the command line, else the profile's; with its gates.
    pub(crate) fn scenarios(&self, library: &Library, typed: &[String]) -> Result<Choice, SessionError> {
        let mut chosen = library.chosen()?;
        let mut problems = Vec::new();
        if typed.is_empty() && !self.profile.run.is_empty() {
            match select(&library.scenarios, &self.profile.run) {
                // What a profile lists is what its lane has: nobody typed it.
                Ok(own) => chosen = Choice { named: BTreeSet::new(), ..own },
                Err(unknown) => problems.extend(unknown),
            }
        }
        for gated in self.profile.gates.keys().filter(|name| *name != "all") {
            problems
                .extend(select(&library.scenarios, std::slice::from_ref(gated)).err().unwrap_or_default());
        }
        for input in self.profile.inputs.keys() {
            if !library.scenarios.iter().any(|s| s.inputs.contains_key(input)) {
                let names = library.scenarios.iter().flat_map(|s| s.inputs.keys().map(String::as_str));
                let names: BTreeSet<&str> = names.collect();
                let problem =
                    Problem::error("run::unknown-input", format!("no scenario has an input `{input}`"));
                problems.push(problem.hint(did_you_mean(input, names)));
            }
        }
        if !problems.is_empty() {
            return Err(SessionError::Problems(problems));
        }
        Ok(self.gated(chosen))
    }

    /// With the profile's gates.
    pub(crate) fn gated(&self, mut chosen: Choice) -> Choice {
        for scenario in &mut chosen.scenarios {
            if let Some(gate) = self.profile.gate_of(scenario) {
                Arc::make_mut(scenario).gate = gate;
            }
        }
        chosen
    }

    /// For people: what would be started, what would run otherwise than scenarios say.
    pub(crate) fn lines(&self) -> Vec<String> {
        let profile = &self.profile;
        let mut lines = vec![format!("profile {}  ({})", profile.name, profile.source.name)];
        if !profile.summary.is_empty() {
            lines.push(format!("  {}", profile.summary));
        }
        if let Some(skip) = &self.skip {
            lines.push(format!("  skipped: {skip}"));
        }
        for (what, names) in
            [("port", &profile.ports), ("secret", &profile.secrets), ("folder", &profile.folders)]
        {
            if !names.is_empty() {
                lines.push(format!("  {what:<8}{}", names.join(", ")));
            }
        }
        if let Some(network) = &profile.network {
            lines.push(format!("  network {network}"));
        }
        for image in &profile.images {
            lines.push(format!("  image   {} as {}", image.image.raw, image.tag.raw));
        }
        self.outlook.parts.iter().for_each(|part| lines.extend(part_lines(part)));
        for (name, gate) in &profile.gates {
            let gate = if *gate == Gate::Advisory { "advisory" } else { "required" };
            lines.push(format!("  gate    {name}: {gate}"));
        }
        lines
    }
}

fn part_lines(part: &Foreseen) -> Vec<String> {
    let at = part.url.as_deref().map(|url| format!(" at {url}")).unwrap_or_default();
    if let Some(variable) = &part.given {
        return vec![format!("  {}: there already, says {variable}{at}", part.part)];
    }
    let mut lines = vec![format!("  {}: {} {}{at}", part.part, part.kind, part.argv.join(" "))];
    lines.extend(part.env.iter().map(|(name, value)| format!("    {name}={value}")));
    lines.extend(part.commands.iter().map(|argv| format!("    runs   {}", argv.join(" "))));
    lines.extend(part.ready.iter().map(|ready| format!("    ready  {ready}")));
    lines.push(format!("    stop   {}", part.stop));
    lines.extend(part.finally.iter().map(|argv| format!("    then   {}", argv.join(" "))));
    lines
}

/// What a profile wants before it can start anything.
#[derive(Clone, Debug)]
pub(crate) struct Foreseeable {
    /// Its name.
    pub name: String,
    /// One line.
    pub summary: String,
    /// Why it cannot be used here, as far as variables decide it.
    pub lack: Option<String>,
    /// Variables that are not set.
    pub unset: Vec<String>,
    /// Images that it starts.
    pub images: Vec<String>,
    /// It makes an organisation, and no control plane is named.
    pub built_in_plane: bool,
}

/// The shipped profiles, and what each lacks here.
pub(crate) fn doctor(shell: &Shell) -> Vec<Foreseeable> {
    let profiles = crate::targets::profile::shipped();
    let profiles = profiles.iter().filter_map(|file| crate::targets::profile::load(file).profile);
    let one = |profile: Profile| {
        let unset: Vec<String> =
            profile.needs_env.iter().filter(|name| shell.env.get(name).is_none()).cloned().collect();
        let (images, problem) = match foresee(&profile, shell.env.vars()) {
            Ok(outlook) => {
                let own = |part: Foreseen| {
                    let image = part.argv.into_iter().next();
                    image.filter(|_| part.kind == "image" && part.given.is_none())
                };
                (outlook.parts.into_iter().filter_map(own).collect(), None)
            }
            Err(problems) => (Vec::new(), problems.first().map(|p| p.message.clone())),
        };
        let lack = match unset.as_slice() {
            [] => problem,
            [one] => Some(format!("{one} is not set")),
            many => Some(format!("{} are not set", many.join(", "))),
        };
        let built_in_plane = profile.makes_organisation && shell.env.get("MOLECULE_CP_URL").is_none();
        Foreseeable { name: profile.name, summary: profile.summary, lack, unset, images, built_in_plane }
    };
    profiles.map(one).collect()
}
