//! Which scenarios are meant: names, instances, files, folders, `@tags`, globs, `!`, `and`.

use std::collections::BTreeSet;
use std::sync::Arc;

use globset::{Glob, GlobMatcher};

use crate::runner::plan::{Only, most_instances};
use crate::scenario::{Scenario, expand_matrix, without_round};
use crate::source::{Problem, did_you_mean, near_or};

/// What a selection comes to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// The scenarios of which something runs.
    pub scenarios: Vec<Arc<Scenario>>,
    /// Of which of them only some instances run.
    pub only: Only,
    /// Those that were named one by one.
    pub named: BTreeSet<String>,
}

/// Chooses; nothing selected means all.
///
/// # Errors
/// What nothing is called by, with what is called nearly so.
pub(crate) fn choose(all: &[Arc<Scenario>], selection: &[String]) -> Result<Choice, Vec<Problem>> {
    if selection.is_empty() {
        return Ok(Choice { scenarios: all.to_vec(), ..Choice::default() });
    }
    let terms = parse(selection)?;
    let rows: Vec<Row> = all.iter().map(Row::of).collect();
    let mut problems = Vec::new();
    for atom in terms.iter().flatten() {
        if !rows.iter().any(|row| row.instances.iter().any(|instance| atom.matches(row, instance, false))) {
            problems.push(atom.unknown(&rows));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let only_filters = terms.iter().all(|term| is_filter(term));
    let mut choice = Choice::default();
    for row in &rows {
        // Whoever names a file and one instance of it means the instance.
        let by_instance = terms.iter().flatten().any(|atom| !atom.not && atom.names_instance_of(row));
        let holds = |term: &[Atom], instance: &String| {
            term.iter().all(|atom| atom.matches(row, instance, by_instance) != atom.not)
        };
        let chosen = |instance: &&String| {
            let (filters, others): (Vec<_>, Vec<_>) = terms.iter().partition(|term| is_filter(term));
            (only_filters || others.iter().any(|term| holds(term, instance)))
                && filters.iter().all(|term| holds(term, instance))
        };
        let instances: BTreeSet<String> = row.instances.iter().filter(chosen).cloned().collect();
        if instances.is_empty() {
            continue;
        }
        if terms.iter().flatten().any(|atom| !atom.not && atom.names(row)) {
            choice.named.insert(row.scenario.name.clone());
        }
        if instances.len() < row.instances.len() {
            choice.only.insert(row.scenario.name.clone(), instances);
        }
        choice.scenarios.push(Arc::clone(row.scenario));
    }
    Ok(choice)
}

/// Nothing but `!`: it takes away from the others.
fn is_filter(term: &[Atom]) -> bool {
    term.iter().all(|atom| atom.not)
}

/// One scenario and what its instances are called.
struct Row<'a> {
    scenario: &'a Arc<Scenario>,
    file: String,
    instances: Vec<String>,
}

impl<'a> Row<'a> {
    fn of(scenario: &'a Arc<Scenario>) -> Row<'a> {
        let instances = match most_instances(scenario) {
            true => vec![scenario.name.clone()],
            false => expand_matrix(scenario).into_iter().map(|one| one.name).collect(),
        };
        Row { scenario, file: normal(&scenario.source.name), instances }
    }
}

/// One word of a selection.
struct Atom {
    not: bool,
    text: String,
    what: What,
}

enum What {
    Tag(String),
    TagGlob(GlobMatcher),
    Word(String),
    Glob(GlobMatcher),
}

/// What to type where no name is near.
const LIST: &str = "`lifecycle list` shows the scenarios there are, and their tags";

impl Atom {
    fn of(text: &str, not: bool) -> Result<Atom, Problem> {
        let what = match text.strip_prefix('@') {
            Some(tag) if is_glob(tag) => What::TagGlob(glob(tag)?),
            Some(tag) => What::Tag(tag.to_owned()),
            None if is_glob(text) => What::Glob(glob(text.trim_start_matches("./"))?),
            None => What::Word(text.to_owned()),
        };
        Ok(Atom { not, text: text.to_owned(), what })
    }

    /// `narrowed`: a file alone chooses none of it.
    fn matches(&self, row: &Row<'_>, instance: &str, narrowed: bool) -> bool {
        let scenario = row.scenario;
        match &self.what {
            What::Tag(tag) => scenario.tags.contains(tag),
            What::TagGlob(glob) => scenario.tags.iter().any(|tag| glob.is_match(tag)),
            What::Glob(glob) => {
                [scenario.name.as_str(), instance, &row.file].iter().any(|name| glob.is_match(name))
            }
            What::Word(word) => {
                scenario.name == *word
                    || without_round(word) == instance
                    || (!narrowed && (row.file == normal(word) || under(&row.file, word)))
            }
        }
    }

    /// It is one instance of several.
    fn names_instance_of(&self, row: &Row<'_>) -> bool {
        let What::Word(word) = &self.what else { return false };
        *word != row.scenario.name && row.instances.iter().any(|instance| instance == without_round(word))
    }

    /// It names this scenario and no other.
    fn names(&self, row: &Row<'_>) -> bool {
        let What::Word(word) = &self.what else { return false };
        row.scenario.name == *word || row.file == normal(word) || self.names_instance_of(row)
    }

    /// Nothing is called so.
    fn unknown(&self, rows: &[Row<'_>]) -> Problem {
        let problem = |text: String| Problem::error("run::unknown-scenario", text);
        if let What::Tag(tag) = &self.what {
            let tags: BTreeSet<&str> =
                rows.iter().flat_map(|row| row.scenario.tags.iter().map(String::as_str)).collect();
            return problem(format!("no scenario has the tag `@{tag}`")).hint(near_or(tag, tags, LIST));
        }
        if let What::Glob(_) | What::TagGlob(_) = &self.what {
            return problem(format!("nothing matches `{}`", self.text)).hint(LIST);
        }
        let of = self.text.split('[').next().unwrap_or_default();
        if let Some(row) = rows.iter().find(|row| row.scenario.name == of && self.text.contains('[')) {
            return problem(format!("`{of}` has no instance `{}`", self.text))
                .hint(did_you_mean(&self.text, row.instances.iter().map(String::as_str)));
        }
        problem(format!("there is no scenario, file or folder `{}`", self.text)).hint(near_or(
            &self.text,
            rows.iter().map(|row| row.scenario.name.as_str()),
            LIST,
        ))
    }
}

/// Brackets stand in the names of instances: they are no pattern.
fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

fn glob(text: &str) -> Result<GlobMatcher, Problem> {
    let text: String =
        text.chars().flat_map(|c| if "[]{}!".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
    let bad = |e: globset::Error| Problem::error("run::bad-pattern", format!("the pattern is wrong: {e}"));
    Ok(Glob::new(&text).map_err(bad)?.compile_matcher())
}

/// Any of these terms; in each of them all of its words.
fn parse(selection: &[String]) -> Result<Vec<Vec<Atom>>, Vec<Problem>> {
    let mut terms: Vec<Vec<Atom>> = Vec::new();
    let (mut joined, mut not) = (false, false);
    let lonely =
        || vec![Problem::error("run::bad-selection", "`and` stands between two names, tags or patterns")];
    for item in selection {
        let is_expression = [" and ", " or ", "not "].iter().any(|word| item.contains(word));
        let words: Vec<&str> = if is_expression { item.split_whitespace().collect() } else { vec![item] };
        for word in words {
            match word {
                "and" if terms.is_empty() || joined => return Err(lonely()),
                "and" => joined = true,
                "or" => {}
                "not" => not = !not,
                word => {
                    let bare = word.trim_start_matches('!');
                    let flips = (word.len() - bare.len()) % 2 == 1;
                    let atom = Atom::of(bare, not != flips).map_err(|problem| vec![problem])?;
                    match terms.last_mut().filter(|_| joined) {
                        Some(term) => term.push(atom),
                        None => terms.push(vec![atom]),
                    }
                    (joined, not) = (false, false);
                }
            }
        }
    }
    if joined { Err(lonely()) } else { Ok(terms) }
}

/// Files that a selection may name: not tags, not patterns, not words between them.
pub(crate) fn may_be_path(item: &str) -> bool {
    !item.starts_with(['@', '!']) && !is_glob(item) && !matches!(item, "and" | "or" | "not")
}

/// Without what does not decide which file is meant.
pub(crate) fn normal(path: &str) -> String {
    let mut path = path.trim_end_matches('/');
    while let Some(rest) = path.strip_prefix("./") {
        path = rest.trim_start_matches('/');
    }
    if path == "." { String::new() } else { path.to_owned() }
}

fn under(file: &str, folder: &str) -> bool {
    match normal(folder).as_str() {
        "" => folder.starts_with('.') && !file.starts_with(['<', '/']),
        folder => file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Fragments, load};
    use crate::source::SourceFile;

    fn scenario(name: &str, file: &str, head: &str) -> Arc<Scenario> {
        let text = format!("scenario: {name}\nsummary: Says nothing.\n{head}\nsteps:\n  - note: hello\n");
        let loaded = load(&SourceFile::new(file, text), &Fragments::default());
        Arc::new(loaded.scenario.unwrap_or_else(|| panic!("{:?}", loaded.problems)))
    }

    fn all() -> Vec<Arc<Scenario>> {
        vec![
            scenario("local-a", "<built-in>/local/a.yaml", "tags: [local, fast]"),
            scenario("local-b", "<built-in>/local/b.yaml", "tags: [local, slow]"),
            scenario("rt", "dir/rt.yaml", "tags: [matrix]\nmatrix: { a: [1, 2, 10] }"),
            scenario("own", "own.yaml", "tags: [fast]"),
        ]
    }

    /// What runs, as names; a whole scenario by its own.
    fn run(selection: &[&str]) -> Result<Vec<String>, String> {
        let selection: Vec<String> = selection.iter().map(|s| (*s).to_owned()).collect();
        let choice = choose(&all(), &selection).map_err(|problems| {
            problems
                .iter()
                .map(|p| format!("{} ({})", p.message, p.hint.clone().unwrap_or_default()))
                .collect::<String>()
        })?;
        let names = choice.scenarios.iter().flat_map(|s| match choice.only.get(&s.name) {
            Some(some) => some.iter().cloned().collect(),
            None => vec![s.name.clone()],
        });
        Ok(names.collect())
    }

    #[test]
    fn what_is_meant_is_chosen() {
        for (selection, wanted) in [
            (&[][..], &["local-a", "local-b", "rt", "own"][..]),
            (&["@local"], &["local-a", "local-b"]),
            (&["@local", "own"], &["local-a", "local-b", "own"]),
            (&["@local and @fast"], &["local-a"]),
            (&["@local", "and", "@fast"], &["local-a"]),
            (&["@local and not @fast"], &["local-b"]),
            (&["@local", "!@slow"], &["local-a"]),
            (&["!@local"], &["rt", "own"]),
            (&["!@local", "!rt"], &["own"]),
            (&["local-*"], &["local-a", "local-b"]),
            (&["*-b", "o?n"], &["local-b", "own"]),
            (&["dir"], &["rt"]),
            (&["./dir/"], &["rt"]),
            (&["."], &["rt", "own"]),
            (&["./own.yaml"], &["own"]),
            (&["rt[a=2]"], &["rt[a=2]"]),
            (&["dir/rt.yaml", "rt[a=2]"], &["rt[a=2]"]),
            (&["rt", "rt[a=2]"], &["rt"]),
            (&["rt", "!rt[a=2]"], &["rt[a=10]", "rt[a=1]"]),
            (&["rt[a=1*]"], &["rt[a=10]", "rt[a=1]"]),
            (&["@f*"], &["local-a", "own"]),
            (&["@local and @matrix"], &[]),
        ] {
            let mut chosen = run(selection).unwrap();
            let mut wanted: Vec<String> = wanted.iter().map(|w| (*w).to_owned()).collect();
            chosen.sort();
            wanted.sort();
            assert_eq!(chosen, wanted, "{selection:?}");
        }
    }

    #[test]
    fn what_nothing_is_called_is_told_with_what_is_near() {
        for (selection, says) in [
            (&["lokal-a"][..], "there is no scenario, file or folder `lokal-a` (did you mean `local-a`?"),
            (&["@lokal"], "no scenario has the tag `@lokal` (did you mean `local`?"),
            (&["rt[a=3]"], "`rt` has no instance `rt[a=3]` (did you mean `rt[a=1]`?"),
            (&["zz*"], "nothing matches `zz*`"),
            (&["own", "!nope"], "there is no scenario, file or folder `nope`"),
            (&["own and"], "there is no scenario"),
            (&["own", "and"], "`and` stands between"),
            (&["and", "own"], "`and` stands between"),
        ] {
            let error = run(selection).unwrap_err();
            assert!(error.contains(says), "{selection:?}: {error}");
        }
    }

    #[test]
    fn what_is_named_is_told_from_what_is_found() {
        let named = |selection: &[&str]| {
            let selection: Vec<String> = selection.iter().map(|s| (*s).to_owned()).collect();
            choose(&all(), &selection).unwrap().named.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(named(&["@local", "own"]), ["own"]);
        assert_eq!(named(&["local-*", "dir", "."]), Vec::<String>::new());
        assert_eq!(named(&["dir/rt.yaml"]), ["rt"]);
        assert_eq!(named(&["rt[a=1]", "local-a"]), ["local-a", "rt"]);
    }
}
