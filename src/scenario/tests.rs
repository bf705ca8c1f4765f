//! Loading as a whole: one bad file for each mistake, and what good files become.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::loaded::Loaded;
use super::matrix::Instance;
use super::model::{Step, Verb, walk};
use super::*;
use crate::source::{Problem, SourceFile};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn yaml_files(folder: &Path) -> Vec<(String, SourceFile)> {
    let mut files: Vec<(String, SourceFile)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            (stem.clone(), SourceFile::new(format!("{stem}.yaml"), text))
        })
        .collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}

fn load_with(text: &str, fragments: &[&str]) -> Loaded {
    let files: Vec<SourceFile> = fragments.iter().map(|f| SourceFile::new("f.yaml", *f)).collect();
    let (fragments, problems) = Fragments::load(&files);
    assert_eq!(problems, []);
    load(&SourceFile::new("a.yaml", text), &fragments)
}

fn good(text: &str) -> Scenario {
    let loaded = load_with(text, &[]);
    let lines: Vec<String> = loaded.problems.iter().map(Problem::line).collect();
    loaded.scenario.unwrap_or_else(|| panic!("{lines:#?}"))
}

fn ids(steps: &[Step]) -> Vec<String> {
    walk(steps).map(|step| format!("{} {}", step.id, step.verb.keyword())).collect()
}

#[test]
fn each_bad_file_is_explained() {
    let folder = root().join("fixtures/scenarios");
    let fragments = yaml_files(&folder.join("fragments"));
    let (fragments, problems) = Fragments::load(fragments.iter().map(|(_, f)| f));
    assert_eq!(problems, []);
    for (code, file) in yaml_files(&folder) {
        let loaded = load(&file, &fragments);
        let wanted = format!("scenario::{code}");
        assert!(loaded.problems.iter().any(|p| p.code == wanted), "{code}: {:#?}", loaded.problems);
        assert_eq!(loaded.scenario.is_none(), loaded.has_errors(), "{code}");
        assert!(loaded.problems.iter().all(|p| p.place().is_some()), "{code}: a problem without a place");
        let drawn: String = loaded.problems.iter().map(|p| p.draw(false, 110)).collect();
        insta::with_settings!({
            snapshot_path => folder.clone(),
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(code, drawn); });
    }
}

/// Codes that the source can report, found in the source itself.
#[test]
fn each_code_has_a_bad_file() {
    fn walk(folder: &Path, found: &mut BTreeSet<String>, patterns: &[regex::Regex]) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found, patterns);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for pattern in patterns {
                    found.extend(pattern.captures_iter(&text).map(|c| c[1].to_owned()));
                }
            }
        }
    }
    let patterns = [
        r#"\.(?:error|warning)\(\s*"([a-z0-9-]+)""#,
        r#""scenario::([a-z0-9-]+)""#,
        r#"DecodeError::new\(\s*"([a-z0-9-]+)""#,
        r#"\{ "(unknown-input|unknown-matrix-key)" \}"#,
    ]
    .map(|p| regex::Regex::new(p).unwrap());
    let mut codes = BTreeSet::new();
    walk(&root().join("src/scenario"), &mut codes, &patterns);
    let files: BTreeSet<String> =
        yaml_files(&root().join("fixtures/scenarios")).into_iter().map(|(code, _)| code).collect();
    // Tested below: no single file shows them.
    let elsewhere = ["duplicate-fragment", "expired", "too-large"];
    let missing: Vec<&String> =
        codes.iter().filter(|c| !files.contains(*c) && !elsewhere.contains(&c.as_str())).collect();
    assert!(missing.is_empty(), "no file in fixtures/scenarios shows {missing:?}");
}

#[test]
fn three_broken_steps_are_three_errors() {
    let loaded = load_with(
        "scenario: x\nsteps:\n  - create: {as: ws, tier: x}\n  - await: {workspace: ws, status: 1}\n  - pause: w\n",
        &[],
    );
    let places: Vec<String> = loaded.problems.iter().filter_map(Problem::place).collect();
    assert_eq!(places, ["a.yaml:3:28", "a.yaml:4:36", "a.yaml:5:12"]);
}

#[test]
fn steps_are_numbered_where_they_stand() {
    let loaded = load_with(
        "scenario: x
use: begin
steps:
  - create: {as: ws}
  - use: {fragment: pair, with: {name: ws}}
  - parallel:
      - await: {workspace: ws, status: online}
      - steps: [{note: a}, {note: b}]
      - use: {fragment: pair, with: {name: ws}}
  - foreach: {in: [a, b], as: item, steps: [{note: \"${item}\"}]}
finally:
  - note: done
",
        &[
            "fragment: begin\nsteps: [{note: first}]",
            "fragment: pair\nwith: {name: }\nsteps:\n  - pause: ${with.name}\n  - note: \"id ${with.name.id}\"",
        ],
    );
    let scenario = loaded.scenario.unwrap();
    assert_eq!(
        ids(&scenario.steps),
        [
            "use.1.1 note",
            "1 create",
            "2.1 pause",
            "2.2 note",
            "3 parallel",
            "3.1 await",
            "3.2 steps",
            "3.2.1 note",
            "3.2.2 note",
            "3.3 steps",
            "3.3.1 pause",
            "3.3.2 note",
            "4 foreach",
            "4.1 note",
        ]
    );
    assert_eq!(ids(&scenario.finally), ["finally.1 note"]);
    let Verb::Note(note) = &scenario.steps[3].verb else { panic!("not a note") };
    assert_eq!(note.0.raw, "id ${ws.id}");
    assert_eq!(scenario.steps[3].source.name, "f.yaml");
    assert_eq!(scenario.steps[1].source.name, "a.yaml");
}

#[test]
fn a_fragment_parameter_keeps_its_type() {
    let loaded = load_with(
        "scenario: x\nsteps:\n  - create: {as: ws}\n  - use: {fragment: env, with: {vars: {A: 1, B: {exists: false}}}}\n",
        &["fragment: env\nwith: {vars: }\nsteps:\n  - expect: {env_of: ws, vars: \"${with.vars}\"}"],
    );
    let scenario = loaded.scenario.unwrap();
    let Verb::Expect(expect) = &scenario.steps[1].verb else { panic!("no expect") };
    let model::Expect::Env { vars, .. } = expect.as_ref() else { panic!("no env") };
    assert_eq!(vars.len(), 2);
    assert!(matches!(vars[1].1[0].test, model::MatcherTest::Exists(false)));
}

#[test]
fn a_mistake_in_a_fragment_points_there_and_says_who_uses_it() {
    let loaded = load_with(
        "scenario: x\nsteps:\n  - create: {as: ws}\n  - use: broken\n  - use: broken\n",
        &["fragment: broken\nsteps:\n  - restart: wss"],
    );
    assert_eq!(loaded.problems.len(), 1, "{:?}", loaded.problems);
    assert_eq!(loaded.problems[0].place().as_deref(), Some("f.yaml:3:14"));
    assert!(loaded.problems[0].hint.as_deref().unwrap().contains("used at a.yaml:4"));
}

#[test]
fn spans_point_at_what_is_written() {
    let text = "scenario: x\nsteps:\n  - create: {as: ws}\n  - http: {path: \"/é/${ws.id}\", expect: {status: 200, \
                json: {$.a: {contains: b}}}}\n";
    let scenario = good(text);
    let Verb::Http(http) = &scenario.steps[1].verb else { panic!("no http") };
    let written = |span: crate::source::Span| &text[span.start..span.start + span.len];
    assert_eq!(written(scenario.steps[1].span), "http");
    assert_eq!(written(http.path.span), "\"/é/${ws.id}\"");
    assert_eq!(written(http.answer.status_span), "200");
    assert_eq!(written(http.answer.json[0].0.span), "$.a");
    assert_eq!(written(http.answer.json[0].1[0].span), "contains: b");
    assert_eq!(scenario.steps[1].position, crate::source::Position { line: 4, column: 5 });
}

#[test]
fn numbers_and_words_stay_as_they_are_written() {
    let scenario = good(
        "scenario: x\ninputs: {v: {default: 1.10}, n: no, t: {default: true, type: bool}, w: 007}\nsteps:\n  \
         - note: \"${inputs.v} ${inputs.n} ${inputs.t} ${inputs.w}\"\n",
    );
    let defaults: Vec<&str> = scenario.inputs.values().filter_map(|i| i.default.as_deref()).collect();
    assert_eq!(defaults, ["1.10", "no", "true", "007"]);
}

#[test]
fn within_stands_inside_or_beside_the_verb() {
    let scenario = good(
        "scenario: x\nsteps:\n  - create: {as: ws}\n    within: 5s\n  - await: {workspace: ws, status: online, within: 1m}\n",
    );
    let within: Vec<String> = scenario.steps.iter().map(|s| format!("{:?}", s.within)).collect();
    assert_eq!(within, ["Some(Literal(5s))", "Some(Literal(60s))"]);
}

/// Each stands in a file that is fine without it.
#[test]
fn what_would_never_fail_is_refused() {
    let file = |line: &str| {
        format!(
            "scenario: x\ninputs: {{flag: {{type: bool, default: true}}, mode: full}}\nsteps:\n  - create: {{as: ws}}\n  \
             - note: \"${{inputs.flag}} ${{inputs.mode}}\"\n  - {line}\n"
        )
    };
    let when = |text: &str| format!("note: y\n    when: '{text}'");
    let get = |rest: &str| format!("http: {{path: /health, {rest}}}");
    for (line, code) in [
        (when("!${inputs.flag}"), "condition"),
        (when("not ${inputs.flag}"), "condition"),
        (when("${inputs.mode} = full"), "condition"),
        (when("${inputs.mode} === full"), "condition"),
        (when("${inputs.mode} == full && ${inputs.flag} == true"), "condition"),
        (when("${inputs.mode} == full || ${inputs.flag}"), "condition"),
        (when("${inputs.mode}==a&&${inputs.flag}"), "condition"),
        (when("${inputs.mode} and ${inputs.flag}"), "condition"),
        (when("${inputs.mode} == full and ${inputs.flag}"), "condition"),
        (when("${inputs.mode} > 3"), "condition"),
        (when("${inputs.mode}${inputs.flag} == x"), "condition"),
        (when("full == ${inputs.mode}"), "condition"),
        (when("${inputs.mode} =="), "condition"),
        (when("${inputs.mode} in [full, ]"), "condition"),
        (get("expect: {json: {\"$[?@.id == '${wss.id}']\": {exists: false}}}"), "unknown-name"),
        (get("expect: {json: {\"$[?${ws.id}]\": {exists: false}}}"), "json-path"),
        (get("expect: {headers: {\"X-${ws.id}\": {exists: false}}}"), "plain-name"),
        (get("headers: {\"X-${ws.id}\": a}"), "plain-name"),
        (get("method: POST, json: {a: {\"${ws.id}\": b}}"), "plain-name"),
        ("expect: {activity_of: ws, method: \"${inputs.mode}\", has: false}".to_owned(), "plain-name"),
        ("create: {body: {\"${inputs.mode}\": 1}, expect: 422}".to_owned(), "plain-name"),
        (get("method: POST, file: {field: f, name: \"${ws.id}.png\", base64: aGk=}"), "plain-name"),
        ("secret: {workspace: ws, delete: \"${inputs.mode}\"}".to_owned(), "plain-name"),
        ("expect: {env_of: ws, vars: {\"${inputs.mode}\": {exists: false}}}".to_owned(), "plain-name"),
    ] {
        let loaded = load_with(&file(&line), &[]);
        let codes: Vec<&str> = loaded.problems.iter().map(|p| p.code.as_str()).collect();
        assert!(codes.contains(&format!("scenario::{code}").as_str()), "{line}: {codes:?}");
        assert!(loaded.scenario.is_none(), "{line}");
    }
    for line in [
        when("${inputs.flag}"),
        when("${inputs.mode} == full"),
        when("${inputs.mode}!=full"),
        when("${inputs.mode} == \"a && b\""),
        when("${inputs.mode} == \"\""),
        when("${inputs.mode} == ${ws.name}"),
        when("${inputs.mode} in [full, ${ws.name}, \"two words\"]"),
        when("${first(inputs.mode, \"a b\")} == full"),
        get("expect: {json: {\"$[?@.id == '${ws.id}'].name\": {exists: false}}}"),
        get("expect: {json: {\"$[?@.id == '${ws.id}']\": {exists: false}}}"),
    ] {
        let problems = load_with(&file(&line), &[]).problems;
        assert_eq!(problems, [], "{line}");
    }
}

#[test]
fn times_and_matrices_have_bounds() {
    let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    let many = many.join(", ");
    for (head, code) in [
        ("budget: 0s".to_owned(), "duration"),
        ("budget: 0".to_owned(), "duration"),
        ("budget: 400d".to_owned(), "duration"),
        ("budget: 1e18".to_owned(), "duration"),
        (format!("matrix: {{a: [{many}], b: [{many}]}}"), "matrix"),
        ("matrix: {a: [\"${inputs.x}\"]}".to_owned(), "plain-name"),
    ] {
        let loaded = load_with(&format!("scenario: x\n{head}\nsteps:\n  - note: \"x\"\n"), &[]);
        assert_eq!(
            loaded.problems.first().map(|p| p.code.as_str()),
            Some(format!("scenario::{code}").as_str()),
            "{head}: {:?}",
            loaded.problems
        );
    }
}

#[test]
fn a_fragment_may_look_a_parameter_up_in_a_path() {
    let loaded = load_with(
        "scenario: x\nsteps:\n  - create: {as: ws}\n  - use: {fragment: f, with: {who: \"${ws.id}\"}}\n",
        &[
            "fragment: f\nwith: {who: }\nsteps:\n  - http: {path: /workspaces, expect: {json: {\"$[?@.id == '${with.who}']\": {exists: true}}}}",
        ],
    );
    assert_eq!(loaded.problems, []);
    let Verb::Http(http) = &loaded.scenario.unwrap().steps[1].verb.clone() else { panic!("no http") };
    assert_eq!(http.answer.json[0].0.text, "$[?@.id == '${ws.id}']");
}

#[test]
fn the_matrix_is_every_combination() {
    let scenario =
        good("scenario: m\nmatrix: {a: [x, y], b: [1, 2]}\nsteps:\n  - note: \"${matrix.a}${matrix.b}\"\n");
    let names: Vec<String> = expand_matrix(&scenario).into_iter().map(|i| i.name).collect();
    assert_eq!(names, ["m[a=x,b=1]", "m[a=x,b=2]", "m[a=y,b=1]", "m[a=y,b=2]"]);
    let single = expand_matrix(&good("scenario: s\nsteps:\n  - note: x\n"));
    assert_eq!(single, [Instance { name: "s".to_owned(), bindings: indexmap::IndexMap::new() }]);
}

#[test]
fn an_expected_failure_runs_out() {
    let scenario = good(
        "scenario: x\nexpect_failure: {issue: \"#1\", reason: r, until: 2026-11-30, when: {hibernate-wakes: false}}\nsteps:\n  - note: x\n",
    );
    assert_eq!(expired(&scenario, "2026-11-30"), None);
    let problem = expired(&scenario, "2026-12-01").unwrap();
    assert_eq!(problem.code, "scenario::expired");
    assert_eq!(problem.place().as_deref(), Some("a.yaml:2:17"));
}

#[test]
fn two_fragments_of_one_name_are_reported() {
    let files = ["a.yaml", "b.yaml"].map(|name| SourceFile::new(name, "fragment: x\nsteps: [{note: y}]"));
    let (fragments, problems) = Fragments::load(&files);
    assert_eq!(fragments.names().collect::<Vec<_>>(), ["x"]);
    assert_eq!(
        problems.iter().map(|p| p.code.as_str()).collect::<Vec<_>>(),
        ["scenario::duplicate-fragment"]
    );
}

#[test]
fn bombs_and_giants_are_refused_quickly() {
    let mut bomb = String::from("scenario: x\na: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        bomb.push_str(&format!(
            "{to}: &{to} [*{from}, *{from}, *{from}, *{from}, *{from}, *{from}, *{from}, *{from}]\n"
        ));
    }
    let loaded = load_with(&bomb, &[]);
    assert!(loaded.has_errors());
    assert_eq!(loaded.problems[0].code, "scenario::yaml");
    let giant = format!("scenario: x\nsummary: {}\n", "x".repeat(2 << 20));
    assert_eq!(load_with(&giant, &[]).problems[0].code, "scenario::too-large");
    let deep = format!("scenario: x\nsteps: {}", "[".repeat(5_000));
    assert!(load_with(&deep, &[]).has_errors());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z:\\-\\[\\]{}\"'$ \n.#&*|>!%@0-9é]{0,200}") {
        let _ = load_with(&text, &[]);
    }

    #[test]
    fn no_step_makes_it_panic(verb in proptest::sample::select(verbs::keywords().collect::<Vec<_>>()), value in "[a-z:\\-\\[\\]{}$. ,0-9]{0,60}") {
        let _ = load_with(&format!("scenario: x\nsteps:\n  - create: {{as: ws}}\n  - {verb}: {value}\n"), &[]);
    }
}

#[test]
fn every_scenario_of_the_guide_loads() {
    let guide = std::fs::read_to_string(root().join("docs/writing-scenarios.md")).unwrap();
    let mut seen = 0;
    for block in guide.split("```yaml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        let file = SourceFile::new("guide.yaml", text);
        let problems = if fragment::is_fragment(&file) {
            Fragments::load([&file]).1
        } else {
            load(&file, &shipped_fragments()).problems
        };
        let lines: Vec<String> = problems.iter().map(Problem::line).collect();
        assert_eq!(lines, Vec::<String>::new(), "{text}");
        seen += 1;
    }
    assert!(seen >= 6);
}
