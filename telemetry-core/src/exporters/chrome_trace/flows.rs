//! Arrows between spans that are drawn on threads: from a span to a child on another thread, and from a span to one that links to it.
//!
//! Which of the two ends first is not known, so each end waits for the other. How many wait is bounded; of what is forgotten there
//! is no arrow. `args` have the ids of parents and links in any case.

use std::collections::HashMap;

use crate::model::SpanId;

/// So many ends wait for their other one, and so many spans that were drawn are remembered.
const MOST: usize = 4096;

/// A span that is drawn on a thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnThread {
    pub(super) id: SpanId,
    pub(super) thread: u32,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Why there is an arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Child,
    Link,
}

impl Why {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Child => "child",
            Self::Link => "link",
        }
    }
}

/// From a moment on a thread to a moment on another one, or on the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// Of no other one.
    pub(super) id: u64,
    pub(super) why: Why,
    pub(super) from: (u32, u64),
    pub(super) to: (u32, u64),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Flows {
    /// Spans that were drawn, where the last bits of their ids say.
    drawn: Vec<Option<OnThread>>,
    /// By the span that is to come.
    waiting: HashMap<SpanId, Vec<(Why, OnThread)>>,
    many: usize,
    last: u64,
}

impl Flows {
    /// The arrows that can be drawn now that a span is, which comes from a far parent, perhaps, and has these links.
    pub(super) fn add(
        &mut self,
        span: OnThread,
        parent: Option<SpanId>,
        links: impl Iterator<Item = SpanId>,
    ) -> Vec<Flow> {
        let mut flows = Vec::new();
        for (why, other) in self.take(span.id) {
            flows.extend(self.flow(why, &span, &other));
        }
        let ends = parent.map(|parent| (Why::Child, parent)).into_iter();
        for (why, from) in ends.chain(links.map(|link| (Why::Link, link))) {
            match self.find(from) {
                Some(from) => flows.extend(self.flow(why, &from, &span)),
                None => self.wait(from, why, span),
            }
        }
        self.drawn.resize(MOST, None);
        self.drawn[place(span.id)] = Some(span);
        flows
    }

    /// A span is not drawn on a thread: nobody has to wait for it.
    pub(super) fn forget(&mut self, span: SpanId) {
        drop(self.take(span));
    }

    fn take(&mut self, span: SpanId) -> Vec<(Why, OnThread)> {
        let found = self.waiting.remove(&span).unwrap_or_default();
        self.many -= found.len();
        found
    }

    fn find(&self, id: SpanId) -> Option<OnThread> {
        self.drawn.get(place(id)).copied().flatten().filter(|known| known.id == id)
    }

    fn wait(&mut self, for_span: SpanId, why: Why, span: OnThread) {
        if self.many >= MOST {
            let mut ends: Vec<u64> = self.waiting.values().flatten().map(|(_, span)| span.end).collect();
            let (_, half, _) = ends.select_nth_unstable(MOST / 2);
            let half = *half;
            self.waiting.values_mut().for_each(|all| all.retain(|(_, span)| span.end > half));
            self.waiting.retain(|_, all| !all.is_empty());
            self.many = self.waiting.values().map(Vec::len).sum();
        }
        self.waiting.entry(for_span).or_default().push((why, span));
        self.many += 1;
    }

    /// Where an arrow begins and ends: at the start of a span nothing lies in it, so it is its end and no other's. Time does not go
    /// back along an arrow.
    fn flow(&mut self, why: Why, from: &OnThread, to: &OnThread) -> Option<Flow> {
        if why == Why::Child && from.thread == to.thread {
            return None;
        }
        let at = to.start.max(from.start);
        if at > to.start && at >= to.end {
            return None;
        }
        self.last += 1;
        Some(Flow { id: self.last, why, from: (from.thread, from.start), to: (to.thread, at) })
    }
}

fn place(id: SpanId) -> usize {
    id.get() as usize % MOST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: u64, thread: u32, start: u64, end: u64) -> OnThread {
        OnThread { id: SpanId::new(id).unwrap(), thread, start, end }
    }

    type Ends = (Why, (u32, u64), (u32, u64));

    fn ends(flows: &[Flow]) -> Vec<Ends> {
        flows.iter().map(|flow| (flow.why, flow.from, flow.to)).collect()
    }

    #[test]
    fn whichever_ends_first() {
        let parent = SpanId::new(1);
        let mut flows = Flows::default();
        assert!(flows.add(span(2, 8, 20, 30), parent, std::iter::empty()).is_empty());
        let found = flows.add(span(1, 7, 10, 50), None, std::iter::empty());
        assert_eq!(ends(&found), [(Why::Child, (7, 10), (8, 20))]);
        let found = flows.add(span(3, 8, 40, 90), parent, std::iter::empty());
        assert_eq!(ends(&found), [(Why::Child, (7, 10), (8, 40))]);
        assert!(flows.add(span(4, 7, 40, 45), parent, std::iter::empty()).is_empty(), "on the same thread");
    }

    #[test]
    fn links_never_lead_back_in_time() {
        let to = |id| std::iter::once(SpanId::new(id).unwrap());
        let mut flows = Flows::default();
        flows.add(span(1, 7, 10, 20), None, std::iter::empty());
        flows.add(span(2, 7, 30, 60), None, std::iter::empty());
        assert_eq!(
            ends(&flows.add(span(3, 7, 25, 50), None, to(1))),
            [(Why::Link, (7, 10), (7, 25))],
            "on the same thread too"
        );
        assert_eq!(ends(&flows.add(span(4, 8, 25, 50), None, to(2))), [(Why::Link, (7, 30), (8, 30))]);
        assert!(flows.add(span(5, 8, 25, 28), None, to(2)).is_empty());
        assert!(flows.add(span(6, 8, 25, 28), None, to(9)).is_empty());
        flows.forget(SpanId::new(9).unwrap());
        assert!(flows.add(span(9, 7, 5, 28), None, std::iter::empty()).is_empty());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut flows = Flows::default();
        for n in 0..20_000 {
            flows.add(span(1 << 40 | n, 7, n, n + 1), SpanId::new(1 + n % 5_000), std::iter::empty());
            assert!(flows.many <= MOST && flows.many == flows.waiting.values().map(Vec::len).sum::<usize>());
        }
        assert_eq!(flows.drawn.len(), MOST);
        let last = 19_999 % 5_000;
        assert!(
            !flows.add(span(1 + last, 8, 0, 30_000), None, std::iter::empty()).is_empty(),
            "the last stays"
        );
    }
}
