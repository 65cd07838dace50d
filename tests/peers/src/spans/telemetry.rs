//! Ours: spans and events through the layer, into buffers that the dispatcher drains after each burst.

use super::{EVENT3, OPS, event3};
use crate::case::{Case, Entries};
use crate::meters::telemetry::install;
use std::hint::black_box as bb;
use std::time::Duration;
use telemetry_layer::{Collector, Guard, Signal, TelemetryLayer, time_me};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

const LONG: Duration = Duration::from_secs(10);

/// The layer on its own, with a buffer that holds a burst.
fn on(rate: f64) -> &'static Guard {
    let builder = Collector::builder().export("discard:").sample_rate(rate).flush_interval(Duration::from_secs(3600));
    let collector = install(builder.configure(|c| (c.buffer_size, c.buffer_bytes) = (1 << 20, 64 << 20)));
    tracing_subscriber::registry().with(TelemetryLayer::new(collector)).init();
    collector
}

/// Every item is accounted for, and kept where all are.
fn account(collector: &Guard, signal: Signal, want: u64, rate: f64) -> String {
    assert!(collector.flush(LONG).is_complete());
    let ledger = collector.ledger();
    assert!(ledger.balances());
    let account = ledger.signal(signal);
    assert_eq!(account.recorded, want, "{ledger}");
    if rate >= 1.0 {
        assert_eq!(account.dispatched, want, "{ledger}");
    }
    format!("{} of {want} kept", account.dispatched)
}

#[time_me(name = "work")]
#[inline(never)]
fn timed() {
    bb(())
}

pub(super) fn add(e: &mut Entries) {
    for (op, f, each, extra) in OPS {
        for (who, rate, drained) in
            [("telemetry", 1.0, true), ("telemetry, undrained", 1.0, false), ("telemetry, ratio 0.01", 0.01, true)]
        {
            e.add12(op, who, move || {
                let collector = on(rate);
                let case = Case::new(1000, f).verify(move |ops, runs| {
                    account(collector, Signal::Spans, each * ops + extra * runs, if drained { rate } else { 0.0 })
                });
                if drained { case.settle(move || drop(collector.flush(LONG))) } else { case }
            });
        }
    }
    e.add12(EVENT3, "telemetry", || {
        let collector = on(1.0);
        Case::new(1000, event3)
            .settle(move || drop(collector.flush(LONG)))
            .verify(move |ops, _| account(collector, Signal::Events, ops, 1.0))
    });
    e.add("timed fn", "telemetry, #[time_me]", || {
        let collector = on(1.0);
        Case::new(1000, |n| (0..n).for_each(|_| timed()))
            .settle(move || drop(collector.flush(LONG)))
            .verify(move |ops, _| account(collector, Signal::Spans, ops, 1.0))
    });
}
