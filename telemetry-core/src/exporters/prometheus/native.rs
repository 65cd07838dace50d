//! Native histograms: exponential buckets as they are. OpenTelemetry's scale is Prometheus' schema; an index there is one more,
//! as buckets are named by their upper bounds.
//!
//! Source: Prometheus, "Native Histograms"; OpenTelemetry, "Prometheus and OpenMetrics Compatibility", "Exponential
//! Histograms".

use std::borrow::Cow;

use crate::exporters::wire::{bytes, fixed64, put_count, put_f64, put_message, put_varint, varint};
use crate::model::{Buckets, HistogramValue};

/// The scales that Prometheus has.
const COARSEST: i32 = -4;
const FINEST: i32 = 8;

/// What has no more than this counts as 0, where nobody says anything else.
const ZERO_THRESHOLD: f64 = 1e-128;

/// So many empty buckets between others take less than a new span.
const MOST_EMPTY: i64 = 2;

/// Adds what makes a native histogram, if it can be one.
pub(super) fn put_native(out: &mut Vec<u8>, histogram: &HistogramValue) {
    const SCHEMA: u8 = varint(5);
    const THRESHOLD: u8 = fixed64(6);
    const ZEROS: u8 = varint(7);
    let mut buckets = Cow::Borrowed(&histogram.buckets);
    match (&*buckets, histogram.octaves.as_deref()) {
        (Buckets::Exponential { scale, .. }, _) if *scale > FINEST => buckets.to_mut().coarsen(FINEST),
        (Buckets::Exponential { scale, .. }, Some(octaves)) if *scale < COARSEST => {
            buckets = Cow::Owned(octaves.clone());
            buckets.to_mut().coarsen(COARSEST);
        }
        _ => {}
    }
    let Buckets::Exponential { scale, zero_count, positive, negative } = &*buckets else { return };
    let are_sorted = [positive, negative].iter().all(|of| of.is_sorted_by(|a, b| a.0 < b.0));
    if *scale < COARSEST || !are_sorted {
        return;
    }
    let first = positive.iter().chain(negative).map(|(index, _)| *index).min();
    let zero_index = zero_index(*scale);
    let has_tiny = first.is_some_and(|first| first <= zero_index);
    let tiny = |buckets: &[(i32, u64)]| {
        let tiny = buckets.iter().take_while(|(index, _)| has_tiny && *index <= zero_index);
        (tiny.clone().count(), tiny.map(|(_, n)| *n).fold(0, u64::saturating_add))
    };
    let ((skipped, zeros), (skipped_below, zeros_below)) = (tiny(positive), tiny(negative));
    let zeros = zero_count.saturating_add(zeros).saturating_add(zeros_below);
    out.push(SCHEMA);
    put_varint(out, zigzag((*scale).into()));
    put_f64(out, THRESHOLD, ZERO_THRESHOLD);
    put_count(out, ZEROS, zeros);
    put_buckets(out, [bytes(9), bytes(10)], &negative[skipped_below..]);
    put_buckets(out, [bytes(12), bytes(13)], &positive[skipped..]);
}

/// The last bucket at that scale that is all within the threshold.
fn zero_index(scale: i32) -> i32 {
    // 2^-425 is just below 1e-128, and a bound at every scale from 0 up; below there are those that it is a multiple of.
    const OCTAVES: i32 = -425;
    if scale >= 0 { (OCTAVES << scale) - 1 } else { (OCTAVES >> -scale) - 1 }
}

/// Spans of neighbours and how each count differs from the one before. Buckets are sorted, each index once.
fn put_buckets(out: &mut Vec<u8>, [spans, deltas]: [u8; 2], buckets: &[(i32, u64)]) {
    const OFFSET: u8 = varint(1);
    const LENGTH: u8 = varint(2);
    if buckets.is_empty() {
        return;
    }
    let is_near =
        |a: &(i32, u64), b: &(i32, u64)| (1..=MOST_EMPTY + 1).contains(&(i64::from(b.0) - i64::from(a.0)));
    let mut next = 0;
    for span in buckets.chunk_by(is_near) {
        let (first, last) = (i64::from(span[0].0), i64::from(span[span.len() - 1].0));
        put_message::<1>(out, spans, |out| {
            put_count(out, OFFSET, zigzag(first + 1 - next));
            put_count(out, LENGTH, (last + 1 - first) as u64);
        });
        next = last + 2;
    }
    put_message::<2>(out, deltas, |out| {
        let mut before = 0_u64;
        let mut put = |count: u64| {
            put_varint(out, zigzag(count.wrapping_sub(before).cast_signed()));
            before = count;
        };
        for span in buckets.chunk_by(is_near) {
            let mut next = span[0].0;
            for &(index, count) in span {
                (next..index).for_each(|_| put(0));
                put(count);
                next = index + 1;
            }
        }
    });
}

/// Whole numbers of both signs, so that those near to 0 are short.
fn zigzag(n: i64) -> u64 {
    (n << 1 ^ n >> 63).cast_unsigned()
}
