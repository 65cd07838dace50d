//! Spans and events wait here for the end of what they are a part of: they come in as they end, and go out as a tree below the
//! top of it.
//!
//! What is open is bounded in bytes: where there is more, the oldest trace is given up, and its items go out as lines.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::pen::{Item, Mark, Pen, Top};
use crate::diagnostics::warn;
use crate::model::{SpanId, TraceId};

/// So much waits, of all traces together.
const MOST: usize = 8 << 20;
/// So much is remembered of spans that are shown, for what comes late.
const MOST_OF_NAMES: usize = 1 << 20;
/// A branch beyond that depth stands at it.
const DEEPEST: usize = 40;
/// What it takes to draw one.
const ART: usize = DEEPEST * "│  ".len();

#[derive(Debug, Default)]
pub(super) struct Traces {
    open: HashMap<TraceId, Open>,
    /// From the oldest to the newest.
    ages: BTreeMap<u64, TraceId>,
    next_age: u64,
    bytes: usize,
    shown: Names,
    has_said: bool,
}

#[derive(Debug, Default)]
struct Open {
    age: u64,
    bytes: usize,
    /// By the span that they are a part of.
    below: HashMap<SpanId, Vec<Item>>,
}

/// The names of spans that are shown.
#[derive(Debug, Default)]
struct Names {
    by_id: HashMap<SpanId, String>,
    order: VecDeque<SpanId>,
    bytes: usize,
}

/// What is shown next.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) item: Item,
    /// All below it is drawn with it.
    pub(super) is_top: bool,
    pub(super) word: Option<&'static str>,
    /// The name of what it is a part of, which was shown before it.
    pub(super) of: Option<String>,
}

impl Shown {
    /// A line.
    pub(super) fn line(item: Item) -> Self {
        Self { item, is_top: false, word: None, of: None }
    }

    pub(super) fn bytes(&self) -> usize {
        self.item.bytes() + self.of.as_ref().map_or(0, String::capacity)
    }

    pub(super) fn mark(&self, is_late: bool) -> Mark<'_> {
        Mark { of: self.of.as_deref(), word: self.word.or(is_late.then_some("late")) }
    }

    /// Draws it, with all below it.
    pub(super) fn draw(&self, is_late: bool, traces: &mut Traces, pen: &mut Pen) {
        let mark = self.mark(is_late);
        if !self.is_top {
            return pen.line(&self.item, mark);
        }
        pen.top(&self.item, self.word.is_none(), mark);
        traces.draw_below(&self.item, pen);
    }
}

impl Names {
    fn insert(&mut self, id: SpanId, name: &str) {
        const EACH: usize = size_of::<(SpanId, String)>() * 2;
        self.bytes += name.len() + EACH;
        match self.by_id.insert(id, name.to_owned()) {
            Some(before) => self.bytes -= before.len() + EACH,
            None => self.order.push_back(id),
        }
        while self.bytes > MOST_OF_NAMES
            && let Some(oldest) = self.order.pop_front()
            && let Some(name) = self.by_id.remove(&oldest)
        {
            self.bytes -= name.len() + EACH;
        }
    }
}

impl Traces {
    /// Takes a span or an event. It waits for what it is a part of, or is shown: what is no part of anything, what is local root of
    /// its trace, and what comes after that.
    pub(super) fn take(&mut self, item: Item, is_root: bool) -> Option<Shown> {
        let (is_span, trace) = (item.duration.is_some(), item.trace);
        let top = |item, word, of| Some(Shown { item, is_top: true, word, of });
        let Some((trace, above)) = trace.zip(item.above()).filter(|_| !is_root) else {
            return if is_span { top(item, None, None) } else { Some(Shown::line(item)) };
        };
        if let Some(name) = self.shown.by_id.get(&above).cloned() {
            return Some(Shown { item, is_top: is_span, word: Some("late"), of: Some(name) });
        }
        let (open, bytes) = (self.open.entry(trace).or_default(), item.bytes() + ART);
        if open.bytes == 0 {
            open.age = self.next_age;
            self.ages.insert(open.age, trace);
            self.next_age += 1;
        }
        open.bytes += bytes;
        self.bytes += bytes;
        open.below.entry(above).or_default().push(item);
        None
    }

    /// The oldest traces, for which there is no room.
    pub(super) fn give_up(&mut self) -> Vec<Shown> {
        let mut given_up = Vec::new();
        while self.bytes > MOST {
            if !std::mem::replace(&mut self.has_said, true) {
                let mib = MOST >> 20;
                warn(format_args!(
                    "console: more than {mib} MiB of open traces: the oldest are shown as lines from now on"
                ));
            }
            let Some((_, trace)) = self.ages.pop_first() else { break };
            given_up.extend(self.close(trace).map(Shown::line));
        }
        for shown in &given_up {
            self.remember(&shown.item);
        }
        given_up
    }

    fn close(&mut self, trace: TraceId) -> impl Iterator<Item = Item> + use<> {
        let open = self.open.remove(&trace).unwrap_or_default();
        self.bytes -= open.bytes;
        self.ages.remove(&open.age);
        open.below.into_values().flatten()
    }

    /// What is a part of spans that have not ended; all below it is drawn with it.
    pub(super) fn unfinished(&mut self) -> Vec<Shown> {
        let mut above = Vec::new();
        for (trace, open) in &self.open {
            let spans = open.below.values().flatten().filter(|item| item.duration.is_some());
            let ended: HashSet<SpanId> = spans.filter_map(|span| span.span).collect();
            above.extend(
                open.below.keys().filter(|above| !ended.contains(above)).map(|above| (*trace, *above)),
            );
        }
        let items = above.into_iter().flat_map(|(trace, above)| self.take_below(trace, above));
        let shown =
            |item: Item| Shown { is_top: item.duration.is_some(), item, word: Some("open"), of: None };
        let mut shown: Vec<Shown> = items.map(shown).collect();
        shown.sort_by_key(|shown| shown.item.time);
        shown
    }

    /// All that is left, whatever it is a part of.
    pub(super) fn rest(&mut self) -> Vec<Shown> {
        let all: Vec<TraceId> = self.open.keys().copied().collect();
        let mut rest: Vec<Shown> =
            all.into_iter().flat_map(|trace| self.close(trace)).map(Shown::line).collect();
        rest.sort_by_key(|shown| shown.item.time);
        rest
    }

    fn remember(&mut self, item: &Item) {
        if let (Some(id), true) = (item.span, item.duration.is_some()) {
            self.shown.insert(id, &item.name);
        }
    }

    /// The parts of a span, in the order in which they began.
    fn take_below(&mut self, trace: TraceId, span: SpanId) -> Vec<Item> {
        let Some(open) = self.open.get_mut(&trace) else { return Vec::new() };
        let Some(mut below) = open.below.remove(&span) else { return Vec::new() };
        let bytes: usize = below.iter().map(|item| item.bytes() + ART).sum();
        open.bytes -= bytes;
        self.bytes -= bytes;
        if open.below.is_empty() {
            self.ages.remove(&open.age);
            self.open.remove(&trace);
        }
        below.sort_by_key(Item::start);
        below
    }

    fn draw_below(&mut self, top: &Item, pen: &mut Pen) {
        self.remember(top);
        let Some((trace, span)) = top.trace.zip(top.span) else { return };
        let of = Top { start: top.start(), duration: top.duration.unwrap_or_default() };
        let mut levels = vec![self.take_below(trace, span).into_iter()];
        let mut art = String::new();
        while let Some(level) = levels.last_mut() {
            let Some(item) = level.next() else {
                levels.pop();
                continue;
            };
            art.clear();
            let (last, before) = (levels.len() - 1, &levels[..levels.len() - 1]);
            for level in before.iter().take(DEEPEST) {
                art.push_str(if level.as_slice().is_empty() { "   " } else { "│  " });
            }
            art.push_str(match levels[last].as_slice() {
                _ if last > DEEPEST => "⋯ ",
                [] => "└─ ",
                _ => "├─ ",
            });
            pen.branch(&item, of, &art);
            if item.duration.is_some() {
                self.remember(&item);
                levels.extend(item.span.map(|span| self.take_below(trace, span).into_iter()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
