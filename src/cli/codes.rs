//! `lifecycle help CODE`: what each code of a problem means, an example, and what to do. `docs/error-codes.md` is
//! written from this table.

use std::fmt::Write as _;

use include_dir::{Dir, include_dir};

pub(crate) use super::codes_table::CODES;

/// A code and what there is to say about it.
pub(crate) struct Code {
    /// As problems show it: `scenario::auth`.
    pub code: &'static str,
    /// What is wrong, in general.
    pub what: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// A line that causes it; files of `fixtures/scenarios` stand for those of scenarios.
    example: &'static str,
}

/// A file for each mistake of a scenario; a test holds that each causes its code.
static BAD_SCENARIOS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/fixtures/scenarios");

impl Code {
    /// A text that causes the problem.
    pub(super) fn example(&self) -> &'static str {
        let (area, code) = self.code.split_once("::").unwrap_or_default();
        let file = match area {
            "scenario" => BAD_SCENARIOS.get_file(format!("{code}.yaml")),
            _ => None,
        };
        file.and_then(|file| file.contents_utf8()).unwrap_or(self.example).trim_end()
    }

    /// What `lifecycle help` prints.
    pub(super) fn page(&self) -> String {
        let mut page = format!("{}\n\n{}\n\nFix: {}", self.code, self.what, self.fix);
        if !self.example().is_empty() {
            let _ = write!(page, "\n\nExample of what is wrong:\n");
            for line in self.example().lines() {
                let _ = write!(page, "\n    {line}");
            }
        }
        page
    }
}

/// A code, with or without its area: `auth` is `scenario::auth`.
pub(crate) fn find(word: &str) -> Vec<&'static Code> {
    let whole = |code: &&Code| code.code.eq_ignore_ascii_case(word);
    let last = |code: &&Code| code.code.rsplit("::").next().is_some_and(|c| c.eq_ignore_ascii_case(word));
    match CODES.iter().find(whole) {
        Some(code) => vec![code],
        None => CODES.iter().filter(last).collect(),
    }
}

/// The page of all codes.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "# Error codes\n\nWhat `lifecycle check` and `lifecycle run` say about a file. `lifecycle help CODE` prints one of \
         these. Generated from `src/cli/codes_table.rs` and `fixtures/scenarios/`.\n",
    );
    let mut area = "";
    for code in CODES {
        let this = code.code.split("::").next().unwrap_or_default();
        if this != area {
            area = this;
            let _ = writeln!(page, "\n## {area}");
        }
        let _ = write!(page, "\n### `{}`\n\n{}\n\n{}\n", code.code, code.what, code.fix);
        if !code.example().is_empty() {
            let _ = write!(page, "\n```yaml\n{}\n```\n", code.example());
        }
    }
    page
}

pub(super) const fn code(code: &'static str, what: &'static str, fix: &'static str) -> Code {
    Code { code, what, fix, example: "" }
}

pub(super) const fn shown(
    code: &'static str,
    what: &'static str,
    fix: &'static str,
    example: &'static str,
) -> Code {
    Code { code, what, fix, example }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn codes_are_in_order_and_each_once() {
        let codes: Vec<&str> = CODES.iter().map(|code| code.code).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
        assert_eq!(find("scenario::auth").len(), 1);
        assert_eq!(find("missing-field").len(), 5);
        assert!(find("no-such-code").is_empty());
    }

    /// A code that the program says and nobody explains, or the other way round.
    #[test]
    fn every_bad_file_has_its_code() {
        let explained = |code: &str| CODES.iter().any(|c| c.code == code);
        for file in BAD_SCENARIOS.files().filter(|file| file.path().extension().is_some_and(|e| e == "yaml"))
        {
            let stem = file.path().file_stem().unwrap().to_str().unwrap();
            assert!(explained(&format!("scenario::{stem}")), "{stem}");
        }
        let said = regex::Regex::new(r#"(?:error|warning)\(\s*"([a-z]+::[a-z0-9-]+)""#).unwrap();
        // Readers that put their area before a code themselves.
        let within = regex::Regex::new(r#"\b(?:error|say|problem)\(\s*"([a-z][a-z-]+)"\s*,"#).unwrap();
        let areas = [
            ("behaviour/overlay.rs", "contract"),
            ("targets/profile/check.rs", "profile"),
            ("models/read.rs", "catalogue"),
            ("scenario/known.rs", "known"),
            ("mechanism/file.rs", "mechanism"),
            ("mechanism/lint.rs", "mechanism"),
        ];
        let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let (mut found, mut computed) = (0, 0);
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if let Some((_, area)) = areas.iter().find(|(file, _)| path.ends_with(file)) {
                for code in within.captures_iter(&text) {
                    computed += 1;
                    let code = format!("{area}::{}", &code[1]);
                    assert!(explained(&code), "{} says {code}, which is not explained", path.display());
                }
                for code in ["yaml", "too-large", "duplicate-key"].map(|code| format!("{area}::{code}")) {
                    // The catalogue is read as any YAML file.
                    assert!(explained(&code) || *area == "catalogue", "{code}");
                }
            }
            for code in said.captures_iter(&text) {
                found += 1;
                assert!(explained(&code[1]), "{} says {}, which is not explained", path.display(), &code[1]);
            }
        }
        assert!(found > 20 && computed > 40, "{found}, {computed}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a developer's switch, read by this test only")]
    fn the_page_is_the_file() {
        const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/error-codes.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(DOCS, page()).unwrap();
        }
        let file = std::fs::read_to_string(DOCS).unwrap_or_default();
        assert!(
            file == page(),
            "docs/error-codes.md is out of date: UPDATE_DOCS=1 cargo test the_page_is_the_file"
        );
    }
}
