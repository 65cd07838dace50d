//! Pages in text: the format 0.0.4, and OpenMetrics 1.0.0, which has exemplars and says since when it counts.
//!
//! Source: Prometheus, "Text-based format"; OpenMetrics 1.0.0.

use super::family::{Class, Family, Start};
use super::form::Dialect;
use super::ladder::Ladder;
use super::sheet::{Row, Shape, Sheet};
use crate::exporters::digits::{put_float, put_number, put_time, put_whole};
use crate::model::{Exemplar, HistogramValue, Metric};

/// The end of each page of OpenMetrics.
pub(super) const EOF: &[u8] = b"# EOF\n";

/// What OpenMetrics allows the labels of an exemplar to have. Ours have fewer.
const MOST_OF_EXEMPLAR: usize = 128;
const _: () = assert!("trace_id".len() + 32 + "span_id".len() + 16 <= MOST_OF_EXEMPLAR);

/// Writes the page, at most so many bytes of it, and says how many series there was no room for or no way to write.
pub(super) fn render(sheet: &Sheet, metrics: &[Metric], max_bytes: usize, out: &mut Vec<u8>) -> u64 {
    let mut page = Page { sheet, out, counts: Vec::new() };
    let mut left_out = 0;
    page.out.extend_from_slice(&sheet.target);
    for family in &sheet.families {
        let begin = page.out.len();
        page.out.extend_from_slice(&family.head);
        let head = page.out.len();
        for row in &sheet.rows[family.rows.clone()] {
            let before = page.out.len();
            let is_written = page.out.len() < max_bytes && page.put(family, row, &metrics[row.at as usize]);
            if !is_written || page.out.len() > max_bytes {
                page.out.truncate(before);
                left_out += 1;
            }
        }
        if page.out.len() == head {
            page.out.truncate(begin);
        }
    }
    if sheet.dialect == Dialect::OpenMetrics {
        page.out.extend_from_slice(EOF);
    }
    left_out
}

struct Page<'a> {
    sheet: &'a Sheet,
    out: &'a mut Vec<u8>,
    counts: Vec<u64>,
}

impl Page<'_> {
    /// A series; what OpenMetrics has no way to write is not written.
    fn put(&mut self, family: &Family, row: &Row, metric: &Metric) -> bool {
        let labels = row.labels(&self.sheet.labels);
        let is_open_metrics = self.sheet.dialect == Dialect::OpenMetrics;
        let created = metric.start_time_unix_nano.filter(|_| is_open_metrics && self.sheet.has_created);
        if let (Shape::Histogram(at), Some(histogram)) = (row.shape, metric.histogram()) {
            self.put_histogram(family, &family.ladders[usize::from(at)], labels, histogram);
        } else {
            let number = metric.number();
            if is_open_metrics && family.class == Class::Counter && !is_sum(number.as_f64()) {
                return false;
            }
            self.begin(&family.starts.value, labels);
            put_number(self.out, number);
            self.out.push(b'\n');
        }
        if let Some(created) = created
            && matches!(family.class, Class::Counter | Class::Histogram)
        {
            self.begin(&family.starts.created, labels);
            put_time(self.out, created);
            self.out.push(b'\n');
        }
        true
    }

    #[inline]
    fn begin(&mut self, start: &Start, labels: &[u8]) {
        if labels.is_empty() {
            return self.out.extend_from_slice(&start.whole);
        }
        self.out.extend_from_slice(&start.open);
        self.out.extend_from_slice(labels);
        self.out.extend_from_slice(b"} ");
    }

    fn put_histogram(&mut self, family: &Family, ladder: &Ladder, labels: &[u8], histogram: &HistogramValue) {
        let is_open_metrics = self.sheet.dialect == Dialect::OpenMetrics;
        let exemplars = if is_open_metrics { &histogram.exemplars[..] } else { &[] };
        ladder.fill(histogram, &mut self.counts);
        for (place, (count, tail)) in self.counts.iter().zip(&ladder.tails).enumerate() {
            self.out.extend_from_slice(&family.starts.bucket.open);
            self.out.extend_from_slice(labels);
            if !labels.is_empty() {
                self.out.push(b',');
            }
            self.out.extend_from_slice(tail);
            put_whole(self.out, *count);
            if let Some(exemplar) = newest(exemplars, ladder, place) {
                put_exemplar(self.out, exemplar);
            }
            self.out.push(b'\n');
        }
        // A sum that may fall is none that OpenMetrics takes, and without it there is no count either.
        let may_fall = ladder.is_negative() || histogram.min.is_some_and(|x| x < 0.0);
        if is_open_metrics && (may_fall || !is_sum(histogram.sum)) {
            return;
        }
        self.begin(&family.starts.sum, labels);
        put_float(self.out, histogram.sum);
        self.out.push(b'\n');
        self.begin(&family.starts.count, labels);
        put_whole(self.out, self.counts.last().copied().unwrap_or_default());
        self.out.push(b'\n');
    }
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
