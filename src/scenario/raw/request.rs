//! Verbs that write settings, and any request.

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{Answered, AnyValue, Auth, Text, TextMap, Texts};
use crate::scenario::decode::Spanned;
use crate::yaml::Node;

/// `secret:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Secret")]
pub struct RawSecret {
    /// Whose.
    pub workspace: Option<Text>,
    /// Instead of `workspace`: everybody's. Needs `--exclusive`.
    pub global: Option<Spanned<bool>>,
    /// Keys and values to write, in order.
    #[schemars(with = "Option<TextMap>")]
    pub set: Option<Node>,
    /// Keys to delete.
    #[schemars(with = "Option<Texts>")]
    pub delete: Option<Node>,
    /// Whose credentials; admin when absent.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// What must hold of each answer; status 200 when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `billing:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Billing")]
pub struct RawBilling {
    /// Whose.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// `byok`, `platform_managed`, `disabled`; `null` clears the override.
    #[schemars(required)]
    pub mode: Option<Text>,
    /// What must hold of the answer; status 200 and the resolved mode when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `model:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Model")]
pub struct RawModel {
    /// Whose.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// The slug; an empty text clears it.
    #[schemars(required)]
    pub set: Option<Text>,
    /// What must hold of the answer; status 200 and the stored value when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `token:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Token")]
pub struct RawToken {
    /// Whose.
    #[schemars(required)]
    pub workspace: Option<Text>,
    /// Mints an API token and names it for later steps.
    pub mint: Option<Text>,
    /// `all`: revokes every token.
    #[schemars(extend("enum" = ["all"]))]
    pub revoke: Option<Text>,
    /// `true`: a new instance token of an external workspace, every old one revoked.
    pub rotate: Option<Spanned<bool>>,
    /// What must hold of the answer; the action's own success when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
}

/// `http:`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Http")]
pub struct RawHttp {
    /// GET when absent.
    pub method: Option<Text>,
    /// Path and query, or an absolute URL.
    #[schemars(required)]
    pub path: Option<Text>,
    /// Whose credentials: `admin` (default), `none`, `{workspace: ws}`, `{bearer: …}`.
    #[schemars(with = "Option<Auth>")]
    pub auth: Option<Node>,
    /// Extra headers.
    #[schemars(with = "Option<TextMap>")]
    pub headers: Option<Node>,
    /// A JSON body.
    #[schemars(with = "Option<AnyValue>")]
    pub json: Option<Node>,
    /// A raw body.
    pub text: Option<Text>,
    /// A multipart body with one file.
    #[schemars(with = "Option<RawFile>")]
    pub file: Option<Node>,
    /// What must hold of the answer; status 2xx when absent.
    #[schemars(with = "Option<Answered>")]
    pub expect: Option<Node>,
    /// Names for later steps: a JSON path, `header:Name`, `status` or `body`.
    #[schemars(with = "Option<TextMap>")]
    pub capture: Option<Node>,
    /// Repeats a GET until the assertions hold or the time is over.
    pub until: Option<Spanned<bool>>,
    /// The deadline; may stand beside the verb instead.
    pub within: Option<Text>,
}

/// One file of a multipart body.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "File")]
pub struct RawFile {
    /// The form field.
    #[schemars(required)]
    pub field: Option<Text>,
    /// The file's name.
    #[schemars(required)]
    pub name: Option<Text>,
    /// Its type; `application/octet-stream` when absent.
    pub mime: Option<Text>,
    /// Its bytes in base64.
    #[schemars(required)]
    pub base64: Option<Text>,
}
