//! From a batch to the body of a request.

use std::cell::RefCell;

use super::call_sites::CallSites;
use super::events::put_events;
use super::metrics::put_metrics;
use super::pad::Pad;
use super::scopes::Scopes;
use super::spans::put_spans;
use crate::exporters::{Batch, Signal};

/// Writes batches as `ExportTraceServiceRequest`, `ExportLogsServiceRequest` and `ExportMetricsServiceRequest`.
///
/// An exporter keeps it: it remembers what is constant of the call sites that it met. It takes at most 16 MiB of memory
/// between requests.
#[derive(Debug, Default)]
pub struct Writer(
    /// Nothing in here calls anybody, so nobody finds it borrowed.
    RefCell<Memory>,
);

/// What is kept from one request to the next.
#[derive(Debug, Default)]
struct Memory {
    scopes: Scopes,
    spans: CallSites,
    events: CallSites,
    pad: Pad,
}

impl Writer {
    const MAX_MEMORY: usize = 16 << 20;

    /// Without memories.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to `body` the request for as many of the first items of a batch as fit into so many bytes, and says how many
    /// these are. The first item is always among them, however large it is; of an empty batch nothing is written.
    pub fn write(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> usize {
        let mut memory = self.0.borrow_mut();
        let Memory { scopes, spans, events, pad } = &mut *memory;
        scopes.begin(batch.resource(), max_bytes, body);
        let items = match batch.signal() {
            Signal::Spans => put_spans(batch, spans, scopes, pad),
            Signal::Events => put_events(batch, events, scopes),
            Signal::Metrics => put_metrics(batch, scopes),
        };
        scopes.end(body);
        if memory.bytes() > Self::MAX_MEMORY {
            // What is needed again is soon there again.
            *memory = Memory::default();
        }
        items
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.borrow().bytes()
    }
}

impl Memory {
    fn bytes(&self) -> usize {
        self.scopes.bytes() + self.spans.bytes() + self.events.bytes()
    }
}
