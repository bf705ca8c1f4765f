use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use insta::assert_snapshot;

use super::sample::{FAILING, Sample, everything, failing, healthy};
use crate::domain::ExitCode;
use crate::event::{EventKind, Verdict};
use crate::output::{CiLog, Colour, Printer, Terminal, Verbosity};
use crate::report::block::{BlockLine, Size, failure_block, plain_text};
use crate::report::progress::{dump_lines, progress_lines};
use crate::report::summary::{one_red, summary_lines};
use crate::report::{Console, RunState, explain_brief, explain_head};

/// What the console says of a run.
fn said(sample: &Sample, verbosity: Verbosity, ci: CiLog, colour: Colour) -> String {
    let (printer, captured) = Printer::captured(verbosity, colour, true, Terminal::default());
    let mut console = Console::new(printer.for_ci_log(ci), ci, Path::new("runs/20260613-054100-k3v9"));
    let mut state = RunState::default();
    for event in &sample.events {
        state.apply(event);
        console.event(&state, event);
        console.flush().unwrap();
    }
    console.finish(&state).unwrap();
    assert_eq!(captured.stdout(), "");
    captured.stderr()
}

#[test]
fn plain_lines_of_a_healthy_run() {
    assert_snapshot!(said(&healthy(), Verbosity::Normal, CiLog::Plain, Colour::Never));
}

#[test]
fn plain_lines_of_everything() {
    assert_snapshot!(said(&everything(), Verbosity::Normal, CiLog::Plain, Colour::Never));
}

#[test]
fn verbose_shows_steps_and_exchanges() {
    assert_snapshot!(said(&healthy(), Verbosity::Verbose, CiLog::Plain, Colour::Never));
}

#[test]
fn quiet_shows_failures_and_the_summary() {
    let quiet = said(&everything(), Verbosity::Quiet, CiLog::Plain, Colour::Never);
    assert!(quiet.contains("CAUSE") && quiet.contains("exit 1:"), "{quiet}");
    for absent in ["PASS", "SKIP", "SLOW", "RUN "] {
        assert!(!quiet.lines().any(|l| l.contains(absent)), "{absent} in {quiet}");
    }
    let healthy = said(&healthy(), Verbosity::Quiet, CiLog::Plain, Colour::Never);
    assert_eq!(healthy.trim(), "", "green is silent");
}

#[test]
fn a_forge_gets_annotations_and_groups() {
    let text = said(&everything(), Verbosity::Normal, CiLog::Commands, Colour::Never);
    let commands: Vec<&str> = text.lines().filter(|l| l.starts_with("::")).collect();
    assert_snapshot!(commands.join("\n"));
    let groups = |what: &str| commands.iter().filter(|l| l.starts_with(what)).count();
    assert_eq!(groups("::group::"), groups("::endgroup::"));
}

#[test]
fn it_makes_sense_without_colour() {
    let plain = said(&everything(), Verbosity::Normal, CiLog::Plain, Colour::Never);
    let coloured = said(&everything(), Verbosity::Normal, CiLog::Plain, Colour::Always);
    assert!(coloured.contains('\u{1b}') && !plain.contains('\u{1b}'));
    assert_eq!(console::strip_ansi_codes(&coloured), plain);
}

/// Whatever writes to a person may fail at any moment: that is no error, and no panic, also not in a destructor.
#[test]
fn a_terminal_that_is_closed_at_any_write_ends_nothing() {
    let sample = everything();
    for (verbosity, ci) in [
        (Verbosity::Normal, false),
        (Verbosity::Normal, true),
        (Verbosity::Quiet, false),
        (Verbosity::Verbose, false),
    ] {
        for n in 0.. {
            let writes = Arc::new(AtomicUsize::new(n));
            let printer = Printer::closing(verbosity, ci, &writes);
            let mut console = Console::new(printer, CiLog::Plain, Path::new("runs/r1"));
            let mut state = RunState::default();
            for event in &sample.events {
                state.apply(event);
                console.event(&state, event);
                console.flush().unwrap();
                console.tick(&state, event.ms);
            }
            console.finish(&state).unwrap();
            drop(console);
            if writes.load(Ordering::Relaxed) > 0 {
                assert!(n > 2, "{verbosity:?} wrote nothing");
                break;
            }
        }
    }
}

fn block(sample: &Sample, scenario: &str, width: usize) -> String {
    sized(sample, scenario, Size::screen(width, None, false))
}

fn sized(sample: &Sample, scenario: &str, size: Size) -> String {
    let state = sample.state();
    plain_text(&failure_block(&state, &state.scenarios[scenario], "runs/r1", size))
}

#[test]
fn the_failure_block() {
    assert_snapshot!(block(&everything(), FAILING, 100));
}

#[test]
fn an_unclassified_failure_says_what_the_step_says() {
    assert_snapshot!(block(&everything(), "advisory-real-image", 100));
}

#[test]
fn huge_evidence_fits_a_screen_and_keeps_what_matters() {
    for width in [40, 60, 80, 100, 200] {
        let mut s = Sample::default();
        s.started().planned(|_| {}, &[FAILING]);
        failing(&mut s, FAILING, 10_000);
        let long = |i: usize| format!("{i} {}", "word ".repeat(200));
        for event in &mut s.events {
            match &mut event.event {
                EventKind::Diagnosed(d) => {
                    d.evidence = (0..50).map(long).collect();
                    d.rules_out = (0..50).map(long).collect();
                    d.fix_shape = long(0);
                    d.summary = long(0);
                }
                EventKind::StepFinished(f) => {
                    f.details = (0..50).map(long).collect();
                    f.message = long(0);
                }
                EventKind::StepWaiting(w) => w.last = long(1),
                _ => {}
            }
        }
        s.end(FAILING, Verdict::Failed, &long(3), |f| f.step = Some("4".into()));
        let block = block(&s, FAILING, width);
        assert!(block.lines().count() <= 22, "{} lines\n{block}", block.lines().count());
        for line in block.lines() {
            let copied = line.contains("fingerprint");
            assert!(copied || console::measure_text_width(line) <= width.clamp(80, 100), "{width}: {line}");
        }
        for part in ["CAUSE", "EVIDENCE", "SUGGESTED FIX", "fingerprint", "more lines", "lifecycle explain"] {
            assert!(block.contains(part), "{part} is missing in\n{block}");
        }
        assert!(block.contains("lifecycle run"), "{block}");
        // A terminal of 24 rows has the summary of one red and the prompt below it.
        let block = sized(&s, FAILING, Size::screen(width, Some(24), false));
        assert!(block.lines().count() <= 17, "{} lines\n{block}", block.lines().count());
        let whole = summary_lines(&s.state(), None, width);
        let mut summary = whole.clone();
        one_red(&mut summary, &s.state(), "runs/r1/events.jsonl", width);
        let red = |lines: &[BlockLine]| {
            let from = lines.iter().position(|line| line.label == "red").unwrap();
            1 + lines[from + 1..].iter().take_while(|line| line.label.is_empty()).count()
        };
        assert_eq!((red(&whole) > 1, red(&summary)), (true, 1), "{summary:#?}");
        for part in
            ["CAUSE", "EVIDENCE", "SUGGESTED FIX", "fingerprint", "lifecycle explain", "lifecycle run"]
        {
            assert!(block.contains(part), "{part} is missing in\n{block}");
        }
    }
}

/// What was red stands above: how it ended, and where the log is.
#[test]
fn of_one_red_alone_the_summary_is_a_line() {
    let mut s = Sample::default();
    s.started().planned(|_| {}, &[FAILING]);
    failing(&mut s, FAILING, 10);
    s.end(FAILING, Verdict::Failed, "why", |f| f.step = Some("4".into()));
    s.finish(ExitCode::Failed, "local-provision failed", &[]);
    let told = |log: &str, state: &RunState| {
        let mut lines = summary_lines(state, Some(log), 80);
        one_red(&mut lines, state, log, 80);
        lines.iter().map(|line| format!("{} {}", line.label, line.text).trim().to_owned()).collect::<Vec<_>>()
    };
    let state = s.state();
    let took = crate::report::text::brief(state.took_ms());
    let ended = format!("exit 1: 1 failed in {took}");
    assert_eq!(told("runs/r1/events.jsonl", &state), [format!("{ended}; log runs/r1/events.jsonl")]);
    let long = format!("runs/{}/events.jsonl", "r".repeat(60));
    assert_eq!(told(&long, &state), [ended, format!("log {long}")]);
    s.emit(EventKind::Warning { scenario: None, text: "odd".into() });
    assert!(told("log", &s.state()).iter().any(|line| line.contains("odd")));
}

const LONG: &str = "local-env-projection-anthropic-api[runtime=claude-code,llm_path=platform-managed]";

/// Whoever has to say which red is meant copies its fingerprint, its name, its place.
#[test]
fn what_is_printed_to_be_copied_is_never_wrapped_or_cut() {
    let mut s = everything();
    let fingerprint = format!("{LONG}/expect-env-of-ws/projection-missing/ANTHROPIC_BASE_URL");
    for event in &mut s.events {
        if let EventKind::Diagnosed(d) = &mut event.event {
            d.fingerprint.clone_from(&fingerprint);
        }
    }
    for width in [40, 80, 200] {
        let block = block(&s, FAILING, width);
        for whole in [fingerprint.as_str(), "scenarios/local-provision.yaml:6"] {
            assert!(block.lines().any(|line| line.contains(whole)), "{width}: {whole}\n{block}");
        }
        let more = block.lines().find(|line| line.contains("more lines")).unwrap();
        assert!(!more.contains("lifecycle"), "a command that may be cut: {more}");
    }
}

/// Many reds, most of them by one cause.
fn many(reds: usize) -> Sample {
    let name = |i: usize| format!("{}{i}", LONG.replace('[', &format!("-{i}[")));
    let names: Vec<String> = (0..reds).map(name).collect();
    let mut s = Sample::default();
    s.started().planned(|_| {}, &names.iter().map(String::as_str).collect::<Vec<_>>());
    for (i, name) in names.iter().enumerate() {
        failing(&mut s, name, 10);
        if let Some(EventKind::Diagnosed(d)) =
            s.events.iter_mut().rev().map(|e| &mut e.event).find(|e| matches!(e, EventKind::Diagnosed(_)))
            && i % 4 == 1
        {
            d.mechanism = format!("another-{}", i % 3);
        }
        s.end(name, Verdict::Failed, "wanted online", |f| f.step = Some("4".into()));
    }
    s
}

#[test]
fn many_reds_are_explained_on_one_screen() {
    for (reds, width) in [(1, 80), (2, 80), (2, 100), (29, 80), (29, 200), (400, 100)] {
        let state = many(reds).state();
        let all: Vec<_> = state.reds().collect();
        let text = explain_head(&state, width) + &explain_brief(&state, &all, "runs/r1", width);
        let text = console::strip_ansi_codes(&text).into_owned();
        // What is wider than the terminal goes on in its next row.
        let more = |line: &str| console::measure_text_width(line).saturating_sub(1) / width;
        let wrapped: usize = if reds == 1 { text.lines().map(more).sum() } else { 0 };
        let rows = text.lines().count() + wrapped;
        assert!(rows <= 24, "{reds} at {width}: {rows} rows\n{text}");
        for part in [
            "CAUSE",
            "SUGGESTED FIX",
            "fingerprint",
            "lifecycle run --like",
            "lifecycle explain runs/r1 --full",
        ] {
            assert!(text.contains(part), "{reds} at {width}: {part}\n{text}");
        }
        let named = text.lines().filter(|line| line.contains(" red by ")).count();
        assert_eq!(named > 0, reds > 1, "{text}");
        for word in
            text.split([' ', '\n']).filter(|word| word.contains("local-env") && !word.contains(".yaml"))
        {
            assert!(word.contains("platform-managed]"), "cut: {word}\n{text}");
        }
    }
}

/// One for each mechanism: that in which its fault is known to show.
#[test]
fn one_red_of_a_mechanism_is_made_again() {
    let mut s = everything();
    s.planned(|_| {}, &["a-copy", FAILING, "other"]);
    for (name, mechanism) in
        [("a-copy", "projection-missing"), (FAILING, "projection-missing"), ("other", "nobody-makes-it")]
    {
        failing(&mut s, name, 10);
        s.end(name, Verdict::Failed, "why", |_| {});
        for event in &mut s.events {
            if let EventKind::Diagnosed(d) = &mut event.event
                && d.scenario == name
            {
                d.mechanism = mechanism.into();
            }
        }
    }
    let state = s.state();
    let reds: Vec<_> =
        state.reds().filter(|red| ["a-copy", FAILING, "other"].contains(&red.name())).collect();
    let told = |all: bool| -> Vec<String> {
        let found = state.to_reproduce(&reds, all);
        found.iter().map(|one| format!("{} {} {}", one.mechanism, one.scenario.name(), one.reds)).collect()
    };
    let mut some = told(false);
    some.sort();
    assert_eq!(some, ["nobody-makes-it other 1", "projection-missing local-provision 2"]);
    assert_eq!(told(true).len(), 3);
}

/// A run in the middle: twelve scenarios, most of them waiting.
fn middle() -> RunState {
    let names: Vec<String> = (0..14).map(|i| format!("runtimes[runtime=codex-{i:02}]")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut s = Sample::default();
    s.started().planned(|_| {}, &names);
    for (i, name) in names.iter().enumerate().skip(1).take(12) {
        s.at(100 * i as u64).begin(name).step(name, "1");
    }
    s.at(2_000).end(names[3], Verdict::Passed, "", |_| {});
    s.end(names[4], Verdict::Failed, "", |_| {});
    s.step(names[1], "2").waiting(names[1], "2", "provisioning", 0, false);
    s.at(3_000).waiting(names[1], "2", "provisioning", 1_000, true);
    s.at(4_000).step(names[2], "4").waiting(
        names[2],
        "4",
        "a new instance that is degraded and whose list of reasons is long",
        0,
        false,
    );
    s.exchange(names[5], "1", 200);
    s.state()
}

#[test]
fn progress_is_capped_stable_and_fits() {
    let state = middle();
    assert_snapshot!(progress_lines(&state, 14_300, 100, 8).join("\n"));
    for width in [20, 40, 80] {
        let lines = progress_lines(&state, 14_300, width, 8);
        assert_eq!(lines.len(), 10);
        assert!(lines.iter().all(|l| console::measure_text_width(l) <= width), "{lines:#?}");
    }
}

#[test]
fn a_dump_says_what_everything_waits_for() {
    assert_snapshot!(dump_lines(&middle(), 14_300).join("\n"));
    assert_snapshot!(dump_lines(&healthy().state(), 2_000).join("\n"));
}
