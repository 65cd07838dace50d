//! The lines of batches, letter by letter.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::{Histograms, Precision, Writer};
use crate::exporters::protocol::Encoded;
use crate::metrics::Snapshot;
use crate::model::{
    Buckets, Event, HistogramValue, Kind, Metric, MetricValue, Number, Resource, Span, SpanContext, SpanId,
    Status, Tags, TraceId,
};
use crate::{Batch, Collector, Level};

fn batch(metrics: &[Metric], global: &str) -> Batch {
    let resource = Arc::new(Resource::new(Tags::parse(global).unwrap(), "shop").unwrap());
    Batch::of_metrics(Snapshot::new(metrics, Arc::clone(&resource)), resource)
}

fn written(writer: Writer, batch: &Batch) -> (String, Encoded) {
    let mut body = Vec::new();
    let encoded = writer.write(batch, usize::MAX, &mut body);
    (String::from_utf8(body).unwrap(), encoded)
}

/// The only line of a point, without the global tag.
fn line(writer: Writer, metric: Metric) -> String {
    let (lines, encoded) = written(writer, &batch(&[metric], ""));
    assert_eq!(encoded, Encoded::from(1));
    let line = lines.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{line}");
    line.replacen(",service.name=shop", "", 1)
}

fn number(value: impl Into<Number>) -> String {
    line(Writer::default(), Metric::new(Kind::Gauge, "m", value, 17))
}

fn histogram(buckets: Buckets, [min, max]: [Option<f64>; 2]) -> Metric {
    let value =
        HistogramValue { count: buckets.count(), sum: 12.5, min, max, buckets, ..HistogramValue::default() };
    Metric { value: MetricValue::Histogram(value.into()), ..Metric::new(Kind::Histogram, "took", 0, 17) }
}

fn bounded() -> Metric {
    let buckets = Buckets::Explicit { bounds: vec![0.5, 1.0, 1e6], counts: vec![2, 0, 3, 1] };
    histogram(buckets, [Some(0.25), Some(2e6)])
}

fn exponential() -> Metric {
    let (positive, negative) = (vec![(-1, 1), (1, 4)], vec![(0, 2)]);
    histogram(Buckets::Exponential { scale: 0, zero_count: 3, positive, negative }, [None; 2])
}

#[test]
fn a_number_is_a_float_and_beyond_all_floats_an_integer_too() {
    for (number, fields) in [
        (number(3), "value=3"),
        (number(-7), "value=-7"),
        (number(0.1 + 0.2), "value=0.30000000000000004"),
        (number(-0.0), "value=-0.0"),
        (number(1e300), "value=1e300"),
        (number(5e-324), "value=5e-324"),
        (number(1_i64 << 53), "value=9007199254740992"),
        (number((1_i64 << 53) + 1), "value=9007199254740992.0,value_int=9007199254740993i"),
        (number(-(1_i64 << 53) - 1), "value=-9007199254740992.0,value_int=-9007199254740993i"),
        (number(i64::MAX), "value=9.223372036854775807e18,value_int=9223372036854775807i"),
        (number(i64::MIN), "value=-9.223372036854775808e18,value_int=-9223372036854775808i"),
        (number(u64::MAX), "value=1.8446744073709551615e19"),
    ] {
        // How a float is spelt is not said here, but which one it is.
        let (line, fields) = (number, format!("m {fields} 17"));
        let float = |line: &str| {
            let text = line.split(['=', ',', ' ']).nth(2).unwrap();
            (text.parse::<f64>().unwrap().to_bits(), line.split_once(',').map(|(_, rest)| rest.to_owned()))
        };
        assert_eq!(float(&line), float(&fields), "{line}");
        assert!(line.starts_with("m value=") && line.ends_with(" 17"), "{line}");
    }
}

#[test]
fn a_histogram_is_a_few_numbers_or_its_buckets() {
    let quantiles = Writer::default();
    let buckets = Writer { histograms: Histograms::Buckets, ..quantiles };
    let summary = line(quantiles, bounded());
    assert!(summary.starts_with("took count=6i,sum=12.5,min=0.25,max=2000000.0,p50="), "{summary}");
    let keys: Vec<&str> =
        summary.split([' ', ',']).filter_map(|part| Some(part.split_once('=')?.0)).collect();
    assert_eq!(keys, ["count", "sum", "min", "max", "p50", "p90", "p95", "p99"]);
    assert_eq!(
        line(buckets, bounded()),
        "took count=6i,sum=12.5,min=0.25,max=2000000.0,0.5=2i,1=2i,1e+06=5i,+Inf=6i 17"
    );
    assert_eq!(line(buckets, exponential()), "took count=10i,sum=12.5,-1=2i,0=5i,1=6i,4=10i,+Inf=10i 17");
    let none = Metric { value: MetricValue::Histogram(Box::default()), ..bounded() };
    assert_eq!(line(quantiles, none.clone()), "took count=0i,sum=0.0 17");
    assert_eq!(line(buckets, none), "took count=0i,sum=0.0,+Inf=0i 17");
}

#[test]
fn buckets_that_nobody_measured_are_no_field_twice() {
    let buckets = Writer { histograms: Histograms::Buckets, ..Writer::default() };
    let bounds = vec![1.0, 1.0, -3.0, f64::NAN, f64::INFINITY, 7.0];
    let metric =
        histogram(Buckets::Explicit { bounds, counts: vec![1, 2, 4, 8, 16, u64::MAX, 1] }, [None; 2]);
    let line = line(buckets, metric);
    const MOST: i64 = i64::MAX;
    assert!(line.ends_with(&format!(",1=7i,7={MOST}i,+Inf={MOST}i 17")), "{line}");
}

#[test]
fn tags_are_all_there_are_and_no_two_are_one() {
    let mut tags = Tags::new();
    for (key, value) in [
        ("a/b", "x,y = \\"),
        ("none", ""),
        ("env", "own"),
        ("time", "1"),
        ("time_", "2"),
        ("_field", "3"),
        ("value", "4"),
        ("count", "5"),
    ] {
        tags.insert(key, value).unwrap();
    }
    let point = Metric::new(Kind::Counter, "m", 1, 2).tags(tags.clone());
    let (lines, _) = written(Writer::default(), &batch(&[point], "env: global, region: eu"));
    assert_eq!(
        lines,
        "m,_field_=3,a/b=x\\,y\\ \\=\\ \\u{5c},count=5,env=own,none=\"\",region=eu,service.name=shop,\
         time__=1,time_=2,value_=4 value=1 2\n"
    );
    let (lines, _) = written(Writer::default(), &batch(&[bounded().tags(tags)], ""));
    assert!(lines.contains(",count_=5,") && lines.contains(",value=4 count=6i"), "{lines}");
}

#[test]
fn what_no_line_can_say_is_left_out_with_a_reason() {
    let of = |name: &'static str, x: f64, time| Metric::new(Kind::Gauge, name, x, time);
    const LAST: u64 = i64::MAX as u64 - 1;
    let all = [
        of("a", f64::NAN, 1),
        of("b", f64::INFINITY, 1),
        of("", 1.0, 1),
        of("c", 1.0, LAST + 1),
        of("d", 1.0, LAST),
    ];
    let (lines, encoded) = written(Writer::default(), &batch(&all, ""));
    assert_eq!(lines, format!("d,service.name=shop value=1.0 {LAST}\n"));
    let reason = "`a`: no line can say what is no number".into();
    assert_eq!(encoded, Encoded { items: 5, rejected: 4, reason });
    for (metric, want) in [
        (all[2].clone(), "a data point has no name".to_owned()),
        (all[3].clone(), "`c`: no server knows a time after 2262".to_owned()),
        (of("two\nlines", f64::NAN, 1), "`two\\nlines`: no line can say what is no number".to_owned()),
    ] {
        let (lines, encoded) = written(Writer::default(), &batch(&[metric], ""));
        assert_eq!((&*lines, &*encoded.reason), ("", &*want));
    }
}

#[test]
fn times_are_in_their_unit() {
    for (precision, time) in [
        (Precision::Nanos, "1700000000123456789"),
        (Precision::Micros, "1700000000123456"),
        (Precision::Millis, "1700000000123"),
        (Precision::Seconds, "1700000000"),
    ] {
        let point = Metric::new(Kind::Gauge, "m", 1, 1_700_000_000_123_456_789);
        assert_eq!(line(Writer { precision, ..Writer::default() }, point), format!("m value=1 {time}"));
    }
}

#[test]
fn as_many_lines_as_fit_are_written() {
    let all: Vec<_> = (0..10).map(|n| Metric::new(Kind::Gauge, "m", n, n)).collect();
    let all = batch(&all, "");
    let whole = written(Writer::default(), &all).0;
    let one = whole.len() / 10;
    for (most, lines) in [(0, 1), (one, 1), (3 * one, 3), (3 * one + 1, 3), (whole.len(), 10)] {
        let mut body = Vec::new();
        assert_eq!(Writer::default().write(&all, most, &mut body), lines.into(), "{most}");
        assert_eq!(body, &whole.as_bytes()[..lines * one]);
    }
}

/// What a collector makes of what is given to it by hand.
fn lines_of(collect: impl FnOnce(&Collector)) -> Vec<String> {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&seen);
    let exporter = move |batch: &Batch| {
        let (lines, encoded) = written(Writer::default(), batch);
        assert_eq!((encoded.items, encoded.rejected), (batch.len(), 0));
        kept.lock().unwrap().extend(lines.lines().map(str::to_owned));
    };
    let builder =
        Collector::builder().ignore_env().service("shop", "1").tag("name", "global").exporter(exporter);
    let collector = builder.start().unwrap();
    collect(&collector);
    collector.shutdown(Duration::from_secs(20));
    let lines = seen.lock().unwrap();
    lines.iter().filter(|line| line.starts_with("spans") || line.starts_with("events")).cloned().collect()
}

fn context(span: u64) -> SpanContext {
    SpanContext::new(TraceId::new(1).unwrap(), SpanId::new(span).unwrap(), true)
}

#[test]
fn spans_and_events_are_lines_and_none_has_the_time_of_another() {
    let lines = lines_of(|collector| {
        let mut span =
            Span::new(context(2), "pay \"now\"", 100, 50).field("user", "a\n\"b\"\\").field("n", 3);
        span.status = Status::Error("out of\nmoney".to_owned());
        span.parent_span_id = Some(SpanId::new(1).unwrap());
        span.links.push(context(9));
        collector.collect_span(&span);
        collector.collect_span(&Span::new(context(3), "", 100, 0));
        let event = Event::new(Level::WARN, "low, on \"stock\"", 100).name("stock").target("shop::cart");
        collector.collect_event(&event.within(context(2)).field("left", 2));
        collector.collect_event(&Event::new(Level::INFO, "", 100));
    });
    let tags = "name_=global,service.name=shop";
    let ids = "trace_id=\"00000000000000000000000000000001\",span_id=\"000000000000000";
    let mut want = vec![
        format!(
            r#"spans,{tags},kind=internal,level=info,name=pay\ "now",status=error duration_nano=50i,{ids}2",parent_span_id="0000000000000001",status_message="out of\\nmoney",links="[[\"00000000000000000000000000000001\",\"0000000000000009\"]]",fields="{{\"user\":\"a\\n\\\"b\\\"\\\\\",\"n\":3}}" 100"#
        ),
        format!(r#"spans,{tags},kind=internal,level=info,status=unset duration_nano=0i,{ids}3" 101"#),
        format!(
            r#"events,{tags},level=warn,name=stock,target=shop::cart message="low, on \"stock\"",{ids}2",fields="{{\"left\":2}}" 100"#
        ),
        format!(r#"events,{tags},level=info message="" 101"#),
    ];
    let mut lines = lines;
    lines.sort();
    want.sort();
    assert_eq!(lines, want);
}

proptest! {
    #[test]
    fn one_item_is_one_line(name: String, values in prop::collection::vec((any::<String>(), any::<u64>()), 0..5), is_buckets: bool) {
        let histograms = if is_buckets { Histograms::Buckets } else { Histograms::Quantiles };
        let writer = Writer { histograms, ..Writer::default() };
        let metrics: Vec<_> = values.iter().enumerate().map(|(n, (text, bits))| {
            let mut tags = Tags::new();
            tags.insert("text", text.clone()).unwrap();
            Metric::new(Kind::Gauge, name.clone(), f64::from_bits(*bits), n as u64).tags(tags)
        }).collect();
        let (lines, encoded) = written(writer, &batch(&metrics, ""));
        prop_assert_eq!(encoded.items, metrics.len());
        prop_assert_eq!(lines.lines().count(), encoded.items - encoded.rejected);
        // No other character ends a line, and none begins a comment.
        let is_line = |line: &str| !line.chars().any(|c| c.is_ascii_control()) && !line.starts_with('#');
        prop_assert!(lines.lines().all(is_line), "{lines:?}");
    }
}
