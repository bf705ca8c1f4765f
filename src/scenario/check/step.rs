//! One step: exactly one verb, and what every step can have.

use std::time::Duration;

use crate::scenario::model::{Condition, ConditionTest, DurationField, Retry, Step, Verb};
use crate::scenario::raw::values::Text;
use crate::scenario::raw::{RawRetry, RawStep, STEP_KEYS};
use crate::scenario::template::{Part, Template};
use crate::scenario::verbs;
use crate::source::{Span, did_you_mean};
use crate::yaml::{Key, Kind, Node};

use super::Check;

impl Check<'_> {
    /// A list of steps; `prefix` stands before their numbers.
    pub(super) fn steps(&mut self, node: &Node, prefix: &str) -> Vec<Step> {
        let Kind::List(items) = &node.kind else {
            let hint = "write `- verb: {…}` lines".to_owned();
            let message = format!("a list of steps is expected here, not {}", node.what());
            self.error("wrong-type", node.span, message, "this", hint);
            return Vec::new();
        };
        if items.is_empty() {
            self.error("no-steps", node.span, "there are no steps here", "empty", None);
        }
        let mut steps = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let id = format!("{prefix}{}", index + 1);
            match item.entry("use").cloned() {
                Some((key, value)) => {
                    self.only_use(item);
                    steps.extend(self.expand(&key, &value, &id));
                }
                None => steps.extend(self.step(item, id)),
            }
        }
        steps
    }

    /// One step that is no `use:`.
    pub(super) fn step(&mut self, node: &Node, id: String) -> Option<Step> {
        let Kind::Map(entries) = &node.kind else {
            let hint = node.as_text().map_or_else(
                || "write `- await: {…}`".to_owned(),
                |word| did_you_mean(&word, verbs::keywords()),
            );
            let message = format!("a step is a mapping with one verb, not {}", node.what());
            self.error("step-shape", node.span, message, "this", hint);
            return None;
        };
        self.left_out.clear();
        let verb = self.verb_key(node, entries)?;
        let common = Node {
            span: node.span,
            kind: Kind::Map(
                entries.iter().filter(|(k, _)| STEP_KEYS.contains(&k.text.as_str())).cloned().collect(),
            ),
        };
        let raw: RawStep = self.read(&common);
        // Looked up before the verb runs, so before its own names exist.
        let when = raw.when.as_ref().map(|text| self.condition(text));
        let inner = verb.1.get("within").and_then(|n| n.as_text().map(|value| Text { value, span: n.span }));
        if let (Some(beside), Some(_)) = (&raw.within, &inner) {
            let hint = "keep one of them".to_owned();
            self.error(
                "within-twice",
                beside.span,
                "`within` stands inside the verb and beside it",
                "again here",
                hint,
            );
        }
        let within = raw.within.or(inner).map(|text| self.within(&text));
        let retry = raw.retry.as_ref().map(|n| self.retry(n, &verb.0));
        if let Some(milestone) = &raw.milestone {
            self.milestones.insert(milestone.value.clone());
        }
        let (key, value) = verb;
        let verb = self.verb(&key, &value, &id)?;
        Some(Step {
            id,
            name: raw.name.map_or_else(|| default_name(&verb), |t| t.value),
            verb,
            when,
            within,
            gate: raw.gate,
            retry,
            milestone: raw.milestone.map(|t| t.value),
            span: key.span,
            position: self.source.position(key.span.start),
            source: self.source.clone(),
        })
    }

    fn only_use(&mut self, item: &Node) {
        for (key, _) in item.entries().iter().filter(|(k, _)| !matches!(k.text.as_str(), "use" | "name")) {
            let hint = "put the fragment into `steps: [{use: …}]` to give it step keys".to_owned();
            let message = format!("`{}` cannot stand beside `use`", key.text);
            self.error("many-verbs", key.span, message, "here", hint);
        }
    }

    fn verb_key(&mut self, node: &Node, entries: &[(Key, Node)]) -> Option<(Key, Node)> {
        let mut found: Option<(Key, Node)> = None;
        let mut named_wrongly = false;
        for (key, value) in entries {
            let word = key.text.as_str();
            if STEP_KEYS.contains(&word) {
                continue;
            }
            if verbs::is_verb(word) {
                if let Some((first, _)) = &found {
                    let hint = format!("`{}` is there already: make two steps of it", first.text);
                    self.error("many-verbs", key.span, "a step has exactly one verb", "a second verb", hint);
                } else {
                    found = Some((key.clone(), value.clone()));
                }
                continue;
            }
            named_wrongly = true;
            if let Some((_, what)) = verbs::PLANNED.iter().find(|(planned, _)| *planned == word) {
                let message = format!("the verb `{word}` ({what}) is not supported by this version");
                let hint = format!("the verbs there are: {}", verbs::list());
                self.error("unsupported-verb", key.span, message, "not yet", hint);
            } else if entries.iter().any(|(k, _)| verbs::is_verb(&k.text)) {
                let hint = match word {
                    "timeout" | "deadline" => "a deadline is called `within`".to_owned(),
                    "if" => "a condition is called `when`".to_owned(),
                    "id" | "title" => "a step is called something by `name`".to_owned(),
                    _ => did_you_mean(word, STEP_KEYS),
                };
                let message = format!("a step has no key `{word}`");
                self.error("unknown-field", key.span, message, "not a key of a step", hint);
            } else {
                let hint = did_you_mean(word, verbs::keywords());
                self.error(
                    "unknown-verb",
                    key.span,
                    format!("no verb is called `{word}`"),
                    "not a verb",
                    hint,
                );
            }
        }
        if found.is_none() && !named_wrongly {
            let hint = format!("add one of {}", verbs::list());
            self.error("no-verb", node.span, "this step has no verb", "nothing to do here", hint);
        }
        found
    }

    fn verb(&mut self, key: &Key, node: &Node, id: &str) -> Option<Verb> {
        let span = key.span;
        Some(match key.text.as_str() {
            "create" => Verb::Create(Box::new(self.create(node, span, id))),
            "register" => Verb::Register(Box::new(self.register(node, span))),
            "heartbeat" => Verb::Heartbeat(Box::new(self.heartbeat(node, span))),
            "restart" => Verb::Restart(self.restart(node, span)),
            "pause" => Verb::Pause(self.pause(node, span, "pause")),
            "resume" => Verb::Resume(self.pause(node, span, "resume")),
            "hibernate" => Verb::Hibernate(self.hibernate(node, span)),
            "wake" => Verb::Wake(self.wake(node, span)),
            "terminate" => Verb::Terminate(self.terminate(node, span)),
            "delete" => Verb::Delete(self.delete(node, span)),
            "await" => Verb::Await(Box::new(self.wait(node, span))),
            "hold" => Verb::Hold(self.hold(node, span)),
            "a2a" => Verb::A2a(Box::new(self.a2a(node, span))),
            "inbox" => Verb::Inbox(Box::new(self.inbox(node, span))),
            "secret" => Verb::Secret(self.secret(node, span)),
            "billing" => Verb::Billing(self.billing(node, span)),
            "model" => Verb::Model(self.model(node, span)),
            "token" => Verb::Token(self.token(node, span)?),
            "http" => Verb::Http(Box::new(self.http(node, span))),
            "expect" => Verb::Expect(Box::new(self.expect(node, span)?)),
            "capture" => Verb::Capture(self.capture(node)),
            "container" => Verb::Container(self.container(node, span)),
            "exec" => Verb::Exec(self.exec(node, span)),
            "stub" => Verb::Stub(self.stub(node, span)),
            "parallel" => Verb::Parallel(self.parallel(node, id)),
            "foreach" => Verb::Foreach(self.foreach(node, span, id)),
            "steps" => Verb::Steps(self.steps(node, &format!("{id}."))),
            "note" => {
                let text = self.text_of(node);
                Verb::Note(self.template(&text))
            }
            _ => return None,
        })
    }

    fn within(&mut self, text: &Text) -> DurationField {
        let field = self.duration_field(text);
        let longest = match &field {
            DurationField::Literal(duration) => Some(*duration),
            DurationField::Template(template) => self.longest(template).and_then(Result::ok),
        };
        if longest == Some(Duration::ZERO) && !self.has_errors() {
            self.error("duration", text.span, "a step needs some time", "zero", None);
        }
        if longest.is_some_and(|d| d > self.budget) {
            let message = format!(
                "this deadline lies behind the scenario's budget of {}",
                crate::domain::time::show(self.budget)
            );
            let hint = "raise `budget:`, or shorten this".to_owned();
            self.warning("within-over-budget", text.span, message, "never reached", hint);
        }
        field
    }

    fn retry(&mut self, node: &Node, verb: &Key) -> Retry {
        let raw: RawRetry = self.read(node);
        let attempts = raw.attempts.map_or(2, |a| a.value);
        if !(2..=20).contains(&attempts) {
            let span = raw.attempts.map_or(node.span, |a| a.span);
            let message = format!("{attempts} attempts are not between 2 and 20");
            self.error("retry", span, message, "here", None);
        }
        if verb.text == "create" {
            let hint = "a second attempt could make a second workspace".to_owned();
            self.error("retry", node.span, "a create is never tried again", "here", hint);
        }
        let pause = raw.pause.as_ref().map_or(Duration::from_secs(1), |text| self.duration(text));
        Retry { attempts, pause }
    }

    fn condition(&mut self, text: &Text) -> Condition {
        let raw = text.value.as_str();
        let (left, test) = if let Some((left, right)) = split(raw, "==") {
            (left, ConditionTest::Equals(self.compared(text, right)))
        } else if let Some((left, right)) = split(raw, "!=") {
            (left, ConditionTest::Differs(self.compared(text, right)))
        } else if let Some((left, right)) = split(raw, " in ") {
            let items = right.trim().strip_prefix('[').and_then(|r| r.strip_suffix(']'));
            if items.is_none() {
                let hint = "write `${inputs.mode} in [full, smoke]`".to_owned();
                self.error("condition", text.span, "a list in brackets is expected after `in`", "here", hint);
            }
            let items = items.into_iter().flat_map(|items| items.split(','));
            (left, ConditionTest::In(items.map(|item| self.compared(text, item)).collect()))
        } else {
            (raw, ConditionTest::Truthy)
        };
        let left = self.piece(text, left);
        if left.as_literal().is_some() && !self.has_errors() {
            let hint = "look something up: `${inputs.mode} == full`, `${target.wakes}`".to_owned();
            self.error("condition", text.span, "this condition never changes", "nothing is looked up", hint);
        }
        // Anything around the lookup makes it a text that is never empty, or never the same.
        if left.as_literal().is_none() && !matches!(left.parts.as_slice(), [Part::Expr(_)]) {
            let span = self.inside(text, raw.find(left.raw.as_str()).unwrap_or(0), left.raw.len());
            self.error(
                "condition",
                span,
                "a condition begins with exactly one lookup",
                "this",
                OPERATORS.to_owned(),
            );
        }
        Condition { left, test, text: raw.to_owned() }
    }

    /// The right side of a comparison: a word, a lookup, or anything in quotes.
    fn compared(&mut self, text: &Text, piece: &str) -> Template {
        let template = self.piece(text, piece);
        let is_quoted = unquoted(piece.trim()).is_some();
        let odd = |part: &Part| match part {
            Part::Text(text) => {
                text.contains([' ', '=', '!', '<', '>']) || ["&&", "||"].iter().any(|o| text.contains(o))
            }
            Part::Expr(_) => false,
        };
        if !is_quoted && (piece.trim().is_empty() || template.parts.iter().any(odd)) {
            let at = text.value.find(piece).filter(|_| !piece.is_empty()).unwrap_or(0);
            let span = self.inside(text, at, if piece.is_empty() { text.value.len() } else { piece.len() });
            self.error(
                "condition",
                span,
                "this is not one value to compare with",
                "here",
                OPERATORS.to_owned(),
            );
        }
        template
    }

    fn piece(&mut self, text: &Text, piece: &str) -> Template {
        let span = self.inside(text, text.value.find(piece).unwrap_or(0), piece.len());
        let piece = piece.trim();
        self.template(&Text { value: unquoted(piece).unwrap_or(piece).to_owned(), span })
    }
}

/// What a condition can be.
const OPERATORS: &str = "one of `${x}`, `${x} == word`, `${x} != word`, `${x} in [a, b]`; \
                         there is no `!`, `not`, `&&`, `||` or `=`; quote a text with spaces";

/// What stands between quotes.
fn unquoted(piece: &str) -> Option<&str> {
    ['"', '\''].iter().find_map(|q| piece.strip_prefix(*q)?.strip_suffix(*q))
}

/// Splits at an operator that stands outside `${…}`.
fn split<'t>(text: &'t str, operator: &str) -> Option<(&'t str, &'t str)> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && text[at..].starts_with(operator) => {
                return Some((&text[..at], &text[at + operator.len()..]));
            }
            _ => {}
        }
    }
    None
}

/// What a step is called when nobody named it.
fn default_name(verb: &Verb) -> String {
    use crate::scenario::model::Expect;
    let join = |statuses: &[crate::domain::Status]| {
        statuses.iter().map(|s| s.as_str().to_owned()).collect::<Vec<_>>().join(" or ")
    };
    let keyword = verb.keyword();
    match verb {
        Verb::Create(c) => format!("create {}", c.alias),
        Verb::Register(r) => {
            let name = r.workspace.as_ref().map(|w| &w.name).or(r.alias.as_ref());
            format!("register {}", name.map_or("", String::as_str))
        }
        Verb::Heartbeat(h) => format!("heartbeat of {}", h.workspace.name),
        Verb::Restart(e) | Verb::Pause(e) | Verb::Resume(e) | Verb::Hibernate(e) | Verb::Delete(e) => {
            format!("{keyword} {}", e.workspace.name)
        }
        Verb::Wake(w) => format!("wake {}", w.workspace.name),
        Verb::Terminate(t) => format!("terminate {}", t.workspace.name),
        Verb::Await(a) if a.leaves => format!("await {} leaving {}", a.workspace.name, join(&a.status)),
        Verb::Await(a) => format!("await {} {}", a.workspace.name, join(&a.status)),
        Verb::Hold(h) => match &h.stays {
            Some((w, statuses)) => format!("hold while {} stays {}", w.name, join(statuses)),
            None => "hold".to_owned(),
        },
        Verb::A2a(a) => format!("a2a to {}", a.to.name),
        Verb::Inbox(i) => format!("inbox of {}", i.workspace.name),
        Verb::Secret(s) => match &s.workspace {
            Some(w) => format!("secrets of {}", w.name),
            None => "global secrets".to_owned(),
        },
        Verb::Billing(b) => format!("billing of {}", b.workspace.name),
        Verb::Model(m) => format!("model of {}", m.workspace.name),
        Verb::Token(t) => format!("token of {}", t.workspace.name),
        Verb::Http(h) => format!("{} {}", h.method, h.path.raw),
        Verb::Expect(e) => match e.as_ref() {
            Expect::Row { workspace, .. } => format!("expect row of {}", workspace.name),
            Expect::Env { workspace, .. } => format!("expect env of {}", workspace.name),
            Expect::Activity { workspace, .. } => format!("expect activity of {}", workspace.name),
            Expect::Event { workspace, event } => format!("expect {event} of {}", workspace.name),
            Expect::Value { .. } => "expect value".to_owned(),
            Expect::Gone { workspace } => format!("expect {} gone", workspace.name),
            Expect::Container(c) => format!("expect container of {}", c.workspace.name),
        },
        Verb::Capture(map) => {
            format!("capture {}", map.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        Verb::Container(c) => format!("{} container of {}", c.action, c.workspace.name),
        Verb::Exec(e) => format!("exec {}", e.argv.first().map_or("", |a| a.raw.as_str())),
        Verb::Stub(s) => format!("stub {}", s.alias),
        Verb::Foreach(f) => format!("foreach {}", f.alias),
        Verb::Note(text) => text.raw.clone(),
        Verb::Parallel(steps) => format!("parallel ({})", steps.len()),
        Verb::Steps(steps) => format!("steps ({})", steps.len()),
    }
}

/// The span of a verb's key and value together.
pub(super) fn whole(span: Span, node: &Node) -> Span {
    Span {
        start: span.start,
        len: (node.span.start + node.span.len).saturating_sub(span.start).max(span.len),
    }
}
