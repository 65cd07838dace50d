//! Hostile texts through every way in and out: control characters, marks of direction, quotes, separators, and what is not UTF-8.
//! What machines read comes back as it was; what people see is one line in which nothing looks like another line, field or tag.

mod answers;
mod console;
mod errors;
mod files;
mod hostile;
mod lines;
mod otlp;
#[path = "../otlp_receiver.rs"]
mod receiver;

use telemetry_layer::model::{Event, Kind, Metric, Span, SpanContext, SpanId, Status, Tags, TraceId};
use telemetry_layer::prelude::*;
use telemetry_layer::{Builder, Level};
use telemetry_tests::{Kept, SOON, exported};

/// A collector that has room for all of it.
fn builder(builder: Builder) -> Builder {
    builder.tag("env", hostile::texts().swap_remove(7)).max_series(10_000)
}

/// Each text in every place that a program can put it, by hand and by `tracing`; what was exported of it.
fn recorded(change: impl FnOnce(Builder) -> Builder) -> Kept {
    let (collector, memory) = telemetry_tests::collector(|b| change(builder(b)));
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        for (n, text) in (1..).zip(&hostile::texts()) {
            by_hand(&collector, n, text);
            traced(text);
            collector.counter(text.clone()).with(&[("user", text), (text, "me")]).inc();
            // What waits for a receiver is not much then.
            if n % 100 == 0 {
                assert!(collector.flush(SOON).is_complete());
            }
        }
    });
    exported(&collector, &memory)
}

fn by_hand(collector: &Collector, n: u64, text: &str) {
    let own = || text.to_owned();
    let context = SpanContext::new(TraceId::new(9).unwrap(), SpanId::new(n).unwrap(), true);
    let mut span = Span::new(context, own(), 1_000, 5).status(Status::Error(own()));
    span.target = own().into();
    collector.collect_span(&span.field(own(), text).field("n", n));
    let event = Event::new(Level::INFO, text, 1_000).name(own()).target(own());
    collector.collect_event(&event.within(context).field(own(), text).field("n", n));
    let mut tags = Tags::new();
    tags.insert("user", own()).unwrap();
    collector.collect_metric(Metric::new(Kind::Gauge, own(), n, 1_000).unit(own()).tags(tags));
}

fn traced(text: &str) {
    let span = tracing::info_span!(
        "work",
        otel.name = text,
        otel.status_code = "error",
        otel.status_description = text,
        user = %text
    );
    span.in_scope(|| {
        tracing::warn!(user = text, "{text}");
        tracing::info!(monotonic_counter.logins = 1, user = text, "login");
    });
}
