//! On which track a span is drawn: that of its thread, where all of it was on that thread at one go, or one of those of its
//! trace, on which only what is below a span lies in it.
//!
//! All that is remembered is bounded. What is forgotten costs order, and never truth: a span whose place is not known has a track of
//! its own.

use std::collections::HashMap;

use super::track::{Drawn, Track};
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
    /// Draws a span of that trace, all of which was on that thread at one go, if on any.
    pub(super) fn place(&mut self, trace: TraceId, thread: Option<u32>, span: &Drawn) -> Place {
        match thread {
            Some(thread) if self.thread(thread).draw(span, false) => Place::Thread(thread),
            _ => Place::Beside(self.beside(trace, span)),
        }
    }

    fn thread(&mut self, number: u32) -> &mut Track {
        if self.threads.len() >= THREADS && !self.threads.contains_key(&number) {
            let forgotten = forget(&mut self.threads, Track::end);
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
        let number = if let Some(at) = fits.next() {
            tracks[at].0
        } else {
            self.last_track += 1;
            let mut track = Track::default();
            track.draw(span, true);
            if tracks.len() < TRACKS {
                tracks.push((self.last_track, track));
            }
            self.last_track
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SpanId;

    fn span(id: u64, parent: u64, start: u64, end: u64) -> Drawn {
        Drawn { id: SpanId::new(id).unwrap(), parent: SpanId::new(parent), start, end }
    }

    fn trace(n: u64) -> TraceId {
        TraceId::new(u128::from(n)).unwrap()
    }

    #[test]
    fn one_behind_the_other_lies_in_its_parent_and_side_by_side_does_not() {
        let mut layout = Layout::default();
        let mut place =
            |id, parent, start, end| match layout.place(trace(1), None, &span(id, parent, start, end)) {
                Place::Beside(track) => track,
                Place::Thread(thread) => panic!("{thread}"),
            };
        let [first, second] = [place(11, 10, 1, 2), place(12, 10, 3, 4)];
        let [below, third] = [place(21, 13, 6, 7), place(13, 10, 5, 8)];
        let beside = place(14, 10, 3, 9);
        let around = place(10, 1, 0, 10);
        assert_eq!([second, below, third, around], [first; 4]);
        assert_ne!(beside, first);
        assert_eq!(place(1, 0, 0, 20), first);
        assert!(place(30, 1, 12, 13) > beside, "the root has ended: what comes later is by itself");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_forgotten_is_drawn_nowhere_twice() {
        let mut layout = Layout::default();
        for n in 1..3_000 {
            layout.place(trace(n), Some(n as u32), &span(n, 9_999, n, n + 5));
            layout.place(trace(n), None, &span(n, 9_999, n, n + 5));
            assert!(layout.threads.len() <= THREADS && layout.traces.len() <= TRACES);
        }
        assert!(layout.forgotten > 2_000);
        // The first thread again: what it did there is not known any more.
        assert!(matches!(layout.place(trace(1), Some(1), &span(1, 0, 3, 4_000)), Place::Beside(_)));
        let later = layout.forgotten;
        assert_eq!(layout.place(trace(1), Some(1), &span(1, 0, later, later + 9)), Place::Thread(1));
        for n in 1..2 * TRACKS as u64 {
            layout.place(trace(7), None, &span(n, 9_999, 5_000, 5_000 + n));
        }
        assert_eq!(layout.traces[&trace(7)].len(), TRACKS);
    }
}
