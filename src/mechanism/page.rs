//! `docs/mechanisms.md`, written from the catalogue and the vocabulary.

use super::facts::{Shape, VOCABULARY};
use super::file::{Layer, Mechanism};
use super::words::{class, explained};
use crate::event::Red;

/// The page; the file in `docs/` is compared with it.
pub(crate) fn page(mechanisms: &[Mechanism]) -> String {
    let mut page = String::from(HEAD);
    for layer in Layer::ALL {
        let mut here: Vec<&Mechanism> = mechanisms.iter().filter(|m| m.layer == layer).collect();
        here.sort_by_key(|m| (m.fallback, &m.name));
        if here.is_empty() {
            continue;
        }
        page.push_str(&format!(
            "\n### {}\n\n| mechanism | class | what it is | can make | issue |\n|---|---|---|---|---|\n",
            layer.as_str()
        ));
        for m in here {
            let last = match (m.yields, m.fallback) {
                (true, _) => " (when no cause fits)",
                (false, true) => " (when nothing else of this layer fits)",
                (false, false) => "",
            };
            page.push_str(&format!(
                "| `{}` | {} | {}{last} | {} | {} |\n",
                m.name,
                class(m),
                m.summary.raw().replace('|', "\\|"),
                explained(m).join("; ").replace('|', "\\|"),
                m.issue.as_deref().unwrap_or("")
            ));
        }
    }
    page.push_str(REDS);
    for (name, _, about) in Red::ALL {
        page.push_str(&format!("| `{name}` | {about} |\n"));
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
- A mechanism says under `explains` which reds it can have made: what the step wanted (see the table of reds), and under
  `when` what else must be known, for example of which kind the error in a reply is. One that holds and cannot have made
  this red is `also seen`, never the cause: a missing variable makes no 502.
- Of those that can, the lowest layer is named, because whatever is broken below breaks everything above it too; the others
  are also seen, as a second cause. In one layer the one with more conditions wins; one marked `fallback` only when no
  other of its layer fits; one marked `yields` describes the red more than it explains it, and comes after every cause.
- None fits: `unclassified`, with what was seen and the nearest ones that can make such a red.

## A file

```yaml
mechanism: base-url-keeps-v1          # also the file's name
layer: projection
class: product                        # product | config | infra | provider | harness
summary: ANTHROPIC_BASE_URL ends in /v1, so the client asks for /v1/v1/messages.
explains:                             # the reds that it can have made
  - environment
  - { red: reply, when: { reply.error: [auth, model, endpoint] } }
match:
  all:                                # every line; a map of facts may go one level deeper
    env_wrong: ANTHROPIC_BASE_URL
    env: { ANTHROPIC_BASE_URL: { matches: '/v1/?$' } }
  any:                                # one of the groups, whole
    - { record.status: online }
    - { record.status: degraded }
  none:                               # none of the groups, and that is known
    - { instance: none }
  unless:                             # none of the groups is known to hold: what would contradict it
    - { record.gone: removed }
evidence:                             # a line whose fact is unknown is left out
  - \"{*env_rows}\"                     # a line for each value
  - \"server log: {*server.log|v1}\"    # for each value that contains v1
rules_out:
  - { when: { env_missing: { empty: true } }, text: \"a missing projection: the variables are set\" }
fix_shape: Trim one /v1 when the base URL is projected.
part: workspace-server, LLM projection
issue: \"#2754\"
fingerprint_field: env_wrong          # what tells two reds of this mechanism apart
yields: true                          # it describes the red: every cause comes first
never_seen: true                      # the sentence that it looks for was read in code, and never seen in a log
```

Tests of a fact: a text or a list of texts (is one of them), `is`, `not`, `contains`, `lacks` (any case of letters), `matches`
(a regular expression), `at_least`, `at_most`, `empty: true|false`.

## The catalogue, bottom up
";

const REDS: &str = "
## Reds

What a step wanted and did not get; a mechanism names them under `explains`.

| red | what it means |
|---|---|
";

const FACTS: &str = "
## Facts

| fact | shape | counts as | what it is |
|---|---|---|---|
";
