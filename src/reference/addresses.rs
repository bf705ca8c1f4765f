//! Which addresses an agent may register and which the platform calls (contract §6.1, §7.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::options::Mode;

/// How long a name may take to resolve, in real time.
const RESOLVE: Duration = Duration::from_secs(2);

/// The parts of an http URL that matter here.
#[derive(Debug, PartialEq, Eq)]
struct Target<'a> {
    host: &'a str,
    port: u16,
}

/// Splits an http(s) URL; `None` when it is not one.
fn target(url: &str) -> Option<Target<'_>> {
    let (rest, default) = match url.split_once("://")? {
        (scheme, rest) if scheme.eq_ignore_ascii_case("http") => (rest, 80),
        (scheme, rest) if scheme.eq_ignore_ascii_case("https") => (rest, 443),
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, rest.strip_prefix(':'))
    } else {
        match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let port = match port {
        // Ports that are none are taken; nobody can be called there.
        Some(port) => u16::try_from(port.parse::<u64>().ok()?).unwrap_or(u16::MAX),
        None => default,
    };
    (!host.is_empty()).then_some(Target { host, port })
}

fn v4_in(ip: Ipv4Addr, net: [u8; 4], bits: u32) -> bool {
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(ip) & mask == u32::from(Ipv4Addr::from(net)) & mask
}

/// An address inside an IPv6 one counts as itself.
fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// Why an address is never taken, private ones aside.
fn always_blocked(ip: IpAddr) -> Option<&'static str> {
    match plain(ip) {
        IpAddr::V4(ip) => [
            ([169, 254, 0, 0], 16, "link-local address"),
            ([127, 0, 0, 0], 8, "loopback address"),
            ([192, 0, 2, 0], 24, "documentation address"),
            ([198, 51, 100, 0], 24, "documentation address"),
            ([203, 0, 113, 0], 24, "documentation address"),
            ([100, 64, 0, 0], 10, "carrier-grade NAT address"),
            ([224, 0, 0, 0], 4, "multicast address"),
        ]
        .into_iter()
        .find(|(net, bits, _)| v4_in(ip, *net, *bits))
        .map(|(_, _, why)| why),
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            if ip == Ipv6Addr::LOCALHOST {
                Some("loopback address")
            } else if first & 0xffc0 == 0xfe80 {
                Some("link-local address")
            } else if first & 0xff00 == 0xfc00 {
                Some("unique local address")
            } else if first == 0x2001 && ip.segments()[1] == 0x0db8 {
                Some("documentation address")
            } else {
                None
            }
        }
    }
}

/// Private networks: blocked unless the server is one tenant of many.
fn private(ip: IpAddr) -> bool {
    match plain(ip) {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.segments()[0] & 0xff00 == 0xfd00,
    }
}

async fn resolve(target: &Target<'_>) -> Result<Vec<IpAddr>, String> {
    if let Ok(ip) = target.host.parse::<IpAddr>() {
        return Ok(vec![ip]);
    }
    let lookup = tokio::net::lookup_host((target.host, target.port));
    match crate::clock::timeout(RESOLVE, lookup).await {
        Ok(Ok(found)) => Ok(found.map(|a| a.ip()).collect()),
        _ => Err(format!("hostname {} cannot be resolved", target.host)),
    }
}

/// Whether an agent may register (or be created with) this URL. `saas` takes private networks.
///
/// # Errors
/// The reason, as the platform words it.
pub(super) async fn check_agent_url(url: &str, saas: bool, loopback: bool) -> Result<(), String> {
    let Some(target) = target(url) else { return Err("url must be an http or https URL".to_owned()) };
    if target.host == "localhost" {
        return Ok(());
    }
    for ip in resolve(&target).await? {
        if loopback && ip.is_loopback() {
            continue;
        }
        if let Some(why) = always_blocked(ip) {
            return Err(format!("url targets a blocked address: {why}"));
        }
        if private(ip) && !saas {
            return Err("url targets a blocked address: private address".to_owned());
        }
    }
    Ok(())
}

/// Whether the platform calls this URL.
pub(super) async fn may_call(url: &str, mode: Mode, saas: bool) -> bool {
    let Some(target) = target(url) else { return false };
    let Ok(ips) = (if target.host == "localhost" {
        Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)])
    } else {
        resolve(&target).await
    }) else {
        // A name that does not resolve is the call's own error, not a blocked address.
        return true;
    };
    ips.into_iter().all(|ip| {
        let loopback = plain(ip).is_loopback();
        match mode {
            Mode::Development => loopback || private(ip) || always_blocked(ip).is_none(),
            Mode::Production => always_blocked(ip).is_none() && (saas || !private(ip)),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[tokio::test]
    async fn what_an_agent_may_register() {
        let table: [(&str, bool, Option<&str>); 14] = [
            ("http://localhost:1/", false, None),
            ("http://127.0.0.1:9", false, Some("url targets a blocked address: loopback address")),
            ("http://169.254.169.254/", false, Some("url targets a blocked address: link-local address")),
            ("http://[::1]:80", false, Some("url targets a blocked address: loopback address")),
            ("http://[::ffff:127.0.0.1]:80", false, Some("url targets a blocked address: loopback address")),
            ("http://[fe80::1]/", false, Some("url targets a blocked address: link-local address")),
            ("http://100.64.1.1/", false, Some("url targets a blocked address: carrier-grade NAT address")),
            ("http://224.0.0.1/", true, Some("url targets a blocked address: multicast address")),
            ("http://10.0.0.1/", false, Some("url targets a blocked address: private address")),
            ("http://10.0.0.1/", true, None),
            ("http://172.16.9.9:8000", false, Some("url targets a blocked address: private address")),
            ("https://8.8.8.8", false, None),
            ("ftp://8.8.8.8", false, Some("url must be an http or https URL")),
            ("http://", false, Some("url must be an http or https URL")),
        ];
        for (url, saas, why) in table {
            assert_eq!(check_agent_url(url, saas, false).await.err().as_deref(), why, "{url}");
        }
    }

    #[tokio::test]
    async fn what_the_platform_calls() {
        for (url, development, production) in [
            ("http://localhost:4000", true, false),
            ("http://127.0.0.1:4000", true, false),
            ("http://10.1.2.3:8000", true, false),
            ("http://169.254.1.1", false, false),
            ("http://8.8.8.8", true, true),
        ] {
            assert_eq!(may_call(url, Mode::Development, false).await, development, "{url}");
            assert_eq!(may_call(url, Mode::Production, false).await, production, "{url}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*", host in "[a-z0-9.\\[\\]:@]{0,20}") {
            let _ = target(&text);
            if let Some(found) = target(&format!("http://{host}/x")) {
                prop_assert!(!found.host.is_empty());
            }
        }

        #[test]
        fn no_loopback_literal_is_taken(a in 0..=255_u8, b in 0..=255_u8, c in 0..=255_u8) {
            let ip = IpAddr::from([127, a, b, c]);
            prop_assert_eq!(always_blocked(ip), Some("loopback address"));
            let IpAddr::V4(v4) = ip else { unreachable!() };
            prop_assert_eq!(always_blocked(IpAddr::V6(v4.to_ipv6_mapped())), Some("loopback address"));
        }
    }
}
