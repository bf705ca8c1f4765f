//! The table of classes: code, level and texts. `docs/contradictions.md` is made from it.

use crate::source::Level;

/// A class of contradiction.
#[derive(Debug, PartialEq, Eq)]
pub struct Class {
    /// `C1` … `C27`, stable.
    pub code: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// When it holds.
    pub rule: &'static str,
    /// A real one.
    pub example: &'static str,
    /// What the platform does.
    pub outcome: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// The highest level that it can have: an error only where a 4xx or a failed boot is certain.
    pub level: Level,
}

const fn class(code: &'static str, level: Level, texts: [&'static str; 5]) -> Class {
    let [title, rule, example, outcome, fix] = texts;
    Class { code, title, rule, example, outcome, fix, level }
}

use Level::{Error, Warning};

/// All classes, in order.
pub static CLASSES: [Class; 27] = [
    class(
        "C1",
        Error,
        [
            "platform path, own-key model",
            "the path is platform and the model derives to a vendor",
            "E2E_LLM_PATH=platform with E2E_MODEL_SLUG=MiniMax-M2 (#2316)",
            "no key is sent, so 422 MISSING_BYOK_CREDENTIAL",
            "drop the slug, or name a platform model, or drop the path",
        ],
    ),
    class(
        "C2",
        Error,
        [
            "platform path, runtime without that model",
            "the path is platform and the model is in no arm of the runtime",
            "codex with mid-June's default moonshot/kimi-k2.6",
            "422 UNREGISTERED_MODEL_FOR_RUNTIME",
            "set E2E_DEFAULT_PLATFORM_MODEL to a model of the runtime's platform arm",
        ],
    ),
    class(
        "C3",
        Error,
        [
            "own-key model without its key",
            "no accepted credential of the model's provider is sent, deferred or global",
            "claude-code sonnet when only an OpenAI key is set",
            "422 MISSING_BYOK_CREDENTIAL",
            "set a key that the provider accepts, or pick a model of the key that is set",
        ],
    ),
    class(
        "C4",
        Error,
        [
            "own-key model whose key is written later",
            "the only accepted credential is in the deferred part",
            "claude-code claude-sonnet-4-6 with the split of mid-June's full SaaS script",
            "422 MISSING_BYOK_CREDENTIAL: the gate looks at the create body",
            "send the key in the create body",
        ],
    ),
    class(
        "C5",
        Error,
        [
            "another vendor's key won the chain",
            "the first key that is set is not the one that the model needs",
            "hermes openai/gpt-4o when a MiniMax key is set",
            "422 MISSING_BYOK_CREDENTIAL",
            "unset the earlier key, or pick a model of its vendor",
        ],
    ),
    class(
        "C6",
        Error,
        [
            "a key that create takes and provision does not",
            "the accepted credential is not one of the 23 guarded keys; since mid-August another vendor's guarded key beside it does not help",
            "openclaw groq:llama-3.3-70b with GROQ_API_KEY",
            "201, then the provision aborts with MISSING_BYOK_CREDENTIAL",
            "send a guarded name of the same vendor, such as GEMINI_API_KEY beside GOOGLE_API_KEY, or use another provider",
        ],
    ),
    class(
        "C7",
        Error,
        [
            "an unrelated key hides a missing one",
            "at a restart a guarded key is left, and none that the provider accepts",
            "claude-code kimi-k2 restarted with only OPENAI_API_KEY left",
            "mid-June: comes online, and the first call of the model fails; mid-August: the provision aborts with MISSING_BYOK_CREDENTIAL, or a tenant's model goes to the metered proxy",
            "write the provider's key before the restart",
        ],
    ),
    class(
        "C8",
        Warning,
        [
            "a generic name carries another vendor's key",
            "the only accepted name is ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN, and the provider is a third party",
            "MiniMax-M2.7 with ANTHROPIC_API_KEY",
            "201; Anthropic's key goes to the vendor's host",
            "send the vendor's own name, such as MINIMAX_API_KEY",
        ],
    ),
    class(
        "C9",
        Error,
        [
            "a stray vendor key beside a platform model",
            "the model derives to platform and the create body has a guarded key",
            "moonshot/kimi-k2.6 with MINIMAX_API_KEY",
            "400 of the vendor-key guard",
            "send no vendor key, or pick the vendor's own model",
        ],
    ),
    class(
        "C10",
        Error,
        [
            "slash, bare, colon",
            "the model is not registered, and another spelling of it is",
            "claude-code minimax:MiniMax-M2.7",
            "422 UNREGISTERED_MODEL_FOR_RUNTIME",
            "use the other spelling; mind who pays for it",
        ],
    ),
    class(
        "C11",
        Warning,
        [
            "one model, two payers",
            "the same id is the platform's on one of the runtimes and a vendor's on another",
            "minimax/MiniMax-M3 on claude-code (platform) and codex (own key)",
            "accepted; billing and credentials flip with the runtime",
            "name the model per runtime",
        ],
    ),
    class(
        "C12",
        Error,
        [
            "unknown runtime",
            "neither the platform's manifest nor the catalogue has it",
            "gemini, langgraph, minimax",
            "422 RUNTIME_UNSUPPORTED",
            "use a runtime that the platform lists",
        ],
    ),
    class(
        "C13",
        Error,
        [
            "a catalogue runtime that the platform does not accept",
            "the catalogue has it, the manifest (or its fall-back) does not",
            "google-adk when the manifest cannot be read",
            "422 RUNTIME_UNSUPPORTED",
            "pass the platform's manifest with --manifest, or use another runtime",
        ],
    ),
    class(
        "C14",
        Error,
        [
            "an accepted runtime without models",
            "the manifest has it, the catalogue does not: registration is open",
            "mock with any model",
            "201 with any model; no image, so it ends failed where containers are local",
            "use a runtime of the catalogue",
        ],
    ),
    class(
        "C15",
        Error,
        [
            "a template variant sent as a runtime",
            "the runtime is the name of a template that another runtime serves",
            "runtime seo-agent",
            "mid-June: as C14, accepted at create, then failed; mid-August: 422 RUNTIME_UNSUPPORTED",
            "send it as `template`, without `runtime`, with a model of claude-code",
        ],
    ),
    class(
        "C16",
        Error,
        [
            "a model in no arm",
            "neither a list nor a pattern of the runtime has it",
            "codex openai/gpt-4o, which the pinned table itself gives",
            "422 UNREGISTERED_MODEL_FOR_RUNTIME",
            "pick a model of the runtime: `lifecycle model list`",
        ],
    ),
    class(
        "C17",
        Warning,
        [
            "registered by a loose pattern only",
            "the arm lists ids, this is none of them, and its pattern takes it",
            "claude-code claude-foo, platform/anything, codex gpt-9",
            "accepted; the vendor may not know it",
            "use a listed id",
        ],
    ),
    class(
        "C18",
        Warning,
        [
            "a key that nothing uses",
            "an earlier key of the chain won, or the platform pays",
            "an OpenAI key beside a MiniMax key",
            "accepted; silently ignored",
            "unset it, if it is not meant for another job",
        ],
    ),
    class(
        "C19",
        Warning,
        [
            "an override hides the dispatch",
            "the slug is set, and path or keys would have picked another model",
            "E2E_MODEL_SLUG=MiniMax-M2.7 with only an Anthropic key",
            "whatever the slug leads to",
            "drop the slug, or set the key that belongs to it",
        ],
    ),
    class(
        "C20",
        Warning,
        [
            "MODEL_PROVIDER contradicts the model",
            "the secret names another model or provider than the create",
            "openai:gpt-4o in the OpenAI arm beside another slug",
            "accepted; runtimes that read MODEL_PROVIDER use the other model",
            "drop MODEL_PROVIDER, or let it follow the model",
        ],
    ),
    class(
        "C21",
        Warning,
        [
            "the own-key guard is armed on the platform path",
            "mid-June's full SaaS script asserts own-key billing as soon as a MiniMax or Anthropic key is set",
            "E2E_LLM_PATH=platform with a stray MiniMax key",
            "the platform is right and the script is red",
            "unset the key on the platform path",
        ],
    ),
    class(
        "C22",
        Error,
        [
            "the platform's path where there is no proxy",
            "the model derives to platform and the target has no proxy",
            "minimax/MiniMax-M2.7 on a development stack",
            "201, then the provision aborts with MISSING_PLATFORM_PROXY",
            "use the bare id with a key, or configure MOLECULE_LLM_BASE_URL and MOLECULE_LLM_USAGE_TOKEN",
        ],
    ),
    class(
        "C23",
        Warning,
        [
            "a withdrawn model",
            "the vendor or the platform withdrew it, and at most a pattern still takes it",
            "claude-code claude-fable-5",
            "accepted, then a 404 of the vendor",
            "pick a model that the catalogue lists",
        ],
    ),
    class(
        "C24",
        Error,
        [
            "an own-key override on a platform model",
            "the billing mode is set to byok and the model derives to platform",
            "anthropic/claude-opus-4-7 and a PUT of byok",
            "vendor keys stay refused; the next provision aborts with MISSING_BYOK_CREDENTIAL unless some guarded key is there",
            "change the model to the vendor's own, or clear the override",
        ],
    ),
    class(
        "C25",
        Error,
        [
            "an empty credential",
            "an accepted name is sent with an empty value",
            "MINIMAX_API_KEY=\"\" in the create body",
            "201, then the provision aborts with MISSING_BYOK_CREDENTIAL",
            "set the key, or leave it out",
        ],
    ),
    class(
        "C26",
        Error,
        [
            "model or keys for a runtime that somebody else runs",
            "external, kimi or kimi-cli with a model or with keys",
            "external with model sonnet",
            "the model is accepted and means nothing; a guarded key in the body is a 400",
            "drop model and secrets",
        ],
    ),
    class(
        "C27",
        Error,
        [
            "white space or case",
            "the runtime or the model differs from a known one only in white space or case",
            "Claude-Opus-4-7",
            "422",
            "write it as the catalogue does",
        ],
    ),
];

/// A class by its code.
pub(crate) fn class_of(code: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.code == code)
}

#[cfg(test)]
/// Every code.
pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().map(|class| class.code)
}
