//! The layer: from `tracing`'s calls to finished records in the collector's buffers.
//!
//! A span is taken down when it opens, kept in this layer's own store while it is open, and written as one
//! record when it closes; an event is written at once. What is not sampled, or made by telemetry itself, is
//! counted and not written. Nothing here blocks, and no code of the user runs under a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use telemetry_core::model::record::{EventHead, FieldBuf, Site, SpanHead, Time};
use telemetry_core::model::{SpanContext, SpanKind, StatusRef};
use telemetry_core::thread::{is_suppressed, new_span_id, new_trace_id};
use telemetry_core::{Collector, Signal, Sink};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::open::{OpenSpan, OpenSpans};
use crate::visit::{Code, Recorder, Special, with_fields};
use crate::{metric_fields, stack};

/// Turns spans and events into telemetry of the collector it was made with.
///
/// ```
/// use telemetry_layer::prelude::*;
///
/// // Global, so that attributes and instruments feed it too; `start` makes one for this layer alone.
/// let telemetry = Collector::builder().export("discard:").install()?;
/// tracing_subscriber::registry().with(TelemetryLayer::new(&telemetry)).init();
/// tracing::info_span!("work", items = 3).in_scope(|| tracing::info!("done"));
/// # Ok::<(), telemetry_layer::Error>(())
/// ```
///
/// It stands beside other layers and changes nothing that they see. It does not keep the collector running: what
/// comes after the collector's shutdown, or after its last handle or its guard was dropped, is lost and counted.
///
/// Some fields of spans have a meaning, as in `tracing-opentelemetry`, and are not exported as fields:
/// `otel.name`, `otel.kind` (`server`, `client`, ..), `otel.status_code` (`ok`, `error`) and
/// `otel.status_description`. A span that a panic leaves has the status error.
///
/// Some fields of events are measurements; the other fields of the event, without its message, are their tags:
///
/// | field | what it does |
/// | --- | --- |
/// | `monotonic_counter.x` | adds to the counter `x` |
/// | `counter.x` | adds to the up-down counter `x` |
/// | `histogram.x` | records a value of the histogram `x` |
/// | `gauge.x` | sets the gauge `x` |
#[derive(Debug)]
pub struct TelemetryLayer {
    sink: Sink,
    /// Tells the stacks of layers apart.
    number: u64,
    open: OpenSpans,
}

impl TelemetryLayer {
    /// A layer that feeds that collector.
    pub fn new(collector: &Collector) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { sink: collector.sink(), number: NEXT.fetch_add(1, Relaxed), open: OpenSpans::new() }
    }

    /// Whether to look at what is going on; counts it where the reason is that telemetry looks away.
    fn looks(&self, signal: Option<Signal>) -> bool {
        if !self.sink.is_enabled() {
            return false;
        }
        if is_suppressed() {
            if let Some(signal) = signal {
                self.sink.suppressed(signal);
            }
            return false;
        }
        true
    }

    /// Explicit parent, else the current span, else none. An explicit parent that this layer does not know,
    /// because a filter hides it, leaves a root.
    fn parent(&self, explicit: Option<&Id>, contextual: bool) -> Option<SpanContext> {
        match explicit {
            Some(id) => self.open.context(id.into_u64()),
            None if contextual => stack::current(self.number),
            None => None,
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TelemetryLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        if !self.looks(Some(Signal::Spans)) {
            return;
        }
        let parent = self.parent(attributes.parent(), attributes.is_contextual());
        let root = || {
            let trace_id = new_trace_id();
            (trace_id, self.sink.sampler().keeps(trace_id))
        };
        let (trace_id, sampled) = parent.map_or_else(root, |p| (p.trace_id, p.sampled));
        let context = SpanContext { trace_id, span_id: new_span_id(), sampled };
        let mut span = OpenSpan {
            context,
            parent: parent.map(|p| p.span_id),
            site: attributes.metadata(),
            start: self.sink.clock().now(),
            name: None,
            kind: SpanKind::Internal,
            code: None,
            description: None,
            fields: FieldBuf::new(),
        };
        if context.sampled && !attributes.is_empty() {
            let mut special = Special::default();
            attributes.record(&mut Recorder { fields: &mut span.fields, special: Some(&mut special) });
            span.apply(special);
        }
        self.open.insert(id.into_u64(), span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        if !self.looks(None) || !self.open.context(id.into_u64()).is_some_and(|c| c.sampled) {
            return;
        }
        with_fields(|fields| {
            let mut special = Special::default();
            values.record(&mut Recorder { fields, special: Some(&mut special) });
            self.open.with(id.into_u64(), |span| {
                if !fields.is_empty() || fields.cut() > 0 {
                    span.fields.update(fields, span.site);
                }
                span.apply(special);
            });
        });
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !self.looks(Some(Signal::Events)) {
            return;
        }
        let context = self.parent(event.parent(), event.is_contextual());
        let head = EventHead {
            trace_id: context.map(|c| c.trace_id),
            span_id: context.map(|c| c.span_id),
            sampled: context.is_some_and(|c| c.sampled),
            time: Time::Tick(self.sink.clock().now().raw()),
            site: Site::Static(event.metadata()),
            cut: 0,
        };
        with_fields(|fields| {
            event.record(&mut Recorder { fields, special: None });
            self.sink.push_event(&head, fields);
        });
        if metric_fields::has_metrics(event.metadata()) {
            metric_fields::measure(event, &self.sink);
        }
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        if let Some(context) = self.open.context(id.into_u64()) {
            stack::enter(self.number, id.into_u64(), context);
        }
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        if stack::exit(self.number, id.into_u64()) {
            self.open.with(id.into_u64(), |span| {
                if span.code.is_none() {
                    span.code = Some(Code::Error);
                    span.description.get_or_insert_with(|| "panicked".to_owned());
                }
            });
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let Some(span) = self.open.remove(id.into_u64()) else { return };
        if !span.context.sampled {
            self.sink.sampled_out(Signal::Spans);
            return;
        }
        let head = SpanHead {
            context: span.context,
            parent: span.parent,
            start: Time::Tick(span.start.raw()),
            duration_nano: self.sink.clock().now().since(span.start),
            kind: span.kind,
            status: match span.code {
                None => StatusRef::Unset,
                Some(Code::Ok) => StatusRef::Ok,
                Some(Code::Error) => StatusRef::Error(span.description.as_deref().unwrap_or_default()),
            },
            name: span.name.as_deref(),
            site: Site::Static(span.site),
            cut: 0,
        };
        self.sink.push_span(&head, &span.fields);
    }
}

impl OpenSpan {
    fn apply(&mut self, special: Special) {
        self.code = special.code.or(self.code);
        self.kind = special.kind.unwrap_or(self.kind);
        self.name = special.name.or_else(|| self.name.take());
        self.description = special.description.or_else(|| self.description.take());
    }
}
