//! `docs/mechanisms.md`, written from the catalogue and the vocabulary.

use super::condition::Match;
use super::facts::{Shape, VOCABULARY};
use super::file::{CLASSES, Layer, Mechanism};

/// The page; the file in `docs/` is compared with it.
pub fn page(mechanisms: &[Mechanism]) -> String {
    let mut page = String::from(HEAD);
    for layer in Layer::ALL {
        let mut here: Vec<&Mechanism> = mechanisms.iter().filter(|m| m.layer == layer).collect();
        here.sort_by_key(|m| (m.fallback, &m.name));
        if here.is_empty() {
            continue;
        }
        page.push_str(&format!(
            "\n### {}\n\n| mechanism | class | what it is | issue |\n|---|---|---|---|\n",
            layer.as_str()
        ));
        for m in here {
            let last = if m.fallback { " (when nothing else of this layer fits)" } else { "" };
            page.push_str(&format!(
                "| `{}` | {} | {}{last} | {} |\n",
                m.name,
                class(m),
                m.summary.raw().replace('|', "\\|"),
                m.issue.as_deref().unwrap_or("")
            ));
        }
    }
    page.push_str(FACTS);
    for info in VOCABULARY {
        let shape = match info.shape {
            Shape::Text => "text",
            Shape::Number => "number",
            Shape::List => "list",
            Shape::Map => "map",
        };
        let kind = if info.deep { "evidence" } else { "symptom" };
        let values =
            if info.values.is_empty() { String::new() } else { format!(" ({})", info.values.join(", ")) };
        page.push_str(&format!("| `{}` | {shape} | {kind} | {}{values} |\n", info.name, info.about));
    }
    page
}

/// The class as it is written.
pub fn class(mechanism: &Mechanism) -> &'static str {
    CLASSES.iter().find(|(_, class)| *class == mechanism.class).map_or("", |(name, _)| name)
}

/// A match in lines of words.
pub fn words(matches: &Match) -> Vec<String> {
    let group = |conditions: &[super::condition::Condition]| {
        conditions.iter().map(super::condition::Condition::words).collect::<Vec<_>>().join(" and ")
    };
    let mut lines: Vec<String> = matches.all.iter().map(|c| c.words()).collect();
    if !matches.any.is_empty() {
        let any: Vec<String> = matches.any.iter().map(|g| format!("({})", group(g))).collect();
        lines.push(any.join(" or "));
    }
    lines.extend(matches.none.iter().map(|g| format!("known not to be: {}", group(g))));
    lines
}

const HEAD: &str = "\
# Mechanisms

Written by `UPDATE_DOCS=1 cargo test --lib the_page_is_the_file`; do not edit.

When a scenario is red, the harness gathers evidence and names the *mechanism*: why it is red, what was seen of it, what
that rules out, what a fix looks like and who has to make it. `lifecycle mechanisms list` and `show NAME` print the
catalogue, `lint [FILE]` checks files.

How one is chosen:

- Conditions have three outcomes: they hold, they do not, or nobody knows. A fact that was not seen is *unknown*, and an
  unknown fact never makes a mechanism match, under `none` neither.
- A mechanism must name evidence (a record, an event, an exchange, an environment); the symptom alone is refused by `lint`.
- Layers are tried bottom up: when two match, the lower one is named, because whatever is broken below breaks everything
  above it too. In one layer the one with more conditions wins; one marked `fallback` only when no other fits.
- None fits: `unclassified`, with the nearest ones and what they lacked.

## A file

```yaml
mechanism: base-url-keeps-v1          # also the file's name
layer: projection
class: product                        # product | config | infra | provider | harness
summary: ANTHROPIC_BASE_URL ends in /v1, so the client asks for /v1/v1/messages.
match:
  all:                                # every line; a map of facts may go one level deeper
    env_wrong: ANTHROPIC_BASE_URL
    env: { ANTHROPIC_BASE_URL: { matches: '/v1/?$' } }
  any:                                # one of the groups, whole
    - { record.status: online }
    - { record.status: degraded }
  none:                               # none of the groups, and that is known
    - { instance: none }
evidence:                             # a line whose fact is unknown is left out
  - \"{*env_rows}\"                     # a line for each value
  - \"server log: {*server.log|v1}\"    # for each value that contains v1
rules_out:
  - { when: { env_missing: { empty: true } }, text: \"a missing projection: the variables are set\" }
fix_shape: Trim one /v1 when the base URL is projected.
part: workspace-server, LLM projection
issue: \"#2754\"
fingerprint_field: env_wrong          # what tells two reds of this mechanism apart
```

Tests of a fact: a text or a list of texts (is one of them), `is`, `not`, `contains`, `lacks` (any case of letters), `matches`
(a regular expression), `at_least`, `at_most`, `empty: true|false`.

## The catalogue, bottom up
";

const FACTS: &str = "
## Facts

| fact | shape | counts as | what it is |
|---|---|---|---|
";
