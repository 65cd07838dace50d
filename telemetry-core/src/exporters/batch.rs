//! What an exporter is given: items of one signal.
//!
//! A batch is a view of records that other batches may see too: cloning, merging and splitting copy no record.

use std::sync::Arc;

use super::item::{EventRef, SpanRef};
use super::signal::Signal;
use crate::clock::Anchors;
use crate::metrics::{MetricRef, Snapshot};
use crate::model::Resource;
use crate::model::record::{Chunk, Mark};

/// Some items of one signal on their way out. How it keeps them is its own business: exporters walk
/// [`spans`](Self::spans), [`events`](Self::events) and [`metrics`](Self::metrics), two of which are empty.
#[derive(Clone, Debug)]
pub struct Batch {
    signal: Signal,
    resource: Arc<Resource>,
    parts: Vec<Part>,
    items: usize,
    bytes: usize,
}

/// Records that stand one behind the other.
#[derive(Clone, Debug)]
struct Part {
    records: Arc<Records>,
    /// The first one: of spans and events where it stands, of metrics which it is.
    from: Mark,
    first: usize,
    items: usize,
}

#[derive(Debug)]
enum Records {
    Spans(Chunk, Arc<Anchors>),
    Events(Chunk, Arc<Anchors>),
    Metrics(Snapshot),
}

impl Batch {
    pub(crate) fn of_spans(chunk: Chunk, resource: Arc<Resource>, anchors: Arc<Anchors>) -> Self {
        let (items, bytes) = (chunk.len(), chunk.capacity());
        Self::new(Signal::Spans, resource, Records::Spans(chunk, anchors), items, bytes)
    }

    pub(crate) fn of_events(chunk: Chunk, resource: Arc<Resource>, anchors: Arc<Anchors>) -> Self {
        let (items, bytes) = (chunk.len(), chunk.capacity());
        Self::new(Signal::Events, resource, Records::Events(chunk, anchors), items, bytes)
    }

    pub(crate) fn of_metrics(snapshot: Snapshot, resource: Arc<Resource>) -> Self {
        let (items, bytes) = (snapshot.len(), snapshot.bytes());
        Self::new(Signal::Metrics, resource, Records::Metrics(snapshot), items, bytes)
    }

    fn new(signal: Signal, resource: Arc<Resource>, records: Records, items: usize, bytes: usize) -> Self {
        let part = Part { records: Arc::new(records), from: Mark::default(), first: 0, items };
        Self {
            signal,
            resource,
            parts: vec![part],
            items,
            bytes: bytes + size_of::<Self>() + size_of::<Part>(),
        }
    }

    /// What it holds.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.items
    }

    /// Whether there are none; an exporter never sees such a batch.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// The global tags.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Its spans, in the order they ended on each thread.
    pub fn spans(&self) -> impl Iterator<Item = SpanRef<'_>> {
        self.parts.iter().flat_map(|part| {
            let of = if let Records::Spans(chunk, anchors) = &*part.records {
                Some((chunk, anchors))
            } else {
                None
            };
            of.into_iter().flat_map(|(chunk, anchors)| {
                chunk.spans_from(part.from, part.items).map(move |record| SpanRef { record, anchors })
            })
        })
    }

    /// Its events, in the order they happened on each thread.
    pub fn events(&self) -> impl Iterator<Item = EventRef<'_>> {
        self.parts.iter().flat_map(|part| {
            let of = if let Records::Events(chunk, anchors) = &*part.records {
                Some((chunk, anchors))
            } else {
                None
            };
            of.into_iter().flat_map(|(chunk, anchors)| {
                chunk.events_from(part.from, part.items).map(move |record| EventRef { record, anchors })
            })
        })
    }

    /// Its data points, sorted by name and tags.
    pub fn metrics(&self) -> impl Iterator<Item = MetricRef<'_>> {
        self.parts.iter().flat_map(|part| {
            let snapshot =
                if let Records::Metrics(snapshot) = &*part.records { Some(snapshot) } else { None };
            snapshot.into_iter().flat_map(Snapshot::iter).skip(part.first).take(part.items)
        })
    }

    /// Bytes that it keeps from other use, for queues that are bounded by them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
