//! What 2.x and 3.x answer, from a server of the tests that is neither: it says what it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use serde_json::json;
use telemetry_layer::model::DataPoint;
use telemetry_layer::{CheckAtStart, Collector, Signal};
use telemetry_tests::SOON;

use super::exporting;

/// A request.
#[derive(Clone, Debug)]
struct Request {
    /// Method, path and query.
    line: String,
    /// In lower case but for values.
    headers: Vec<String>,
    body: Vec<u8>,
}

/// Answers with the next of these to each write, and with the last one for ever; a check writes nothing, and is answered by 204.
struct Scripted {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Scripted {
    fn start(answers: &[(u16, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let (answers, requests) = (Arc::new(answers.to_vec()), Arc::clone(&seen));
        // It ends with the program of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, requests) = (Arc::clone(&answers), Arc::clone(&requests));
                std::thread::spawn(move || serve(stream, &answers, &requests));
            }
        });
        Self { address, seen }
    }

    fn url(&self, options: &str) -> String {
        format!("influxdb://{}?{options}", self.address)
    }

    /// What came, but for checks.
    fn writes(&self) -> Vec<Request> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|request| !is_check(request)).cloned().collect()
    }
}

fn is_check(request: &Request) -> bool {
    request.body.starts_with(b"#")
}

fn serve(mut stream: TcpStream, answers: &[(u16, String)], seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = request(&mut reader) {
        let (status, body) = if is_check(&request) {
            (204, String::new())
        } else {
            let mut seen = seen.lock().unwrap();
            let number = seen.iter().filter(|request| !is_check(request)).count();
            seen.push(request);
            answers[number.min(answers.len() - 1)].clone()
        };
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n");
        // Who does not wait for the answer to a check is gone.
        let length =
            if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let _ = stream.write_all(format!("{head}{length}\r\n{body}").as_bytes());
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let headers: Vec<String> = std::iter::from_fn(|| line().filter(|line| !line.is_empty())).collect();
    let value = |name: &str| headers.iter().find_map(|header| header.strip_prefix(name));
    let length = value("content-length: ").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if value("content-encoding: ") == Some("gzip") {
        let mut plain = Vec::new();
        GzDecoder::new(&*body).read_to_end(&mut plain).unwrap();
        body = plain;
    }
    Some(Request { line: first, headers, body })
}

/// Sends so many points, each one named by its number; how many were rejected, and what was said.
#[track_caller]
fn sent(server: &Scripted, options: &str, points: u64) -> (u64, u64, Vec<String>) {
    let (builder, said) = exporting(server.url(options));
    let collector = builder.self_metrics(telemetry_layer::SelfMetrics::Off).start().unwrap();
    let all = (0..points).map(|n| DataPoint::new(format!("n{n}"), n).at(n + 1));
    collector.send(all).unwrap();
    let report = collector.shutdown(SOON);
    assert!(report.ledger().balances() && report.late().is_empty(), "{report}");
    let account = report.ledger().exporter("influxdb", Signal::Metrics).unwrap();
    assert_eq!(account.delivered + account.rejected, points, "{report}");
    let said = said.lock().unwrap().clone();
    (account.delivered, account.rejected, said)
}

#[test]
fn a_request_of_2_x_has_its_bucket_and_its_token() {
    for (options, target, authorization) in [
        (
            "org=my%20org&bucket=shop%2F1&token=s3cret-t0ken&compression=gzip&precision=ms",
            "POST /api/v2/write?org=my+org&bucket=shop%2F1&precision=ms HTTP/1.1",
            Some("authorization: Token s3cret-t0ken"),
        ),
        ("bucket=shop", "POST /api/v2/write?bucket=shop&precision=ns HTTP/1.1", None),
        (
            "db=shop&rp=a%26b&consistency=QUORUM&token=s3cret-t0ken",
            "POST /write?db=shop&rp=a%26b&consistency=quorum&precision=ns HTTP/1.1",
            Some("authorization: Bearer s3cret-t0ken"),
        ),
    ] {
        let server = Scripted::start(&[(204, String::new())]);
        assert_eq!(sent(&server, options, 1), (1, 0, Vec::new()));
        let [write] = &server.writes()[..] else { panic!("{:?}", server.writes()) };
        assert_eq!(write.line, target);
        let found = write.headers.iter().find(|header| header.starts_with("authorization"));
        assert_eq!(found.map(String::as_str), authorization);
        assert!(write.headers.iter().any(|header| header == "content-type: text/plain; charset=utf-8"));
        let body = String::from_utf8(write.body.clone()).unwrap();
        assert!(body.starts_with("n0,") && body.ends_with('\n') && body.lines().count() == 1, "{body}");
    }
}

#[test]
fn what_was_dropped_of_a_request_is_counted() {
    let conflict = r#"field type conflict: input field "value" on measurement "n1" is type float, already exists as type string"#;
    for (status, body, dropped, why) in [
        (
            422,
            json!({"code": "unprocessable entity", "message": format!("failure writing points to database: partial write: {conflict} dropped=2")}),
            2,
            conflict,
        ),
        (
            400,
            json!({"error": "partial write of line protocol occurred", "data": [{"original_line": "n1 value=1 1", "line_number": 2, "error_message": "invalid column type"}]}),
            1,
            "line 2: invalid column type",
        ),
        (
            400,
            json!({"code": "invalid", "message": "partial write error (2 accepted): 3/5 points rejected; first error: no"}),
            3,
            "first error: no",
        ),
        (400, json!({"error": "partial write: it was all too much dropped=77"}), 5, "it was all too much"),
        (
            400,
            json!({"code": "invalid", "line": 2, "message": "failed to parse line protocol"}),
            5,
            "400 Bad Request: failed to parse line protocol",
        ),
        (
            404,
            json!({"code": "not found", "message": "bucket \"shop\" not found"}),
            5,
            "404 Not Found: bucket \"shop\" not found",
        ),
    ] {
        let server = Scripted::start(&[(status, body.to_string())]);
        let (delivered, rejected, said) = sent(&server, "bucket=shop", 5);
        assert_eq!((delivered, rejected), (5 - dropped, dropped), "{body}");
        assert!(said.len() == 1 && said[0].contains(why), "{said:?}");
        assert_eq!(server.writes().len(), 1, "nothing of it is sent again");
    }
}

#[test]
fn what_may_go_well_another_time_is_sent_again() {
    let yes = (204, String::new());
    for (status, body) in [
        (503, r#"{"code":"unavailable","message":"the queue is full"}"#),
        (500, r#"{"error":"timeout"}"#),
        (429, "slow down"),
        (502, "<html>bad gateway</html>"),
    ] {
        let server = Scripted::start(&[(status, body.to_owned()), yes.clone()]);
        let (delivered, rejected, said) = sent(&server, "db=shop", 5);
        assert_eq!((delivered, rejected, said.len()), (5, 0, 1), "{status}: {said:?}");
        let writes = server.writes();
        assert!(writes.len() == 2 && writes[0].body == writes[1].body);
    }
    // In halves, as it is too much at once.
    let server = Scripted::start(&[(413, String::new()), yes]);
    assert_eq!(sent(&server, "db=shop", 10).0, 10);
    let lines: Vec<_> =
        server.writes().iter().map(|write| String::from_utf8_lossy(&write.body).lines().count()).collect();
    assert_eq!((lines[0], lines[1..].iter().sum::<usize>()), (10, 10));
    assert!(lines[1..].iter().all(|lines| *lines <= 5), "{lines:?}");
}

#[test]
fn a_request_is_as_large_as_is_advised_and_no_larger() {
    let server = Scripted::start(&[(204, String::new())]);
    assert_eq!(sent(&server, "db=shop", 12_000).0, 12_000);
    let writes = server.writes();
    let lines: Vec<_> =
        writes.iter().map(|write| write.body.split_inclusive(|byte| *byte == b'\n').count()).collect();
    assert!(lines.iter().all(|lines| *lines <= 5_000) && lines.iter().sum::<usize>() == 12_000, "{lines:?}");
    assert!(writes.iter().all(|write| write.body.len() <= 1 << 20));
}

#[test]
fn a_server_that_wants_lines_is_there() {
    let no_org = r#"{"code":"invalid","message":"Please provide either orgID or org"}"#;
    let no_lines = r#"{"error":"no lines: provide some"}"#;
    for (status, text, is_there) in [
        (204, "", true),
        (200, "", true),
        (400, "", true),
        (400, no_lines, true),
        (400, no_org, false),
        (422, "", true),
        (401, "", false),
        (404, "", false),
        (503, "", false),
    ] {
        // A script knows no checks: whatever comes is answered so.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let asked = request(&mut reader).unwrap();
                assert_eq!(asked.body, b"# telemetry\n");
                let length = text.len();
                let end = match status {
                    204 => "\r\n".to_owned(),
                    _ => format!("content-length: {length}\r\n\r\n{text}"),
                };
                let _ = stream.write_all(format!("HTTP/1.1 {status} X\r\n{end}").as_bytes());
            }
        });
        let builder = Collector::builder().ignore_env().check_at_start(CheckAtStart::Fail);
        let started = builder.endpoint(format!("influxdb://{address}?bucket=b&token=s3cret-t0ken")).start();
        assert_eq!(started.is_ok(), is_there, "{status}");
        if let Err(e) = started {
            let said = e.to_string();
            assert!(said.contains(&status.to_string()) && !said.contains("s3cret"), "{said}");
        }
    }
}
