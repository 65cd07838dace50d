//! What the pipeline itself costs: from the buffers to exporters that throw everything away, in processor time of telemetry's
//! own threads for each span; and the memory that it takes.

use crate::memory::of_status;
use crate::timing::{process_cpu, thread_cpu};
use crate::{json, median};
use std::time::Duration;
use telemetry_layer::exporters::{Filter, Route};
use telemetry_layer::{Batch, Builder, Collector, Delivery, ExportError, TelemetryLayer};
use tracing_subscriber::layer::SubscriberExt;

const SPANS: u64 = 1_000_000;
const LONG: Duration = Duration::from_secs(60);
/// For exporters of which some never get rid of what they have.
const SHORT: Duration = Duration::from_secs(1);

/// How each call of an exporter ends, by its number.
type End = Box<dyn FnMut(u64, &Batch) -> Result<Delivery, ExportError> + Send>;

/// What may wait for each exporter in [`run_kinds`].
const LANES: usize = 8 << 20;

/// So many exporters, and rounds of a million spans of 4 fields each.
pub fn run(exporters: usize, rounds: usize) -> serde_json::Value {
    let mut builder = Collector::builder().ignore_env();
    for _ in 0..exporters {
        builder = builder.exporter(|batch: &Batch| _ = std::hint::black_box(batch.len()));
    }
    measure(exporters, builder, rounds, false)
}

/// The same with an event beside each span and exporters of eight kinds, most of which fail.
pub fn run_kinds(rounds: usize) -> serde_json::Value {
    let in_turn = |mut end: End| {
        let mut calls = 0;
        Route::new(move |batch: &Batch| {
            calls += 1;
            end(calls, batch)
        })
    };
    let slow = |batch: &Batch| {
        std::thread::sleep(Duration::from_millis(50));
        _ = std::hint::black_box(batch.len());
    };
    let builder = Collector::builder()
        .ignore_env()
        .configure(|config| config.exporter_bytes = LANES)
        .on_export(|_| ())
        .exporter(|batch: &Batch| _ = std::hint::black_box(batch.len()))
        .exporter(slow)
        .exporter(in_turn(Box::new(|_, _| Err(ExportError::retry("away")))))
        .exporter(in_turn(Box::new(
            |n, _| if n % 2 == 0 { Ok(Delivery::all()) } else { Err(ExportError::never("bad")) },
        )))
        .exporter(in_turn(Box::new(|_, batch| Ok(Delivery::partial(batch.len() / 2, "half of it")))))
        .exporter(in_turn(Box::new(|_, batch| match batch.len() {
            ..=100 => Ok(Delivery::all()),
            _ => Err(ExportError::too_large("over 100 items")),
        })))
        .exporter(in_turn(Box::new(|n, _| if n % 5 == 0 { panic!("each fifth") } else { Ok(Delivery::all()) })))
        .exporter(Route::new(|_: &Batch| ()).only(Filter::new().names(["work"])).rate_limit(10_000.0));
    measure(8, builder, rounds, true)
}

fn measure(exporters: usize, builder: Builder, rounds: usize, events: bool) -> serde_json::Value {
    let collector = builder.start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    let (begin, mut each) = (of_status("VmRSS:"), vec![]);
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..rounds {
            let (own, all) = (thread_cpu(), process_cpu());
            for i in 0..SPANS {
                drop(tracing::info_span!("work", user = i, size = 7i64, path = "/api/items", cached = true).entered());
                if events {
                    tracing::info!(user = i, "done");
                }
            }
            collector.flush(if events { SHORT } else { LONG });
            let own = thread_cpu() - own;
            each.push((process_cpu() - all - own).as_nanos() as f64 / SPANS as f64);
        }
    });
    let report = collector.shutdown(if events { SHORT } else { LONG });
    assert!(report.ledger().balances(), "{report}");
    json!({
        "exporters": exporters,
        "ns": median(each.clone()),
        "least": each.iter().copied().fold(f64::MAX, f64::min),
        "lost": report.ledger().lost(),
        "rss_start_kib": begin >> 10,
        "rss_peak_kib": of_status("VmHWM:") >> 10,
    })
}
