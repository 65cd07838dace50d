//! A data point as a line.

use super::form::{Histograms, Precision, Refusal, TOO_LATE, end_line};
use super::text::{put_key, put_name};
use crate::exporters::digits::{put_bound, put_float, put_whole};
use crate::exporters::lines::{Kept, KeptTags, Name};
use crate::exporters::summary;
use crate::metrics::MetricRef;
use crate::model::{Buckets, HistogramValue, Number};
use crate::text;

/// Of a number: a float, always.
const VALUE: &str = "value";
/// Of a whole number that may be no float: an integer, always.
const VALUE_INT: &str = "value_int";

/// Floats have all whole numbers up to here.
const ALL_FLOATS: u64 = 1 << 53;

/// Writes the points of a batch.
#[derive(Default)]
pub(super) struct Pen<'a> {
    precision: Precision,
    histograms: Histograms,
    name: Kept<Name<'a>>,
    /// Of points with a number and of histograms, whose tags may have other keys.
    tags: [KeptTags<'a>; 2],
    end: Kept<u64>,
}

impl<'a> Pen<'a> {
    pub(super) fn new(precision: Precision, histograms: Histograms) -> Self {
        Self { precision, histograms, ..Self::default() }
    }

    /// Adds the line of a point.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, point: MetricRef<'a>) -> Result<(), Refusal> {
        if point.name().is_empty() {
            return Err("a data point has no name".into());
        }
        let refuse = |why: &str| text::line(format_args!("`{}`: {why}", point.name()), 200);
        let time = self.precision.of(point.time_unix_nano()).ok_or_else(|| refuse(TOO_LATE))?;
        out.extend_from_slice(self.name.of(Name(point.name()), |out| put_name(out, point.name())));
        let has_buckets = self.histograms == Histograms::Buckets;
        let is_field = |key: &str| match point.histogram() {
            None => matches!(key, VALUE | VALUE_INT),
            Some(_) if has_buckets && key.parse::<f64>().is_ok() => true,
            Some(_) => {
                matches!(key, "count" | "sum" | "min" | "max")
                    || summary::QUANTILES.iter().any(|(name, _)| *name == key)
            }
        };
        let put_key = |out: &mut Vec<u8>, key: &str, _: &str| {
            put_tag_key(out, key, is_field, |key| point.tag(key).is_some());
        };
        let tags = &mut self.tags[usize::from(point.histogram().is_some())];
        out.extend_from_slice(tags.of(point, put_key, put_tag_value));
        out.push(b' ');
        let mut fields = Fields { out, is_first: true };
        match point.histogram() {
            None => fields.number(point.number()),
            Some(histogram) if has_buckets => fields.buckets(histogram),
            Some(histogram) => fields.summary(histogram),
        }
        if fields.is_first {
            return Err(refuse("no line can say what is no number").into());
        }
        out.extend_from_slice(self.end.of(time, |out| end_line(out, time)));
        Ok(())
    }
}

/// Adds tags.
pub(super) fn put_tags<'a>(
    out: &mut Vec<u8>,
    tags: impl Iterator<Item = (&'a str, &'a str)>,
    is_field: impl Fn(&str) -> bool,
    has: impl Fn(&str) -> bool,
) {
    for (key, value) in tags {
        put_tag_key(out, key, &is_field, &has);
        put_tag_value(out, value);
    }
}

/// What stands before the value of a tag. A key that means something else in the line gets `_`s at its end, until no other one is
/// like it.
fn put_tag_key(out: &mut Vec<u8>, key: &str, is_field: impl Fn(&str) -> bool, has: impl Fn(&str) -> bool) {
    out.push(b',');
    put_key(out, key);
    if is_reserved(key) || is_field(key) {
        let mut other = format!("{key}_");
        out.push(b'_');
        while has(&other) {
            other.push('_');
            out.push(b'_');
        }
    }
    out.push(b'=');
}

fn put_tag_value(out: &mut Vec<u8>, value: &str) {
    put_key(out, if value.is_empty() { "\"\"" } else { value });
}

/// Lines with such tags are refused.
fn is_reserved(key: &str) -> bool {
    matches!(key, "time" | "_field" | "_measurement")
}

/// The fields of a line; what is no number is left out.
struct Fields<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

impl Fields<'_> {
    fn begin(&mut self, key: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(key.as_bytes());
        self.out.push(b'=');
    }

    fn float(&mut self, key: &str, x: f64) {
        if x.is_finite() {
            self.begin(key);
            put_float(self.out, x);
        }
    }

    /// Servers have no larger ones than `i64::MAX`.
    fn integer(&mut self, key: &str, n: i64) {
        self.begin(key);
        put_whole(self.out, n);
        self.out.push(b'i');
    }

    fn count(&mut self, key: &str, n: u64) {
        self.integer(key, i64::try_from(n).unwrap_or(i64::MAX));
    }

    fn number(&mut self, number: Number) {
        match number {
            Number::Int(n) if n.unsigned_abs() <= ALL_FLOATS => {
                self.begin(VALUE);
                put_whole(self.out, n);
            }
            Number::Int(n) => {
                self.float(VALUE, number.as_f64());
                self.integer(VALUE_INT, n);
            }
            number => self.float(VALUE, number.as_f64()),
        }
    }

    fn summary(&mut self, histogram: &HistogramValue) {
        for (key, number) in summary::numbers(histogram) {
            match number {
                Number::Float(x) => self.float(key, x),
                Number::Int(n) => self.integer(key, n),
                Number::Uint(n) => self.count(key, n),
            }
        }
    }

    fn buckets(&mut self, histogram: &HistogramValue) {
        self.count("count", histogram.count);
        self.float("sum", histogram.sum);
        histogram.min.into_iter().for_each(|x| self.float("min", x));
        histogram.max.into_iter().for_each(|x| self.float("max", x));
        let mut key = Vec::new();
        for (bound, count) in up_to(&histogram.buckets) {
            key.clear();
            put_bound(&mut key, bound);
            let key = String::from_utf8_lossy(&key);
            // As Telegraf writes a whole one.
            self.count(key.strip_suffix(".0").unwrap_or(&key), count);
        }
    }
}

/// How many values are not above each bound; each one is there once, whatever somebody made by hand.
fn up_to(buckets: &Buckets) -> Vec<(f64, u64)> {
    let own: Vec<(f64, u64)> = match buckets {
        // Also those that hold nothing: the lines of a series have the same fields.
        Buckets::Explicit { bounds, counts } => {
            let bounds = bounds.iter().copied().chain([f64::INFINITY]);
            bounds.zip(counts.iter().copied()).collect()
        }
        Buckets::Exponential { .. } => buckets.by_upper_bound().collect(),
    };
    let mut all: Vec<(f64, u64)> = Vec::with_capacity(own.len() + 1);
    let mut sum = 0_u64;
    for (bound, count) in own {
        sum = sum.saturating_add(count);
        match all.last_mut() {
            Some((last, below)) if bound.total_cmp(last).is_le() => *below = sum,
            _ if bound.is_finite() => all.push((bound, sum)),
            _ => {}
        }
    }
    all.push((f64::INFINITY, sum));
    all
}
