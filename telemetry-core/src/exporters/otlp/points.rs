//! One data point: a number, or a histogram of one of two sorts.
//!
//! Source: opentelemetry-proto, `metrics.proto`.

use super::attributes::put_tags;
use super::wire::{bytes, fixed64, put_f64, put_fixed64, put_message, put_varint, varint};
use crate::metrics::MetricRef;
use crate::model::{Buckets, Exemplar, HistogramValue, Kind, Number};

/// Of each sort.
const START: u8 = fixed64(2);
const TIME: u8 = fixed64(3);

/// Of both sorts of histograms.
const COUNT: u8 = fixed64(4);
const SUM: u8 = fixed64(5);

/// What OTLP tells apart.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sort {
    Gauge,
    Sum,
    /// Between chosen bounds.
    Histogram,
    ExponentialHistogram,
}

impl Sort {
    pub(super) fn of(point: &MetricRef<'_>) -> Self {
        match (point.histogram(), point.kind()) {
            (Some(histogram), _) if histogram.buckets.bounds().is_some() => Self::Histogram,
            (Some(_), _) => Self::ExponentialHistogram,
            (None, Kind::Counter | Kind::UpDownCounter) => Self::Sum,
            // One value of a distribution, made by hand, can't be added up.
            (None, Kind::Gauge | Kind::Histogram) => Self::Gauge,
        }
    }

    /// The key of the data of a metric.
    pub(super) fn key(self) -> u8 {
        match self {
            Self::Gauge => bytes(5),
            Self::Sum => bytes(7),
            Self::Histogram => bytes(9),
            Self::ExponentialHistogram => bytes(10),
        }
    }

    /// The key of the attributes of a point.
    fn attribute(self) -> u8 {
        match self {
            Self::Gauge | Self::Sum => bytes(7),
            Self::Histogram => bytes(9),
            Self::ExponentialHistogram => bytes(1),
        }
    }

    /// What the point is.
    pub(super) fn put(self, out: &mut Vec<u8>, point: &MetricRef<'_>) {
        put_tags(out, self.attribute(), point.own_tags());
        point.start_time_unix_nano().into_iter().for_each(|start| put_fixed64(out, START, start));
        put_fixed64(out, TIME, point.time_unix_nano());
        match point.histogram() {
            Some(histogram) => put_histogram(out, histogram),
            None => put_number(out, point.number(), point.is_beyond_int()),
        }
    }
}

/// A double, unless OTLP's whole numbers can hold it, and those of its metric that came before.
fn put_number(out: &mut Vec<u8>, number: Number, is_beyond_int: bool) {
    const DOUBLE: u8 = fixed64(4);
    const INT: u8 = fixed64(6);
    match number {
        Number::Int(n) if !is_beyond_int => put_fixed64(out, INT, n.cast_unsigned()),
        number => put_f64(out, DOUBLE, number.as_f64()),
    }
}

fn put_histogram(out: &mut Vec<u8>, histogram: &HistogramValue) {
    put_fixed64(out, COUNT, histogram.count);
    put_f64(out, SUM, histogram.sum);
    let (exemplar, min, max) = match &histogram.buckets {
        Buckets::Explicit { bounds, counts } => {
            put_explicit(out, bounds, counts);
            (bytes(8), fixed64(11), fixed64(12))
        }
        Buckets::Exponential { .. } => {
            put_exponential(out, histogram);
            (bytes(11), fixed64(12), fixed64(13))
        }
    };
    histogram.exemplars.iter().for_each(|of| put_exemplar(out, exemplar, of));
    histogram.min.into_iter().for_each(|x| put_f64(out, min, x));
    histogram.max.into_iter().for_each(|x| put_f64(out, max, x));
}

fn put_explicit(out: &mut Vec<u8>, bounds: &[f64], counts: &[u64]) {
    const COUNTS: u8 = bytes(6);
    const BOUNDS: u8 = bytes(7);
    put_message::<1>(out, COUNTS, |out| {
        counts.iter().for_each(|count| out.extend_from_slice(&count.to_le_bytes()));
    });
    if !bounds.is_empty() {
        put_message::<1>(out, BOUNDS, |out| {
            bounds.iter().for_each(|bound| out.extend_from_slice(&bound.to_le_bytes()));
        });
    }
}

/// Buckets that span more places, each of which takes a byte at least, are made coarser.
const MAX_PLACES: usize = 4096;

fn put_exponential(out: &mut Vec<u8>, histogram: &HistogramValue) {
    const SCALE: u8 = varint(6);
    const ZEROS: u8 = fixed64(7);
    const POSITIVE: u8 = bytes(8);
    const NEGATIVE: u8 = bytes(9);
    let Buckets::Exponential { scale, zero_count, positive, negative } = &histogram.buckets else { return };
    if places(positive).max(places(negative)) > MAX_PLACES {
        return put_exponential(out, &histogram.clone().thinned(MAX_PLACES));
    }
    if *scale != 0 {
        out.push(SCALE);
        put_varint(out, zigzag(*scale));
    }
    if *zero_count > 0 {
        put_fixed64(out, ZEROS, *zero_count);
    }
    put_buckets(out, POSITIVE, positive);
    put_buckets(out, NEGATIVE, negative);
}

/// From the first bucket to the last one.
fn places(buckets: &[(i32, u64)]) -> usize {
    match buckets {
        [] => 0,
        [(first, _), .., (last, _)] => last.abs_diff(*first) as usize + 1,
        [_] => 1,
    }
}

/// Buckets that hold nothing are zeros between the others, which are sorted.
fn put_buckets(out: &mut Vec<u8>, key: u8, buckets: &[(i32, u64)]) {
    const OFFSET: u8 = varint(1);
    const COUNTS: u8 = bytes(2);
    let (Some((first, _)), Some((last, _))) = (buckets.first(), buckets.last()) else { return };
    put_message::<1>(out, key, |out| {
        if *first != 0 {
            out.push(OFFSET);
            put_varint(out, zigzag(*first));
        }
        put_message::<1>(out, COUNTS, |out| {
            let mut next = i64::from(*first);
            for (index, count) in buckets {
                let index = i64::from(*index);
                if (next..=i64::from(*last)).contains(&index) {
                    out.resize(out.len() + (index - next) as usize, 0);
                    put_varint(out, *count);
                    next = index + 1;
                }
            }
        });
    });
}

/// Whole numbers of both signs, so that those near to 0 are short.
fn zigzag(n: i32) -> u64 {
    u64::from((n << 1 ^ n >> 31).cast_unsigned())
}

fn put_exemplar(out: &mut Vec<u8>, key: u8, exemplar: &Exemplar) {
    const DOUBLE: u8 = fixed64(3);
    const SPAN_ID: u8 = bytes(4);
    const TRACE_ID: u8 = bytes(5);
    const TIME: u8 = fixed64(2);
    put_message::<1>(out, key, |out| {
        put_fixed64(out, TIME, exemplar.time_unix_nano);
        put_f64(out, DOUBLE, exemplar.value);
        out.extend_from_slice(&[SPAN_ID, 8]);
        out.extend_from_slice(&exemplar.span_id.get().to_be_bytes());
        out.extend_from_slice(&[TRACE_ID, 16]);
        out.extend_from_slice(&exemplar.trace_id.get().to_be_bytes());
    });
}
