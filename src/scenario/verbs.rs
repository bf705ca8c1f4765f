//! The verbs. Each has a file here, and its line in `verbs!` below: reading, checking, the schema, the documentation
//! and every list of verbs go through that line.

pub(crate) mod a2a;
pub(crate) mod r#await;
pub(crate) mod billing;
pub(crate) mod capture;
pub(crate) mod container;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod edge;
pub(crate) mod exec;
pub(crate) mod expect;
mod foreach;
pub(crate) mod heartbeat;
pub(crate) mod hibernate;
pub(crate) mod hold;
pub(crate) mod http;
pub(crate) mod inbox;
pub(crate) mod model;
pub(crate) mod note;
pub(crate) mod org;
pub(crate) mod page;
mod parallel;
pub(crate) mod pause;
pub(crate) mod register;
pub(crate) mod restart;
pub(crate) mod resume;
pub(crate) mod secret;
pub(crate) mod spec;
mod steps;
pub(crate) mod stub;
pub(crate) mod terminate;
pub(crate) mod token;
pub(crate) mod r#use;
pub(crate) mod wake;

pub(crate) use spec::{Budget, Help, Holds, Names};

use schemars::{Schema, SchemaGenerator};

use crate::behaviour::Behaviour;
use crate::source::{Position, SourceFile, Span};
use crate::yaml::{Key, Node};

use super::check::Check;
use super::model::answer::Answer;
use super::model::field::{Condition, DurationField, Retry, WorkspaceRef};
use super::model::input::StepGate;
use super::template::Template;
use spec::VerbSpec;

macro_rules! verbs {
    ($($name:ident($type:ty)),* $(,)?) => {
        /// What a step does.
        #[derive(Clone, Debug)]
        pub enum Verb {
            $($name(Box<$type>)),*
        }

        /// All verbs, in the order of documentation.
        pub(crate) const VERBS: &[Help] = &[$(<$type as VerbSpec>::HELP,)* r#use::HELP];

        impl Verb {
            /// Reads and checks a step's verb; `use` is none, its steps take its place.
            pub(super) fn read(check: &mut Check<'_>, key: &Key, node: &Node, id: &str) -> Option<Verb> {
                $(if key.text == <$type as VerbSpec>::HELP.keyword {
                    let verb = <$type as VerbSpec>::check(check, node, key.span, id)?;
                    return Some(Verb::$name(Box::new(verb)));
                })*
                None
            }

            /// How it is written and what it means.
            pub fn help(&self) -> Help {
                match self { $(Verb::$name(_) => <$type as VerbSpec>::HELP),* }
            }

            /// What its step is called when nobody named it.
            pub fn title(&self) -> String {
                match self { $(Verb::$name(verb) => verb.title()),* }
            }

            /// How long it may take when its step does not say.
            pub fn budget(&self) -> Budget<'_> {
                match self { $(Verb::$name(verb) => verb.budget()),* }
            }

            /// What it asserts of an HTTP answer, where it can.
            pub fn answer(&self) -> Option<&Answer> {
                match self { $(Verb::$name(verb) => verb.answer()),* }
            }

            /// The workspaces that it names, without those of the steps inside it.
            pub fn workspaces(&self) -> Vec<&WorkspaceRef> {
                match self { $(Verb::$name(verb) => verb.workspaces()),* }
            }
        }

        /// Keyword, meaning and schema of each.
        pub(super) fn schemas(generator: &mut SchemaGenerator) -> Vec<(Help, Schema)> {
            vec![
                $((<$type as VerbSpec>::HELP, <$type as VerbSpec>::schema(generator)),)*
                (r#use::HELP, r#use::schema(generator)),
            ]
        }
    };
}

verbs! {
    Create(create::Create),
    Await(r#await::Await),
    Hold(hold::Hold),
    Restart(restart::Restart),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Hibernate(hibernate::Hibernate),
    Wake(wake::Wake),
    Terminate(terminate::Terminate),
    Delete(delete::Delete),
    Register(register::Register),
    Heartbeat(heartbeat::Heartbeat),
    Inbox(inbox::Inbox),
    A2a(a2a::A2a),
    Secret(secret::Secret),
    Billing(billing::Billing),
    Model(model::ModelChange),
    Token(token::TokenVerb),
    Http(http::Http),
    Expect(expect::Expect),
    Capture(capture::Capture),
    Container(container::ContainerVerb),
    Exec(exec::Exec),
    Stub(stub::Stub),
    Org(org::Org),
    Parallel(Parallel),
    Foreach(Foreach),
    Steps(Steps),
    Note(note::Note),
}

/// Verbs of the design that this version cannot run.
pub(crate) const PLANNED: [(&str, &str); 1] = [("files", "files inside a workspace")];

/// Every keyword.
pub(crate) fn keywords() -> impl Iterator<Item = &'static str> {
    VERBS.iter().map(|v| v.keyword)
}

/// Whether a word is a verb.
pub(crate) fn is_verb(word: &str) -> bool {
    keywords().any(|keyword| keyword == word)
}

/// Verbs that make a sensible list in a message.
pub(crate) fn list() -> String {
    keywords().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")
}

/// One step: exactly one verb, plus what every step can have.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its place in the scenario: `3`, `finally.1`, `4.2`; counted from 1.
    pub id: String,
    /// For people; made from the verb when absent.
    pub name: String,
    /// What to do.
    pub verb: Verb,
    /// Runs only when this holds.
    pub when: Option<Condition>,
    /// The step's own deadline; the scenario's budget bounds it too.
    pub within: Option<DurationField>,
    /// Overrides the scenario's gate.
    pub gate: Option<StepGate>,
    /// Tries again on failure.
    pub retry: Option<Retry>,
    /// Reached when the step passed.
    pub milestone: Option<String>,
    /// What it states of the contract: its failure is drift, no red of life.
    pub behaviour: Option<Behaviour>,
    /// Of the verb key.
    pub span: Span,
    /// Of the verb key.
    pub position: Position,
    /// The text that this step's spans point into: the scenario's, or a fragment's.
    pub source: SourceFile,
}

/// `parallel:`
#[derive(Clone, Debug)]
pub struct Parallel(pub Vec<Step>);

/// `steps:`
#[derive(Clone, Debug)]
pub struct Steps(pub Vec<Step>);

/// `foreach:`
#[derive(Clone, Debug)]
pub struct Foreach {
    /// The items.
    pub items: Vec<Template>,
    /// The name of an item inside the steps.
    pub alias: String,
    /// Run one after another for each item.
    pub steps: Vec<Step>,
    /// Items at once instead of one after another.
    pub parallel: bool,
}

impl Verb {
    /// The key in scenario files.
    pub fn keyword(&self) -> &'static str {
        self.help().keyword
    }

    /// The steps inside it.
    pub fn steps(&self) -> &[Step] {
        match self {
            Verb::Parallel(verb) => &verb.0,
            Verb::Steps(verb) => &verb.0,
            Verb::Foreach(verb) => &verb.steps,
            _ => &[],
        }
    }

    fn steps_mut(&mut self) -> &mut [Step] {
        match self {
            Verb::Parallel(verb) => &mut verb.0,
            Verb::Steps(verb) => &mut verb.0,
            Verb::Foreach(verb) => &mut verb.steps,
            _ => &mut [],
        }
    }
}

impl Step {
    /// Moves a step and all below it to another number.
    pub(super) fn renumber(&mut self, from: &str, to: &str) {
        if let Some(rest) = self.id.strip_prefix(from) {
            self.id = format!("{to}{rest}");
        }
        self.verb.steps_mut().iter_mut().for_each(|step| step.renumber(from, to));
    }
}

/// Every step, and the steps inside it after it.
pub fn walk(steps: &[Step]) -> impl Iterator<Item = &Step> {
    walk_where(steps, |_| true)
}

/// Every step that this holds of, and the steps inside those.
pub(crate) fn walk_where(steps: &[Step], enter: impl Fn(&Step) -> bool) -> impl Iterator<Item = &Step> {
    let mut open: Vec<&Step> = steps.iter().rev().collect();
    std::iter::from_fn(move || {
        loop {
            let step = open.pop()?;
            if enter(step) {
                open.extend(step.verb.steps().iter().rev());
                return Some(step);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_names_one_verb_and_chapters_stand_together() {
        let mut words: Vec<&str> = keywords().collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), VERBS.len());
        assert!(VERBS.is_sorted_by_key(|help| help.group));
        assert!(PLANNED.iter().all(|(word, _)| !is_verb(word)));
    }

    #[test]
    fn steps_inside_steps_are_walked() {
        let text = "scenario: a\nsteps:\n  - parallel:\n      - note: a\n      - steps: [{note: b}, {note: c}]\n  \
                    - foreach: {in: [x], as: item, steps: [{note: \"${item}\"}]}\n";
        let source = SourceFile::new("a.yaml", text);
        let scenario =
            crate::scenario::load(&source, &crate::scenario::Fragments::default()).scenario.unwrap();
        let ids: Vec<&str> = walk(&scenario.steps).map(|step| step.id.as_str()).collect();
        assert_eq!(ids, ["1", "1.1", "1.2", "1.2.1", "1.2.2", "2", "2.1"]);
        for step in walk(&scenario.steps) {
            assert_eq!(
                step.verb.steps().is_empty(),
                step.verb.help().holds == Holds::Nothing,
                "{}",
                step.name
            );
        }
        let entered = walk_where(&scenario.steps, |step| step.verb.keyword() != "parallel");
        assert_eq!(entered.map(|step| step.id.as_str()).collect::<Vec<_>>(), ["2", "2.1"]);
    }
}
