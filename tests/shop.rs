//! The shop, as its user runs it: every clause of what it promises, read back from its files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::http::Uri;
use redb::{ReadableDatabase as _, ReadableTableMetadata as _};
use serde_json::Value as Json;
use telemetry_tests::monitor::{Prefers, Prometheus};
use telemetry_tests::{asked, eventually};
use tokio::net::TcpListener;

fn shop() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|n| n.to_string_lossy().starts_with("TELEMETRY_") || n == "RUST_LOG") {
        command.env_remove(name);
    }
    command
}

/// A run with its files, its database and what it printed.
struct Run {
    directory: tempfile::TempDir,
    output: Output,
}

impl Run {
    fn of(run: impl FnOnce(&mut Command) -> Output) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = shop();
        command.arg("--export").arg(format!("file:{}", directory.path().join("out").display()));
        command.arg("--data").arg(directory.path().join("shop.redb"));
        let output = run(&mut command);
        let run = Self { directory, output };
        assert!(
            run.output.status.success(),
            "{}\n{}",
            run.stdout(),
            String::from_utf8_lossy(&run.output.stderr)
        );
        run
    }

    fn with_vars(vars: &[(&str, &str)]) -> Self {
        Self::of(|command| command.args(["--seconds", "3"]).envs(vars.iter().copied()).output().unwrap())
    }

    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    fn lines(&self, file: &str) -> Vec<Json> {
        let text = fs::read_to_string(self.directory.path().join("out").join(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The answers that the client counted, by status.
    fn answers(&self) -> BTreeMap<u64, u64> {
        let stdout = self.stdout();
        let line =
            stdout.lines().find(|l| l.starts_with("answers the client counted")).expect("the client's count");
        let (_, list) = line.split_once('(').unwrap();
        let pair = |pair: &str| {
            let (status, n) = pair.split_once(": ").unwrap();
            (status.parse().unwrap(), n.parse().unwrap())
        };
        list.trim_end_matches(')').split(", ").map(pair).collect()
    }

    /// A metric's last cumulative values by one of its tags.
    fn metric(&self, name: &str, tag: &str) -> BTreeMap<String, u64> {
        let lines = self.lines("metrics.jsonl");
        let of_name = lines.iter().filter(|m| m["name"] == name);
        let value = |m: &Json| m["value"].as_u64().or(m["count"].as_u64()).unwrap();
        of_name.map(|m| (m["tags"][tag].as_str().unwrap_or("none").to_owned(), value(m))).collect()
    }

    /// How often each function was called, whatever came of it.
    fn calls(&self) -> BTreeMap<String, u64> {
        let lines = self.lines("metrics.jsonl");
        let of_name = lines.iter().filter(|m| m["name"] == "function.duration");
        let last: HashMap<String, &Json> = of_name.map(|m| (m["tags"].to_string(), m)).collect();
        last.values().fold(BTreeMap::new(), |mut all, m| {
            *all.entry(id(&m["tags"], "code.function.name").to_owned()).or_default() +=
                m["count"].as_u64().unwrap();
            all
        })
    }

    fn requests(&self) -> BTreeMap<u64, u64> {
        let requests = self.metric("shop.requests", "http.response.status_code");
        requests.into_iter().map(|(status, n)| (status.parse().unwrap(), n)).collect()
    }

    fn orders_in_database(&self) -> u64 {
        let table: redb::TableDefinition<'_, u64, (u32, u32, u64)> = redb::TableDefinition::new("orders");
        let db = redb::Database::open(self.directory.path().join("shop.redb")).unwrap();
        db.begin_read().unwrap().open_table(table).unwrap().len().unwrap()
    }

    fn assert_metrics_exact(&self) {
        let answers = self.answers();
        assert_eq!(self.requests(), answers, "each request is one tick of its status");
        assert!(answers.values().sum::<u64>() > 50, "{answers:?}");
        let orders = self.orders_in_database();
        assert_eq!(self.metric("shop.orders", "currency"), BTreeMap::from([("EUR".to_owned(), orders)]));
        assert_eq!(answers.get(&201), Some(&orders));
        assert!(self.stdout().contains("the ledger balances\n"), "{}", self.stdout());
    }
}

fn id<'a>(line: &'a Json, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_else(|| panic!("no {key} in {line}"))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Every span has its fields, its parent in the same trace, and lies within its parent's time.
fn assert_traces(spans: &[Json]) {
    let by_id: HashMap<&str, &Json> = spans.iter().map(|s| (id(s, "span_id"), s)).collect();
    assert_eq!(by_id.len(), spans.len(), "ids are unique");
    for span in spans {
        assert!(is_hex(id(span, "trace_id"), 32) && is_hex(id(span, "span_id"), 16), "{span}");
        assert!(
            span["name"].is_string() && span["fields"].is_object() && span["status"].is_string(),
            "{span}"
        );
        let (start, took) =
            (span["start_unix_nano"].as_u64().unwrap(), span["duration_nano"].as_u64().unwrap());
        if span["parent_span_id"].is_null() {
            continue;
        }
        let parent = by_id.get(id(span, "parent_span_id")).unwrap_or_else(|| panic!("no parent of {span}"));
        assert_eq!(parent["trace_id"], span["trace_id"]);
        let began = parent["start_unix_nano"].as_u64().unwrap();
        let ended = began + parent["duration_nano"].as_u64().unwrap();
        assert!(began <= start && start + took <= ended, "{span} in {parent}");
    }
}

fn roots(spans: &[Json]) -> impl Iterator<Item = &Json> {
    spans.iter().filter(|s| s["parent_span_id"].is_null())
}

#[test]
fn every_request_is_one_trace_one_tick_and_one_answer() {
    let run = Run::with_vars(&[]);
    let (spans, events) = (run.lines("spans.jsonl"), run.lines("events.jsonl"));
    run.assert_metrics_exact();
    assert_traces(&spans);

    let mut by_status = BTreeMap::new();
    for root in roots(&spans) {
        assert_eq!(root["name"], "request");
        let status = root["fields"]["http.response.status_code"].as_u64().unwrap();
        assert_eq!(root["status"] == "error", status >= 500, "{root}");
        *by_status.entry(status).or_default() += 1;
    }
    assert_eq!(by_status, run.answers(), "each request is exactly one root span");

    let traces: HashMap<&str, &str> = spans.iter().map(|s| (id(s, "span_id"), id(s, "trace_id"))).collect();
    assert!(events.len() > 10);
    for event in &events {
        assert_eq!(traces.get(id(event, "span_id")), Some(&id(event, "trace_id")), "{event}");
        assert_eq!(event["sampled"], true);
    }
    let placed = events.iter().filter(|e| e["message"] == "order placed").count() as u64;
    assert_eq!(placed, run.orders_in_database());

    let stdout = run.stdout();
    for shown in
        ["function ", "shop::service::checkout", "the slowest request: ", "└─ ", "file spans", "exported to "]
    {
        assert!(stdout.contains(shown), "no `{shown}` in {stdout}");
    }
}

#[test]
fn a_tenth_of_the_traces_is_whole_and_every_metric_exact() {
    let run = Run::with_vars(&[("TELEMETRY_SAMPLE_RATE", "0.1")]);
    let spans = run.lines("spans.jsonl");
    run.assert_metrics_exact();
    assert_traces(&spans);
    let requests: u64 = run.answers().values().sum();
    let kept = roots(&spans).count() as f64;
    // Five standard deviations of a binomial distribution.
    let (mean, off) = (requests as f64 * 0.1, 5.0 * (requests as f64 * 0.09).sqrt());
    assert!((kept - mean).abs() < off, "{kept} of {requests} traces");
    let whole: HashSet<&str> = roots(&spans).map(|s| id(s, "trace_id")).collect();
    assert!(spans.iter().all(|s| whole.contains(id(s, "trace_id"))), "no trace without its root");
    let calls = run.metric("function.duration", "code.function.name");
    assert!(calls.len() >= 8, "{calls:?}");
}

#[test]
fn metrics_are_exact_whatever_the_log_filter_says() {
    for filter in ["off", "error"] {
        let run = Run::with_vars(&[("RUST_LOG", filter)]);
        run.assert_metrics_exact();
        assert!(run.lines("spans.jsonl").is_empty(), "spans obey {filter}");
        assert!(!run.metric("function.duration", "code.function.name").is_empty());
    }
}

/// What a receiver of OTLP in JSON was sent, by signal.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<HashMap<String, Vec<Json>>>>);

impl Received {
    /// Listens, and says where.
    async fn listen(&self) -> SocketAddr {
        let received = self.clone();
        let take = async move |uri: Uri, axum::Json(body): axum::Json<Json>| {
            received.0.lock().unwrap().entry(uri.path().to_owned()).or_default().push(body);
            axum::Json(serde_json::json!({}))
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(take)).await });
        address
    }

    /// All that stands behind these keys, which name lists.
    fn all(&self, path: &str, keys: [&str; 3]) -> Vec<Json> {
        let bodies = self.0.lock().unwrap().get(path).cloned().unwrap_or_default();
        keys.iter().fold(bodies, |all, key| {
            all.into_iter()
                .flat_map(|mut one| one[*key].take().as_array().cloned().unwrap_or_default())
                .collect()
        })
    }
}

/// The shop's answer to a request, or the page's.
async fn get(url: &str) -> (u64, String) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16().into(), answer.text().await.unwrap())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn four_ways_out_tell_the_same() {
    let received = Received::default();
    let otlp = format!("otlp://{}?protocol=http/json", received.listen().await);
    let directory = tempfile::tempdir().unwrap();
    let chrome = directory.path().join("trace.json");
    let mut pages = None;
    let run = Run::of(|command| {
        command.args(["--serve", "--export", &otlp, "--export", "prometheus://127.0.0.1:0", "--export"]);
        command.arg(format!("chrome-trace:{}", chrome.display()));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut find = |before: &str| {
            let found = lines
                .by_ref()
                .map(Result::unwrap)
                .find_map(|line| line.strip_prefix(before).map(str::to_owned));
            found.unwrap_or_else(|| panic!("it never said `{before}`"))
        };
        let (page, shop) = (find("the metrics are at "), find("the shop listens on "));
        let all = async {
            let mut answers = BTreeMap::<u64, u64>::new();
            for n in 0..120 {
                let (status, _) = get(&format!("{shop}/products/{}", n % 50)).await;
                *answers.entry(status).or_default() += 1;
            }
            // The last request is counted when its answer is on its way.
            loop {
                let (_, text) = get(&page).await;
                if scraped(&text).values().sum::<u64>() == 120 {
                    return (answers, text);
                }
                tokio::task::yield_now().await;
            }
        };
        pages = Some(tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(all)));
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        Output { status: child.wait().unwrap(), stdout: rest.join("\n").into_bytes(), stderr: Vec::new() }
    });
    let (answers, page) = pages.unwrap();
    assert!(answers.len() > 1, "{answers:?}");
    let [spans, events] = ["spans.jsonl", "events.jsonl"].map(|file| run.lines(file).len());
    assert_eq!(received.all("/v1/traces", ["resourceSpans", "scopeSpans", "spans"]).len(), spans);
    assert_eq!(received.all("/v1/logs", ["resourceLogs", "scopeLogs", "logRecords"]).len(), events);
    let trace: Vec<Json> = serde_json::from_str(&(fs::read_to_string(&chrome).unwrap() + "]")).unwrap();
    let count = |wanted: &[&str]| trace.iter().filter(|item| wanted.contains(&id(item, "ph"))).count();
    assert_eq!((count(&["X", "b"]), count(&["i"])), (spans, events));

    // One count of requests, four times.
    let of_otlp: BTreeMap<u64, u64> = received
        .all("/v1/metrics", ["resourceMetrics", "scopeMetrics", "metrics"])
        .iter()
        .filter(|metric| metric["name"] == "shop.requests")
        .flat_map(|metric| metric["sum"]["dataPoints"].as_array().cloned().unwrap())
        .map(|point| {
            let text = |value: &Json| value.as_str().unwrap().parse().unwrap();
            (text(&point["attributes"][0]["value"]["stringValue"]), text(&point["asInt"]))
        })
        .collect();
    let last = trace.iter().rfind(|item| item["name"] == "shop.requests").unwrap();
    let of_trace = last["args"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(series, n)| (series.rsplit_once('=').unwrap().1.parse().unwrap(), n.as_u64().unwrap()));
    assert_eq!(
        [of_otlp, scraped(&page), of_trace.collect(), run.requests()],
        [answers.clone(), answers.clone(), answers.clone(), answers]
    );
}

/// The requests by status on a page for Prometheus.
fn scraped(page: &str) -> BTreeMap<u64, u64> {
    let samples = page.lines().filter_map(|line| line.strip_prefix("shop_requests_total{"));
    let sample = |line: &str| {
        let (labels, n) = line.rsplit_once(' ').unwrap();
        let (_, status) = labels.split_once("http_response_status_code=\"").unwrap();
        (status.split('"').next().unwrap().parse().unwrap(), n.parse::<f64>().unwrap() as u64)
    };
    samples.map(sample).collect()
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_run_in_order() {
    for signal in ["INT", "TERM"] {
        let run = Run::of(|command| {
            command
                .args(["--seconds", "60", "--rate", "300"])
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit());
            let mut child = command.spawn().unwrap();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            // It listens, and then shows that requests are on their way.
            let mut line = String::new();
            while !line.contains(" requests sent") || line.contains(" 0 requests sent") {
                line.clear();
                assert!(out.read_line(&mut line).unwrap() > 0, "it ended by itself");
            }
            let pid = child.id().to_string();
            assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
            let mut stdout = Vec::new();
            out.read_to_end(&mut stdout).unwrap();
            Output { status: child.wait().unwrap(), stdout, stderr: Vec::new() }
        });
        assert_traces(&run.lines("spans.jsonl"));
        let answered: u64 = run.answers().values().sum();
        assert_eq!(roots(&run.lines("spans.jsonl")).count() as u64, answered, "SIG{signal}");
        assert_eq!(run.requests(), run.answers());
        assert!(run.stdout().contains("the ledger balances\n") && run.stdout().contains("function "));
    }
}

#[test]
fn what_is_wrong_is_said_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a file");
    fs::write(&file, "").unwrap();
    let below_a_file = format!("file:{}/x", file.display());
    let fine = format!("file:{}", directory.path().display());
    for (export, vars, named) in [
        (below_a_file.as_str(), None, "can't be written to"),
        ("gopher://host", None, "`gopher` is no known scheme"),
        (&fine, Some(("TELEMETRY_SAMPLE_RATE", "2")), "TELEMETRY_SAMPLE_RATE=2"),
        (&fine, Some(("TELEMETRY_TAGS", "prod")), "TELEMETRY_TAGS=prod"),
        (&fine, Some(("TELEMETRY_FLUSH_INTERVAL_MS", "5s")), "TELEMETRY_FLUSH_INTERVAL_MS=5s"),
        (&fine, Some(("RUST_LOG", "shop=loud")), "RUST_LOG=shop=loud"),
    ] {
        let output = shop().args(["--seconds", "1", "--export", export]).envs(vars).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{export} {vars:?}: {said}");
        assert!(said.contains(named) && !said.contains("panicked"), "{said}");
    }
}

/// While it serves, each in the form that it likes best.
#[cfg(unix)]
#[test]
fn what_prometheus_reads_of_the_shop_is_what_the_shop_did() {
    const REQUESTS: u64 = 200;
    let mut read = Vec::new();
    let mut answers = BTreeMap::<u64, u64>::new();
    let run = Run::of(|command| {
        command.args(["--serve", "--export", "prometheus://127.0.0.1:0"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut find = |before: &str| -> SocketAddr {
            let mut lines = lines.by_ref().map(Result::unwrap);
            let url = lines.find_map(|line| line.strip_prefix(before).map(str::to_owned)).expect(before);
            url.strip_prefix("http://").unwrap().split('/').next().unwrap().parse().unwrap()
        };
        let (page, shop) = (find("the metrics are at "), find("the shop listens on "));
        for n in 0..REQUESTS {
            let head = format!("GET /products/{} HTTP/1.1\r\nhost: {shop}", n % 50);
            *answers.entry(asked(shop, &head).0.into()).or_default() += 1;
        }
        for prefers in [Prefers::OpenMetrics, Prefers::Protobuf] {
            let Some(server) = Prometheus::of(&[page], prefers) else { continue };
            let all = || server.number("sum(shop_requests_total)").filter(|n| *n == REQUESTS as f64);
            eventually("all requests", all);
            assert_eq!(server.number("up"), Some(1.0));
            read.push(Scraped::by(&server, prefers));
            let log = server.log();
            assert!(!log.contains("level=warn") && !log.contains("level=error"), "{log}");
        }
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        Output { status: child.wait().unwrap(), stdout: rest.join("\n").into_bytes(), stderr: Vec::new() }
    });
    let traces: HashSet<String> =
        run.lines("spans.jsonl").iter().map(|span| id(span, "trace_id").to_owned()).collect();
    let calls = run.calls();
    for one in read {
        assert_eq!(one.requests, answers);
        assert_eq!(one.calls, calls, "so often each function was called");
        assert!(
            !one.exemplars.is_empty() && one.exemplars.iter().all(|id| traces.contains(id)),
            "{:?}",
            one.exemplars
        );
    }
}

/// What Prometheus has of the shop.
#[derive(Debug)]
struct Scraped {
    requests: BTreeMap<u64, u64>,
    calls: BTreeMap<String, u64>,
    /// The traces of all exemplars.
    exemplars: Vec<String>,
}

impl Scraped {
    fn by(server: &Prometheus, prefers: Prefers) -> Self {
        let by_label = |query: &str, label: &str| -> BTreeMap<String, u64> {
            let samples = server.query(&format!("sum by ({label}) ({query})"));
            samples.into_iter().map(|(labels, n)| (labels[label].clone(), n as u64)).collect()
        };
        let requests = by_label("shop_requests_total", "http_response_status_code");
        let calls = match prefers {
            Prefers::OpenMetrics => "function_duration_seconds_count",
            Prefers::Protobuf => "histogram_count(function_duration_seconds)",
        };
        let exemplars = || server.exemplars("{__name__=~\"function_duration_seconds(_bucket)?\"}");
        let exemplars = eventually("exemplars", exemplars);
        Self {
            requests: requests.into_iter().map(|(status, n)| (status.parse().unwrap(), n)).collect(),
            calls: by_label(calls, "code_function_name"),
            exemplars: exemplars.iter().map(|one| id(&one["labels"], "trace_id").to_owned()).collect(),
        }
    }
}
