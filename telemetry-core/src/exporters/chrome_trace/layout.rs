//! On which track a span is drawn: that of its thread, where all of it was on that thread at one go, or one of those of its
//! trace, on which only what is below a span lies in it.
//!
//! All that is remembered is bounded. What is forgotten costs order, and never truth: a span whose place is not known has a track of
//! its own.

use std::collections::HashMap;

use super::track::{Drawn, Track};
use crate::exporters::SpanRef;
use crate::model::TraceId;

/// So many threads and traces are remembered, and so many tracks of a trace.
const THREADS: usize = 512;
const TRACES: usize = 1024;
const TRACKS: usize = 64;

/// Where a span is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On the track of the thread with that number.
    Thread(u32),
    /// On a track beside those of the threads.
    Beside(u64),
}

/// What is drawn so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    threads: HashMap<u32, Track>,
    /// The last moment of a thread that was forgotten.
    forgotten: u64,
    traces: HashMap<TraceId, Vec<(u64, Track)>>,
    last_track: u64,
}

impl Layout {
    /// Draws a span.
    pub(super) fn place(&mut self, span: &SpanRef<'_>) -> Place {
        let drawn = Drawn {
            id: span.span_id(),
            parent: span.parent_span_id(),
            start: span.start_unix_nano(),
            end: span.end_unix_nano(),
        };
        if let Some(thread) = span.thread().filter(|_| span.is_on_one_thread())
            && self.thread(thread).draw(&drawn, false)
        {
            return Place::Thread(thread);
        }
        Place::Beside(self.beside(span.trace_id(), &drawn))
    }

    fn thread(&mut self, number: u32) -> &mut Track {
        if self.threads.len() >= THREADS && !self.threads.contains_key(&number) {
            let forgotten = forget(&mut self.threads, |track| track.end());
            self.forgotten = self.forgotten.max(forgotten);
        }
        self.threads.entry(number).or_insert_with(|| Track::from(self.forgotten))
    }

    /// Around its children, else behind its siblings, else behind anything else of its trace.
    fn beside(&mut self, trace: TraceId, span: &Drawn) -> u64 {
        if self.traces.len() >= TRACES && !self.traces.contains_key(&trace) {
            forget(&mut self.traces, |tracks| tracks.iter().map(|(_, track)| track.end()).max().unwrap_or(0));
        }
        let tracks = self.traces.entry(trace).or_default();
        let rank = |track: &Track| match track.last_parent() {
            Some(parent) if parent == span.id => 0,
            Some(parent) if Some(parent) == span.parent => 1,
            _ => 2,
        };
        let mut order: Vec<usize> = (0..tracks.len()).collect();
        order.sort_by_key(|at| rank(&tracks[*at].1));
        let mut fits = order.into_iter().filter(|at| tracks[*at].1.draw(span, true));
        let number = match fits.next() {
            Some(at) => tracks[at].0,
            None => {
                self.last_track += 1;
                let mut track = Track::default();
                track.draw(span, true);
                if tracks.len() < TRACKS {
                    tracks.push((self.last_track, track));
                }
                self.last_track
            }
        };
        if span.parent.is_none() {
            // Mostly nothing of it comes any more.
            self.traces.remove(&trace);
        }
        number
    }
}

/// Removes the half that ended first, and says when the last of it did.
fn forget<K: Copy + Eq + std::hash::Hash, V>(of: &mut HashMap<K, V>, end: impl Fn(&V) -> u64) -> u64 {
    let mut ends: Vec<(u64, K)> = of.iter().map(|(key, value)| (end(value), *key)).collect();
    ends.sort_unstable_by_key(|(end, _)| *end);
    ends.truncate(of.len().div_ceil(2));
    ends.iter().for_each(|(_, key)| drop(of.remove(key)));
    ends.last().map_or(0, |(end, _)| *end)
}
