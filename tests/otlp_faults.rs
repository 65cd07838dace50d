//! Receivers of OTLP over HTTP that refuse, break off, hang, lie and come back: what arrives, what is counted, what is said.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use telemetry_layer::Builder;
use telemetry_layer::exporters::{Discard, ExportReport};
use telemetry_layer::ledger::{ExporterAccount, Reason};
use telemetry_layer::model::{Span, SpanContext, SpanId, TraceId};
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;

/// What a receiver does with a request.
enum Act {
    /// With that status, those headers and that body.
    Answer(u16, &'static str, Vec<u8>),
    /// The same, and the connection is closed without a word of it.
    AnswerAndClose(u16),
    /// It takes the request, and the connection breaks before the answer, or in the middle of it.
    Break(&'static str),
    /// It never answers.
    Hang,
}

use Act::{Answer, AnswerAndClose, Break, Hang};

fn ok() -> Act {
    Answer(200, "content-type: application/x-protobuf\r\n", Vec::new())
}

/// A receiver of one's own script, which sees the ids of each request's spans and which request it is.
#[derive(Clone, Default)]
struct Receiver {
    /// How often a span came in a request that was taken.
    taken: Arc<Mutex<HashMap<u64, u32>>>,
    requests: Arc<Mutex<u32>>,
}

type Script = Arc<dyn Fn(&[u64], u32) -> Act + Send + Sync>;

impl Receiver {
    fn start(script: impl Fn(&[u64], u32) -> Act + Send + Sync + 'static) -> (SocketAddr, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, receiver) = (listener.local_addr().unwrap(), Self::default());
        receiver.serve(listener, Arc::new(script));
        (address, receiver)
    }

    fn serve(&self, listener: TcpListener, script: Script) {
        let own = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (own, script) = (own.clone(), Arc::clone(&script));
                std::thread::spawn(move || own.connection(stream, &script));
            }
        });
    }

    fn connection(&self, mut stream: TcpStream, script: &Script) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let body = read_request(&mut reader)?;
            if body.is_empty() {
                // The check at the start.
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
                continue;
            }
            let ids = ids(&body);
            let number = {
                let mut requests = self.requests.lock().unwrap();
                *requests += 1;
                *requests
            };
            let (act, mut taken) = (script(&ids, number), self.taken.lock().unwrap());
            if let Answer(200, ..) | AnswerAndClose(200) | Break(_) = act {
                ids.iter().for_each(|id| *taken.entry(*id).or_default() += 1);
            }
            drop(taken);
            match act {
                Answer(status, headers, body) => {
                    write!(stream, "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len())
                        .ok()?;
                    stream.write_all(&body).ok()?;
                }
                AnswerAndClose(status) => {
                    write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").ok()?;
                    return None;
                }
                Break(begin) => {
                    stream.write_all(begin.as_bytes()).ok()?;
                    return None;
                }
                Hang => drop(reader.read_line(&mut String::new())),
            }
        }
    }

    fn once_each(&self, ids: impl IntoIterator<Item = u64>) {
        let (taken, mut ids): (_, Vec<u64>) = (self.taken.lock().unwrap(), ids.into_iter().collect());
        assert!(taken.values().all(|times| *times == 1), "{taken:?}");
        let mut arrived: Vec<u64> = taken.keys().copied().collect();
        arrived.sort_unstable();
        ids.sort_unstable();
        assert_eq!(arrived, ids);
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn ids(body: &[u8]) -> Vec<u64> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let spans = request.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
    spans.map(|span| u64::from_be_bytes(span.span_id.try_into().unwrap())).collect()
}

fn span(id: u64) -> Span {
    let context = SpanContext::new(TraceId::new(1).unwrap(), SpanId::new(id).unwrap(), true);
    Span::new(context, "s", 1_000, 5)
}

/// Records spans with these ids, and waits for them; beside it another exporter gets all.
struct Program {
    collector: Collector,
    beside: Discard,
    reports: Arc<Mutex<Vec<ExportReport>>>,
}

impl Program {
    fn start(url: &str) -> Self {
        Self::with(url, |builder| builder)
    }

    fn with(url: &str, change: impl FnOnce(Builder) -> Builder) -> Self {
        let (beside, reports) = (Discard::new(), Arc::<Mutex<Vec<ExportReport>>>::default());
        let seen = Arc::clone(&reports);
        let builder = Collector::builder()
            .ignore_env()
            .endpoint(url)
            .exporter(beside.clone())
            .on_export(move |report| seen.lock().unwrap().push(report.clone()));
        Self { collector: change(builder).start().unwrap(), beside, reports }
    }

    fn record(&self, ids: impl IntoIterator<Item = u64>) -> &Self {
        ids.into_iter().for_each(|id| self.collector.collect_span(&span(id)));
        self
    }

    fn account(&self) -> ExporterAccount {
        let ledger = self.collector.ledger();
        assert!(ledger.balances(), "{ledger}");
        *ledger.exporter("otlp", Signal::Spans).unwrap()
    }

    /// What it said of attempts that failed.
    fn said(&self) -> Vec<String> {
        let reports = self.reports.lock().unwrap();
        reports
            .iter()
            .filter(|report| report.exporter == "otlp")
            .filter_map(|report| report.error.clone())
            .collect()
    }
}

fn url(address: SocketAddr, more: &str) -> String {
    format!("otlp://{address}?signals=spans{more}")
}

#[test]
fn each_answer_means_what_the_specification_says() {
    for (status, headers, body, taken_later, said) in [
        (400, "", "bad", false, "400 Bad Request: bad"),
        (401, "", "", true, "401 Unauthorized"),
        (403, "", "", true, "403 Forbidden"),
        (404, "", "", false, "404 Not Found"),
        (408, "", "", true, "408 Request Timeout"),
        (429, "retry-after: 1\r\n", "", true, "429 Too Many Requests"),
        (429, "retry-after: Fri, 27 Nov 2020 12:00:00 GMT\r\n", "", true, "429"),
        (500, "", "oh", false, "500 Internal Server Error: oh"),
        (502, "content-type: text/html\r\n", "<html>no</html>", true, "502 Bad Gateway"),
        (503, "retry-after: 600\r\n", "", true, "503 Service Unavailable"),
        (504, "", "", true, "504 Gateway Timeout"),
        (302, "location: http://elsewhere/\r\n", "", false, "redirects"),
    ] {
        let (address, receiver) =
            Receiver::start(
                move |_, number| {
                    if number == 1 { Answer(status, headers, body.into()) } else { ok() }
                },
            );
        let program = Program::start(&url(address, ""));
        let report = program.record(1..=3).collector.flush(SOON);
        let (account, delivered) = (program.account(), if taken_later { 3 } else { 0 });
        assert_eq!((account.delivered, account.rejected), (delivered, 3 - delivered), "{status}");
        assert_eq!(report.is_complete(), taken_later, "{status}");
        receiver.once_each(1..=delivered);
        assert_eq!(program.beside.discarded(Signal::Spans), 3);
        program.collector.shutdown(SOON);
        assert!(program.said()[0].contains(said), "{:?}", program.said());
    }
}

#[test]
fn requests_that_are_too_large_are_halved_and_one_item_alone_is_refused() {
    let (address, receiver) =
        Receiver::start(
            |ids, _| {
                if ids.len() > 10 || ids.contains(&7) { Answer(413, "", Vec::new()) } else { ok() }
            },
        );
    let program = Program::start(&url(address, ""));
    assert!(!program.record(1..=100).collector.flush(SOON).is_complete());
    let account = program.account();
    assert_eq!((account.delivered, account.rejected), (99, 1));
    receiver.once_each((1..=100).filter(|id| *id != 7));
}

#[test]
fn one_poisoned_item_is_found_and_all_others_arrive() {
    let (address, receiver) =
        Receiver::start(|ids, _| if ids.contains(&7) { Answer(503, "", Vec::new()) } else { ok() });
    let program = Program::start(&url(address, ""));
    program.record(1..=20);
    // Others come meanwhile, by which one sees that the receiver is there.
    let mut next = 100;
    let begin = std::time::Instant::now();
    while program.account().rejected == 0 && begin.elapsed() < SOON * 3 {
        program.record([next]).collector.flush(Duration::from_millis(100));
        next += 1;
    }
    program.collector.flush(SOON);
    let account = program.account();
    assert_eq!((account.rejected, account.dropped.total(), account.buffered), (1, 0, 0));
    receiver.once_each((1..=20).filter(|id| *id != 7).chain(100..next));
}

#[test]
fn only_what_was_taken_without_an_answer_comes_twice() {
    for begin in ["", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let (address, receiver) =
            Receiver::start(move |_, number| if number == 1 { Break(begin) } else { ok() });
        let program = Program::start(&url(address, ""));
        assert!(program.record(1..=5).collector.flush(SOON).is_complete());
        assert!(program.record(6..=9).collector.flush(SOON).is_complete());
        assert_eq!(program.account().delivered, 9);
        let taken = receiver.taken.lock().unwrap();
        assert!((1..=9).all(|id| taken[&id] == if id <= 5 { 2 } else { 1 }), "{taken:?}");
    }
}

#[test]
fn a_request_without_an_answer_ends_with_its_time_out_and_is_made_again() {
    let (address, receiver) = Receiver::start(|_, number| if number == 1 { Hang } else { ok() });
    let program = Program::start(&url(address, "&timeout_ms=100"));
    assert!(program.record(1..=5).collector.flush(SOON).is_complete());
    receiver.once_each(1..=5);
    program.collector.shutdown(SOON);
    assert!(program.said()[0].contains("time-out"), "{:?}", program.said());
}

#[test]
fn a_connection_that_the_receiver_closes_is_replaced_without_a_word() {
    let (address, receiver) = Receiver::start(|_, _| AnswerAndClose(200));
    let program = Program::start(&url(address, ""));
    for id in 1..=20 {
        assert!(program.record([id]).collector.flush(SOON).is_complete());
    }
    receiver.once_each(1..=20);
    program.collector.shutdown(SOON);
    assert_eq!(program.said(), Vec::<String>::new());
}

#[test]
fn answers_that_say_nothing_useful_are_answers_all_the_same() {
    let html = "content-type: text/html\r\n";
    let proto = "content-type: application/x-protobuf\r\n";
    for (headers, body) in [(html, b"<html>".to_vec()), (proto, vec![0xff; 20]), (proto, vec![0; 9 << 20])] {
        let shown = body.len();
        let (address, receiver) = Receiver::start(move |_, _| Answer(200, headers, body.clone()));
        let program = Program::start(&url(address, ""));
        assert!(program.record(1..=5).collector.flush(SOON).is_complete(), "{shown}");
        receiver.once_each(1..=5);
    }
}

#[test]
fn a_receiver_that_comes_back_at_its_place_gets_what_waited() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let program = Program::start(&url(address, ""));
    assert!(!program.record(1..=50).collector.flush(Duration::from_millis(200)).is_complete());
    let receiver = Receiver::default();
    receiver.serve(TcpListener::bind(address).unwrap(), Arc::new(|_: &[u64], _| ok()));
    assert!(program.collector.flush(SOON).is_complete());
    receiver.once_each(1..=50);
    program.collector.shutdown(SOON);
    assert!(program.said()[0].contains("refused"), "{:?}", program.said());
}

#[test]
fn a_receiver_that_hangs_takes_no_more_memory_than_it_may() {
    let (address, _receiver) = Receiver::start(|_, _| Hang);
    let program = Program::with(&url(address, ""), |builder| builder.exporter_bytes(64 << 10));
    for id in 1..=50_000 {
        program.record([id]);
        while id % 1_000 == 0 && program.beside.discarded(Signal::Spans) < id {
            program.collector.flush(Duration::from_millis(1));
        }
    }
    let account = program.account();
    assert!(account.dropped.by(Reason::QueueFull) > 40_000 && account.buffered < 5_000, "{account:?}");
    assert!(!program.collector.shutdown(Duration::from_millis(200)).is_complete());
    assert_eq!(program.account().dropped.total(), 50_000);
}

#[test]
fn what_is_wrong_with_a_name_or_with_tls_is_said_in_plain_words() {
    let (address, _receiver) = Receiver::start(|_, _| ok());
    for (url, said) in [
        ("otlp://nobody.invalid?signals=spans".to_owned(), "nobody.invalid"),
        (format!("otlp+https://me:hush@{address}?signals=spans"), "tls handshake"),
    ] {
        let program = Program::start(&url);
        assert!(!program.record([1]).collector.shutdown(Duration::from_secs(1)).is_complete());
        let all = program.said();
        assert!(all.iter().any(|error| error.contains(said)), "{url}: {all:?}");
        assert!(all.iter().all(|error| !error.contains("hush")), "{all:?}");
    }
}

#[test]
fn a_shutdown_keeps_its_deadline_whatever_main_is_and_wherever_the_receiver_hangs() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, _receiver) = Receiver::start(|_, _| Hang);
    for place in [
        // Nobody accepts; nobody speaks TLS; nobody answers.
        url(silent.local_addr().unwrap(), ""),
        format!("otlp+https://{}?signals=spans", silent.local_addr().unwrap()),
        url(address, ""),
    ] {
        let end = |place: &str| {
            let program = Program::start(place);
            program.record(1..=5);
            let begin = std::time::Instant::now();
            let report = program.collector.shutdown(Duration::from_millis(300));
            assert!(begin.elapsed() < SOON / 4 && !report.is_complete(), "{place}: {:?}", begin.elapsed());
            assert_eq!(program.account().dropped.total(), 5);
        };
        end(&place);
        let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        current.block_on(async { end(&place) });
        let many =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let place = place.clone();
        many.block_on(async { tokio::spawn(async move { end(&place) }).await.unwrap() });
    }
}
