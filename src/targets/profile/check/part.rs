//! A service or the server: what is started, when it is ready, how it is stopped.

use std::time::Duration;

use regex::Regex;

use super::{Check, is_variable};
use crate::scenario::raw::values::Text;
use crate::scenario::template::Template;
use crate::source::{Span, did_you_mean};
use crate::targets::profile::model::{Part, Probe, Ready, SERVER, Signal, Starts, Stop};
use crate::targets::profile::raw::{RawPart, RawPublish, RawReady, RawStop};
use crate::targets::profile::saas;
use crate::yaml::{Kind, Node};

/// How long something may take to be ready when nobody says.
const WITHIN: Duration = Duration::from_secs(30);

impl Check<'_> {
    pub(super) fn part(&mut self, name: &str, span: Span, node: &Node) -> Part {
        let raw: RawPart = self.read(node);
        let given = self.variables(raw.given.as_ref());
        // A part may speak of its own address, but not in it.
        let url = self.template_of(raw.url.as_ref());
        if raw.url.is_some() || !given.is_empty() {
            match name {
                SERVER => self.known.server = true,
                _ => self.known.services.push(name.to_owned()),
            }
        }
        if name == SERVER && raw.url.is_none() && node.get("url").is_none() {
            let hint = "for example `url: http://127.0.0.1:${ports.server}`";
            self.error("missing-field", span, "the server needs `url`: where it answers", Some(hint));
        }
        let starts = self.starts(&raw, span, name, !given.is_empty());
        let command = matches!(starts, Starts::Command { .. });
        let mut of_a_command = |node: Option<&Node>, field: &str| {
            let span = node.map(|n| n.span).filter(|_| !command)?;
            self.error(
                "not-a-command",
                span,
                format!("`{field}` goes with a `command` that is started"),
                None,
            );
            Some(())
        };
        of_a_command(raw.before.as_ref(), "before");
        of_a_command(raw.after.as_ref(), "after");
        of_a_command(raw.finally.as_ref(), "finally");
        let env = self.templates(raw.env.as_ref());
        for (key, _) in self.entries(raw.env.as_ref()) {
            if !is_variable(&key.text) {
                self.error("variable", key.span, format!("`{}` is not a name of a variable", key.text), None);
            }
        }
        let pass = self.variables(raw.pass.as_ref());
        self.refuse_production(name, span, &env, &pass);
        let ready = raw.ready.as_ref().map(Node::one_or_many).unwrap_or_default();
        let ready: Vec<Ready> = ready.into_iter().filter_map(|n| self.ready(n)).collect();
        if name == SERVER
            && raw.ready.is_none()
            && node.get("ready").is_none()
            && !matches!(starts, Starts::Nothing)
        {
            let hint =
                "for example `ready: {http: \"http://127.0.0.1:${ports.server}/health\", within: 60s}`";
            self.error("missing-field", span, "the server needs `ready`: when it can be used", Some(hint));
        }
        Part {
            name: name.to_owned(),
            span,
            given,
            url,
            starts,
            env,
            pass,
            before: self.commands(raw.before.as_ref()),
            ready,
            after: self.commands(raw.after.as_ref()),
            stop: self.stop(raw.stop.as_ref()),
            finally: self.commands(raw.finally.as_ref()),
        }
    }

    fn starts(&mut self, raw: &RawPart, span: Span, name: &str, given: bool) -> Starts {
        let argv = raw.command.as_ref().map(|n| self.argv(n)).unwrap_or_default();
        match (&raw.image, &raw.command) {
            (Some(image), _) => {
                for (field, there) in [("user", &raw.user), ("directory", &raw.directory)] {
                    if let Some(text) = there {
                        self.error(
                            "not-a-command",
                            text.span,
                            format!("`{field}` goes with a `command`"),
                            None,
                        );
                    }
                }
                let image = self.template(image);
                Starts::Image { image, argv, publish: raw.publish.as_ref().and_then(|n| self.publish(n)) }
            }
            (None, Some(_)) => {
                if let Some(node) = &raw.publish {
                    self.error("not-an-image", node.span, "`publish` goes with an `image`", None);
                }
                let user = self.template_of(raw.user.as_ref());
                Starts::Command { argv, user, directory: self.template_of(raw.directory.as_ref()) }
            }
            (None, None) if given => Starts::Nothing,
            (None, None) => {
                let hint =
                    "`command: […]`, `image: name`, or `given: VARIABLE` for one that is there already";
                self.error("missing-field", span, format!("nobody knows how to start `{name}`"), Some(hint));
                Starts::Nothing
            }
        }
    }

    /// Program and arguments; a text would need a shell to take it apart.
    fn argv(&mut self, node: &Node) -> Vec<Template> {
        match &node.kind {
            Kind::List(items) if !items.is_empty() => {
                let items = items.clone();
                let mut argv = Vec::new();
                for item in &items {
                    let text = self.text_of(item);
                    argv.push(self.template(&text));
                }
                argv
            }
            _ => {
                let hint = "program and arguments, each an element: `[redis-server, --port, \"${ports.redis}\"]`; there is no shell";
                self.error("command", node.span, "a command is a list", Some(hint));
                Vec::new()
            }
        }
    }

    fn commands(&mut self, node: Option<&Node>) -> Vec<Vec<Template>> {
        match node.map(|n| (&n.kind, n.span)) {
            None => Vec::new(),
            Some((Kind::List(items), _)) => items.clone().iter().map(|item| self.argv(item)).collect(),
            Some((_, span)) => {
                let hint = "for example `[[initdb, -D, \"${folders.data}\"]]`";
                self.error("command", span, "this is a list of commands, each a list", Some(hint));
                Vec::new()
            }
        }
    }

    fn publish(&mut self, node: &Node) -> Option<(u16, Template)> {
        let raw: RawPublish = self.read(node);
        let (Some(port), Some(at)) = (&raw.port, &raw.at) else {
            let hint = "for example `{port: 5432, at: \"${ports.postgres}\"}`";
            self.error("missing-field", node.span, "`publish` needs `port` and `at`", Some(hint));
            return None;
        };
        let at = self.template(at);
        match port.value.parse::<u16>() {
            Ok(port) if port > 0 => Some((port, at)),
            _ => {
                self.error("port", port.span, format!("`{}` is not a port", port.value), None);
                None
            }
        }
    }

    fn ready(&mut self, node: &Node) -> Option<Ready> {
        let raw: RawReady = self.read(node);
        let within = self.duration(raw.within.as_ref(), WITHIN);
        let given = [&raw.http, &raw.tcp, &raw.log].iter().filter(|f| f.is_some()).count();
        if given != 1 && matches!(node.kind, Kind::Map(_)) {
            let hint = "one of `http: URL`, `tcp: address:port`, `log: expression`; several make a list";
            self.error(
                "ready",
                node.span,
                format!("exactly one thing is looked at here, not {given}"),
                Some(hint),
            );
            return None;
        }
        for (field, there, with, other) in [
            ("status", &raw.status, "http", &raw.http),
            ("send", &raw.send, "tcp", &raw.tcp),
            ("expect", &raw.expect, "tcp", &raw.tcp),
        ] {
            if let (Some(text), None) = (there, other) {
                self.error("ready", text.span, format!("`{field}` goes with `{with}`"), None);
            }
        }
        let probe = if let Some(url) = &raw.http {
            Probe::Http(self.template(url), self.status(raw.status.as_ref()))
        } else if let Some(address) = &raw.tcp {
            Probe::Tcp {
                address: self.template(address),
                send: raw.send.map(|t| t.value),
                expect: raw.expect.map(|t| t.value),
            }
        } else {
            let log = raw.log?;
            match Regex::new(&log.value) {
                Ok(expression) => Probe::Log(expression),
                Err(why) => {
                    let why = why.to_string();
                    let why = why.lines().last().unwrap_or_default().to_owned();
                    self.error("regex", log.span, format!("this is not a regular expression: {why}"), None);
                    return None;
                }
            }
        };
        Some(Ready { probe, within })
    }

    fn status(&mut self, text: Option<&Text>) -> u16 {
        let Some(text) = text else { return 200 };
        text.value.parse().ok().filter(|n| (100..600).contains(n)).unwrap_or_else(|| {
            self.error(
                "status",
                text.span,
                format!("`{}` is not a status", text.value),
                Some("for example 200"),
            );
            200
        })
    }

    fn stop(&mut self, node: Option<&Node>) -> Stop {
        let default = Stop::default();
        let Some(node) = node else { return default };
        let raw: RawStop = self.read(node);
        let signal = raw.signal.as_ref().map(|text| {
            let word = text.value.to_ascii_uppercase();
            let word = word.strip_prefix("SIG").unwrap_or(&word);
            Signal::ALL.into_iter().find(|s| s.as_str() == word).unwrap_or_else(|| {
                let hint = did_you_mean(word, Signal::ALL.map(Signal::as_str));
                let message = format!("`{}` is not a signal that asks a process to end", text.value);
                self.error("unknown-word", text.span, message, Some(&hint));
                default.signal
            })
        });
        Stop {
            signal: signal.unwrap_or(default.signal),
            grace: self.duration(raw.grace.as_ref(), default.grace),
        }
    }

    /// What can be known here: values that only a start knows are looked at again before it.
    fn refuse_production(
        &mut self,
        name: &str,
        span: Span,
        env: &indexmap::IndexMap<String, Template>,
        pass: &[String],
    ) {
        let literal = |t: &Template| t.as_literal().map(str::to_owned);
        let values: Vec<(&str, Option<String>)> = env.iter().map(|(k, v)| (k.as_str(), literal(v))).collect();
        let passed = pass.iter().map(String::as_str);
        // What is passed on may be unset.
        let certain = values.iter().map(|(k, v)| (*k, v.as_deref()));
        if !saas::is_saas(certain) {
            return;
        }
        let set = |address: &str| {
            values.iter().any(|(k, v)| *k == address && v.as_deref().is_none_or(|v| !v.trim().is_empty()))
                || passed.clone().any(|name| name == address)
        };
        let missing: Vec<&str> = saas::ADDRESSES.into_iter().filter(|address| !set(address)).collect();
        let hint =
            "set all of them, for example to a stub of the control plane, or take the organisation away";
        if !missing.is_empty() {
            self.error("production", span, format!("`{name}`: {}", saas::unset(&missing)), Some(hint));
        }
        for (address, value) in &values {
            let production = value.as_deref().is_some_and(saas::is_production);
            if saas::ADDRESSES.contains(address) && production {
                let message = format!("`{name}`: {address} is the control plane of production (#2863)");
                self.error("production", span, message, Some(hint));
            }
        }
    }
}
