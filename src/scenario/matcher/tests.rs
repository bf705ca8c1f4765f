use serde_json::{Value, json};

use super::*;
use crate::scenario::model::{JsonPath, StatusPattern};
use crate::scenario::template::{Template, tests::Fixed};

fn value(v: Value) -> TemplateValue {
    TemplateValue::from_json(&v).unwrap()
}

fn text(t: &str) -> Template {
    Template::parse(t, Span::default()).unwrap()
}

fn matcher(test: MatcherTest) -> Matcher {
    Matcher { test, span: Span { start: 7, len: 3 } }
}

fn path(p: &str) -> JsonPath {
    JsonPath::parse(p, Span::default()).unwrap()
}

fn bounds(min: Option<f64>, max: Option<f64>) -> Bounds {
    Bounds { min, max }
}

#[test]
fn each_test_says_yes_and_no() {
    use MatcherTest as T;
    let scope = Fixed::new([("ws.id", json!("7f")), ("n", json!(3))]);
    let has = |t: &str, ignore_case| T::Contains { text: text(t), ignore_case };
    for (test, value, wanted) in [
        (T::Equals(value(json!(1))), Some(json!(1.0)), Ok(())),
        (T::Equals(value(json!("${n}"))), Some(json!(3)), Ok(())),
        (T::Equals(value(json!("${n}"))), Some(json!("3")), Err(("3", "\"3\""))),
        (T::Equals(value(json!(null))), Some(json!(null)), Ok(())),
        (T::Equals(value(json!(null))), None, Err(("null", "nothing there"))),
        (T::Equals(value(json!([1, "${ws.id}"]))), Some(json!([1, "7f"])), Ok(())),
        (T::Differs(value(json!(200))), Some(json!(201)), Ok(())),
        (T::Differs(value(json!(200))), None, Ok(())),
        (T::Differs(value(json!(200))), Some(json!(200)), Err(("anything but 200", "200"))),
        (has("${ws.id}", false), Some(json!("x7fy")), Ok(())),
        (has("ERROR", true), Some(json!("an error")), Ok(())),
        (has("ERROR", false), Some(json!("an error")), Err(("a text with \"ERROR\"", "\"an error\""))),
        (has("kind", false), Some(json!({ "kind": 1 })), Ok(())),
        (T::Lacks { text: text("a"), ignore_case: false }, None, Ok(())),
        (
            T::Lacks { text: text("a"), ignore_case: false },
            Some(json!("bar")),
            Err(("a text without \"a\"", "\"bar\"")),
        ),
        (T::Matches(regex::Regex::new("^a+$").unwrap()), Some(json!("aaa")), Ok(())),
        (T::Matches(regex::Regex::new("^\\d$").unwrap()), Some(json!(5)), Ok(())),
        (T::OneOf(vec![value(json!(1)), value(json!("b"))]), Some(json!("b")), Ok(())),
        (T::OneOf(vec![value(json!(1)), value(json!(2))]), Some(json!(3)), Err(("one of 1, 2", "3"))),
        (T::Exists(true), Some(json!(null)), Ok(())),
        (T::Exists(true), None, Err(("something", "nothing there"))),
        (T::Exists(false), Some(json!("")), Err(("nothing", "\"\""))),
        (T::Type("array".to_owned()), Some(json!([])), Ok(())),
        (T::Type("string".to_owned()), Some(json!(1)), Err(("a value of type string", "1"))),
        (T::Length(bounds(Some(2.0), Some(2.0))), Some(json!("éa")), Ok(())),
        (T::Length(bounds(Some(2.0), None)), Some(json!([1])), Err(("a length of at least 2", "[1]"))),
        (T::Length(bounds(None, Some(1.0))), Some(json!(5)), Err(("a length of at most 1", "5"))),
        (T::Number(bounds(Some(1.0), Some(5.0))), Some(json!(5)), Ok(())),
        (T::Number(bounds(Some(1.0), Some(5.0))), Some(json!("5")), Err(("a number of 1 to 5", "\"5\""))),
        (T::NonEmpty, Some(json!(0)), Ok(())),
        (T::NonEmpty, Some(json!("")), Err(("something that is not empty", "\"\""))),
        (T::NonEmpty, Some(json!(null)), Err(("something that is not empty", "null"))),
        (T::Includes(vec![value(json!("${ws.id}"))]), Some(json!(["a", "7f"])), Ok(())),
        (T::Includes(vec![value(json!(1))]), Some(json!("1")), Err(("a list with 1", "\"1\""))),
        (
            T::Equals(value(json!("${gone}"))),
            Some(json!(1)),
            Err(("`${gone}` has no value here", "`${gone}` has no value here")),
        ),
    ] {
        let got = matcher(test.clone()).check(value.as_ref(), &scope);
        let got = got.as_ref().map(|&()| ()).map_err(|m| (m.expected.as_str(), m.got.as_str()));
        assert_eq!(got, wanted, "{test:?} on {value:?}");
    }
}

#[test]
fn a_plural_path_tells_each_node_from_the_list() {
    use MatcherTest as T;
    let body = json!([{ "id": "a", "n": 1 }, { "id": "b", "n": 2 }]);
    let scope = Fixed::new([]);
    for (p, test, holds) in [
        ("$[*].id", T::Type("string".to_owned()), true),
        ("$[*].id", T::Equals(value(json!("a"))), false),
        ("$[*].id", T::Equals(value(json!(["a", "b"]))), true),
        ("$[*].id", T::Includes(vec![value(json!("b"))]), true),
        ("$[*].id", T::Length(bounds(Some(2.0), Some(2.0))), true),
        ("$[?@.n > 1].id", T::Equals(value(json!("b"))), true),
        ("$[?@.n > 5].id", T::Exists(false), true),
        ("$[?@.n > 5].id", T::Exists(true), false),
        ("$[?@.n > 5].id", T::Type("string".to_owned()), false),
        ("$[0].id", T::Equals(value(json!("a"))), true),
        ("$[7].id", T::Exists(false), true),
        ("$..n", T::Number(bounds(Some(1.0), None)), true),
    ] {
        let wrong = path(p).check(Some(&body), &[matcher(test.clone())], &scope);
        assert_eq!(wrong.is_empty(), holds, "{p} {test:?}: {wrong:?}");
    }
}

#[test]
fn an_answer_collects_every_mismatch() {
    let answer = Answer {
        status: vec![StatusPattern::Exact(200), StatusPattern::Exact(204)],
        status_span: Span { start: 1, len: 2 },
        json: vec![(path("$.code"), vec![matcher(MatcherTest::Equals(value(json!("OK"))))])],
        text: vec![matcher(MatcherTest::Lacks { text: text("Agent error"), ignore_case: false })],
        headers: vec![(
            "Retry-After".to_owned(),
            vec![matcher(MatcherTest::Number(bounds(Some(1.0), None)))],
        )],
    };
    let scope = Fixed::new([]);
    let headers = [("retry-after".to_owned(), "15".to_owned())];
    let body = json!({ "code": "OK" });
    assert_eq!(answer.check(204, &headers, &body.to_string(), Some(&body), &scope), []);
    let wrong = answer.check(500, &[], "Agent error", None, &scope);
    let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "expected status 200 or 204, got 500",
            "expected a JSON body with $.code, got a body that is no JSON",
            "expected the body to be a text without \"Agent error\", got \"Agent error\"",
            "expected the header Retry-After to be a number of at least 1, got nothing there",
        ]
    );
}

#[test]
fn a_path_is_filled_in_before_it_looks() {
    let body = json!([{ "id": "a" }, { "id": "it's" }, { "id": "b\\\"c" }]);
    for (written, who, found) in [
        ("$[?@.id == '${who}'].id", json!("a"), Ok(json!(["a"]))),
        ("$[?@.id == '${who}'].id", json!("it's"), Ok(json!(["it's"]))),
        ("$[?@.id == \"${who}\"].id", json!("b\\\"c"), Ok(json!(["b\\\"c"]))),
        ("$[?@.id == '${who}'].id", json!("' || @.id != '"), Ok(json!([]))),
        ("$[${who}].id", json!(1), Ok(json!("it's"))),
        ("$[${who}].id", json!("x"), Err("no JSON path")),
        ("$[?@.id == '${nobody}'].id", json!("a"), Err("has no value")),
    ] {
        let path = JsonPath::of_template(text(written)).unwrap();
        let scope = Fixed::new([("who", who)]);
        match (path.resolve(&scope), found) {
            (Ok(path), Ok(wanted)) => assert_eq!(path.find(&body), Some(wanted), "{written}"),
            (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{written}: {error}"),
            (got, wanted) => panic!("{written}: {got:?}, wanted {wanted:?}"),
        }
    }
    let scope = Fixed::new([("who", json!("a"))]);
    let gone = [matcher(MatcherTest::Exists(false))];
    let path = JsonPath::of_template(text("$[?@.id == '${who}']")).unwrap();
    assert_eq!(path.check(Some(&body), &gone, &scope).len(), 1, "it is there");
    let lost = JsonPath::of_template(text("$[?@.id == '${nobody}']")).unwrap();
    assert_eq!(lost.check(Some(&body), &gone, &scope).len(), 1, "what has no value is not absent");
}
