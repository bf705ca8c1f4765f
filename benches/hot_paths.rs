//! What runs once a step, an exchange or a file: templates, matchers, the redactor, `check`, folding a log.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up may panic")]

use std::hint::black_box;
use std::process::Command;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lifecycle_harness::facade::redact::Redactor;
use lifecycle_harness::facade::scenario::template::{Scope, Template};
use lifecycle_harness::facade::scenario::{self, shipped, shipped_fragments};
use lifecycle_harness::facade::source::Span;
use serde_json::{Value, json};

struct Known;

impl Scope for Known {
    fn lookup(&self, path: &[String]) -> Option<Value> {
        (path.len() == 2).then(|| json!("a-value-of-some-length"))
    }

    fn random(&self) -> u64 {
        4
    }
}

fn templates(c: &mut Criterion) {
    let text = "/workspaces/${ws.id}/activity?since=${ws.cursor}&q=${urlencode(inputs.text)}";
    c.bench_function("template: parse", |b| {
        b.iter(|| Template::parse(black_box(text), Span::default()).unwrap())
    });
    let template = Template::parse(text, Span::default()).unwrap();
    c.bench_function("template: render", |b| b.iter(|| template.render(black_box(&Known)).unwrap()));
}

/// Checks as many files as 100 times one: the shipped ones, over and over.
fn check(c: &mut Criterion) {
    let (files, fragments) = (shipped(), shipped_fragments());
    let hundred: Vec<_> = files.iter().cycle().take(100).collect();
    c.bench_function("check: 100 files", |b| {
        b.iter(|| {
            for file in &hundred {
                black_box(scenario::load(file, &fragments));
            }
        })
    });
}

fn redaction(c: &mut Criterion) {
    let redactor = Redactor::new();
    for n in 0..20 {
        redactor.register(&format!("KEY_{n}"), &format!("secret-value-number-{n:04}-xyz"));
    }
    let clean = "a line of an agent's log without anything that must be hidden in it, ".repeat(150);
    let dirty = format!("{clean} and secret-value-number-0007-xyz {clean}");
    let mut group = c.benchmark_group("redactor");
    group.throughput(Throughput::Bytes(clean.len() as u64));
    group.bench_function("10 kB of clean text", |b| b.iter(|| redactor.text(black_box(&clean)).len()));
    group.throughput(Throughput::Bytes(dirty.len() as u64));
    group.bench_function("20 kB with one secret", |b| b.iter(|| redactor.text(black_box(&dirty)).len()));
    let row = json!({ "id": "7f", "name": "ws", "status": "online", "url": "http://localhost:1234", "secrets": { "A": 1 } });
    let rows = Value::Array(vec![row; 50]);
    group.bench_function("a list of 50 rows", |b| {
        b.iter_batched(
            || rows.clone(),
            |mut value| redactor.value(&mut value),
            criterion::BatchSize::SmallInput,
        )
    });
    group.finish();
}

fn folding(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let run = ["run", "-q", "@local", "--time-scale", "20"];
    // Red or green: it is the log that is wanted.
    Command::new(env!("CARGO_BIN_EXE_lifecycle")).args(run).current_dir(&dir).output().unwrap();
    let log = std::fs::read_dir(dir.path().join("runs")).unwrap().next().unwrap().unwrap().path();
    let size = std::fs::metadata(log.join("events.jsonl")).unwrap().len();
    let mut group = c.benchmark_group("log");
    group.sample_size(20).throughput(Throughput::Bytes(size));
    group.bench_function("fold a run", |b| {
        b.iter(|| lifecycle_harness::facade::report::fold(black_box(&log)).unwrap())
    });
    group.finish();
}

criterion_group!(benches, templates, check, redaction, folding);
criterion_main!(benches);
