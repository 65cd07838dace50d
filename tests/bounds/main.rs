//! Everything is bounded in bytes, whatever comes in, and whichever way. Alone in its program, which counts what it allocates.

mod open_spans;
mod series;
mod surface;
mod texts;
mod ways;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telemetry_layer::model::ValueRef;
use telemetry_layer::prelude::*;
use telemetry_layer::{Builder, Config};
use telemetry_tests::Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// One test at a time, or each would count the others' bytes.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes that were in use at most while `f` ran, beyond those of before.
fn peak<R>(f: impl FnOnce() -> R) -> (usize, R) {
    let before = Counted::begin_peak();
    let result = f();
    (Counted::peak().saturating_sub(before), result)
}

const MIB: usize = 1 << 20;
/// Of names, units, keys and values of tags.
const NAME: usize = 4 << 10;
/// Of all other texts here: `max_text_bytes`.
const TEXT: usize = 2_000;

/// What an exporter saw that is longer than it may be.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn look(&self, what: &str, text: &str, most: usize) {
        if text.len() > most {
            let found = format!("{what}: {} bytes, {:?}", text.len(), &text[..text.floor_char_boundary(40)]);
            self.0.lock().unwrap().push(found);
        }
    }

    fn value(&self, what: &str, value: ValueRef<'_>) {
        if let ValueRef::Str(text) = value {
            self.look(what, text, TEXT);
        }
    }

    fn batch(&self, batch: &Batch) {
        for span in batch.spans() {
            self.look("name of a span", span.name(), NAME);
            self.look("target of a span", span.target(), NAME);
            self.look("trace state", span.trace_state(), NAME);
            self.look("status", &format!("{:?}", span.status()), 4 * TEXT);
            if let telemetry_layer::model::StatusRef::Error(text) = span.status() {
                self.look("status", text, TEXT);
            }
            assert!(span.links().count() <= 128);
            for (key, value) in span.fields() {
                self.look("field", key, NAME);
                self.value("value of a field", value);
            }
        }
        for event in batch.events() {
            self.look("name of an event", event.name(), NAME);
            self.look("target of an event", event.target(), NAME);
            self.look("message", event.message(), TEXT);
            for (key, value) in event.fields() {
                self.look("field of an event", key, NAME);
                self.value("value of a field of an event", value);
            }
        }
        for metric in batch.metrics() {
            self.look("metric", metric.name(), NAME);
            self.look("unit", metric.unit(), NAME);
            self.look("description", metric.description(), TEXT);
            for (key, value) in metric.tags() {
                self.look("key of a tag", key, NAME);
                self.look("value of a tag", value, NAME);
            }
        }
        for (key, value) in batch.resource().attributes() {
            self.look("attribute of the resource", key, NAME);
            if let ValueRef::Str(text) = value {
                self.look("value of an attribute of the resource", text, NAME);
            }
        }
    }

    /// All was short.
    fn check(&self, way: &str) {
        let found = std::mem::take(&mut *self.0.lock().unwrap());
        assert!(found.is_empty(), "{way}: {} are too long, the first: {}", found.len(), found[0]);
    }
}

/// Little memory for each of those who keep something.
fn small(config: &mut Config) {
    config.max_text_bytes = TEXT;
    config.metrics_bytes = 4 * MIB;
    config.buffer_bytes = 4 * MIB;
    config.exporter_bytes = 4 * MIB;
    config.open_spans_bytes = 4 * MIB;
    // Only the test flushes.
    config.flush_interval = std::time::Duration::from_hours(1);
}

fn builder(seen: &Seen) -> Builder {
    let seen = seen.clone();
    Collector::builder().ignore_env().configure(small).exporter(move |batch: &Batch| seen.batch(batch))
}
