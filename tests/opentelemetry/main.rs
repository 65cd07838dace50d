//! Our layer beside `tracing-opentelemetry`: that exports what it would without ours, and where it does not err both
//! export the same.

mod context;
mod measurements;
mod nodes;
mod spans;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData, SpanLimits};
use telemetry_tests::beside::{Other, program, sees_the_same};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::registry::LookupSpan;

/// What `tracing-opentelemetry` exports.
struct Otel {
    exporter: InMemorySpanExporter,
    provider: SdkTracerProvider,
}

impl Default for Otel {
    fn default() -> Self {
        let exporter = InMemorySpanExporter::default();
        let limits = SpanLimits { max_events_per_span: u32::MAX, ..SpanLimits::default() };
        let builder = SdkTracerProvider::builder().with_simple_exporter(exporter.clone());
        Self { exporter, provider: builder.with_span_limits(limits).build() }
    }
}

impl Otel {
    /// Without what it says of places and times, which differ from run to run.
    fn plain<S>(&self) -> OpenTelemetryLayer<S, opentelemetry_sdk::trace::Tracer>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let layer = tracing_opentelemetry::layer().with_tracer(self.provider.tracer("beside"));
        layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_target(false)
    }

    fn spans(&self) -> Vec<SpanData> {
        self.exporter.get_finished_spans().expect("spans")
    }
}

impl Other for Otel {
    fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        self.plain().boxed()
    }

    fn saw(self) -> Vec<String> {
        let spans = self.spans();
        let name = |id| spans.iter().find(|span| span.span_context.span_id() == id).map(|span| &*span.name);
        let line = |span: &SpanData| {
            let event =
                |event: &opentelemetry::trace::Event| format!("{} {:?}", event.name, event.attributes);
            let events: Vec<String> = span.events.iter().map(event).collect();
            let links: Vec<_> = span.links.iter().map(|link| name(link.span_context.span_id())).collect();
            let SpanData { span_kind, status, attributes, .. } = span;
            let (name, parent) = (&span.name, name(span.parent_span_id));
            format!("{name} below {parent:?} {span_kind:?} {status:?} {attributes:?} {events:?} {links:?}")
        };
        spans.iter().map(line).collect()
    }
}

#[test]
fn tracing_opentelemetry_exports_the_same() {
    sees_the_same::<Otel>(program, &[None, Some(LevelFilter::DEBUG), Some(LevelFilter::INFO)]);
}
