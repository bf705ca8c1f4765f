//! Loading as a whole.

use super::*;

fn show(source: &str) -> String {
    let loaded = load(&SourceFile::new("a.yaml", source), &Fragments::default());
    loaded.problems.iter().map(|p| p.draw(false, 100)).collect()
}

#[test]
fn the_first_scenario_loads() {
    let source = SourceFile::new("p.yaml", include_str!("../../scenarios/local/provision.yaml"));
    let loaded = load(&source, &Fragments::default());
    let problems: Vec<String> = loaded.problems.iter().map(Problem::line).collect();
    assert_eq!(problems, Vec::<String>::new());
    let scenario = loaded.scenario.unwrap();
    assert_eq!(scenario.steps.len(), 9);
    assert_eq!(scenario.steps[1].name, "await ws online");
    assert_eq!(&source.text[scenario.steps[3].span.start..][..scenario.steps[3].span.len], "restart");
}

#[test]
fn every_mistake_is_reported_at_once() {
    println!(
        "{}",
        show(
            "
scenario: Bad Name
summary: x
tags: [ok]
needs: [managd]
inputs: {a: {default: soon, type: duration}, b: {defalt: 1, env: [x]}}
steps:
  - craete: {as: ws}
  - create: {as: ws, runtme: x, tier: nine, secrets: [a]}
  - await: {workspace: w, status: onlin, within: 90x}
    timeout: 5s
  - restart: ws
    pause: ws
  - http: {path: workspaces, expect: {status: 2000, json: {status: online, $.a: {contans: x}}}}
  - org: {}
  - a2a: {to: ws, say: hi, reply: {contains: \"${ws.idd} ${inputs.c} ${later}\"}}
  - http: {path: /x, capture: {later: $.x}}
  - name: nothing
  - word
"
        )
    );
}
