//! The layer: from `tracing`'s calls to finished records in the collector's buffers.
//!
//! A span is taken down when it opens, kept in this layer's own store while it is open, and written as one
//! record when it closes; an event is written at once. What is not sampled, or made by telemetry itself, is
//! counted and not written. Nothing here blocks, and no code of the user runs under a lock.

use std::sync::Arc;
use std::time::Duration;

use telemetry_core::__private::record::FieldBuf;
use telemetry_core::__private::{Writer, look_for_spans, look_for_tags};
use telemetry_core::model::Text;
use telemetry_core::{Collector, Signal};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::events::field_place;
use crate::fields::{OtelFields, Recorder, SpanMetrics, taking};
use crate::heartbeat::Heartbeat;
use crate::inherited::tags_of_thread;
use crate::layers;
use crate::open_spans::OpenSpans;
use crate::opens::Opens;
use crate::spans::{Extras, kept_span};
use crate::tracer::Tracer;

/// Turns spans and events into telemetry of the collector it was made with.
///
/// ```
/// use telemetry_layer::prelude::*;
///
/// // Global, so that attributes and instruments feed it too; `start` makes one for this layer alone.
/// let telemetry = Collector::builder().endpoint("discard:").install()?;
/// tracing_subscriber::registry().with(TelemetryLayer::new(&telemetry)).init();
/// tracing::info_span!("work", items = 3).in_scope(|| tracing::info!("done"));
/// # Ok::<(), telemetry_layer::Error>(())
/// ```
///
/// It stands beside other layers and changes nothing that they see. It does not keep the collector running: what
/// comes after the collector's shutdown, or after its last handle or its guard was dropped, is lost and counted.
///
/// In a `reload::Layer` it can be put in and taken out at any time. Put in a new one each time: one that was taken out
/// while spans were open missed their ends, and would take them for the parents of what comes. A span that closes on a
/// thread with another default subscriber does not let go of its parent (`tracing-subscriber` asks the default one),
/// which then stays among the open spans.
///
/// Some fields of spans have a meaning, as in `tracing-opentelemetry`, and are not exported as fields:
/// `otel.name`, `otel.kind` (`server`, `client`, ..), `otel.status_code` (`ok`, `error`) and
/// `otel.status_description`. A span that a panic leaves has the status error. So has one with a field `error`, which stays
/// a field; where that is an error (`error = &e as &dyn std::error::Error`), what its sources say is kept too: up to 16 of
/// them stand behind its own text in the field `exception.message`. The same goes for events.
///
/// A field that comes twice, however that is, has the value that it was given last. A `Debug` or `Display` of a field that
/// panics does so into its caller: what was taken by then is recorded, and spans end as always.
///
/// Some fields of events are measurements; the other fields of the event, without its message, are their tags, but for two that
/// say what the metrics are declared with and are no fields of such an event:
///
/// | field | what it does |
/// | --- | --- |
/// | `monotonic_counter.x` | adds to the counter `x` |
/// | `counter.x` | adds to the up-down counter `x` |
/// | `histogram.x` | records a value of the histogram `x` |
/// | `gauge.x` | sets the gauge `x` |
/// | `otel.unit` | the unit of these metrics, in UCUM (`ms`, `By`) |
/// | `otel.description` | their description |
///
/// ```
/// tracing::info!(histogram.response_size = 1400, otel.unit = "By", otel.description = "What clients get.", "answered");
/// ```
///
/// A metric keeps the unit and the description that it was given first; one that differs is said on standard error, once.
// Threads that share a scoped `Dispatch` count it in front of the subscriber: what they read stands in another cache
// line (two threads: 330 ns a span instead of 505).
#[repr(align(128))]
#[derive(Debug)]
#[must_use = "a layer does nothing before it is part of a subscriber"]
pub struct TelemetryLayer {
    tracer: Arc<Tracer>,
    heartbeat: Heartbeat,
}

impl TelemetryLayer {
    /// A layer that feeds that collector.
    pub fn new(collector: &Collector) -> Self {
        let tracer = Tracer::new(collector.sink());
        layers::register(&tracer);
        look_for_spans(kept_span);
        look_for_tags(tags_of_thread);
        Self { tracer, heartbeat: Heartbeat::none() }
    }

    /// Measures spans: see [`SpanMetrics`].
    pub fn with_span_metrics(self, metrics: SpanMetrics) -> Self {
        self.tracer.measure_spans(metrics);
        self
    }

    /// Puts `[redacted]` in place of the values of fields whose names are like one of these: `*` stands for any text, `?`
    /// for one character. For spans and events; records of `log` have the fields `message`, `code.file.path` and
    /// `code.line.number`.
    pub fn with_redacted_fields<T: Into<Text>>(self, patterns: impl IntoIterator<Item = T>) -> Self {
        let patterns: Vec<Text> = patterns.into_iter().map(Into::into).collect();
        self.tracer.change_rules(|rules| rules.redacted.extend(patterns));
        self
    }

    /// Leaves out the fields whose names are like one of these, redacted or not.
    pub fn without_fields<T: Into<Text>>(self, patterns: impl IntoIterator<Item = T>) -> Self {
        let patterns: Vec<Text> = patterns.into_iter().map(Into::into).collect();
        self.tracer.change_rules(|rules| rules.dropped.extend(patterns));
        self
    }

    /// Gives events the fields of these names that spans have which they are in: of several the nearest one, where the event has
    /// none of that name itself. What rules make of a field of a span, events have too.
    ///
    /// ```
    /// use telemetry_layer::prelude::*;
    ///
    /// let collector = Collector::builder().start()?;
    /// let layer = TelemetryLayer::new(&collector).inherit_fields(["user.id"]);
    /// # tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
    /// tracing::info_span!("request", user.id = 7).in_scope(|| tracing::info!("has `user.id` too"));
    /// # });
    /// # Ok::<(), telemetry_layer::Error>(())
    /// ```
    ///
    /// They are found in up to 256 spans. In a trace that is not kept, spans have the fields that they declare, and not what
    /// only [`set_attribute`](crate::SpanExt::set_attribute) gives them.
    pub fn inherit_fields<T: Into<Text>>(self, names: impl IntoIterator<Item = T>) -> Self {
        self.tracer.inherit_fields(names.into_iter().map(Into::into).collect());
        self
    }

    /// Gives counters, histograms, timers and meters of the layer's collector the fields of these names as tags, where they are
    /// measured on a thread that is in spans which declare them: by macros, attributes, handles and events. Tags that a
    /// measurement has itself stay. Up-down counters and gauges have none of them: what is added in one span may be taken off
    /// in another.
    ///
    /// Name what has few values: each is a series of its own ([`max_series`](crate::Config::max_series)). A measurement in such
    /// a span looks for its tags each time, and takes a microsecond instead of nanoseconds; all others cost what they did.
    pub fn inherit_tags<T: Into<Text>>(self, names: impl IntoIterator<Item = T>) -> Self {
        self.tracer.inherit_tags(names.into_iter().map(Into::into).collect());
        self
    }

    /// Adds the fields `busy_ns` and `idle_ns` to each span that is kept: the nanoseconds in which threads were in it,
    /// counted once for each of them, and what is left of its duration. Entering and leaving a span then read the clock.
    pub fn with_busy_times(self) -> Self {
        self.tracer.time_busy();
        self
    }

    /// Lets each span that is open for that long make an event `span is open`, and again each time it has been open for so
    /// long once more, with its name, its age in seconds, and its ids: so a backend sees it before it ends. At least a
    /// millisecond.
    ///
    /// A thread of its own looks after them. It starts with the first span and ends with the layer; where it can't be
    /// started, one line on standard error says so.
    pub fn with_heartbeats(self, every: Duration) -> Self {
        Self { heartbeat: Heartbeat::new(every), ..self }
    }

    /// Shows the spans that are open now, after the layer has gone into a subscriber.
    pub fn open_spans(&self) -> OpenSpans {
        OpenSpans::new(&self.tracer)
    }

    pub(crate) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    #[cold]
    fn start_heartbeat(&self) {
        self.heartbeat.start(self.open_spans(), self.tracer.sink.collector());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for TelemetryLayer {
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.tracer.belongs_to(subscriber, layers::registry_of(subscriber));
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let tracer = &*self.tracer;
        if !tracer.has_registry() {
            layers::mark(ctx.span(id), tracer.number());
        }
        if !tracer.is_recording(Some(Signal::Spans)) {
            return;
        }
        if self.heartbeat.is_due() {
            self.start_heartbeat();
        }
        let begun = tracer
            .with_thread(|thread| tracer.begin(Some(thread), attributes, id.into_u64()))
            .unwrap_or_else(|| tracer.begin_alone(attributes, id.into_u64()));
        let Some(slot) = begun else {
            return tracer.write(Writer::open_spans_full);
        };
        if !slot.is_watched() {
            return;
        }
        let mut fields = slot.place().with_max_text(tracer.max_text);
        let plan = tracer.plan(attributes.metadata());
        // With the timer of its function, if it has one: known before the code of the user runs, which may begin others.
        let announced = if plan.is_timed { tracer.sink.clock().announced() } else { None };
        let opens = || Opens { tracer, id: id.into_u64(), slot, plan, announced };
        if plan.is_plain {
            let take = |fields: &mut _| attributes.record(&mut Recorder { fields, rules: None });
            taking(&mut fields, take, |fields| opens().breaks(fields));
        } else if !attributes.is_empty() {
            opens().take_by_plan(attributes, &mut fields);
        }
        // The clock last: what comes before and what comes after do not wait for each other then.
        slot.begin(announced.unwrap_or_else(|| tracer.sink.clock().now()), &fields);
        if let Some(measured) = &plan.metrics {
            measured.sites.begin(&tracer.sink);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let tracer = &*self.tracer;
        let Some(slot) = tracer.store.find(id.into_u64()) else { return };
        if !tracer.is_recording(None) || !slot.is_watched() {
            return;
        }
        let Some(site) = slot.site() else { return };
        let (place, plan) = (field_place(), tracer.plan(site));
        let fields = FieldBuf::at(&place).with_max_text(tracer.max_text);
        let mut taken = (fields, OtelFields::default());
        let keep = |(fields, otel): &mut (FieldBuf<'_>, OtelFields)| {
            if !fields.is_empty() || fields.cut() > 0 {
                slot.update(fields);
            }
            slot.apply(id.into_u64(), std::mem::take(otel));
        };
        let take = |(fields, otel): &mut _| plan.record(|recorder| values.record(recorder), fields, otel);
        taking(&mut taken, take, keep);
        keep(&mut taken);
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, S>) {
        let store = &self.tracer.store;
        // One that is closed, or that a filter hides, is nothing that can be pointed to.
        let to = store.find(follows.into_u64()).and_then(|slot| slot.publish(follows.into_u64()));
        if let Some((slot, to)) = store.find(id.into_u64()).zip(to) {
            slot.link(id.into_u64(), to);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let tracer = &*self.tracer;
        if !tracer.is_recording(Some(Signal::Events)) {
            return;
        }
        let (site, clock) = (event.metadata(), tracer.sink.clock());
        let plan = tracer.plan(site);
        if !plan.is_plain || !tracer.sink.sampler().keeps_all_events() {
            return tracer.event_by_plan(event, plan);
        }
        let now = clock.now();
        let place = field_place();
        let mut fields = FieldBuf::at(&place).with_max_text(tracer.max_text);
        let take = |fields: &mut _| event.record(&mut Recorder { fields, rules: None });
        taking(&mut fields, take, |fields| tracer.write_broken_event(event, now, fields));
        tracer.write_event(event, now, &fields);
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        if self.tracer.minds_entering() {
            return self.tracer.entering(id);
        }
        self.tracer.enter(id.into_u64(), None);
    }

    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        let exited = self.tracer.with_thread(|thread| thread.exit(id.into_u64())).flatten();
        let Some(exited) = exited else { return };
        if let Some(since) = exited.since {
            self.tracer.leaving(id, exited.slot, since);
        }
        if exited.by_panic {
            exited.slot.change(id.into_u64(), Extras::panic);
        }
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let (tracer, id) = (&*self.tracer, id.into_u64());
        let measured = tracer.with_thread(|thread| {
            let slot = thread.find(&tracer.store, id)?;
            thread.closes(id, slot);
            if slot.is_measured() {
                return Some(slot);
            }
            tracer.close(id, slot, &mut thread.writer);
            None
        });
        // A thread that is ending has nothing of its own any more.
        if let Some(slot) = measured.unwrap_or_else(|| tracer.store.find(id)) {
            tracer.close_measured(id, slot);
        }
    }
}
