use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::super::form::{Characters, Histograms};
use super::*;
use crate::metrics::Snapshot;
use crate::model::{Buckets, HistogramValue, Kind, Metric, MetricValue, Number, Resource, Tags};

const LINES: Form = Form::Lines { max_line: Form::MAX_LINE };
const NANOS: u64 = 1_000_000_000;
const TIME: u64 = 1_700_000_000 * NANOS;

fn batch(metrics: Vec<Metric>, global: &str) -> Batch {
    let resource = Arc::new(Resource::new(Tags::parse(global).unwrap(), "shop").unwrap());
    Batch::of_metrics(Snapshot::new(metrics, Arc::clone(&resource)), resource)
}

fn written(metrics: Vec<Metric>, style: &Style) -> (String, Encoded) {
    let mut body = Vec::new();
    let encoded = put_batch(&mut body, &batch(metrics, "host: till"), usize::MAX, style);
    (String::from_utf8(body).unwrap(), encoded)
}

fn gauge(name: &'static str, value: impl Into<Number>) -> Metric {
    Metric::new(Kind::Gauge, name, value, TIME)
}

fn tagged(tags: &str) -> Metric {
    gauge("a", 1).tags(Tags::parse(tags).unwrap())
}

fn refusal(metric: Metric, style: &Style) -> String {
    let (body, encoded) = written(vec![metric, gauge("other", 1)], style);
    assert_eq!((encoded.items, encoded.rejected), (2, 1), "{body}");
    assert!(body.contains("other") && body.matches("1700000000").count() == 1, "{body}");
    encoded.reason.into_owned()
}

fn histogram(buckets: Buckets, sum: f64) -> Metric {
    let histogram = HistogramValue::of(buckets, sum, [1.0, 9.0], Vec::new());
    let mut metric = gauge("h", 0);
    metric.value = MetricValue::Histogram(Box::new(histogram));
    metric
}

#[test]
fn a_point_is_a_line_or_an_object() {
    let metrics = || vec![gauge("cpu.load", 0.5), tagged("room: 7 b, host: own"), gauge("open", -3)];
    let (lines, encoded) = written(metrics(), &Style::new(LINES));
    assert_eq!(
        lines,
        "put cpu.load 1700000000 0.5 host=till service.name=shop\n\
         put a 1700000000 1 host=own room=7_b service.name=shop\n\
         put open 1700000000 -3 host=till service.name=shop\n"
    );
    assert_eq!(encoded, 3.into());
    let style = Style { is_millis: true, ..Style::new(Form::Json) };
    let (json, encoded) = written(metrics(), &style);
    assert_eq!(
        json,
        r#"[{"metric":"cpu.load","timestamp":1700000000000,"value":0.5,"tags":{"host":"till","service.name":"shop"}},{"metric":"a","timestamp":1700000000000,"value":1,"tags":{"host":"own","room":"7_b","service.name":"shop"}},{"metric":"open","timestamp":1700000000000,"value":-3,"tags":{"host":"till","service.name":"shop"}}]"#
    );
    assert_eq!(encoded, 3.into());
}

#[test]
fn numbers_are_whole_where_they_are() {
    let value = |number: Number| {
        let (line, encoded) = written(vec![gauge("a", number)], &Style::new(LINES));
        assert_eq!(encoded, 1.into());
        line.split(' ').nth(3).unwrap().to_owned()
    };
    for (number, text) in [
        (Number::Int(i64::MIN), "-9223372036854775808"),
        (Number::Int((1 << 53) + 1), "9007199254740993"),
        (Number::Uint(u64::MAX), "1.8446744073709552e+19"),
        (Number::Float(7.0), "7"),
        (Number::Float(-1e15), "-1000000000000000"),
        (Number::Float(0.0), "0"),
        (Number::Float(-0.0), "-0.0"),
        (Number::Float(0.1 + 0.2), "0.30000000000000004"),
        (Number::Float(f64::MIN_POSITIVE), "2.2250738585072014e-308"),
        (Number::Float(i64::MIN as f64), "-9223372036854775808"),
        (Number::Float(9_223_372_036_854_775_808.0), "9.223372036854776e+18"),
        (Number::Float(1e300), "1e+300"),
    ] {
        assert_eq!(value(number), text);
    }
    for style in [Style::new(LINES), Style::new(Form::Json)] {
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(refusal(gauge("a b", x), &style), "\"a b\": it is not finite");
        }
    }
}

#[test]
fn times_are_those_that_a_server_takes_for_them() {
    let time = |nanos: u64, is_millis: bool| {
        let metric = Metric::new(Kind::Gauge, "a", 1, nanos);
        let (line, encoded) = written(vec![metric], &Style { is_millis, ..Style::new(LINES) });
        (encoded.rejected == 0).then(|| line.split(' ').nth(2).unwrap().to_owned())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(time(TIME + 999_999_999, false), some("1700000000"));
    assert_eq!(time(TIME + 999_999_999, true), some("1700000000999"));
    assert_eq!((time(NANOS - 1, false), time(NANOS, false)), (None, some("1")));
    let most = u64::from(u32::MAX);
    assert_eq!(time(most * NANOS, false), some("4294967295"));
    // More bits are milliseconds, whatever is wanted.
    assert_eq!(time((most + 1) * NANOS, false), some("4294967296000"));
    assert_eq!(time(most * NANOS / 1000, true), None);
    assert_eq!(time((most + 1) * NANOS / 1000, true), some("4294967296"));
}

#[test]
fn what_is_no_letter_becomes_a_low_line() {
    let metric =
        || gauge("größe °C", 1).tags(Tags::parse("schlüssel: a=b c\u{1f980}\nput x 1 1 d=e").unwrap());
    let line = |characters| written(vec![metric()], &Style { characters, ..Style::new(LINES) }).0;
    let tags = "host=till";
    assert_eq!(
        line(Characters::Ascii),
        format!("put gr__e__C 1700000000 1 {tags} schl_ssel=a_b_c__put_x_1_1_d_e service.name=shop\n")
    );
    assert_eq!(
        line(Characters::Unicode),
        format!("put größe__C 1700000000 1 {tags} schlüssel=a_b_c__put_x_1_1_d_e service.name=shop\n")
    );
    let (json, _) = written(vec![metric()], &Style { characters: Characters::Any, ..Style::new(Form::Json) });
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["metric"], "größe__C");
    assert_eq!(json[0]["tags"]["schlüssel"], "a=b c\u{1f980}\nput x 1 1 d=e");
}

#[test]
fn tags_that_can_not_be_said_are_left_out_or_refused() {
    let lines = Style::new(LINES);
    assert!(!written(vec![tagged("empty:")], &lines).0.contains("empty"));
    assert_eq!(refusal(tagged("größe: 1, grüße: 2"), &lines), "a: two of its tags become `gr__e`");
    assert_eq!(refusal(tagged("größe: 1, gr__e: 2"), &lines), "a: two of its tags become `gr__e`");
    assert_eq!(written(vec![tagged("größe: 1, grüße:")], &lines).1, 1.into());
    assert_eq!(refusal(gauge("", 1), &lines), "its name is empty");
    let style = Style::new(Form::Lines { max_line: 60 });
    let reason = "a: its line has more than 60 bytes";
    assert_eq!(refusal(tagged(&format!("a: {}", "x".repeat(60))), &style), reason);
    let body = &mut Vec::new();
    let encoded = put_batch(body, &batch(vec![gauge("a", 1)], "service.name:"), usize::MAX, &lines);
    assert_eq!((encoded.rejected, &*encoded.reason), (1, "a: it has no tag, and one is needed"));
}

#[test]
fn a_server_gets_no_more_tags_than_it_takes() {
    let style = Style { max_tags: 3, ..Style::new(LINES) };
    let tags = |metric: Metric, global: &str| {
        let mut body = Vec::new();
        put_batch(&mut body, &batch(vec![metric], global), usize::MAX, &style);
        String::from_utf8(body).unwrap().trim_end().splitn(5, ' ').nth(4).unwrap().to_owned()
    };
    assert_eq!(tags(tagged("z: 1"), "env: a, host: b"), "z=1 host=b env=a");
    assert_eq!(tags(tagged("x: 1, y: 2, z: 3, w:"), "env: a, host: b"), "x=1 y=2 z=3");
    assert_eq!(tags(tagged("env: own"), "env: a, host: b"), "env=own host=b service.name=shop");
    let reason = "a: it has 4 tags, and the server takes 3 (`max_tags`)";
    assert_eq!(refusal(tagged("w: 1, x: 1, y: 2, z: 3"), &style), reason);
}

#[test]
fn the_bound_of_a_bucket_is_one_of_its_tags() {
    let buckets = || Buckets::Explicit { bounds: vec![1.0], counts: vec![1, 1] };
    let style = Style { max_tags: 3, histograms: Histograms::Buckets, ..Style::new(LINES) };
    let of = |tags: &str| histogram(buckets(), 1.0).tags(Tags::parse(tags).unwrap());
    let (body, encoded) = written(vec![of("room: 7"), tagged("x: 1, y: 2, z: 3")], &style);
    assert_eq!(encoded, 2.into());
    let tags: Vec<_> = body.lines().map(|line| line.splitn(5, ' ').nth(4).unwrap()).collect();
    let same = "room=7 host=till";
    let bounds = [format!("{same} le=1"), format!("{same} le=Inf")];
    assert_eq!(tags, [same, same, &bounds[0], &bounds[1], "x=1 y=2 z=3"]);
    let reason = "h: it has 3 tags, and the server takes 2 beside `le` (`max_tags`)";
    assert_eq!(refusal(of("x: 1, y: 2, z: 3"), &style), reason);
}

#[test]
fn a_line_may_be_as_long_as_is_said() {
    let lines = |max_line| Style::new(Form::Lines { max_line });
    let (body, encoded) = written(vec![gauge("a", 1)], &lines(usize::MAX));
    assert_eq!(encoded, 1.into());
    let long = body.trim_end().len();
    assert_eq!(written(vec![gauge("a", 1)], &lines(long)).1, 1.into());
    assert_eq!(written(vec![gauge("a", 1)], &lines(long - 1)).1.rejected, 1);
}

#[test]
fn a_letter_is_one_character_of_utf_16() {
    for characters in [Characters::Unicode, Characters::Any] {
        let style = Style { characters, ..Style::new(LINES) };
        let (line, _) = written(vec![gauge("\u{ffda}\u{10000}\u{20000}价", 1)], &style);
        assert!(line.starts_with("put \u{ffda}__价 "), "{line}");
    }
}

#[test]
fn a_histogram_is_a_few_numbers_or_its_buckets() {
    let explicit = || Buckets::Explicit { bounds: vec![-1.5, 1e20], counts: vec![2, 0, 1] };
    let names = |body: &str| -> Vec<(String, String)> {
        let line = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            let bound = words.iter().find_map(|word| word.strip_prefix("le=")).unwrap_or_default();
            (format!("{} {bound}", words[1]).trim_end().to_owned(), words[3].to_owned())
        };
        body.lines().map(line).collect()
    };
    let pairs = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let (body, encoded) = written(vec![histogram(explicit(), 11.5)], &Style::new(LINES));
    assert_eq!(encoded, 1.into());
    let all = names(&body);
    assert_eq!(all[..4], pairs(&[("h.count", "3"), ("h.sum", "11.5"), ("h.min", "1"), ("h.max", "9")]));
    assert_eq!(
        all[4..].iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
        ["h.p50", "h.p90", "h.p95", "h.p99"]
    );
    let style = Style { histograms: Histograms::Buckets, ..Style::new(LINES) };
    let (body, _) = written(vec![histogram(explicit(), 11.5)], &style);
    let buckets = [("h.bucket -1.5", "2"), ("h.bucket 1e20", "2"), ("h.bucket Inf", "3")];
    assert_eq!(names(&body), pairs(&[&[("h.count", "3"), ("h.sum", "11.5")], &buckets[..]].concat()));
    let exponential = Buckets::Exponential {
        scale: 0,
        zero_count: 1,
        positive: vec![(0, 2), (3, 1)],
        negative: vec![(0, 4)],
    };
    let (body, _) = written(vec![histogram(exponential, 1.0)], &style);
    let buckets = ["h.bucket -1", "h.bucket 0", "h.bucket 2", "h.bucket 16", "h.bucket Inf"];
    assert_eq!(
        names(&body)[2..],
        pairs(&buckets.into_iter().zip(["4", "5", "7", "8", "8"]).collect::<Vec<_>>())
    );
    let (json, _) = written(vec![histogram(explicit(), 11.5)], &Style { form: Form::Json, ..style });
    let points: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!((points.len(), json.lines().count()), (5, 5), "{json}");
    assert_eq!(points[4]["tags"]["le"], "Inf");
}

#[test]
fn nothing_of_a_histogram_stays_that_is_refused() {
    let buckets = || Buckets::Explicit { bounds: vec![1.0], counts: vec![1, 1] };
    for style in [Style::new(LINES), Style::new(Form::Json)] {
        assert_eq!(refusal(histogram(buckets(), f64::INFINITY), &style), "h: it is not finite");
        let style = Style { histograms: Histograms::Buckets, ..style };
        let own = histogram(buckets(), 1.0).tags(Tags::parse("le: 5").unwrap());
        assert_eq!(refusal(own, &style), "h: it has a tag `le` of its own, which says bounds");
    }
}

/// What a server reads in a body: name, time, value, tags.
type Read = Vec<(String, u64, f64, BTreeMap<String, String>)>;

/// By the grammar of the documentation: words with one blank between them, tags that each are one pair.
fn read_lines(body: &str) -> Read {
    let lines = body.strip_suffix('\n').map_or_else(Vec::new, |lines| lines.split('\n').collect());
    let line = |line: &&str| {
        let words: Vec<_> = line.split(' ').collect();
        let ["put", name, time, value, tags @ ..] = &words[..] else { panic!("{line:?}") };
        let pairs = tags.iter().map(|tag| {
            let parts: Vec<_> = tag.split('=').collect();
            let [key, value] = parts[..] else { panic!("{line:?}") };
            assert!(!key.is_empty() && !value.is_empty(), "{line:?}");
            (key.to_owned(), value.to_owned())
        });
        let many = tags.len();
        let tags: BTreeMap<_, _> = pairs.collect();
        assert!(many == tags.len() && many > 0 && !name.is_empty(), "{line:?}");
        ((*name).to_owned(), time.parse().unwrap(), value.parse().unwrap(), tags)
    };
    lines.iter().map(line).collect()
}

fn read_json(body: &str) -> Read {
    let points: Vec<Value> = serde_json::from_str(body).unwrap();
    let point = |point: &Value| {
        let tags = point["tags"].as_object().unwrap();
        let tags =
            tags.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect();
        let name = point["metric"].as_str().unwrap().to_owned();
        assert_eq!(point.as_object().unwrap().len(), 4);
        (name, point["timestamp"].as_u64().unwrap(), point["value"].as_f64().unwrap(), tags)
    };
    points.iter().map(point).collect()
}

fn word(text: &str, characters: Characters) -> String {
    let fits = |c: char| match characters {
        Characters::Ascii => c.is_ascii_alphanumeric() || "-_./".contains(c),
        _ => {
            c.is_ascii_alphanumeric()
                || "-_./".contains(c)
                || !c.is_ascii() && c.len_utf16() == 1 && c.is_alphabetic()
        }
    };
    text.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

fn number() -> impl Strategy<Value = Number> {
    let float = any::<u64>().prop_map(|bits| Number::Float(f64::from_bits(bits)));
    prop_oneof![any::<i64>().prop_map(Number::Int), any::<u64>().prop_map(Number::from), float]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~\n\r\tßé价🦀\u{0}\u{2028}]{0,12}", any::<String>()]
}

fn metrics() -> impl Strategy<Value = Vec<Metric>> {
    let tags = prop::collection::vec(("[a-zA-Z0-9./_ßé价-]{1,6}", text()), 0..6);
    let metric = (text(), number(), any::<u64>(), tags).prop_map(|(name, number, time, pairs)| {
        let mut tags = Tags::new();
        pairs.into_iter().for_each(|(key, value)| tags.insert(key, value).unwrap());
        Metric::new(Kind::Gauge, name, number, time).tags(tags)
    });
    prop::collection::vec(metric, 0..6)
}

proptest! {
    #[test]
    fn a_reader_finds_each_point_and_nothing_else(
        metrics in metrics(),
        is_json: bool,
        characters in prop_oneof![Just(Characters::Ascii), Just(Characters::Unicode), Just(Characters::Any)],
        max_bytes in prop_oneof![Just(usize::MAX), 0..300_usize],
        is_millis: bool,
    ) {
        let form = if is_json { Form::Json } else { Form::Lines { max_line: 400 } };
        let style = Style { characters, is_millis, ..Style::new(form) };
        let batch = batch(metrics, "host: till, service.name: größe b");
        let mut body = Vec::new();
        let encoded = put_batch(&mut body, &batch, max_bytes, &style);
        let body = String::from_utf8(body).unwrap();
        prop_assert!(encoded.items <= batch.len() && (batch.is_empty() || encoded.items > 0));
        let written = encoded.items - encoded.rejected;
        prop_assert!(written <= 1 || body.len() <= max_bytes, "{} of {}", body.len(), max_bytes);
        let read = if is_json { read_json(&body) } else { read_lines(&body) };
        prop_assert_eq!(read.len(), written, "{}", body);
        prop_assert_eq!(encoded.reason.is_empty(), encoded.rejected == 0);
        let mut left = read.into_iter().peekable();
        for item in batch.metrics().take(encoded.items) {
            let fits = |text: &str| word(text, characters);
            let value = |text: &str| {
                if is_json && characters == Characters::Any { text.to_owned() } else { fits(text) }
            };
            let is_it = |(name, time, number, tags): &(String, u64, f64, BTreeMap<String, String>)| {
                let seconds = item.time_unix_nano() / NANOS;
                let unit = if is_millis || seconds > u32::MAX.into() { 1_000_000 } else { NANOS };
                let wanted = item.tags().filter(|(_, text)| !text.is_empty());
                let wanted: BTreeMap<_, _> = wanted.map(|(key, text)| (fits(key), value(text))).collect();
                *name == fits(item.name())
                    && *time == item.time_unix_nano() / unit
                    && *number == item.number().as_f64()
                    && *tags == wanted
            };
            // What was refused is passed over.
            left.next_if(is_it);
        }
        prop_assert!(left.next().is_none(), "{}", body);
    }
}
