//! All that is written is read by a strict reader, which says the same as the points.

mod any;
mod grammar;

use std::sync::Arc;

use super::{Dialect, Form, TagsInName, Type, Writer};
use crate::exporters::Batch;
use crate::exporters::protocol::Encoded;
use crate::metrics::Snapshot;
use crate::model::{
    Buckets, HistogramValue, Kind, Metric, MetricValue, Number, Resource, Tags, Temporality, Value,
};

const TIME: u64 = 1_700_000_000_500_000_000;

fn resource(tags: &str, attributes: &[(&'static str, &str)]) -> Arc<Resource> {
    let resource = Resource::new(Tags::parse(tags).unwrap(), "shop").unwrap();
    let attributes = attributes.iter().map(|(key, value)| ((*key).into(), Value::Str((*value).to_owned())));
    Arc::new(resource.with_attributes(attributes))
}

fn batch(metrics: &[Metric], resource: &Arc<Resource>) -> Batch {
    Batch::of_metrics(Snapshot::new(metrics, Arc::clone(resource)), Arc::clone(resource))
}

fn point(kind: Kind, name: &'static str, value: impl Into<Number>, tags: &str) -> Metric {
    Metric::new(kind, name, value, TIME).tags(Tags::parse(tags).unwrap())
}

fn delta(mut metric: Metric) -> Metric {
    metric.temporality = Temporality::Delta;
    metric
}

fn histogram(name: &'static str, unit: &'static str, values: HistogramValue) -> Metric {
    let mut metric = delta(Metric::new(Kind::Histogram, name, 0, TIME).unit(unit));
    metric.value = MetricValue::Histogram(values.into());
    metric
}

fn of_buckets(buckets: Buckets, sum: f64, ends: Option<[f64; 2]>) -> HistogramValue {
    let [min, max] = [0, 1].map(|at| ends.map(|ends| ends[at]));
    HistogramValue { count: buckets.count(), sum, min, max, buckets, ..HistogramValue::default() }
}

/// Times from 10 ms to 80 ms.
fn times() -> HistogramValue {
    let buckets = Buckets::Explicit { bounds: vec![0.01, 0.02, 0.04], counts: vec![1, 100, 4, 2] };
    of_buckets(buckets, f64::NAN, Some([0.01, 0.08]))
}

/// What is written of one batch in one packet.
fn write(form: &Form, metrics: &[Metric], resource: &Arc<Resource>) -> (String, Encoded) {
    let mut body = Vec::new();
    let encoded = Writer::new(form.clone(), None).write(&batch(metrics, resource), usize::MAX, &mut body);
    (String::from_utf8(body).unwrap(), encoded)
}

fn lines(form: &Form, metrics: &[Metric]) -> Vec<String> {
    let (body, encoded) = write(form, metrics, &resource("", &[]));
    assert_eq!(encoded, metrics.len().into(), "{body}");
    body.lines().map(str::to_owned).collect()
}

fn plain() -> Form {
    Form { tags_in_name: TagsInName::Own, ..Form::of(Dialect::Plain) }
}

#[test]
fn each_kind_is_a_line_of_its_dialect() {
    let points = [
        delta(point(Kind::Counter, "orders", 5, "currency: EUR, place: Köln")),
        delta(point(Kind::Counter, "weight", 0.1, "")),
        point(Kind::Counter, "total", u64::MAX, ""),
        point(Kind::Gauge, "heat", 21.5, "room: 1"),
        point(Kind::Gauge, "heat", -5, ""),
        point(Kind::UpDownCounter, "open", -0.0, ""),
    ];
    assert_eq!(
        lines(&plain(), &points),
        [
            "orders.currency.EUR.place.K_ln:5|c",
            "weight:0.1|c",
            "total:18446744073709551615|g",
            "heat.room.1:21.5|g",
            "heat:0|g",
            "heat:-5|g",
            "open:0|g",
        ]
    );
    assert_eq!(
        lines(&Form::of(Dialect::Plain).prefixed("till").unwrap(), &points)[..2],
        ["till.orders.currency.EUR.place.K_ln.service_name.shop:5|c", "till.weight.service_name.shop:0.1|c"]
    );
    let none = Form { tags_in_name: TagsInName::None, ..plain() };
    assert_eq!(lines(&none, &points)[..2], ["orders:5|c", "weight:0.1|c"]);
    assert_eq!(
        lines(&Form::of(Dialect::Graphite), &points)[..2],
        ["orders;currency=EUR;place=K_ln;service.name=shop:5|c", "weight;service.name=shop:0.1|c"]
    );
    assert_eq!(
        lines(&Form::of(Dialect::Datadog), &points),
        [
            "orders:5|c|#currency:EUR,place:Köln,service.name:shop",
            "weight:0.1|c|#service.name:shop",
            "total:18446744073709551615|g|#service.name:shop",
            "heat:21.5|g|#room:1,service.name:shop",
            "heat:-5|g|#service.name:shop",
            "open:0|g|#service.name:shop",
        ]
    );
}

#[test]
fn a_change_of_an_up_down_counter_has_a_sign() {
    let changes = [5, 0, -3].map(|n| delta(point(Kind::UpDownCounter, "open", n, "")));
    assert_eq!(lines(&plain(), &changes), ["open:+5|g", "open:+0|g", "open:-3|g"]);
    let (body, encoded) = write(&Form::of(Dialect::Datadog), &changes, &resource("", &[]));
    let reason = "`open`: DogStatsD has no change of an up-down counter".into();
    assert_eq!((&*body, encoded), ("", Encoded { items: 3, rejected: 3, reason }));
}

#[test]
fn times_are_timers_in_milliseconds_and_each_line_counts() {
    let took = [histogram("took", "s", times())];
    // As many lines as values need where they are few, else each for about as many.
    let few = Form { samples: Some(200), ..plain() };
    let all = lines(&few, &took);
    assert_eq!((all.len(), &*all[0], &*all[1], &*all[106]), (107, "took:10|ms", "took:15|ms", "took:80|ms"));
    assert_eq!(all.iter().filter(|line| *line == "took:15|ms").count(), 100);
    assert_eq!(
        lines(&Form { samples: Some(5), ..plain() }, &took),
        ["took:10|ms", "took:15|ms|@0.05", "took:15|ms|@0.05", "took:15|ms|@0.05", "took:15|ms|@0.05"]
            .into_iter()
            .chain(["took:15|ms|@0.05", "took:30|ms|@0.25", "took:60|ms", "took:80|ms"])
            .collect::<Vec<_>>()
    );
    let by_bucket = Form { samples: None, ..plain() };
    let want = ["took:10|ms", "took:15|ms|@0.01", "took:30|ms|@0.25", "took:60|ms", "took:80|ms"];
    assert_eq!(lines(&by_bucket, &took), want);
    // In milliseconds whatever the unit, in the type of timers alone.
    let in_micros = histogram("took", "us", times());
    assert_eq!(lines(&by_bucket, &[in_micros])[..2], ["took:0.00001|ms", "took:0.000015|ms|@0.01"]);
    let as_they_are = Form { timers: Type::D, ..by_bucket.clone() };
    assert_eq!(lines(&as_they_are, &took)[1], "took:0.015|d|@0.01");
    assert_eq!(lines(&by_bucket, &[histogram("size", "By", times())])[1], "size:0.015|ms|@0.01");
}

#[test]
fn datadog_packs_what_has_one_rate() {
    let datadog = Form::of(Dialect::Datadog);
    let points = [histogram("took", "s", times()), histogram("size", "By", times())];
    assert_eq!(
        lines(&datadog, &points),
        [
            "took:10:60:80|ms|#service.name:shop",
            "took:30|ms|@0.25|#service.name:shop",
            "took:15|ms|@0.01|#service.name:shop",
            "size:0.01:0.06:0.08|d|#service.name:shop",
            "size:0.03|d|@0.25|#service.name:shop",
            "size:0.015|d|@0.01|#service.name:shop",
        ]
    );
    // No more than fit into a packet.
    let all = Form { samples: Some(200), ..datadog };
    let mut body = Vec::new();
    let points = batch(&[histogram("size", "By", times())], &resource("", &[]));
    let encoded = Writer::new(all, Some(60)).write(&points, usize::MAX, &mut body);
    assert_eq!(encoded, 1.into());
    let body = String::from_utf8(body).unwrap();
    assert!(body.lines().all(|line| line.len() < 60) && body.lines().count() < 24, "{body}");
    let read = grammar::read(&body, "datadog").unwrap();
    assert_eq!(read.iter().map(grammar::Line::count).sum::<f64>(), 107.0);
}

#[test]
fn a_container_and_a_time_stand_at_the_end() {
    let form = Form { has_times: true, ..Form::of(Dialect::Datadog) };
    let points = [
        delta(point(Kind::Counter, "orders", 5, "")),
        point(Kind::Gauge, "heat", 21.5, ""),
        histogram("took", "s", times()),
    ];
    for (id, field) in [("83c0a99c0a54", "|c:83c0a99c0a54"), ("a|#b", ""), ("", "")] {
        let (body, _) = write(&form, &points, &resource("", &[("container.id", id)]));
        let want = [
            format!("orders:5|c|#service.name:shop{field}|T1700000000"),
            format!("heat:21.5|g|#service.name:shop{field}|T1700000000"),
            format!("took:10:60:80|ms|#service.name:shop{field}"),
        ];
        assert_eq!(body.lines().take(3).collect::<Vec<_>>(), want);
    }
}

#[test]
fn what_can_not_be_said_is_left_out_and_counted() {
    let below =
        of_buckets(Buckets::Explicit { bounds: vec![0.0], counts: vec![1, 0] }, -1.0, Some([-1.0; 2]));
    let infinite = of_buckets(Buckets::default(), f64::INFINITY, None);
    let mut summed = histogram("summed", "s", infinite);
    summed.temporality = Temporality::Cumulative;
    for (metric, said, dialects) in [
        (point(Kind::Gauge, "heat", f64::NAN, ""), "`heat`: NaN and infinities are no numbers there", 3),
        (point(Kind::Gauge, "heat", f64::INFINITY, ""), "`heat`: NaN and infinities are no numbers there", 3),
        (point(Kind::Gauge, "", 1, ""), "``: nothing of its name can be a name there", 3),
        (summed, "`summed`: NaN and infinities are no numbers there", 3),
        (histogram("took", "s", below), "`took`: a timer takes no values below 0", 2),
    ] {
        let forms = [Dialect::Plain, Dialect::Graphite, Dialect::Datadog].map(Form::of);
        for form in &forms[..dialects] {
            let two = [metric.clone(), delta(point(Kind::Counter, "orders", 5, ""))];
            let (body, encoded) = write(form, &two, &resource("", &[]));
            assert_eq!(encoded, Encoded { items: 2, rejected: 1, reason: said.into() });
            assert_eq!(body.lines().count(), 1, "{body}");
        }
    }
    let japanese = [point(Kind::Gauge, "価格", 1, "")];
    let (_, encoded) = write(&Form::of(Dialect::Datadog), &japanese, &resource("", &[]));
    assert_eq!(encoded.reason, "`価格`: nothing of its name can be a name there");
}

#[test]
fn a_summary_is_gauges() {
    let mut took = histogram("took", "s", times());
    took.temporality = Temporality::Cumulative;
    if let MetricValue::Histogram(values) = &mut took.value {
        values.sum = -1.5;
    }
    took = took.tags(Tags::parse("a: b").unwrap());
    let graphite = lines(&Form { samples: None, ..Form::of(Dialect::Graphite) }, &[took.clone()]);
    let tags = "a=b;service.name=shop";
    assert_eq!(graphite[0], format!("took.count;{tags}:107|g"));
    assert_eq!(graphite[1..3], [format!("took.sum;{tags}:0|g"), format!("took.sum;{tags}:-1.5|g")]);
    assert_eq!(graphite[3..5], [format!("took.min;{tags}:0.01|g"), format!("took.max;{tags}:0.08|g")]);
    assert_eq!(lines(&plain(), &[took])[0], "took.count.a.b:107|g");
}

#[test]
fn packets_are_full_and_what_belongs_together_does_not_part() {
    let points: Vec<Metric> =
        (0..200).map(|n| point(Kind::Gauge, "heat", n - 100, &format!("n: {n}"))).collect();
    for most in [30, 31, 60, 61, 62, 63, 500, 1432] {
        let writer = Writer::new(plain(), Some(most));
        let (mut rest, mut packets) = (batch(&points, &resource("", &[])), Vec::new());
        while !rest.is_empty() {
            let mut body = Vec::new();
            let encoded = writer.write(&rest, 1 << 20, &mut body);
            assert_eq!(encoded.rejected, 0, "{}", encoded.reason);
            rest.take_first(encoded.items);
            packets.push(String::from_utf8(body).unwrap());
        }
        for (at, packet) in packets.iter().enumerate() {
            assert!(packet.len() <= most);
            let zeros = packet.matches(":0|g\n").count();
            assert!(
                zeros >= packet.matches(":-").count() && !packet.ends_with(":0|g\n")
                    || packet.contains("n.100:0")
            );
            // A value below 0 is two lines.
            let mut next = packets.get(at + 1).into_iter().flat_map(|next| next.split_inclusive('\n'));
            let (first, second) = (next.next(), next.next().filter(|line| line.contains(":-")));
            let next = first.map(|first| first.len() + second.map_or(0, str::len));
            assert!(next.is_none_or(|next| packet.len() + next > most), "{packet} has room for more");
        }
        let all = grammar::read(&packets.concat(), "plain").unwrap();
        assert_eq!(all.len(), 300);
    }
}

#[test]
fn a_point_has_at_most_a_mebibyte_and_a_line_of_a_stream_64_kibibytes() {
    let many = of_buckets(
        Buckets::Explicit { bounds: vec![0.0, 1.0, 2.0], counts: vec![0, 9_000, 9_000, 0] },
        18_000.0,
        None,
    );
    let tagged = |many_tags: usize| {
        let value = "x".repeat(4_000);
        let tags: Vec<_> = (0..many_tags).map(|n| format!("k{n}: {value}")).collect();
        let tags = Tags::parse(&tags.join(", ")).unwrap();
        [histogram("took", "s", many.clone()).tags(tags.clone()), histogram("took", "s", times()).tags(tags)]
    };
    for dialect in [Dialect::Plain, Dialect::Graphite] {
        let form = Form { samples: Some(10_000), ..Form::of(dialect) };
        let put = |points: &[Metric]| write(&form, points, &resource("", &[]));
        let (body, encoded) = put(&tagged(2)[..1]);
        let said = "`took`: its lines have more than 1048576 bytes: fewer `samples` are needed".into();
        assert_eq!((body.len(), encoded), (0, Encoded { items: 1, rejected: 1, reason: said }));
        let (body, encoded) = put(&tagged(2)[1..]);
        assert!(encoded.rejected == 0 && body.len() < 1 << 20, "{encoded:?}");
        let (_, encoded) = put(&tagged(17)[1..]);
        assert_eq!(encoded.rejected, 1);
        assert!(encoded.reason.ends_with(" bytes, and 65536 are the most"), "{encoded:?}");
    }
}

#[test]
fn a_line_that_is_longer_than_a_packet_is_refused() {
    let points = [
        point(Kind::Gauge, "heat", 1, ""),
        point(Kind::Gauge, "heat", -1, &format!("room: {}", "x".repeat(6))),
        histogram("took", "s", times()),
    ];
    let form = Form { samples: None, ..plain() };
    let mut body = Vec::new();
    let encoded =
        Writer::new(form.clone(), Some(16)).write(&batch(&points, &resource("", &[])), 1 << 20, &mut body);
    // The rate makes the third one longer than that.
    assert_eq!((encoded.items, encoded.rejected, &*body), (3, 2, &b"heat:1|g\n"[..]));
    assert_eq!(encoded.reason, "`heat`: its line has 21 bytes, and 16 are the most");
    let encoded = Writer::new(form, Some(43)).write(&batch(&points, &resource("", &[])), 1 << 20, &mut body);
    assert_eq!((encoded.items, encoded.rejected), (1, 0));
}
