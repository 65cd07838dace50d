//! What servers say of what they refuse, each answer that there is: what is delivered, refused and tried again. The server is one of
//! the tests that answers as OpenTSDB and Apptuit are documented to.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use telemetry_layer::exporters::ExportReport;
use telemetry_layer::ledger::ExporterAccount;
use telemetry_layer::model::{DataPoint, Kind, Metric};
use telemetry_layer::{CheckAtStart, Collector};
use telemetry_tests::SOON;
use telemetry_tests::scripted_tsd::{Put, Say, ScriptedTsd};

use super::{account, exporting};

/// What became of points `a` to `e` and a histogram `h` on a server with that script.
struct Ended {
    account: ExporterAccount,
    reports: Vec<ExportReport>,
    puts: Vec<Put>,
}

impl Ended {
    fn error(&self) -> &str {
        self.reports[0].error.as_deref().unwrap_or_default()
    }
}

const POINTS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn send(url: &str) -> (ExporterAccount, Vec<ExportReport>) {
    let reports = Arc::<Mutex<Vec<ExportReport>>>::default();
    let seen = Arc::clone(&reports);
    let keep = move |report: &ExportReport| {
        if report.exporter == "opentsdb" {
            seen.lock().unwrap().push(report.clone());
        }
    };
    let collector = exporting(url, |builder| builder.on_export(keep));
    // What is measured comes in one request.
    POINTS.iter().for_each(|name| collector.gauge(*name).set(1));
    collector.histogram("h").record(5);
    let account = account(&collector.shutdown(SOON));
    let reports = std::mem::take(&mut *reports.lock().unwrap());
    (account, reports)
}

fn ended(options: &str, script: impl Fn(usize, &Put) -> (u16, String) + Send + Sync + 'static) -> Ended {
    let server = ScriptedTsd::http(script);
    let (account, reports) = send(&format!("opentsdb+http://{}?{options}", server.address));
    Ended { account, reports, puts: server.puts() }
}

/// The points of a request that are of one of these metrics were refused.
fn refusal(put: &Put, names: &[&str]) -> String {
    let points = put.points();
    let is_refused = |point: &&Value| names.contains(&point["metric"].as_str().unwrap());
    let errors =
        points.iter().filter(is_refused).map(|point| json!({"datapoint": point, "error": "Unknown metric"}));
    let errors: Vec<_> = errors.collect();
    json!({"success": points.len() - errors.len(), "failed": errors.len(), "errors": errors}).to_string()
}

#[test]
fn an_answer_of_success_says_that_all_was_taken() {
    for (status, text) in [
        (204, ""),
        (200, ""),
        (200, r#"{"success":13,"failed":0,"errors":[]}"#),
        (200, "thanks"),
        (202, "<html>"),
        (200, r#"{"success":"#),
    ] {
        let ended = ended("", move |_, _| (status, text.to_owned()));
        assert_eq!((ended.account.delivered, ended.account.rejected), (6, 0), "{status} {text}");
        let said = if text.starts_with(r#"{"success":"#) && text.len() < 20 {
            "the answer can't be read"
        } else {
            ""
        };
        assert_eq!(ended.error(), said, "{status} {text}");
    }
}

#[test]
fn what_was_refused_is_counted_by_point_and_the_first_reason_is_told() {
    for status in [400, 200] {
        let ended = ended("", move |_, put| (status, refusal(put, &["b", "d"])));
        assert_eq!((ended.account.delivered, ended.account.rejected), (4, 2), "{status}");
        let said = "2 of 13 data points were refused, the first of them, of b: Unknown metric";
        assert_eq!(ended.error(), said, "{status}");
        assert_eq!((ended.puts.len(), ended.reports.len()), (1, 1), "nothing is sent again");
    }
    // A histogram of which some numbers were refused is one item.
    let ended = ended("", |_, put| (400, refusal(put, &["h.p50", "h.p99", "a"])));
    assert_eq!((ended.account.delivered, ended.account.rejected), (4, 2));
}

#[test]
fn a_request_that_is_refused_as_a_whole_is_rejected_with_what_was_said() {
    for (text, said) in [
        ("<html>no</html>", "answered 400 Bad Request"),
        ("no JSON", "answered 400 Bad Request: no JSON"),
        (
            r#"{"error":{"code":400,"message":"Unable to parse the given JSON"}}"#,
            "400 Bad Request: Unable to parse",
        ),
        ("", "answered 400 Bad Request"),
    ] {
        let ended = ended("", move |_, _| (400, text.to_owned()));
        assert_eq!((ended.account.delivered, ended.account.rejected), (0, 6), "{text}");
        assert!(ended.error().contains(said), "{}", ended.error());
        assert_eq!(ended.puts.len(), 1);
    }
    let ended = ended("", |_, _| (404, "Page Not Found".to_owned()));
    assert_eq!((ended.account.rejected, ended.puts.len()), (6, 1));
}

#[test]
fn a_request_that_is_too_large_is_sent_in_smaller_ones() {
    let chunked = r#"{"error":{"code":400,"message":"Chunked request not supported."}}"#;
    for (status, text) in [(413, "Payload Too Large"), (400, chunked)] {
        let ended =
            ended(
                "",
                move |_, put| {
                    if put.points().len() > 8 { (status, text.to_owned()) } else { (204, String::new()) }
                },
            );
        assert_eq!((ended.account.delivered, ended.account.rejected), (6, 0), "{status}");
        let sizes: Vec<_> = ended.puts.iter().map(|put| put.points().len()).collect();
        let taken = sizes.iter().filter(|points| **points <= 8);
        assert!(sizes[0] == 13 && taken.sum::<usize>() == 13, "{sizes:?}");
    }
}

#[test]
fn a_server_that_is_overloaded_or_failed_is_asked_again() {
    for status in [500, 502, 503, 429] {
        let ended = ended("", move |n, _| (if n == 1 { status } else { 204 }, "Please throttle".to_owned()));
        assert_eq!((ended.account.delivered, ended.account.rejected), (6, 0), "{status}");
        assert!(ended.error().contains(&format!("answered {status} ")), "{}", ended.error());
        assert_eq!(ended.puts.len(), 2, "{status}");
        assert_eq!(ended.puts[0].body, ended.puts[1].body);
    }
}

#[test]
fn a_token_that_is_refused_is_never_shown_and_nothing_is_lost_in_silence() {
    let server = ScriptedTsd::http(|_, _| (401, "no such token: secret42".to_owned()));
    let reports = Arc::<Mutex<Vec<ExportReport>>>::default();
    let seen = Arc::clone(&reports);
    let url = format!("opentsdb+http://{}?token=secret42", server.address);
    let collector = exporting(&url, |builder| {
        builder.on_export(move |report: &ExportReport| seen.lock().unwrap().push(report.clone()))
    });
    collector.send([DataPoint::new("a", 1)]).unwrap();
    let report = collector.shutdown(Duration::from_secs(1));
    let account = account(&report);
    assert!(!report.is_complete() && account.delivered == 0 && account.dropped.total() == 1, "{report}");
    let reports = reports.lock().unwrap();
    let error = reports.iter().find_map(|report| report.error.clone()).unwrap();
    assert!(
        error.contains("answered 401 Unauthorized: no such token: ***") && !error.contains("secret42"),
        "{error}"
    );
    assert!(server.puts()[0].headers.contains("authorization: bearer secret42"));
}

/// Sends a point that nobody refuses, in a request of its own, and ends.
fn end(collector: &Collector) -> ExporterAccount {
    collector.send([DataPoint::new("last", 1)]).unwrap();
    account(&collector.shutdown(SOON))
}

#[test]
fn lines_that_a_server_writes_back_are_counted_and_the_first_is_told() {
    let server = ScriptedTsd::telnet(|n, _| match n {
        5 => Say::Line("put: illegal argument: b\nput: illegal argument: d".to_owned()),
        _ => Say::Nothing,
    });
    let (tell, told) = mpsc::channel();
    let collector = exporting(&format!("opentsdb://{}?answer_ms=0", server.address), |builder| {
        builder.on_export(move |report| drop(tell.send(report.error.clone())))
    });
    collector.send(POINTS.map(|name| DataPoint::new(name, 1))).unwrap();
    collector.flush(SOON);
    // However late it was, it is there when the next request goes out.
    server.wait_until_said(1);
    let account = end(&collector);
    assert_eq!((account.delivered, account.rejected), (4, 2));
    let said = told.try_iter().flatten().next();
    assert_eq!(said.as_deref(), Some("the server said 2 times no, at first: put: illegal argument: b"));
}

#[test]
fn what_is_written_back_too_late_is_counted_with_the_next_request() {
    // What it says of the first line it writes when the second request is there.
    let server = ScriptedTsd::telnet(|n, _| {
        if n == 2 { Say::Line("put: unknown metric: a".to_owned()) } else { Say::Nothing }
    });
    let collector = exporting(&format!("opentsdb://{}?answer_ms=0", server.address), |builder| builder);
    for name in ["a", "b"] {
        collector.send([DataPoint::new(name, 1)]).unwrap();
        collector.flush(SOON);
    }
    server.wait_until_said(1);
    let account = end(&collector);
    assert_eq!((account.delivered, account.rejected), (2, 1));
}

#[test]
fn what_was_written_back_to_an_attempt_that_failed_counts_nowhere() {
    // It closes the first connection, and the point is sent again.
    let server = ScriptedTsd::telnet(|n, _| {
        if n == 1 { Say::Bye("put: illegal argument: a".to_owned()) } else { Say::Nothing }
    });
    let collector = exporting(&format!("opentsdb://{}?answer_ms=1000", server.address), |builder| {
        builder.check_at_start(CheckAtStart::Off)
    });
    collector.send([DataPoint::new("a", 1)]).unwrap();
    server.wait_for_lines(2);
    let account = account(&collector.shutdown(SOON));
    assert_eq!((account.delivered, account.rejected), (1, 0));
}

#[test]
fn a_refusal_that_was_cut_says_so() {
    let ended = ended("", |_, put| (400, refusal(put, &["a"]) + &" ".repeat(5 << 20)));
    assert_eq!((ended.account.delivered, ended.account.rejected), (0, 6));
    let said = "the answer was cut, so some of it may have been taken";
    assert!(ended.error().ends_with(said), "{}", ended.error());
}

#[test]
fn more_than_there_was_is_not_refused() {
    let answer = r#"{"success":0,"failed":18446744073709551615,"errors":[]}"#;
    let server = ScriptedTsd::http(move |_, _| (400, answer.to_owned()));
    let collector = exporting(&format!("opentsdb+http://{}", server.address), |builder| builder);
    // One that no wire can say is refused before.
    collector.collect_metric(Metric::new(Kind::Gauge, "", 1, 1_700_000_000_000_000_000));
    collector.send([DataPoint::new("a", 1)]).unwrap();
    let account = account(&collector.shutdown(SOON));
    assert_eq!((account.delivered, account.rejected), (0, 2));
}
