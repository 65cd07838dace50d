//! TLS: authorities and client certificates.

use std::fs;

use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::exporters::authority::Authority;

/// Takes connections with TLS; the first lines of those that stood.
async fn server(of: &Authority, name: &str, clients: Option<&Authority>) -> (u16, Lines) {
    let (listener, port) = listener().await;
    let acceptor = of.acceptor(name, &[], clients);
    let (say, lines) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, say) = (acceptor.clone(), say.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let mut stream = BufReader::new(stream);
                while let Some(line) = line(&mut stream).await {
                    say.send(line).unwrap();
                }
            });
        }
    });
    (port, lines)
}

type Lines = tokio::sync::mpsc::UnboundedReceiver<String>;

fn trusting(authority: &Authority, port: u16) -> Settings {
    Settings { ca: Some(authority.ca()), ..settings(Transport::Tls, port) }
}

#[test]
fn lines_go_through_tls() {
    run(async {
        let authority = Authority::new();
        let (port, mut lines) = server(&authority, "127.0.0.1", None).await;
        let connection = connection(trusting(&authority, port));
        connection.reach().await.unwrap();
        for body in ["a\n", "b\nc\n"] {
            connection.send(body.as_bytes()).await.unwrap();
        }
        for want in ["a", "b", "c"] {
            assert_eq!(lines.recv().await.unwrap(), want);
        }
        let body = "x".repeat(4 << 20);
        connection.send(format!("{body}\n").as_bytes()).await.unwrap();
        assert!(lines.recv().await.unwrap() == body, "it is whole");
    });
}

#[test]
fn what_is_wrong_with_tls_is_said() {
    run(async {
        let (authority, other) = (Authority::new(), Authority::new());
        let (good, _lines) = server(&authority, "127.0.0.1", None).await;
        let (elsewhere, _lines) = server(&authority, "shop.example", None).await;
        let (plain, plain_port) = listener().await;
        tokio::spawn(async move {
            let (mut stream, _) = plain.accept().await.unwrap();
            stream.write_all(b"220 hello\r\n").await.unwrap();
            stream
        });
        for (port, trusted, named) in [
            (good, &other, "TLS failed: invalid peer certificate: UnknownIssuer"),
            (elsewhere, &authority, "TLS failed: invalid peer certificate: certificate not valid"),
            (plain_port, &authority, "TLS failed: received corrupt message of type InvalidContentType"),
        ] {
            let said = connection(trusting(trusted, port)).send(b"a\n").await.unwrap_err();
            let text = said.to_string();
            assert!(said.is_retryable() && text.starts_with(&format!("127.0.0.1:{port}: {named}")), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    });
}

#[test]
fn who_never_answers_has_so_much_time() {
    run(async {
        let (_listener, port) = listener().await;
        let authority = Authority::new();
        let connect_timeout = Duration::from_millis(50);
        let settings = Settings { connect_timeout, ..trusting(&authority, port) };
        let said = connection(settings).reach().await.unwrap_err();
        assert_eq!(said.to_string(), format!("127.0.0.1:{port}: no connection within the time-out"));
    });
}

#[test]
fn a_client_shows_its_certificate() {
    run(async {
        let (authority, clients) = (Authority::new(), Authority::new());
        let (port, mut lines) = server(&authority, "127.0.0.1", Some(&clients)).await;
        let identity = Some(clients.identity(clients.directory.path()));
        let known = connection(Settings { identity, ..trusting(&authority, port) });
        known.send(b"known\n").await.unwrap();
        let unknown = connection(trusting(&authority, port));
        // The server says so after the connection stood; it may have come before, or comes when something is sent next.
        let said = loop {
            if let Err(said) = unknown.send(b"unknown\n").await {
                break said.to_string();
            }
        };
        assert!(said.contains("CertificateRequired"), "{said}");
        known.send(b"again\n").await.unwrap();
        for want in ["known", "again"] {
            assert_eq!(lines.recv().await.unwrap(), want);
        }
    });
}

#[test]
fn certificates_are_read_again_when_they_change() {
    run(async {
        let (first, second, files) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
        let ca = files.path().join("ca.pem");
        fs::write(&ca, first.issuer.pem()).unwrap();
        let (port, mut lines) = server(&second, "127.0.0.1", None).await;
        let connection = connection(Settings { ca: Some(ca.clone()), ..settings(Transport::Tls, port) });
        let said = connection.send(b"a\n").await.unwrap_err();
        assert!(said.to_string().contains("UnknownIssuer"), "{said}");
        fs::write(&ca, "half").unwrap();
        let said = connection.send(b"a\n").await.unwrap_err();
        assert!(said.is_retryable() && said.to_string().contains("the CA holds no certificate"), "{said}");
        fs::write(&ca, second.issuer.pem()).unwrap();
        connection.send(b"a\n").await.unwrap();
        assert_eq!(lines.recv().await.unwrap(), "a");
    });
}

#[test]
fn what_can_not_be_used_is_refused_before_anything_is_sent() {
    let authority = Authority::new();
    let refused = |settings| Connection::new(settings).map(drop).expect_err("it can't be used");
    let missing = Settings { ca: Some("/missing.pem".into()), ..settings(Transport::Tls, 1) };
    assert!(refused(missing).contains("/missing.pem can't be read"));
    let nobody = Settings { place: Place::Host("a..b".to_owned(), 1), ..trusting(&authority, 1) };
    assert_eq!(refused(nobody), "`a..b` is no name that a certificate could have");
}
