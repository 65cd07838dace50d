//! What the pipeline itself costs: from the buffers to exporters that throw everything away, in processor time of telemetry's
//! own threads for each span; and the memory that it takes.

use crate::{json, median};
use std::time::Duration;
use telemetry_layer::{Batch, Collector, TelemetryLayer};
use tracing_subscriber::layer::SubscriberExt;

const SPANS: u64 = 1_000_000;
const LONG: Duration = Duration::from_secs(60);

fn cpu(clock: libc::clockid_t) -> f64 {
    // SAFETY: all zeros is a valid `timespec`, and the call only writes to it.
    unsafe {
        let mut t: libc::timespec = std::mem::zeroed();
        assert_eq!(libc::clock_gettime(clock, &mut t), 0);
        t.tv_sec as f64 * 1e9 + t.tv_nsec as f64
    }
}

fn kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|l| l.starts_with(key)).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// So many exporters, and rounds of a million spans of 4 fields each.
pub fn run(exporters: usize, rounds: usize) -> serde_json::Value {
    let mut builder = Collector::builder().ignore_env();
    for _ in 0..exporters {
        builder = builder.exporter(|batch: &Batch| _ = std::hint::black_box(batch.len()));
    }
    let collector = builder.start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    let (begin, mut each) = (kib("VmRSS:"), vec![]);
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..rounds {
            let (own, all) = (cpu(libc::CLOCK_THREAD_CPUTIME_ID), cpu(libc::CLOCK_PROCESS_CPUTIME_ID));
            for i in 0..SPANS {
                drop(tracing::info_span!("work", user = i, size = 7i64, path = "/api/items", cached = true).entered());
            }
            collector.flush(LONG);
            let own = cpu(libc::CLOCK_THREAD_CPUTIME_ID) - own;
            each.push((cpu(libc::CLOCK_PROCESS_CPUTIME_ID) - all - own) / SPANS as f64);
        }
    });
    let report = collector.shutdown(LONG);
    assert!(report.ledger().balances(), "{report}");
    json!({
        "exporters": exporters,
        "ns": median(each.clone()),
        "least": each.iter().copied().fold(f64::MAX, f64::min),
        "lost": report.ledger().lost(),
        "rss_start_kib": begin,
        "rss_peak_kib": kib("VmHWM:"),
    })
}
