use std::path::PathBuf;
use std::sync::Arc;

use insta::assert_snapshot;

use super::sample::{FAILING, Sample, everything, failing, healthy};
use crate::domain::ExitCode;
use crate::event::{EventKind, Log, RunFinished, Verdict};
use crate::output::{CiLog, Colour, Printer, Terminal, Verbosity};
use crate::redact::Redactor;
use crate::report::files::OpenFiles;
use crate::report::{FileKind, ReportError, ReporterConfig, Reporters, fold, open, write_all};

#[test]
fn junit() {
    let text = FileKind::Junit.render(&everything().state()).unwrap();
    assert_snapshot!(text);
    let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (8, 1, 0));
}

/// No tests and no failures would look like no trouble.
#[test]
fn a_run_without_scenarios_is_an_error_in_junit() {
    let mut s = Sample::default();
    s.started();
    let counts = |s: &Sample| {
        let text = FileKind::Junit.render(&s.state()).unwrap();
        let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
        (report.tests, report.errors, text)
    };
    let (tests, errors, text) = counts(&s);
    assert_eq!((tests, errors), (1, 1), "{text}");
    let mut finished = RunFinished {
        exit: ExitCode::Environment,
        code: 3,
        reason: "the target was not reached".into(),
        counts: std::collections::BTreeMap::new(),
        advisory_reds: 0,
        left: Vec::new(),
        took_ms: 1,
    };
    s.emit(EventKind::RunFinished(finished.clone()));
    let (tests, errors, text) = counts(&s);
    assert_eq!((tests, errors), (1, 1), "{text}");
    assert!(text.contains("the target was not reached"), "{text}");
    (finished.exit, finished.code) = (ExitCode::Passed, 0);
    s.emit(EventKind::RunFinished(finished));
    assert_eq!(counts(&s).0, 0);
}

#[test]
fn json() {
    let text = FileKind::Json.render(&everything().state()).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    assert_snapshot!(text);
}

#[test]
fn markdown() {
    assert_snapshot!(FileKind::Markdown.render(&everything().state()).unwrap());
}

#[test]
fn html_escapes_everything_and_needs_no_network() {
    let text = FileKind::Html.render(&everything().state()).unwrap();
    assert_eq!(text.matches("<script").count(), 1, "foreign markup");
    assert!(text.contains("&lt;script&gt;"));
    for remote in ["src=", "href=\"http", "@import", "url(", "http-equiv=\"refresh"] {
        assert!(!text.contains(remote), "{remote}");
    }
    assert_snapshot!(text);
}

/// The script runs by its hash and nothing else does.
#[test]
fn the_script_of_the_page_is_the_one_that_its_policy_names() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let text = FileKind::Html.render(&everything().state()).unwrap();
    let script = text.split("<script>").nth(1).unwrap().split("</script>").next().unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(script));
    assert!(text.contains(&format!("script-src 'sha256-{hash}'\"")));
    assert!(!text.contains(" onclick=") && !text.contains("javascript:"));
}

/// A thousand scenarios with sixteen reds of one cause.
fn thousand() -> Sample {
    let names: Vec<String> = (0..1_000).map(|n| format!("runtimes[version=v{n}]")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut s = Sample::default();
    s.started().planned(|_| {}, &names);
    for (n, name) in names.iter().enumerate() {
        if n % 63 == 1 {
            failing(&mut s, name, 60);
            s.end(name, Verdict::Failed, "wanted status online within 20 s", |f| f.step = Some("4".into()));
        } else {
            s.begin(name);
            for step in ["1", "2", "3", "4"] {
                s.step(name, step).end_step(name, step, crate::event::StepOutcome::Passed, "", 7);
            }
            s.end(name, Verdict::Passed, "", |_| {});
        }
    }
    s.finish(ExitCode::Failed, "16 reds, 1 cause", &[]);
    s
}

#[test]
fn a_thousand_scenarios_with_one_cause_are_a_file_that_can_be_opened() {
    let state = thousand().state();
    assert_eq!(state.causes_line(), "16 reds, 1 cause");
    let html = FileKind::Html.render(&state).unwrap();
    assert!(html.len() <= 3 << 20, "{} bytes", html.len());
    let markdown = FileKind::Markdown.render(&state).unwrap();
    assert!(markdown.len() <= 200 << 10, "{} bytes", markdown.len());
    assert_eq!(markdown.matches("<details open>").count(), 1);
    if let Some(folder) = super::sample::switch("LIFECYCLE_SAMPLE_PAGES") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(format!("{folder}/thousand.html"), html).unwrap();
        let everything = FileKind::Html.render(&everything().state()).unwrap();
        std::fs::write(format!("{folder}/everything.html"), everything).unwrap();
    }
}

/// What Jenkins' schema (junit-10) allows of the elements and attributes that we write, kept as a table.
#[test]
fn junit_is_valid_by_the_table_of_jenkins_schema() {
    let table = include_str!("../../../fixtures/junit-10.txt");
    let rules: Vec<(&str, Vec<&str>, Vec<&str>)> = table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let mut parts = line.split(':').map(|part| part.split_whitespace().collect::<Vec<_>>());
            (parts.next().unwrap()[0], parts.next().unwrap(), parts.next().unwrap())
        })
        .collect();
    for state in [everything().state(), healthy().state(), Sample::default().state(), thousand().state()] {
        let text = FileKind::Junit.render(&state).unwrap();
        let mut reader = quick_xml::Reader::from_str(&text);
        let mut open: Vec<String> = Vec::new();
        loop {
            let (start, empty) = match reader.read_event().unwrap() {
                quick_xml::events::Event::Start(start) => (start, false),
                quick_xml::events::Event::Empty(start) => (start, true),
                quick_xml::events::Event::End(_) => {
                    open.pop();
                    continue;
                }
                quick_xml::events::Event::Eof => break,
                _ => continue,
            };
            let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
            let (_, attributes, _) =
                rules.iter().find(|(rule, ..)| *rule == name).unwrap_or_else(|| panic!("no element {name}"));
            match open.last() {
                None => assert_eq!(name, "testsuites"),
                Some(outer) => {
                    let (.., children) = rules.iter().find(|(rule, ..)| rule == outer).unwrap();
                    assert!(children.contains(&name.as_str()), "{name} in {outer}");
                }
            }
            let mut there = Vec::new();
            for attribute in start.attributes() {
                let attribute = attribute.unwrap();
                let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
                let known = attributes.iter().any(|a| a.trim_end_matches(['!', '#']) == key);
                assert!(known, "{key} of {name}");
                if attributes.contains(&format!("{key}#").as_str()) {
                    let value = String::from_utf8(attribute.value.to_vec()).unwrap();
                    assert!(value.parse::<f64>().is_ok_and(|n| n >= 0.0), "{key}={value} of {name}");
                }
                there.push(key);
            }
            for needed in attributes.iter().filter_map(|a| a.strip_suffix('!')) {
                assert!(there.iter().any(|key| key == needed), "{name} has no {needed}");
            }
            if !empty {
                open.push(name);
            }
        }
    }
}

#[test]
fn outputs_and_metrics_are_lines_that_others_read() {
    let state = everything().state();
    assert_snapshot!(FileKind::StepOutputs.render(&state).unwrap());
    assert_snapshot!(FileKind::Metrics.render(&state).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let metrics = folder.path().join("lifecycle.prom");
    std::fs::write(&metrics, "of the run before\n").unwrap();
    let files = open(&[(FileKind::Metrics, metrics.clone())]).unwrap();
    assert_eq!(std::fs::read_to_string(&metrics).unwrap(), "of the run before\n");
    files.write(&state).unwrap();
    assert!(std::fs::read_to_string(&metrics).unwrap().starts_with("# HELP lifecycle_exit_code"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn markdown_stays_below_the_forge_limit() {
    let mut s = super::sample::Sample::default();
    s.started();
    for i in 0..3_000 {
        let name = format!("red-{i}-{}", "n".repeat(200));
        s.begin(&name).end(&name, Verdict::Failed, &"why ".repeat(100), |_| {});
    }
    let text = FileKind::Markdown.render(&s.state()).unwrap();
    assert!(text.len() <= 900 << 10, "{}", text.len());
    assert!(text.contains("more rows") && text.contains("1 cause"));
    assert!(text.contains("<summary>run</summary>"));
}

#[test]
fn one_huge_failure_leaves_room_for_the_others() {
    let mut s = super::sample::Sample::default();
    s.started().planned(|_| {}, &[FAILING]);
    failing(&mut s, FAILING, 2_000);
    s.end(FAILING, Verdict::Failed, "", |_| {});
    let text = FileKind::Markdown.render(&s.state()).unwrap();
    assert!(text.len() < 160 << 10, "{}", text.len());
    assert!(text.contains("CAUSE"));
}

#[test]
fn a_bad_path_fails_before_the_run_and_says_which() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let bad = folder.path().join("file/junit.xml");
    let error = open(&[(FileKind::Junit, bad)]).unwrap_err().to_string();
    assert!(error.contains("cannot make the folder") && error.contains("file"), "{error}");
    let error = open(&[(FileKind::Json, folder.path().to_owned())]).unwrap_err().to_string();
    assert!(error.starts_with("cannot open"), "{error}");
}

#[test]
fn a_job_summary_is_appended_to_and_reports_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("deep/summary.md");
    let json = folder.path().join("report.json");
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    std::fs::write(&summary, "from another step\n").unwrap();
    std::fs::write(&json, "old".repeat(100_000)).unwrap();
    let files = open(&[(FileKind::StepSummary, summary.clone()), (FileKind::Json, json.clone())]).unwrap();
    assert_eq!(std::fs::read_to_string(&json).unwrap(), "", "an old report is not taken for a new one");
    files.write(&healthy().state()).unwrap();
    assert!(std::fs::read_to_string(&summary).unwrap().starts_with("from another step\n## lifecycle"));
    assert!(std::fs::read_to_string(&json).unwrap().starts_with('{'));
}

/// Plays a sample through a real log with live reporters; gives the folder.
async fn live(files: OpenFiles, folder: &std::path::Path) -> Result<String, ReportError> {
    let log = Log::create(folder, Redactor::new()).unwrap();
    let (printer, captured) = Printer::captured(Verbosity::Normal, Colour::Never, true, Terminal::default());
    let config = ReporterConfig {
        printer,
        ci: CiLog::Plain,
        workspace: crate::report::Workspace::default(),
        run_folder: PathBuf::from("runs/r1"),
        files,
    };
    let handle = Reporters::spawn(&log, config);
    for event in everything().events {
        log.emit(event.event);
    }
    log.close();
    handle.finish().await.map(|_| captured.stderr())
}

#[tokio::test]
async fn live_reports_are_rebuilt_byte_for_byte_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<_> = FileKind::ALL.iter().map(|k| (*k, folder.path().join(k.file_name()))).collect();
    let said = live(open(&paths).unwrap(), folder.path()).await.unwrap();
    assert!(said.contains("exit 1:"), "{said}");
    let again = folder.path().join("again");
    write_all(&fold(folder.path()).unwrap(), &again, &FileKind::ALL).unwrap();
    for (kind, path) in paths {
        let (live, rebuilt) =
            (std::fs::read(&path).unwrap(), std::fs::read(again.join(kind.file_name())).unwrap());
        assert!(!live.is_empty());
        assert_eq!(live, rebuilt, "{kind:?}");
    }
}

#[tokio::test]
async fn the_first_error_is_kept_and_the_others_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let paths = [(FileKind::Junit, PathBuf::from("/dev/full")), (FileKind::Json, json.clone())];
    let error = live(open(&paths).unwrap(), folder.path()).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot write /dev/full: No space left"), "{error}");
    assert!(std::fs::read_to_string(json).unwrap().ends_with("}\n"));
}

#[tokio::test]
async fn reporters_share_events_without_copies() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), Redactor::new()).unwrap();
    let (mut one, mut two) = (log.listen(), log.listen());
    log.emit(EventKind::DumpRequested);
    assert!(Arc::ptr_eq(&one.recv().await.unwrap(), &two.recv().await.unwrap()));
}
