//! The tutorial is run as it stands: its files are written, its commands are typed, in order, in one folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::harness::Harness;

/// A fenced block: what stands behind the fence, and its lines.
struct Block {
    info: String,
    lines: Vec<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(done)) => found.push(done),
            (Some(info), None) => open = Some(Block { info: info.to_owned(), lines: Vec::new() }),
            (None, Some(mut block)) => {
                block.lines.push(line.to_owned());
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without an end");
    found
}

#[test]
fn the_tutorial_works_as_it_is_typed() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial.md")).unwrap();
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let mut typed = 0;
    for block in blocks(&page) {
        let mut info = block.info.split_whitespace();
        let (kind, rest) = (info.next().unwrap_or_default(), info.next());
        match (kind, rest.and_then(|r| r.split_once('='))) {
            ("yaml", Some(("file", name))) => {
                fs::write(dir.path().join(name), block.lines.join("\n") + "\n").unwrap();
            }
            ("sh", expected) => {
                let code = expected.map_or(0, |(_, code)| code.parse().unwrap());
                for line in &block.lines {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    assert_eq!(words.first(), Some(&"lifecycle"), "{line}");
                    Harness::within(&dir).args(words[1..].iter().copied()).run().exit(code);
                    typed += 1;
                }
            }
            ("text", None) => {}
            other => panic!("a block of a kind that this test does not know: {other:?}"),
        }
    }
    assert!(typed >= 12, "{typed} commands");
}
