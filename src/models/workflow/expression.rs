//! Expressions of workflow files: `${{ inputs.runtime || 'claude-code' }}`.
//!
//! Evaluation runs under guesses about what is not known. A missing guess stops it and says which
//! name is needed, so that the caller tries every value that can matter.

use std::collections::{BTreeMap, BTreeSet};

/// A parsed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    /// A string, number, boolean or null, as text.
    Literal(String),
    /// `matrix.runtime`, `secrets.X`, or a call by its own text.
    Name(String),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    /// Equality; the flag is true for `!=`.
    Equal(Box<Expr>, Box<Expr>, bool),
}

/// What a name is taken to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Guess {
    /// Exactly this; empty is false.
    Text(String),
    /// Some text that nobody here knows, not empty.
    Other,
}

/// What an expression is worth.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    /// A known text; `false`, `null` and nothing are falsy.
    Text(String),
    /// Not known; not empty.
    Unknown(String),
}

impl Worth {
    fn truthy(&self) -> bool {
        match self {
            Worth::Text(text) => !matches!(text.as_str(), "" | "false" | "0" | "null"),
            Worth::Unknown(_) => true,
        }
    }
}

/// A name without a guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needed(pub(crate) String);

/// Guesses by name.
pub(crate) type Guesses = BTreeMap<String, Guess>;

impl Expr {
    /// Parses the inside of `${{ }}`. Text that is no expression becomes a name of its own, which nobody knows.
    pub(crate) fn parse(text: &str) -> Expr {
        let mut parser = Parser { text, at: 0 };
        match parser.or() {
            Some(expr) if parser.rest().trim().is_empty() => expr,
            _ => Expr::Name(text.trim().to_owned()),
        }
    }

    /// The value under these guesses.
    pub(crate) fn worth(&self, guesses: &Guesses) -> Result<Worth, Needed> {
        let truth = |is: bool| Worth::Text(is.to_string());
        Ok(match self {
            Expr::Literal(text) => Worth::Text(text.clone()),
            Expr::Name(name) => match guesses.get(name) {
                Some(Guess::Text(text)) => Worth::Text(text.clone()),
                Some(Guess::Other) => Worth::Unknown(name.clone()),
                None => return Err(Needed(name.clone())),
            },
            Expr::Not(inner) => truth(!inner.worth(guesses)?.truthy()),
            Expr::And(left, right) => match left.worth(guesses)? {
                left if left.truthy() => right.worth(guesses)?,
                left => left,
            },
            Expr::Or(left, right) => match left.worth(guesses)? {
                left if left.truthy() => left,
                _ => right.worth(guesses)?,
            },
            Expr::Equal(left, right, not) => {
                let same = match (left.worth(guesses)?, right.worth(guesses)?) {
                    // Comparison of strings ignores case there.
                    (Worth::Text(a), Worth::Text(b)) => a.eq_ignore_ascii_case(&b),
                    (Worth::Unknown(a), Worth::Unknown(b)) => a == b,
                    _ => false,
                };
                truth(same != *not)
            }
        })
    }

    fn rename(&mut self, from: &str, to: &str) {
        match self {
            Expr::Name(name) => {
                if let Some(rest) = name.strip_prefix(from) {
                    *name = format!("{to}{rest}");
                }
            }
            Expr::Not(inner) => inner.rename(from, to),
            Expr::And(left, right) | Expr::Or(left, right) | Expr::Equal(left, right, _) => {
                left.rename(from, to);
                right.rename(from, to);
            }
            Expr::Literal(_) => {}
        }
    }

    /// Every literal that a name is compared with: the values that can matter.
    pub(crate) fn compared(&self, into: &mut BTreeMap<String, BTreeSet<String>>) {
        match self {
            Expr::Equal(left, right, _) => {
                if let (Expr::Name(name), Expr::Literal(text)) | (Expr::Literal(text), Expr::Name(name)) =
                    (left.as_ref(), right.as_ref())
                {
                    into.entry(name.clone()).or_default().insert(text.clone());
                }
                left.compared(into);
                right.compared(into);
            }
            Expr::And(left, right) | Expr::Or(left, right) => {
                left.compared(into);
                right.compared(into);
            }
            Expr::Not(inner) => inner.compared(into),
            Expr::Literal(_) | Expr::Name(_) => {}
        }
    }
}

/// A text with expressions in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpolated(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Text(String),
    Expr(Expr),
}

impl Interpolated {
    /// Splits at `${{ }}`; an expression that never ends is text.
    pub(crate) fn parse(text: &str) -> Interpolated {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let Some((inside, after)) = after.split_once("}}") else { break };
            if !before.is_empty() {
                parts.push(Segment::Text(before.to_owned()));
            }
            parts.push(Segment::Expr(Expr::parse(inside)));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Segment::Text(rest.to_owned()));
        }
        Interpolated(parts)
    }

    /// A condition: an expression even without `${{ }}`.
    pub(crate) fn condition(text: &str) -> Interpolated {
        if text.contains("${{") { Interpolated::parse(text) } else { Interpolated::of(Expr::parse(text)) }
    }

    /// One expression.
    pub(crate) fn of(expr: Expr) -> Interpolated {
        Interpolated(vec![Segment::Expr(expr)])
    }

    /// The same with names of another scope: `inputs.x` of an action is not the workflow's.
    pub(crate) fn renamed(mut self, from: &str, to: &str) -> Interpolated {
        for part in &mut self.0 {
            if let Segment::Expr(expr) = part {
                expr.rename(from, to);
            }
        }
        self
    }

    /// The text under these guesses.
    pub(crate) fn worth(&self, guesses: &Guesses) -> Result<Worth, Needed> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Segment::Text(part) => text.push_str(part),
                Segment::Expr(expr) => match expr.worth(guesses)? {
                    // `false` and null show as nothing only inside conditions; CI writes `&& 'x' || ''` for that.
                    Worth::Text(part) => text.push_str(if part == "null" { "" } else { &part }),
                    unknown @ Worth::Unknown(_) => return Ok(unknown),
                },
            }
        }
        Ok(Worth::Text(text))
    }

    /// Whether a condition holds under these guesses.
    pub(crate) fn holds(&self, guesses: &Guesses) -> Result<bool, Needed> {
        Ok(self.worth(guesses)?.truthy())
    }

    /// See [`Expr::compared`].
    pub(crate) fn compared(&self, into: &mut BTreeMap<String, BTreeSet<String>>) {
        for part in &self.0 {
            if let Segment::Expr(expr) = part {
                expr.compared(into);
            }
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn eat(&mut self, token: &str) -> bool {
        let trimmed = self.rest().trim_start();
        let found = trimmed.starts_with(token);
        if found {
            self.at = self.text.len() - trimmed.len() + token.len();
        }
        found
    }

    fn or(&mut self) -> Option<Expr> {
        let mut left = self.and()?;
        while self.eat("||") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Some(left)
    }

    fn and(&mut self) -> Option<Expr> {
        let mut left = self.equality()?;
        while self.eat("&&") {
            left = Expr::And(Box::new(left), Box::new(self.equality()?));
        }
        Some(left)
    }

    fn equality(&mut self) -> Option<Expr> {
        let left = self.unary()?;
        for (token, not) in [("==", false), ("!=", true)] {
            if self.eat(token) {
                return Some(Expr::Equal(Box::new(left), Box::new(self.unary()?), not));
            }
        }
        Some(left)
    }

    fn unary(&mut self) -> Option<Expr> {
        // A run of `!` or `(` in a hostile file must not use up the stack.
        if self.at > 4_096 {
            return None;
        }
        let ahead = self.rest().trim_start();
        if ahead.starts_with('!') && !ahead.starts_with("!=") && self.eat("!") {
            return Some(Expr::Not(Box::new(self.unary()?)));
        }
        if self.eat("(") {
            let inner = self.or()?;
            return self.eat(")").then_some(inner);
        }
        self.primary()
    }

    fn primary(&mut self) -> Option<Expr> {
        let trimmed = self.rest().trim_start();
        self.at = self.text.len() - trimmed.len();
        if trimmed.starts_with('\'') {
            return self.quoted();
        }
        let end = trimmed
            .find(|c: char| {
                !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '*' | '[' | ']' | '\'' | '"'))
            })
            .unwrap_or(trimmed.len());
        let word = &trimmed[..end];
        if word.is_empty() {
            return None;
        }
        self.at += end;
        if self.rest().starts_with('(') {
            return self.call(word);
        }
        Some(match word {
            "true" | "false" | "null" => Expr::Literal(word.to_owned()),
            number if number.parse::<f64>().is_ok() => Expr::Literal(number.to_owned()),
            name => Expr::Name(canonical(name)),
        })
    }

    fn quoted(&mut self) -> Option<Expr> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((index, c)) = chars.next() {
            if c != '\'' {
                text.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == '\'') {
                text.push('\'');
                chars.next();
            } else {
                self.at += index + 1;
                return Some(Expr::Literal(text));
            }
        }
        None
    }

    /// A call is a name of its own: nobody here runs it.
    fn call(&mut self, word: &str) -> Option<Expr> {
        let start = self.at - word.len();
        let mut depth = 0_usize;
        for (index, c) in self.rest().char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at += index + 1;
                return Some(Expr::Name(self.text[start..self.at].to_owned()));
            }
        }
        None
    }
}

/// `github.event.inputs.x` and `inputs['x']` are `inputs.x`.
fn canonical(name: &str) -> String {
    let name = name.replace("['", ".").replace("']", "");
    match name.strip_prefix("github.event.inputs.") {
        Some(input) => format!("inputs.{input}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worth(text: &str, guesses: &[(&str, &str)]) -> String {
        let guesses: Guesses = guesses
            .iter()
            .map(|(name, value)| {
                let guess = if *value == "?" { Guess::Other } else { Guess::Text((*value).to_owned()) };
                ((*name).to_owned(), guess)
            })
            .collect();
        match Interpolated::parse(text).worth(&guesses) {
            Ok(Worth::Text(text)) => text,
            Ok(Worth::Unknown(name)) => format!("?{name}"),
            Err(Needed(name)) => format!("needs {name}"),
        }
    }

    #[test]
    fn expressions_are_evaluated_under_guesses() {
        let pick = "${{ github.event.inputs.runtime == 'hermes' && 'openai/gpt-4o' || 'MiniMax-M2.7' }}";
        for (text, guesses, want) in [
            ("plain", &[][..], "plain"),
            ("a-${{ 'b' }}-c", &[], "a-b-c"),
            ("${{ 'it''s' }}", &[], "it's"),
            ("${{ inputs.runtime || 'claude-code' }}", &[], "needs inputs.runtime"),
            ("${{ inputs.runtime || 'claude-code' }}", &[("inputs.runtime", "")], "claude-code"),
            ("${{ inputs['runtime'] || 'claude-code' }}", &[("inputs.runtime", "?")], "?inputs.runtime"),
            (pick, &[("inputs.runtime", "hermes")], "openai/gpt-4o"),
            (pick, &[("inputs.runtime", "?")], "MiniMax-M2.7"),
            ("${{ !(a.b != 'x') && 'y' || '' }}", &[("a.b", "x")], "y"),
            ("${{ !(a.b != 'x') && 'y' || '' }}", &[("a.b", "z")], ""),
            ("${{ contains(github.ref, 'x') && 'y' || 'n' }}", &[("contains(github.ref, 'x')", "")], "n"),
            ("${{ a b }}", &[], "needs a b"),
            ("${{ (((", &[], "${{ ((("),
            ("${{ }}", &[], "needs "),
        ] {
            assert_eq!(worth(text, guesses), want, "{text}");
        }
    }

    #[test]
    fn values_that_can_matter_are_found() {
        let mut compared = BTreeMap::new();
        Interpolated::parse("${{ inputs.r == 'a' && 'x' || 'b' == inputs.r && 'y' || 'z' }}")
            .compared(&mut compared);
        assert_eq!(compared["inputs.r"], BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-z'!=&|(). ${}\\[\\]é]{0,60}") {
            let template = Interpolated::parse(&text);
            let _ = template.worth(&Guesses::new());
            let _ = Interpolated::condition(&text).holds(&Guesses::new());
        }
    }
}
