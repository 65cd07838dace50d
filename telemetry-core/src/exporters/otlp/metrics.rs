//! Data points of metrics. Those that follow each other and belong to one metric share its name.
//!
//! Source: opentelemetry-proto, `metrics.proto`.

use super::points::Sort;
use super::scopes::{ITEM, Scopes};
use super::wire::{MAX_FRAME, bytes, put_message, put_text, varint};
use crate::exporters::Batch;
use crate::metrics::MetricRef;
use crate::model::{Kind, Temporality};

/// What measures has no target.
const SCOPE: &str = "telemetry";

const NAME: u8 = bytes(1);
const DESCRIPTION: u8 = bytes(2);
const UNIT: u8 = bytes(3);

/// Of each sort of data.
const POINT: u8 = bytes(1);
const TEMPORALITY: u8 = varint(2);
const IS_MONOTONIC: u8 = varint(3);

/// What comes beside names and points: two messages begin, and two numbers.
const FRAME: usize = 2 * MAX_FRAME + 4;

/// Adds the first data points of a batch to a request, and says how many fit.
pub(super) fn put_metrics(batch: &Batch, scopes: &mut Scopes) -> usize {
    let scope = scopes.find(SCOPE);
    let (mut open, mut items) = (Open::default(), 0);
    for point in batch.metrics() {
        if !open.takes(&point) {
            open.close(scopes, scope);
            open.begin(point, scopes.room(scope));
        }
        if !open.add(&point, scopes.is_empty()) {
            break;
        }
        items += 1;
    }
    open.close(scopes, scope);
    items
}

/// The metric that is being written.
#[derive(Default)]
struct Open<'a> {
    /// What it is, its first point says.
    first: Option<MetricRef<'a>>,
    names: Vec<u8>,
    points: Vec<u8>,
    /// How many bytes the points may take.
    room: usize,
}

impl<'a> Open<'a> {
    fn takes(&self, point: &MetricRef<'_>) -> bool {
        self.first.is_some_and(|first| {
            let sums = (first.kind(), first.temporality()) == (point.kind(), point.temporality());
            let names = is_same(first.name(), point.name()) && is_same(first.unit(), point.unit());
            sums && names && Sort::of(&first) == Sort::of(point)
        })
    }

    fn begin(&mut self, first: MetricRef<'a>, room: usize) {
        self.first = Some(first);
        put_text(&mut self.names, NAME, first.name());
        put_text(&mut self.names, DESCRIPTION, first.description());
        put_text(&mut self.names, UNIT, first.unit());
        self.room = room.saturating_sub(FRAME + self.names.len());
    }

    /// Adds a point, if it fits; the first one of a request always does.
    fn add(&mut self, point: &MetricRef<'_>, is_first_metric: bool) -> bool {
        let before = self.points.len();
        put_message::<1>(&mut self.points, POINT, |out| Sort::of(point).put(out, point));
        let fits = self.points.len() <= self.room || is_first_metric && before == 0;
        if !fits {
            self.points.truncate(before);
        }
        fits
    }

    fn close(&mut self, scopes: &mut Scopes, scope: usize) {
        if let Some(first) = self.first.take().filter(|_| !self.points.is_empty()) {
            scopes.add(scope, |out| put_message::<2>(out, ITEM, |out| self.put(out, &first)));
        }
        self.names.clear();
        self.points.clear();
    }

    fn put(&self, out: &mut Vec<u8>, first: &MetricRef<'_>) {
        let sort = Sort::of(first);
        out.extend_from_slice(&self.names);
        put_message::<2>(out, sort.key(), |out| {
            out.extend_from_slice(&self.points);
            if sort != Sort::Gauge {
                let temporality = match first.temporality() {
                    Temporality::Delta => 1,
                    Temporality::Cumulative => 2,
                };
                out.extend_from_slice(&[TEMPORALITY, temporality]);
            }
            if first.kind() == Kind::Counter && sort == Sort::Sum {
                out.extend_from_slice(&[IS_MONOTONIC, 1]);
            }
        });
    }
}

/// Names of series of one metric are mostly one static text, at which nobody has to look.
fn is_same(a: &str, b: &str) -> bool {
    std::ptr::eq(a, b) || a == b
}
