//! An exporter of one's own: a type, and, where that is too much, a closure.

use std::collections::BTreeMap;
use std::time::Duration;

use telemetry_layer::prelude::*;
use telemetry_layer::{Delivery, ExportError, Signal};

/// Adds up how long spans of each name took.
#[derive(Default)]
struct TimeByName {
    nanos: BTreeMap<String, u64>,
}

impl Exporter for TimeByName {
    fn name(&self) -> &str {
        "time-by-name"
    }

    fn wants(&self, signal: Signal) -> bool {
        signal == Signal::Spans
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        for span in batch.spans() {
            *self.nanos.entry(span.name().to_owned()).or_default() += span.duration_nano();
        }
        Ok(Delivery::all())
    }

    fn shutdown(&mut self) {
        for (name, nanos) in &self.nanos {
            println!("{name}: {:?}", Duration::from_nanos(*nanos));
        }
    }
}

#[time_me]
fn outer() {
    (0..3).for_each(|_| inner());
}

#[time_me]
fn inner() {
    tracing::warn!(budget = 3, "this is an event");
}

fn main() -> Result<(), telemetry_layer::Error> {
    let builder = Collector::builder().exporter(TimeByName::default()).exporter(|batch: &Batch| {
        for event in batch.events() {
            println!("event: {} {:?}", event.message(), event.fields().collect::<Vec<_>>());
        }
    });
    let telemetry = telemetry_layer::init_with(builder)?;
    outer();
    print!("{}", telemetry.shutdown(Duration::from_secs(5)));
    Ok(())
}
