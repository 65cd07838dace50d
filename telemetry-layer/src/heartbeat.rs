//! Events of spans that are open for long.

use std::collections::HashMap;
use std::time::Duration;

use telemetry_core::Collector;
use telemetry_core::model::{Event, SpanId};

use crate::open_spans::OpenSpans;

/// The thread looks so often for each time that a span may be open.
const LOOKS: u32 = 4;

pub(crate) fn start(open: OpenSpans, collector: Collector, every: Duration) -> std::io::Result<()> {
    let every = every.max(Duration::from_millis(1));
    let thread = std::thread::Builder::new().name("telemetry-heartbeat".to_owned());
    thread.spawn(move || run(&open, &collector, every)).map(drop)
}

fn run(open: &OpenSpans, collector: &Collector, every: Duration) {
    // How often each has been said to be open.
    let mut said: HashMap<SpanId, u32> = HashMap::new();
    while !open.is_gone() {
        std::thread::sleep(every / LOOKS);
        let (spans, layer_time) = (open.list(), collector.now_unix_nano());
        let times = |age: Duration| u32::try_from(age.as_nanos() / every.as_nanos()).unwrap_or(u32::MAX);
        said.retain(|id, _| spans.iter().any(|span| span.context.span_id == *id));
        for span in spans.iter().filter(|span| span.age >= every) {
            let (before, now) = (said.entry(span.context.span_id).or_default(), times(span.age));
            if now > *before {
                *before = now;
                let event = Event::new(span.level, "span is open", layer_time)
                    .target(span.target)
                    .within(span.context)
                    .field("span.name", span.name)
                    .field("span.age", span.age.as_secs_f64());
                collector.collect_event(&event);
            }
        }
    }
}
