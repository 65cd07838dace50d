use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::exporters::Batch;
use crate::metrics::Snapshot;
use crate::model::{Buckets, HistogramValue, Kind, Metric, MetricValue, Number, Resource, Temporality};

fn put(max_bytes: usize, items: &[&'static str]) -> (String, Encoded) {
    let mut body = b"before\n".to_vec();
    let encoded = put_items(&mut body, items.iter(), max_bytes, |out, item| {
        out.extend_from_slice(item.as_bytes());
        out.push(b'\n');
        if item.contains('!') { Err(format!("`{item}`").into()) } else { Ok(()) }
    });
    (String::from_utf8(body.split_off(7)).unwrap(), encoded)
}

#[test]
fn as_many_items_as_fit_are_taken() {
    assert_eq!(put(4, &["a", "b", "c"]), ("a\nb\n".to_owned(), 2.into()));
    assert_eq!(put(3, &["long", "b"]), ("long\n".to_owned(), 1.into()));
    assert_eq!(put(0, &[]), (String::new(), 0.into()));
}

#[test]
fn what_is_kept_is_what_would_have_been_written() {
    // Each in a place of its own.
    let names = ["a", "a", "", "b", "a"].map(str::to_owned);
    let (mut kept, mut written) = (Kept::default(), 0);
    for name in &names {
        let text = kept.of(Name(name), |out| {
            written += 1;
            out.extend_from_slice(name.as_bytes());
        });
        assert_eq!(text, name.as_bytes());
    }
    assert_eq!(written, 4);
}

/// As a wire might: what has no value is left out, and one key is called otherwise where another one is there.
fn put_key(out: &mut Vec<u8>, key: &str, value: &str, has_c: bool) {
    if !value.is_empty() {
        out.extend_from_slice(if out.is_empty() { b"first " } else { b", " });
        out.extend_from_slice(if key == "a" && has_c { "other" } else { key }.as_bytes());
        out.push(b'=');
    }
}

fn put_value(out: &mut Vec<u8>, value: &str) {
    if !value.is_empty() {
        out.extend_from_slice(format!("<{}>", value.replace('x', "long")).as_bytes());
    }
}

proptest! {
    #[test]
    fn tags_that_are_kept_are_those_that_would_have_been_written(
        points in prop::collection::vec(prop::collection::btree_map("[a-d]", "[xy]{0,2}", 0..4), 1..30),
        global in prop::collection::btree_map("[a-e]", "[xy]{0,2}", 0..3),
    ) {
        let tags = |all: BTreeMap<String, String>| {
            let mut tags = Tags::new();
            all.into_iter().for_each(|(key, value)| tags.insert(key, value).unwrap());
            tags
        };
        let resource = Arc::new(Resource::new(tags(global), "shop").unwrap());
        let points: Vec<_> =
            points.into_iter().map(|own| Metric::new(Kind::Gauge, "a", 1, 1).tags(tags(own))).collect();
        let all = Snapshot::new(points, resource);
        let mut kept = KeptTags::default();
        for point in all.iter() {
            let has_c = point.tag("c").is_some();
            let text = kept.of(point, |out, key, value| put_key(out, key, value, has_c), put_value);
            let mut want = Vec::new();
            for (key, value) in point.tags() {
                put_key(&mut want, key, value, has_c);
                put_value(&mut want, value);
            }
            prop_assert_eq!(String::from_utf8_lossy(text), String::from_utf8_lossy(&want));
        }
    }
}

#[test]
fn nothing_of_a_refused_item_stays() {
    let want = Encoded { items: 4, rejected: 2, reason: "`!`".into() };
    assert_eq!(put(4, &["a", "!", "b", "c!", "c"]), ("a\nb\n".to_owned(), want));
    let want = Encoded { items: 1, rejected: 1, reason: "`!`".into() };
    assert_eq!(put(4, &["!"]), (String::new(), want));
}

/// Writes all of a batch.
type Write = Box<dyn Fn(&mut Vec<u8>, &Batch) -> Encoded>;

/// Each wire in its forms, and what stands between two items.
fn wires() -> Vec<(String, &'static str, Write)> {
    let mut all: Vec<(String, &'static str, Write)> = Vec::new();
    #[cfg(feature = "graphite")]
    all.push((
        "graphite".to_owned(),
        "",
        Box::new(|out, batch| {
            crate::exporters::graphite::put_batch(
                out,
                batch,
                usize::MAX,
                "~p.",
                crate::exporters::graphite::MAX_LINE,
            )
        }),
    ));
    #[cfg(feature = "influxdb")]
    {
        use crate::exporters::influxdb::{Histograms, Writer};
        for histograms in [Histograms::Quantiles, Histograms::Buckets] {
            let writer = Writer { histograms, ..Writer::default() };
            let write: Write = Box::new(move |out, batch| writer.write(batch, usize::MAX, out));
            all.push((format!("influxdb, {histograms:?}"), "", write));
        }
    }
    #[cfg(feature = "opentsdb")]
    {
        use crate::exporters::opentsdb::{Characters, Form, Histograms, Style, put_batch};
        for (form, between) in [(Form::Lines { max_line: Form::MAX_LINE }, ""), (Form::Json, ",")] {
            for (characters, histograms, max_tags) in [
                (Characters::Ascii, Histograms::Summary, usize::MAX),
                (Characters::Any, Histograms::Buckets, 4),
            ] {
                let style = Style { characters, max_tags, histograms, ..Style::new(form) };
                let write: Write = Box::new(move |out, batch| {
                    let encoded = put_batch(out, batch, usize::MAX, &style);
                    if form == Form::Json {
                        // Without its brackets.
                        out.pop();
                        out.remove(0);
                    }
                    encoded
                });
                all.push((format!("opentsdb, {style:?}"), between, write));
            }
        }
    }
    #[cfg(feature = "statsd")]
    {
        use crate::exporters::statsd::{Dialect, Form, TagsInName, Writer};
        let own = Form { tags_in_name: TagsInName::Own, ..Form::of(Dialect::Plain) };
        let dialects = [Dialect::Plain, Dialect::Graphite, Dialect::Datadog];
        for form in dialects.map(Form::of).into_iter().chain([own]) {
            let writer = Writer::new(form.clone(), None);
            let write: Write = Box::new(move |out, batch| writer.write(batch, usize::MAX, out));
            all.push((format!("statsd, {form:?}"), "", write));
        }
    }
    all
}

/// Points that have much in common, as neighbours have, and some that are refused.
fn neighbours() -> impl Strategy<Value = Vec<Metric>> {
    let key = prop::sample::select(vec!["a", "é", "name", "value", "count"]);
    let value = prop::sample::select(vec!["", "x", "long", "~\"}", " ,;=|\n", "é"]);
    let number = prop::sample::select(vec![
        Number::Int(7),
        Number::Int(-12),
        Number::Float(0.5),
        Number::Float(-0.0),
        Number::Float(f64::NAN),
    ]);
    let time = prop::sample::select(vec![7_000_000_000, 7_000_000_001, 8_000_000_000, 0, u64::MAX]);
    let name = prop::sample::select(vec!["a", "a", "b c", "~é\n", ""]);
    let tags = prop::collection::btree_map(key, value, 0..4);
    let one = (name, tags, number, time, any::<[bool; 2]>());
    let one = one.prop_map(|(name, tags, number, time, [is_histogram, is_delta])| {
        let mut own = Tags::new();
        tags.into_iter().for_each(|(key, value)| own.insert(key, value).unwrap());
        let kind = if is_histogram { Kind::Histogram } else { Kind::Counter };
        let mut metric = Metric::new(kind, name.to_owned(), number, time).tags(own);
        if is_histogram {
            let buckets = Buckets::Explicit { bounds: vec![1.0, 2.0], counts: vec![1, 0, 2] };
            let of = HistogramValue::of(buckets, number.as_f64(), [0.5, 3.0], Vec::new());
            metric.value = MetricValue::Histogram(of.into());
        }
        metric.temporality = if is_delta { Temporality::Delta } else { Temporality::Cumulative };
        metric
    });
    prop::collection::vec(one, 1..20)
}

proptest! {
    #[test]
    fn many_points_are_written_as_each_is_alone(
        points in neighbours(),
        global in prop::sample::select(vec!["", "b: x", "a: x, name: y"]),
    ) {
        let resource = Arc::new(Resource::new(Tags::parse(global).unwrap(), "shop").unwrap());
        let batch = |points: &[Metric]| {
            Batch::of_metrics(Snapshot::new(points, Arc::clone(&resource)), Arc::clone(&resource))
        };
        for (wire, between, write) in wires() {
            let (mut all, mut alone, mut rejected) = (Vec::new(), Vec::new(), 0);
            for point in &points {
                let mut one = Vec::new();
                rejected += write(&mut one, &batch(std::slice::from_ref(point))).rejected;
                if !alone.is_empty() && !one.is_empty() {
                    alone.extend_from_slice(between.as_bytes());
                }
                alone.extend(one);
            }
            let encoded = write(&mut all, &batch(&points));
            prop_assert_eq!((encoded.items, encoded.rejected), (points.len(), rejected), "{}", wire);
            prop_assert_eq!(String::from_utf8(all), String::from_utf8(alone), "{}", wire);
        }
    }
}
