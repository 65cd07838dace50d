//! What waits for one exporter: a lane for each signal, bounded in batches and in bytes.
//!
//! The dispatcher is the only one to put batches in, and does so holding the books; the exporter's worker
//! takes them out. A full lane loses its oldest batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::books::{Outcome, State};
use super::ledger::Reason;
use crate::exporters::{Batch, Signal};

/// The dispatcher's end.
#[derive(Debug)]
pub(crate) struct Lane {
    signal: Signal,
    sender: Sender<Arc<Batch>>,
    /// To take the oldest out of a full lane.
    receiver: Receiver<Arc<Batch>>,
    bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// The worker's end.
#[derive(Debug)]
pub(crate) struct LaneOut {
    pub(crate) receiver: Receiver<Arc<Batch>>,
    bytes: Arc<AtomicUsize>,
}

const MAX_BATCHES: usize = 1024;

impl Lane {
    pub(crate) fn new(signal: Signal, max_bytes: usize) -> (Self, LaneOut) {
        let (sender, receiver) = bounded(MAX_BATCHES);
        let bytes = Arc::new(AtomicUsize::new(0));
        let out = LaneOut { receiver: receiver.clone(), bytes: Arc::clone(&bytes) };
        (Self { signal, sender, receiver, bytes, max_bytes }, out)
    }

    /// Whether a batch fits without another one having to go.
    pub(crate) fn has_room(&self, batch: &Batch) -> bool {
        self.receiver.is_empty()
            || self.bytes.load(Relaxed) + batch.bytes() <= self.max_bytes && !self.sender.is_full()
    }

    /// Puts a batch in, which is booked as accepted already. What must go for it is booked as dropped, and handed
    /// back.
    pub(crate) fn push(&self, exporter: usize, batch: &Arc<Batch>, state: &mut State) -> Vec<Arc<Batch>> {
        let size = batch.bytes();
        let mut dropped = Vec::new();
        while self.bytes.load(Relaxed) + size > self.max_bytes {
            let Some(oldest) = self.drop_oldest(exporter, state) else { break };
            dropped.push(oldest);
        }
        dropped.extend(self.send(exporter, batch, state));
        dropped
    }

    /// Puts the last batch in, whatever its size: what waits will not become more.
    pub(crate) fn push_over(&self, exporter: usize, batch: &Arc<Batch>, state: &mut State) {
        drop(self.send(exporter, batch, state));
    }

    /// What had to go because too many batches wait.
    fn send(&self, exporter: usize, batch: &Arc<Batch>, state: &mut State) -> Vec<Arc<Batch>> {
        self.bytes.fetch_add(batch.bytes(), Relaxed);
        let mut dropped = Vec::new();
        let mut next = Arc::clone(batch);
        loop {
            match self.sender.try_send(next) {
                Ok(()) => return dropped,
                // It is never disconnected: this end holds a receiver too.
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => {
                    next = back;
                    dropped.extend(self.drop_oldest(exporter, state));
                }
            }
        }
    }

    fn drop_oldest(&self, exporter: usize, state: &mut State) -> Option<Arc<Batch>> {
        let oldest = self.receiver.try_recv().ok()?;
        self.bytes.fetch_sub(oldest.bytes(), Relaxed);
        state.settle(exporter, self.signal, oldest.len() as u64, Outcome::Dropped(Reason::QueueFull));
        Some(oldest)
    }
}

impl LaneOut {
    /// To be called for each batch that was received.
    pub(crate) fn taken(&self, batch: &Batch) {
        self.bytes.fetch_sub(batch.bytes(), Relaxed);
    }
}
