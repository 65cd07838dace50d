//! Events of spans that are open for long, made by a thread that starts with the first span and ends with the layer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use telemetry_core::__private::warn_once;
use telemetry_core::model::{Event, SpanId};
use telemetry_core::{Collector, suppress};

use crate::open_spans::OpenSpans;

/// The thread looks so often for each time that a span may be open.
const LOOKS: u32 = 4;

/// Whether a layer has such a thread.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    every: Duration,
    /// It is to be started.
    is_due: AtomicBool,
}

impl Heartbeat {
    pub(crate) const fn none() -> Self {
        Self { every: Duration::ZERO, is_due: AtomicBool::new(false) }
    }

    pub(crate) fn new(every: Duration) -> Self {
        Self { every: every.max(Duration::from_millis(1)), is_due: AtomicBool::new(true) }
    }

    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.is_due.load(Relaxed)
    }

    /// Starts the thread, once. What that asks an allocator for is telemetry's own.
    pub(crate) fn start(&self, open: OpenSpans, collector: Collector) {
        if !self.is_due.swap(false, Relaxed) {
            return;
        }
        let every = self.every;
        let thread = std::thread::Builder::new().name("telemetry-heartbeat".to_owned());
        let started = suppress(|| thread.spawn(move || run(&open, &collector, every)));
        if let Err(error) = started {
            warn_once(format_args!(
                "spans that are open for long are not reported: a thread can't be started: {error}"
            ));
        }
    }
}

fn run(open: &OpenSpans, collector: &Collector, every: Duration) {
    // How often each has been said to be open.
    let mut said: HashMap<SpanId, u32> = HashMap::new();
    while !open.is_gone() {
        std::thread::sleep(every / LOOKS);
        let (spans, layer_time) = (open.list(), collector.now_unix_nano());
        let times = |age: Duration| u32::try_from(age.as_nanos() / every.as_nanos()).unwrap_or(u32::MAX);
        said.retain(|id, _| spans.iter().any(|span| span.context.span_id == *id));
        for span in spans.into_iter().filter(|span| span.age >= every) {
            let (before, now) = (said.entry(span.context.span_id).or_default(), times(span.age));
            if now > *before {
                *before = now;
                let event = Event::new(span.level, "span is open", layer_time)
                    .target(span.target)
                    .within(span.context)
                    .field("span.name", span.name.into_owned())
                    .field("span.age", span.age.as_secs_f64());
                collector.collect_event(&event);
            }
        }
    }
}

// Looks at the list of threads.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use telemetry_core::Collector;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::TelemetryLayer;

    fn runs() -> bool {
        let names = std::fs::read_dir("/proc/self/task").unwrap();
        let names = names.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        // Names of threads are cut there.
        names.into_iter().any(|name| name.starts_with("telemetry-heart"))
    }

    #[test]
    fn its_thread_starts_with_the_first_span_and_ends_with_the_layer() {
        let collector = Collector::builder().ignore_env().start().unwrap();
        let layer = TelemetryLayer::new(&collector).with_heartbeats(Duration::ZERO);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!("no span");
            assert!(!runs());
            let _first = tracing::info_span!("first");
            wait_until(runs);
        });
        wait_until(|| !runs());
    }

    fn wait_until(is: impl Fn() -> bool) {
        let until = std::time::Instant::now() + Duration::from_secs(10);
        while !is() {
            assert!(std::time::Instant::now() < until, "it took too long");
            std::thread::yield_now();
        }
    }
}
