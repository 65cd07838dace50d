//! A page while it is written: data points come in, in an order in which those of one metric follow each other, and stand on the
//! page in their families. It looks at each of them once, and keeps none.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::family::Class;
use super::form::{Dialect, Escaping};
use super::notices::Notices;
use super::pen::{Labelled, Pen, Put};
use super::settings::Settings;
use super::sheet::Sheet;
use super::{protobuf, text};
use crate::metrics::{PointRef, Visit};
use crate::model::{Resource, Temporality};
use crate::text::Clean;

/// A page is begun again where it turns out that what stands on it already has to be other than it is; at last it is written so that
/// this can't be.
const MOST_TRIES: usize = 3;

/// About so many bytes a series takes at first.
const USUAL: usize = 64;

/// What stays the same, and a page.
pub(super) struct Writing<'a> {
    settings: &'a Settings,
    kind: (Dialect, Escaping),
    notices: &'a mut Notices,
    /// That of the page before, from the first page on.
    sheet: &'a mut Option<Sheet>,
    out: Vec<u8>,
    left_out: u64,
    tries: usize,
    /// It has to be written again.
    is_wrong: bool,
    spans: Vec<Span>,
    run: Run,
    /// The labels of the series of families in which some may be the same.
    seen: HashMap<usize, HashSet<Box<[u8]>>>,
    counts: Vec<u64>,
}

/// Where a family stands on the page.
struct Span {
    family: usize,
    begin: usize,
    /// Where its series begin.
    head: usize,
    end: usize,
}

/// Points of one metric that follow each other.
#[derive(Clone, Copy, Default)]
struct Run {
    metric: usize,
    /// Where they began, and in which of the spans they belong; none where they are left out, and before the first one.
    place: Option<(usize, usize)>,
    is_begun: bool,
    /// The next point may be one of them.
    is_open: bool,
}

impl<'a> Writing<'a> {
    /// None yet; it will have about so many bytes.
    pub(super) fn new(
        settings: &'a Settings,
        kind: (Dialect, Escaping),
        sheet: &'a mut Option<Sheet>,
        notices: &'a mut Notices,
        length: usize,
    ) -> Self {
        // A little more, so that a page that grew by some digits needs no other memory.
        let out = Vec::with_capacity(length + length / 32);
        let (spans, run, seen, counts) = Default::default();
        let (left_out, tries, is_wrong) = (0, 0, false);
        Self { settings, kind, notices, sheet, out, left_out, tries, is_wrong, spans, run, seen, counts }
    }

    /// All points were there. Whether the page is whole; if it isn't, it takes all of them again.
    pub(super) fn end(&mut self) -> bool {
        self.close();
        let Some(sheet) = self.sheet else { return true };
        self.is_wrong |= sheet.families.end();
        if self.is_wrong && self.tries < MOST_TRIES {
            return false;
        }
        if sheet.dialect == Dialect::Protobuf {
            self.spans.iter().for_each(|span| protobuf::frame(&mut self.out[span.begin..span.end]));
        } else if sheet.dialect == Dialect::OpenMetrics {
            self.out.extend_from_slice(text::EOF);
        }
        true
    }

    /// The page, and how many series it is without.
    pub(super) fn into_page(self) -> (Vec<u8>, u64) {
        (self.out, self.left_out)
    }

    /// Points of another metric begin.
    #[cold]
    fn open(&mut self, point: &PointRef<'_>) {
        self.close();
        let Some(sheet) = self.sheet else { return };
        let next = if self.run.is_begun { self.run.metric + 1 } else { 0 };
        let found = sheet.families.metric(point, next, &sheet.labels, self.notices);
        self.is_wrong |= found.is_changed;
        let shown = &mut sheet.families.metrics[found.at];
        shown.is_there = true;
        let from = self.out.len();
        let place = shown.family.map(|family| {
            let known = self.spans.iter().rposition(|span| span.family == family);
            let at = known.unwrap_or_else(|| {
                if sheet.dialect == Dialect::Protobuf {
                    self.out.extend_from_slice(&protobuf::FRAME);
                }
                self.out.extend_from_slice(&sheet.families.all[family].head);
                let head = self.out.len();
                self.spans.push(Span { family, begin: from, head, end: head });
                self.spans.len() - 1
            });
            (self.out.len(), at)
        });
        self.run = Run { metric: found.at, place, is_begun: true, is_open: true };
    }

    /// The points of a metric end, and go where the family is in which they belong.
    fn close(&mut self) {
        let Some((from, at)) = self.run.place.take() else { return };
        let len = self.out.len() - from;
        let Some((span, behind)) = self.spans[at..].split_first_mut() else { return };
        self.out[span.end..].rotate_right(len);
        span.end += len;
        for other in behind {
            other.begin += len;
            other.head += len;
            other.end += len;
        }
        if span.end == span.head {
            self.out.truncate(span.begin);
            self.spans.remove(at);
        }
    }

    /// Says that a series is not there.
    #[cold]
    fn leave_out(&mut self, point: &PointRef<'_>, why: &str) {
        self.left_out += 1;
        self.notices.say(format_args!(
            "a series of `{}` is left out of the page for Prometheus: {why}",
            Clean(&point.identity.name)
        ));
    }

    /// Whether a series of the family has these labels already.
    #[cold]
    fn is_twin(&mut self, family: usize, labels: Labelled) -> bool {
        let labels = &self.out[labels.from..labels.to];
        !self.seen.entry(family).or_default().insert(labels.into())
    }
}

impl Visit for Writing<'_> {
    fn begin(&mut self, resource: &Arc<Resource>, points: usize) {
        let known = self.sheet.take().filter(|sheet| sheet.is_of(resource));
        let sheet =
            self.sheet.insert(known.unwrap_or_else(|| Sheet::new(self.settings, self.kind, resource)));
        if self.out.capacity() == 0 {
            self.out.reserve((points * USUAL).min(self.settings.max_bytes));
        }
        sheet.begin();
        self.tries += 1;
        (self.left_out, self.is_wrong, self.run) = (0, false, Run::default());
        self.out.clear();
        self.spans.clear();
        self.seen.clear();
        self.out.extend_from_slice(&sheet.target);
    }

    fn metric(&mut self) {
        self.run.is_open = false;
    }

    fn visit(&mut self, point: &PointRef<'_>) {
        let is_of = |sheet: &Sheet| sheet.families.metrics[self.run.metric].has_unit(point);
        if !self.run.is_open || !self.sheet.as_ref().is_some_and(is_of) {
            self.open(point);
        }
        let Some(sheet) = self.sheet else { return };
        let shown = &mut sheet.families.metrics[self.run.metric];
        let Some(at) = shown.family else {
            self.left_out += 1;
            return;
        };
        let family = &mut sheet.families.all[at];
        if point.temporality == Temporality::Delta && (family.class != Class::Gauge || point.is_histogram()) {
            return self.leave_out(point, NO_WAY);
        }
        let (before, max_bytes) = (self.out.len(), self.settings.max_bytes);
        if before >= max_bytes {
            self.left_out += 1;
            return;
        }
        let pen = Pen {
            out: &mut self.out,
            labels: &mut sheet.labels,
            plans: &mut shown.plans,
            counts: &mut self.counts,
            has_created: sheet.has_created,
        };
        let written = match sheet.dialect {
            Dialect::Text => text::put(pen, family, point, false),
            Dialect::OpenMetrics => text::put(pen, family, point, true),
            Dialect::Protobuf => protobuf::put(pen, family, point),
        };
        let why = match written {
            Put::Done(labels) => {
                let may_have_twins = family.may_have_twins || self.tries >= MOST_TRIES;
                if labels.by.is_new {
                    self.is_wrong |= sheet.families.note_plan(self.run.metric, &sheet.labels, labels.by);
                }
                if self.out.len() > max_bytes {
                    ""
                } else if may_have_twins && self.is_twin(at, labels) {
                    "another series has the same name and labels there"
                } else {
                    return;
                }
            }
            Put::NotThere => "",
            Put::NoWay => NO_WAY,
        };
        self.out.truncate(before);
        if why.is_empty() {
            self.left_out += 1;
        } else {
            self.leave_out(point, why);
        }
    }
}

const NO_WAY: &str = "its values can't be shown there";
