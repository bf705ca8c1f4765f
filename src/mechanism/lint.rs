//! What is wrong with mechanisms as a set: no deep evidence, conditions that exclude each other, twins.

use super::condition::{Condition, Match, Test};
use super::facts;
use super::file::Mechanism;
use crate::event::Red;
use crate::source::{Problem, SourceFile};

/// Reads files and checks them one by one and together.
///
/// # Errors
/// Every problem of every file.
pub(crate) fn load(files: &[SourceFile]) -> Result<Vec<Mechanism>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut mechanisms = Vec::new();
    for file in files {
        match super::file::parse(file) {
            Ok(mechanism) => mechanisms.push(mechanism),
            Err(more) => problems.extend(more),
        }
    }
    problems.extend(mechanisms.iter().flat_map(alone));
    problems.extend(together(&mechanisms));
    if problems.is_empty() { Ok(mechanisms) } else { Err(problems) }
}

/// Where a red is one of these, nothing of these facts is known.
const UNSEEN: [(Red, &[&str]); 4] = [
    (Red::Create, &["reply.", "wait.", "instance", "container.", "env"]),
    (Red::Online, &["reply."]),
    (Red::Environment, &["reply."]),
    (Red::Panic, &["reply.", "wait.", "http."]),
];

fn alone(mechanism: &Mechanism) -> Vec<Problem> {
    let mut problems = Vec::new();
    let problem = |code: &str, text: String| {
        Problem::error(format!("mechanism::{code}"), text).at(&mechanism.source, mechanism.span, "this one")
    };
    let stem = mechanism.source.name.rsplit('/').next().and_then(|f| f.strip_suffix(".yaml"));
    if stem != Some(mechanism.name.as_str()) {
        let text = format!("`{}` stands in a file of another name", mechanism.name);
        problems.push(problem("file-name", text).hint(format!("call the file {}.yaml", mechanism.name)));
    }
    let deep = |group: &[Condition]| group.iter().any(|c| facts::find(&c.fact).is_ok_and(|f| f.deep));
    let any = &mechanism.matches.any;
    if !deep(&mechanism.matches.all) && (any.is_empty() || !any.iter().all(|group| deep(group))) {
        let text = format!("`{}` matches on the symptom alone", mechanism.name);
        problems.push(problem("symptom-only", text).hint("name evidence: a record, an event, an exchange"));
    }
    for (red, facts) in UNSEEN {
        let speaks_of = |c: &Condition| facts.iter().any(|fact| c.fact.starts_with(fact));
        let only = !mechanism.explains.is_empty() && mechanism.explains.iter().all(|e| e.reds == [red]);
        if only && mechanism.matches.all.iter().any(speaks_of) {
            let text = format!(
                "`{}` explains only `{}`, where nothing of {} is known",
                mechanism.name,
                red.as_str(),
                facts.join(", ")
            );
            problems.push(
                problem("cannot-explain", text).hint("name the reds under which its facts can be there"),
            );
        }
    }
    if let Some((one, other)) = contradiction(&mechanism.matches) {
        let text = format!("`{}` can never match: {one} and {other}", mechanism.name);
        problems.push(problem("never", text).hint("one of the two has to go"));
    }
    problems
}

/// Two conditions that cannot hold together.
fn contradiction(matches: &Match) -> Option<(String, String)> {
    let groups: Vec<Vec<&Condition>> = if matches.any.is_empty() {
        vec![matches.all.iter().collect()]
    } else {
        matches.any.iter().map(|group| matches.all.iter().chain(group).collect()).collect()
    };
    let mut found = None;
    for group in groups {
        let clash = group.iter().enumerate().find_map(|(i, one)| {
            let other = group.iter().skip(i + 1).find(|other| exclude(one, other))?;
            Some((one.words(), other.words()))
        });
        let excluded = || {
            let group_fits =
                |none: &Vec<Condition>| none.iter().all(|c| group.iter().any(|has| same(has, c)));
            let none = matches.none.iter().chain(&matches.unless).find(|none| group_fits(none))?;
            Some((
                none.iter().map(Condition::words).collect::<Vec<_>>().join(" and "),
                "none of that".to_owned(),
            ))
        };
        // One way that can match is enough.
        found = Some(clash.or_else(excluded)?);
    }
    found
}

fn same(one: &Condition, other: &Condition) -> bool {
    one.words() == other.words()
}

fn exclude(one: &Condition, other: &Condition) -> bool {
    if one.fact != other.fact {
        return false;
    }
    let single = facts::find(&one.fact).is_ok_and(|f| f.shape != facts::Shape::List);
    match (&one.test, &other.test) {
        (Test::Is(a), Test::Is(b)) => single && !a.iter().any(|v| b.contains(v)) && !words(a) && !words(b),
        (Test::Is(a), Test::Not(b)) | (Test::Not(b), Test::Is(a)) => {
            single && a.iter().all(|v| b.contains(v))
        }
        (Test::Empty(a), Test::Empty(b)) => a != b,
        (Test::Empty(true), Test::Is(values) | Test::Contains(values))
        | (Test::Is(values) | Test::Contains(values), Test::Empty(true)) => {
            values.iter().all(|v| !v.is_empty())
        }
        (Test::AtLeast(least), Test::AtMost(most)) | (Test::AtMost(most), Test::AtLeast(least)) => {
            least > most
        }
        _ => false,
    }
}

/// A variable that is set has two values: the word, and what it is.
fn words(values: &[String]) -> bool {
    values.iter().any(|v| v == "set")
}

fn together(mechanisms: &[Mechanism]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let keys: Vec<_> = mechanisms.iter().map(|one| key(&one.matches)).collect();
    for (i, one) in mechanisms.iter().enumerate() {
        for (other, other_key) in mechanisms.iter().zip(&keys).skip(i + 1) {
            if one.name == other.name {
                let text = format!("two mechanisms are called `{}`", one.name);
                problems.push(Problem::error("mechanism::twice", text).at(
                    &other.source,
                    other.span,
                    "again",
                ));
            } else if keys[i] == *other_key {
                let text = format!("`{}` and `{}` have the same conditions", one.name, other.name);
                let problem =
                    Problem::error("mechanism::equal", text).at(&other.source, other.span, "this one");
                problems.push(problem.hint("say what tells them apart, or make one of the two"));
            }
        }
    }
    for one in mechanisms {
        let shadow = mechanisms.iter().find(|lower| {
            lower.layer < one.layer
                && !lower.yields
                && lower.matches.none.is_empty()
                && lower.matches.unless.is_empty()
                && covers(lower, one)
                && implied(&lower.matches, &one.matches)
        });
        if let Some(lower) = shadow {
            let text = format!(
                "`{}` is never named: `{}` of a lower layer always matches too",
                one.name, lower.name
            );
            problems.push(Problem::error("mechanism::shadowed", text).at(&one.source, one.span, "this one"));
        }
    }
    problems
}

/// Whether it can make every red that the other can, whatever else holds.
fn covers(lower: &Mechanism, one: &Mechanism) -> bool {
    let always = |red: &Red| lower.explains.iter().any(|e| e.when.is_empty() && e.reds.contains(red));
    one.explains.iter().flat_map(|e| &e.reds).all(always)
}

/// Whether every condition of one stands among those of the other, so that it holds whenever the other does.
fn implied(weaker: &Match, stronger: &Match) -> bool {
    let has = |group: &[Condition], c: &Condition| group.iter().any(|s| same(s, c));
    weaker.all.iter().all(|c| has(&stronger.all, c))
        && (weaker.any.is_empty()
            || weaker.any.iter().any(|group| group.iter().all(|c| has(&stronger.all, c))))
}

/// Conditions without their order.
fn key(matches: &Match) -> (Vec<String>, [Vec<Vec<String>>; 3]) {
    let group = |conditions: &Vec<Condition>| {
        let mut words: Vec<String> = conditions.iter().map(Condition::words).collect();
        words.sort();
        words
    };
    let groups = |list: &[Vec<Condition>]| {
        let mut all: Vec<Vec<String>> = list.iter().map(group).collect();
        all.sort();
        all
    };
    (group(&matches.all), [&matches.any, &matches.none, &matches.unless].map(|list| groups(list)))
}
