//! What is made of a batch on its way over a network: bytes, and one attempt to send them.
//!
//! An exporter that anybody writes is an [`Exporter`](super::Exporter), which blocks. Those of this crate that speak to a
//! network are protocols: several of their requests may be out at once, and one that hangs is let go of.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use super::batch::Batch;
use super::error::{Delivery, ExportError};
use super::limits::Limits;
use super::signal::Signal;
use crate::model::{Kind, Temporality};

/// One attempt.
pub type Sending<'a, T = Delivery> = Pin<Box<dyn Future<Output = Result<T, ExportError>> + 'a>>;

/// What was made of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// So many of the first items are done with.
    pub items: usize,
    /// So many of these the protocol can't say: nothing of them was written, and they count as rejected.
    pub rejected: usize,
    /// Why, of the first of them.
    pub reason: Cow<'static, str>,
}

impl From<usize> for Encoded {
    /// All of these were written.
    fn from(items: usize) -> Self {
        Self { items, ..Self::default() }
    }
}

impl Encoded {
    /// One more is done with, but nothing of it was written.
    pub fn reject(&mut self, reason: impl Into<Cow<'static, str>>) {
        if self.rejected == 0 {
            self.reason = reason.into();
        }
        self.items += 1;
        self.rejected += 1;
    }
}

/// A protocol: encoding, which is pure, and sending, which is one attempt.
pub trait Protocol: Send + 'static {
    /// What the ledger and messages call it.
    fn name(&self) -> &str;

    /// How its bodies are written: one that an earlier process stored is sent only where this has not changed.
    fn format(&self) -> &str {
        self.name()
    }

    /// What its receivers take.
    fn limits(&self) -> Limits;

    /// Whether it can send that signal; others are counted as filtered.
    fn wants(&self, signal: Signal) -> bool {
        let _ = signal;
        true
    }

    /// Whether it is given sums of that kind since the start, or since the last batch.
    fn temporality(&self, kind: Kind) -> Temporality {
        let _ = kind;
        Temporality::Cumulative
    }

    /// Writes as many of the first items as fit into so many bytes, but one at least, and says how many these are, with those
    /// that it left out. Where it left out all of them, nothing is sent. No input or output happens here, and no clock is read.
    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError>;

    /// One attempt.
    fn send(&self, signal: Signal, body: Bytes) -> Sending<'_>;

    /// Looks once, when the collector starts, whether the receiver can be reached.
    fn check(&self) -> Sending<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
