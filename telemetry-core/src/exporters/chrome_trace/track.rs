//! Where a span can be drawn: on a track, spans lie beside each other or one in the other.
//!
//! Spans come in the order of their ends, so a track only remembers what is not inside of another one yet.

use crate::model::SpanId;

/// A span that is to be drawn. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawn {
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The outermost spans that were drawn on a track, from the first to the last.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    regions: Vec<Region>,
}

/// A span, or several of one parent with what lies between them.
#[derive(Clone, Copy, Debug)]
struct Region {
    start: u64,
    end: u64,
    parent: Option<SpanId>,
}

/// More than so many become one, from the oldest on: what began between them is drawn elsewhere then.
const MOST: usize = 256;

impl Track {
    /// One on which nothing is drawn that began before that moment.
    pub(super) fn from(moment: u64) -> Self {
        let mut track = Self::default();
        if moment > 0 {
            track.regions.push(Region { start: 0, end: moment, parent: None });
        }
        track
    }

    /// Draws a span, if it lies beside all others or around them, and if these are its children where only those may be. Otherwise
    /// nothing is done.
    pub(super) fn draw(&mut self, span: &Drawn, only_around_children: bool) -> bool {
        let at = self.regions.partition_point(|region| region.start < span.start);
        let (before, inside) = self.regions.split_at(at);
        let is_beside = before.last().is_none_or(|last| last.end <= span.start);
        let is_around = inside.last().is_none_or(|last| last.end <= span.end);
        let is_child = |region: &Region| region.parent == Some(span.id);
        if !is_beside || !is_around || only_around_children && !inside.iter().all(is_child) {
            return false;
        }
        self.regions.truncate(at);
        self.push(Region { start: span.start, end: span.end, parent: span.parent });
        true
    }

    fn push(&mut self, region: Region) {
        match self.regions.last_mut() {
            // Nothing that is around only some of them is a call that is around these.
            Some(last) if last.parent.is_some() && last.parent == region.parent => last.end = region.end,
            _ => self.regions.push(region),
        }
        if self.regions.len() > MOST {
            let first = self.regions.remove(0);
            self.regions[0] = Region { start: first.start, end: self.regions[0].end, parent: None };
        }
    }

    /// The parent of what was drawn last.
    pub(super) fn last_parent(&self) -> Option<SpanId> {
        self.regions.last()?.parent
    }

    /// When that ended.
    pub(super) fn end(&self) -> u64 {
        self.regions.last().map_or(0, |last| last.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(id: u64, parent: u64, start: u64, end: u64) -> Drawn {
        Drawn { id: SpanId::new(id).unwrap(), parent: SpanId::new(parent), start, end }
    }

    #[test]
    fn spans_lie_beside_or_around_each_other() {
        let mut track = Track::default();
        for (parent, start, end, is_drawn) in [
            (9, 10, 20, true),
            (9, 20, 30, true),
            (0, 15, 40, false),
            (0, 5, 25, false),
            (0, 10, 30, true),
            (0, 5, 50, true),
            (0, 49, 60, false),
            (0, 50, 50, true),
        ] {
            assert_eq!(track.draw(&span(1, parent, start, end), false), is_drawn, "{start} {end}");
        }
        assert_eq!(track.end(), 50);
    }

    #[test]
    fn only_children_lie_in_a_span_where_that_is_wanted() {
        let mut track = Track::default();
        assert!(track.draw(&span(2, 1, 10, 20), true) && track.draw(&span(3, 1, 20, 30), true));
        assert!(!track.draw(&span(4, 0, 10, 40), true));
        assert!(track.draw(&span(1, 0, 10, 40), true));
    }

    #[test]
    fn nothing_is_drawn_where_it_is_not_known_what_is_there() {
        let mut track = Track::from(100);
        assert!(!track.draw(&span(1, 0, 99, 200), false) && track.draw(&span(1, 0, 100, 200), false));
    }

    proptest! {
        /// What is drawn nests, however much there is of it, and what is remembered is bounded.
        #[test]
        fn what_is_drawn_nests(spans in prop::collection::vec((0..3_u64, 0..2_000_u64, 0..50_u64), 0..600)) {
            let mut spans: Vec<(u64, u64, u64)> = spans.into_iter().map(|(parent, at, len)| (at + len, at, parent)).collect();
            spans.sort_unstable();
            let (mut track, mut drawn) = (Track::default(), Vec::new());
            for (end, start, parent) in spans {
                if track.draw(&span(7, parent, start, end), false) {
                    drawn.push((start, end));
                }
                prop_assert!(track.regions.len() <= MOST);
            }
            for (n, (start, end)) in drawn.iter().enumerate() {
                for (other_start, other_end) in &drawn[..n] {
                    let is_apart = other_end <= start || end <= other_start;
                    let is_inside = other_start >= start && other_end <= end || start >= other_start && end <= other_end;
                    prop_assert!(is_apart || is_inside, "{start}-{end} {other_start}-{other_end}");
                }
            }
        }
    }
}
