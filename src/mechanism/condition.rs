//! Conditions over facts, with three outcomes: true, false, and "nobody knows".

use regex::Regex;

use super::facts::Facts;
use crate::source::Span;

/// What a condition comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It does not hold.
    False,
    /// The fact is unknown: neither a yes nor a no.
    Unknown,
    /// It holds.
    True,
}

/// One test of a fact's values.
#[derive(Clone, Debug)]
pub enum Test {
    /// One of the values is one of these.
    Is(Vec<String>),
    /// None of the values is one of these.
    Not(Vec<String>),
    /// One of the values contains one of these, in any case of letters.
    Contains(Vec<String>),
    /// None of the values contains any of these.
    Lacks(Vec<String>),
    /// One of the values matches.
    Matches(Box<Regex>),
    /// The number is at least this.
    AtLeast(f64),
    /// The number is at most this.
    AtMost(f64),
    /// There are no values, or only empty ones (`false`: there is one).
    Empty(bool),
}

/// A test of one fact.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The fact.
    pub fact: String,
    /// Its test.
    pub test: Test,
    /// Where it stands in the file.
    pub span: Span,
}

/// When a mechanism is the cause.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// All of these hold.
    pub all: Vec<Condition>,
    /// One of these groups holds whole.
    pub any: Vec<Vec<Condition>>,
    /// None of these groups holds, and that is known.
    pub none: Vec<Vec<Condition>>,
    /// None of these groups is known to hold: what would contradict it.
    pub unless: Vec<Vec<Condition>>,
}

impl Test {
    /// Whether the values pass.
    pub fn check(&self, values: Option<&[String]>) -> Truth {
        let Some(values) = values else { return Truth::Unknown };
        let contains = |value: &String, part: &String| value.to_lowercase().contains(&part.to_lowercase());
        let holds = match self {
            Test::Is(wanted) => values.iter().any(|v| wanted.contains(v)),
            Test::Not(unwanted) => !values.iter().any(|v| unwanted.contains(v)),
            Test::Contains(parts) => values.iter().any(|v| parts.iter().any(|p| contains(v, p))),
            Test::Lacks(parts) => !values.iter().any(|v| parts.iter().any(|p| contains(v, p))),
            Test::Matches(regex) => values.iter().any(|v| regex.is_match(v)),
            Test::AtLeast(least) => match number(values) {
                Some(number) => number >= *least,
                None => return Truth::Unknown,
            },
            Test::AtMost(most) => match number(values) {
                Some(number) => number <= *most,
                None => return Truth::Unknown,
            },
            Test::Empty(empty) => values.iter().all(|v| v.trim().is_empty()) == *empty,
        };
        if holds { Truth::True } else { Truth::False }
    }

    /// In words, after the fact's name.
    pub fn words(&self) -> String {
        let quoted = |list: &[String]| list.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(" or ");
        match self {
            Test::Is(values) => format!("is {}", quoted(values)),
            Test::Not(values) => format!("is not {}", quoted(values)),
            Test::Contains(parts) => format!("contains {}", quoted(parts)),
            Test::Lacks(parts) => format!("lacks {}", quoted(parts)),
            Test::Matches(regex) => format!("matches /{regex}/"),
            Test::AtLeast(least) => format!("is at least {least}"),
            Test::AtMost(most) => format!("is at most {most}"),
            Test::Empty(true) => "is empty".to_owned(),
            Test::Empty(false) => "is not empty".to_owned(),
        }
    }
}

fn number(values: &[String]) -> Option<f64> {
    values.first()?.trim().parse().ok()
}

impl Condition {
    /// Whether it holds.
    pub fn check(&self, facts: &Facts) -> Truth {
        self.test.check(facts.get(&self.fact))
    }

    /// ``record.status is `failed` ``.
    pub fn words(&self) -> String {
        format!("{} {}", self.fact, self.test.words())
    }
}

/// All of a group.
fn every(group: &[Condition], facts: &Facts) -> Truth {
    group.iter().map(|c| c.check(facts)).min().unwrap_or(Truth::True)
}

impl Match {
    /// Whether it holds; what is unknown never counts as a yes, nor its absence as a no.
    pub fn check(&self, facts: &Facts) -> Truth {
        let any = self.any.iter().map(|group| every(group, facts)).max().unwrap_or(Truth::True);
        let none = self.none.iter().map(|group| match every(group, facts) {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
        });
        let unless = match self.unless.iter().any(|group| every(group, facts) == Truth::True) {
            true => Truth::False,
            false => Truth::True,
        };
        every(&self.all, facts).min(any).min(none.min().unwrap_or(Truth::True)).min(unless)
    }

    /// How many conditions it names that hold: the more, the more is explained.
    pub fn weight(&self, facts: &Facts) -> usize {
        let any = self.any.iter().filter(|group| every(group, facts) == Truth::True).map(Vec::len).max();
        self.all.iter().filter(|c| c.check(facts) == Truth::True).count() + any.unwrap_or(0) + self.none.len()
    }

    /// How many conditions a match needs.
    pub fn needed(&self) -> usize {
        self.all.len() + usize::from(!self.any.is_empty()) + self.none.len()
    }

    /// What does not hold, in words, with what is there instead.
    pub fn lacking(&self, facts: &Facts) -> Vec<String> {
        let mut lines: Vec<String> =
            self.all.iter().filter(|c| c.check(facts) != Truth::True).map(|c| lack(c, facts)).collect();
        if !self.any.is_empty() && self.any.iter().all(|group| every(group, facts) != Truth::True) {
            let nearest = self.any.iter().max_by_key(|group| every(group, facts));
            let lacks = nearest.into_iter().flatten().filter(|c| c.check(facts) != Truth::True);
            lines.extend(lacks.map(|c| lack(c, facts)));
        }
        for group in &self.none {
            match every(group, facts) {
                Truth::False => {}
                Truth::True => lines.push(format!("it speaks against it that {}", together(group))),
                Truth::Unknown => lines.push(format!("nobody knows whether {}", together(group))),
            }
        }
        let against = self.unless.iter().filter(|group| every(group, facts) == Truth::True);
        lines.extend(against.map(|group| format!("it speaks against it that {}", together(group))));
        lines
    }

    /// All conditions, wherever they stand.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        let groups = [&self.any, &self.none, &self.unless].into_iter().flatten().flatten();
        self.all.iter().chain(groups)
    }
}

fn together(group: &[Condition]) -> String {
    group.iter().map(Condition::words).collect::<Vec<_>>().join(" and ")
}

fn lack(condition: &Condition, facts: &Facts) -> String {
    let there = match facts.get(&condition.fact) {
        None => "unknown".to_owned(),
        Some(_) => match facts.text(&condition.fact) {
            Some(text) => format!("is `{}`", crate::redact::excerpt_of_redacted(&text, 60)),
            None => "is empty".to_owned(),
        },
    };
    format!("{} ({there})", condition.words())
}
