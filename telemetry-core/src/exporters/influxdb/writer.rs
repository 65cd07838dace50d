//! A batch as lines, one for each item.

use super::form::{Histograms, Precision};
use super::items::{Times, put_event, put_span};
use super::points::Pen;
use crate::exporters::lines::put_items;
use crate::exporters::protocol::Encoded;
use crate::exporters::{Batch, Signal};

/// Writes batches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Writer {
    /// How exact times are.
    pub precision: Precision,
    /// How histograms are told.
    pub histograms: Histograms,
}

impl Writer {
    /// Adds the lines of as many of the first items as fit into so many bytes, but of one at least.
    pub fn write(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Encoded {
        let mut times = Times::default();
        match batch.signal() {
            Signal::Metrics => {
                let mut pen = Pen::new(self.precision, self.histograms);
                put_items(body, batch.metrics(), max_bytes, |out, point| pen.put(out, point))
            }
            Signal::Spans => put_items(body, batch.spans(), max_bytes, |out, span| {
                put_span(out, &span, batch.resource(), &mut times)
            }),
            Signal::Events => put_items(body, batch.events(), max_bytes, |out, event| {
                put_event(out, &event, batch.resource(), &mut times)
            }),
        }
    }
}
