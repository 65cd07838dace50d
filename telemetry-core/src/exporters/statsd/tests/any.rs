//! Any points, in any form: what a strict reader reads of each is what it is, and many are what each is alone.

use proptest::prelude::*;

use super::grammar::{self, Line};
use super::*;

/// Characters that mean something on some wire, and others.
const AWKWARD: &str =
    r#"[a-z]{0,3}|[:|@#,;=~/_ .\\\n\r\t\u{0}{}"'é価🦀\u{2028}\u{85}+-]{0,4}|_sc|_e\{1,1\}|name|.{0,6}"#;

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        any::<u64>().prop_map(Number::from),
        (-5_i64..5).prop_map(Number::Int),
        any::<u64>().prop_map(|bits| Number::Float(f64::from_bits(bits))),
        (-1e6..1e6).prop_map(Number::Float),
    ]
}

fn side() -> impl Strategy<Value = Vec<(i32, u64)>> {
    let counts = prop_oneof![1..5_u64, 1..100_000_u64];
    // Up to the greatest double.
    let side = prop::collection::btree_map(-8_600..8_192_i32, counts, 0..6);
    side.prop_map(|side| side.into_iter().collect())
}

fn buckets() -> impl Strategy<Value = Buckets> {
    let exponential =
        (side(), side(), any::<bool>(), 0..9_u64).prop_map(|(positive, mut negative, below, zero_count)| {
            negative.retain(|_| below);
            Buckets::Exponential { scale: 3, zero_count, positive, negative }
        });
    let explicit = prop::collection::btree_set(-1_000..1_000_i32, 0..6).prop_flat_map(|bounds| {
        let counts = prop::collection::vec(0..1_000_u64, bounds.len() + 1);
        (Just(bounds), counts).prop_map(|(bounds, counts)| Buckets::Explicit {
            bounds: bounds.into_iter().map(|bound| f64::from(bound) / 8.0).collect(),
            counts,
        })
    });
    prop_oneof![exponential, explicit]
}

fn metric() -> impl Strategy<Value = Metric> {
    let value = prop_oneof![
        3 => number().prop_map(MetricValue::Number),
        1 => (buckets(), any::<f64>()).prop_map(|(buckets, sum)| MetricValue::Histogram(of_buckets(buckets, sum, None).into())),
    ];
    let tags = prop::collection::vec((AWKWARD, AWKWARD), 0..4);
    let unit = prop::sample::select(vec!["", "s", "ms", "us", "ns", "By"]);
    (0..4_usize, AWKWARD, tags, unit, any::<bool>(), value, any::<u64>()).prop_map(
        |(kind, name, tags, unit, is_delta, value, time)| {
            let mut all = Tags::new();
            for (key, value) in tags {
                // Not every text is a key.
                let _ = all.insert(key, value);
            }
            let kind = match value {
                MetricValue::Histogram(_) => Kind::Histogram,
                MetricValue::Number(_) => {
                    [Kind::Counter, Kind::UpDownCounter, Kind::Gauge, Kind::Histogram][kind]
                }
            };
            let mut metric = Metric::new(kind, name, 0, time).tags(all).unit(unit);
            metric.temporality = if is_delta { Temporality::Delta } else { Temporality::Cumulative };
            metric.value = value;
            metric
        },
    )
}

fn form() -> impl Strategy<Value = Form> {
    let kinds = || prop::sample::select(vec![Type::Ms, Type::H, Type::D]);
    let dialect = prop::sample::select(vec![Dialect::Plain, Dialect::Graphite, Dialect::Datadog]);
    let tags_in_name = prop::sample::select(vec![TagsInName::All, TagsInName::Own, TagsInName::None]);
    let samples = prop::option::of(1..100_u64);
    (dialect, tags_in_name, kinds(), kinds(), samples, any::<bool>(), any::<bool>()).prop_map(
        |(dialect, tags_in_name, timers, histograms, samples, has_times, has_prefix)| {
            let form = Form::of(dialect);
            let form = if has_prefix { form.prefixed("p_1.x").unwrap() } else { form };
            let has_times = has_times && dialect == Dialect::Datadog;
            Form { tags_in_name, timers, histograms, samples, has_times, ..form }
        },
    )
}

fn dialect(form: &Form) -> &'static str {
    match form.dialect {
        Dialect::Plain => "plain",
        Dialect::Graphite => "graphite",
        Dialect::Datadog => "datadog",
    }
}

/// A gauge of a server that had another value before.
fn gauge(lines: &[Line], is_datadog: bool) -> f64 {
    lines.iter().fold(777.0, |before, line| {
        let value = line.numbers()[0];
        let is_change = !is_datadog && line.values[0].starts_with(['+', '-']);
        if is_change { before + value } else { value }
    })
}

/// Whether no number can say it; none where that depends on what stands for a bucket.
fn is_unsaid(form: &Form, metric: &Metric) -> Option<bool> {
    let is_datadog = form.dialect == Dialect::Datadog;
    let is_delta = metric.temporality == Temporality::Delta;
    let timed = ["s", "ms", "us", "ns"].contains(&&*metric.identity.unit);
    let class = if timed { form.timers } else { form.histograms };
    let takes_below_0 = is_datadog || class != Type::Ms;
    let has_letter = metric.identity.name.contains(|c: char| c.is_ascii_alphabetic());
    let is_named = !metric.identity.name.is_empty() && (!is_datadog || !form.prefix.is_empty() || has_letter);
    let is_said = match &metric.value {
        MetricValue::Number(number) if metric.identity.kind == Kind::Histogram => {
            number.as_f64().is_finite() && (takes_below_0 || number.as_f64() >= 0.0)
        }
        MetricValue::Number(number) => {
            let is_change = metric.identity.kind == Kind::UpDownCounter && is_delta;
            number.as_f64().is_finite() && !(is_change && is_datadog)
        }
        MetricValue::Histogram(of) if !is_delta => of.sum.is_finite(),
        MetricValue::Histogram(_) if !is_named || takes_below_0 => true,
        MetricValue::Histogram(of) => match &of.buckets {
            Buckets::Exponential { negative, .. } => negative.is_empty(),
            Buckets::Explicit { .. } if of.buckets.by_bounds().any(|(lower, ..)| lower < 0.0) => return None,
            Buckets::Explicit { .. } => true,
        },
    };
    Some(!is_named || !is_said)
}

fn check(form: &Form, metric: &Metric, lines: &[Line]) -> Result<(), TestCaseError> {
    let is_datadog = form.dialect == Dialect::Datadog;
    let is_delta = metric.temporality == Temporality::Delta;
    for line in lines {
        prop_assert!(line.name.starts_with(&form.prefix));
        if is_datadog {
            let tags: Vec<_> = metric.identity.tags.or(resource("", &[]).tags()).iter().map(of_tag).collect();
            prop_assert_eq!(&line.tags, &tags);
        }
        let may_have_time =
            form.has_times && metric.time_unix_nano >= 1_000_000_000 && ["c", "g"].contains(&&*line.kind);
        prop_assert_eq!(line.seconds, may_have_time.then_some(metric.time_unix_nano / 1_000_000_000));
    }
    match (&metric.value, metric.identity.kind) {
        (MetricValue::Number(number), Kind::Counter) if is_delta => {
            prop_assert_eq!((lines.len(), &*lines[0].kind, lines[0].numbers()[0]), (1, "c", number.as_f64()));
        }
        (MetricValue::Number(number), Kind::UpDownCounter) if is_delta => {
            prop_assert_eq!(gauge(lines, is_datadog), 777.0 + number.as_f64());
        }
        (MetricValue::Number(_), Kind::Histogram) => {
            prop_assert_eq!(lines.iter().map(Line::count).sum::<f64>(), 1.0);
        }
        (MetricValue::Number(number), _) => prop_assert_eq!(gauge(lines, is_datadog), number.as_f64()),
        (MetricValue::Histogram(of), _) if is_delta => {
            let count = lines.iter().map(Line::count).sum::<f64>();
            prop_assert_eq!(count, of.buckets.count() as f64);
        }
        (MetricValue::Histogram(of), _) => {
            prop_assert!(lines[0].name.contains(".count"), "{:?}", lines);
            prop_assert_eq!(lines[0].numbers()[0], of.count as f64);
        }
    }
    Ok(())
}

fn of_tag((key, value): (&str, &str)) -> (String, String) {
    let no = |c: char| c.is_control() || c.is_whitespace() || c == ',' || c == '|';
    (key.to_owned(), value.replace(no, "_"))
}

proptest! {
    #[test]
    fn what_is_read_of_a_point_is_what_it_is(form in form(), metric in metric()) {
        let (body, encoded) = write(&form, std::slice::from_ref(&metric), &resource("", &[]));
        prop_assert_eq!(encoded.items, 1);
        if let Some(is_unsaid) = is_unsaid(&form, &metric) {
            prop_assert_eq!(encoded.rejected == 1, is_unsaid, "{}", encoded.reason);
        }
        prop_assert_eq!(body.is_empty(), encoded.rejected == 1 || metric.histogram().is_some_and(|h| h.count == 0) && metric.temporality == Temporality::Delta);
        let lines = grammar::read(&body, dialect(&form)).map_err(TestCaseError::fail)?;
        if encoded.rejected == 0 && !lines.is_empty() {
            check(&form, &metric, &lines)?;
        }
    }

    #[test]
    fn many_points_are_what_each_is_alone(
        form in form(),
        metrics in prop::collection::vec(metric(), 1..12),
        most in prop_oneof![20..200_usize, 1_432..1_433_usize],
    ) {
        let writer = Writer::new(form.clone(), Some(most));
        let one = |metric: &Metric| {
            let mut body = Vec::new();
            let encoded = writer.write(&batch(std::slice::from_ref(metric), &resource("", &[])), 1 << 20, &mut body);
            (String::from_utf8(body).unwrap(), encoded.rejected)
        };
        let alone: Vec<(String, usize)> = metrics.iter().map(one).collect();
        let (mut rest, mut all, mut rejected) = (batch(&metrics, &resource("", &[])), String::new(), 0);
        // An empty distribution has no line.
        let mut lines_of = alone.iter().map(|(body, _)| !body.is_empty());
        while !rest.is_empty() {
            let mut body = Vec::new();
            let encoded = writer.write(&rest, 1 << 20, &mut body);
            prop_assert!(encoded.items > 0);
            let with_lines = lines_of.by_ref().take(encoded.items).filter(|has_lines| *has_lines).count();
            prop_assert!(body.len() <= most || with_lines == 1, "{} bytes", body.len());
            let body = String::from_utf8(body).unwrap();
            prop_assert!(body.lines().all(|line| line.len() < most), "{}", body);
            rest.take_first(encoded.items);
            all.push_str(&body);
            rejected += encoded.rejected;
        }
        prop_assert_eq!(all, alone.iter().map(|(body, _)| &**body).collect::<String>());
        prop_assert_eq!(rejected, alone.iter().map(|(_, rejected)| rejected).sum::<usize>());
    }
}
