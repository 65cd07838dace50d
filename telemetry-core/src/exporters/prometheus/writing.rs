//! A page while it is written: data points come in, in an order in which those of one metric follow each other, and stand on the
//! page in their families. It looks at each of them once, and keeps none. They are written one behind the other; where those of a
//! family have others in between, they are brought together at the end, all at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::family::Class;
use super::form::{Dialect, Escaping};
use super::line::Line;
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
    pieces: Vec<Piece>,
    /// So many families have begun.
    families: usize,
    run: Run,
    /// The labels of the series of families in which some may be the same.
    seen: HashMap<usize, HashSet<Box<[u8]>>>,
    counts: Vec<u64>,
    line: Line,
}

/// Series of a family that stand together. Before the first ones stands what the family begins with.
#[derive(Clone, Copy)]
struct Piece {
    /// Which family of the page it is.
    family: usize,
    begin: usize,
    end: usize,
}

/// Points of one metric that follow each other.
#[derive(Clone, Copy, Default)]
struct Run {
    metric: usize,
    /// Where they begin; none where they are left out, and before the first one.
    piece: Option<Piece>,
    /// Where the first of them stands.
    first: usize,
    is_begun: bool,
    /// The next point is one of them.
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
        let (pieces, families, run, seen, counts) = Default::default();
        let (left_out, tries, is_wrong) = (0, 0, false);
        Self {
            settings,
            kind,
            notices,
            sheet,
            out,
            left_out,
            tries,
            is_wrong,
            pieces,
            families,
            run,
            seen,
            counts,
            line: Line::new(),
        }
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
        let found = sheet.families.metric(point, next, &sheet.labels);
        self.is_wrong |= found.is_changed;
        let shown = &mut sheet.families.metrics[found.at];
        shown.is_there = true;
        shown.notice.iter().for_each(|notice| self.notices.note(format_args!("{notice}")));
        let begin = self.out.len();
        let piece = shown.family.map(|at| {
            let family = &mut sheet.families.all[at];
            let place = *family.place.get_or_insert_with(|| {
                if sheet.dialect == Dialect::Protobuf {
                    self.out.extend_from_slice(&protobuf::FRAME);
                }
                self.out.extend_from_slice(&family.head);
                self.families += 1;
                self.families - 1
            });
            Piece { family: place, begin, end: begin }
        });
        self.run = Run { metric: found.at, piece, first: self.out.len(), is_begun: true, is_open: true };
    }

    /// The points of a metric end.
    fn close(&mut self) {
        let Some(piece) = self.run.piece.take() else { return };
        let (end, first) = (self.out.len(), self.run.first);
        if end > first {
            return self.pieces.push(Piece { end, ..piece });
        }
        self.out.truncate(piece.begin);
        // The family began with it.
        if piece.begin < first
            && let Some(Sheet { families, .. }) = self.sheet
            && let Some(family) = families.metrics[self.run.metric].family
        {
            families.all[family].place = None;
            self.families -= 1;
        }
    }

    /// Brings the series of each family together.
    fn gather(&mut self) {
        if self.pieces.is_sorted_by_key(|piece| piece.family) {
            return;
        }
        let mut whole = Vec::with_capacity(self.out.len());
        let before = self.pieces.first().map_or(0, |first| first.begin);
        whole.extend_from_slice(&self.out[..before]);
        self.pieces.sort_by_key(|piece| piece.family);
        for piece in &mut self.pieces {
            let begin = whole.len();
            whole.extend_from_slice(&self.out[piece.begin..piece.end]);
            *piece = Piece { begin, end: whole.len(), ..*piece };
        }
        self.out = whole;
    }

    /// Says that a series is not there.
    #[cold]
    fn leave_out(&mut self, point: &PointRef<'_>, why: &str) {
        self.left_out += 1;
        self.notices.note(format_args!(
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
        self.pieces.clear();
        self.families = 0;
        self.seen.clear();
        self.notices.begin();
        self.out.extend_from_slice(&sheet.target);
    }

    fn metric(&mut self) {
        self.run.is_open = false;
    }

    /// Whether the page is as it has to be.
    fn end(&mut self) -> bool {
        self.close();
        let Some(sheet) = self.sheet else { return true };
        self.is_wrong |= sheet.families.end();
        if self.is_wrong && self.tries < MOST_TRIES {
            return false;
        }
        let dialect = sheet.dialect;
        self.gather();
        if dialect == Dialect::Protobuf {
            for family in self.pieces.chunk_by(|a, b| a.family == b.family) {
                let [begin, end] = [family[0].begin, family[family.len() - 1].end];
                protobuf::frame(&mut self.out[begin..end]);
            }
        } else if dialect == Dialect::OpenMetrics {
            self.out.extend_from_slice(text::EOF);
        }
        self.notices.say();
        true
    }

    fn visit(&mut self, point: &PointRef<'_>) {
        if !self.run.is_open {
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
            line: &mut self.line,
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
