//! What is known about a failure, as named facts. What is not known is absent, never "no".

use std::collections::BTreeMap;

use super::said;
use crate::source::did_you_mean;

/// How a fact looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One text.
    Text,
    /// One number.
    Number,
    /// Any number of texts; a test holds when one of them fits.
    List,
    /// Facts below it: `record.status`, `env.MODEL`.
    Map,
}

/// One fact that mechanisms may speak of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FactInfo {
    /// Its name.
    pub name: &'static str,
    /// How it looks.
    pub shape: Shape,
    /// Evidence of a cause; what is not deep is only the symptom.
    pub deep: bool,
    /// The only values that it has, where they are known.
    pub values: &'static [&'static str],
    /// What it is, in one line; on the page that a test writes.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the page"))]
    pub about: &'static str,
}

const STATUSES: &[&str] = &[
    "provisioning",
    "online",
    "offline",
    "degraded",
    "failed",
    "removed",
    "paused",
    "hibernated",
    "awaiting_agent",
    "hibernating",
];
const YES_NO: &[&str] = &["true", "false"];
const KNOWN: &[&str] = &["right", "question", "other"];

const fn deep(name: &'static str, shape: Shape, about: &'static str) -> FactInfo {
    FactInfo { name, shape, deep: true, values: &[], about }
}

const fn symptom(name: &'static str, shape: Shape, about: &'static str) -> FactInfo {
    FactInfo { name, shape, deep: false, values: &[], about }
}

const fn one_of(info: FactInfo, values: &'static [&'static str]) -> FactInfo {
    FactInfo { values, ..info }
}

/// Every fact there is.
pub(crate) const VOCABULARY: &[FactInfo] = &[
    one_of(
        symptom("kind", Shape::Text, "how the step counts before any cause is known"),
        &["product", "inconclusive", "environment", "config", "harness"],
    ),
    symptom("red", Shape::Text, "what the step wanted and did not get, by its name under `explains`"),
    symptom("scenario", Shape::Text, "the scenario's name"),
    symptom("step.verb", Shape::Text, "the verb of the failed step"),
    symptom("message", Shape::Text, "what the step said"),
    deep("panic", Shape::Text, "the words of a panic of this tool"),
    symptom("details", Shape::List, "more lines of what it said"),
    one_of(
        symptom("edge", Shape::Text, "the last request that gives the workspace a new instance"),
        &[
            "create",
            "register",
            "restart",
            "resume",
            "wake",
            "secret write",
            "model change",
            "terminate",
            "last edge",
        ],
    ),
    deep(
        "edge.gap",
        Shape::Number,
        "the longest time since that request in which no look showed the row, in seconds of ours",
    ),
    deep("edge.failed_looks", Shape::Number, "how many looks at the row failed since that request"),
    one_of(
        deep(
            "inbox.problem",
            Shape::Text,
            "what is wrong with the messages that an agent in poll mode read, where that can be told",
        ),
        &["twice", "lost", "before-the-cursor", "order"],
    ),
    symptom("edge.count", Shape::Number, "how many such requests came after the create"),
    one_of(symptom("workspace.deleted", Shape::Text, "the scenario itself deleted it"), YES_NO),
    one_of(symptom("workspace.managed", Shape::Text, "the platform makes its instances"), YES_NO),
    symptom("workspace.runtime", Shape::Text, "its runtime"),
    symptom("workspace.model", Shape::Text, "its model"),
    symptom("workspace.provider", Shape::Text, "what the model derives to; `none` when nothing"),
    symptom("target.scale", Shape::Number, "how many times faster than ours its clock runs"),
    one_of(symptom("target.wakes", Shape::Text, "a message wakes a hibernated workspace there"), YES_NO),
    one_of(
        symptom("wait.end", Shape::Text, "how the wait ended"),
        &["timed-out", "hopeless", "dead", "cancelled"],
    ),
    symptom("wait.wants", Shape::Text, "what the wait wanted"),
    symptom("wait.last", Shape::Text, "what the wait saw last"),
    deep("wait.within", Shape::Number, "seconds that the wait was given, on the platform's clock"),
    deep("wait.polls", Shape::Number, "how often the wait looked"),
    deep("wait.errors", Shape::Number, "how many looks failed"),
    deep("wait.gap", Shape::Number, "the longest time between two looks that succeeded, in seconds of ours"),
    deep("wait.last_error", Shape::Text, "the last error of a look, the whole chain of causes"),
    one_of(
        deep("wait.blind", Shape::Text, "no look of the wait, or none at its end, showed anything"),
        YES_NO,
    ),
    deep("record", Shape::Map, "the stored row: single read and admin list, merged"),
    deep("row", Shape::Text, "the row's status and URL in words: `online at http://…`, `paused, no URL`"),
    one_of(
        deep("sample.error", Shape::Text, "what the row's last_sample_error is about; `none`: there is none"),
        said::KINDS,
    ),
    deep("url.host", Shape::Text, "host of the row's URL"),
    one_of(
        deep("status_timeline", Shape::List, "statuses that were seen, oldest first, repeats left out"),
        STATUSES,
    ),
    one_of(deep("status_since_edge", Shape::List, "of those, what was seen since the last edge"), STATUSES),
    one_of(
        deep("status_after_pause", Shape::List, "of those, what was seen after the last `paused`"),
        STATUSES,
    ),
    deep("env", Shape::Map, "the instance's environment: `set`, `unset`, or the value in words"),
    deep("env_before", Shape::Map, "the environment before the last edge, in the same words"),
    deep("env_missing", Shape::List, "variables that the rules project and that are unset"),
    deep("env_not_passed", Shape::List, "secrets that are unset under their own name"),
    deep("env_wrong", Shape::List, "variables that are set to something else than the rules expect"),
    deep("env_extra", Shape::List, "variables that the rules want unset and that are set"),
    deep("env_lost", Shape::List, "variables that were right before the edge and are unset after it"),
    deep(
        "env_bookkeeping",
        Shape::List,
        "of those, variables that the platform keeps for itself and no client reads",
    ),
    deep("env_rows", Shape::List, "each wrong variable as a line: is, expected, rule"),
    deep("env_difference", Shape::List, "each variable that the edge changed, as a line"),
    one_of(
        deep("instance", Shape::Text, "whether the workspace has an instance, and whether its process ended"),
        &["running", "ended", "none"],
    ),
    deep("instance.id", Shape::Text, "which instance"),
    one_of(deep("instance.same", Shape::Text, "it is the instance from before the edge"), YES_NO),
    one_of(
        deep("instance.new_seen", Shape::Text, "an instance that is not the old one was seen since the edge"),
        YES_NO,
    ),
    one_of(
        deep("instance.old_speaks", Shape::Text, "the uptime of the old instance went on after the edge"),
        YES_NO,
    ),
    one_of(
        deep(
            "instance.answered",
            Shape::Text,
            "the instance of the last edge has answered a message as it should",
        ),
        YES_NO,
    ),
    one_of(
        deep(
            "instance.outlives",
            Shape::Text,
            "it goes on running after a request that was answered and stored should have ended it",
        ),
        YES_NO,
    ),
    deep("instance.log", Shape::List, "the last lines of the instance's own log"),
    one_of(
        deep("container.status", Shape::Text, "the container's state on the engine"),
        &["none", "created", "running", "paused", "restarting", "removing", "exited", "dead"],
    ),
    deep("container.exit_code", Shape::Number, "how its process ended last"),
    one_of(deep("container.oom", Shape::Text, "the kernel killed it for its memory"), YES_NO),
    deep("container.restarts", Shape::Number, "how often the engine started it again by itself"),
    deep("container.error", Shape::Text, "why it could not be started"),
    deep("container.events", Shape::List, "what the engine did to it in the last half hour, oldest first"),
    deep("container.log", Shape::List, "the last lines that it printed"),
    deep("container.volumes", Shape::List, "the workspace's volumes that are there"),
    one_of(deep("container.on_network", Shape::Text, "it hangs on the network of workspaces"), YES_NO),
    one_of(
        deep("container.reaches_platform", Shape::Text, "the platform answers when it is asked from inside"),
        YES_NO,
    ),
    deep("container.probe", Shape::Text, "what came of asking"),
    one_of(
        deep(
            "container.listens",
            Shape::Text,
            "where the agent answers on its port when it is asked from its own network",
        ),
        &["everywhere", "loopback", "nowhere"],
    ),
    deep(
        "register.refused",
        Shape::List,
        "statuses by which registers of this instance were refused, as far as logs tell",
    ),
    deep("register.said", Shape::List, "lines of logs about those refusals"),
    deep("stream.after_pause", Shape::List, "of those, what came after the last WORKSPACE_PAUSED"),
    deep(
        "stream.online_for",
        Shape::Number,
        "seconds of ours between the stream's WORKSPACE_ONLINE and the step's failure",
    ),
    deep("stream.event", Shape::List, "events that the stream brought since the last edge, oldest first"),
    deep("event.type", Shape::List, "the platform's stored events since the last PROVISIONING"),
    deep("event.last", Shape::Text, "the newest of them"),
    deep("event.code", Shape::List, "`code` of their payloads"),
    deep("event.error", Shape::List, "`error` of their payloads"),
    deep("event.source", Shape::List, "`source` of their payloads"),
    deep("event.missing", Shape::List, "`missing` of their payloads"),
    deep("event.seeded_runtime", Shape::List, "`seeded_runtime` of their payloads"),
    one_of(
        deep("event.register_failure", Shape::List, "a DEGRADED event that names a failed register"),
        YES_NO,
    ),
    deep("activity.kind", Shape::List, "kinds of the messages that were logged since the last edge"),
    deep("activity.error", Shape::List, "`error_detail` of rows since the last edge"),
    deep("activity.rows", Shape::Number, "how many rows came since the last edge"),
    deep("billing.mode", Shape::Text, "the resolved billing mode"),
    deep("billing.source", Shape::Text, "where it came from"),
    deep("sent.runtime", Shape::Text, "runtime of the create"),
    deep("sent.model", Shape::Text, "model of the create"),
    deep("sent.unlike", Shape::List, "where the row is not what the create asked for: field, row, create"),
    one_of(
        deep(
            "sent.credential",
            Shape::Text,
            "whether the create carried a credential that the provider of its model takes, by the catalogue",
        ),
        &["fits", "lacks"],
    ),
    deep("sent.secrets", Shape::List, "names of the secrets that the create carried"),
    one_of(
        symptom("sent.path", Shape::Text, "who was to pay for the models, as the run was told"),
        &["byok", "platform"],
    ),
    one_of(deep("sent.external", Shape::Text, "the create asked for an external workspace"), YES_NO),
    one_of(
        deep("reply.kind", Shape::Text, "what the reply was"),
        &["text", "empty", "task", "rpc-error", "queued", "platform-error", "no-json", "no-text", "none"],
    ),
    one_of(
        deep("reply.error", Shape::Text, "what the error in it is about; `none`: it is no error"),
        said::KINDS,
    ),
    one_of(
        deep(
            "message.logged",
            Shape::Text,
            "the activity log has the message whose answer was lost, where somebody looked",
        ),
        YES_NO,
    ),
    one_of(
        deep(
            "message.held_back",
            Shape::Text,
            "a second message was sent after a lost answer, its answer was lost too, and the log has its reply",
        ),
        YES_NO,
    ),
    deep("reply.text", Shape::Text, "its text, or its error"),
    one_of(deep("reply.known", Shape::Text, "whether it is the answer to the known question"), KNOWN),
    one_of(
        deep("reply.second", Shape::Text, "the same of the reply to a second question, where one was asked"),
        KNOWN,
    ),
    one_of(
        deep("reply.queue", Shape::Text, "what became of the message in the queue, where it was followed"),
        &["queued", "dispatched", "completed", "failed", "dropped"],
    ),
    one_of(deep("reply.same_request", Shape::Text, "it answers the request that was sent"), YES_NO),
    deep("http.status", Shape::Number, "status of the decisive answer"),
    deep("http.statuses", Shape::List, "statuses of all answers in the step"),
    deep("http.purpose", Shape::Text, "what that request was for"),
    deep("http.request", Shape::Text, "its method and path"),
    deep("http.as", Shape::Text, "whose bearer it carried"),
    one_of(
        deep(
            "message.in_log",
            Shape::Text,
            "the activity log has the message: the platform called the agent",
        ),
        YES_NO,
    ),
    one_of(deep("http.broken_off", Shape::Text, "the answer is JSON that ends in its middle"), YES_NO),
    deep("http.code", Shape::Text, "`code` of the answer"),
    deep("http.error", Shape::Text, "`error` of the answer"),
    one_of(
        deep(
            "http.rate",
            Shape::Text,
            "whether a 429 says that the rate of requests is spent: by a time to come again, a count of 0 or its words",
        ),
        &["spent", "unspent"],
    ),
    deep("http.missing", Shape::List, "`missing` of the answer: names that it wants"),
    deep("http.stages", Shape::List, "`stage` of the `failures` that the answer lists: where each stopped"),
    deep("http.failures", Shape::List, "those failures as lines: stage and error"),
    deep("http.type", Shape::Text, "content type of the answer"),
    one_of(deep("http.json", Shape::Text, "the answer was JSON"), YES_NO),
    deep("http.text", Shape::Text, "the answer's body"),
    one_of(
        deep(
            "http.of_agent",
            Shape::Text,
            "the platform passed the agent's own status on, rather than answer itself",
        ),
        YES_NO,
    ),
    deep("http.answered", Shape::Text, "the decisive answer in words: request, status, what it said"),
    deep("transport", Shape::List, "why no answer came: chains of causes, newest last"),
    deep("secrets.unstored", Shape::List, "secrets whose write was answered 2xx and that are not listed"),
    deep("secrets.undeleted", Shape::List, "secrets whose delete was answered 2xx and that are still listed"),
    one_of(
        deep("server.health", Shape::Text, "what /health did when the evidence was gathered"),
        &["ok", "refused", "hangs", "5xx", "odd"],
    ),
    deep("server.health_said", Shape::Text, "why /health was not well"),
    one_of(
        deep("server.data", Shape::Text, "what a route that needs the database did at that time"),
        &["ok", "refused", "hangs", "5xx", "odd"],
    ),
    one_of(
        deep(
            "server.admin",
            Shape::Text,
            "whether the admin's list was given when the evidence was gathered",
        ),
        &["given", "not given"],
    ),
    deep("server.log", Shape::List, "lines of the server's log about this workspace or about none"),
    deep(
        "provision.said",
        Shape::List,
        "what is said of a start: those lines, the row's last_sample_error, `error` of its events",
    ),
    deep("org.status", Shape::Text, "`instance_status` of the organisation at its control plane"),
    deep("org.last_error", Shape::Text, "the organisation's last error; empty when there is none"),
    one_of(
        deep(
            "cp.record",
            Shape::Text,
            "whether the control plane's record has a provision call about this workspace",
        ),
        &["there", "none"],
    ),
    deep("cp.answers", Shape::List, "what those calls were answered with, oldest first"),
    deep("cp.status", Shape::Text, "what the last of them was answered with"),
    deep(
        "cp.authorization",
        Shape::Text,
        "whether the last of them had a bearer: `absent`, or that there was one",
    ),
    deep("cp.counters", Shape::List, "what a stub counted: name and number"),
    deep("cp.instances", Shape::List, "states of the workspace's instances, oldest first"),
    deep("cp.instance", Shape::Text, "state of the instance that the row means, or of the newest"),
    deep("cp.instance_history", Shape::Text, "that instance: its id, and its states with time and reason"),
    deep("cp.console", Shape::List, "the end of what its machine printed"),
    deep("neighbours.count", Shape::Number, "other workspaces on the server"),
    deep("neighbours.failed", Shape::Number, "how many of them failed"),
    deep("neighbours.same_name", Shape::List, "ids of other workspaces under the name that ours had"),
];

/// A name that no fact has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a fact; {near}")]
pub struct UnknownFact {
    /// As it was written.
    pub name: String,
    /// Which are near.
    pub near: String,
}

/// What is known of a fact's name: itself, or the map that it belongs to.
///
/// # Errors
/// There is no such fact; the text says which are near.
pub(crate) fn find(name: &str) -> Result<&'static FactInfo, UnknownFact> {
    let exact = VOCABULARY.iter().find(|f| f.name == name && f.shape != Shape::Map);
    let below = || {
        let (map, key) = name.split_once('.')?;
        VOCABULARY.iter().find(|f| f.name == map && f.shape == Shape::Map && !key.is_empty())
    };
    exact.or_else(below).ok_or_else(|| UnknownFact {
        name: name.to_owned(),
        near: did_you_mean(name, VOCABULARY.iter().map(|f| f.name)),
    })
}

/// What is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    known: BTreeMap<String, Vec<String>>,
    /// Maps that are known as a whole, and what their absent keys are.
    whole: BTreeMap<&'static str, Vec<String>>,
}

impl Facts {
    /// Sets a text.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.list(name, [value.into()]);
    }

    /// Sets a list; an empty one is known to be empty.
    pub fn list(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        debug_assert!(find(name).is_ok(), "`{name}` is no fact");
        self.known.insert(name.to_owned(), values.into_iter().collect());
    }

    /// From now on every key of a map is known; absent ones are this.
    pub fn whole(&mut self, map: &'static str, absent: &[&str]) {
        self.whole.insert(map, absent.iter().map(|s| (*s).to_owned()).collect());
    }

    /// The values of a fact; `None`: nothing is known.
    pub fn get(&self, name: &str) -> Option<&[String]> {
        if let Some(values) = self.known.get(name) {
            return Some(values);
        }
        let (map, _) = name.split_once('.')?;
        let exact = VOCABULARY.iter().any(|f| f.name == name);
        self.whole.get(map).filter(|_| !exact).map(Vec::as_slice)
    }

    /// The values of a fact as one text; `None` when nothing is known or there is nothing.
    pub fn text(&self, name: &str) -> Option<String> {
        let values = self.get(name)?;
        // The first value of a variable is how a person says it.
        let env = name.starts_with("env.") || name.starts_with("env_before.");
        let shown: Vec<&str> =
            values.iter().take(if env { 1 } else { usize::MAX }).map(String::as_str).collect();
        let text = shown.join(", ");
        (!text.trim().is_empty()).then_some(text)
    }

    /// Everything that is known, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.known.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for info in VOCABULARY {
            assert_eq!(VOCABULARY.iter().filter(|f| f.name == info.name).count(), 1, "{}", info.name);
        }
        assert_eq!(find("env.MODEL").map(|f| f.name), Ok("env"));
        assert_eq!(find("event.code").map(|f| f.name), Ok("event.code"));
        assert!(find("event.cod").unwrap_err().near.contains("did you mean `event.code`"));
        assert!(find("env").is_err() && find("env.").is_err());
    }

    #[test]
    fn what_was_not_seen_is_unknown_and_what_is_known_to_be_absent_is_not() {
        let mut facts = Facts::default();
        assert_eq!(facts.get("env.MODEL"), None);
        facts.whole("env", &["unset"]);
        assert_eq!(facts.get("env.MODEL"), Some(["unset".to_owned()].as_slice()));
        assert_eq!(facts.get("env_before.MODEL"), None);
        facts.list("event.code", []);
        assert_eq!(facts.get("event.code"), Some([].as_slice()));
        assert_eq!(facts.text("event.code"), None);
    }
}
