//! What an exporter is given: items of one signal.
//!
//! A batch is a view of records that other batches may see too: cloning, merging and splitting copy no record.

use std::sync::Arc;

use super::item::{EventRef, SpanRef};
use super::recycler::{Origin, Recycler};
use super::signal::Signal;
use crate::clock::Anchors;
use crate::metrics::{MetricRef, Snapshot};
use crate::model::record::{Chunk, Mark, RawSpan};
use crate::model::{Metric, Resource};

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

/// One of its items.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    Span(SpanRef<'a>),
    Event(EventRef<'a>),
    Metric(MetricRef<'a>),
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

impl Part {
    /// The parts of it that are to be kept.
    fn runs(&self, keeps: &mut impl FnMut(Item<'_>) -> bool) -> Vec<Self> {
        let keeps: Vec<bool> = match &*self.records {
            Records::Spans(chunk, anchors, _) => {
                let spans = chunk.spans_from(self.from, self.items);
                spans.map(|record| keeps(Item::Span(SpanRef { record, anchors }))).collect()
            }
            Records::Events(chunk, anchors, _) => {
                let events = chunk.events_from(self.from, self.items);
                events.map(|record| keeps(Item::Event(EventRef { record, anchors }))).collect()
            }
            Records::Metrics(snapshot) => {
                let metrics = snapshot.iter().skip(self.first).take(self.items);
                metrics.map(|metric| keeps(Item::Metric(metric))).collect()
            }
        };
        let (mut rest, mut runs) = (self.clone(), Vec::new());
        for same in keeps.chunk_by(|a, b| a == b) {
            let run = rest.take_first(same.len());
            if same[0] {
                runs.push(run);
            }
        }
        runs
    }

    /// The same records by themselves, and what they weigh.
    fn copied(&self, runs: &[Self]) -> (Vec<Self>, usize) {
        let copy = |of: &Chunk| {
            let mut chunk = Chunk::default();
            runs.iter().for_each(|run| chunk.copy(of, run.from, run.items));
            chunk
        };
        let items = runs.iter().map(|run| run.items).sum();
        let (records, bytes) = match &*self.records {
            Records::Spans(chunk, anchors, _) => {
                let chunk = copy(chunk);
                let bytes = chunk.capacity();
                (Records::Spans(chunk, Arc::clone(anchors), Origin::default()), bytes)
            }
            Records::Events(chunk, anchors, _) => {
                let chunk = copy(chunk);
                let bytes = chunk.capacity();
                (Records::Events(chunk, Arc::clone(anchors), Origin::default()), bytes)
            }
            Records::Metrics(snapshot) => {
                let of = |run: &Self| snapshot.metrics()[run.first..run.first + run.items].to_vec();
                let metrics: Vec<Metric> = runs.iter().flat_map(of).collect();
                let snapshot = snapshot.with(metrics);
                let bytes = snapshot.bytes();
                (Records::Metrics(snapshot), bytes)
            }
        };
        (vec![Self { records: Arc::new(records), from: Mark::default(), first: 0, items }], bytes)
    }

    fn take_first(&mut self, items: usize) -> Self {
        let first = Self { items, ..self.clone() };
        self.from = match &*self.records {
            Records::Spans(chunk, ..) | Records::Events(chunk, ..) => chunk.skip(self.from, items),
            Records::Metrics(_) => self.from,
        };
        self.first += items;
        self.items -= items;
        first
    }
}

#[derive(Debug)]
enum Records {
    Spans(Chunk, Arc<Anchors>, Origin),
    Events(Chunk, Arc<Anchors>, Origin),
    Metrics(Snapshot),
}

impl Drop for Records {
    fn drop(&mut self) {
        if let Self::Spans(chunk, _, origin) | Self::Events(chunk, _, origin) = self {
            origin.take_back(std::mem::take(chunk));
        }
    }
}

impl Batch {
    /// Spans or events, whose memory goes back to that recycler in the end.
    pub(crate) fn of_records(
        signal: Signal,
        chunk: Chunk,
        recycler: &Recycler,
        resource: Arc<Resource>,
        anchors: Arc<Anchors>,
    ) -> Self {
        let (items, bytes, origin) = (chunk.len(), chunk.capacity(), recycler.origin());
        let records = match signal {
            Signal::Events => Records::Events(chunk, anchors, origin),
            _ => Records::Spans(chunk, anchors, origin),
        };
        Self::new(signal, resource, records, items, bytes)
    }

    #[cfg(test)]
    pub(crate) fn of_spans(chunk: Chunk, resource: Arc<Resource>, anchors: Arc<Anchors>) -> Self {
        Self::of_records(Signal::Spans, chunk, &Recycler::default(), resource, anchors)
    }

    #[cfg(test)]
    pub(crate) fn of_events(chunk: Chunk, resource: Arc<Resource>, anchors: Arc<Anchors>) -> Self {
        Self::of_records(Signal::Events, chunk, &Recycler::default(), resource, anchors)
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
        self.raw_spans().map(|(raw, anchors)| SpanRef { record: raw.read(), anchors })
    }

    /// The same, which nobody has looked into.
    pub(crate) fn raw_spans(&self) -> impl Iterator<Item = (RawSpan<'_>, &Anchors)> {
        self.parts.iter().flat_map(|part| {
            let of = if let Records::Spans(chunk, anchors, _) = &*part.records {
                Some((chunk, &**anchors))
            } else {
                None
            };
            of.into_iter().flat_map(|(chunk, anchors)| {
                chunk.raw_spans_from(part.from, part.items).map(move |raw| (raw, anchors))
            })
        })
    }

    /// Its events, in the order they happened on each thread.
    pub fn events(&self) -> impl Iterator<Item = EventRef<'_>> {
        self.parts.iter().flat_map(|part| {
            let of = if let Records::Events(chunk, anchors, _) = &*part.records {
                Some((chunk, anchors))
            } else {
                None
            };
            of.into_iter().flat_map(|(chunk, anchors)| {
                chunk.events_from(part.from, part.items).map(move |record| EventRef { record, anchors })
            })
        })
    }

    /// Its data points, in the order of a [`Snapshot`](crate::metrics::Snapshot); those of several readings one reading after the
    /// other.
    pub fn metrics(&self) -> impl Iterator<Item = MetricRef<'_>> {
        self.parts.iter().flat_map(|part| {
            let all = if let Records::Metrics(snapshot) = &*part.records { snapshot.metrics() } else { &[] };
            let own = all.get(part.first..).map_or(&[][..], |own| &own[..part.items.min(own.len())]);
            MetricRef::each(own, &self.resource)
        })
    }

    /// Its items, whatever they are.
    #[cfg(any(feature = "file", feature = "http"))]
    pub(crate) fn items(&self) -> impl Iterator<Item = Item<'_>> {
        let spans_and_events = self.spans().map(Item::Span).chain(self.events().map(Item::Event));
        spans_and_events.chain(self.metrics().map(Item::Metric))
    }

    /// Bytes that it keeps from other use, for queues that are bounded by them: what a view shares with others counts for
    /// each of them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the items of another one can be a part of it.
    pub(crate) fn takes(&self, other: &Self) -> bool {
        self.signal == other.signal && Arc::ptr_eq(&self.resource, &other.resource)
    }

    /// The items of another one follow its own.
    pub(crate) fn append(&mut self, other: Self) {
        debug_assert!(self.takes(&other));
        self.parts.extend(other.parts);
        self.items += other.items;
        self.bytes += other.bytes;
    }

    /// None of them.
    pub(crate) fn none(&self) -> Self {
        Self { parts: Vec::new(), items: 0, bytes: 0, ..self.clone() }
    }

    /// The same with other global tags.
    pub(crate) fn with_resource(mut self, resource: &Arc<Resource>) -> Self {
        self.resource = Arc::clone(resource);
        self
    }

    /// The items that are to be kept. They are seen where they are, but where few are left of much: these are copied.
    pub(crate) fn filter(&self, mut keeps: impl FnMut(Item<'_>) -> bool) -> Self {
        let mut kept = Self { parts: Vec::new(), items: 0, bytes: size_of::<Self>(), ..self.clone() };
        for part in &self.parts {
            let whole = self.bytes.checked_div(self.items).unwrap_or_default() * part.items;
            let runs = part.runs(&mut keeps);
            let items: usize = runs.iter().map(|run| run.items).sum();
            if items == 0 {
                continue;
            }
            let (parts, bytes) = if items * 4 < part.items { part.copied(&runs) } else { (runs, whole) };
            kept.bytes += bytes + size_of_val(&*parts);
            kept.parts.extend(parts);
            kept.items += items;
        }
        kept
    }

    /// About so many of its items have that many bytes.
    pub(crate) fn items_in(&self, bytes: usize) -> usize {
        if self.bytes <= bytes {
            return self.items;
        }
        (self.items as u128 * bytes as u128 / self.bytes as u128) as usize
    }

    /// All of it in parts of about so many bytes, which have one item at least.
    #[cfg(any(feature = "file", feature = "chrome-trace"))]
    pub(crate) fn in_parts(&self, bytes: usize) -> impl Iterator<Item = Self> {
        let (mut rest, items) = (self.clone(), self.items_in(bytes).max(1));
        std::iter::from_fn(move || (!rest.is_empty()).then(|| rest.take_first(items)))
    }

    /// The first items leave it.
    pub(crate) fn take_first(&mut self, items: usize) -> Self {
        let items = items.min(self.items);
        // Both keep the records that they share; the weight is divided.
        let bytes = self.bytes.checked_div(self.items).unwrap_or_default() * items;
        let (mut parts, mut left) = (Vec::new(), items);
        let mut rest = std::mem::take(&mut self.parts).into_iter();
        for mut part in rest.by_ref() {
            if part.items <= left {
                left -= part.items;
                parts.push(part);
                continue;
            }
            if left > 0 {
                parts.push(part.take_first(left));
            }
            self.parts.push(part);
            break;
        }
        self.parts.extend(rest);
        self.items -= items;
        self.bytes -= bytes;
        Self { signal: self.signal, resource: Arc::clone(&self.resource), parts, items, bytes }
    }
}
