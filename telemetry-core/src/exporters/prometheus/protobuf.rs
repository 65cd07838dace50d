//! Pages in protobuf: messages `io.prometheus.client.MetricFamily`, each behind its length. Exponential histograms are native
//! ones here, with the buckets of the text beside them, for whoever reads only those, or takes exemplars only from them.
//!
//! Source: Prometheus, `metrics.proto` of `client_model`, and "Native Histograms".

use super::family::{Class, Family};
use super::ladder::Ladder;
use super::native::put_native;
use super::pen::{Labelled, Pen, Put};
use super::text::{newest, put_hex};
use crate::exporters::wire::{
    LONG, bytes, fixed64, long_varint, put_bytes, put_count, put_f64, put_message, varint,
};
use crate::metrics::PointRef;
use crate::model::{Exemplar, HistogramValue, MetricValue, Number};

/// Of a family.
const METRIC: u8 = bytes(4);
/// Of a metric.
const GAUGE: u8 = bytes(2);
const COUNTER: u8 = bytes(3);
const UNTYPED: u8 = bytes(5);
const HISTOGRAM: u8 = bytes(7);
/// Of a gauge and of a counter.
const VALUE: u8 = fixed64(1);

/// What stands before a family until its length is known.
pub(super) const FRAME: [u8; LONG] = [0; LONG];

/// Writes the length of a family before it.
pub(super) fn frame(family: &mut [u8]) {
    let (frame, message) = family.split_at_mut(LONG);
    frame.copy_from_slice(&long_varint(message.len()));
}

/// A family with one gauge that is 1.
pub(super) fn put_info(out: &mut Vec<u8>, head: &[u8], labels: &[u8]) {
    let begin = out.len();
    out.extend_from_slice(&FRAME);
    out.extend_from_slice(head);
    put_message::<2>(out, METRIC, |out| {
        out.extend_from_slice(labels);
        put_message::<1>(out, GAUGE, |out| put_f64(out, VALUE, 1.0));
    });
    frame(&mut out[begin..]);
}

/// Writes a series.
pub(super) fn put(mut pen: Pen<'_>, family: &mut Family, point: &PointRef<'_>) -> Put {
    let created = point.start_time_unix_nano.filter(|_| pen.has_created);
    match point.value {
        MetricValue::Number(number) => {
            let key = match family.class {
                Class::Counter => COUNTER,
                Class::Unknown => UNTYPED,
                _ => GAUGE,
            };
            let (value, created) =
                (float(*number, family.class), created.filter(|_| family.class == Class::Counter));
            put_metric::<1>(&mut pen, point, |out, _| {
                put_message::<1>(out, key, |out| {
                    put_f64(out, VALUE, value);
                    created.into_iter().for_each(|created| put_time(out, bytes(3), created));
                });
            })
        }
        MetricValue::Histogram(histogram) => {
            let Some(at) = family.ladder(histogram) else { return Put::NoWay };
            let ladder = &family.ladders[at];
            put_metric::<2>(&mut pen, point, |out, counts| {
                put_message::<2>(out, HISTOGRAM, |out| {
                    put_histogram(out, ladder, histogram, counts);
                    put_native(out, histogram);
                    put_exemplars(out, histogram);
                    created.into_iter().for_each(|at| put_time(out, bytes(15), at));
                });
            })
        }
    }
}

/// A metric with its labels and what stands behind them.
#[inline]
fn put_metric<const LEN: usize>(
    pen: &mut Pen<'_>,
    point: &PointRef<'_>,
    write: impl FnOnce(&mut Vec<u8>, &mut Vec<u64>),
) -> Put {
    let Pen { out, line, labels, plans, counts, .. } = pen;
    let (mut all, mut len, mut by) = (0, 0, None);
    put_message::<LEN>(out, METRIC, |out| {
        let start = out.len();
        by = Some(labels.put(out, line, &point.identity.tags.in_bytes(), point.is_histogram(), plans));
        len = out.len() - start;
        write(out, counts);
        all = out.len() - start;
    });
    let from = out.len() - all;
    by.map_or(Put::NoWay, |by| Put::Done(Labelled { from, to: from + len, by }))
}

/// A sum that only grows does not fall where it becomes a float.
fn float(number: Number, class: Class) -> f64 {
    if class == Class::Counter { number.to_float().as_f64() } else { number.as_f64() }
}

/// Count, sum and buckets with bounds.
fn put_histogram(out: &mut Vec<u8>, ladder: &Ladder, histogram: &HistogramValue, counts: &mut Vec<u64>) {
    const COUNT: u8 = varint(1);
    const SUM: u8 = fixed64(2);
    const BUCKET: u8 = bytes(3);
    const CUMULATIVE_COUNT: u8 = varint(1);
    const UPPER_BOUND: u8 = fixed64(2);
    const EXEMPLAR: u8 = bytes(3);
    ladder.fill(histogram, counts);
    put_count(out, COUNT, counts.last().copied().unwrap_or_default());
    put_f64(out, SUM, histogram.sum);
    let bounds = ladder.bounds().iter().copied().chain([f64::INFINITY]);
    for (place, (bound, count)) in bounds.zip(counts.iter()).enumerate() {
        put_message::<1>(out, BUCKET, |out| {
            put_count(out, CUMULATIVE_COUNT, *count);
            put_f64(out, UPPER_BOUND, bound);
            if let Some(exemplar) = newest(&histogram.exemplars, ladder, place) {
                put_message::<1>(out, EXEMPLAR, |out| put_exemplar(out, exemplar));
            }
        });
    }
}

/// All exemplars again, which newer readers take from here.
fn put_exemplars(out: &mut Vec<u8>, histogram: &HistogramValue) {
    /// The key of field 16 is two bytes.
    const EXEMPLARS: [u8; 2] = [0x82, 0x01];
    if histogram.buckets.bounds().is_some() {
        return;
    }
    for exemplar in histogram.exemplars.iter().filter(|exemplar| exemplar.value.is_finite()) {
        out.push(EXEMPLARS[0]);
        put_message::<1>(out, EXEMPLARS[1], |out| put_exemplar(out, exemplar));
    }
}

fn put_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    const LABEL: u8 = bytes(1);
    const NAME: u8 = bytes(1);
    const TEXT: u8 = bytes(2);
    const TIMESTAMP: u8 = bytes(3);
    const EXEMPLAR_VALUE: u8 = fixed64(2);
    let (trace_id, span_id) = (exemplar.trace_id.get().to_be_bytes(), exemplar.span_id.get().to_be_bytes());
    for (name, id) in [("trace_id", &trace_id[..]), ("span_id", &span_id)] {
        put_message::<1>(out, LABEL, |out| {
            put_bytes(out, NAME, name.as_bytes());
            put_message::<1>(out, TEXT, |out| put_hex(out, id));
        });
    }
    put_f64(out, EXEMPLAR_VALUE, exemplar.value);
    put_time(out, TIMESTAMP, exemplar.time_unix_nano);
}

/// A `google.protobuf.Timestamp`.
fn put_time(out: &mut Vec<u8>, key: u8, unix_nanos: u64) {
    const NANOS: u64 = 1_000_000_000;
    put_message::<1>(out, key, |out| {
        put_count(out, varint(1), unix_nanos / NANOS);
        put_count(out, varint(2), unix_nanos % NANOS);
    });
}
