//! Pages in text: the format 0.0.4, and OpenMetrics 1.0.0, which has exemplars and says since when it counts.
//!
//! Source: Prometheus, "Text-based format"; OpenMetrics 1.0.0.

use super::family::{Class, Family, Start};
use super::ladder::Ladder;
use super::pen::{Labelled, Pen, Put};
use crate::exporters::digits::{put_float, put_number, put_time, put_whole, with_digits};
use crate::metrics::PointRef;
use crate::model::{Exemplar, HistogramValue, MetricValue, Number};

/// The end of each page of OpenMetrics.
pub(super) const EOF: &[u8] = b"# EOF\n";

/// What OpenMetrics allows the labels of an exemplar to have. Ours have fewer.
const MOST_OF_EXEMPLAR: usize = 128;
const _: () = assert!("trace_id".len() + 32 + "span_id".len() + 16 <= MOST_OF_EXEMPLAR);

/// Writes a series.
pub(super) fn put(mut pen: Pen<'_>, family: &mut Family, point: &PointRef<'_>, is_open_metrics: bool) -> Put {
    let labels = match point.value {
        MetricValue::Number(number) => {
            if is_open_metrics && family.class == Class::Counter && !is_sum(number.as_f64()) {
                return Put::NotThere;
            }
            put_line(&mut pen, &family.starts.value, point, *number).unwrap_or_else(|| {
                let labels = begin(&mut pen, &family.starts.value, point);
                put_number(pen.out, *number);
                pen.out.push(b'\n');
                labels
            })
        }
        MetricValue::Histogram(histogram) => {
            let Some(at) = family.ladder(histogram) else { return Put::NoWay };
            put_histogram(&mut pen, family, &family.ladders[at], point, histogram, is_open_metrics)
        }
    };
    if is_open_metrics
        && pen.has_created
        && matches!(family.class, Class::Counter | Class::Histogram)
        && let Some(created) = point.start_time_unix_nano
    {
        begin_again(pen.out, &family.starts.created, labels);
        put_time(pen.out, created);
        pen.out.push(b'\n');
    }
    Put::Done(labels)
}

/// A number with its labels, where all of them are short.
#[inline]
fn put_line(pen: &mut Pen<'_>, start: &Start, point: &PointRef<'_>, number: Number) -> Option<Labelled> {
    let Pen { out, line, labels, plans, .. } = pen;
    line.clear();
    line.put(&start.open)?;
    let from = line.len();
    let by = labels.put_in_line(line, point.identity.tags.in_bytes(), false, plans)?;
    let to = line.len();
    if from == to {
        return None;
    }
    line.put(b"} ")?;
    with_digits(number, |digits| line.put(digits))?;
    line.put(b"\n")?;
    let begin = out.len();
    out.extend_from_slice(line.bytes());
    Some(Labelled { from: begin + from, to: begin + to, by })
}

/// What stands before the first value of a series.
#[inline]
fn begin(pen: &mut Pen<'_>, start: &Start, point: &PointRef<'_>) -> Labelled {
    let from = pen.out.len();
    pen.out.extend_from_slice(&start.open);
    let labels = pen.put_labels(point);
    if labels.from == labels.to {
        pen.out.truncate(from);
        pen.out.extend_from_slice(&start.whole);
        return Labelled { from, to: from, ..labels };
    }
    pen.out.extend_from_slice(b"} ");
    labels
}

/// What stands before another one.
#[inline]
fn begin_again(out: &mut Vec<u8>, start: &Start, labels: Labelled) {
    if labels.from == labels.to {
        return out.extend_from_slice(&start.whole);
    }
    out.extend_from_slice(&start.open);
    out.extend_from_within(labels.from..labels.to);
    out.extend_from_slice(b"} ");
}

fn put_histogram(
    pen: &mut Pen<'_>,
    family: &Family,
    ladder: &Ladder,
    point: &PointRef<'_>,
    histogram: &HistogramValue,
    is_open_metrics: bool,
) -> Labelled {
    let exemplars = if is_open_metrics { &histogram.exemplars[..] } else { &[] };
    ladder.fill(histogram, pen.counts);
    pen.out.extend_from_slice(&family.starts.bucket.open);
    let labels = pen.put_labels(point);
    let Pen { out, counts, .. } = pen;
    for (place, (count, tail)) in counts.iter().zip(&ladder.tails).enumerate() {
        if place > 0 {
            out.extend_from_slice(&family.starts.bucket.open);
            out.extend_from_within(labels.from..labels.to);
        }
        if labels.from < labels.to {
            out.push(b',');
        }
        out.extend_from_slice(tail);
        put_whole(out, *count);
        if let Some(exemplar) = newest(exemplars, ladder, place) {
            put_exemplar(out, exemplar);
        }
        out.push(b'\n');
    }
    // A sum that may fall is none that OpenMetrics takes, and without it there is no count either.
    let may_fall = ladder.is_negative() || histogram.min.is_some_and(|x| x < 0.0);
    if is_open_metrics && (may_fall || !is_sum(histogram.sum)) {
        return labels;
    }
    begin_again(out, &family.starts.sum, labels);
    put_float(out, histogram.sum);
    out.push(b'\n');
    begin_again(out, &family.starts.count, labels);
    put_whole(out, counts.last().copied().unwrap_or_default());
    out.push(b'\n');
    labels
}

/// Whether it can be a sum that only grows.
fn is_sum(x: f64) -> bool {
    x >= 0.0
}

/// The newest one in that bucket; they are sorted by time.
pub(super) fn newest<'a>(exemplars: &'a [Exemplar], ladder: &Ladder, place: usize) -> Option<&'a Exemplar> {
    exemplars.iter().rev().find(|it| it.value.is_finite() && ladder.place(it.value) == place)
}

fn put_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    out.extend_from_slice(b" # {trace_id=\"");
    put_hex(out, &exemplar.trace_id.get().to_be_bytes());
    out.extend_from_slice(b"\",span_id=\"");
    put_hex(out, &exemplar.span_id.get().to_be_bytes());
    out.extend_from_slice(b"\"} ");
    put_float(out, exemplar.value);
    out.push(b' ');
    put_time(out, exemplar.time_unix_nano);
}

pub(super) fn put_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(
        bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
    );
}
