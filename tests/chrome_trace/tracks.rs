//! What each item becomes, and on which track it is.

use std::env;
use std::pin::Pin;
use std::process::Command;
use std::sync::mpsc::channel;
use std::task::{Context, Waker};
use std::thread;

use serde_json::{Value, json};
use telemetry_layer::exporters::{ChromeTrace, Filter, Route};
use telemetry_layer::model::{Event, Span, SpanContext, SpanId, TraceId};
use telemetry_layer::prelude::*;
use telemetry_layer::{Level, SpanMetrics};
use telemetry_tests::{SOON, ready};
use tempfile::TempDir;
use tracing::{Dispatch, Instrument as _, dispatcher, info, info_span};

use crate::trace::{Trace, nanos};

/// A program that exports to a file.
struct Program {
    collector: Collector,
    dispatch: Dispatch,
    directory: TempDir,
}

impl Program {
    fn start(options: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("chrome-trace:{}/trace.json{options}", directory.path().display());
        let (collector, _) = telemetry_tests::collector(|b| b.endpoint(url));
        let dispatch = Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)));
        Self { collector, dispatch, directory }
    }

    fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        dispatcher::with_default(&self.dispatch, f)
    }

    /// The same on another thread, which has a name.
    fn run_on(&self, name: &str, f: impl FnOnce() + Send) {
        thread::scope(|scope| {
            let thread = thread::Builder::new().name(name.to_owned());
            thread.spawn_scoped(scope, || self.run(f)).unwrap().join().unwrap();
        });
    }

    fn read(&self) -> Trace {
        Trace::read(&self.directory.path().join("trace.json"))
    }

    fn end(&self) -> Trace {
        let report = self.collector.shutdown(SOON);
        assert!(report.is_complete(), "{report}");
        self.read()
    }
}

fn ids<'a>(span: &'a Value, key: &str) -> &'a str {
    span["args"][key].as_str().unwrap_or_else(|| panic!("no {key}: {span}"))
}

#[test]
fn calls_nest_on_the_tracks_of_their_threads() {
    let program = Program::start("");
    let work = || {
        info_span!("outer", order = 7, user = "me").in_scope(|| {
            for i in 0..3_u64 {
                info_span!("inner", i).in_scope(|| info!(left = 3 - i, "step"));
            }
        });
    };
    program.run_on("first", work);
    // Before its parent has ended, a child may be in the file for long.
    assert!(program.collector.flush(SOON).is_complete());
    program.run_on("second", work);
    let trace = program.end();
    assert_eq!(trace.of("X").count(), 8);
    assert_eq!(trace.of("b").count() + trace.of("s").count(), 0);
    for name in ["first", "second"] {
        let own = |name: &str, event: &&Value| trace.thread_of(event) == name;
        let outer = trace.of("X").find(|span| own(name, span) && span["name"] == "outer").unwrap();
        assert_eq!(outer["args"]["fields"], json!({"order": 7, "user": "me"}));
        assert_eq!(
            (&outer["cat"], &outer["args"]["level"]),
            (&json!("chrome_trace::tracks"), &json!("info"))
        );
        assert_eq!(outer["args"]["code_file"], file!());
        assert_eq!(outer["args"]["status"], "unset");
        let inner: Vec<_> = trace.of("X").filter(|span| own(name, span) && span["name"] == "inner").collect();
        assert_eq!(inner.len(), 3);
        for span in &inner {
            assert_eq!(ids(span, "parent_span_id"), ids(outer, "span_id"));
            assert_eq!(ids(span, "trace_id"), ids(outer, "trace_id"));
            let inside = |of: &Value| (nanos(&of["ts"]), nanos(&of["ts"]) + nanos(&of["dur"]));
            assert!(inside(outer).0 <= inside(span).0 && inside(span).1 <= inside(outer).1);
        }
        let steps: Vec<_> = trace.of("i").filter(|event| own(name, event)).collect();
        assert_eq!(steps.len(), 3);
        for (step, span) in steps.iter().zip(&inner) {
            assert_eq!((&step["name"], &step["args"]["message"]), (&json!("step"), &json!("step")));
            assert_eq!(
                step["args"]["fields"],
                json!({"left": 3 - span["args"]["fields"]["i"].as_u64().unwrap()})
            );
            assert_eq!(ids(step, "span_id"), ids(span, "span_id"));
            let (at, from) = (nanos(&step["ts"]), nanos(&span["ts"]));
            assert!(from <= at && at <= from + nanos(&span["dur"]));
        }
    }
}

#[test]
fn times_are_those_of_the_spans_to_the_nanosecond() {
    let program = Program::start("");
    let (collector, memory) = (&program.collector, telemetry_layer::testing::Memory::default());
    collector.exporter(memory.clone()).unwrap();
    program.run(|| (0..100_u64).for_each(|i| info_span!("work", i).in_scope(|| info!(i, "done"))));
    let trace = program.end();
    let zero = trace.0[0]["args"]["zero_unix_nano"].as_u64().unwrap();
    assert_eq!(zero % (24 * 60 * 60 * 1_000_000_000), 0);
    let kept = memory.kept();
    assert_eq!((kept.spans.len(), trace.of("X").count()), (100, 100));
    for (span, drawn) in kept.spans.iter().zip(trace.of("X")) {
        assert_eq!(zero + nanos(&drawn["ts"]), span.start_unix_nano);
        assert_eq!(nanos(&drawn["dur"]), span.duration_nano);
        assert_eq!(ids(drawn, "span_id"), span.span_id.to_string());
    }
    for (event, drawn) in kept.events.iter().zip(trace.of("i")) {
        assert_eq!(zero + nanos(&drawn["ts"]), event.time_unix_nano);
    }
}

#[test]
fn what_is_left_and_entered_again_is_async_and_lies_around_its_children() {
    let program = Program::start("");
    program.run(|| {
        let request = |i: u64| {
            let steps = async move {
                for name in ["load", "store"] {
                    async { tokio::task::yield_now().await }.instrument(info_span!("step", name)).await;
                }
            };
            Box::pin(steps.instrument(info_span!("request", i))) as Pin<Box<dyn Future<Output = ()>>>
        };
        // One inside of the time of the other: what a thread shows as a call would be none.
        let (mut outer, mut inner) = (request(0), request(1));
        let waker = Waker::noop();
        let poll = |future: &mut Pin<Box<dyn Future<Output = ()>>>| {
            future.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
        };
        assert!(!poll(&mut outer));
        while !poll(&mut inner) {}
        while !poll(&mut outer) {}
        // `tracing` enters it a second time, to drop it.
        ready(async { info!("ready at once") }.instrument(info_span!("future")));
    });
    let trace = program.end();
    assert_eq!((trace.of("b").count(), trace.of("X").count()), (7, 0));
    let requests: Vec<_> = trace.of("b").filter(|span| span["name"] == "request").collect();
    assert_ne!(requests[0]["id"], requests[1]["id"]);
    for request in requests {
        let is_its = |span: &&Value| span["args"]["parent_span_id"] == request["args"]["span_id"];
        let steps: Vec<_> = trace.of("b").filter(is_its).collect();
        assert_eq!(steps.len(), 2);
        assert!(steps.iter().all(|step| step["id"] == request["id"]), "on the track of their parent");
    }
}

#[test]
fn what_overlaps_is_async() {
    let program = Program::start("");
    program.run(|| {
        let root = info_span!("root").entered();
        let first = info_span!("first").entered();
        // No child of the first one, which would stay open for it.
        let second = info_span!(parent: root.id(), "second").entered();
        drop(first);
        drop(second);
    });
    let trace = program.end();
    trace.one("X", "first");
    trace.one("b", "second");
    trace.one("X", "root");
}

#[test]
fn what_moves_to_another_thread_is_async() {
    let program = Program::start("");
    program.run(|| {
        let here = info_span!("stays");
        let goes = info_span!("goes");
        let visited = info_span!("visited");
        let _entered = here.enter();
        program.run_on("other", || {
            visited.in_scope(|| ());
            drop(goes.entered());
        });
    });
    let trace = program.end();
    trace.one("X", "stays");
    trace.one("b", "goes");
    trace.one("b", "visited");
}

#[test]
fn arrows_lead_to_children_on_other_threads_and_to_links() {
    // The parent ends last, or first.
    for child_ends_first in [true, false] {
        let program = Program::start("");
        program.run(|| {
            let (done, wait) = channel::<()>();
            let parent = info_span!("parent");
            let id = parent.id();
            let parent = parent.entered();
            info_span!("near").in_scope(|| ());
            thread::scope(|scope| {
                let program = &program;
                let child = scope.spawn(move || {
                    program.run(|| {
                        info_span!(parent: id, "far").in_scope(|| {
                            info_span!("below").in_scope(|| ());
                            wait.recv().unwrap();
                        });
                    });
                });
                if child_ends_first {
                    done.send(()).unwrap();
                    child.join().unwrap();
                    assert!(program.collector.flush(SOON).is_complete());
                } else {
                    // The Registry holds a parent open for its children: a span of the same id is no child of it.
                    done.send(()).unwrap();
                }
            });
            drop(parent);
        });
        let trace = program.end();
        assert_eq!((trace.of("X").count(), trace.of("s").count()), (4, 1));
        assert_eq!(trace.flow("child"), ("parent", "far"));
    }
    let program = Program::start("");
    program.run(|| {
        let cause = info_span!("cause").entered();
        let effect = info_span!(parent: None, "effect");
        effect.follows_from(cause.id());
        effect.in_scope(|| ());
        drop(effect);
        drop(cause);
    });
    let trace = program.end();
    assert_eq!(trace.flow("link"), ("cause", "effect"));
    let effect = trace.one("X", "effect");
    assert_eq!(effect["args"]["links"][0][1], trace.one("X", "cause")["args"]["span_id"]);
}

#[test]
fn what_is_made_by_hand_is_on_no_thread() {
    let program = Program::start("");
    let at = 1_700_000_000_000_000_123;
    let context = |n| SpanContext::new(TraceId::new(1).unwrap(), SpanId::new(n).unwrap(), true);
    program.collector.collect_span(&Span::new(context(2), "child", at + 10, 20).child_of(context(1).span_id));
    program.collector.collect_span(&Span::new(context(1), "root", at, 100));
    program.collector.collect_event(&Event::new(Level::WARN, "by hand", at + 5).within(context(1)));
    let trace = program.end();
    let (root, child) = (trace.one("b", "root"), trace.one("b", "child"));
    assert_eq!(root["id"], child["id"]);
    let zero = trace.0[0]["args"]["zero_unix_nano"].as_u64().unwrap();
    let time = |of: &Value| i128::from(zero) + (of["ts"].as_f64().unwrap() * 1e3).round() as i128;
    // Two years before time 0, a double is off by a few nanoseconds.
    assert!((time(root) - i128::from(at)).abs() < 20 && (time(child) - i128::from(at + 10)).abs() < 20);
    let event = trace.one("i", "by hand");
    assert_eq!((&event["s"], &event["tid"]), (&json!("p"), &event["pid"]));
}

#[test]
fn counters_are_those_of_the_snapshot() {
    let program = Program::start("");
    let collector = &program.collector;
    let record = || {
        collector.counter("shop.orders").with(&[("currency", "EUR"), ("note", "a b,c=d")]).add(3);
        collector.counter("shop.orders").with(&[("currency", "USD")]).inc();
        collector.counter("plain").add(1_u64 << 60);
        collector.up_down_counter("open").add(-2);
        (1..100).for_each(|n| collector.histogram("size").unit("By").record(n));
        collector.gauge("level").unit("Cel").set(1.5);
    };
    record();
    assert!(collector.flush(SOON).is_complete());
    let before = program.read();
    assert_eq!(before.of("C").filter(|of| of["name"] == "level [Cel]").count(), 1);
    record();
    assert!(collector.flush(SOON).is_complete());
    assert!(collector.flush(SOON).is_complete());
    let trace = program.read();
    assert_eq!(
        trace.of("C").filter(|of| of["name"] == "level [Cel]").count(),
        2,
        "a gauge is written when it was set"
    );
    let last = |name: &str| &trace.of("C").filter(|of| of["name"] == name).last().expect(name)["args"];
    assert_eq!(last("shop.orders"), &json!({"currency=EUR,note=\"a b,c=d\"": 6, "currency=USD": 2}));
    assert_eq!(last("plain"), &json!({"value": 1_u64 << 61}));
    assert_eq!(last("open"), &json!({"value": -4}));
    assert_eq!(last("size count"), &json!({"value": 198}));
    assert_eq!(last("level [Cel]"), &json!({"value": 1.5}));
    let snapshot = collector.snapshot();
    let size = snapshot.named("size").next().unwrap();
    for (part, share) in [("p50", 0.5), ("p99", 0.99)] {
        let quantile = size.histogram().unwrap().quantile(share).unwrap();
        assert_eq!(last(&format!("size {part} [By]")), &json!({"value": quantile}));
    }
    // Each of them, whatever its kind, and at the time at which it was read.
    let zero = trace.0[0]["args"]["zero_unix_nano"].as_u64().unwrap();
    for metric in snapshot.iter() {
        let names = ["", " [Cel]", " count"].map(|end| format!("{}{end}", metric.name()));
        let found = trace.of("C").filter(|of| names.iter().any(|name| of["name"] == **name));
        let found: Vec<_> = found.collect();
        assert!(!found.is_empty(), "{}", metric.name());
        assert!(found.iter().all(|of| zero + nanos(&of["ts"]) <= metric.time_unix_nano()));
    }
    drop(program.end());
}

#[test]
fn deltas_are_what_came_since() {
    let program = Program::start("?temporality=delta&names=orders");
    for n in [3_u64, 0, 4] {
        program.collector.counter("orders").add(n);
        assert!(program.collector.flush(SOON).is_complete());
    }
    let trace = program.end();
    let values: Vec<u64> =
        trace.of("C").map(|of| of["args"]["value"].as_u64().unwrap()).filter(|n| *n > 0).collect();
    assert_eq!(values, [3, 4]);
}

/// By itself in a process: elsewhere another test may have wanted to know of threads before.
#[test]
fn an_exporter_that_is_added_later_knows_the_threads_from_then_on() {
    const ALONE: &str = "CHROME_TRACE_ALONE";
    if env::var_os(ALONE).is_none() {
        let mut program = Command::new(env::current_exe().unwrap());
        let name = "tracks::an_exporter_that_is_added_later_knows_the_threads_from_then_on";
        let out = program.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        return;
    }
    let (collector, _) = telemetry_tests::collector(|b| b);
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("below/trace.json");
    dispatcher::with_default(&dispatch, || {
        let before = info_span!("before").entered();
        let trace = ChromeTrace::create(&path).unwrap();
        collector.exporter(Route::new(trace).only(Filter::new().names(["before", "after"]))).unwrap();
        info_span!("after").in_scope(|| ());
        drop(before);
        thread::scope(|scope| {
            let layer = &dispatch;
            scope.spawn(move || dispatcher::with_default(layer, || drop(info_span!("after").entered())));
        });
    });
    assert!(collector.shutdown(SOON).is_complete());
    let trace = Trace::read(&path);
    trace.one("b", "before");
    let after: Vec<_> = trace.of("X").collect();
    assert!(after.len() == 2 && after.iter().all(|span| span["name"] == "after"));
    assert_ne!(after[0]["tid"], after[1]["tid"]);
}

#[test]
fn what_else_is_known_of_spans_is_as_ever() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.json");
    let url = format!("chrome-trace:{}", path.display());
    let (collector, memory) = telemetry_tests::collector(|b| b.endpoint(url));
    let layer = TelemetryLayer::new(&collector).with_busy_times().with_span_metrics(SpanMetrics::new());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let span = info_span!("work", n = 1, late = tracing::field::Empty);
        (0..3).for_each(|_| span.in_scope(|| info!("in it")));
        span.record("late", 2);
    });
    let kept = telemetry_tests::exported(&collector, &memory);
    let span = kept.span("work");
    let field = |name: &str| span.fields.iter().find(|(known, _)| known == name).unwrap().1.to_string();
    let nanos_of = |name: &str| field(name).parse::<u64>().unwrap();
    assert_eq!((field("n"), field("late")), ("1".to_owned(), "2".to_owned()));
    assert_eq!(nanos_of("busy_ns") + nanos_of("idle_ns"), span.duration_nano);
    assert!(nanos_of("busy_ns") > 0);
    let measured = kept.metrics.iter().filter_map(|metric| metric.histogram());
    assert_eq!(measured.filter(|histogram| histogram.count == 1).count(), 1);
    let trace = Trace::read(&path);
    assert_eq!(trace.one("b", "work")["args"]["fields"]["busy_ns"], nanos_of("busy_ns"));
}

#[test]
fn under_load_from_many_threads_and_tasks_everything_is_whole() {
    let program = Program::start("");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let dispatch = program.dispatch.clone();
    runtime.on_thread_start(move || std::mem::forget(dispatcher::set_default(&dispatch)));
    let runtime = runtime.worker_threads(4).build().unwrap();
    let tasks = async {
        let tasks = (0..40_u64).map(|task| {
            let work = async move {
                for _ in 0..10 {
                    info_span!("call").in_scope(|| info!("in it"));
                    tokio::task::yield_now().await;
                    let blocking = tracing::Span::current();
                    let job = move || info_span!(parent: &blocking, "job").in_scope(|| ());
                    tokio::task::spawn_blocking(job).await.unwrap();
                }
            };
            tokio::spawn(work.instrument(info_span!("task", i = task)))
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    };
    program.run(|| runtime.block_on(tasks));
    drop(runtime);
    let trace = program.end();
    assert_eq!(trace.numbers(), (0..40).collect::<Vec<_>>());
    let count = |name: &str| trace.of("X").chain(trace.of("b")).filter(|span| span["name"] == name).count();
    assert_eq!((count("call"), count("job")), (400, 400));
    assert!(trace.of("X").filter(|span| span["name"] == "call").count() == 400, "a call is on its thread");
    assert_eq!(trace.of("i").count(), 400);
}
