//! TLS between harness and platform: whom it trusts, and that everything goes through it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::harness::{Harness, Output};
use super::platform::{Platform, TOKEN, beside, block};

/// Ends TLS before a platform, with a certificate of a CA that nobody knows.
pub(super) struct Front {
    pub base: String,
    /// The CA, PEM.
    pub ca: String,
}

impl Front {
    fn before(platform: &Platform) -> Front {
        Front::of(&platform.base, "127.0.0.1", 1975)
    }

    /// Before an address, with a certificate for this name that is good from this year on.
    pub(super) fn of(upstream: &str, name: &str, from: i32) -> Front {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        let cert = params.signed_by(&key, &issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(
            tokio_rustls::rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = block(TcpListener::bind("127.0.0.1:0")).unwrap();
        let base = format!("https://{}", listener.local_addr().unwrap());
        let upstream = upstream.trim_start_matches("http://").to_owned();
        beside(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                beside(async move {
                    // Either side may hang up at any time, and whoever does not trust us does.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
                    drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                });
            }
        });
        Front { base, ca: issuer.pem() }
    }

    fn run(&self, more: &[&str]) -> Output {
        let line =
            ["run", "local-events", "--target", "live", "--base-url", &self.base, "--admin-token", TOKEN];
        Harness::new().file("ca.pem", &self.ca).args(line).args(more.iter().copied()).run()
    }
}

#[test]
fn a_certificate_nobody_vouches_for_is_said_and_nothing_is_sent() {
    let platform = Platform::start(["--time-scale", "20"]);
    let front = Front::before(&platform);
    front.run(&[]).exit(3).stderr_has("certificate").stderr_has("--ca-cert");
    platform.is_empty();
}

/// The scenario wants the event stream, which has to trust the same CA.
#[test]
fn the_event_stream_trusts_whom_the_requests_trust() {
    let platform = Platform::start(["--time-scale", "20"]);
    let front = Front::before(&platform);
    front.run(&["--require-live", "--ca-cert", "ca.pem"]).exit(0).stderr_has("PASS       local-events");
    let output = front.run(&["--require-live", "--insecure"]);
    output.exit(0).stderr_has("PASS       local-events").stderr_has("TLS certificates are not verified");
    platform.is_empty();
}
