//! A stand-in for Librato, which is there no more. It takes and refuses what Librato's documentation of `POST /v1/metrics` says
//! that it does, and is stricter where that says nothing: a member of a measurement that is not documented is refused too.
//!
//! Source: Librato's API documentation for metrics with sources, version 1.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use telemetry_layer::clock::{Clock, ManualClock};
use telemetry_layer::{Builder, Collector};

use super::Answer;
use crate::SOON;

/// The account that there is.
const USER: &str = "ops@example.com";
const TOKEN: &str = "75AFDB82-hush-hush";

type Script = dyn Fn(usize) -> Option<Answer> + Send + Sync;

/// The stand-in, on a port of its own. It ends when it is dropped.
pub struct LibratoStandIn {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    script: Box<Script>,
    is_over: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// How many requests have come with a body.
    requests: usize,
    open: Vec<TcpStream>,
    taken: Vec<Taken>,
    /// What it refused by itself, and why.
    refused: Vec<String>,
}

/// A request that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The body as it came.
    pub body: String,
    /// Its gauges.
    pub gauges: Vec<Value>,
}

/// Name, source, time after [`LibratoStandIn::BEGIN`], and value.
pub type Measured = (String, String, u64, f64);

impl LibratoStandIn {
    /// When the clock of its collectors begins, in seconds.
    pub const BEGIN: u64 = 1_700_000_000;

    /// A collector that sends to these endpoints what a test measures, and nothing of its own: what begins with `shop.`
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn collector(urls: &[String], change: impl FnOnce(Builder) -> Builder) -> (Collector, ManualClock) {
        let clock = ManualClock::new(Self::BEGIN * 1_000_000_000);
        let builder =
            Collector::builder().ignore_env().tag("service.name", "shop").clock(Clock::manual(&clock));
        let builder = urls.iter().fold(builder.flush_interval(Duration::from_hours(1)), |builder, url| {
            builder.endpoint(format!("{url}&names=shop.*"))
        });
        (change(builder).start().expect("a collector"), clock)
    }

    /// Sends all that there is.
    ///
    /// # Panics
    ///
    /// If it does not come there.
    pub fn flush(collector: &Collector) {
        let report = collector.flush(SOON);
        assert!(report.is_complete() && report.ledger().balances(), "{report}");
    }

    /// What [`shown`](Self::shown) has of a measurement.
    pub fn measured(name: &str, source: &str, time: u64, value: f64) -> Measured {
        (name.to_owned(), source.to_owned(), time, value)
    }

    /// All that came with one value each, by time, name and source.
    ///
    /// # Panics
    ///
    /// If something else came, and as [`Self::taken`] does.
    pub fn shown(&self) -> Vec<Measured> {
        let shown = |of: &Value| {
            let text = |name: &str| of[name].as_str().expect("a text").to_owned();
            let time = of["measure_time"].as_u64().expect("a time") - Self::BEGIN;
            (text("name"), text("source"), time, of["value"].as_f64().expect("one value"))
        };
        let mut all: Vec<_> = self.gauges().iter().map(shown).collect();
        all.sort_by(|a, b| (a.2, &a.0, &a.1).cmp(&(b.2, &b.0, &b.1)));
        all
    }

    /// One that does what the documentation says.
    pub fn start() -> Self {
        Self::scripted(|_| None)
    }

    /// One that does something else with some requests, counted from 1 on: it answers that, and takes what is in them where this
    /// says yes.
    ///
    /// # Panics
    ///
    /// If there is no port left.
    pub fn scripted(script: impl Fn(usize) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let (is_over, seen) = Default::default();
        let shared = Arc::new(Shared { script: Box::new(script), is_over, seen });
        let accepts = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accepts.accept(&listener));
        Self { address, shared, accepting: Some(accepting) }
    }

    /// A URL of an exporter, with the options that follow.
    pub fn url(&self, options: &str) -> String {
        format!("librato+http://{}:{TOKEN}@{}?{options}", USER.replace('@', "%40"), self.address)
    }

    /// What must never be printed: the token, and the header that it is sent in.
    pub fn secrets() -> [String; 2] {
        [TOKEN.to_owned(), credentials()]
    }

    /// The requests that it took.
    ///
    /// # Panics
    ///
    /// If it refused one by itself: no exporter may send such a request. Or if a script panicked.
    pub fn taken(&self) -> Vec<Taken> {
        let seen = self.shared.seen.lock().expect("the script did not panic");
        assert!(seen.refused.is_empty(), "refused: {:?}", seen.refused);
        seen.taken.clone()
    }

    /// What it refused by itself.
    ///
    /// # Panics
    ///
    /// If a script panicked.
    pub fn refused(&self) -> Vec<String> {
        self.shared.seen.lock().expect("the script did not panic").refused.clone()
    }

    /// All gauges that it took.
    ///
    /// # Panics
    ///
    /// As [`Self::taken`] does.
    pub fn gauges(&self) -> Vec<Value> {
        self.taken().into_iter().flat_map(|taken| taken.gauges).collect()
    }
}

impl Drop for LibratoStandIn {
    fn drop(&mut self) {
        self.shared.is_over.store(true, SeqCst);
        // This wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        let _ = self.accepting.take().map(JoinHandle::join);
        if let Ok(seen) = self.shared.seen.lock() {
            seen.open.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        }
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming().map_while(Result::ok) {
            if self.is_over.load(SeqCst) {
                return;
            }
            let (own, to_end) = (Arc::clone(&self), stream.try_clone());
            self.seen.lock().expect("nobody panics with it").open.extend(to_end);
            std::thread::spawn(move || own.serve(stream));
        }
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = Request::read(&mut stream)? {
            let answer = self.answer(&request);
            let mut bytes = answer.bytes();
            if request.first.starts_with("HEAD ") {
                bytes.truncate(bytes.len() - answer.body.len());
            }
            stream.get_mut().write_all(&bytes)?;
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Answer {
        if request.first.starts_with("HEAD ") {
            return Answer::of(401);
        }
        let mut seen = self.seen.lock().expect("the script did not panic");
        seen.requests += 1;
        let judged = request.judged();
        let scripted = (self.script)(seen.requests);
        match (scripted, judged) {
            (_, Err((status, errors))) => {
                let body = json!({ "errors": errors }).to_string();
                seen.refused.push(format!("{status} {body}"));
                Answer::of(status).header("content-type", "application/json").body(body)
            }
            (Some(answer), Ok(_)) if !answer.is_yes() => answer,
            (answer, Ok(gauges)) => {
                seen.taken.push(Taken { body: request.body.clone(), gauges });
                answer.unwrap_or_else(|| Answer::of(200))
            }
        }
    }
}

fn credentials() -> String {
    BASE64_STANDARD.encode(format!("{USER}:{TOKEN}"))
}

/// A status, and what is wrong.
type Refusal = (u16, Value);

struct Request {
    first: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut lines = [String::new(), String::new()];
        if stream.read_line(&mut lines[0])? == 0 {
            return Ok(None);
        }
        while stream.read_line(&mut lines[1])? > 2 {}
        let [first, headers] = lines;
        let header = |line: &str| {
            Some((line.split_once(':')?.0.to_ascii_lowercase(), line.split_once(':')?.1.trim().to_owned()))
        };
        let headers: Vec<_> = headers.lines().filter_map(header).collect();
        let mut request = Self { first, headers, body: String::new() };
        let mut body = vec![0; request.header("content-length").parse().unwrap_or(0)];
        stream.read_exact(&mut body)?;
        if request.header("content-encoding") == "gzip" {
            body = super::rpc::gunzipped(&body)?;
        }
        request.body = String::from_utf8(body).map_err(io::Error::other)?;
        Ok(Some(request))
    }

    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map_or("", |(_, value)| value)
    }

    /// Its gauges, or why it is refused.
    fn judged(&self) -> Result<Vec<Value>, Refusal> {
        let request = |status, what: &str| (status, json!({ "request": [what] }));
        if self.header("authorization") != format!("Basic {}", credentials()) {
            return Err(request(401, "Authorization Required"));
        }
        if self.first.trim_end() != "POST /v1/metrics HTTP/1.1" {
            return Err(request(404, "Not Found"));
        }
        if self.header("content-type") != "application/json" {
            return Err(request(415, "Content-Type must be application/json"));
        }
        let body: Value = serde_json::from_str(&self.body).map_err(|e| request(400, &e.to_string()))?;
        let Some(gauges) = body.get("gauges").and_then(Value::as_array).filter(|gauges| !gauges.is_empty())
        else {
            return Err(request(400, "at least one gauge or counter is needed"));
        };
        for gauge in gauges {
            let gauge = gauge.as_object().ok_or_else(|| request(400, "a measurement is no object"))?;
            measurement(gauge).map_err(|(name, what)| (400, json!({ "params": { (name): [what] } })))?;
        }
        Ok(gauges.clone())
    }
}

/// What is wrong with a measurement: the parameter, and why.
fn measurement(of: &Map<String, Value>) -> Result<(), (&'static str, &'static str)> {
    let label = |name, text: &str| {
        let fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_".contains(&b));
        if !fits || text.is_empty() {
            Err((name, "has invalid characters"))
        } else if text.len() > 255 {
            Err((name, "is too long"))
        } else {
            Ok(())
        }
    };
    label("name", of.get("name").and_then(Value::as_str).ok_or(("name", "is not present"))?)?;
    if let Some(source) = of.get("source") {
        let source = source.as_str().ok_or(("source", "is not a text"))?;
        label("source", source)?;
        if source.eq_ignore_ascii_case("all") {
            return Err(("source", "is reserved"));
        }
    }
    if of.get("measure_time").is_some_and(|time| time.as_u64().is_none()) {
        return Err(("measure_time", "is not a number"));
    }
    let number = |name: &'static str| match of.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(x) if x.abs() < 1e127 => Ok(Some(x)),
            Some(_) => Err((name, "is out of range")),
            None => Err((name, "is not a number")),
        },
    };
    for name in of.keys() {
        if !["name", "source", "measure_time", "value", "count", "sum", "min", "max", "sum_squares"]
            .contains(&&**name)
        {
            return Err(("request", "a parameter that is not documented"));
        }
    }
    for name in ["min", "max", "sum_squares"] {
        if number(name)?.is_some() && number("count")?.is_none() {
            return Err((name, "needs count"));
        }
    }
    match (number("value")?, number("count")?, number("sum")?) {
        (Some(_), None, None) => Ok(()),
        (None, Some(count), Some(_)) if count > 0.0 => Ok(()),
        (Some(_), ..) => Err(("value", "can't stand beside count")),
        (None, Some(_), None) => Err(("sum", "is not present")),
        _ => Err(("value", "is not present")),
    }
}
