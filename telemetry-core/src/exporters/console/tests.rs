use std::sync::Arc;

use super::pen::{duration, number};
use super::*;
use crate::metrics::Snapshot;
use crate::model::{Buckets, HistogramValue, Kind, Metric, MetricValue, Tags, ValueRef};

fn batch(global: &str, metrics: Vec<Metric>) -> Batch {
    let resource = Arc::new(Resource::new(Tags::parse(global).unwrap(), "shop").unwrap());
    Batch::of_metrics(Snapshot::new(metrics, Arc::clone(&resource)), resource)
}

fn histogram(name: &'static str, values: &[f64]) -> Metric {
    let bounds = values.to_vec();
    let counts = values.iter().map(|_| 1).chain([0]).collect();
    let value = HistogramValue {
        count: values.len() as u64,
        sum: values.iter().sum(),
        min: values.iter().copied().reduce(f64::min),
        max: values.iter().copied().reduce(f64::max),
        buckets: Buckets::Explicit { bounds, counts },
        exemplars: Vec::new(),
        octaves: None,
    };
    Metric { value: MetricValue::Histogram(value.into()), ..Metric::new(Kind::Histogram, name, 0, 9) }
}

/// The lines without their times.
fn printed(console: &mut Console, batch: &Batch) -> Vec<String> {
    console.accept(batch, 1, Now::default());
    let next = console.window.release(Tick::default(), true);
    let page = console.page(next.into_iter().map(|next| (next.what, next.is_late)));
    page.lines().map(|line| line[31..].to_owned()).collect()
}

fn console() -> Console {
    Console { colour: false, ..Console::new(Stream::Stdout) }
}

#[test]
fn units_stand_apart_and_whole_numbers_have_no_decimals() {
    let gauge = |name: &'static str, value: f64| Metric::new(Kind::Gauge, name, value, 9);
    let metrics = vec![
        gauge("items", 0.0).unit("{item}"),
        Metric::new(Kind::Counter, "sent", 3, 9).unit("By"),
        gauge("load", 0.25).unit("1"),
        gauge("heat", 21.5),
        histogram("size", &[3.0]).unit("By"),
        histogram("share", &[0.5, 2.25]),
        histogram("time", &[0.012]).unit("s"),
    ];
    assert_eq!(
        printed(&mut console(), &batch("", metrics))[1..],
        [
            "metric items 0 {item}",
            "metric sent 3 By",
            "metric load 0.25",
            "metric heat 21.5",
            "metric size count=1 mean=3 p50=3 p99=3 max=3 By",
            "metric share count=2 mean=1.375 p50=0.5 p99=2.25 max=2.25",
            "metric time count=1 mean=12.0ms p50=12.0ms p99=12.0ms max=12.0ms",
        ]
    );
}

#[test]
fn numbers_have_four_digits_and_whole_ones_all() {
    let shown = [3.0, 1_234_567.0, 1_234.5, 534.64, 1.5, 2.0 / 3.0, -0.012_345, 9.999_96, 1e-7].map(number);
    assert_eq!(shown, ["3", "1234567", "1234", "534.6", "1.5", "0.6667", "-0.01235", "10", "1.000e-7"]);
}

#[test]
fn global_tags_stand_once_before_the_first_line_and_again_when_they_change() {
    let mut console = console();
    let one = |global| batch(global, vec![Metric::new(Kind::Counter, "n", 1, 9)]);
    let line = "metric n 1";
    let first = one("env: prod, host: the till");
    let tags = "tags   env=prod host=\"the till\" service.name=shop";
    assert_eq!(printed(&mut console, &first), [tags, line]);
    assert_eq!(printed(&mut console, &first), [line]);
    assert_eq!(printed(&mut console, &one("env: test")), ["tags   env=test service.name=shop", line]);
}

#[test]
fn durations_have_three_digits() {
    let shown = [7, 1_500, 12_340_000, 123_400_000, 9_999_000_000, 86_400_000_000_000].map(duration);
    assert_eq!(shown, ["7ns", "1.50µs", "12.3ms", "123ms", "10.00s", "86400s"]);
}

#[test]
fn texts_are_told_from_what_is_beside_them() {
    let mut page = Pen::new(false);
    let texts = ["a b=c", "\"", "\\", "x,admin=true} 7", "\u{202e}a\u{2028}", "\u{1b}[2J", "a.b/c:7", ""];
    page.fields(texts.into_iter().map(|text| ("k", ValueRef::Str(text))));
    let shown =
        r#" k="a b=c" k="\"" k="\\" k="x,admin=true} 7" k="\u{202e}a\u{2028}" k="\u{1b}[2J" k=a.b/c:7 k="""#;
    assert_eq!(page.text, shown);
    page.text.clear();
    page.fields([("bad key", ValueRef::Bool(true)), ("n", ValueRef::F64(0.5))].into_iter());
    assert_eq!(page.text, r#" "bad key"=true n=0.5"#);
    let mut odd = Metric::new(Kind::Counter, "or ders", 3, 9).unit("By x=1");
    let mut tags = Tags::new();
    tags.insert("k", "x,admin=true} 7").unwrap();
    tags.insert("user", "me").unwrap();
    odd = odd.tags(tags);
    let line = r#"metric "or ders"{k="x,admin=true} 7",user=me} 3 "By x=1""#;
    assert_eq!(printed(&mut console(), &batch("", vec![odd]))[1..], [line]);
}
