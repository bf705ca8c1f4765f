//! Which requests may make the platform start an instance, now or a little later (contract §5, §8.1).

use super::Api;
use crate::http::Request;

/// Whose instance a request may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Starts {
    /// Nobody's.
    Nobody,
    /// That of one workspace, at once.
    Now(String),
    /// That of one workspace, when the platform gets to it: quick writes are joined, and a restart is put off.
    Later(String),
    /// Those of all.
    All,
    /// That of one workspace if it is hibernated: a message wakes it, behind its answer.
    Asleep(String),
}

/// What a request may start. A workspace's own bearer writes secrets without a restart.
pub(crate) fn starts(api: &Api, request: &Request) -> Starts {
    if request.method == "GET" {
        return Starts::Nobody;
    }
    let path = request.url.strip_prefix(&api.base_url).unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut segments = path.split('/').skip(1);
    let admin = match (&request.bearer, &api.admin) {
        (Some(bearer), Some(admin)) => bearer.expose() == admin.expose(),
        (None, None) => true,
        _ => false,
    };
    match (segments.next(), segments.next(), segments.next()) {
        (Some("workspaces"), Some(id), Some("restart" | "resume")) => Starts::Now(id.to_owned()),
        (Some("workspaces"), Some(id), Some("secrets")) if admin => Starts::Later(id.to_owned()),
        (Some("workspaces"), Some(id), Some("model")) => Starts::Later(id.to_owned()),
        (Some("workspaces"), Some(id), None) if request.method == "PATCH" => Starts::Later(id.to_owned()),
        (Some("workspaces"), Some(id), Some("a2a")) => Starts::Asleep(id.to_owned()),
        (Some("settings"), Some("secrets"), _) => Starts::All,
        _ => Starts::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TimeScale;
    use crate::domain::Secret;
    use crate::http::{Client, Config};
    use crate::platform::Auth;
    use crate::platform::limits::Limits;

    #[test]
    fn what_a_request_may_start() {
        let api = Api {
            client: Client::new(&Config::default()).unwrap(),
            base_url: "http://h:1".into(),
            admin: Some(Secret::new("admin")),
            org: None,
            scale: TimeScale::default(),
            limits: Limits::default(),
        };
        let own = Auth::Bearer(Secret::new("own"), "workspace ws".into());
        for (method, path, auth, wanted) in [
            ("GET", "/workspaces/w/restart", &Auth::Admin, Starts::Nobody),
            ("POST", "/workspaces/w/restart?force=true", &own, Starts::Now("w".into())),
            ("POST", "/workspaces/w/resume", &Auth::Admin, Starts::Now("w".into())),
            ("POST", "/workspaces/w/secrets", &Auth::Admin, Starts::Later("w".into())),
            ("DELETE", "/workspaces/w/secrets/K", &Auth::Admin, Starts::Later("w".into())),
            ("POST", "/workspaces/w/secrets", &own, Starts::Nobody),
            ("PUT", "/workspaces/w/model", &own, Starts::Later("w".into())),
            ("PUT", "/settings/secrets", &Auth::Admin, Starts::All),
            ("DELETE", "/workspaces/w", &Auth::Admin, Starts::Nobody),
            ("POST", "/workspaces/w/a2a", &Auth::Admin, Starts::Asleep("w".into())),
            ("POST", "/workspaces", &Auth::Admin, Starts::Nobody),
        ] {
            assert_eq!(starts(&api, &api.request(method, path, auth)), wanted, "{method} {path}");
        }
    }
}
