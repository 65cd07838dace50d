//! An exporter of the shop's own: it keeps the trace of the slowest request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use telemetry_layer::model::{Span, TraceId};
use telemetry_layer::{Batch, Delivery, ExportError, Exporter, Signal};

/// The spans of the slowest trace so far.
#[derive(Default)]
pub(crate) struct Slowest(Mutex<Vec<Span>>);

impl Slowest {
    pub(crate) fn exporter(self: &Arc<Self>) -> KeepSlowest {
        KeepSlowest { slowest: Arc::clone(self), open: HashMap::new(), ended: Vec::new() }
    }

    /// The root first.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(crate) struct KeepSlowest {
    slowest: Arc<Slowest>,
    open: HashMap<TraceId, Vec<Span>>,
    /// Roots of the batch before: by now the last of their children have come.
    ended: Vec<Span>,
}

/// Traces whose root does not come are forgotten beyond that many.
const MOST_OPEN: usize = 10_000;

impl KeepSlowest {
    fn judge(&mut self) {
        for root in std::mem::take(&mut self.ended) {
            let children = self.open.remove(&root.trace_id).unwrap_or_default();
            let mut slowest = self.slowest.0.lock().unwrap_or_else(PoisonError::into_inner);
            if slowest.first().is_none_or(|s| s.duration_nano < root.duration_nano) {
                *slowest = std::iter::once(root).chain(children).collect();
            }
        }
    }
}

impl Exporter for KeepSlowest {
    fn name(&self) -> &str {
        "slowest"
    }

    fn wants(&self, signal: Signal) -> bool {
        signal == Signal::Spans
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        let before = std::mem::take(&mut self.ended);
        for span in batch.spans() {
            match span.parent_span_id() {
                None => self.ended.push(span.to_span()),
                Some(_) if self.open.len() >= MOST_OPEN && !self.open.contains_key(&span.trace_id()) => {}
                Some(_) => self.open.entry(span.trace_id()).or_default().push(span.to_span()),
            }
        }
        let now = std::mem::replace(&mut self.ended, before);
        self.judge();
        self.ended = now;
        Ok(Delivery::all())
    }

    fn shutdown(&mut self) {
        self.judge();
    }
}
