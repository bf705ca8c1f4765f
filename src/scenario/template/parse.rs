//! The grammar of `${…}`: path, quoted literal, or call of a fixed function; `$${` is a plain `${`.

use crate::source::{Span, did_you_mean};

use super::{Expr, Function, Piece, Template, TemplateValue};

/// What is wrong in a template, and where in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSyntax {
    /// One line.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Byte offset in the text.
    pub at: usize,
    /// Bytes.
    pub len: usize,
}

impl std::fmt::Display for TemplateSyntax {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TemplateSyntax {}

impl Template {
    /// Reads a text that may hold `${…}`.
    ///
    /// # Errors
    /// The first mistake, with its place in the text.
    pub fn parse(raw: &str, span: Span) -> Result<Template, TemplateSyntax> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        while let Some(found) = raw[at..].find("${") {
            let open = at + found;
            if raw[at..open].ends_with('$') {
                text.push_str(&raw[at..open - 1]);
                text.push_str("${");
                at = open + 2;
                continue;
            }
            text.push_str(&raw[at..open]);
            let mut reader = Reader { raw, at: open + 2, depth: 0 };
            let expr = reader.whole(open)?;
            if !text.is_empty() {
                parts.push(Piece::Text(std::mem::take(&mut text)));
            }
            parts.push(Piece::Expr(expr));
            at = reader.at;
        }
        text.push_str(&raw[at..]);
        if !text.is_empty() {
            parts.push(Piece::Text(text));
        }
        Ok(Template { raw: raw.to_owned(), parts, span })
    }

    /// The text that parses to these parts.
    pub fn from_parts(parts: Vec<Piece>) -> Template {
        let raw = parts
            .iter()
            .map(|part| match part {
                Piece::Text(text) => text.replace("${", "$${"),
                Piece::Expr(expr) => format!("${{{expr}}}"),
            })
            .collect();
        Template { raw, parts, span: Span::default() }
    }
}

impl TemplateValue {
    /// Reads a JSON value whose strings may hold `${…}`; no places.
    ///
    /// # Errors
    /// The first mistake.
    pub fn from_json(value: &serde_json::Value) -> Result<TemplateValue, TemplateSyntax> {
        use serde_json::Value;
        Ok(match value {
            Value::String(text) => TemplateValue::Text(Template::parse(text, Span::default())?),
            Value::Array(items) => {
                TemplateValue::List(items.iter().map(Self::from_json).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => TemplateValue::Map(
                map.iter()
                    .map(|(k, v)| Ok((k.clone(), Self::from_json(v)?)))
                    .collect::<Result<_, TemplateSyntax>>()?,
            ),
            plain => TemplateValue::Plain(plain.clone()),
        })
    }
}

/// Deeper nesting than anybody writes; keeps a hostile text from using up the stack.
const MAX_DEPTH: usize = 16;

struct Reader<'a> {
    raw: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn whole(&mut self, open: usize) -> Result<Expr, TemplateSyntax> {
        let unclosed = |at: usize| TemplateSyntax {
            message: "`${` is never closed".to_owned(),
            hint: Some("close it with `}`, or write `$${` for a plain `${`".to_owned()),
            at: open,
            len: at.saturating_sub(open).max(2),
        };
        self.blank();
        if self.peek() == Some('}') {
            return Err(TemplateSyntax {
                message: "`${}` names nothing".to_owned(),
                hint: Some("write a name, for example `${inputs.runtime}` or `${ws.id}`".to_owned()),
                at: open,
                len: self.at + 1 - open,
            });
        }
        if self.peek().is_none() {
            return Err(unclosed(self.raw.len()));
        }
        let expr = self.expr()?;
        self.blank();
        match self.peek() {
            Some('}') => {
                self.at += 1;
                Ok(expr)
            }
            None => Err(unclosed(self.raw.len())),
            Some(_) => Err(self.wrong("`}` is expected here")),
        }
    }

    fn expr(&mut self) -> Result<Expr, TemplateSyntax> {
        self.blank();
        match self.peek() {
            Some(quote @ ('\'' | '"')) => self.literal(quote),
            Some(c) if is_word(c) => {
                let start = self.at;
                let path = self.path()?;
                self.blank();
                if self.peek() == Some('(') {
                    return self.call(start, &path.join("."));
                }
                Ok(Expr::Path(path))
            }
            _ => Err(self.wrong("a name, a quoted text or a function call is expected here")),
        }
    }

    fn literal(&mut self, quote: char) -> Result<Expr, TemplateSyntax> {
        let start = self.at + 1;
        match self.raw[start..].find(quote) {
            Some(len) => {
                self.at = start + len + 1;
                Ok(Expr::Literal(self.raw[start..start + len].to_owned()))
            }
            None => Err(TemplateSyntax {
                message: "this quoted text is never closed".to_owned(),
                hint: Some(format!("close it with {quote}")),
                at: start - 1,
                len: 1,
            }),
        }
    }

    fn path(&mut self) -> Result<Vec<String>, TemplateSyntax> {
        let mut path = Vec::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(is_word) {
                self.at += 1;
            }
            if self.at == start {
                return Err(self.wrong("a name is expected after the dot"));
            }
            path.push(self.raw[start..self.at].to_owned());
            if self.peek() != Some('.') {
                return Ok(path);
            }
            self.at += 1;
        }
    }

    fn call(&mut self, start: usize, name: &str) -> Result<Expr, TemplateSyntax> {
        let Some(function) = Function::ALL.into_iter().find(|f| f.as_str() == name) else {
            return Err(TemplateSyntax {
                message: format!("there is no function `{name}`"),
                hint: Some(did_you_mean(name, Function::ALL.map(Function::as_str))),
                at: start,
                len: name.len(),
            });
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("calls are nested too deeply"));
        }
        self.at += 1;
        let mut args = Vec::new();
        self.blank();
        if self.peek() == Some(')') {
            self.at += 1;
        } else {
            loop {
                args.push(self.expr_or_number()?);
                self.blank();
                match self.peek() {
                    Some(',') => self.at += 1,
                    Some(')') => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(self.wrong("`,` or `)` is expected here")),
                }
            }
        }
        self.depth -= 1;
        let (least, most) = function.arity();
        if args.len() < least || args.len() > most {
            let wanted = match (least, most) {
                (0, 0) => "no argument".to_owned(),
                (1, 1) => "one argument".to_owned(),
                (0, 1) => "at most one argument".to_owned(),
                _ => "at least one argument".to_owned(),
            };
            return Err(TemplateSyntax {
                message: format!("`{name}` takes {wanted}, not {}", args.len()),
                hint: None,
                at: start,
                len: self.at - start,
            });
        }
        Ok(Expr::Call { function, args })
    }

    /// `random(8)`: digits are a literal, not a path.
    fn expr_or_number(&mut self) -> Result<Expr, TemplateSyntax> {
        Ok(match self.expr()? {
            Expr::Path(path) if path.len() == 1 && path[0].bytes().all(|b| b.is_ascii_digit()) => {
                Expr::Literal(path[0].clone())
            }
            expr => expr,
        })
    }

    fn blank(&mut self) {
        while self.peek() == Some(' ') {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<char> {
        self.raw[self.at..].chars().next()
    }

    fn wrong(&self, message: &str) -> TemplateSyntax {
        TemplateSyntax {
            message: message.to_owned(),
            hint: Some(
                "for example `${inputs.runtime}`, `${sha256(ws.id)}`, `${first(reply, 'none')}`".to_owned(),
            ),
            at: self.at,
            len: self.peek().map_or(0, char::len_utf8),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}
