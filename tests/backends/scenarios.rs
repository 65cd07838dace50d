//! The points of the conformance suite: what is recorded through the public interface, as it is for OTLP and with what is awkward
//! on wires of numbers, and what each point is, as the exporter of the test kit keeps it beside the backend.

#[path = "../otlp/scenarios/recorded.rs"]
mod recorded;

use std::collections::BTreeMap;
use std::time::Duration;

use telemetry_layer::ledger::{ExporterAccount, Ledger};
use telemetry_layer::model::{
    HistogramValue, Kind, Metric, MetricValue, Number, SeriesKey, Tags, Temporality, TimeSeries,
};
use telemetry_layer::testing::Kept;
use telemetry_layer::{Builder, Collector, Signal, TelemetryLayer};
use telemetry_tests::{SOON, collector};
use tracing_subscriber::layer::SubscriberExt as _;

pub(crate) use recorded::full_of_tags;

/// Texts that break writers which count characters, or take a text for ASCII.
pub(crate) const UNICODE: &str = "Größe 价格 🦀 e\u{301} \u{202e}rtl\u{202c} \0\t\u{10ffff}";

/// No double is that number.
pub(crate) const ODD: i64 = (1 << 53) + 1;

/// Values of a tag with what ends a text, a tag or a line on some wire.
pub(crate) const AWKWARD: [&str; 12] = [
    "a,b",
    "a=b",
    "a b",
    " a ",
    "a\"b",
    "a\\",
    "a\\,b\\\\c\\ d",
    "a;b|c#d@e:f",
    "a\nawkward injected=1",
    "a\r\nput awkward 1 1 a=b",
    "~a!%(b)[c]{d}$`'<e>&",
    "\u{1b}[31m\u{7f}\u{85}\u{2028}",
];

/// The first time of [`dated`], and how far the others are from it: seconds, since no wire has coarser times.
pub(crate) const DATED: [u64; 4] = [1_700_000_000, 1_700_000_001, 1_700_000_010, 1_700_003_600];

/// All of it.
pub(crate) fn record(collector: &Collector) {
    recorded::record(collector);
    collector.counter("odd").add(ODD);
    collector.gauge("odd.gauge").set(-ODD);
    collector.up_down_counter("odd.level").add(i64::MIN);
    collector.gauge("unsigned").set(u64::MAX);
    collector.gauge("below.zero").set(-7);
    collector.gauge("below.zero").with(&[("half", "yes")]).set(-0.5);
    collector.gauge("tiny").set(f64::MIN_POSITIVE);
    collector.gauge("sum").set(0.1 + 0.2);
    for (source, n) in [("worker-1", 2_u64), ("worker 2", 3), (UNICODE, 5)] {
        collector.counter("jobs").with(&[("source", source)]).add(n);
    }
    for (n, text) in AWKWARD.into_iter().enumerate() {
        collector.counter("awkward").with(&[("text", text)]).add(n + 1);
    }
    collector.gauge("größe/价格").with(&[("schlüssel", "wert")]).set(1.5);
    let long = "long ".repeat(1_000);
    collector.gauge("long").with(&[("text", &*long)]).set(1);
    collector.timer("took").with(&[("source", "worker-1")]).record(Duration::from_millis(1_500));
    dated(collector);
}

/// Points of a series that are seconds apart, which all wires can tell from each other.
pub(crate) fn dated(collector: &Collector) {
    let mut series = TimeSeries::new(SeriesKey::new("dated").unwrap().tag("source", "by hand").unwrap());
    for (n, seconds) in (1..).zip(DATED) {
        series.add(seconds * 1_000_000_000, n).unwrap();
    }
    collector.send_series([series]);
}

/// One data point.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) name: String,
    /// Its own and the global ones.
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) kind: Kind,
    pub(crate) temporality: Temporality,
    pub(crate) value: MetricValue,
    /// Nanoseconds since the Unix epoch.
    pub(crate) time: u64,
}

/// The global tags.
pub(crate) const GLOBAL: &str = "env: test, service.name: größe";

impl Point {
    fn of(metric: &Metric) -> Self {
        let all = metric.identity.tags.or(&Tags::parse(GLOBAL).unwrap());
        Self {
            name: metric.identity.name.to_string(),
            tags: all.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            kind: metric.identity.kind,
            temporality: metric.temporality,
            value: metric.value.clone(),
            time: metric.time_unix_nano,
        }
    }

    pub(crate) fn histogram(&self) -> Option<&HistogramValue> {
        if let MetricValue::Histogram(histogram) = &self.value { Some(histogram) } else { None }
    }

    /// What it is on a wire of plain numbers: one of no name, or of a histogram several. None of it where no number can say it.
    pub(crate) fn numbers(&self) -> Vec<(&'static str, Number)> {
        let histogram = match &self.value {
            MetricValue::Number(Number::Float(x)) if !x.is_finite() => return Vec::new(),
            MetricValue::Number(number) => return vec![("", *number)],
            MetricValue::Histogram(histogram) => histogram,
            other => panic!("{other:?}"),
        };
        let quantile = |share| histogram.quantile(share).map(Number::Float);
        let all = [
            ("count", Some(Number::from(histogram.count))),
            ("sum", Some(Number::Float(histogram.sum))),
            ("min", histogram.min.map(Number::Float).or_else(|| quantile(0.0))),
            ("max", histogram.max.map(Number::Float).or_else(|| quantile(1.0))),
            ("p50", quantile(0.5)),
            ("p90", quantile(0.9)),
            ("p95", quantile(0.95)),
            ("p99", quantile(0.99)),
        ];
        all.into_iter().filter_map(|(name, number)| Some((name, number?))).collect()
    }

    /// Whether it has a name and a number, which every wire needs.
    pub(crate) fn can_be_said(&self) -> bool {
        !self.name.is_empty() && !self.numbers().is_empty()
    }
}

/// What was exported.
#[derive(Debug)]
pub(crate) struct Exported {
    /// As they were kept beside the backend.
    pub(crate) points: Vec<Point>,
    pub(crate) ledger: Ledger,
}

impl Exported {
    /// What an exporter made of the points.
    pub(crate) fn account(&self, exporter: &str) -> ExporterAccount {
        *self.ledger.exporter(exporter, Signal::Metrics).unwrap_or_else(|| panic!("{}", self.ledger))
    }

    /// Those that every wire can say, and those that none can.
    pub(crate) fn sorted(&self) -> (Vec<&Point>, Vec<&Point>) {
        self.points.iter().partition(|point| point.can_be_said())
    }
}

/// The global tags are on all; large enough for all that a test records before anything is sent.
pub(crate) fn builder(builder: Builder) -> Builder {
    let builder = builder.service("größe", "1.2.3").tag("env", "test");
    builder.buffer_size(1 << 20).buffer_bytes(512 << 20).exporter_bytes(512 << 20)
}

/// All of it is exported to that URL, and is what it should be.
pub(crate) fn export(url: &str) -> Exported {
    let exported = export_of(url, record);
    check(&exported.points);
    exported
}

/// What `record` records is exported to that URL.
pub(crate) fn export_of(url: &str, record: impl FnOnce(&Collector)) -> Exported {
    let (collector, memory) = collector(|b| builder(b).endpoint(url));
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || collector.scoped(|| record(&collector)));
    // What a backend can't say makes it incomplete.
    let report = collector.shutdown(SOON);
    let ledger = report.ledger().clone();
    assert!(ledger.balances() && report.late().is_empty(), "{report}");
    Exported { points: points(&memory.kept()), ledger }
}

/// Those that were kept.
pub(crate) fn points(kept: &Kept) -> Vec<Point> {
    kept.metrics.iter().map(Point::of).collect()
}

/// Of a metric, the points that have exactly these tags beside the global ones.
pub(crate) fn of<'a>(points: &'a [Point], name: &str, tags: &[(&str, &str)]) -> Vec<&'a Point> {
    let global = Tags::parse(GLOBAL).unwrap();
    // Together they may be more than one metric can have.
    let wanted: BTreeMap<&str, &str> = global.iter().chain(tags.iter().copied()).collect();
    let is_it = |point: &&Point| {
        let own = point.tags.iter().map(|(key, value)| (&**key, &**value));
        point.name == name && own.eq(wanted.iter().map(|(key, value)| (*key, *value)))
    };
    points.iter().filter(is_it).collect()
}

#[track_caller]
fn one<'a>(points: &'a [Point], name: &str, tags: &[(&str, &str)]) -> &'a Point {
    let found = of(points, name, tags);
    assert_eq!(found.len(), 1, "{name} {tags:?}: {found:#?}");
    found[0]
}

/// Whether the points are what stands in the code.
pub(crate) fn check(points: &[Point]) {
    check_numbers(points);
    check_histograms(points);
    check_by_hand(points);
}

#[track_caller]
fn is(points: &[Point], name: &str, tags: &[(&str, &str)], kind: Kind, number: impl Into<Number>) {
    let point = one(points, name, tags);
    assert_eq!((point.kind, point.numbers()), (kind, vec![("", number.into())]), "{name} {tags:?}");
}

fn check_numbers(points: &[Point]) {
    use Kind::{Counter, Gauge, UpDownCounter};
    is(points, "orders", &[], Counter, 3);
    is(points, "orders", &[("currency", "EUR"), ("place", UNICODE)], Counter, i64::MAX);
    is(points, "orders", &[("currency", "")], Counter, 0);
    is(points, "weight", &[], Counter, 0.1);
    is(points, "open", &[], UpDownCounter, -5.0);
    is(points, "open", &[("door", "left")], UpDownCounter, 2.5);
    is(points, "heat", &[], Gauge, f64::MIN);
    is(points, "heat", &[("room", "1")], Gauge, -273.15);
    is(points, "heat", &[("room", "2")], Gauge, i64::MIN as f64);
    is(points, "observed", &[], Gauge, 42);
    let tags = full_of_tags("value");
    is(points, "tagged", &tags.iter().collect::<Vec<_>>(), Counter, 1);
    assert!(of(points, "silent", &[]).is_empty());
    is(points, "odd", &[], Counter, ODD);
    is(points, "odd.gauge", &[], Gauge, -ODD);
    is(points, "odd.level", &[], UpDownCounter, i64::MIN);
    is(points, "unsigned", &[], Gauge, u64::MAX);
    is(points, "below.zero", &[], Gauge, -7.0);
    is(points, "below.zero", &[("half", "yes")], Gauge, -0.5);
    is(points, "tiny", &[], Gauge, f64::MIN_POSITIVE);
    is(points, "sum", &[], Gauge, 0.1 + 0.2);
    for (source, n) in [("worker-1", 2), ("worker 2", 3), (UNICODE, 5)] {
        is(points, "jobs", &[("source", source)], Counter, n);
    }
    for (n, text) in AWKWARD.into_iter().enumerate() {
        is(points, "awkward", &[("text", text)], Counter, n + 1);
    }
    is(points, "größe/价格", &[("schlüssel", "wert")], Gauge, 1.5);
    assert_eq!(points.iter().filter(|point| point.name == "long").count(), 1);
}

fn check_histograms(points: &[Point]) {
    let of = |name, tags: &[_]| one(points, name, tags).numbers();
    let some = |name, tags: &[_], wanted: [&str; 4]| {
        let all = of(name, tags);
        wanted.map(|wanted| all.iter().find(|(part, _)| *part == wanted).unwrap().1.as_f64())
    };
    let ends = ["count", "sum", "min", "max"];
    assert_eq!(some("size", &[], ends)[2..], [-1e9, 1e300]);
    assert_eq!((some("size", &[], ends)[0], of("size", &[]).len()), (9.0, 8));
    assert_eq!(some("positive", &[], ends), [1.0, 5.0, 5.0, 5.0]);
    assert_eq!(some("positive", &[], ["p50", "p90", "p95", "p99"]), [5.0; 4]);
    assert_eq!(some("beyond", &[], ends), [2.0, f64::MAX, f64::MAX, f64::MAX]);
    assert_eq!(some("bounds", &[], ends)[2..], [-7.0, 1e15]);
    let bounds = one(points, "bounds", &[]).histogram().unwrap();
    assert!(bounds.by_upper_bound().eq([(-1.0, 2), (10.0, 2), (1e12, 1), (f64::INFINITY, 1)]));
    for name in ["work", "explicit"] {
        let [count, sum, least, most] = some(name, &[], ends);
        assert_eq!((count, least, most), (4.0, 0.001, 4.0));
        // They are added up in any order.
        assert!((sum - 4.321).abs() < 1e-12, "{sum}");
    }
    assert_eq!(some("work", &[("outside", "of spans")], ends), [1.0, 1e-9, 1e-9, 1e-9]);
    assert_eq!(some("took", &[("source", "worker-1")], ends), [1.0, 1.5, 1.5, 1.5]);
}

fn check_by_hand(points: &[Point]) {
    for name in ["nan", "infinite", "less"] {
        assert!(!one(points, name, &[]).can_be_said());
    }
    assert!(!one(points, "", &[]).can_be_said());
    let tags = full_of_tags(UNICODE);
    let delta = one(points, "delta by hand", &tags.iter().collect::<Vec<_>>());
    assert_eq!((delta.temporality, delta.time), (Temporality::Delta, 2_000));
    assert_eq!(delta.numbers(), [("", Number::Int(7))]);
    is(points, "one value", &[], Kind::Histogram, 3);
    is(points, "recorded", &[], Kind::Gauge, 1.25);
    let values = |name, tags: &[_]| -> Vec<_> {
        of(points, name, tags).iter().map(|point| (point.time, point.numbers()[0].1.as_f64())).collect()
    };
    assert_eq!(values("point", &[]), [(99, 9.0), (98, -0.0)]);
    assert_eq!(values("series", &[("k", "v")]), [(1, 1.0), (2, 4.0), (3, 9.0), (4, 16.0), (5, 25.0)]);
    let dated: Vec<_> = (1..).zip(DATED).map(|(n, at)| (at * 1_000_000_000, f64::from(n))).collect();
    assert_eq!(values("dated", &[("source", "by hand")]), dated);
}

#[test]
fn what_is_recorded_is_what_stands_here() {
    let exported = export("discard:");
    let account = exported.account("discard");
    assert_eq!((account.delivered, account.rejected), (exported.points.len() as u64, 0));
    assert_eq!(exported.sorted().1.len(), 4);
}
