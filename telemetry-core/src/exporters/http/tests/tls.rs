//! TLS: authorities, client certificates, HTTP/2.

use std::fs;
use std::path::PathBuf;

use tokio::io::AsyncWriteExt as _;

use super::server::{Does, Server, answer};
use super::{Client, Settings, client, fine, run, said};
use crate::exporters::authority::Authority;
use crate::exporters::tls::Identity;

/// A server of that name, and whose clients have to show a certificate of `clients`.
async fn server(of: &Authority, name: &str, alpn: &[&str], clients: Option<&Authority>) -> Server {
    Server::listen(Some(of.acceptor(name, alpn, clients)), |_| fine()).await
}

#[test]
fn http_2_is_spoken_where_the_receiver_offers_it() {
    run(async {
        let authority = Authority::new();
        for (alpn, version) in [(&["h2", "http/1.1"][..], "2"), (&["http/1.1"], "1.1"), (&[], "1.1")] {
            let server = server(&authority, "127.0.0.1", alpn, None).await;
            let client = client(&server.url(), |settings| settings.ca = Some(authority.ca()));
            for _ in 0..2 {
                let answer = client.post("v1/traces", "text/plain", "1".into()).await.unwrap();
                assert_eq!(answer.status, 200);
            }
            let seen = server.seen();
            assert!(seen.iter().all(|seen| (seen.version, seen.connection) == (version, 1)), "{seen:?}");
            assert!(seen[0].head.starts_with("POST ") && seen[0].head.contains("/v1/traces"), "{seen:?}");
        }
    });
}

#[test]
fn an_idle_connection_that_was_closed_is_replaced() {
    run(async {
        let authority = Authority::new();
        for alpn in ["h2", "http/1.1"] {
            let script = |n| if n == 1 { Does::Close } else { fine() };
            let server = Server::listen(Some(authority.acceptor("127.0.0.1", &[alpn], None)), script).await;
            let client = client(&server.url(), |settings| settings.ca = Some(authority.ca()));
            for _ in 0..2 {
                client.post("", "text/plain", "1".into()).await.unwrap();
            }
            let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
            assert_eq!(connections, [1, 1, 2], "{alpn}");
        }
    });
}

#[test]
fn what_is_wrong_with_tls_is_said() {
    run(async {
        let (authority, other) = (Authority::new(), Authority::new());
        let good = server(&authority, "127.0.0.1", &[], None).await;
        let elsewhere = server(&authority, "shop.example", &[], None).await;
        let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain_url = format!("https://{}", plain.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = plain.accept().await.unwrap();
            stream.write_all(&answer("400 Bad Request", "", "")).await.unwrap();
        });
        for (url, trusted, named) in [
            (good.url(), &other, "TLS failed: invalid peer certificate: UnknownIssuer"),
            (elsewhere.url(), &authority, "TLS failed: invalid peer certificate: certificate not valid"),
            (plain_url, &authority, "TLS failed: received corrupt message of type InvalidContentType"),
        ] {
            let error = said(&client(&url, |settings| settings.ca = Some(trusted.ca()))).await;
            let text = error.to_string();
            assert!(error.is_retryable() && text.starts_with(&format!("{url}/: {named}")), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    });
}

#[test]
fn a_client_shows_its_certificate() {
    run(async {
        let (authority, clients) = (Authority::new(), Authority::new());
        for alpn in ["h2", "http/1.1"] {
            let server = server(&authority, "127.0.0.1", &[alpn], Some(&clients)).await;
            let identity = clients.identity(clients.directory.path());
            let ca = authority.ca();
            let known = client(&server.url(), |settings| {
                (settings.ca, settings.identity) = (Some(ca.clone()), Some(identity));
            });
            known.post("", "text/plain", "1".into()).await.unwrap();
            let unknown = said(&client(&server.url(), |settings| settings.ca = Some(ca))).await;
            assert!(unknown.is_retryable());
            assert!(unknown.to_string().contains("CertificateRequired"), "{unknown}");
        }
    });
}

#[test]
fn certificates_are_read_again_when_they_change() {
    run(async {
        let (first, second, files) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
        let ca = files.path().join("ca.pem");
        fs::write(&ca, first.issuer.pem()).unwrap();
        let identity = first.identity(files.path());
        let server = server(&second, "127.0.0.1", &["h2"], Some(&second)).await;
        let client = client(&server.url(), |settings| {
            (settings.ca, settings.identity) = (Some(ca.clone()), Some(identity.clone()));
        });
        assert!(said(&client).await.to_string().contains("UnknownIssuer"));
        fs::write(&ca, second.issuer.pem()).unwrap();
        assert!(said(&client).await.to_string().contains("fatal alert"), "the client is still the first's");
        let renewed = second.identity(files.path());
        let key = fs::read(&renewed.key).unwrap();
        fs::write(&renewed.key, "half").unwrap();
        let error = said(&client).await;
        assert!(error.is_retryable() && error.to_string().contains("holds no private key"), "{error}");
        fs::write(&renewed.key, key).unwrap();
        client.post("", "text/plain", "1".into()).await.unwrap();
        client.post("", "text/plain", "2".into()).await.unwrap();
        assert!(server.seen().iter().all(|seen| seen.connection == server.seen()[0].connection));
    });
}

#[test]
fn files_without_certificates_are_named() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let identity = authority.identity(directory.path());
    let empty = directory.path().join("empty");
    fs::write(&empty, "nothing").unwrap();
    let refused = |ca: PathBuf, identity: Identity| {
        let mut settings = Settings::new("https://127.0.0.1").unwrap();
        (settings.ca, settings.identity) = (Some(ca), Some(identity));
        Client::new(settings).map(drop).expect_err("it can't be used")
    };
    assert_eq!(refused(empty.clone(), identity.clone()), "the file of the CA holds no certificate (PEM)");
    let no_certificate = Identity { certificate: empty.clone(), ..identity.clone() };
    assert_eq!(
        refused(authority.ca(), no_certificate),
        "the file of the client certificate holds no certificate (PEM)"
    );
    let no_key = Identity { key: empty, ..identity.clone() };
    assert_eq!(refused(authority.ca(), no_key), "the file of the client key holds no private key (PEM)");
    let missing = Identity { key: directory.path().join("missing"), ..identity.clone() };
    assert!(refused(authority.ca(), missing).contains("missing can't be read: No such file"));
    let other = authority.identity(authority.directory.path());
    let said = refused(authority.ca(), Identity { key: other.key, ..identity });
    assert!(said.starts_with("the client certificate and its key can't be used"), "{said}");
}
