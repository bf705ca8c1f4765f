//! The table of layers (DESIGN §9), enforced on every path that a source file names, and on the fences.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Attribute, Item, UseTree, Visibility};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// The names of a path, from the crate's root on.
type Names = Vec<String>;

/// One source file without its tests.
struct Source {
    /// Below `src`.
    name: String,
    /// `runner::steps` for `runner/steps/mod.rs`.
    module: Names,
    /// All code but tests and comments.
    text: String,
    /// What it only hands on, by the name that it gives it.
    handed_on: BTreeMap<String, Names>,
    /// Paths that its code names, as written.
    named: BTreeSet<Names>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| {
        a.path().is_ident("test")
            || (a.path().is_ident("cfg") && a.meta.to_token_stream().to_string().contains("test"))
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

fn leaves(tree: &UseTree, before: &[String], into: &mut Vec<(String, Names)>) {
    let with = |name: &dyn ToString| before.iter().cloned().chain([name.to_string()]).collect::<Names>();
    match tree {
        UseTree::Path(path) => leaves(&path.tree, &with(&path.ident), into),
        UseTree::Name(name) if name.ident == "self" => {
            into.push((before.last().cloned().unwrap_or_default(), before.to_vec()));
        }
        UseTree::Name(name) => into.push((name.ident.to_string(), with(&name.ident))),
        UseTree::Rename(name) => into.push((name.rename.to_string(), with(&name.ident))),
        UseTree::Glob(_) => into.push(("*".into(), before.to_vec())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, before, into)),
    }
}

/// Every path of two names and more, and what a `::{…}` behind one adds to it.
fn paths(tokens: TokenStream, before: &[String], into: &mut BTreeSet<Names>) {
    let mut path: Names = before.to_vec();
    let mut glued = !before.is_empty();
    let mut renamed = false;
    let mut tokens = tokens.into_iter();
    let mut groups = Vec::new();
    let mut end = |path: &mut Names| {
        if path.len() > before.len().max(1) {
            into.insert(path.clone());
        }
        *path = before.to_vec();
        !before.is_empty()
    };
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "as" => {
                end(&mut path);
                renamed = true;
            }
            TokenTree::Ident(_) if renamed => renamed = false,
            TokenTree::Ident(name) => {
                if !glued {
                    end(&mut path);
                }
                path.push(name.to_string());
                glued = false;
            }
            TokenTree::Punct(p) if p.as_char() == ':' && p.spacing() == Spacing::Joint => {
                tokens.next();
                glued = path.len() > before.len();
            }
            TokenTree::Group(group) => {
                let goes_on = glued && group.delimiter() == Delimiter::Brace;
                groups.push((group.stream(), if goes_on { path.clone() } else { Vec::new() }));
                glued = end(&mut path);
            }
            _ => glued = end(&mut path),
        }
    }
    end(&mut path);
    for (stream, before) in groups {
        paths(stream, &before, into);
    }
}

/// Code as one text: paths and macros without spaces, no comments.
fn code(tokens: TokenStream, into: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(p) if p.as_char() == '#' => {
                let doc = |group: &proc_macro2::Group| group.stream().to_string().starts_with("doc ");
                if tokens.peek().is_some_and(|t| matches!(t, TokenTree::Group(g) if doc(g))) {
                    tokens.next();
                }
            }
            TokenTree::Group(group) => {
                into.push(' ');
                code(group.stream(), into);
                into.push(' ');
            }
            TokenTree::Punct(p) => into.push(p.as_char()),
            TokenTree::Ident(name) => {
                if into.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    into.push(' ');
                }
                into.push_str(&name.to_string());
            }
            TokenTree::Literal(literal) => into.push_str(&literal.to_string()),
        }
    }
}

fn source(path: &Path) -> Source {
    let name = path.strip_prefix(root()).unwrap().display().to_string();
    let mut module: Names = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    let file = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let items: Vec<Item> = file.items.into_iter().filter(|item| !is_test(attributes(item))).collect();
    let (mut handed_on, mut tokens, mut own) = (BTreeMap::new(), TokenStream::new(), TokenStream::new());
    for item in &items {
        item.to_tokens(&mut tokens);
        match item {
            Item::Use(it) if !matches!(it.vis, Visibility::Inherited) => {
                let mut found = Vec::new();
                leaves(&it.tree, &[], &mut found);
                handed_on.extend(found);
            }
            other => other.to_tokens(&mut own),
        }
    }
    let mut named = BTreeSet::new();
    paths(own, &[], &mut named);
    let mut text = String::new();
    code(tokens, &mut text);
    Source { name, module, text, handed_on, named }
}

/// All files without those that hold tests only.
fn sources() -> &'static [Source] {
    static ALL: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let mut paths = Vec::new();
        files(&root(), &mut paths);
        paths.sort();
        let tests = |path: &PathBuf| {
            path.strip_prefix(root())
                .unwrap()
                .components()
                .any(|c| c.as_os_str() == "tests" || c.as_os_str() == "tests.rs")
        };
        paths.iter().filter(|path| !tests(path)).map(|path| source(path)).collect()
    });
    &ALL
}

/// Where the names of a path lead.
struct House<'a> {
    by_module: BTreeMap<&'a [String], &'a Source>,
}

impl<'a> House<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let by_module = sources.iter().filter(|s| s.name != "main.rs").map(|s| (&s.module[..], s)).collect();
        House { by_module }
    }

    /// A path as it is written in a file, from the root on; `None` when it leads out of the crate.
    fn absolute(&self, from: &Source, path: &[String]) -> Option<Names> {
        let mut at = from.module.clone();
        let mut rest = path;
        match path.first().map(String::as_str)? {
            "crate" => {
                at.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            // A module below this one, by its bare name.
            first => {
                at.push(first.to_owned());
                self.by_module.get(&at[..])?;
                rest = &path[1..];
            }
        }
        at.extend(rest.iter().cloned());
        Some(at)
    }

    /// The file that has what a path names; what is handed on is followed to where it is.
    fn file(&self, path: &[String], depth: usize) -> Option<&'a Source> {
        let mut known: &[String] = &[];
        for end in 1..=path.len() {
            match self.by_module.contains_key(&path[..end]) {
                true => known = &path[..end],
                false => break,
            }
        }
        let at = *self.by_module.get(known)?;
        if let Some(next) = path.get(known.len())
            && let Some(to) = at.handed_on.get(next)
            && depth < 8
            && let Some(mut to) = self.absolute(at, to)
        {
            to.extend(path[known.len() + 1..].iter().cloned());
            return self.file(&to, depth + 1);
        }
        Some(at)
    }

    /// The files that a file needs.
    fn needs(&self, of: &Source) -> BTreeSet<&'a str> {
        let there = of.named.iter().filter_map(|path| self.file(&self.absolute(of, path)?, 0));
        there.filter(|to| to.name != of.name && to.name != "lib.rs").map(|to| to.name.as_str()).collect()
    }
}

/// The modules of `src/lib.rs`, from the top down.
fn order() -> Vec<String> {
    let lib = fs::read_to_string(root().join("lib.rs")).unwrap();
    let modules = syn::parse_file(&lib).unwrap().items.into_iter().filter_map(|item| match item {
        Item::Mod(module) => Some(module.ident.to_string()),
        _ => None,
    });
    modules.collect()
}

fn room(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

#[test]
fn a_module_imports_only_from_modules_below_it() {
    let order = order();
    assert!(order.len() > 12, "{order:?}");
    let place = |file: &str| order.iter().position(|m| m == room(file));
    let sources = sources();
    let house = House::new(sources);
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|s| place(&s.name).is_some()) {
        for needed in house.needs(source) {
            if place(needed) < place(&source.name) {
                wrong.push(format!("{} needs {needed}, which is above it", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reference_platform_never_sees_the_runner() {
    let sources = sources();
    let house = House::new(sources);
    for source in sources.iter().filter(|s| room(&s.name) == "reference") {
        for needed in house.needs(source) {
            assert!(
                !["runner", "run", "platform", "http"].contains(&room(needed)),
                "{} needs {needed}",
                source.name
            );
        }
    }
}

/// Files that need each other, each circle once (Tarjan's strongly connected components).
fn circles(graph: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<Vec<String>> {
    fn reach<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str) -> BTreeSet<&'a str> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            next.extend(graph.get(file).into_iter().flatten().filter(|to| seen.insert(**to)));
        }
        seen
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|file| (*file, reach(graph, file))).collect();
    let mut found = BTreeSet::new();
    for (file, there) in reached.iter().filter(|(file, there)| there.contains(*file)) {
        let circle: Vec<String> = there
            .iter()
            .filter(|to| reached.get(*to).is_some_and(|r| r.contains(file)))
            .map(|f| (*f).to_owned())
            .collect();
        found.insert(circle);
    }
    found.into_iter().collect()
}

#[test]
fn no_file_needs_one_that_needs_it() {
    let sources = sources();
    let house = House::new(sources);
    let graph = sources.iter().map(|s| (s.name.as_str(), house.needs(s))).collect();
    let mut found = Vec::new();
    for circle in circles(&graph) {
        found.push(circle.join(" ⇄ "));
        // Which names tie them: one of them is in the wrong file.
        for source in sources.iter().filter(|s| circle.contains(&s.name)) {
            for path in &source.named {
                let to = house.absolute(source, path).and_then(|path| house.file(&path, 0));
                if let Some(to) = to.filter(|to| to.name != source.name && circle.contains(&to.name)) {
                    found.push(format!("  {} names {} of {}", source.name, path.join("::"), to.name));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn circles_are_found() {
    let graph = BTreeMap::from([
        ("a", BTreeSet::from(["b"])),
        ("b", BTreeSet::from(["c"])),
        ("c", BTreeSet::from(["b"])),
        ("d", BTreeSet::from(["a"])),
    ]);
    assert_eq!(circles(&graph), [["b", "c"]]);
}

#[test]
fn paths_are_read_in_groups_calls_and_macros() {
    let mut found = BTreeSet::new();
    let code =
        "use crate::{http, run::{wait, clock as c}}; fn f(x: super::X) { vec![crate::y::z(self::a::b)] }";
    paths(code.parse().unwrap(), &[], &mut found);
    let found: Vec<String> = found.iter().map(|p| p.join("::")).collect();
    for path in
        ["crate::http", "crate::run::wait", "crate::run::clock", "super::X", "crate::y::z", "self::a::b"]
    {
        assert!(found.iter().any(|f| f == path), "{path} is not in {found:?}");
    }
}

/// What only some files may name.
const FENCES: &[(&str, &[&str])] = &[
    ("reqwest::", &["http/", "reference/outbound.rs", "tls.rs"]),
    ("serde_saphyr::", &["yaml/"]),
    ("bollard::", &["docker/"]),
    ("miette::", &["source.rs"]),
    // Of these, some read the names of this machine's architecture and of this executable, no variable.
    ("std::env::", &["session/env.rs", "main.rs", "cli/doctor.rs", "docker/lock.rs", "targets/docker.rs"]),
    ("process::exit", &["main.rs"]),
    ("println!", &["output/"]),
    ("eprintln!", &["output/"]),
    ("tokio::time::", &["clock.rs"]),
    ("thread::sleep", &[]),
    ("clap::", &["cli/", "targets/", "runner/context.rs"]),
];

#[test]
fn fences_hold() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, allowed) in FENCES {
            if source.text.contains(word) && !allowed.iter().any(|a| source.name.starts_with(a)) {
                wrong.push(format!("{} names `{word}`", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Which of two ready branches is taken must not be chance: a simulated run is had again from its seed.
#[test]
fn a_select_has_an_order() {
    let mut wrong = Vec::new();
    for source in sources() {
        let loose = source
            .text
            .split("select!")
            .skip(1)
            .filter(|after| !after.trim_start().starts_with("biased;"))
            .count();
        if loose > 0 {
            wrong.push(format!("{}: {loose} select! without `biased;`", source.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_is_on_the_page() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/commands.md")).unwrap();
    let help = super::harness::Harness::new().args(["--help"]).run().exit(0).stdout;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|l| !l.starts_with("Commands:"))
        .skip(1)
        .take_while(|l| l.starts_with("  "))
        .filter_map(|l| l.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 12, "{commands:?}");
    for command in commands {
        assert!(page.contains(&format!("`{command}")), "docs/commands.md does not know `{command}`");
    }
}
