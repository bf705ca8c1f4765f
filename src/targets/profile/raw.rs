//! What may be typed: serde's shape of a profile file. Field comments are the descriptions of the JSON Schema.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::model::Gate;
use crate::scenario::need::Need;
use crate::scenario::raw::values::{OneOrMany, Text, TextMap, Texts};
use crate::yaml::Node;

/// A profile file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "lifecycle profile", rename = "Profile")]
pub struct RawProfile {
    /// Its name: lower-case words with dashes.
    #[schemars(required)]
    pub profile: Option<Text>,
    /// One line for people.
    pub summary: Option<Text>,
    /// Address of a server that runs already; instead of `server`.
    pub base_url: Option<Text>,
    /// `saas`: the tenant of an organisation that the run makes at a control plane; instead of `server` and `base_url`.
    #[schemars(extend("enum" = ["saas"]))]
    pub target: Option<Text>,
    /// Of `target: saas`: what names of organisations begin with.
    pub org_prefix: Option<Text>,
    /// Its admin token; without one the flag and the environment are used.
    pub admin_token: Option<Text>,
    /// `X-Molecule-Org-Id`.
    pub org: Option<Text>,
    /// A reference provider that the server's instances can reach: any key will do.
    pub provider: Option<Text>,
    /// The server's containers are on the engine of this machine.
    pub containers: Option<bool>,
    /// What its agents can answer: `known`, `stub`, `none`.
    pub answers: Option<Text>,
    /// The edition that its server is expected to be; else it is found by probes.
    pub edition: Option<Text>,
    /// The build that its server must be, by its /buildinfo: a commit, of which 7 digits suffice.
    pub expect_build: Option<Text>,
    /// `required` (default), or `advisory`: a difference from the contract is shown and never turns the run red.
    pub drift: Option<Gate>,
    /// What the server offers or does, where no probe tells: `{hibernate-wakes: false}`.
    #[schemars(with = "Option<indexmap::IndexMap<Need, bool>>")]
    pub declares: Option<Node>,
    /// What runs when the command line chooses nothing: names and @tags.
    #[schemars(with = "Option<Texts>")]
    pub run: Option<Node>,
    /// Values of scenarios' inputs; weaker than flags and the environment.
    #[schemars(with = "Option<TextMap>")]
    pub inputs: Option<Node>,
    /// Overrides gates: a scenario, an @tag or `all`, and `advisory` or `required`.
    #[schemars(with = "Option<indexmap::IndexMap<String, Gate>>")]
    pub gates: Option<Node>,
    /// Variables without which nothing runs: a skip of everything, counted and shown.
    #[schemars(with = "Option<Texts>")]
    pub needs_env: Option<Node>,
    /// Names of free ports of loopback: `${ports.name}`.
    #[schemars(with = "Option<Texts>")]
    pub ports: Option<Node>,
    /// Names of generated values of 32 hex digits that are never shown: `${secrets.name}`.
    #[schemars(with = "Option<Texts>")]
    pub secrets: Option<Node>,
    /// Names of empty folders, removed afterwards: `${folders.name}`.
    #[schemars(with = "Option<Texts>")]
    pub folders: Option<Node>,
    /// A network of the engine, made if it is missing: `${network.name}`, `${network.gateway}`.
    pub network: Option<Text>,
    /// Further names of images, taken away afterwards.
    #[schemars(with = "Option<OneOrMany<RawTag>>")]
    pub images: Option<Node>,
    /// What the server needs, in the order in which it is started.
    #[schemars(with = "Option<indexmap::IndexMap<String, RawPart>>")]
    pub services: Option<Node>,
    /// The server; its `url` is the target's address.
    #[schemars(with = "Option<RawPart>")]
    pub server: Option<Node>,
}

/// Another name of an image.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ImageTag")]
pub struct RawTag {
    /// An image that is on the engine, or `agent`: the one that is made from this program.
    #[schemars(required)]
    pub image: Option<Text>,
    /// The further name.
    #[schemars(required)]
    pub tag: Option<Text>,
}

/// A process or a container that is started, or something that is there already.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Part")]
pub struct RawPart {
    /// Variables that say where it is already; the first that is set wins, and nothing is started.
    #[schemars(with = "Option<Texts>")]
    pub given: Option<Node>,
    /// Where it answers once it is started: `${services.name.url}`.
    pub url: Option<Text>,
    /// Program and arguments; of an `image`, the arguments after its entry point. No shell.
    #[schemars(with = "Option<Vec<Text>>")]
    pub command: Option<Node>,
    /// A container of this image, which must be on the engine.
    pub image: Option<Text>,
    /// Of an image: the port that it listens on and the port of this machine that leads there.
    #[schemars(with = "Option<RawPublish>")]
    pub publish: Option<Node>,
    /// Of a command: the user of this machine who runs it.
    pub user: Option<Text>,
    /// Of a command: its working directory; a relative one counts from where `lifecycle` is run.
    pub directory: Option<Text>,
    /// Its environment. Of a command, only PATH, HOME, LANG and TMPDIR are there besides.
    #[schemars(with = "Option<TextMap>")]
    pub env: Option<Node>,
    /// Variables of our own environment that it gets too, where they are set.
    #[schemars(with = "Option<Texts>")]
    pub pass: Option<Node>,
    /// Commands that run to their end first, one after the other.
    #[schemars(with = "Option<Vec<Vec<Text>>>")]
    pub before: Option<Node>,
    /// What must hold before anything else is started.
    #[schemars(with = "Option<OneOrMany<RawReady>>")]
    pub ready: Option<Node>,
    /// Commands that run to their end once it is ready.
    #[schemars(with = "Option<Vec<Vec<Text>>>")]
    pub after: Option<Node>,
    /// Commands that run to their end once it is stopped, in every ending: they take away what it leaves.
    #[schemars(with = "Option<Vec<Vec<Text>>>")]
    pub finally: Option<Node>,
    /// How it is stopped.
    #[schemars(with = "Option<RawStop>")]
    pub stop: Option<Node>,
}

/// A port of a container and one of this machine.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Publish")]
pub struct RawPublish {
    /// What it listens on.
    #[schemars(required)]
    pub port: Option<Text>,
    /// The port of 127.0.0.1 that leads there: `${ports.name}`.
    #[schemars(required)]
    pub at: Option<Text>,
}

/// When something is ready: exactly one of `http`, `tcp` and `log`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ready")]
pub struct RawReady {
    /// An address that answers with `status`.
    pub http: Option<Text>,
    /// Of `http`: 200 when absent.
    pub status: Option<Text>,
    /// `address:port` that takes a connection and keeps it.
    pub tcp: Option<Text>,
    /// Of `tcp`: what is sent.
    pub send: Option<Text>,
    /// Of `tcp`: what must come back.
    pub expect: Option<Text>,
    /// A regular expression that a line of its log matches.
    pub log: Option<Text>,
    /// How long it may take; 30s when absent.
    pub within: Option<Text>,
}

/// How something is stopped.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stop")]
pub struct RawStop {
    /// `TERM` when absent; `INT`, `QUIT`, `HUP`, `KILL`.
    pub signal: Option<Text>,
    /// How long it may take before everything of it is killed; 10s when absent.
    pub grace: Option<Text>,
}
