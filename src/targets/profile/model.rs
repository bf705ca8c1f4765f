//! A checked profile.

use std::collections::BTreeMap;
use std::time::Duration;

use indexmap::IndexMap;
use regex::Regex;

use crate::behaviour::Edition;
use crate::scenario::model::{Gate, Scenario};
use crate::scenario::need::Need;
use crate::scenario::template::Template;
use crate::source::{SourceFile, Span};
use crate::targets::Answers;

/// Which server, how it is brought up and down, and what runs against it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// One line.
    pub summary: String,
    /// An organisation is made first, and its tenant is the target.
    pub makes_organisation: bool,
    /// What its name begins with.
    pub org_prefix: Option<String>,
    /// Of a server that runs already.
    pub base_url: Option<Template>,
    /// Its admin token.
    pub admin_token: Option<Template>,
    /// The organisation's id.
    pub org: Option<Template>,
    /// A reference provider that its instances can reach.
    pub provider: Option<Template>,
    /// The server's containers are on the engine of this machine.
    pub containers: bool,
    /// What its agents can answer.
    pub answers: Option<Answers>,
    /// The edition that its server is expected to be.
    pub edition: Option<Edition>,
    /// The build that its server must be.
    pub expect_build: Option<String>,
    /// What the server offers or does, where no probe tells.
    pub declares: BTreeMap<Need, bool>,
    /// Whether a difference from the contract turns the run red.
    pub drift: Gate,
    /// What runs when nothing is chosen.
    pub run: Vec<String>,
    /// Values of inputs.
    pub inputs: IndexMap<String, Template>,
    /// Scenario, `@tag` or `all`, and its gate.
    pub gates: IndexMap<String, Gate>,
    /// Variables without which nothing runs.
    pub needs_env: Vec<String>,
    /// Names of ports.
    pub ports: Vec<String>,
    /// Names of generated secrets.
    pub secrets: Vec<String>,
    /// Names of folders.
    pub folders: Vec<String>,
    /// A network of the engine.
    pub network: Option<String>,
    /// Further names of images.
    pub images: Vec<Tag>,
    /// In the order in which they are started; the server last.
    pub parts: Vec<Part>,
    /// The file.
    pub source: SourceFile,
}

/// Another name of an image.
#[derive(Clone, Debug)]
pub struct Tag {
    /// The image, or `agent`.
    pub image: Template,
    /// The further name.
    pub tag: Template,
}

/// What the last part is called.
pub const SERVER: &str = "server";

/// A service or the server.
#[derive(Clone, Debug)]
pub struct Part {
    /// The service's name, or [`SERVER`].
    pub name: String,
    /// Where its name stands.
    pub span: Span,
    /// Variables that say where it is already.
    pub given: Vec<String>,
    /// Where it answers.
    pub url: Option<Template>,
    /// What is started.
    pub starts: Starts,
    /// Its environment.
    pub env: IndexMap<String, Template>,
    /// Variables that are passed on.
    pub pass: Vec<String>,
    /// Run to their end before it.
    pub before: Vec<Vec<Template>>,
    /// What must hold.
    pub ready: Vec<Ready>,
    /// Run to their end once it is ready.
    pub after: Vec<Vec<Template>>,
    /// How it is stopped.
    pub stop: Stop,
    /// Run to their end once it is stopped.
    pub finally: Vec<Vec<Template>>,
}

impl Part {
    /// All commands that run to their end.
    pub fn commands(&self) -> impl Iterator<Item = &Vec<Template>> {
        self.before.iter().chain(&self.after).chain(&self.finally)
    }
}

/// What a part is.
#[derive(Clone, Debug)]
pub enum Starts {
    /// Nothing: it is there already.
    Nothing,
    /// A process.
    Command {
        /// Program and arguments.
        argv: Vec<Template>,
        /// Who runs it.
        user: Option<Template>,
        /// Where.
        directory: Option<Template>,
    },
    /// A container.
    Image {
        /// Of this image.
        image: Template,
        /// Arguments.
        argv: Vec<Template>,
        /// Its port and the one of this machine.
        publish: Option<(u16, Template)>,
    },
}

/// When a part is ready.
#[derive(Clone, Debug)]
pub struct Ready {
    /// What is looked at.
    pub probe: Probe,
    /// For how long.
    pub within: Duration,
}

/// What is looked at.
#[derive(Clone, Debug)]
pub enum Probe {
    /// An address and the status that it must answer.
    Http(Template, u16),
    /// `address:port`, what is sent, what must come back.
    Tcp {
        /// Where.
        address: Template,
        /// What is sent.
        send: Option<String>,
        /// What must come back.
        expect: Option<String>,
    },
    /// A line of its log.
    Log(Regex),
}

/// How a part is stopped.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// First.
    pub signal: Signal,
    /// Then everything of it is killed.
    pub grace: Duration,
}

impl Default for Stop {
    fn default() -> Self {
        Stop { signal: Signal::Term, grace: Duration::from_secs(10) }
    }
}

/// Signals that ask a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the system's own names")]
pub enum Signal {
    Term,
    Int,
    Quit,
    Hup,
    Kill,
}

impl Signal {
    /// All of them.
    pub const ALL: [Signal; 5] = [Signal::Term, Signal::Int, Signal::Quit, Signal::Hup, Signal::Kill];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Signal::Term => "TERM",
            Signal::Int => "INT",
            Signal::Quit => "QUIT",
            Signal::Hup => "HUP",
            Signal::Kill => "KILL",
        }
    }
}

/// A command that runs to its end may take so long.
pub const COMMAND: Duration = Duration::from_secs(120);

impl Profile {
    /// How long its parts take at the most to come up and to go down.
    pub fn up_and_down(&self) -> Duration {
        let of_part = |part: &Part| match part.starts {
            Starts::Nothing => Duration::ZERO,
            _ => {
                let ready: Duration = part.ready.iter().map(|ready| ready.within).sum();
                let commands = COMMAND.saturating_mul(part.commands().count() as u32);
                ready.saturating_add(commands).saturating_add(part.stop.grace)
            }
        };
        self.parts.iter().map(of_part).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// The gate that the profile gives a scenario: its name wins over its tags, and those over `all`.
    pub fn gate_of(&self, scenario: &Scenario) -> Option<Gate> {
        let by_tag = || scenario.tags.iter().find_map(|tag| self.gates.get(&format!("@{tag}")));
        self.gates.get(&scenario.name).or_else(by_tag).or_else(|| self.gates.get("all")).copied()
    }

    /// The server, when the profile says how to bring one up.
    pub fn server(&self) -> Option<&Part> {
        self.parts.last().filter(|part| part.name == SERVER)
    }
}
