//! The spans that are open, kept by this layer itself and found by the id that the Registry gave them.
//!
//! No code of the user runs while a shard is locked: fields are visited before.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use telemetry_core::clock::Tick;
use telemetry_core::model::record::FieldBuf;
use telemetry_core::model::{SpanContext, SpanId, SpanKind};
use tracing::Metadata;

use crate::visit::Code;

/// A span between its start and its end.
#[derive(Debug)]
pub(crate) struct OpenSpan {
    pub(crate) context: SpanContext,
    pub(crate) parent: Option<SpanId>,
    pub(crate) site: &'static Metadata<'static>,
    pub(crate) start: Tick,
    pub(crate) name: Option<String>,
    pub(crate) kind: SpanKind,
    pub(crate) code: Option<Code>,
    /// Of the error, if it becomes one.
    pub(crate) description: Option<String>,
    pub(crate) fields: FieldBuf,
}

#[derive(Debug)]
pub(crate) struct OpenSpans {
    shards: [Shard; SHARDS],
}

type Shard = Mutex<HashMap<u64, OpenSpan, BuildHasherDefault<Spread>>>;

const SHARDS: usize = 64;

impl OpenSpans {
    pub(crate) fn new() -> Self {
        Self { shards: [const { Mutex::new(HashMap::with_hasher(BuildHasherDefault::new())) }; SHARDS] }
    }

    pub(crate) fn insert(&self, id: u64, span: OpenSpan) {
        self.shard(id).insert(id, span);
    }

    pub(crate) fn remove(&self, id: u64) -> Option<OpenSpan> {
        self.shard(id).remove(&id)
    }

    pub(crate) fn context(&self, id: u64) -> Option<SpanContext> {
        self.with(id, |span| span.context)
    }

    pub(crate) fn with<R>(&self, id: u64, f: impl FnOnce(&mut OpenSpan) -> R) -> Option<R> {
        self.shard(id).get_mut(&id).map(f)
    }

    /// The Registry puts the number of the creating thread above bit 38: threads meet seldom. Any shard would
    /// be right.
    fn shard(&self, id: u64) -> MutexGuard<'_, HashMap<u64, OpenSpan, BuildHasherDefault<Spread>>> {
        let thread = (id.wrapping_sub(1) >> 38) as usize;
        self.shards[thread % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Spreads an id that is a number already.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.write_u64(u64::from(*b)));
    }

    fn write_u64(&mut self, id: u64) {
        let wide = (self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = wide ^ (wide >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
