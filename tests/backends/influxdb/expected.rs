//! What points have to be in line protocol: by this file alone, with none of the writer's code.

use std::collections::BTreeMap;

use serde_json::Value;
use telemetry_layer::model::{Buckets, HistogramValue, Number};

use crate::scenarios::Point;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, Field>,
    pub(super) time: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    Float(f64),
    Int(i64),
    Text(String),
}

impl Field {
    /// A field as `InfluxDB` shows it in JSON, where an integer looks like a float that is whole.
    pub(super) fn of(key: &str, value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text.clone()),
            value if is_integer(key) => Self::Int(value.as_i64().unwrap_or_else(|| panic!("{key}: {value}"))),
            value => Self::Float(value.as_f64().unwrap()),
        }
    }
}

/// Whether a field of that name is one.
pub(super) fn is_integer(key: &str) -> bool {
    matches!(key, "value_int" | "count" | "duration_nano" | "code_line") || key.parse::<f64>().is_ok()
}

/// The points as they should be.
pub(super) fn expected(points: &[&Point], has_buckets: bool) -> Vec<Line> {
    points.iter().map(|point| line(point, has_buckets)).collect()
}

fn line(point: &Point, has_buckets: bool) -> Line {
    let tags = point
        .tags
        .iter()
        .map(|(key, value)| (said(key), if value.is_empty() { "\"\"".to_owned() } else { said(value) }));
    let fields = match point.histogram() {
        Some(histogram) if has_buckets => buckets(point, histogram),
        _ => point.numbers().into_iter().flat_map(|(part, number)| fields(part, number)).collect(),
    };
    Line { name: said(&point.name), tags: tags.collect(), fields, time: point.time }
}

fn fields(part: &str, number: Number) -> Vec<(String, Field)> {
    let float = |key: &str| (key.to_owned(), Field::Float(number.as_f64()));
    match (part, number) {
        ("count", Number::Int(n)) => vec![(part.to_owned(), Field::Int(n))],
        ("", Number::Int(n)) if n.unsigned_abs() > 1 << 53 => {
            vec![float("value"), ("value_int".to_owned(), Field::Int(n))]
        }
        ("", _) => vec![float("value")],
        (part, _) => vec![float(part)],
    }
}

fn buckets(point: &Point, histogram: &HistogramValue) -> BTreeMap<String, Field> {
    let always = point.numbers().into_iter().filter(|(part, _)| !part.starts_with('p'));
    let mut all: BTreeMap<_, _> = always.flat_map(|(part, number)| fields(part, number)).collect();
    let own: Vec<(f64, u64)> = match &histogram.buckets {
        Buckets::Explicit { bounds, counts, .. } => {
            bounds.iter().copied().zip(counts.iter().copied()).collect()
        }
        buckets => buckets.by_upper_bound().collect(),
    };
    let mut sum = 0;
    for (bound, count) in own.into_iter().filter(|(bound, _)| bound.is_finite()) {
        sum += count as i64;
        all.insert(key(bound), Field::Int(sum));
    }
    all.insert("+Inf".to_owned(), Field::Int(histogram.count as i64));
    all
}

/// As Go prints a float, in which Telegraf is written: `1`, `0.5`, `1e+06`.
fn key(bound: f64) -> String {
    let digits = format!("{bound:e}");
    let (mantissa, exponent) = digits.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    if (-4..6).contains(&exponent) { bound.to_string() } else { format!("{mantissa}e{exponent:+03}") }
}

/// A text, as it is read: what no reader is sure to take for what it is is written as Rust writes it.
pub(super) fn said(text: &str) -> String {
    let all: Vec<char> = text.chars().collect();
    let mut said = String::new();
    for (at, c) in all.iter().enumerate() {
        let next = all.get(at + 1);
        match c {
            '\\' if next.is_none_or(|c| c.is_ascii_control() || ['\\', ',', '=', ' ', '"'].contains(c)) => {
                said += "\\u{5c}";
            }
            c if c.is_ascii_control() => said.extend(c.escape_default()),
            c => said.push(*c),
        }
    }
    said
}

/// The same lines, in any order.
#[track_caller]
pub(super) fn same(wanted: &[Line], read: &[Line]) {
    let lacking = |of: &[Line], others: &[Line]| -> Vec<Line> {
        of.iter().filter(|line| !others.contains(line)).take(5).cloned().collect()
    };
    let [lost, new] = [lacking(wanted, read), lacking(read, wanted)];
    assert!(lost.is_empty() && new.is_empty(), "lost: {lost:#?}\nand new: {new:#?}");
    assert_eq!(wanted.len(), read.len());
}
