//! Any spans, events and data points in files.
//!
//! Invariant: `file:` writes of each item one line, which is a JSON object and has its name; and `resource.json` is an object.
//! Nothing panics, and nothing is refused.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use telemetry_core::exporters::File;
use telemetry_core::{Batch, Exporter};
use telemetry_fuzz::{Items, plain, tagged};

fuzz_target!(|input: (bool, Items)| {
    let (is_tagged, items) = input;
    let items = items.bounded();
    let pipeline = if is_tagged { tagged() } else { plain() };
    let mut written = 0;
    for batch in pipeline.batches(|collector| items.record(collector)) {
        written += batch.len();
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = File::create(directory.path()).expect("a file");
        file.export(&batch).expect("a delivery");
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).expect("UTF-8");
        object(&read("resource.json"));
        let text = read(&format!("{}.jsonl", batch.signal().name()));
        let lines: Vec<_> = text.lines().map(object).collect();
        assert!(text.ends_with('\n') && names(&batch).eq(lines.iter().map(named)), "{text}");
    }
    assert_eq!(written, items.len());
});

fn object(line: &str) -> Map<String, Value> {
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}

fn named(object: &Map<String, Value>) -> String {
    object.get("name").map_or("", |name| name.as_str().expect("a text")).to_owned()
}

fn names(batch: &Batch) -> impl Iterator<Item = String> {
    let spans = batch.spans().map(|span| span.name().to_owned());
    let events = batch.events().map(|event| event.name().to_owned());
    spans.chain(events).chain(batch.metrics().map(|metric| metric.name().to_owned()))
}
