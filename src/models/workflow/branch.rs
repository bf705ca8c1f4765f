//! Tries every value that can matter for the expressions around a call.

use std::collections::{BTreeMap, BTreeSet};

use crate::models::catalogue::Catalogue;
use crate::models::inputs::{DEFAULT_PLATFORM_MODEL, LLM_PATH, MODEL_SLUG, RUNTIME, native};
use crate::models::keys::is_guarded;
use crate::models::workflow::collect::Call;
use crate::models::workflow::expression::{Guess, Guesses, Needed, Worth};

/// Beyond this a step is undecidable.
const MAX_BRANCHES: usize = 512;

/// Settings that a model hangs on.
const SETTINGS: [&str; 9] = [
    RUNTIME,
    LLM_PATH,
    MODEL_SLUG,
    DEFAULT_PLATFORM_MODEL,
    "E2E_INTENTIONAL_FAILURE",
    "LIFECYCLE_LLM",
    "LIFECYCLE_LLM_KEY",
    "LIFECYCLE_LLM_VALUE",
    "LIFECYCLE_MODEL",
];

/// One way that things can be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Branch {
    guesses: Vec<(String, Guess)>,
    pub(crate) values: BTreeMap<String, Worth>,
}

impl Branch {
    /// What was guessed, for people: `when inputs.runtime is codex`.
    pub(crate) fn words(&self) -> String {
        let said: Vec<String> = self
            .guesses
            .iter()
            .filter_map(|(name, guess)| match guess {
                Guess::Text(text) if text.is_empty() => Some(format!("{name} is empty")),
                Guess::Text(text) => Some(format!("{name} is `{text}`")),
                Guess::Other => None,
            })
            .collect();
        if said.is_empty() { String::new() } else { format!("when {}", said.join(" and ")) }
    }
}

/// Whether a variable holds a vendor's key.
pub(crate) fn is_key(catalogue: &Catalogue, name: &str) -> bool {
    let native = native(name);
    is_guarded(native) || catalogue.auth_names().contains(native) || name == "LIFECYCLE_LLM_VALUE"
}

/// Every branch of a call, and whether that is all of them.
pub(crate) fn branches(call: &Call, catalogue: &Catalogue) -> (Vec<Branch>, bool) {
    let auth = catalogue.auth_names();
    let wanted: Vec<&String> = call
        .env
        .keys()
        .filter(|name| {
            SETTINGS.contains(&name.as_str()) || auth.contains(native(name)) || is_guarded(native(name))
        })
        .collect();
    let mut compared = BTreeMap::new();
    for name in &wanted {
        call.env[*name].value.compared(&mut compared);
    }
    for template in call.conditions.iter().chain(call.with.values()) {
        template.compared(&mut compared);
    }
    let mut open: Vec<Guesses> = call.matrix.clone();
    let mut done: Vec<Branch> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut tried = 0;
    while let Some(mut guesses) = open.pop() {
        tried += 1;
        if tried > MAX_BRANCHES {
            return (done, false);
        }
        match evaluate(call, &wanted, &mut guesses, catalogue) {
            Ok(None) => {}
            Ok(Some(values)) => {
                if values.get("E2E_INTENTIONAL_FAILURE").is_some_and(|v| *v == Worth::Text("1".into())) {
                    // That run is meant to end before it creates anything.
                    continue;
                }
                if seen.insert(format!("{values:?}")) {
                    let shown = guesses
                        .into_iter()
                        .filter(|(name, _)| !name.starts_with("env.") && !name.starts_with("action"));
                    done.push(Branch { guesses: shown.collect(), values });
                }
            }
            Err(Needed(name)) => {
                for guess in options(call, &name, &compared) {
                    let mut next = guesses.clone();
                    next.insert(name.clone(), guess);
                    open.push(next);
                }
            }
        }
    }
    (done, true)
}

/// The values of the wanted variables; nothing where a condition does not hold.
fn evaluate(
    call: &Call,
    wanted: &[&String],
    guesses: &mut Guesses,
    catalogue: &Catalogue,
) -> Result<Option<BTreeMap<String, Worth>>, Needed> {
    for condition in &call.conditions {
        if !settled(call, guesses, 0, &mut |guesses| condition.holds(guesses))? {
            return Ok(None);
        }
    }
    let mut values = BTreeMap::new();
    for name in wanted {
        let template = &call.env[*name].value;
        let worth = settled(call, guesses, 0, &mut |guesses| template.worth(guesses));
        let worth = match worth {
            // A secret alone needs no guess: it may be set, and both are tried later.
            Err(Needed(secret)) if secret.starts_with("secrets.") && is_key(catalogue, name) => {
                Worth::Unknown(secret)
            }
            other => other?,
        };
        values.insert((*name).clone(), worth);
    }
    Ok(Some(values))
}

/// Evaluates, filling in what the call itself knows: other variables, and what an action was given.
fn settled<T>(
    call: &Call,
    guesses: &mut Guesses,
    depth: usize,
    run: &mut dyn FnMut(&Guesses) -> Result<T, Needed>,
) -> Result<T, Needed> {
    loop {
        let needed = match run(guesses) {
            Err(needed) => needed,
            ok => return ok,
        };
        let template = match needed.0.strip_prefix("env.") {
            Some(name) => call.env.get(name).map(|setting| &setting.value),
            None => call.with.get(&needed.0),
        };
        let known = needed.0.starts_with("env.") || call.with.contains_key(&needed.0);
        let guess = match template {
            // A variable that is made of itself ends here.
            Some(template) if depth < 8 => {
                match settled(call, guesses, depth + 1, &mut |guesses| template.worth(guesses))? {
                    Worth::Text(text) => Guess::Text(text),
                    Worth::Unknown(_) => Guess::Other,
                }
            }
            Some(_) => Guess::Other,
            None if known => Guess::Text(String::new()),
            None => return Err(needed),
        };
        guesses.insert(needed.0, guess);
    }
}

fn options(call: &Call, name: &str, compared: &BTreeMap<String, BTreeSet<String>>) -> Vec<Guess> {
    let text = |text: &str| Guess::Text(text.to_owned());
    match name {
        "always()" | "success()" | "!cancelled()" => return vec![text("true")],
        "failure()" | "cancelled()" => return vec![text("false")],
        _ => {}
    }
    let literals = compared.get(name).into_iter().flatten().map(|literal| text(literal));
    if let Some(input) = call.inputs.get(name) {
        let known = input.values.iter().map(|value| text(value));
        let mut options: Vec<Guess> = known.collect();
        if input.open {
            options.extend(literals);
            options.push(Guess::Other);
        }
        options.sort();
        options.dedup();
        return options;
    }
    let mut options: Vec<Guess> = literals.chain([text(""), Guess::Other]).collect();
    options.sort();
    options.dedup();
    options
}
