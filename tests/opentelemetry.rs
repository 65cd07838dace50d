//! Our layer beside `tracing-opentelemetry`: that exports what it would without ours, and where it does not err both
//! export the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Barrier, Mutex, OnceLock};

use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{SpanContext as OtelSpanContext, TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData, SpanLimits};
use proptest::prelude::*;
use telemetry_layer::model::{Status, TraceContext};
use telemetry_layer::prelude::*;
use telemetry_tests::beside::{Other, Ours, locked, program, sees_the_same};
use telemetry_tests::{Kept, on_a_thread};
use tracing::dispatcher::WeakDispatch;
use tracing::field::Empty;
use tracing::{Dispatch, Id, Span, Subscriber, debug_span, error, info, info_span, trace, trace_span, warn};
use tracing_opentelemetry::{MetricsLayer, OpenTelemetryLayer, OpenTelemetrySpanExt, get_otel_context};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt, registry};

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

/// A span as both exporters have it. Spans are known by their names.
#[derive(Debug, Default, PartialEq)]
struct Node {
    parent: Option<String>,
    /// Another span of the same trace, always the same one.
    trace: String,
    kind: String,
    status: Option<Result<(), String>>,
    links: Vec<String>,
    fields: BTreeMap<String, String>,
    events: Vec<(String, BTreeMap<String, String>)>,
}

type Nodes = BTreeMap<String, Node>;

fn of_otel(spans: &[SpanData]) -> Nodes {
    use opentelemetry::trace::Status;
    let pairs = |all: &[opentelemetry::KeyValue]| {
        // It exports what was recorded twice as two fields; the last one counts.
        all.iter().map(|pair| (pair.key.to_string(), pair.value.to_string())).collect::<BTreeMap<_, _>>()
    };
    let event = |event: &opentelemetry::trace::Event| {
        let mut fields = pairs(&event.attributes);
        // An event with an error and no message is renamed.
        let error = fields.remove("exception.message").map(|text| ("error".to_owned(), text));
        let message = if error.is_some() { String::new() } else { event.name.to_string() };
        (message, fields.into_iter().chain(error).collect())
    };
    let named = |id| spans.iter().find(|s| s.span_context.span_id() == id).map(|s| s.name.to_string());
    let node = |span: &SpanData| Node {
        parent: named(span.parent_span_id),
        trace: spans
            .iter()
            .filter(|s| s.span_context.trace_id() == span.span_context.trace_id())
            .map(|s| s.name.to_string())
            .min()
            .unwrap_or_default(),
        kind: format!("{:?}", span.span_kind),
        status: match &span.status {
            Status::Unset => None,
            Status::Ok => Some(Ok(())),
            Status::Error { description } => Some(Err(description.to_string())),
        },
        links: span.links.iter().filter_map(|link| named(link.span_context.span_id())).collect(),
        fields: pairs(&span.attributes),
        events: span.events.iter().map(event).collect(),
    };
    spans.iter().map(|span| (span.name.to_string(), node(span))).collect()
}

fn of_ours(kept: &Kept) -> Nodes {
    use telemetry_layer::model::Value;
    let spans = &kept.spans;
    let pairs = |all: &[(std::borrow::Cow<'static, str>, Value)]| {
        all.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect::<BTreeMap<_, _>>()
    };
    let named = |id| spans.iter().find(|span| span.span_id == id).map(|span| span.name.to_string());
    let node = |span: &telemetry_layer::model::Span| Node {
        parent: span.parent_span_id.and_then(named),
        trace: spans
            .iter()
            .filter(|other| other.trace_id == span.trace_id)
            .map(|other| other.name.to_string())
            .min()
            .unwrap_or_default(),
        kind: format!("{:?}", span.kind),
        status: match &span.status {
            Status::Ok => Some(Ok(())),
            Status::Error(description) => Some(Err(description.clone())),
            _ => None,
        },
        links: span.links.iter().filter_map(|link| named(link.span_id)).collect(),
        fields: pairs(&span.fields),
        events: kept
            .events
            .iter()
            .filter(|event| event.span_id == Some(span.span_id))
            .map(|event| {
                let level = ("level".to_owned(), event.level.to_string());
                let target = ("target".to_owned(), event.target.to_string());
                (event.message.clone(), pairs(&event.fields).into_iter().chain([level, target]).collect())
            })
            .collect(),
    };
    spans.iter().map(|span| (span.name.to_string(), node(span))).collect()
}

/// Runs the program where both layers are, with the same filter; what each exported.
fn both(max: LevelFilter, program: impl FnOnce()) -> (Nodes, Nodes) {
    let (ours, otel) = (Ours::default(), Otel::default());
    let subscriber = registry().with(ours.layer().with_filter(max)).with(otel.plain().with_filter(max));
    // What neither is to see is wanted by somebody, so that each filter is asked.
    let subscriber = subscriber.with(fmt::layer().with_writer(std::io::sink));
    tracing::subscriber::with_default(subscriber, program);
    (of_ours(&ours.kept()), of_otel(&otel.spans()))
}

#[test]
fn the_spans_are_those_of_tracing_opentelemetry() {
    for (max, many) in [(LevelFilter::TRACE, 12), (LevelFilter::DEBUG, 11), (LevelFilter::INFO, 10)] {
        let (ours, theirs) = both(max, program);
        assert_eq!(ours, theirs);
        assert_eq!(ours.len(), many, "up to {max}: {:?}", ours.keys());
    }
}

#[test]
fn kinds_statuses_and_values_of_all_types_are_the_same() {
    let (ours, theirs) = both(LevelFilter::TRACE, || {
        let (failed, none) = (std::io::Error::other("no stock"), None::<i64>);
        info_span!("client", otel.kind = "CLIENT").in_scope(|| error!(error = %failed));
        info_span!("unknown", otel.kind = "x", otel.status_code = "y").in_scope(|| error!(error = ?Some(1)));
        info_span!("said", otel.status_code = "error", otel.status_description = "sold out").in_scope(|| ());
        info_span!("described", otel.status_description = "sold out").in_scope(|| ());
        let late = info_span!("late", otel.status_code = Empty, otel.kind = Empty);
        late.record("otel.kind", "consumer").record("otel.status_code", "ERROR");
        late.record("otel.status_code", "ok");
        let (wide, long, short) = (7i128, u64::MAX, -1i8);
        info_span!("values", wide, long, short, yes = true, text = "é", some = Some(3), none).in_scope(
            || {
                info!(r#type = "x", wide = u128::MAX, float = f32::MIN, quoted = 2, "with {} values", 4);
            },
        );
    });
    assert_eq!(ours["late"].status, Some(Ok(())));
    assert_eq!(ours["described"].status, ours["said"].status);
    assert_eq!((ours["client"].kind.as_str(), ours["values"].fields.len()), ("Client", 6));
    assert_eq!(ours, theirs);
}

fn exit(span: &Span) {
    span.with_subscriber(|(id, dispatch)| dispatch.exit(id));
}

/// One of the things that can be done with five spans, by its number.
fn step(number: usize, (what, a, b): (u8, usize, usize), spans: &mut [Span; 5], entered: &mut Vec<Span>) {
    let name = format!("s{number}");
    match what {
        0..=2 => spans[a] = info_span!("span", otel.name = name, late = Empty),
        3 if a != b => spans[a] = info_span!(parent: &spans[b], "span", otel.name = name, late = Empty),
        4 => spans[a] = debug_span!(parent: None, "span", otel.name = name, late = Empty),
        5 => spans[a] = debug_span!("hidden by some", otel.name = name),
        6..=8 => {
            spans[a].with_subscriber(|(id, dispatch)| dispatch.enter(id));
            entered.push(spans[a].clone());
        }
        9 => entered.pop().iter().for_each(exit),
        10 if !entered.is_empty() => exit(&entered.remove(a % entered.len())),
        11 => spans[a] = Span::none(),
        12 => _ = spans[a].record("late", number as i64),
        13 => info!("e{number}"),
        14 => warn!(parent: &spans[a], "e{number}"),
        // It would lock itself out where a span follows itself.
        15 if a != b => _ = spans[a].follows_from(&spans[b]),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_a_program_does_both_have_the_same_spans(
        threads in prop::collection::vec(prop::collection::vec((0..16u8, 0..5usize, 0..5usize), 0..40), 1..4),
        max in prop_oneof![Just(LevelFilter::DEBUG), Just(LevelFilter::INFO)],
    ) {
        let (ours, otel) = (Ours::default(), Otel::default());
        // With a stack of its own it errs where a span is entered again.
        let theirs = otel.plain().with_context_activation(false).with_filter(max);
        let subscriber = registry().with(ours.layer().with_filter(max)).with(theirs).with(fmt::layer().with_writer(std::io::sink));
        tracing::subscriber::with_default(subscriber, || {
            let mut spans: [Span; 5] = std::array::from_fn(|_| Span::none());
            for (thread, steps) in threads.iter().enumerate() {
                on_a_thread(|| {
                    let mut entered = Vec::new();
                    for (at, what) in steps.iter().enumerate() {
                        step(thread * 100 + at, *what, &mut spans, &mut entered);
                    }
                    entered.iter().for_each(exit);
                });
            }
        });
        prop_assert_eq!(of_ours(&ours.kept()), of_otel(&otel.spans()));
    }
}

#[test]
fn spans_of_many_threads_have_all_their_events() {
    const THREADS: usize = 8;
    const TIMES: usize = 300;
    let start = Barrier::new(THREADS);
    let (ours, theirs) = both(LevelFilter::TRACE, || {
        let (root, dispatch) = (info_span!("root"), tracing::dispatcher::get_default(Clone::clone));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (root, dispatch, start) = (&root, &dispatch, &start);
                let work = move || {
                    start.wait();
                    let _root = root.enter();
                    let own = debug_span!("own", otel.name = format!("own {thread}"));
                    for _ in 0..TIMES {
                        trace!("in the root");
                        own.in_scope(|| trace!("in its own"));
                    }
                };
                scope.spawn(move || tracing::dispatcher::with_default(dispatch, work));
            }
        });
    });
    assert_eq!((ours["root"].events.len(), ours.len()), (THREADS * TIMES, THREADS + 1));
    assert!((0..THREADS).all(|n| ours[&format!("own {n}")].events.len() == TIMES));
    assert_eq!(ours, theirs);
}

#[test]
fn what_follows_a_span_that_is_gone_or_hidden_follows_none() {
    let (ours, theirs) = both(LevelFilter::DEBUG, || {
        let span = info_span!("follows");
        let closed = info_span!("closed").id();
        span.follows_from(closed);
        span.follows_from(&trace_span!("hidden"));
        trace_span!("hidden too").follows_from(&span);
        span.follows_from(&debug_span!("seen"));
    });
    assert_eq!(ours["follows"].links, ["seen"]);
    assert_eq!(ours, theirs);
}

/// Tells when a span is about to be closed in the layers above it, and waits.
struct Closing(Arc<Barrier>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Closing {
    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        if ctx.span(&id).is_some_and(|span| span.name() == "cause") {
            self.0.wait();
            self.0.wait();
        }
    }
}

#[test]
fn a_span_can_follow_one_that_closes_at_that_moment() {
    for we_close_first in [true, false] {
        let (ours, otel, both) = (Ours::default(), Otel::default(), Arc::new(Barrier::new(2)));
        let closing = Closing(both.clone());
        let subscriber = if we_close_first {
            Dispatch::new(registry().with(otel.plain()).with(ours.layer()).with(closing))
        } else {
            Dispatch::new(registry().with(closing).with(otel.plain()).with(ours.layer()))
        };
        tracing::dispatcher::with_default(&subscriber, || {
            let (cause, effect) = (info_span!("cause"), info_span!("effect"));
            let id = cause.id();
            std::thread::scope(|scope| {
                scope.spawn(|| drop(cause));
                both.wait();
                let follow = || _ = effect.follows_from(id);
                let followed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(follow));
                both.wait();
                followed.expect("neither panics");
            });
        });
        drop(subscriber);
        let (ours, theirs) = (of_ours(&ours.kept()), of_otel(&otel.spans()));
        assert_eq!(ours["effect"].links.len(), usize::from(!we_close_first));
        assert_eq!(ours, theirs);
    }
}

fn propagator() -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(vec![
        Box::new(BaggagePropagator::new()),
        Box::new(TraceContextPropagator::new()),
    ])
}

fn headers(sampled: u8) -> HashMap<String, String> {
    let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{sampled}");
    let all = [("traceparent", &*parent), ("tracestate", "one=1,two=2"), ("baggage", "user=ada,note=a%20b")];
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The same whatever order it is in, and however it is written.
fn baggage(headers: &HashMap<String, String>) -> Vec<String> {
    let read = TraceContext::extract(|name| headers.get(name).map(String::as_str)).expect("a traceparent");
    let mut all: Vec<String> = read.baggage.iter().map(|(name, value)| format!("{name}={value}")).collect();
    all.sort();
    all
}

#[test]
fn both_pass_on_what_came_with_a_request() {
    for sampled in [1, 0] {
        let (ours, otel) = (Ours::default(), Otel::default());
        let (came, mut of_ours, mut of_otel) = (headers(sampled), HashMap::new(), HashMap::new());
        let subscriber = registry().with(ours.layer()).with(otel.plain());
        tracing::subscriber::with_default(subscriber, || {
            let request = info_span!("request");
            let parent = TraceContext::extract(|name| came.get(name).map(String::as_str)).expect("a parent");
            SpanExt::set_parent(&request, &parent).expect("ours is unused");
            OpenTelemetrySpanExt::set_parent(&request, propagator().extract(&came)).expect("so is theirs");
            request.in_scope(|| {
                let call = info_span!("call");
                let context = call.trace_context().expect("it is open");
                context.inject(|name, value| drop(of_ours.insert(name.to_owned(), value)));
                propagator().inject_context(&call.context(), &mut of_otel);
            });
        });
        // Both made the same trace of it, but the span has one id in each.
        for sent in [&of_ours, &of_otel] {
            assert_eq!(sent["traceparent"][..36], came["traceparent"][..36]);
            assert_eq!(sent["traceparent"][52..], came["traceparent"][52..]);
            assert_eq!((&sent["tracestate"], baggage(sent)), (&came["tracestate"], baggage(&came)));
        }
        let (kept, spans) = (ours.kept(), otel.spans());
        assert_eq!((kept.spans.len(), spans.len()), if sampled == 1 { (2, 2) } else { (0, 0) });
        for span in &kept.spans {
            let same = spans.iter().find(|other| other.name == span.name).expect("the same span");
            assert_eq!(span.trace_id.to_string(), same.span_context.trace_id().to_string());
            assert_eq!(span.trace_state, same.span_context.trace_state().header());
        }
        if sampled == 1 {
            let far = spans[1].parent_span_id.to_string();
            assert_eq!(kept.span("request").parent_span_id.map(|id| id.to_string()), Some(far));
        }
    }
}

#[test]
fn without_a_readable_parent_a_span_begins_a_trace() {
    for wrong in ["", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"] {
        let came = HashMap::from([("traceparent".to_owned(), wrong.to_owned())]);
        let parent = TraceContext::extract(|name| came.get(name).map(String::as_str));
        let (ours, theirs) = both(LevelFilter::TRACE, || {
            let request = telemetry_layer::with_remote_parent(parent, || info_span!("request"));
            OpenTelemetrySpanExt::set_parent(&request, propagator().extract(&came)).expect("it is unused");
            request.in_scope(|| info_span!("call"));
        });
        assert_eq!((&ours["request"].parent, ours.len()), (&None, 2));
        assert_eq!(ours, theirs);
    }
}

#[test]
fn one_span_can_be_told_things_by_both() {
    let (ours, otel) = (Ours::default(), Otel::default());
    let subscriber = registry().with(otel.plain()).with(ours.layer());
    let (mut of_ours, mut of_otel) = (None, OtelSpanContext::NONE);
    tracing::subscriber::with_default(subscriber, || {
        let (far, span) = (info_span!("far"), info_span!("work"));
        of_ours = far.trace_context().map(|context| context.span);
        of_otel = far.context().span().span_context().clone();
        SpanExt::add_link(&span, of_ours.expect("it is open"));
        OpenTelemetrySpanExt::add_link(&span, of_otel.clone());
        let _in = span.enter();
        OpenTelemetrySpanExt::set_status(&span, opentelemetry::trace::Status::error("no stock"));
        span.add_event("theirs", Vec::new());
        error!(error = "no stock", "it failed");
    });
    let (kept, spans) = (ours.kept(), otel.spans());
    let theirs = spans.iter().find(|span| span.name == "work").expect("the span");
    assert_eq!(kept.span("work").links, Vec::from_iter(of_ours));
    assert_eq!(theirs.links.iter().map(|link| link.span_context.clone()).collect::<Vec<_>>(), [of_otel]);
    assert_eq!(theirs.status, opentelemetry::trace::Status::error("no stock"));
    assert_eq!(kept.span("work").status, Status::Error("no stock".to_owned()));
    let names: Vec<&str> = theirs.events.iter().map(|event| &*event.name).collect();
    assert_eq!((names, kept.events.len()), (vec!["theirs", "it failed"], 1));
}

/// Theirs, and ours.
type Ids = (String, Option<String>);

/// Asks the other layer for its context of each span that is entered, as layers that build upon it do.
#[derive(Clone, Default)]
struct Asks {
    dispatch: Arc<OnceLock<WeakDispatch>>,
    found: Arc<Mutex<Vec<Ids>>>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Asks {
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        let _ = self.dispatch.set(subscriber.downgrade());
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        let dispatch = self.dispatch.get().and_then(WeakDispatch::upgrade).expect("a subscriber");
        let context = get_otel_context(id, &dispatch).expect("a context");
        let ours = Span::current().span_id().map(|id| id.to_string());
        locked(&self.found).push((context.span().span_context().span_id().to_string(), ours));
    }
}

#[test]
fn a_third_layer_can_ask_both_where_a_span_stands() {
    let (ours, otel, asks) = (Ours::default(), Otel::default(), Asks::default());
    let subscriber = registry().with(ours.layer()).with(otel.plain()).with(asks.clone());
    tracing::subscriber::with_default(subscriber, || {
        info_span!("outer").in_scope(|| info_span!("inner").in_scope(|| ()));
    });
    let (kept, spans) = (ours.kept(), otel.spans());
    let id = |name: &str| {
        let theirs = spans.iter().find(|span| span.name == name).expect("the span");
        (theirs.span_context.span_id().to_string(), Some(kept.span(name).span_id.to_string()))
    };
    assert_eq!(*locked(&asks.found), [id("outer"), id("inner")]);
}

fn measure() {
    for n in 1..=3u64 {
        info!(monotonic_counter.requests = n, route = "/", ok = true);
        info!(monotonic_counter.seconds = 0.25, n);
    }
    info!(counter.open = 5i64);
    info!(counter.open = -2i64);
    info!(counter.load = -1.5, shown = %"x", debug = ?"y");
    for heat in [20.5, 21.5] {
        info!(gauge.heat = heat, place = "hall");
    }
    info!(gauge.left = -3i64);
    info!(gauge.users = 4u64);
    for size in [3u64, 5, 4000] {
        info!(histogram.size = size, route = "/");
        info!(histogram.wait = 0.5);
    }
}

/// Name and tags, with the sum, and the count where it is a histogram.
type Measured = BTreeMap<String, (f64, Option<u64>)>;

fn measured_by_otel(metrics: &InMemoryMetricExporter) -> Measured {
    fn points<T: Copy>(data: &MetricData<T>, float: impl Fn(T) -> f64) -> Vec<(String, f64, Option<u64>)> {
        fn tags<'a>(all: impl Iterator<Item = &'a opentelemetry::KeyValue>) -> String {
            let mut all: Vec<String> = all.map(|tag| format!("{}: {}", tag.key, tag.value)).collect();
            all.sort();
            all.join(", ")
        }
        match data {
            MetricData::Gauge(data) => {
                data.data_points().map(|p| (tags(p.attributes()), float(p.value()), None)).collect()
            }
            MetricData::Sum(data) => {
                data.data_points().map(|p| (tags(p.attributes()), float(p.value()), None)).collect()
            }
            MetricData::Histogram(data) => {
                data.data_points().map(|p| (tags(p.attributes()), float(p.sum()), Some(p.count()))).collect()
            }
            MetricData::ExponentialHistogram(_) => panic!("nobody asked for one"),
        }
    }
    let exported = metrics.get_finished_metrics().expect("metrics");
    let all = exported.iter().flat_map(ResourceMetrics::scope_metrics).flat_map(ScopeMetrics::metrics);
    all.flat_map(|metric| {
        let points = match metric.data() {
            AggregatedMetrics::F64(data) => points(data, |value| value),
            AggregatedMetrics::U64(data) => points(data, |value| value as f64),
            AggregatedMetrics::I64(data) => points(data, |value| value as f64),
        };
        points.into_iter().map(|(tags, sum, count)| (format!("{}{{{tags}}}", metric.name()), (sum, count)))
    })
    .collect()
}

#[test]
fn fields_that_are_measurements_are_the_same_for_both() {
    let (ours, exporter) = (Ours::default(), InMemoryMetricExporter::default());
    let provider =
        SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    let subscriber = registry().with(MetricsLayer::new(provider.clone())).with(ours.layer());
    tracing::subscriber::with_default(subscriber, measure);
    provider.shutdown().expect("shut down");
    let metrics = ours.kept().metrics;
    let our_own = metrics.iter().map(|metric| {
        let value = match metric.histogram() {
            Some(histogram) => (histogram.sum, Some(histogram.count)),
            None => (metric.number().as_f64(), None),
        };
        let mut tags: Vec<String> =
            metric.identity.tags.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        tags.sort();
        (format!("{}{{{}}}", metric.identity.name, tags.join(", ")), value)
    });
    let our_own: Measured = our_own.collect();
    assert_eq!(our_own.len(), 11, "{our_own:?}");
    assert_eq!(our_own, measured_by_otel(&exporter));
}
