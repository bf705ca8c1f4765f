//! Inputs made from a corpus, from a seed.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A single input may not take more of the processor; it takes milliseconds.
const LONGEST: Duration = Duration::from_secs(20);
/// Nor wait for so long, on the busiest machine.
const HANGS: Duration = Duration::from_secs(600);
/// The whole process may not map more.
const MEMORY: u64 = 6 << 30;

/// SplitMix64.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`; 0 when that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// Pieces that mean something to one of the readers.
const PIECES: [&str; 40] = [
    "${",
    "}",
    "${inputs.",
    "${first(",
    "$${",
    "*a",
    "&a ",
    "<<: *a",
    "---\n",
    "\n- ",
    ": ",
    "{",
    "[",
    "]",
    "'",
    "\"",
    "\0",
    "\u{feff}",
    "é",
    "\u{202e}",
    "🦀",
    "\r\n",
    "\t",
    "null",
    "~",
    "1e999",
    "-1",
    "18446744073709551616",
    "0x1F",
    "NaN",
    "2026-02-30",
    "999999999999y",
    "!!binary ",
    "|\n",
    ">-\n",
    "#",
    "\\u0000",
    "${{ ",
    " }}",
    " || ",
];

/// Changes an input in one to eight places.
pub(crate) fn mutated(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut input = corpus[chance.below(corpus.len())].clone();
    for _ in 0..=chance.below(8) {
        let at = chance.below(input.len() + 1);
        let len = chance.below(1 + (input.len() - at).min(64));
        match chance.below(9) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..at + len)),
            2 => {
                let copy = input[at..at + len].to_vec();
                for _ in 0..=chance.below(200) {
                    input.splice(at..at, copy.iter().copied());
                }
            }
            3 | 4 => {
                let piece = PIECES[chance.below(PIECES.len())];
                input.splice(at..at, piece.bytes());
            }
            5 => {
                let piece = PIECES[chance.below(PIECES.len())].repeat(1 + chance.below(300));
                input.splice(at..at + len, piece.bytes());
            }
            6 if at < input.len() => input[at] ^= 1 << chance.below(8),
            7 if at < input.len() => input[at] = u8::try_from(chance.below(256)).unwrap(),
            _ => {
                let other = &corpus[chance.below(corpus.len())];
                let from = chance.below(other.len() + 1);
                let len = chance.below(1 + other.len() - from);
                input.splice(at..at, other[from..from + len].iter().copied());
            }
        }
        // Sizes have limits of their own, which other tests meet.
        input.truncate(1 << 18);
    }
    input
}

/// Every file below a folder that ends so.
pub(crate) fn below(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, ending, found);
            } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), ending, &mut found);
    found.sort();
    found.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// CPU time of this thread: a machine that is busy with other things makes no input slow.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// Gives a reader the corpus, then what is made of it, until its time of the processor is over.
pub(crate) fn fuzz(target: &str, corpus: &[Vec<u8>], mut reader: impl FnMut(&[u8])) {
    static BOUND: Once = Once::new();
    BOUND.call_once(|| rlimit::setrlimit(rlimit::Resource::AS, MEMORY, MEMORY).unwrap());
    let kept = below(&format!("fixtures/fuzz/{target}"), "");
    assert!(!corpus.is_empty(), "{target} has no corpus");
    let mut chance = Chance::new(number("LIFECYCLE_FUZZ_SEED", 1));
    let time = Duration::from_secs(number("LIFECYCLE_FUZZ_SECONDS", 1));
    let mut tried = 0u64;
    let mut one = |input: &[u8]| {
        let (since, before) = (Instant::now(), used());
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| reader(input)));
        let took = used().saturating_sub(before);
        if ended.is_err() || took > LONGEST || since.elapsed() > HANGS {
            let path = std::env::temp_dir().join(format!("lifecycle-fuzz-{target}-{}", chance_of(input)));
            std::fs::write(&path, input).unwrap();
            panic!(
                "{target}: {took:?} of CPU, {:?}; the input is in {}: keep it in fixtures/fuzz/{target}/",
                since.elapsed(),
                path.display()
            );
        }
        tried += 1;
    };
    kept.iter().chain(corpus).for_each(|input| one(input));
    let (began, before) = (Instant::now(), used());
    // A reader that only waits uses no processor.
    while used().saturating_sub(before) < time && began.elapsed() < time * 60 {
        one(&mutated(corpus, &mut chance));
    }
    eprintln!("{target}: {tried} inputs in {:?}", began.elapsed());
}

/// A name for an input.
fn chance_of(input: &[u8]) -> String {
    let mut sum = 0xcbf2_9ce4_8422_2325u64;
    for byte in input {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{sum:016x}")
}
