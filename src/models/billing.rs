//! Who pays for a workspace's model (contract §8.3).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::models::catalogue::Catalogue;
use crate::models::derive::derive;

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingMode {
    /// The platform, through its proxy.
    PlatformManaged,
    /// The user's own key at the vendor.
    Byok,
    /// Nobody: no model is called.
    Disabled,
}

impl BillingMode {
    /// All, as the platform lists them.
    pub const ALL: [BillingMode; 3] =
        [BillingMode::PlatformManaged, BillingMode::Byok, BillingMode::Disabled];

    /// On the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            BillingMode::PlatformManaged => "platform_managed",
            BillingMode::Byok => "byok",
            BillingMode::Disabled => "disabled",
        }
    }
}

impl fmt::Display for BillingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no billing mode; the text is the platform's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown billing mode \"{0}\" (allowed: platform_managed, byok, disabled)")]
pub struct UnknownMode(pub String);

impl FromStr for BillingMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        BillingMode::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| UnknownMode(text.to_owned()))
    }
}

/// A decision and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Billing {
    /// Who pays.
    pub mode: BillingMode,
    /// `workspace_override`, `derived_provider` or `derived_default`.
    pub source: &'static str,
    /// The derived provider, else the model; an override leaves it empty.
    pub provider_selection: Option<String>,
}

/// The override, else what the model derives to (a key need not be there), else the deployment's
/// default. `available` holds names of variables in the environment.
pub(crate) fn decide(
    catalogue: &Catalogue,
    override_mode: Option<BillingMode>,
    runtime: &str,
    model: &str,
    available: &BTreeSet<String>,
    proxy_configured: bool,
) -> Billing {
    if let Some(mode) = override_mode {
        return Billing { mode, source: "workspace_override", provider_selection: None };
    }
    match derive(catalogue, runtime, model, available) {
        Ok(provider) => Billing {
            mode: if provider.is_platform() { BillingMode::PlatformManaged } else { BillingMode::Byok },
            source: "derived_provider",
            provider_selection: Some(provider.name.clone()),
        },
        Err(_) => Billing {
            mode: if proxy_configured { BillingMode::PlatformManaged } else { BillingMode::Byok },
            source: "derived_default",
            // What is shown then is the model's own text.
            provider_selection: Some(model.to_owned()).filter(|model| !model.is_empty()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn override_then_derived_then_default() {
        let table = [
            (None, "MiniMax-M2.7", false, "byok derived_provider minimax"),
            (None, "minimax/MiniMax-M2.7", false, "platform_managed derived_provider platform"),
            (None, "nope", false, "byok derived_default nope"),
            (None, "nope", true, "platform_managed derived_default nope"),
            (None, "", true, "platform_managed derived_default -"),
            (Some(BillingMode::Byok), "minimax/MiniMax-M2.7", true, "byok workspace_override -"),
            (Some(BillingMode::Disabled), "MiniMax-M2.7", true, "disabled workspace_override -"),
        ];
        for (mode, model, proxy, want) in table {
            let got = decide(Catalogue::built_in(), mode, "claude-code", model, &BTreeSet::new(), proxy);
            let provider = got.provider_selection.as_deref().unwrap_or("-");
            assert_eq!(format!("{} {} {provider}", got.mode, got.source), want);
        }
        assert_eq!(
            "x".parse::<BillingMode>().unwrap_err().to_string(),
            "unknown billing mode \"x\" (allowed: platform_managed, byok, disabled)"
        );
    }
}
