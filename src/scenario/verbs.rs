//! The verbs: what each means, how it is written. `docs/verbs.md` and every list of verbs come from here.

mod page;

pub use page::page;

/// One verb of the language.
#[derive(Clone, Copy, Debug)]
pub struct VerbHelp {
    /// The key in scenario files.
    pub keyword: &'static str,
    /// Its group in the documentation.
    pub group: &'static str,
    /// What it does, in a line or two.
    pub meaning: &'static str,
    /// Its mapping in the JSON Schema; empty for verbs that take no mapping.
    pub schema: &'static str,
    /// Steps that can be copied.
    pub example: &'static str,
}

const fn verb(
    keyword: &'static str,
    group: &'static str,
    schema: &'static str,
    meaning: &'static str,
    example: &'static str,
) -> VerbHelp {
    VerbHelp { keyword, group, meaning, schema, example }
}

/// All verbs, in the order of documentation.
pub const VERBS: [VerbHelp; 29] = [
    verb(
        "create",
        "Lifecycle",
        "Create",
        "Makes a workspace under the run's own root, and checks the answer and the stored row.",
        "- create: { as: ws, runtime: claude-code, model: auto }",
    ),
    verb(
        "await",
        "Lifecycle",
        "Await",
        "Waits until a workspace has a status. After an edge, `new_instance: true` waits for an instance that is \
         not the old one.",
        "- await: { workspace: ws, status: online, within: 90s, tolerate: { failed: 20s } }",
    ),
    verb(
        "hold",
        "Lifecycle",
        "Hold",
        "Lets the platform's time pass; with a workspace, its status must stay as it is. Short form: the duration.",
        "- hold: { for: 20s, workspace: ws, status: online }",
    ),
    verb(
        "restart",
        "Lifecycle",
        "Restart",
        "Restarts a workspace; answer and row. Short form: the workspace.",
        "- restart: ws",
    ),
    verb(
        "pause",
        "Lifecycle",
        "PauseOrResume",
        "Pauses a workspace; answer and row. Short form: the workspace.",
        "- pause: ws",
    ),
    verb(
        "resume",
        "Lifecycle",
        "PauseOrResume",
        "Resumes a paused workspace; answer and row. Short form: the workspace.",
        "- resume: ws",
    ),
    verb(
        "hibernate",
        "Lifecycle",
        "Hibernate",
        "Hibernates a workspace; answer and row. Short form: the workspace.",
        "- hibernate: { workspace: ws, force: true }",
    ),
    verb(
        "wake",
        "Lifecycle",
        "WakeOrTerminate",
        "Sends a message to a hibernated workspace and waits until a new instance is online.",
        "- wake: { workspace: ws, within: 60s }",
    ),
    verb(
        "terminate",
        "Lifecycle",
        "WakeOrTerminate",
        "Stops the instance behind the platform's back.",
        "- terminate: ws",
    ),
    verb(
        "delete",
        "Lifecycle",
        "Delete",
        "Deletes a workspace; answer and row. Short form: the workspace.",
        "- delete: { workspace: ws, purge: true }",
    ),
    verb(
        "register",
        "As an agent",
        "Register",
        "Registers as the agent of a workspace, or as an agent nobody has heard of.",
        "- register: { workspace: ws, delivery_mode: poll }",
    ),
    verb(
        "heartbeat",
        "As an agent",
        "Heartbeat",
        "Sends one heartbeat, or keeps beating in the background.",
        "- heartbeat: { workspace: ws, body: { error_rate: 0.9, sample_error: boom } }",
    ),
    verb(
        "inbox",
        "As an agent",
        "Inbox",
        "Reads messages as an agent in poll mode does, from a cursor on.",
        "- inbox: { workspace: ws, texts: [hello], cursor: seen }",
    ),
    verb(
        "a2a",
        "Messages",
        "A2a",
        "Sends a message and judges the reply, found by its own message id.",
        "- a2a: { to: ws, say: known-answer, within: 120s }",
    ),
    verb(
        "secret",
        "Settings",
        "Secret",
        "Writes or deletes secrets one by one; every answer is checked.",
        "- secret: { workspace: ws, set: { MINIMAX_API_KEY: \"${inputs.key}\" } }",
    ),
    verb(
        "billing",
        "Settings",
        "Billing",
        "Sets or clears the billing override.",
        "- billing: { workspace: ws, mode: byok }",
    ),
    verb(
        "model",
        "Settings",
        "Model",
        "Changes the model; the platform restarts the workspace by itself.",
        "- model: { workspace: ws, set: MiniMax-M2.7 }",
    ),
    verb(
        "token",
        "Settings",
        "Token",
        "Mints, revokes or rotates tokens of a workspace.",
        "- token: { workspace: ws, mint: spare }",
    ),
    verb(
        "http",
        "Requests",
        "Http",
        "Sends any request and checks the answer.",
        "- http: { path: \"/workspaces/${ws.id}\", auth: none, expect: { json: { $.status: online } } }",
    ),
    verb(
        "expect",
        "Assertions",
        "Expect",
        "Asserts something about the platform: a row, an environment, an activity row, an event, a container, a value.",
        "- expect: { env_of: ws, satisfies: provider, stable: true }",
    ),
    verb(
        "capture",
        "Assertions",
        "",
        "Names values for later steps.",
        "- capture: { greeting: \"hello ${uuid()}\" }",
    ),
    verb(
        "container",
        "Outside the platform",
        "Container",
        "Acts on the container of a workspace through the engine.",
        "- container: { workspace: ws, action: kill }",
    ),
    verb(
        "exec",
        "Outside the platform",
        "Exec",
        "Runs a command, never through a shell. Short form: the list of arguments.",
        "- exec: { argv: [psql, --version], stdout: { contains: psql } }",
    ),
    verb(
        "stub",
        "Outside the platform",
        "Stub",
        "Starts an agent of the harness's own on this machine and names its address, `http://localhost:PORT`. It does \
         with each message what its script says; `GET <address>/calls` lists the messages that it got.",
        "- stub: { as: peer, script: [reset, answer] }",
    ),
    verb(
        "parallel",
        "Flow",
        "",
        "Runs its steps at once; a branch of several steps is a `steps:` step.",
        "- parallel:\n    - await: { workspace: a, status: online }\n    - steps:\n        - await: { workspace: b, \
         status: online }\n        - pause: b",
    ),
    verb(
        "foreach",
        "Flow",
        "Foreach",
        "Runs its steps once for each item.",
        "- foreach: { in: [one, two], as: word, steps: [{ a2a: { to: ws, say: { text: \"${word}\" } } }] }",
    ),
    verb(
        "steps",
        "Flow",
        "",
        "Runs its steps one after another, as one step.",
        "- steps: [{ pause: ws }, { resume: ws }]",
    ),
    verb(
        "use",
        "Flow",
        "Use",
        "Puts the steps of a fragment here. Short form: the fragment's name.",
        "- use: { fragment: online-and-answering, with: { workspace: ws } }",
    ),
    verb("note", "Flow", "", "Says something in the reports.", "- note: the next restart is the second one"),
];

/// Verbs of the design that this version cannot run.
pub const PLANNED: [(&str, &str); 2] =
    [("org", "organisations of a control plane"), ("files", "files inside a workspace")];

/// Every keyword.
pub fn keywords() -> impl Iterator<Item = &'static str> {
    VERBS.iter().map(|v| v.keyword)
}

/// Whether a word is a verb.
pub fn is_verb(word: &str) -> bool {
    keywords().any(|keyword| keyword == word)
}

/// Verbs that make a sensible list in a message.
pub fn list() -> String {
    keywords().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")
}
