//! A list of steps: each has exactly one verb, and what every step can have.

use std::time::Duration;

use crate::behaviour::Behaviour;
use crate::scenario::model::field::{Condition, ConditionTest, DurationField, Retry};
use crate::scenario::raw::values::Text;
use crate::scenario::raw::{RawRetry, RawStep, STEP_KEYS};
use crate::scenario::template::{Piece, Template};
use crate::scenario::verbs::{self, Holds, Names, Step, Verb};
use crate::source::did_you_mean;
use crate::yaml::{Key, Kind, Node};

use crate::scenario::check::Check;

/// Verbs that carry the life of a workspace, and verbs that hold other steps.
const LIFE: [&str; 12] = [
    "restart",
    "pause",
    "resume",
    "hibernate",
    "wake",
    "terminate",
    "delete",
    "await",
    "hold",
    "parallel",
    "foreach",
    "steps",
];

impl Check<'_> {
    /// Notes the line of every name that any step introduces, before the steps are checked.
    pub(in crate::scenario) fn survey(&mut self, steps: &Node) {
        for step in steps.one_or_many() {
            for (key, value) in step.entries() {
                let Some(help) = verbs::VERBS.iter().find(|help| help.keyword == key.text) else { continue };
                let keys = match help.names {
                    Names::None => &[],
                    Names::Field(field) => {
                        if let Some(Node { kind: Kind::Text(name), span }) = value.get(field) {
                            self.introduced_at(name, *span);
                        }
                        &[]
                    }
                    Names::KeysOf(field) => value.get(field).map(Node::entries).unwrap_or_default(),
                    Names::Keys => value.entries(),
                };
                for (name, _) in keys {
                    self.introduced_at(&name.text, name.span);
                }
                match help.holds {
                    Holds::Nothing => {}
                    Holds::Here => self.survey(value),
                    Holds::Field(field) => {
                        if let Some(inner) = value.get(field) {
                            self.survey(inner);
                        }
                    }
                }
            }
        }
    }

    /// A list of steps; `prefix` stands before their numbers.
    pub(in crate::scenario) fn steps(&mut self, node: &Node, prefix: &str) -> Vec<Step> {
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
    pub(in crate::scenario) fn step(&mut self, node: &Node, id: String) -> Option<Step> {
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
        let behaviour = raw.behaviour.as_ref().and_then(|text| self.behaviour(text, &key));
        let verb = Verb::read(self, &key, &value, &id)?;
        Some(Step {
            id,
            name: raw.name.map_or_else(|| verb.title(), |t| t.value),
            verb,
            when,
            within,
            gate: raw.gate,
            retry,
            milestone: raw.milestone.map(|t| t.value),
            behaviour,
            span: key.span,
            position: self.source.position(key.span.start),
            source: self.source.clone(),
        })
    }

    /// A behaviour that a step states; a step on which a life depends states none.
    fn behaviour(&mut self, text: &Text, verb: &Key) -> Option<Behaviour> {
        if LIFE.contains(&verb.text.as_str()) {
            let message = format!("`{}` is life and states no contract", verb.text);
            let hint =
                "give `behaviour` to the `expect`, `http` or other single step that asserts it".to_owned();
            self.error("behaviour", text.span, message, "not here", hint);
            return None;
        }
        let found = Behaviour::named(&text.value);
        if found.is_none() {
            let hint = Behaviour::hint(&text.value);
            let message = format!("no behaviour is called `{}`", text.value);
            self.error("unknown-behaviour", text.span, message, "not a behaviour", hint);
        }
        found
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
            let hint = "look something up: `${inputs.mode} == full`, `${target.hibernate-wakes}`".to_owned();
            self.error("condition", text.span, "this condition never changes", "nothing is looked up", hint);
        }
        // Anything around the lookup makes it a text that is never empty, or never the same.
        if left.as_literal().is_none() && !matches!(left.parts.as_slice(), [Piece::Expr(_)]) {
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
        let odd = |part: &Piece| match part {
            Piece::Text(text) => {
                text.contains([' ', '=', '!', '<', '>']) || ["&&", "||"].iter().any(|o| text.contains(o))
            }
            Piece::Expr(_) => false,
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
