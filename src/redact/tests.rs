use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::*;
use proptest::prelude::*;

/// Its name, whether its shape tells it, and how one is made.
pub(crate) type Kind = (&'static str, bool, fn(&mut Dice) -> String);

/// Every kind of credential that the platform or a vendor hands out: its name, whether its shape tells it, and how one
/// is made.
pub(crate) const KINDS: [Kind; 22] = [
    ("workspace token, inbound secret, org token (contract §1.2)", true, |d| d.some(URL64, 43)),
    ("the same, beginning with a dash", true, |d| format!("-{}", d.some(URL64, 42))),
    ("admin token, by whoever runs the server", false, |d| d.some(PRINTED, 24)),
    ("Anthropic key", true, |d| format!("sk-ant-api03-{}", d.some(URL64, 95))),
    ("Anthropic OAuth token", true, |d| format!("sk-ant-oat01-{}", d.some(URL64, 95))),
    ("OpenAI project key", true, |d| format!("sk-proj-{}", d.some(URL64, 120))),
    ("OpenAI, Moonshot key", true, |d| format!("sk-{}", d.some(ALNUM, 48))),
    ("DeepSeek, DashScope key", true, |d| format!("sk-{}", d.some(HEX, 32))),
    ("OpenRouter key", true, |d| format!("sk-or-v1-{}", d.some(HEX, 64))),
    ("MiniMax key (a JWT)", true, |d| {
        format!("eyJ{}.eyJ{}.{}", d.some(URL64, 30), d.some(URL64, 90), d.some(URL64, 86))
    }),
    ("Z.AI, GLM key", true, |d| format!("{}.{}", d.some(HEX, 32), d.some(ALNUM, 16))),
    ("Gemini key", true, |d| format!("AIza{}", d.some(URL64, 35))),
    ("xAI key", true, |d| format!("xai-{}", d.some(ALNUM, 80))),
    ("Hugging Face token", true, |d| format!("hf_{}", d.some(ALNUM, 34))),
    ("GitHub token", true, |d| format!("ghp_{}", d.some(ALNUM, 36))),
    ("GitHub fine-grained token", true, |d| {
        format!("github_pat_{}_{}", d.some(ALNUM, 22), d.some(ALNUM, 59))
    }),
    ("Gitea token", false, |d| d.some(HEX, 40)),
    ("GitLab token", true, |d| format!("glpat-{}", d.some(URL64, 20))),
    ("AWS key", true, |d| format!("AKIA{}", d.some(UPPER, 16))),
    ("a key with every character that is escaped somewhere", false, |d| {
        d.some("<>&\"'\\\\/%+=ä\u{1f511}aZ9", 20)
    }),
    ("Codex auth.json", false, |d| {
        format!("{{\"tokens\": {{\n  \"refresh\": \"{}\"\n}}}}", d.some(URL64, 60))
    }),
    ("a key in PEM", false, |d| {
        let line = |d: &mut Dice| d.some(BASE64, 64);
        format!("-----BEGIN KEY-----\n{}\n{}\n-----END KEY-----", line(d), line(d))
    }),
];
const HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const URL64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PRINTED: &str = "!#$%&()*+,-./:;<=>?@ABCXYZ[]^_abcxyz{|}~0123456789\"\\";

/// Numbers that look random and are the same each time (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % sides as u64) as usize
    }

    fn some(&mut self, of: &str, n: usize) -> String {
        let of: Vec<char> = of.chars().collect();
        (0..n).map(|_| of[self.roll(of.len())]).collect()
    }
}

/// How many of each kind: a few hundred, or as many as `LIFECYCLE_TOKENS` says.
#[expect(clippy::disallowed_methods, reason = "a switch of the tests")]
pub(crate) fn tokens_of_each(usual: usize) -> usize {
    std::env::var("LIFECYCLE_TOKENS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// As Go writes JSON: these three are escaped besides.
fn go_json(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap();
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// As Python writes JSON: nothing but ASCII.
fn ascii_json(text: &str) -> String {
    let mut out = String::new();
    for c in serde_json::to_string(text).unwrap().chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04X}")));
        }
    }
    out
}

fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// In how many ways a text is written into others; each has nothing secret beside it.
fn written(secret: &str) -> Vec<String> {
    let html =
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&#34;").replace('\'', "&#x27;");
    vec![
        format!("{secret} ."),
        format!("the key '{secret}', was refused"),
        format!("{{\"k\":{}}}", serde_json::to_string(secret).unwrap()),
        format!("{{\"k\":{}}}", go_json(secret)),
        format!("{{\"k\":{}}}", ascii_json(secret)),
        format!("{{\"k\":{}}}", go_json(&go_json(secret))),
        format!("{{\"k\":{}}}", go_json(&serde_json::to_string(&go_json(secret)).unwrap())),
        format!("https://h/p?q={}&r=1", percent(secret)),
        format!("https://h/p?q={}", percent(&percent(secret)).replace("%252D", "%252d")),
        format!("https://h/p?body={}", percent(&go_json(secret))),
        format!("<p>{html}</p>"),
    ]
}

/// No eight characters in a row of a secret are left, in any form in which they were written.
fn assert_hidden(kind: &str, shown: &str, secret: &str, written: &str) {
    let mut view = shown.to_owned();
    for _ in 0..4 {
        let letters: Vec<char> = secret.chars().filter(|c| !c.is_whitespace()).collect();
        for part in letters.windows(12) {
            let part: String = part.iter().collect();
            // The frame of a key in PEM is no secret.
            let frame = part.contains("----") || "-----BEGINKEY----------ENDKEY-----".contains(&part);
            assert!(
                frame || !view.contains(&part),
                "{kind}: `{part}` of {secret:?}\nin {shown}\nof {written}"
            );
        }
        view = view.replace("\\\"", "\"").replace("\\\\", "\\").replace("\\u003c", "<").replace("%2D", "-");
    }
}

#[test]
fn no_kind_of_token_that_is_known_is_left_in_any_form() {
    let mut dice = Dice(1);
    for (kind, _, make) in KINDS {
        for n in 0..tokens_of_each(40) {
            let secret = make(&mut dice);
            let redactor = Redactor::new();
            redactor.register("KEY", &secret);
            for text in written(secret.trim()) {
                let shown = redactor.text(&text);
                assert!(shown.contains("<redacted:"), "{kind}: {secret:?} in {text}: {shown}");
                assert_hidden(kind, &shown, secret.trim(), &text);
            }
            for before in ["", "x", "xy"] {
                for engine in [&STANDARD, &URL_SAFE] {
                    let text = engine.encode(format!("{before}{secret}:tail"));
                    let shown = redactor.text(&text);
                    let left = shown.split("<redacted:KEY>").map(str::len).sum::<usize>();
                    assert!(left <= 16 + before.len(), "{kind}: {secret:?} in {text}: {shown}");
                }
            }
            // Cut anywhere, nothing shows: what cuts redacts first.
            let text = format!("{} {secret}", "word ".repeat(dice.roll(50)));
            let at = if n < 40 { n * 7 % (text.len() + 1) } else { dice.roll(text.len() + 1) };
            assert_hidden(kind, &redactor.excerpt(&text, at), secret.trim(), &text);
            assert_hidden(kind, &redactor.head(&text, at).0, secret.trim(), &text);
        }
    }
}

#[test]
fn no_kind_of_token_that_has_a_shape_is_left_when_nobody_registered_it() {
    let redactor = Redactor::new();
    let mut dice = Dice(2);
    for (kind, has_shape, make) in KINDS {
        if !has_shape {
            continue;
        }
        for _ in 0..tokens_of_each(300) {
            let token = make(&mut dice);
            for text in written(&token) {
                let shown = redactor.text(&text);
                assert_hidden(kind, &shown, &token, &text);
            }
            let at = dice.roll(240);
            let text = format!("{}{token}", " ".repeat(200 - at.min(200)));
            assert_hidden(kind, &redactor.excerpt(&text, at), &token, &text);
        }
    }
}

#[test]
fn of_two_secrets_where_one_begins_the_other_no_tail_is_shown() {
    let (short, long, longer) =
        ("planted-value", "planted-value-and-its-tail", "planted-value-and-its-tail-and-more");
    let orders = [
        [short, long, longer],
        [short, longer, long],
        [long, short, longer],
        [long, longer, short],
        [longer, short, long],
        [longer, long, short],
    ];
    for order in orders {
        for between in 0..4 {
            let redactor = Redactor::new();
            for (n, secret) in order.iter().enumerate() {
                redactor.register(&format!("S{n}"), secret);
                (0..between).for_each(|i| redactor.register("other", &format!("other-value-{n}-{i}")));
            }
            for secret in order {
                let shown = redactor.text(&format!("a {secret} b")).into_owned();
                let n = order.iter().position(|s| *s == secret).unwrap();
                assert_eq!(shown, format!("a <redacted:S{n}> b"), "{order:?}");
            }
            assert!(!redactor.text("tail-planted-value-and-its-tail-and").contains("tail-and"));
        }
    }
    // One that ends within another.
    let redactor = Redactor::new();
    redactor.register("A", "abcdefghij");
    redactor.register("B", "fghijklmnop");
    assert_eq!(redactor.text("abcdefghijklmnop"), "<redacted:B>");
}

#[test]
fn credentials_are_known_by_where_they_stand() {
    let redactor = Redactor::new();
    for (text, gone) in [
        (r#"{"auth_token":"short","id":"w1""#, "short"),
        (r#"{\"platform_inbound_secret\": \"short\"}"#, "short"),
        ("X-Molecule-Admin-Token: let-me-in", "let-me-in"),
        ("x-api-key: 1234", "1234"),
        ("export MINIMAX_API_KEY=plain-words-here", "plain-words-here"),
        ("GET /x?access_token=plain-words-here&n=1", "plain-words-here"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
        ("cannot reach http://admin:p4ss@host:1/", "p4ss"),
    ] {
        assert!(!redactor.text(text).contains(gone), "{text} → {}", redactor.text(text));
    }
    for text in [
        "export MINIMAX_API_KEY=${inputs.key}",
        "the variable MINIMAX_API_KEY is not set",
        "auth_token is missing",
        "task-0123456789abcdef0123 and disk-usage-of-the-workspace",
        "http://localhost:8080/a@b",
    ] {
        assert_eq!(redactor.text(text), text);
    }
    redactor.learn_answer(
        "http://h/workspaces/w/secrets/values?x=1",
        &serde_json::json!({ "ANY": "plain-words" }),
    );
    assert_eq!(redactor.text("plain-words"), "<redacted:ANY>");
    let mut value = serde_json::json!({ "auth_token": ["a"], "n": { "password": "x" },
        "MINIMAX_API_KEY": { "set": true, "value": "equals secret MINIMAX_API_KEY" } });
    redactor.value(&mut value);
    let shown = "<redacted:auth_token>";
    assert_eq!(
        value,
        serde_json::json!({ "auth_token": [shown], "n": { "password": "<redacted:password>" },
            "MINIMAX_API_KEY": { "set": true, "value": "equals secret MINIMAX_API_KEY" } })
    );
}

#[test]
fn redaction_that_does_not_work_shows_nothing_and_ends_the_run() {
    let redactor = Redactor::new();
    assert!(!redactor.is_broken());
    redactor.state.write().unwrap().broken = true;
    assert_eq!(redactor.text("any text of any server"), WITHHELD);
    assert!(redactor.is_broken());
    let folder = tempfile::tempdir().unwrap();
    let error = crate::event::Log::create(folder.path(), redactor).err().unwrap().to_string();
    assert!(error.contains("redaction does not work"), "{error}");
}

#[test]
fn a_huge_text_is_searched_over_the_edges_of_its_windows() {
    let redactor = Redactor::new();
    redactor.register("KEY", "planted-secret-value");
    for at in [WINDOW - 30, WINDOW - 10, WINDOW - 1, WINDOW, 2 * WINDOW - OVERLAP - 5] {
        let text = format!("{}planted-secret-value{}", "x ".repeat(at / 2), "y ".repeat(WINDOW));
        let shown = redactor.text(&text);
        assert!(shown.contains("<redacted:KEY>") && !shown.contains("planted"), "at {at}");
    }
}

proptest! {
    #[test]
    fn no_form_of_a_registered_value_survives(
        secret in "[!-~]{8,40}", before in "[ -~]{0,7}", after in "[ -~]{0,7}",
    ) {
        let redactor = Redactor::new();
        redactor.register("K", &secret);
        let framed = format!("{before}{secret}{after}");
        let shown = redactor.text(&framed).into_owned();
        prop_assert!(!shown.contains(secret.trim()), "{shown}");
        for engine in [&STANDARD, &URL_SAFE] {
            let encoded = engine.encode(&framed);
            let shown = redactor.text(&encoded).into_owned();
            prop_assert!(shown.contains("<redacted:"), "{encoded} stayed {shown}");
        }
        let url = percent_encoding::utf8_percent_encode(&secret, percent_encoding::NON_ALPHANUMERIC).to_string();
        prop_assert!(redactor.text(&url).contains("<redacted:"));
        let mut json = serde_json::json!({ "deep": [{ "text": framed }] });
        redactor.value(&mut json);
        let line = json.to_string();
        prop_assert!(!line.contains(serde_json::to_string(secret.trim()).unwrap().trim_matches('"')), "{line}");
    }
}

#[test]
fn short_values_only_where_a_credential_stands() {
    let redactor = Redactor::new();
    redactor.register("MINIMAX_API_KEY", "k");
    let mut value = serde_json::json!({
        "name": "k", "secrets": { "MINIMAX_API_KEY": "k" }, "auth_token": "x", "MINIMAX_API_KEY": "k",
        "key": "OTHER", "value": "short",
    });
    assert!(redactor.value(&mut value));
    assert_eq!(
        value,
        serde_json::json!({
            "name": "k", "secrets": { "MINIMAX_API_KEY": "<redacted:MINIMAX_API_KEY>" },
            "auth_token": "<redacted:auth_token>", "MINIMAX_API_KEY": "<redacted:MINIMAX_API_KEY>",
            "key": "OTHER", "value": "<redacted:value>",
        })
    );
}

#[test]
fn placeholders_are_stable_and_tell_values_apart() {
    let redactor = Redactor::new();
    redactor.register("auth_token", "first-token-value");
    redactor.register("auth_token", "second-token-value");
    redactor.register("again", "first-token-value");
    assert_eq!(
        redactor.text("first-token-value second-token-value"),
        "<redacted:auth_token> <redacted:auth_token#2>"
    );
}

#[test]
fn shapes_nobody_registered() {
    let redactor = Redactor::new();
    for (text, shown) in [
        ("Authorization: Bearer abcdefgh1234", "Authorization: Bearer <redacted:bearer>"),
        ("t 8K5yQx3ZpWm2Jt9vRbN4cLd7HsGfEa1UiOoTkYjXw0A.", "t <redacted:token>."),
        ("postgres://app:hunter2@db/x", "postgres://<redacted:userinfo>@db/x"),
        ("https://abcdef0123456789abcd@git.example/x", "https://<redacted:userinfo>@git.example/x"),
        (
            "see http://localhost:8080/a@b and ssh://git@host",
            "see http://localhost:8080/a@b and ssh://git@host",
        ),
        ("ws-0a1b2c3d-aaaa-bbbb-cccc-0123456789ab-conf", "ws-0a1b2c3d-aaaa-bbbb-cccc-0123456789ab-conf"),
        (
            "ordinary words, a sha e3b0c44298fc1c149afbf4c8996fb92427ae41e4",
            "ordinary words, a sha e3b0c44298fc1c149afbf4c8996fb92427ae41e4",
        ),
    ] {
        assert_eq!(redactor.text(text), shown);
    }
    let vendor = format!("key sk-{} done", "a1".repeat(10));
    assert_eq!(redactor.text(&vendor), "key <redacted:token> done");
}

#[test]
fn a_thousand_values_are_all_found() {
    let redactor = Redactor::new();
    for n in 0..1_000 {
        redactor.register(&format!("s{n}"), &format!("value-number-{n:05}"));
    }
    for n in [0, 1, 511, 999] {
        assert_eq!(redactor.text(&format!("value-number-{n:05}")), format!("<redacted:s{n}>"));
    }
}
