//! What waits in all segments together, by signal, format and destination.

use std::path::Path;

use telemetry_layer::Signal;
use telemetry_layer::spool::{Segment, Waiting, inspect};

use crate::AnyError;

/// So many of them are told apart.
const MOST: usize = 100;

#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) kinds: Vec<Waiting>,
    /// Bodies of which nothing is known, or of further kinds.
    pub(crate) others: u64,
}

impl Totals {
    pub(crate) fn of(directory: &Path) -> Result<Self, AnyError> {
        let mut totals = Self::default();
        inspect(directory)?.for_each(|segment| totals.add(&segment));
        Ok(totals)
    }

    pub(crate) fn add(&mut self, segment: &Segment) {
        self.others += segment.unknown;
        for more in &segment.waiting {
            let is_same = |kind: &Waiting| {
                (kind.signal, &kind.format, &kind.destination)
                    == (more.signal, &more.format, &more.destination)
            };
            match self.kinds.iter().position(is_same) {
                Some(at) => {
                    let kind = &mut self.kinds[at];
                    kind.bodies += more.bodies;
                    kind.items += more.items;
                    kind.bytes += more.bytes;
                    kind.oldest = kind.oldest.min(more.oldest);
                    kind.newest = kind.newest.max(more.newest);
                }
                None if self.kinds.len() == MOST => self.others += more.bodies,
                None => self.kinds.push(more.clone()),
            }
        }
    }

    pub(crate) fn bodies(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.bodies).sum::<u64>() + self.others
    }

    /// How many items there are, by signal.
    pub(crate) fn items(&self) -> [u64; 3] {
        let of = |signal| self.kinds.iter().filter(|kind| kind.signal == signal).map(|kind| kind.items).sum();
        [Signal::Spans, Signal::Events, Signal::Metrics].map(of)
    }
}

/// `600 spans, 40 events`.
pub(crate) fn amounts(items: [u64; 3]) -> String {
    let named = Signal::ALL.iter().zip(items).filter(|(_, n)| *n > 0);
    let shown: Vec<_> = named.map(|(signal, n)| format!("{n} {}", signal.name())).collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
}
