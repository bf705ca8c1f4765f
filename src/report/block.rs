//! The failure block: why a scenario is red, on one screen, and what to type next.
//!
//! The same block goes, cut to a screen, to the console and, whole, into every file report.

use super::commands::next_steps;
use super::scenario_state::{KeptEvidence, KeptPart, ScenarioState, StepState};
use super::state::RunState;
use super::text::{brief, clean, count, cut, fill, wrap};
use super::timeline::timeline_text;
use crate::event::{Diagnosis, Verdict};

/// Columns of the labels on the left.
const LABEL: usize = 11;
/// The margin before the labels.
const MARGIN: usize = 2;

/// How a line is meant, for those who colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The first line of something bad.
    Title,
    /// The first line of something good.
    Good,
    /// An ordinary line.
    Plain,
    /// What decides: mechanism, evidence, fix.
    Strong,
    /// Of less importance.
    Dim,
    /// Something to type.
    Command,
}

/// A line of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockLine {
    /// Stands on the left; empty where the label above goes on.
    pub label: String,
    /// The text.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

impl BlockLine {
    /// Without colour.
    pub fn plain(&self) -> String {
        match self.tone {
            Tone::Title | Tone::Good => self.text.clone(),
            _ => format!("{}{} {}", " ".repeat(MARGIN), fill(&self.label, LABEL), self.text)
                .trim_end()
                .to_owned(),
        }
    }

    /// With colour.
    pub fn coloured(&self) -> String {
        use owo_colors::OwoColorize;
        let label = fill(&self.label, LABEL);
        let margin = " ".repeat(MARGIN);
        match self.tone {
            Tone::Title => self.text.red().bold().to_string(),
            Tone::Good => self.text.green().bold().to_string(),
            Tone::Plain => format!("{margin}{} {}", label.dimmed(), self.text.trim_end()),
            Tone::Strong => format!("{margin}{} {}", label.bold().yellow(), self.text),
            Tone::Dim => format!("{margin}{} {}", label.dimmed(), self.text.dimmed()),
            Tone::Command => format!("{margin}{} {}", label.dimmed(), self.text.cyan()),
        }
    }
}

/// How large a block may be.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Columns; commands may be wider rather than cut.
    pub width: usize,
    /// Lines; `None`: everything.
    pub lines: Option<usize>,
}

impl Size {
    /// What a screen shows.
    pub fn screen(width: usize) -> Self {
        Size { width: width.min(100), lines: Some(40) }
    }

    /// Everything, for files.
    pub const WHOLE: Size = Size { width: 120, lines: None };
}

/// The block of one scenario. `run` is the run's folder as a person would type it.
pub fn failure_block(state: &RunState, scenario: &ScenarioState, run: &str, size: Size) -> Vec<BlockLine> {
    let mut block = Builder { lines: Vec::new(), width: size.width.max(40), whole: size.lines.is_none() };
    let step = scenario.decisive_step();
    block.title(scenario, step);
    block.what_happened(state, scenario, step);
    block.timelines(state, scenario);
    if let Some(step) = step {
        block.wait(step);
    }
    match &scenario.diagnosis {
        Some(diagnosis) => block.diagnosis(diagnosis),
        None => block.text("MECHANISM", "not diagnosed", 1, Tone::Strong),
    }
    if let Some(known) = scenario.known() {
        block.text("known", known, 1, Tone::Plain);
    } else if scenario.is_new() {
        block.text("new", "no earlier run had this red", 1, Tone::Strong);
    }
    let next = block.next_steps(state, scenario, run);
    let evidence = scenario.decisive_evidence();
    let room = size.lines.map_or(usize::MAX, |max| max.saturating_sub(block.lines.len() + next.len()));
    if let Some(evidence) = evidence {
        block.evidence(evidence, room);
    }
    block.lines.extend(next);
    block.lines
}

/// A block as text without colour.
pub fn plain_text(block: &[BlockLine]) -> String {
    block.iter().map(|line| line.plain() + "\n").collect()
}

struct Builder {
    lines: Vec<BlockLine>,
    width: usize,
    whole: bool,
}

impl Builder {
    fn columns(&self) -> usize {
        self.width.saturating_sub(MARGIN + LABEL + 1).max(20)
    }

    fn line(&mut self, label: &str, text: String, tone: Tone) {
        self.lines.push(BlockLine { label: label.to_owned(), text, tone });
    }

    /// Wrapped text under one label, at most so many lines on a screen.
    fn text(&mut self, label: &str, text: &str, max: usize, tone: Tone) {
        let max = if self.whole { usize::MAX } else { max };
        for (i, line) in wrap(&clean(text), self.columns(), max).into_iter().enumerate() {
            self.line(if i == 0 { label } else { "" }, line, tone);
        }
    }

    /// A list under one label, an item a line, at most so many on a screen.
    fn list(&mut self, label: &str, items: &[String], max: usize, tone: Tone) {
        let shown = if self.whole || items.len() <= max { items.len() } else { max - 1 };
        let columns = self.columns();
        for (i, item) in items.iter().take(shown).enumerate() {
            let label = if i == 0 { label } else { "" };
            if self.whole {
                for (j, line) in wrap(&clean(item), columns, usize::MAX).into_iter().enumerate() {
                    self.line(if j == 0 { label } else { "" }, line, tone);
                }
            } else {
                self.line(label, cut(&clean(item), columns), tone);
            }
        }
        if shown < items.len() {
            self.line("", format!("… {} more in report", items.len() - shown), Tone::Dim);
        }
    }

    /// A list under one label whose items may take two lines each, at most so many lines on a screen.
    fn quoted(&mut self, label: &str, items: &[String], max: usize, tone: Tone) {
        let (each, max) = if self.whole { (usize::MAX, usize::MAX) } else { (2, max) };
        let columns = self.columns();
        let mut used = 0;
        for (i, item) in items.iter().enumerate() {
            let lines = wrap(&clean(item), columns, each);
            // The last line is kept for the count, unless this is the last item.
            let room = if i + 1 == items.len() { max } else { max.saturating_sub(1) };
            if used + lines.len() > room {
                self.line("", format!("… {} more in report", items.len() - i), Tone::Dim);
                return;
            }
            for line in lines {
                self.line(if used == 0 { label } else { "" }, line, tone);
                used += 1;
            }
        }
    }

    fn title(&mut self, scenario: &ScenarioState, step: Option<&StepState>) {
        let verdict = scenario.verdict().unwrap_or(Verdict::Failed);
        let advisory = if scenario.is_advisory() { " (advisory)" } else { "" };
        let mut title = format!("✗ {}{advisory}  {}", verdict.as_str().to_uppercase(), scenario.name());
        if let Some(step) = step {
            title.push_str(&format!(" › step {} {}", scenario.position(&step.step), step.title()));
        }
        let place = scenario.place(step);
        let (title, place) = (clean(&title), clean(&place));
        let together = format!("{title}  {place}");
        if console::measure_text_width(&together) <= self.width {
            self.line("", together, Tone::Title);
        } else {
            self.line("", cut(&title, self.width), Tone::Title);
            self.line("at", cut(&place, self.columns()), Tone::Dim);
        }
    }

    fn what_happened(&mut self, state: &RunState, scenario: &ScenarioState, step: Option<&StepState>) {
        if let Some(step) = step
            && let Some(source) = state.source_line(scenario.file_of(step), step.line)
        {
            let text = format!("{} | {}", step.line, clean(source).trim());
            self.line("step", cut(&text, self.columns()), Tone::Dim);
        }
        let result = step.and_then(|s| s.result.as_ref());
        let message = result.map_or("", |r| r.message.as_str());
        let reason = scenario.reason();
        if !reason.is_empty() && reason != message {
            self.text("why", reason, 1, Tone::Plain);
        }
        if !message.is_empty() {
            self.text(if reason == message { "why" } else { "" }, message, 2, Tone::Plain);
        }
        if let Some(waiting) = step.and_then(|s| s.waiting.as_ref()) {
            let told = |text: &str| !text.is_empty() && message.contains(text);
            if !waiting.wants.is_empty() && !told(&waiting.wants) {
                self.text("wanted", &waiting.wants, 1, Tone::Plain);
            }
            if !waiting.last.is_empty() && !told(&waiting.last) {
                self.text("saw", &waiting.last, 1, Tone::Plain);
            }
        }
        if let Some(result) = result {
            // Evidence of a named mechanism says the same and more.
            let named = scenario.diagnosis.as_ref().is_some_and(|d| d.mechanism != "unclassified");
            self.list("", &result.details, if named { 2 } else { 4 }, Tone::Plain);
        }
        if let Some(expected) = &scenario.plan.expects_failure {
            let text = format!("{} until {}: {}", expected.issue, expected.until, expected.reason);
            self.text("expected", &text, 1, Tone::Plain);
        }
    }

    fn timelines(&mut self, state: &RunState, scenario: &ScenarioState) {
        let timelines = state.timelines(scenario, scenario.failed_ms());
        let texts: Vec<String> =
            timelines.iter().map(|(name, seen)| format!("{name}: {}", timeline_text(seen))).collect();
        match texts.as_slice() {
            [one] => self.tail("timeline", one, 2),
            many => self.list("timeline", many, 3, Tone::Plain),
        }
    }

    /// Wrapped text whose end matters most: what does not fit is cut from its beginning.
    fn tail(&mut self, label: &str, text: &str, max: usize) {
        let mut lines = wrap(&clean(text), self.columns(), usize::MAX);
        if !self.whole && lines.len() > max {
            lines.drain(..lines.len() - max);
            if let Some(first) = lines.first_mut() {
                *first = cut(&format!("… {first}"), self.columns());
            }
        }
        for (i, line) in lines.into_iter().enumerate() {
            self.line(if i == 0 { label } else { "" }, line, Tone::Plain);
        }
    }

    fn wait(&mut self, step: &StepState) {
        let Some(stats) = step.wait_stats() else { return };
        let mut text = format!(
            "{}, {} failed, longest gap {}",
            count(stats.polls, "look"),
            stats.errors,
            brief(stats.longest_gap_ms)
        );
        if stats.woken > 0 {
            text.push_str(&format!(", woken {} by events", count(stats.woken, "time")));
        }
        if let Some(error) = &stats.last_error {
            text.push_str(&format!("; last error: {error}"));
        }
        self.text("looks", &text, 1, Tone::Plain);
    }

    fn diagnosis(&mut self, diagnosis: &Diagnosis) {
        // A narrow terminal wraps everything: what is quoted must not push the commands off the screen.
        let roomy = self.columns() >= 80;
        let class = super::class_name(diagnosis.class);
        let unclassified = diagnosis.mechanism == "unclassified";
        let name = if unclassified { String::new() } else { format!(" ({class})") };
        let mut text = format!("{}{name}", diagnosis.mechanism);
        if !diagnosis.summary.is_empty() {
            text.push_str(&format!(": {}", diagnosis.summary));
        }
        self.text("MECHANISM", &text, 3, Tone::Strong);
        if unclassified {
            self.quoted("nearest", &diagnosis.nearest, if roomy { 6 } else { 3 }, Tone::Plain);
        }
        self.quoted("EVIDENCE", &diagnosis.evidence, if roomy { 7 } else { 4 }, Tone::Strong);
        if !diagnosis.rules_out.is_empty() {
            self.text("rules out", &diagnosis.rules_out.join("; "), if roomy { 2 } else { 1 }, Tone::Plain);
        }
        if !diagnosis.fix_shape.is_empty() {
            self.text("FIX SHAPE", &diagnosis.fix_shape, 3, Tone::Strong);
        }
        let mut who = Vec::new();
        if let Some(issue) = &diagnosis.issue {
            who.push(format!("known issue {issue}"));
        }
        if !diagnosis.part.is_empty() {
            who.push(format!("responsible: {}", diagnosis.part));
        }
        if !who.is_empty() {
            self.text("", &who.join("; "), if roomy { 2 } else { 1 }, Tone::Plain);
        }
        // What a `--known` file calls it.
        if !unclassified && roomy {
            self.text("fingerprint", &diagnosis.fingerprint, 1, Tone::Dim);
        }
    }

    /// The parts' short lines in at most `room` lines: every part gets one before any gets more.
    fn evidence(&mut self, evidence: &KeptEvidence, room: usize) {
        let all: Vec<Vec<(String, Tone)>> = evidence.parts.iter().map(part_lines).collect();
        let total: usize = all.iter().map(Vec::len).sum();
        let mut shares: Vec<usize> = all.iter().map(|lines| lines.len().min(1)).collect();
        let mut left = if total <= room { room } else { room.saturating_sub(1) };
        let first: usize = shares.iter().sum();
        if first > left {
            for share in shares.iter_mut().skip(left) {
                *share = 0;
            }
        }
        left = left.saturating_sub(shares.iter().sum());
        while left > 0 && shares.iter().zip(&all).any(|(share, lines)| *share < lines.len()) {
            for (share, lines) in shares.iter_mut().zip(&all) {
                if left > 0 && *share < lines.len() {
                    *share += 1;
                    left -= 1;
                }
            }
        }
        let columns = self.columns();
        for ((part, lines), share) in evidence.parts.iter().zip(&all).zip(&shares) {
            for (i, (text, tone)) in lines.iter().take(*share).enumerate() {
                let label = if i == 0 { part.name.as_str() } else { "" };
                let text = if self.whole { text.clone() } else { cut(text, columns) };
                self.line(label, text, *tone);
            }
        }
        let hidden = total - shares.iter().sum::<usize>();
        if hidden > 0 && room > 0 {
            self.line("", format!("… {hidden} more in report"), Tone::Dim);
        }
    }

    fn next_steps(&self, state: &RunState, scenario: &ScenarioState, run: &str) -> Vec<BlockLine> {
        let mut lines = Vec::new();
        for command in next_steps(state, scenario, run) {
            // A terminal that is narrower wraps them itself: that can still be copied.
            for text in command.lines(self.columns().max(72)) {
                let label = if lines.is_empty() { "next" } else { "" };
                lines.push(BlockLine { label: label.to_owned(), text: clean(&text), tone: Tone::Command });
            }
        }
        lines
    }
}

fn part_lines(part: &KeptPart) -> Vec<(String, Tone)> {
    let neighbours = part.name == "neighbours";
    let mut lines: Vec<(String, Tone)> = part
        .lines
        .iter()
        .map(|line| {
            let line = clean(line);
            let tone = if neighbours { Tone::Dim } else { Tone::Plain };
            (if neighbours { format!("not the target: {line}") } else { line }, tone)
        })
        .collect();
    if part.more_lines > 0 {
        lines.push((format!("… {} more in the log", part.more_lines), Tone::Dim));
    }
    if let Some(error) = &part.error {
        lines.push((format!("could not be had: {}", clean(error)), Tone::Dim));
    }
    lines
}
