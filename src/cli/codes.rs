//! `lifecycle help CODE`: what each code of a problem means, an example, and what to do. `docs/error-codes.md` is
//! written from this table.

use std::fmt::Write as _;

use include_dir::{Dir, include_dir};

/// A code and what there is to say about it.
pub(crate) struct Code {
    /// As problems show it: `scenario::auth`.
    pub code: &'static str,
    /// What is wrong, in general.
    pub what: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// A line that causes it; files of `fixtures/scenarios` stand for those of scenarios.
    example: &'static str,
}

/// A file for each mistake of a scenario; a test holds that each causes its code.
static BAD_SCENARIOS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/fixtures/scenarios");

impl Code {
    /// A text that causes the problem.
    pub(super) fn example(&self) -> &'static str {
        let (area, code) = self.code.split_once("::").unwrap_or_default();
        let file = match area {
            "scenario" => BAD_SCENARIOS.get_file(format!("{code}.yaml")),
            _ => None,
        };
        file.and_then(|file| file.contents_utf8()).unwrap_or(self.example).trim_end()
    }

    /// What `lifecycle help` prints.
    pub(super) fn page(&self) -> String {
        let mut page = format!("{}\n\n{}\n\nFix: {}", self.code, self.what, self.fix);
        if !self.example().is_empty() {
            let _ = write!(page, "\n\nExample of what is wrong:\n");
            for line in self.example().lines() {
                let _ = write!(page, "\n    {line}");
            }
        }
        page
    }
}

/// A code, with or without its area: `auth` is `scenario::auth`.
pub(crate) fn find(word: &str) -> Vec<&'static Code> {
    let whole = |code: &&Code| code.code.eq_ignore_ascii_case(word);
    let last = |code: &&Code| code.code.rsplit("::").next().is_some_and(|c| c.eq_ignore_ascii_case(word));
    match CODES.iter().find(whole) {
        Some(code) => vec![code],
        None => CODES.iter().filter(last).collect(),
    }
}

/// The page of all codes.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Error codes\n\nWhat `lifecycle check` and `lifecycle run` say about a file. `lifecycle help CODE` prints one of \
         these. Generated from `src/cli/codes.rs` and `fixtures/scenarios/`.\n",
    );
    let mut area = "";
    for code in CODES {
        let this = code.code.split("::").next().unwrap_or_default();
        if this != area {
            area = this;
            let _ = writeln!(page, "\n## {area}");
        }
        let _ = write!(page, "\n### `{}`\n\n{}\n\n{}\n", code.code, code.what, code.fix);
        if !code.example().is_empty() {
            let _ = write!(page, "\n```yaml\n{}\n```\n", code.example());
        }
    }
    page
}

const fn code(code: &'static str, what: &'static str, fix: &'static str) -> Code {
    Code { code, what, fix, example: "" }
}

const fn shown(code: &'static str, what: &'static str, fix: &'static str, example: &'static str) -> Code {
    Code { code, what, fix, example }
}

/// All codes, by area and name.
pub(crate) const CODES: &[Code] = &[
    code(
        "catalogue::ambiguous",
        "Two providers match the same model and nothing decides between them.",
        "Make one `model_prefix_match` narrower, or list the model in one arm only.",
    ),
    shown(
        "catalogue::bad-pattern",
        "`model_prefix_match` is not a regular expression.",
        "Correct the pattern; the message says where it stops to make sense.",
        "model_prefix_match: \"^(MiniMax\"",
    ),
    shown(
        "catalogue::bad-protocol",
        "A provider speaks a protocol that the platform does not know.",
        "Write `openai` or `anthropic`.",
        "protocol: grpc",
    ),
    shown(
        "catalogue::bad-type",
        "A field holds another kind of value than the platform reads there.",
        "Write a text, a list or true / false, as the message says.",
        "auth_env: ANTHROPIC_API_KEY",
    ),
    shown(
        "catalogue::dangling-provider",
        "A runtime's arm names a provider that the catalogue does not have.",
        "Correct the name, or add the provider.",
        "providers: [{name: minimx}]",
    ),
    code("catalogue::duplicate-arm", "A runtime names the same provider twice.", "Merge the two arms."),
    code("catalogue::duplicate-model", "An arm lists a model twice.", "Remove one of them."),
    code(
        "catalogue::duplicate-provider",
        "Two providers have one name; the platform would take the last.",
        "Rename or remove one of them.",
    ),
    code(
        "catalogue::duplicate-vendor",
        "Two providers claim one upstream vendor.",
        "Give the vendor to one of them.",
    ),
    code(
        "catalogue::missing-field",
        "A provider or runtime lacks a field that the platform needs.",
        "Add the field that the message names.",
    ),
    code(
        "catalogue::no-arms",
        "A runtime has no providers, so no model can run on it.",
        "Add at least one arm, or remove the runtime.",
    ),
    code("catalogue::no-providers", "The catalogue has no providers.", "Write a list under `providers`."),
    code("catalogue::no-runtimes", "The catalogue has no runtimes.", "Write a mapping under `runtimes`."),
    shown(
        "catalogue::schema-version",
        "The catalogue is written for another reader.",
        "Only version 1 is known: write `schema_version: 1`.",
        "schema_version: 2",
    ),
    code(
        "catalogue::shadowed",
        "A provider's pattern can never match: an earlier one takes all its models.",
        "Move it up, or make the earlier pattern narrower.",
    ),
    shown(
        "catalogue::shape",
        "The file is not a catalogue.",
        "A catalogue is a mapping with `schema_version`, `providers` and `runtimes`.",
        "- providers",
    ),
    shown(
        "catalogue::unknown-key",
        "The platform reads past this key without a word.",
        "Correct its spelling, or remove it.",
        "auth_envs: [A]",
    ),
    code(
        "catalogue::unreachable",
        "No runtime offers this provider.",
        "Add it to a runtime's arms, or remove it.",
    ),
    code(
        "check::control-plane-misrouted",
        "A server gets the address of a control plane that it does not use for its own calls, so these go elsewhere (#2863).",
        "Set `CP_PROVISION_URL` (or `MOLECULE_CP_URL`) to the same address.",
    ),
    code(
        "check::expired",
        "An entry's last day has passed: what it allows is no longer allowed.",
        "Take it out, or give it a later `until`.",
    ),
    code(
        "check::nothing",
        "There was nothing to check below the paths that were named.",
        "Name a scenario, a folder of them, a profile, a catalogue or a workflow file.",
    ),
    code(
        "check::timeout-too-short",
        "A job or a step of a workflow ends before what it runs can end in the worst case, organisation and clean-up included.",
        "Raise `timeout-minutes`, or shorten the deadlines of the inputs.",
    ),
    code(
        "check::unclear",
        "A YAML file is none of the files that this program reads.",
        "Begin it with `scenario`, `fragment` or `profile`, or keep it elsewhere.",
    ),
    code(
        "check::unreadable",
        "A file is there and cannot be read.",
        "The message says why: permissions, its size, or its encoding.",
    ),
    shown(
        "known::date",
        "The last day of a known red is not a date.",
        "Write `until: YYYY-MM-DD`.",
        "- {red: a/await ws/connection-refused, issue: '#1', until: soon}",
    ),
    shown(
        "known::fingerprint",
        "A known red is not named as reports name it.",
        "Copy the line `fingerprint` of a failure block; an unclassified red cannot be known.",
        "- {red: a, issue: '#1', until: 2026-12-31}",
    ),
    code(
        "known::missing",
        "A known red lacks its fingerprint, its issue or its last day.",
        "Each entry is `{red: …, issue: …, until: YYYY-MM-DD}`.",
    ),
    shown(
        "known::shape",
        "The file is not a list of known reds.",
        "Write a list: `- {red: …, issue: …, until: YYYY-MM-DD}`.",
        "reds: []",
    ),
    code("known::twice", "One red is listed twice.", "Keep one entry."),
    code(
        "known::unknown-key",
        "An entry has a key that nothing reads.",
        "The keys are `red`, `issue` and `until`.",
    ),
    code(
        "manifest::bad-type",
        "The platform's manifest has another shape than expected.",
        "Pass the platform's own manifest.json.",
    ),
    code(
        "manifest::missing-field",
        "The manifest lacks `workspace_templates`, or a template lacks its name.",
        "Pass the platform's own manifest.json.",
    ),
    code(
        "mechanism::equal",
        "Two mechanisms of a layer are proven by the same evidence.",
        "Add to one of them what tells them apart.",
    ),
    code(
        "mechanism::shadowed",
        "A mechanism can never be the first: a lower one always holds as well.",
        "Say what rules the lower one out.",
    ),
    code("mechanism::twice", "Two mechanisms have one name.", "Rename one of them."),
    code(
        "mechanism::unknown",
        "A mechanism names a fact that nothing extracts.",
        "`lifecycle mechanisms lint` lists the facts.",
    ),
    code(
        "profile::address",
        "An address of the profile is not a URL once its variables are filled in.",
        "Write `http://host:port` or `https://host`.",
    ),
    code(
        "profile::address-twice",
        "The profile names a running server and starts one.",
        "Keep `base_url` or `server`.",
    ),
    code(
        "profile::command",
        "A part of the profile has nothing to start.",
        "Give it a `command` or an `image`.",
    ),
    code("profile::duplicate-name", "Two parts of the profile have one name.", "Rename one of them."),
    code("profile::name", "A name is not lower-case words with dashes.", "Write for example `my-lane`."),
    code("profile::not-an-image", "This is not the name of an image.", "Write `registry/name:tag`."),
    code(
        "profile::port",
        "A port is not a number from 1 to 65535, nor one of `ports`.",
        "Write the number, or `${ports.name}`.",
    ),
    code(
        "profile::production",
        "The profile would start or use what looks like production.",
        "Point it to a test environment; the message says what was seen.",
    ),
    code(
        "profile::ready",
        "Nothing says when a part is ready.",
        "Add `ready:` with a path, a port or a line of its log.",
    ),
    code(
        "profile::template",
        "A lookup of the profile has no value.",
        "The message names it; profiles look up `env`, `ports`, `secrets`, `folders` and `network`.",
    ),
    code(
        "profile::unset-variable",
        "An environment variable that the profile needs is not set.",
        "Set it, or give it a default: `${first(env.NAME, 'value')}`.",
    ),
    code(
        "profile::variable",
        "This is not a name of an environment variable.",
        "Write capitals, digits and `_`.",
    ),
    code(
        "run::bad-input",
        "An input's value cannot be used: it is none of the allowed ones, or not of its type.",
        "The message lists what is allowed.",
    ),
    code(
        "run::bad-pattern",
        "A pattern of the selection cannot be read.",
        "Patterns are `*`, `?`, `[abc]` and `{a,b}`; put them in quotes.",
    ),
    code(
        "run::bad-selection",
        "The words of the selection do not fit together.",
        "`and` stands between two names, tags or patterns; `!` stands before one.",
    ),
    code(
        "run::duplicate-scenario",
        "Two files hold a scenario of the same name.",
        "Rename one of them, or name one of the files.",
    ),
    shown(
        "run::exec-not-allowed",
        "A scenario would run a command on this machine, and nobody allowed it.",
        "Read what it runs. Where that is meant, give `--allow-exec`.",
        "- exec: [psql, -c, \"select 1\"]",
    ),
    code(
        "run::too-many",
        "The selection has more instances than a run may have.",
        "Choose fewer scenarios, or smaller matrices.",
    ),
    code(
        "run::unknown-input",
        "No chosen scenario has this input.",
        "`lifecycle plan` shows the inputs of what would run.",
    ),
    code(
        "run::unknown-scenario",
        "No scenario has this name, tag or path.",
        "`lifecycle list` shows what there is.",
    ),
    code(
        "scenario::auth",
        "`auth` does not say whose credentials a request carries.",
        "Write `admin`, `none`, `{workspace: ws}` or `{bearer: \"…\"}`.",
    ),
    code(
        "scenario::bad-name",
        "A name has characters that lookups cannot have.",
        "Use letters, digits, `_` and `-`, a letter first.",
    ),
    code("scenario::base64", "The bytes of a file are not base64.", "Encode them: `base64 FILE`."),
    code(
        "scenario::behaviour",
        "A step that is life and no assertion states a behaviour of the server.",
        "Give `behaviour` to the `expect`, `http` or other single step that asserts it.",
    ),
    code(
        "scenario::capture",
        "An `http` step can capture a JSON path, a header, the status or the body.",
        "Write `$.id`, `header:Name`, `status` or `body`.",
    ),
    code(
        "scenario::condition",
        "`when:` is not a condition that this language has.",
        "Write `${x}`, `${x} == word`, `${x} != word` or `${x} in [a, b]`.",
    ),
    code(
        "scenario::contradiction",
        "This is no code of a contradiction.",
        "`docs/contradictions.md` lists them, for example `C8`.",
    ),
    code("scenario::date", "A day is not a date.", "Write YYYY-MM-DD."),
    code(
        "scenario::document",
        "The file is not a scenario.",
        "A scenario is a mapping with `scenario`, `summary` and `steps`.",
    ),
    code("scenario::duplicate-fragment", "Two fragments have one name.", "Rename one of them."),
    code(
        "scenario::duplicate-key",
        "A mapping has one key twice; one of the values would be lost.",
        "Remove one of them, or make two steps.",
    ),
    code("scenario::duplicate-name", "Two steps introduce one name.", "Choose another name for one of them."),
    code(
        "scenario::duration",
        "This is not a duration, or it is zero where time is needed.",
        "Write 90s, 4m or 1m 30s; a bare number means seconds.",
    ),
    code("scenario::event", "This is not a type of event.", "Types are capitals: `WORKSPACE_ONLINE`."),
    code(
        "scenario::exclusive-fields",
        "Two fields exclude each other, or exactly one of several is needed.",
        "Keep one; the message names them.",
    ),
    code(
        "scenario::expect-absent",
        "Nothing else can hold of a container that is not there.",
        "Beside `state: absent` only `volumes` may stand.",
    ),
    code(
        "scenario::expect-subject",
        "`expect` names nothing to assert something of, or two things.",
        "Name one of `row_of`, `env_of`, `activity_of`, `event_of`, `container_of`, `gone`, `value`.",
    ),
    shown(
        "scenario::expired",
        "The day is over on which a failure was still expected.",
        "Mend what fails, or look into the issue and set a new `until`.",
        "expect_failure: {issue: \"#1\", reason: known, until: 2020-01-01}",
    ),
    code(
        "scenario::fragment-recursion",
        "A fragment uses itself.",
        "Take the `use` out of one of the fragments that the message names.",
    ),
    code("scenario::http-status", "This is not an HTTP status.", "Write 201, [200, 204], 2xx or \"!200\"."),
    code(
        "scenario::input-default",
        "An input's default is none of its allowed values, not of its type, or a secret.",
        "Correct the default, or leave it out.",
    ),
    code(
        "scenario::input-env",
        "This is not a name of an environment variable.",
        "Write capitals, digits and `_`: `E2E_RUNTIME`.",
    ),
    code(
        "scenario::input-secret",
        "An input goes into a secret and does not say that it is one; its value is never shown all the same.",
        "Say `secret: true`.",
    ),
    code(
        "scenario::json-path",
        "This is not a JSON path (RFC 9535).",
        "Write for example `$.status`, `$[0].id`, `$[?@.key == 'A'].value`.",
    ),
    code("scenario::many-verbs", "A step has more than one verb.", "Make two steps of it."),
    code(
        "scenario::matrix",
        "A key of the matrix has no values, one value twice, or too many combinations.",
        "Write at least one value, each once.",
    ),
    code(
        "scenario::milestone",
        "No step reaches a milestone that the scenario declares.",
        "Give a step `milestone: NAME`.",
    ),
    code(
        "scenario::missing-field",
        "A field that is needed is missing.",
        "Add it; the hint shows an example.",
    ),
    code(
        "scenario::missing-parameter",
        "A fragment is used without a parameter that it needs.",
        "Add it under `with:`.",
    ),
    code(
        "scenario::new-instance",
        "A new instance is awaited where none can come.",
        "Await it after restart, resume, wake, a secret, a model change, terminate or container.",
    ),
    code(
        "scenario::no-fields",
        "A lookup goes into a text, which has no fields.",
        "Look the text itself up.",
    ),
    code("scenario::no-steps", "A list of steps is empty.", "Write at least one step."),
    code("scenario::no-verb", "A step has no verb.", "`docs/verbs.md` lists the verbs."),
    code(
        "scenario::not-a-workspace",
        "A workspace is named where something else stands.",
        "Name what a `create` or `register` introduced with `as`.",
    ),
    code("scenario::path", "This is neither a path nor a URL.", "Begin it with `/`."),
    code(
        "scenario::plain-name",
        "A lookup stands where a text is taken as it is written.",
        "Write the name out: only values and JSON paths look something up.",
    ),
    code(
        "scenario::refused-name",
        "A create that is expected to be refused makes no workspace to name.",
        "Leave `as` out.",
    ),
    code(
        "scenario::regex",
        "This is not a regular expression.",
        "Correct it; the message says what is wrong.",
    ),
    code(
        "scenario::reserved-name",
        "The language needs this name itself.",
        "Choose another, for example `ws`.",
    ),
    code(
        "scenario::retry",
        "A step cannot be tried again like this.",
        "2 to 20 attempts; a create is never tried again.",
    ),
    code(
        "scenario::say",
        "`say` has one of three forms.",
        "Write `known-answer`, `{known: WOKE}` or `{text: \"hello\"}`.",
    ),
    code(
        "scenario::scenario-name",
        "This is not a name of a scenario.",
        "Use lower-case words with dashes: `local-provision`.",
    ),
    code("scenario::step-shape", "A step is not a mapping with one verb.", "Write `- await: {…}`."),
    code("scenario::stub-act", "A stub cannot do this.", "The hint lists what it can do."),
    code("scenario::tag", "This is not a tag.", "Use lower-case words with dashes, without `@`."),
    code(
        "scenario::template",
        "A lookup cannot be read.",
        "Write `${name}`, `${name.field}` or `${function(…)}`; `$${` is a literal `${`.",
    ),
    code("scenario::tier", "There are tiers 1 to 4.", "To send another one on purpose put it into `body`."),
    code(
        "scenario::tolerate",
        "A status is awaited and tolerated, or cannot be tolerated here.",
        "Keep it in one of `status`, `tolerate`, `never`.",
    ),
    code("scenario::too-large", "The file is larger than any scenario.", "Split it, or move data out of it."),
    code(
        "scenario::unknown-behaviour",
        "No behaviour of servers is called so.",
        "`lifecycle behaviours list` shows all.",
    ),
    code("scenario::unknown-capability", "No target offers this.", "The hint lists what targets can offer."),
    code("scenario::unknown-field", "There is no such field here.", "The hint shows the nearest names."),
    code(
        "scenario::unknown-fragment",
        "There is no such fragment.",
        "Correct the name, or put the fragment's file into the folder that is checked.",
    ),
    code("scenario::unknown-input", "The scenario has no such input.", "Declare it under `inputs:`."),
    code("scenario::unknown-matrix-key", "The matrix has no such key.", "Declare it under `matrix:`."),
    shown(
        "scenario::unknown-mechanism",
        "A failure is expected of a cause that the catalogue does not have.",
        "`lifecycle mechanisms list` shows all.",
        "expect_failure: {issue: \"#1\", reason: known, mechanism: gremlins, until: 2030-01-01}",
    ),
    code(
        "scenario::unknown-name",
        "Nothing is called so at this place.",
        "A step sees what earlier steps introduced, inputs, the matrix, `run` and `target`.",
    ),
    code(
        "scenario::unknown-parameter",
        "A fragment has no such parameter.",
        "Its file declares them under `with:`.",
    ),
    code("scenario::unknown-status", "This is not a status of a workspace.", "The hint lists them."),
    code(
        "scenario::unknown-test",
        "This tests nothing.",
        "Write a value, or tests such as `{contains: x}`; a mapping to compare with is `{equals: {…}}`.",
    ),
    code("scenario::unknown-verb", "There is no such verb.", "`docs/verbs.md` lists the verbs."),
    code(
        "scenario::unknown-word",
        "This word is none of those that are allowed here.",
        "The hint lists them.",
    ),
    code(
        "scenario::unknown-workspace",
        "No earlier step makes a workspace of this name.",
        "`create: {as: ws, …}` makes a workspace `ws`.",
    ),
    code(
        "scenario::unknown-workspace-field",
        "A workspace has no such field.",
        "Its fields are id, name, token, url, status, runtime, model, provider and parent_id.",
    ),
    code(
        "scenario::unsupported-verb",
        "The verb is planned, and this version cannot run it.",
        "Use an `http` or `exec` step meanwhile.",
    ),
    code(
        "scenario::until",
        "Only a GET is repeated until its assertions hold.",
        "Wait with a GET after the request that changes something.",
    ),
    code("scenario::unused-capture", "Nothing uses a value that is captured.", "Leave the capture out."),
    code(
        "scenario::unused-input",
        "Nothing uses an input.",
        "Look it up as `${inputs.name}`, or leave it out.",
    ),
    code(
        "scenario::unused-matrix-key",
        "Nothing uses a key of the matrix: all its instances are alike.",
        "Look it up as `${matrix.name}`, or leave it out.",
    ),
    code(
        "scenario::within-over-budget",
        "A deadline lies behind the scenario's budget and is never reached.",
        "Raise `budget:`, or shorten the deadline.",
    ),
    code(
        "scenario::within-twice",
        "A step has two deadlines.",
        "Keep `within` inside the verb or beside it.",
    ),
    code(
        "scenario::workspace-name",
        "The platform would refuse this name.",
        "Shorten it, or take the character out; a bad one on purpose goes into `body`.",
    ),
    code("scenario::wrong-type", "Another kind of value is expected here.", "The message says which."),
    code("scenario::yaml", "The text is not YAML.", "The message says where it stops to make sense."),
    code(
        "situation::unknown-key",
        "A situation file has a key that nothing reads.",
        "The hint lists the keys.",
    ),
    code(
        "situation::unknown-word",
        "A situation file has a word that is not allowed there.",
        "The hint lists the words.",
    ),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn codes_are_in_order_and_each_once() {
        let codes: Vec<&str> = CODES.iter().map(|code| code.code).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
        assert_eq!(find("scenario::auth").len(), 1);
        assert_eq!(find("missing-field").len(), 3);
        assert!(find("no-such-code").is_empty());
    }

    /// A code that the program says and nobody explains, or the other way round.
    #[test]
    fn every_bad_file_has_its_code() {
        let explained = |code: &str| CODES.iter().any(|c| c.code == code);
        for file in BAD_SCENARIOS.files().filter(|file| file.path().extension().is_some_and(|e| e == "yaml"))
        {
            let stem = file.path().file_stem().unwrap().to_str().unwrap();
            assert!(explained(&format!("scenario::{stem}")), "{stem}");
        }
        let said = regex::Regex::new(r#"(?:error|warning)\(\s*"((?:run|scenario|known|manifest|catalogue|situation|profile|mechanism|check)::[a-z0-9-]+)""#).unwrap();
        let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let mut found = 0;
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for code in said.captures_iter(&text) {
                found += 1;
                assert!(explained(&code[1]), "{} says {}, which is not explained", path.display(), &code[1]);
            }
        }
        assert!(found > 20, "{found}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a developer's switch, read by this test only")]
    fn the_page_is_the_file() {
        const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/error-codes.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(DOCS, page()).unwrap();
        }
        let file = std::fs::read_to_string(DOCS).unwrap_or_default();
        assert!(
            file == page(),
            "docs/error-codes.md is out of date: UPDATE_DOCS=1 cargo test the_page_is_the_file"
        );
    }
}
