mod server;
mod tls;

use std::fs;
use std::io::Read as _;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use server::{Does, Server, answer};

use super::client::Answer;
use super::{Auth, Client, Compression, Secret, Settings};
use crate::exporters::protocol::Encoded;
use crate::exporters::{Again, ExportError, Limits, Protocol, Route, Signal};
use crate::{Batch, Collector, Delivery};

const SOON: Duration = Duration::from_secs(30);

/// In a runtime as that of an exporter.
pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(SOON, test).await.expect("it ends soon") });
    runtime.shutdown_background();
}

fn client(url: &str, change: impl FnOnce(&mut Settings)) -> Client {
    let mut settings = Settings::new(url).unwrap();
    change(&mut settings);
    Client::new(settings).unwrap()
}

async fn said(client: &Client) -> ExportError {
    client.post("", "text/plain", "1".into()).await.expect_err("it is refused")
}

fn fine() -> Does {
    Does::Answer(answer("200 OK", "", ""))
}

#[test]
fn a_request_has_what_the_settings_say_and_an_answer_what_the_receiver_says() {
    run(async {
        let server =
            Server::start(|_| Does::Answer(answer("202 Accepted", "content-type: a/b\r\n", "yes"))).await;
        let client = client(&format!("{}/base/?precision=ns", server.url()), |settings| {
            settings.header("X-Scope", "shop").unwrap();
            settings.header("x-scope", "shop 2").unwrap();
            settings.user_agent = "shop/3 telemetry/1".to_owned();
        });
        let answer = client.post("v1/traces", "text/x", "hello".into()).await.unwrap();
        let (content_type, body) = ("a/b".to_owned(), b"yes".to_vec());
        assert_eq!(answer, Answer { status: 202, content_type, body, is_whole: true });
        client.post("", "text/x", "".into()).await.unwrap();
        let seen = server.seen();
        let head = &seen[0].head;
        assert!(head.starts_with("POST /base/v1/traces?precision=ns HTTP/1.1\r\n"), "{head}");
        for line in ["content-type: text/x", "user-agent: shop/3 telemetry/1", "x-scope: shop 2"] {
            assert_eq!(head.matches(line).count(), 1, "{line} in {head}");
        }
        assert!(!head.contains("content-encoding") && !head.contains("authorization"), "{head}");
        assert_eq!(seen[0].body, b"hello");
        assert!(seen[1].head.starts_with("POST /base/?precision=ns "), "{}", seen[1].head);
        assert!(seen[1].head.contains("\r\ncontent-length: 0\r\n"), "{}", seen[1].head);
        assert_eq!(seen[1].connection, 1, "the connection is used again");
    });
}

#[cfg(any(feature = "influxdb", feature = "opentsdb"))]
#[test]
fn a_refusal_is_read_where_that_is_wanted_and_says_where_it_was_cut() {
    run(async {
        let long = "x".repeat(5 << 20);
        let script = [
            ("400 Bad Request", "{\"failed\": 1}"),
            ("400 Bad Request", &*long),
            ("500 Oh", "no"),
            ("200 OK", "yes"),
        ]
        .map(|(status, body)| Does::Answer(answer(status, "content-type: application/json\r\n", body)));
        let server = Server::start(move |n| script[n].clone()).await;
        let (url, client) = (server.url(), client(&server.url(), |_| ()));
        let ask = || client.ask("api/put", "text/plain", "1".into());
        let whole = ask().await.unwrap_err();
        let read = whole.answer.as_ref().unwrap();
        assert_eq!((read.status, &*read.body, read.is_whole), (400, &b"{\"failed\": 1}"[..], true));
        let error = whole.of_a_part();
        let said = format!("{url}/api/put answered 400 Bad Request: {{\"failed\": 1}}");
        assert_eq!((error.to_string(), error.again()), (said, Again::Never));
        let error = ask().await.unwrap_err().of_a_part();
        assert_eq!(error.again(), Again::Never);
        assert!(
            error.to_string().ends_with("; the answer was cut, so some of it may have been taken"),
            "{error}"
        );
        assert!(ask().await.unwrap_err().error.to_string().contains("answered 500"));
        assert_eq!(ask().await.unwrap().status, 200);
    });
}

#[test]
fn settings_that_are_wrong_are_named() {
    let refused = |url: &str, change: fn(&mut Settings) -> Result<(), String>| {
        let made = Settings::new(url).and_then(|mut settings| {
            change(&mut settings)?;
            Client::new(settings)
        });
        made.map(drop).expect_err(url)
    };
    for (said, named) in [
        (refused("h:4318", |_| Ok(())), "`h` is neither `http` nor `https`"),
        (refused("localhost", |_| Ok(())), "its URL is wrong"),
        (refused("http://", |_| Ok(())), "its URL is wrong: empty host"),
        (refused("http://h", |settings| settings.header("a b", "secret")), "`a b` is no header"),
        (refused("http://h", |settings| settings.header("a", "secret\n")), "the value of `a` can't stand"),
        (
            refused("http://h", |settings| {
                settings.auth = Some(Auth::Bearer(Secret::File("/nowhere/token".into())));
                Ok(())
            }),
            "/nowhere/token can't be read: No such file",
        ),
    ] {
        assert!(said.contains(named) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn a_refusal_says_whether_when_and_why() {
    run(async {
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_mins(2));
        let script = [
            ("429 Too Many Requests", "retry-after: 7\r\n".to_owned(), "slow down"),
            ("503 Service Unavailable", format!("retry-after: {date}\r\n"), "<html>"),
            ("413 Payload Too Large", String::new(), ""),
            ("400 Bad Request", String::new(), "{\n\"message\": \"line 3: no value\"\n}"),
            ("401 Unauthorized", String::new(), ""),
        ]
        .map(|(status, headers, body)| Does::Answer(answer(status, &headers, body)));
        let server = Server::start(move |n| script[n].clone()).await;
        let (url, client) = (server.url(), client(&server.url(), |_| ()));
        let first = said(&client).await;
        assert_eq!(first.wait(), Some(Duration::from_secs(7)));
        assert_eq!(first.to_string(), format!("{url}/ answered 429 Too Many Requests: slow down"));
        let second = said(&client).await;
        let wait = second.wait().unwrap();
        assert!(wait > Duration::from_secs(90) && wait <= Duration::from_mins(2), "{wait:?}");
        assert_eq!(second.to_string(), format!("{url}/ answered 503 Service Unavailable"));
        assert_eq!(said(&client).await.again(), Again::Smaller);
        let fourth = said(&client).await;
        assert!(!fourth.is_retryable());
        assert_eq!(fourth.to_string(), format!("{url}/ answered 400 Bad Request: line 3: no value"));
        assert_eq!(said(&client).await.wait(), Some(Duration::from_secs(30)));
        assert!(server.seen().iter().all(|seen| seen.connection == 1), "refusals keep the connection");
    });
}

#[test]
fn redirects_are_not_followed() {
    run(async {
        let other = Server::start(|_| fine()).await;
        let location = format!("location: http://me:hunter22@127.0.0.1:{}/x?key=hunter22\r\n", other.port);
        for status in ["301 Moved Permanently", "307 Temporary Redirect", "308 Permanent Redirect"] {
            let bytes = answer(status, &location, "");
            let server = Server::start(move |_| Does::Answer(bytes.clone())).await;
            let error = said(&client(&server.url(), |_| ())).await;
            let named =
                format!("answered {status}, and redirects (here to {}/x) are not followed", other.url());
            assert!(!error.is_retryable() && error.to_string().ends_with(&named), "{error}");
        }
        assert!(other.seen().is_empty());
    });
}

#[test]
fn answers_are_bounded_and_may_break_off() {
    run(async {
        let huge = "x".repeat(3 << 20);
        let script = [
            Does::Answer(answer("200 OK", "", &huge)),
            Does::Answer(answer("400 Bad Request", "", &huge)),
            Does::AnswerAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
            Does::AnswerAndClose(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
            Does::Answer(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 100\r\n\r\nnever more".to_vec()),
            Does::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nnever more".to_vec()),
        ];
        let server = Server::start(move |n| script[n].clone()).await;
        let client = client(&server.url(), |settings| settings.max_response_bytes = 1 << 20);
        let cut = client.post("", "text/plain", "".into()).await.unwrap();
        assert_eq!((cut.body.len(), cut.is_whole), (1 << 20, false));
        let error = said(&client).await.to_string();
        assert!(error.len() < 400 && error.contains("400 Bad Request: xxx"), "{error}");
        let half = client.post("", "text/plain", "".into()).await.unwrap();
        assert_eq!((half.status, &*half.body, half.is_whole), (200, &b"half"[..], false));
        assert!(said(&client).await.to_string().ends_with("400 Bad Request: half"));
        let slow = said(&client).await;
        assert!(
            slow.is_retryable() && slow.to_string().ends_with("429 Too Many Requests: never more"),
            "{slow}"
        );
        let slow = client.post("", "text/plain", "".into()).await.unwrap();
        assert_eq!((slow.status, &*slow.body, slow.is_whole), (200, &b"never more"[..], false));
    });
}

#[test]
fn an_idle_connection_that_was_closed_is_replaced() {
    run(async {
        let script = [
            // Closed before the next request is written: hyper sees it.
            Does::AnswerAndClose(answer("200 OK", "", "")),
            fine(),
            // Closed while it is on its way: it is sent once more.
            Does::Close,
            fine(),
            // Once, and not more often.
            Does::Close,
            Does::Close,
        ];
        let server = Server::start(move |n| script[n].clone()).await;
        let client = client(&server.url(), |_| ());
        for body in [b"1", b"2", b"3"] {
            client.post("", "text/plain", body.as_slice().into()).await.unwrap();
        }
        let seen: Vec<_> = server.seen().into_iter().map(|seen| (seen.connection, seen.body)).collect();
        let on = |connection, body: &[u8]| (connection, body.to_vec());
        assert_eq!(seen, [on(1, b"1"), on(2, b"2"), on(2, b"3"), on(3, b"3")]);
        let error = said(&client).await;
        assert!(error.is_retryable(), "{error}");
        assert_eq!(server.seen().len(), 6);
    });
}

#[test]
fn a_new_connection_that_is_closed_is_not_replaced_at_once() {
    run(async {
        let server = Server::start(|_| Does::Close).await;
        let error = said(&client(&server.url(), |_| ())).await;
        let broke =
            format!("{}/: the connection broke: connection closed before message completed", server.url());
        assert!(error.is_retryable());
        assert_eq!(error.to_string(), broke);
        assert_eq!(server.seen().len(), 1);
    });
}

#[test]
fn a_request_that_is_let_go_of_does_not_hold_up_the_next() {
    run(async {
        let server = Server::start(|n| if n == 0 { Does::Hang } else { fine() }).await;
        let client = client(&server.url(), |_| ());
        let mut hangs = Box::pin(client.post("", "text/plain", "1".into()));
        while server.seen().is_empty() {
            let _ = tokio::time::timeout(Duration::from_millis(1), &mut hangs).await;
        }
        client.post("", "text/plain", "2".into()).await.unwrap();
        drop(hangs);
        client.post("", "text/plain", "3".into()).await.unwrap();
        let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
        assert_eq!(connections, [1, 2, 2]);
    });
}

#[test]
fn what_keeps_from_connecting_is_said_in_plain_words() {
    run(async {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        // A label of 64 letters asks no server of names.
        let nobody = format!("{}.localhost", "x".repeat(64));
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = format!("https://{}", silent.local_addr().unwrap());
        let time = Duration::from_millis(100);
        for (url, named, time) in [
            (format!("http://{closed}"), "no connection: Connection refused", SOON),
            (format!("http://{nobody}"), "the name of the host can't be looked up: ", SOON),
            (silent, "no connection within the time-out", time),
        ] {
            let client = client(&url, |settings| settings.connect_timeout = time);
            let error = said(&client).await;
            let text = error.to_string();
            assert!(error.is_retryable() && text.starts_with(&format!("{url}/: {named}")), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    });
}

/// Run by the next test, with proxies in its environment.
#[test]
#[ignore = "it needs an environment of its own"]
fn posts_to_a_receiver() {
    run(async {
        let url = std::env::var("RECEIVER").unwrap();
        match client(&url, |_| ()).post("", "text/plain", "1".into()).await {
            Ok(answer) => println!("<{}>", answer.status),
            Err(error) => println!("<{error}>"),
        }
    });
}

#[cfg(feature = "otlp")]
#[test]
fn what_a_partial_success_says_is_one_line_without_secrets() {
    use crate::exporters::otlp::{Encoding, Otlp};
    run(async {
        let body = r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no t0ken-hush\nmore"}}"#;
        let bytes = answer("200 OK", "content-type: application/json\r\n", body);
        let server = Server::start(move |_| Does::Answer(bytes.clone())).await;
        let mut settings = Settings::new(&server.url()).unwrap();
        settings.auth = Some(Auth::Bearer(Secret::Text("t0ken-hush".to_owned())));
        let otlp = Otlp::over_http(settings, Encoding::Json, false, [true; 3]).unwrap();
        let delivery = otlp.send(Signal::Spans, Bytes::new()).await.unwrap();
        assert_eq!((delivery.rejected(), delivery.reason()), (1, "no ***"));
    });
}

#[test]
fn proxies_are_those_of_the_environment() {
    run(async {
        let proxy =
            Server::start(|_| Does::Answer(answer("203 Non-Authoritative Information", "", ""))).await;
        let receiver = Server::start(|_| fine()).await;
        // No server of names is asked for it.
        let far = format!("{}.example", "x".repeat(64));
        for (url, no_proxy, said) in [
            (format!("http://{far}"), "", "<203>"),
            (format!("http://{far}"), "example", "the name of the host can't be looked up"),
            (receiver.url(), "", "<200>"),
        ] {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child.args([
                "--exact",
                "exporters::http::tests::posts_to_a_receiver",
                "--ignored",
                "--nocapture",
            ]);
            child.envs([("RECEIVER", &*url), ("http_proxy", &proxy.url()), ("no_proxy", no_proxy)]);
            let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
            let output = String::from_utf8(output.stdout).unwrap();
            assert!(output.contains(said), "{output}");
        }
        assert_eq!(proxy.seen().len(), 1);
        assert!(proxy.seen()[0].head.starts_with(&format!("POST http://{far}/ ")), "{:?}", proxy.seen());
    });
}

#[test]
fn bodies_are_compressed() {
    run(async {
        let server = Server::start(|_| fine()).await;
        let body = b"telemetry ".repeat(10_000);
        let gzip = client(&server.url(), |settings| settings.compression = Compression::Gzip);
        for _ in 0..3 {
            gzip.post("", "text/plain", body.clone().into()).await.unwrap();
        }
        for seen in server.seen() {
            assert!(seen.head.contains("content-encoding: gzip\r\n") && seen.body.len() < 5_000);
            let mut read = Vec::new();
            flate2::read::GzDecoder::new(&seen.body[..]).read_to_end(&mut read).unwrap();
            assert!(read == body);
        }
        #[cfg(feature = "zstd")]
        {
            let zstd = client(&server.url(), |settings| settings.compression = Compression::Zstd);
            zstd.post("", "text/plain", body.clone().into()).await.unwrap();
            let seen = server.seen().pop().unwrap();
            assert!(seen.head.contains("content-encoding: zstd\r\n"), "{}", seen.head);
            assert!(zstd::decode_all(&seen.body[..]).unwrap() == body);
        }
    });
}

#[test]
fn a_secret_in_a_file_is_read_again() {
    run(async {
        let (server, directory) = (Server::start(|_| fine()).await, tempfile::tempdir().unwrap());
        let path = directory.path().join("token");
        let authorization = || server.seen().last().unwrap().head.clone();
        fs::write(&path, "first\n").unwrap();
        let client = client(&server.url(), |settings| {
            settings.auth = Some(Auth::Bearer(Secret::File(path.clone())));
        });
        for token in ["first", "other", "a longer one"] {
            fs::write(&path, format!("{token}\n")).unwrap();
            client.post("", "text/plain", "".into()).await.unwrap();
            assert!(
                authorization().contains(&format!("authorization: Bearer {token}\r\n")),
                "{}",
                authorization()
            );
        }
        fs::write(&path, "no\u{1}token").unwrap();
        for error in [said(&client).await, client.reach().await.unwrap_err()] {
            assert!(
                error.is_retryable() && error.to_string().contains("the request can't be made"),
                "{error}"
            );
        }
        fs::remove_file(&path).unwrap();
        let error = said(&client).await;
        assert!(
            error.is_retryable() && error.to_string().contains("token can't be read: No such file"),
            "{error}"
        );
        fs::write(&path, "back").unwrap();
        client.post("", "text/plain", "".into()).await.unwrap();
        assert!(authorization().contains("authorization: Bearer back\r\n"));
    });
}

#[test]
fn a_user_has_a_password() {
    run(async {
        let server = Server::start(|_| fine()).await;
        let auth = Auth::Basic { user: "me".to_owned(), password: Secret::Text("hunter 22".to_owned()) };
        let client = client(&server.url(), |settings| settings.auth = Some(auth));
        client.post("", "text/plain", "".into()).await.unwrap();
        let head = &server.seen()[0].head;
        // `printf 'me:hunter 22' | base64`
        assert!(head.contains("authorization: Basic bWU6aHVudGVyIDIy\r\n"), "{head}");
    });
}

#[test]
fn secrets_show_nowhere() {
    run(async {
        // The receiver repeats all that it was told.
        let words = "hunter22 and abc-token";
        let script = move |n| match n {
            0 => Does::Answer(answer("401 Unauthorized", "", words)),
            _ => Does::Close,
        };
        for auth in [
            None,
            Some(Auth::Bearer(Secret::Text("hunter22".to_owned()))),
            Some(Auth::Basic { user: "hunter22".to_owned(), password: Secret::Text("hunter22".to_owned()) }),
        ] {
            let server = Server::start(script).await;
            let url = format!("http://127.0.0.1:{}/x?key=hunter22#hunter22", server.port);
            let mut settings = Settings::new(&url).unwrap();
            settings.header("authorization", "Bearer abc-token").unwrap();
            settings.header("x-key", "hunter22").unwrap();
            settings.auth = auth;
            let mut shown = vec![format!("{settings:?}"), format!("{settings:#?}")];
            let client = Client::new(settings).unwrap();
            shown.push(format!("{client:?}"));
            for _ in 0..2 {
                let error = said(&client).await;
                shown.extend([format!("{error}"), format!("{error:?}")]);
            }
            assert!(shown[3].ends_with("*** and ***"));
            for text in shown {
                let secret = ["hunter", "abc-token"].iter().find(|secret| text.contains(**secret));
                assert!(secret.is_none(), "{text}");
            }
        }
    });
}

/// A protocol of one line a batch.
struct Lines(Client);

impl Protocol for Lines {
    fn name(&self) -> &str {
        "lines"
    }

    fn limits(&self) -> Limits {
        Limits { items: 100, bytes: 1 << 20, in_flight: 2 }
    }

    fn encode(&self, batch: &Batch, _: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        body.extend_from_slice(format!("{} items", batch.len()).as_bytes());
        Ok(batch.len().into())
    }

    fn send(&self, _: Signal, body: Bytes) -> crate::exporters::protocol::Sending<'_> {
        assert!(crate::thread::is_suppressed(), "telemetry looks away from its own thread");
        Box::pin(async move { self.0.post("lines", "text/plain", body).await.map(|_| Delivery::all()) })
    }
}

#[test]
fn a_protocol_over_it_delivers_what_was_refused_at_first() {
    run(async {
        let busy = Does::Answer(answer("503 Service Unavailable", "", "busy"));
        let server = Server::start(move |n| if n == 0 { busy.clone() } else { fine() }).await;
        let lines = Lines(client(&server.url(), |_| ()));
        let program = move || {
            let collector = Collector::builder().exporter(Route::over(lines)).start().unwrap();
            collector.scoped(|| crate::counter("orders").inc());
            collector.flush(SOON);
            collector.shutdown(SOON)
        };
        let report = tokio::task::spawn_blocking(program).await.unwrap();
        assert!(report.is_complete(), "{}", report.ledger());
        let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
        assert!(bodies.len() > 1 && bodies.iter().all(|body| body == b"1 items"), "{bodies:?}");
    });
}

#[test]
fn whoever_answers_is_there_whatever_it_says() {
    run(async {
        let server = Server::start(|_| Does::Answer(answer("405 Method Not Allowed", "", ""))).await;
        let url = format!("http://me:pass@{}/in", &server.url()["http://".len()..]);
        client(&url, |_| ()).reach().await.unwrap();
        let seen = server.seen();
        assert!(seen[0].head.starts_with("HEAD /in HTTP/1.1\r\n"), "{}", seen[0].head);
        assert!(seen[0].head.contains("authorization: Basic "), "{}", seen[0].head);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let said = client(&format!("http://{free}"), |_| ()).reach().await.unwrap_err();
        assert!(said.is_retryable() && said.to_string().contains("no connection"), "{said}");
    });
}
