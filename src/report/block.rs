//! The failure block: why a scenario is red, on one screen, and what to type next.
//!
//! The cause, its evidence, the suggested fix, the fingerprint and the commands come first and are never cut; what else
//! is known fills the screen. The same block goes, whole, into every file report.

use super::commands::next_steps;
use super::scenario_state::{KeptEvidence, KeptPart, ScenarioState, StepState};
use super::state::RunState;
use super::text::{brief, clean, count, cut, fill, short, wrap};
use super::timeline::timeline_text;
use crate::event::{Diagnosis, StepOutcome, UNCLASSIFIED, Verdict, WaitStats};

/// Columns of the labels on the left.
const LABEL: usize = 13;
/// A block of fewer lines has no room for cause, evidence, fix and commands.
const SMALLEST: usize = 15;
/// The margin before the labels.
const MARGIN: usize = 2;

/// How a line is meant, for those who colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
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
    /// Something to copy: never wrapped or cut.
    Copy,
}

/// A line of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockLine {
    /// Stands on the left; empty where the label above goes on.
    pub label: String,
    /// The text.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

impl BlockLine {
    /// The rows that what is never wrapped takes on a terminal beyond its own.
    fn more_rows(&self, terminal: usize) -> usize {
        if !matches!(self.tone, Tone::Title | Tone::Copy | Tone::Command) {
            return 0;
        }
        console::measure_text_width(&self.plain()).saturating_sub(1) / terminal.max(1)
    }

    /// Without colour.
    pub(crate) fn plain(&self) -> String {
        match self.tone {
            Tone::Title | Tone::Good => self.text.clone(),
            _ => format!("{}{} {}", " ".repeat(MARGIN), fill(&self.label, LABEL), self.text)
                .trim_end()
                .to_owned(),
        }
    }

    /// With colour.
    pub(crate) fn coloured(&self) -> String {
        use owo_colors::OwoColorize;
        let label = fill(&self.label, LABEL);
        let margin = " ".repeat(MARGIN);
        match self.tone {
            Tone::Title => self.text.red().bold().to_string(),
            Tone::Good => self.text.green().bold().to_string(),
            Tone::Plain => format!("{margin}{} {}", label.dimmed(), self.text.trim_end()),
            Tone::Strong => format!("{margin}{} {}", label.bold().yellow(), self.text),
            Tone::Dim | Tone::Copy => format!("{margin}{} {}", label.dimmed(), self.text.dimmed()),
            Tone::Command => format!("{margin}{} {}", label.dimmed(), self.text.cyan()),
        }
    }
}

/// How large a block may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Columns; commands may be wider rather than cut.
    pub width: usize,
    /// Columns of the terminal, where what is wider goes on in the next row.
    pub terminal: usize,
    /// Lines of a screen; `None`: everything.
    pub lines: Option<usize>,
    /// `explain` shows it: what is left out is behind `--full`.
    pub explained: bool,
}

impl Size {
    /// What a screen shows, with the summary of a run of one red below it: 24 rows where nobody knows how many. Of a run
    /// that was this scenario alone, the summary is a line or two.
    pub(crate) fn screen(width: usize, rows: Option<usize>, alone: bool) -> Self {
        let summary = if alone { 4 } else { 7 };
        let lines = rows.map_or(22, |rows| rows.saturating_sub(summary).clamp(15, 22));
        Size { width: width.min(100), terminal: width, lines: Some(lines), explained: false }
    }

    /// Everything, for files.
    pub(crate) const WHOLE: Size = Size { width: 120, terminal: 120, lines: None, explained: false };
}

/// The block of one scenario. `run` is the run's folder as a person would type it.
pub(crate) fn failure_block(
    state: &RunState,
    scenario: &ScenarioState,
    run: &str,
    size: Size,
) -> Vec<BlockLine> {
    let block = built(state, scenario, run, size);
    let wrapped: usize = block.iter().map(|line| line.more_rows(size.terminal)).sum();
    match size.lines {
        Some(max) if wrapped > 0 => built(
            state,
            scenario,
            run,
            Size { lines: Some(max.saturating_sub(wrapped).max(SMALLEST.min(max))), ..size },
        ),
        _ => block,
    }
}

fn built(state: &RunState, scenario: &ScenarioState, run: &str, size: Size) -> Vec<BlockLine> {
    let mut block = Builder {
        lines: Vec::new(),
        width: size.width.max(80),
        whole: size.lines.is_none(),
        max: size.lines,
        hidden: 0,
    };
    let step = scenario.decisive_step();
    block.title(scenario, step);
    let next = block.next_steps(state, scenario, run, size.explained);
    match &scenario.diagnosis {
        Some(diagnosis) if diagnosis.mechanism != UNCLASSIFIED => {
            block.diagnosis(diagnosis, scenario, step, next.len());
            block.make_room(next.len());
            block.lines.extend(next);
            block.why(scenario, step, diagnosis);
        }
        _ => {
            // What the step says is all that is known: nothing hides it.
            block.message(scenario, step, Tone::Strong);
            block.text("CAUSE", "not known: no mechanism of the catalogue explains it", 2, Tone::Plain);
            block.standing(scenario);
            block.lines.extend(next);
        }
    }
    block.limit(scenario, step);
    block.timelines(state, scenario);
    if let Some(step) = step {
        block.polls(step);
    }
    block.source(state, scenario, step);
    if let Some(diagnosis) = &scenario.diagnosis {
        block.list("not the cause", &diagnosis.rules_out, 2, Tone::Plain);
        if block.whole {
            block.list("nearest", &diagnosis.nearest, usize::MAX, Tone::Plain);
        }
    }
    if let Some(evidence) = scenario.decisive_evidence() {
        let room = size.lines.map_or(usize::MAX, |max| max.saturating_sub(block.lines.len()));
        block.evidence(evidence, room);
    }
    block.fit(size.explained);
    block.lines
}

/// A block as text without colour.
pub(crate) fn plain_text(block: &[BlockLine]) -> String {
    block.iter().map(|line| line.plain() + "\n").collect()
}

struct Builder {
    lines: Vec<BlockLine>,
    width: usize,
    whole: bool,
    max: Option<usize>,
    /// Lines of evidence that were left out.
    hidden: usize,
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

    /// A list under one label; each item is wrapped, and all of them take at most so many lines on a screen.
    fn list(&mut self, label: &str, items: &[String], max: usize, tone: Tone) {
        let max = if self.whole { usize::MAX } else { max };
        let columns = self.columns();
        let mut used = 0;
        for (i, item) in items.iter().enumerate() {
            let lines = wrap(&clean(item), columns, max);
            // The last line is kept for the count, unless this is the last item.
            let room = if i + 1 == items.len() { max } else { max.saturating_sub(1) };
            if used > 0 && used + lines.len() > room {
                self.line("", format!("… {} more", items.len() - i), Tone::Dim);
                return;
            }
            for line in lines {
                self.line(if used == 0 { label } else { "" }, line, tone);
                used += 1;
            }
        }
    }

    /// What does not fit on the screen is cut at the end, and the last line says where it is: `next` has the command.
    fn fit(&mut self, explained: bool) {
        let Some(max) = self.max.filter(|max| self.hidden > 0 || self.lines.len() > *max) else { return };
        let more = self.lines.len().saturating_sub(max - 1) + self.hidden;
        self.lines.truncate(max - 1);
        let by = if explained { "--full shows them" } else { "the first command of `next` shows them" };
        self.line("", format!("… {}: {by}", count(more as u64, "more line")), Tone::Dim);
    }

    /// The line that is needed least of those before the fingerprint: the first line of the fix and of the evidence are kept
    /// longest.
    fn dispensable(&self) -> Option<usize> {
        let at = |label: &str| self.lines.iter().position(|line| line.label == label);
        let end = at("fingerprint")?;
        let (fix, evidence) = (at("SUGGESTED FIX"), at("EVIDENCE"));
        match (fix, evidence) {
            (Some(fix), Some(evidence)) if fix + 1 == end && evidence + 1 < fix => fix.checked_sub(1),
            _ => end.checked_sub(1),
        }
    }

    /// Shortens what stands before the fingerprint, so that it and what to type next are never cut.
    fn make_room(&mut self, next: usize) {
        let Some(room) = self.max.map(|max| max.saturating_sub(next + 1)) else { return };
        let fingerprint = |line: &BlockLine| line.label == "fingerprint";
        while self.lines.len() > room
            && let Some(at) = self.dispensable()
        {
            self.lines.remove(at);
            self.hidden += 1;
        }
        let columns = self.columns();
        if self.hidden > 0
            && let Some(last) = self.lines.iter().position(fingerprint).and_then(|at| at.checked_sub(1))
            && let Some(line) = self.lines.get_mut(last)
            && !line.text.contains('…')
        {
            line.text = format!("{} …", cut(&line.text, columns - 2));
        }
    }

    fn title(&mut self, scenario: &ScenarioState, step: Option<&StepState>) {
        let verdict = scenario.verdict().unwrap_or(Verdict::Failed);
        let advisory = if scenario.is_advisory() { " (advisory)" } else { "" };
        let whose = format!("✗ {}{advisory}  {}", verdict.as_str().to_uppercase(), scenario.name());
        let at = step.map(|step| format!("› step {} {}", scenario.position(&step.step), step.title()));
        let (whose, at) = (clean(&whose), clean(&at.unwrap_or_default()));
        let place = clean(&scenario.place(step));
        let together = format!("{} {place}", format!("{whose} {at}").trim_end().to_owned() + " ");
        if console::measure_text_width(&together) <= self.width {
            self.line("", together, Tone::Title);
        } else {
            // The name may be copied: the step has what is left of the line.
            let room = self.width.saturating_sub(console::measure_text_width(&whose) + 1);
            let at = if room < 12 { String::new() } else { short(&at, room) };
            self.line("", format!("{whose} {at}").trim_end().to_owned(), Tone::Title);
            self.line("at", place, Tone::Copy);
        }
    }

    /// What the step said, and what it waited for, unless that says so already.
    fn message(&mut self, scenario: &ScenarioState, step: Option<&StepState>, tone: Tone) {
        let result = step.and_then(|s| s.result.as_ref());
        let message = result.map_or("", |r| r.message.as_str());
        let reason = scenario.reason();
        if message.is_empty() || (!reason.is_empty() && reason != message) {
            self.text("why", reason, 3, tone);
        }
        if !message.is_empty() {
            self.text(
                if reason == message || reason.is_empty() { "why" } else { "step said" },
                message,
                4,
                tone,
            );
        }
        let told = |text: &str| text.is_empty() || message.contains(text) || reason.contains(text);
        if let Some(waiting) = step.and_then(|s| s.waiting.as_ref()) {
            if !told(&waiting.wants) {
                self.text("expected", &waiting.wants, 2, Tone::Plain);
            }
            if !told(&waiting.last) {
                self.text("got", &waiting.last, 2, Tone::Plain);
            }
        }
        if let Some(result) = result {
            self.list("", &result.details, 4, Tone::Plain);
        }
        self.expected_failure(scenario);
    }

    fn expected_failure(&mut self, scenario: &ScenarioState) {
        if let Some(expected) = &scenario.plan.expects_failure {
            let text = format!("{} until {}: {}", expected.issue, expected.until, expected.reason);
            self.text("expected", &text, 1, Tone::Plain);
        }
    }

    /// The step's own words, where the evidence does not say them already.
    fn why(&mut self, scenario: &ScenarioState, step: Option<&StepState>, diagnosis: &Diagnosis) {
        let message = step.and_then(|s| s.result.as_ref()).map_or("", |r| r.message.as_str());
        let mut said = vec![scenario.reason()];
        if message != scenario.reason() {
            said.push(message);
        }
        said.retain(|text| !text.is_empty() && !diagnosis.evidence.iter().any(|line| line.contains(text)));
        for (i, text) in said.iter().enumerate() {
            self.text(if i == 0 { "why" } else { "" }, text, 2, Tone::Plain);
        }
        self.expected_failure(scenario);
        if self.whole
            && let Some(result) = step.and_then(|s| s.result.as_ref())
        {
            self.list("", &result.details, usize::MAX, Tone::Plain);
        }
    }

    /// How long the step was allowed to take, and who said so.
    fn limit(&mut self, scenario: &ScenarioState, step: Option<&StepState>) {
        let Some(text) = step.and_then(|step| limit_text(scenario, step)) else { return };
        self.text("limit", &text, 2, Tone::Plain);
    }

    fn source(&mut self, state: &RunState, scenario: &ScenarioState, step: Option<&StepState>) {
        if let Some(step) = step
            && let Some(source) = state.source_line(scenario.file_of(step), step.line)
        {
            let text = format!("{} | {}", step.line, clean(source).trim());
            self.text("step", &text, 2, Tone::Dim);
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

    fn polls(&mut self, step: &StepState) {
        let Some(stats) = step.wait_stats() else { return };
        self.text("polls", &wait_text(stats), 2, Tone::Plain);
    }

    /// Cause, evidence, suggested fix, fingerprint: whatever the screen has beside the title and the commands.
    fn diagnosis(
        &mut self,
        diagnosis: &Diagnosis,
        scenario: &ScenarioState,
        step: Option<&StepState>,
        commands: usize,
    ) {
        let class = super::class_name(diagnosis.class);
        let mut text = format!("{} ({class})", diagnosis.mechanism);
        if !diagnosis.summary.is_empty() {
            text.push_str(&format!(": {}", diagnosis.summary));
        }
        let mut who = Vec::new();
        if let Some(issue) = &diagnosis.issue {
            who.push(format!("known issue {issue}"));
        }
        if !diagnosis.part.is_empty() {
            who.push(format!("responsible: {}", diagnosis.part));
        }
        let screen = self.max.unwrap_or(usize::MAX);
        let title = self.lines.len();
        let (mut tail, mut room) = (Builder { lines: Vec::new(), ..*self }, 0);
        // A narrow terminal wraps everything: it gets fewer lines of each, so that the commands stay on it.
        for most in [5, 3, 2] {
            self.lines.truncate(title);
            tail.lines.clear();
            self.text("CAUSE", &text, most, Tone::Strong);
            tail.text("SUGGESTED FIX", &diagnosis.fix_shape, most, Tone::Strong);
            tail.text("", &who.join("; "), most.min(2), Tone::Plain);
            tail.standing(scenario);
            room = screen.saturating_sub(self.lines.len() + tail.lines.len() + commands);
            if room > 3 {
                break;
            }
        }
        let room = room.max(2);
        // What the step said stands below, when the evidence does not say more.
        let message = step.and_then(|s| s.result.as_ref()).map_or("", |r| r.message.as_str());
        let mut evidence = diagnosis.evidence.clone();
        evidence.dedup();
        if evidence.len() > 1 {
            evidence.retain(|line| !message.contains(line.as_str()) || message == line);
        }
        self.list("EVIDENCE", &evidence, room, Tone::Strong);
        self.lines.append(&mut tail.lines);
    }

    /// What a `--known` file calls this red, and whether anybody knows it.
    fn standing(&mut self, scenario: &ScenarioState) {
        if let Some(diagnosis) = scenario.diagnosis.as_ref().filter(|d| d.mechanism != UNCLASSIFIED) {
            self.line("fingerprint", clean(&diagnosis.fingerprint), Tone::Copy);
        }
        if let Some(known) = scenario.known() {
            self.text("known", known, 2, Tone::Plain);
        } else if scenario.is_new() {
            self.text("new", scenario.new_because(), 1, Tone::Strong);
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
                let label = if i == 0 { part_label(part) } else { "" };
                let text = if self.whole { text.clone() } else { cut(text, columns) };
                self.line(label, text, *tone);
            }
        }
        let hidden = total - shares.iter().sum::<usize>();
        self.hidden += hidden;
    }

    /// `explained`: the first of them, `explain`, was typed already.
    fn next_steps(
        &self,
        state: &RunState,
        scenario: &ScenarioState,
        run: &str,
        explained: bool,
    ) -> Vec<BlockLine> {
        let mut lines = Vec::new();
        for command in next_steps(state, scenario, run).into_iter().skip(usize::from(explained)) {
            // A terminal that is narrower wraps them itself: that can still be copied.
            for text in command.lines(self.columns().max(64)) {
                let label = if lines.is_empty() { "next" } else { "" };
                lines.push(BlockLine { label: label.to_owned(), text: clean(&text), tone: Tone::Command });
            }
        }
        lines
    }
}

/// What a part is called beside its lines.
fn part_label(part: &KeptPart) -> &str {
    if part.name == "neighbours" { "others" } else { &part.name }
}

/// `20.0 s, from online_within; the step took 20.1 s`.
pub(super) fn limit_text(scenario: &ScenarioState, step: &StepState) -> Option<String> {
    let result = step.result.as_ref()?;
    let missed = result.took_ms >= step.budget_ms.saturating_sub(step.budget_ms / 50);
    if step.budget_ms == 0 || !(missed && result.outcome != StepOutcome::Passed) {
        return None;
    }
    let from = match step.limit.as_str() {
        "" => format!(", the default of `{}`", step.verb),
        limit => format!(", from {limit}"),
    };
    let place = scenario.place(Some(step));
    Some(format!("{}{from} ({place}); the step took {}", brief(step.budget_ms), brief(result.took_ms)))
}

/// `254 polls, 0 errors, longest gap 0.5 s, 3 event wake-ups`.
pub(super) fn wait_text(stats: &WaitStats) -> String {
    let mut text = format!(
        "{}, {}, longest gap {}",
        count(stats.polls, "poll"),
        count(stats.errors, "error"),
        brief(stats.longest_gap_ms)
    );
    if stats.woken > 0 {
        text.push_str(&format!(", {}", count(stats.woken, "event wake-up")));
    }
    if let Some(error) = &stats.last_error {
        text.push_str(&format!("; last error: {error}"));
    }
    text
}

fn part_lines(part: &KeptPart) -> Vec<(String, Tone)> {
    let neighbours = part.name == "neighbours";
    let mut lines: Vec<(String, Tone)> = part
        .lines
        .iter()
        .map(|line| {
            let line = clean(line);
            let tone = if neighbours { Tone::Dim } else { Tone::Plain };
            (if neighbours { format!("another workspace: {line}") } else { line }, tone)
        })
        .collect();
    if part.more_lines > 0 {
        lines.push((format!("… {} more in the log", part.more_lines), Tone::Dim));
    }
    if let Some(error) = &part.error {
        lines.push((format!("not available: {}", clean(error)), Tone::Dim));
    }
    lines
}
