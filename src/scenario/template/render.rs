//! Templates → texts and JSON values, with what a scope knows.

use std::time::Duration;

use base64::Engine as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::domain::time;
use crate::scenario::model::{Condition, ConditionTest, DurationField};

use super::{Expr, Function, Piece, Template, TemplateValue};

/// RFC 3986 "unreserved" stays as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What a template can look up, and where its randomness comes from, so that a run can be seeded.
pub trait Scope {
    /// The value at a path such as `inputs.runtime` or `ws.id`; `None` when there is none (yet).
    fn lookup(&self, path: &[String]) -> Option<Value>;

    /// 64 random bits.
    fn random(&self) -> u64;
}

/// A template that cannot be rendered: what it names has no value, or not a usable one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The path has no value: a capture of a step that was skipped, a field that the platform did not send.
    #[error("`${{{path}}}` has no value here")]
    Missing {
        /// As written.
        path: String,
    },
    /// The text is not what the field needs.
    #[error("`{template}` became `{text}`: {why}")]
    Unusable {
        /// As written.
        template: String,
        /// What it became.
        text: String,
        /// What was wanted.
        why: String,
    },
}

/// A value as text: strings as they are, nothing as an empty text, everything else as compact JSON.
pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Template {
    /// The text with every lookup filled in.
    ///
    /// # Errors
    /// `TemplateError::Missing` for the first path without a value.
    pub fn render(&self, scope: &dyn Scope) -> Result<String, TemplateError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Expr(expr) => text.push_str(&show(&expr.value(scope)?)),
            }
        }
        Ok(text)
    }

    /// The value: a template that is exactly one `${x}` keeps the JSON type of `x`.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn value(&self, scope: &dyn Scope) -> Result<Value, TemplateError> {
        match self.parts.as_slice() {
            [Piece::Expr(expr)] => expr.value(scope),
            _ => self.render(scope).map(Value::String),
        }
    }
}

impl Expr {
    pub(in crate::scenario) fn value(&self, scope: &dyn Scope) -> Result<Value, TemplateError> {
        match self {
            Expr::Literal(text) => Ok(Value::String(text.clone())),
            Expr::Path(path) => {
                scope.lookup(path).ok_or_else(|| TemplateError::Missing { path: path.join(".") })
            }
            Expr::Call { function, args } => call(*function, args, scope).map(Value::String),
        }
    }
}

fn call(function: Function, args: &[Expr], scope: &dyn Scope) -> Result<String, TemplateError> {
    let argument = || args.first().map_or(Ok(String::new()), |arg| arg.value(scope).map(|v| show(&v)));
    Ok(match function {
        Function::Uuid => {
            let bytes = (u128::from(scope.random()) << 64) | u128::from(scope.random());
            uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid().to_string()
        }
        Function::Random => {
            let wanted = argument()?;
            let digits = match wanted.as_str() {
                "" => 8,
                text => text.parse().ok().filter(|n| (1..=64).contains(n)).ok_or_else(|| {
                    TemplateError::Unusable {
                        template: "random(…)".to_owned(),
                        text: wanted.clone(),
                        why: "a number of digits from 1 to 64 is expected".to_owned(),
                    }
                })?,
            };
            let mut hex = String::new();
            while hex.len() < digits {
                hex.push_str(&format!("{:016x}", scope.random()));
            }
            hex.truncate(digits);
            hex
        }
        Function::Sha256 => {
            Sha256::digest(argument()?.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
        }
        Function::Urlencode => utf8_percent_encode(&argument()?, RESERVED).to_string(),
        Function::Base64 => base64::engine::general_purpose::STANDARD.encode(argument()?),
        Function::Without => {
            let text = argument()?;
            let start = args.get(1).map_or(Ok(String::new()), |arg| arg.value(scope).map(|v| show(&v)))?;
            text.strip_prefix(&start).unwrap_or(&text).to_owned()
        }
        Function::First => {
            let mut last = String::new();
            for arg in args {
                match arg.value(scope) {
                    Ok(value) => last = show(&value),
                    Err(TemplateError::Missing { .. }) => continue,
                    Err(other) => return Err(other),
                }
                if !last.is_empty() {
                    break;
                }
            }
            last
        }
    })
}

impl TemplateValue {
    /// The JSON value with every lookup filled in.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render(&self, scope: &dyn Scope) -> Result<Value, TemplateError> {
        Ok(match self {
            TemplateValue::Plain(value) => value.clone(),
            TemplateValue::Text(template) => template.value(scope)?,
            TemplateValue::List(items) => {
                Value::Array(items.iter().map(|item| item.render(scope)).collect::<Result<_, _>>()?)
            }
            TemplateValue::Map(map) => Value::Object(
                map.iter()
                    .map(|(key, value)| Ok((key.clone(), value.render(scope)?)))
                    .collect::<Result<_, TemplateError>>()?,
            ),
        })
    }

    /// Every template at its leaves.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            TemplateValue::Plain(_) => Vec::new(),
            TemplateValue::Text(template) => vec![template],
            TemplateValue::List(items) => items.iter().flat_map(TemplateValue::templates).collect(),
            TemplateValue::Map(map) => map.values().flat_map(TemplateValue::templates).collect(),
        }
    }
}

impl DurationField {
    /// The duration, once the inputs are known.
    ///
    /// # Errors
    /// A path without a value, or a text that is no duration.
    pub fn resolve(&self, scope: &dyn Scope) -> Result<Duration, TemplateError> {
        match self {
            DurationField::Literal(duration) => Ok(*duration),
            DurationField::Template(template) => {
                let text = template.render(scope)?;
                time::parse(&text).map_err(|why| TemplateError::Unusable {
                    template: template.raw.clone(),
                    text,
                    why: why.to_string(),
                })
            }
        }
    }
}

impl Condition {
    /// Whether it holds.
    ///
    /// # Errors
    /// A path without a value.
    pub fn holds(&self, scope: &dyn Scope) -> Result<bool, TemplateError> {
        let left = self.left.render(scope)?;
        Ok(match &self.test {
            ConditionTest::Truthy => !matches!(left.as_str(), "" | "false" | "0"),
            ConditionTest::Equals(right) => left == right.render(scope)?,
            ConditionTest::Differs(right) => left != right.render(scope)?,
            ConditionTest::In(items) => {
                for item in items {
                    if left == item.render(scope)? {
                        return Ok(true);
                    }
                }
                false
            }
        })
    }
}
