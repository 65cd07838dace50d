//! Every way in: an item of the public surface that takes texts is tried here, or it is said why nothing of it is kept.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use telemetry_layer::exporters::{HostTag, Route};
use telemetry_layer::metrics::{Reader, Source, View};
use telemetry_layer::model::{
    DataPoint, Event, Kind, Metric, Resource, SeriesKey, Span, SpanContext, SpanId, Status, Tags, TimeSeries,
    TraceContext, TraceId, Value,
};
use telemetry_layer::prelude::*;
use telemetry_layer::{Builder, Config, Level, SpanMetrics, gauge as gauge_of, with_remote_parent};
use telemetry_tests::SOON;
use tracing::field::{Empty, display};
use tracing::{error, info, info_span};

use crate::texts::{Hostile, Written, hostile};
use crate::{MIB, NAME, Seen, TEXT, alone, builder, peak, surface};

/// What becomes of a text that an item is given.
enum Way {
    /// The item is a way in while a program runs.
    In(fn(&Collector, &Hostile)),
    /// It is one when a collector is set up.
    SetUp(fn(Builder, &Hostile) -> Builder),
    /// It hands on what came in by another one.
    With(&'static str),
    /// Nothing of it is kept or exported.
    No(&'static str),
}

use Way::{In, No, SetUp, With};

const LOOKS: &str = "it is compared with what is there";
const PATTERN: &str = "a pattern of the program's own, compared with what is there";
const OUT: &str = "a way out: what is in it came in elsewhere";
const PLACE: &str = "a place that the program's operator names";

/// All of them, as `surface` names them, and those that are in no signature.
fn ways() -> Vec<(&'static str, Way)> {
    let mut ways = by_hand();
    ways.extend(instruments());
    ways.extend(by_tracing());
    ways.extend(set_up());
    ways.extend(no_ways());
    ways
}

fn context() -> SpanContext {
    SpanContext::new(TraceId::new(7).unwrap(), SpanId::new(8).unwrap(), true)
}

fn tags(t: &Hostile) -> Tags {
    let mut tags = Tags::new();
    tags.insert(t.name.clone(), t.text.clone()).unwrap();
    tags.insert("short", t.text.clone()).unwrap();
    tags
}

fn by_hand() -> Vec<(&'static str, Way)> {
    let span = |c: &Collector, t: &Hostile| {
        let mut span = Span::new(context(), t.text.clone(), 1, 2).status(Status::Error(t.text.clone()));
        (span.target, span.trace_state) = (t.text.clone().into(), t.text.clone());
        (0..200).for_each(|_| span.links.push(context()));
        c.collect_span(&span.field(t.text.clone(), t.text.clone()));
    };
    let event = |c: &Collector, t: &Hostile| {
        let event = Event::new(Level::INFO, t.text.clone(), 1).name(t.text.clone()).target(t.text.clone());
        c.collect_event(&event.field(t.text.clone(), t.text.clone()).field("short", t.text.clone()));
    };
    let metric = |c: &Collector, t: &Hostile| {
        let mut metric = Metric::new(Kind::Gauge, t.text.clone(), 1, 2).unit(t.text.clone()).tags(tags(t));
        Arc::make_mut(&mut metric.identity).description = t.text.clone().into();
        c.collect_metric(metric);
    };
    let point = |c: &Collector, t: &Hostile| {
        let points = [&t.text, &t.name].map(|name| DataPoint::new(name.clone(), 1).tags(tags(t)));
        if let Err(refused) = c.send(points) {
            // What nobody sees is shown by its number.
            assert!(refused.to_string().len() < 10 * NAME, "{refused}");
        }
    };
    let series = |c: &Collector, t: &Hostile| {
        let key = SeriesKey::new(t.name.clone()).unwrap().tag(t.name.clone(), t.text.clone()).unwrap();
        let mut series = TimeSeries::new(key.with_tags(tags(t)));
        for n in 0..5 {
            series.add(n, n).unwrap();
        }
        c.send_series([series]);
    };
    vec![
        ("Collector::collect_span", In(span)),
        ("Span", With("Collector::collect_span")),
        ("Span::new", With("Collector::collect_span")),
        ("Span::field", With("Collector::collect_span")),
        ("Status", With("Collector::collect_span")),
        ("Value", With("Collector::collect_span")),
        ("Collector::collect_event", In(event)),
        ("Event", With("Collector::collect_event")),
        ("Event::new", With("Collector::collect_event")),
        ("Event::name", With("Collector::collect_event")),
        ("Event::target", With("Collector::collect_event")),
        ("Event::field", With("Collector::collect_event")),
        ("Collector::collect_metric", In(metric)),
        ("Metric", With("Collector::collect_metric")),
        ("Metric::new", With("Collector::collect_metric")),
        ("Metric::tags", With("Collector::collect_metric")),
        ("Metric::unit", With("Collector::collect_metric")),
        ("Identity", With("Collector::collect_metric")),
        ("Collector::record", In(|c, t| c.record(t.text.clone(), 1))),
        ("record!", No("its name is a literal")),
        ("Collector::send", In(point)),
        ("DataPoint", With("Collector::send")),
        ("DataPoint::new", With("Collector::send")),
        ("DataPoint::tags", With("Collector::send")),
        ("Collector::send_series", In(series)),
        ("TimeSeries::new", With("Collector::send_series")),
        ("SeriesKey::new", With("Collector::send_series")),
        ("SeriesKey::tag", With("Collector::send_series")),
        ("SeriesKey::with_tags", With("Collector::send_series")),
        (
            "SeriesKey::from_str",
            In(|_, t| {
                let key: SeriesKey = format!("{}{{{}=\"{}\"}}", t.name, t.name, t.name).parse().unwrap();
                assert!(key.to_string().len() < 3 * NAME + 10);
                let refused = format!("{}{{{}", t.name, t.text).parse::<SeriesKey>();
                assert!(refused.is_err());
            }),
        ),
        (
            "Tags::insert",
            In(|_, t| {
                let tags = tags(t);
                assert!(tags.iter().all(|(key, value)| key.len() <= NAME && value.len() <= Tags::MAX_BYTES));
                assert_eq!(
                    Tags::parse(&format!("{}: {0}", t.name)).unwrap().to_string().parse_back().len(),
                    1
                );
            }),
        ),
        ("Tags::parse", With("Tags::insert")),
        ("Tags::or", No("both were tags before")),
        (
            "Resource::new",
            In(|_, t| {
                let resource = Resource::new(Tags::new(), t.text.clone()).unwrap();
                assert!(resource.service_name().len() <= NAME);
                let pair = (t.text.clone().into(), Value::Str(t.text.clone()));
                let resource = resource.with_attributes([pair]);
                assert!(
                    resource.attributes().all(|(key, value)| key.len().max(value.to_string().len()) <= NAME)
                );
            }),
        ),
        ("Resource::with_attributes", With("Resource::new")),
    ]
}

trait ParseBack {
    fn parse_back(&self) -> Tags;
}

impl ParseBack for String {
    fn parse_back(&self) -> Tags {
        Tags::parse(self).unwrap()
    }
}

/// Instruments of each kind, under each name, with each tag.
fn instruments() -> Vec<(&'static str, Way)> {
    const TAG: &str = "user_agent.original";
    /// For what takes only texts that live as long as the program.
    fn long() -> &'static str {
        static LONG: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "€".repeat(10 << 10));
        &LONG
    }
    let named = |c: &Collector, t: &Hostile| {
        for name in [&t.text, &t.name] {
            counter(name.clone()).inc();
            up_down_counter(name.clone()).dec();
            gauge_of(name.clone()).set(1);
            telemetry_layer::histogram(name.clone()).record(1);
            timer(name.clone()).long_task().time(|| ());
            meter(name.clone()).mark(1);
            c.counter(name.clone()).inc();
        }
    };
    let of_collector = |c: &Collector, t: &Hostile| {
        c.up_down_counter(t.name.clone()).inc();
        c.gauge(t.name.clone()).set(1);
        c.histogram(t.name.clone()).record(1);
        c.timer(t.name.clone()).record(Duration::ZERO);
        c.meter(t.name.clone()).mark(1);
    };
    let tagged = |c: &Collector, t: &Hostile| {
        c.counter("w.tag").tag(TAG, t.text.clone()).inc();
        c.counter("w.tag").tag(t.name.clone(), t.text.clone()).inc();
        c.counter("w.tag").tag(t.text.clone(), "not a key").inc();
        c.up_down_counter("w.tag.u").tag(TAG, t.text.clone()).inc();
        c.gauge("w.tag.g").tag(TAG, t.text.clone()).set(1);
        c.histogram("w.tag.h").tag(TAG, t.text.clone()).record(1);
        c.timer("w.tag.t").tag(TAG, t.text.clone()).time(|| ());
        c.meter("w.tag.m").tag(TAG, t.text.clone()).mark(1);
        c.gauge("w.observed").tag(TAG, t.text.clone()).observe(|| 1);
    };
    let with = |c: &Collector, t: &Hostile| {
        let tags = [(TAG, t.text.as_str()), (&t.name, &t.text), (&t.text, "not a key")];
        c.counter("w.with").with(&tags).inc();
        c.counter("w.with").with(&tags).add(0.5);
        c.up_down_counter("w.with.u").with(&tags).dec();
        c.gauge("w.with.g").with(&tags).set(1);
        c.histogram("w.with.h").with(&tags).record(1);
        c.timer("w.with.t").with(&tags).record(Duration::ZERO);
        c.timer("w.with.t").long_task().with(&tags).time(|| ());
        c.meter("w.with.m").with(&tags).mark(1);
    };
    let unit = |c: &Collector, t: &Hostile| {
        let gauge = c.gauge("w.unit").tag("n", t.text.clone()).unit(long()).description(long());
        gauge.set(1);
    };
    vec![
        ("instrument", In(named)),
        ("Collector::instrument", In(of_collector)),
        ("Instrument::tag", In(tagged)),
        ("Instrument::with", In(with)),
        ("Instrument::unit", In(unit)),
        ("Instrument::description", With("Instrument::unit")),
        ("count_me!", In(|_, t| drop(counted(&t.text)))),
        ("time_me!", In(|_, t| drop((timed(&t.text), timed_with_span(&t.text))))),
        ("count!", In(|_, t| count!("w.count", tags(who = t.text, shown = Written(&t.text))))),
        ("gauge!", In(|_, t| telemetry_layer::gauge!("w.gauge", 1, tags(who = t.text)))),
        ("histogram!", In(|_, t| telemetry_layer::histogram!("w.histogram", 1, tags(who = t.text)))),
        ("time!", In(|_, t| drop(time!("w.time", tags(who = t.text))))),
    ]
}

#[count_me(name = "w.counted", outcome, error_type = |e: &String| e.clone(), tags(who = who))]
fn counted(who: &str) -> Result<(), String> {
    Err(who.to_owned())
}

#[time_me(name = "w.timed", outcome, error_type = |e: &String| e.clone(), tags(who = who), span = false)]
fn timed(who: &str) -> Result<(), String> {
    Err(who.to_owned())
}

#[time_me(outcome, err)]
fn timed_with_span(who: &str) -> Result<(), String> {
    Err(who.to_owned())
}

/// What comes through the layer.
fn by_tracing() -> Vec<(&'static str, Way)> {
    let span = |_: &Collector, t: &Hostile| {
        let text = t.text.as_str();
        let (bytes, failed) = (text.as_bytes(), std::io::Error::other(t.text.clone()));
        drop(info_span!("w", text, debug = ?Written(text), display = %Written(text), bytes));
        drop(info_span!("w", otel.name = text, otel.kind = text, otel.status_code = text));
        drop(info_span!("w", otel.status_description = text, error = &failed as &(dyn Error + 'static)));
        drop(info_span!("w", tag = text));
    };
    let late = |_: &Collector, t: &Hostile| {
        let text = t.text.as_str();
        let span = info_span!("w", a = Empty, b = Empty, otel.name = Empty, error = Empty);
        for _ in 0..3 {
            span.record("a", text).record("b", display(Written(text)));
            span.record("otel.name", text).record("error", text);
        }
        span.in_scope(|| error!(error = text, "{}", Written(text)));
    };
    let event = |_: &Collector, t: &Hostile| {
        let text = t.text.as_str();
        info!(text, debug = ?Written(text), display = %Written(text), "{}", Written(text));
        info!(text);
        info!(monotonic_counter.e = 1, text, debug = ?Written(text), display = %Written(text), "{text}");
        info!(gauge.e = text, text);
        info!(counter.declared = 1, otel.unit = text, otel.description = %Written(text));
        info!(histogram.e = %Written(text), text);
        let record = |text| {
            let mut record = log::Record::builder();
            record.args(text).target(&t.text).module_path(Some(&t.text)).file(Some(&t.text));
            tracing_log::format_trace(&record.level(log::Level::Warn).build()).unwrap();
        };
        record(format_args!("{}", Written(text)));
    };
    let attribute = |_: &Collector, t: &Hostile| {
        let span = info_span!("w");
        span.set_attribute(&t.name, t.text.clone());
        span.set_attribute(&t.text, Written(&t.text).to_string());
        span.set_attribute("otel.name", t.text.clone());
    };
    let remote = |_: &Collector, t: &Hostile| {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let state = format!("a={}", "s".repeat(t.text.len()));
        let get = |name: &str| match name {
            "traceparent" => Some(header),
            "tracestate" => Some(state.as_str()),
            _ => None,
        };
        let parent = TraceContext::extract(get).unwrap().with_baggage("name", t.text.clone());
        with_remote_parent(Some(parent), || info_span!("w").in_scope(|| info!("said")));
    };
    vec![
        ("TelemetryLayer::on_new_span", In(span)),
        ("TelemetryLayer::on_record", In(late)),
        ("TelemetryLayer::on_event", In(event)),
        ("SpanExt::set_attribute", In(attribute)),
        ("Span::set_attribute", With("SpanExt::set_attribute")),
        ("HttpServer::call", With("TelemetryLayer::on_new_span")),
        ("HttpServerWithBody::call", With("TelemetryLayer::on_new_span")),
        ("HttpRoute::call", With("TelemetryLayer::on_record")),
        ("RequestSpan::set_route", With("TelemetryLayer::on_record")),
        ("Context::new", With("with_remote_parent")),
        ("TraceContext::extract_as", With("with_remote_parent")),
        ("with_remote_parent", In(remote)),
        ("TraceContext", With("with_remote_parent")),
        ("TraceContext::extract", With("with_remote_parent")),
        ("TraceContext::with_baggage", With("with_remote_parent")),
        ("extract_headers", With("with_remote_parent")),
        ("SpanExt::set_parent", With("with_remote_parent")),
        ("Span::set_parent", With("with_remote_parent")),
    ]
}

struct Named(String);

impl Exporter for Named {
    fn name(&self) -> &str {
        &self.0
    }

    fn export(&mut self, _: &Batch) -> Result<Delivery, ExportError> {
        Err(ExportError::never(self.0.clone()).caused_by(self.0.clone()))
    }
}

impl Reader for Named {
    fn name(&self) -> &str {
        &self.0
    }

    fn attach(&mut self, _: Source) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }
}

fn set_up() -> Vec<(&'static str, Way)> {
    let config = |b: Builder, t: &Hostile| {
        let text = format!("{}: {}", t.name, t.text.replace(',', ";"));
        let get = |name: &str| (name == "TELEMETRY_TAGS").then(|| text.clone());
        let mut config = Config::default().with_vars(get).unwrap();
        config.tags.insert("more", t.text.clone()).unwrap();
        b.configure(move |known| known.tags = config.tags)
    };
    let view = |b: Builder, t: &Hostile| {
        b.view(View::new("w.viewed").rename(t.name.clone()).description(t.text.clone()))
    };
    let route = |b: Builder, t: &Hostile| {
        let route = Route::new(|_: &Batch| ()).name(t.text.clone()).tag(t.name.clone(), t.text.clone());
        b.exporter(route.host_tag(HostTag::Named(t.text.clone().into())))
    };
    let partial = |b: Builder, t: &Hostile| {
        let text = t.text.clone();
        b.exporter(move |batch: &Batch| Ok::<_, ExportError>(Delivery::partial(batch.len(), text.clone())))
    };
    vec![
        ("Builder::tag", SetUp(|b, t| b.tag(t.name.clone(), t.text.clone()))),
        ("Builder::service", SetUp(|b, t| b.service(t.text.clone(), t.text.clone()))),
        ("Builder::configure", SetUp(config)),
        ("Builder::config", With("Builder::configure")),
        ("Config", With("Builder::configure")),
        ("Config::with_vars", With("Builder::configure")),
        ("Builder::view", SetUp(view)),
        ("View::rename", With("Builder::view")),
        ("View::description", With("Builder::view")),
        ("Builder::exporter", SetUp(|b, t| b.exporter(Named(t.text.clone())))),
        ("Collector::exporter", With("Builder::exporter")),
        ("Collector::replace", With("Builder::exporter")),
        ("ExportError::never", With("Builder::exporter")),
        ("ExportError::retry", With("Builder::exporter")),
        ("ExportError::retry_after", With("Builder::exporter")),
        ("ExportError::too_large", With("Builder::exporter")),
        ("ExportError::caused_by", With("Builder::exporter")),
        ("Delivery::partial", SetUp(partial)),
        ("Route::name", SetUp(route)),
        ("Route::new", With("Route::name")),
        ("Route::tag", With("Route::name")),
        ("HostTag", With("Route::name")),
        ("Builder::reader", SetUp(|b, t| b.reader(Named(t.text.clone())))),
        ("Collector::reader", With("Builder::reader")),
        ("Builder::endpoint", SetUp(|b, t| b.endpoint(format!("discard:?tag=name:{}", t.name)))),
        ("Builder::default_endpoint", With("Builder::endpoint")),
        ("Builder::export", With("Builder::endpoint")),
        ("Collector::endpoint", With("Builder::endpoint")),
        ("from_url", With("Builder::endpoint")),
    ]
}

fn no_ways() -> Vec<(&'static str, Way)> {
    let all = |names: &'static str, why| names.split(' ').map(move |name| (name, No(why)));
    let looks = "Collector::pause Collector::remove Collector::resume EventRef::field SpanRef::field MetricRef::tag Ledger::exporter \
                 Snapshot::named Snapshot::total Tags::get TraceContext::baggage Kept::event Kept::span \
                 assert_counter assert_event assert_histogram assert_span SpanKind::from_name SpanId::from_str \
                 TraceId::from_str Prometheus::respond";
    let patterns = "Filter::names Filter::tag Sampling::spans SpanMetrics::name SpanMetrics::tag \
                    SpanMetrics::target View::new View::only_tags View::without_tags \
                    TelemetryLayer::with_redacted_fields TelemetryLayer::without_fields \
                     TelemetryLayer::inherit_fields TelemetryLayer::inherit_tags \
                     HttpServerLayer::redact_query Prometheus::resource_labels";
    let out = "ExportReport ExporterHealth FaultKind FieldKey OpenSpan Segment Waiting StatusRef ValueRef Kept Check Error NotFinite Reader \
               UnknownExporter \
               SeriesKeyError Syntax TagsError WithTraceIds::format_event span_context TraceContext::inject TraceContext::inject_as inject_headers";
    all(looks, LOOKS)
        .chain(all(patterns, PATTERN))
        .chain(all(out, OUT))
        .chain(all(
            "ChromeTrace::create File::create File::create_otlp Prometheus::listen Route::spool",
            PLACE,
        ))
        .chain(all("PrometheusService::call", "its headers are compared with the forms that there are"))
        .collect()
}

#[test]
fn every_way_in_is_tried_here() {
    let ways = ways();
    let listed: BTreeSet<String> = ways.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed.len(), ways.len(), "one is listed twice");
    let there = surface::ways();
    let missing: Vec<_> = there.difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "these take texts: try them in `ways`, or say there why nothing is kept: {missing:#?}"
    );
    let gone: Vec<_> = listed.difference(&there).collect();
    assert!(gone.is_empty(), "these are not there any more: {gone:#?}");
    for (name, way) in &ways {
        match way {
            With(other) => {
                let tried = ways.iter().any(|(name, way)| name == other && matches!(way, In(_) | SetUp(_)));
                assert!(tried, "{name} is said to go with {other}");
            }
            No(why) => assert!(!why.is_empty(), "{name}"),
            In(_) | SetUp(_) => {}
        }
    }
}

/// What all memory that is bounded by a setting may take together, and what is not: texts that are on their way, the program's
/// numbers of handles, what is not counted to the byte.
const MOST: usize = (4 + 4 + 2 * 4 + 4) * MIB + 24 * MIB;

#[test]
fn five_hundred_hostile_texts_take_every_way_and_stay_short() {
    const MANY: usize = 500;
    let _alone = alone();
    let seen = Seen::default();
    let collector = builder(&seen).start().unwrap();
    let layer = TelemetryLayer::new(&collector)
        .with_redacted_fields(["secret*"])
        .inherit_fields(["a"])
        .with_span_metrics(SpanMetrics::new().tag("tag"));
    let open = layer.open_spans();
    let subscriber = tracing_subscriber::registry().with(layer);
    let ways: Vec<_> = ways()
        .into_iter()
        .filter_map(|(name, way)| if let In(run) = way { Some((name, run)) } else { None })
        .collect();
    let before = telemetry_layer::ledger::cut_texts();
    let run = || {
        for n in 0..MANY {
            let text = hostile(n);
            for (name, run) in &ways {
                run(&collector, &text);
                if n % 50 == 0 {
                    collector.flush(SOON);
                    seen.check(name);
                }
            }
        }
    };
    let (most, ()) = peak(|| tracing::subscriber::with_default(subscriber, || collector.scoped(run)));
    assert!(most < MOST, "{most} bytes were in use");
    assert!(telemetry_layer::ledger::cut_texts() - before > (MANY * ways.len()) as u64, "they are counted");
    assert!(open.list().is_empty());
    for metric in collector.snapshot().iter() {
        let texts = metric.own_tags().iter().flat_map(|(key, value)| [key, value]);
        assert!(texts.chain([metric.name(), metric.unit()]).all(|text| text.len() <= NAME));
        assert!(metric.description().len() <= TEXT);
    }
    let ledger = collector.shutdown(SOON).ledger().clone();
    assert!(ledger.balances(), "{ledger}");
    seen.check("all of them");
}

#[test]
fn what_a_set_up_is_told_is_short_too() {
    let _alone = alone();
    for (name, way) in ways() {
        let SetUp(change) = way else { continue };
        for n in 0..12 {
            let (seen, reports) = (Seen::default(), Seen::default());
            let all = reports.clone();
            let of_reports = move |report: &telemetry_layer::exporters::ExportReport| {
                all.look("exporter", &report.exporter, NAME);
                all.look("error", report.error.as_deref().unwrap_or_default(), 8 << 10);
            };
            let (most, collector) =
                peak(|| change(builder(&seen), &hostile(n)).on_export(of_reports).start().unwrap());
            assert!(most < 8 * MIB, "{name}: {most} bytes");
            collector.counter("w.viewed").inc();
            collector.record("w.point", 1);
            let report = collector.shutdown(SOON);
            assert!(report.ledger().balances());
            assert!(report.ledger().exporters().all(|name| name.len() <= NAME), "{name}");
            assert!(collector.health().iter().all(|exporter| exporter.name.len() <= NAME), "{name}");
            seen.check(name);
            reports.check(name);
        }
    }
}

#[test]
fn what_was_cut_is_marked_and_names_that_differ_at_their_ends_stay_two() {
    let _alone = alone();
    let memory = telemetry_layer::testing::Memory::default();
    let collector =
        Collector::builder().ignore_env().max_text_bytes(TEXT).exporter(memory.clone()).start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    let (one, other) = (hostile(0).text, hostile(12).text);
    assert_eq!(one[..NAME], other[..NAME]);
    tracing::subscriber::with_default(subscriber, || {
        for text in [&one, &other, &one] {
            collector.counter("by.handle").with(&[("who", text)]).inc();
            collector.counter("by.handle").tag("who", text.clone()).inc();
            info!(monotonic_counter.by_event = 1, who = text, "{text}");
            info!(monotonic_counter.formatted = 1, who = %Written(text));
        }
        info_span!("work", text = one, name = %Written(&one)).in_scope(|| ());
    });
    let metrics = collector.snapshot();
    let counts = |name| {
        let mut all: Vec<_> = metrics.named(name).map(|metric| metric.number().as_f64()).collect();
        all.sort_by(f64::total_cmp);
        all
    };
    assert_eq!(counts("by.handle"), [2.0, 4.0], "however a tag comes, it is the same");
    assert_eq!(counts("by_event"), [1.0, 2.0]);
    assert_eq!(counts("formatted"), [3.0], "nobody knows how they go on");
    let value = |name| metrics.named(name).next().unwrap().tag("who").unwrap().to_owned();
    let (mark, hash) =
        value("by_event").split_at_checked(TEXT - 16).map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(mark.ends_with("a..") && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
    assert!(value("formatted").ends_with("a.."));
    collector.shutdown(SOON);
    let kept = memory.kept();
    for (_, value) in &kept.span("work").fields {
        let Value::Str(text) = value else { panic!("{value:?}") };
        assert!(text.len() == TEXT && text.ends_with("a.."));
    }
    assert!(kept.events.iter().any(|event| event.message.len() == TEXT && event.message.ends_with("a..")));
}
