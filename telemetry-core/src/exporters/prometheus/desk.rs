//! Where pages are made: requests come in, from any thread, and pages go out. A page is never older than the request for it;
//! those who wait for one at the same time are given the same.
//!
//! It keeps what stays the same of the last few forms that were asked for, and between requests no page.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::form::{Dialect, Form};
use super::notices::Notices;
use super::settings::Settings;
use super::sheet::Sheet;
use super::{making, protobuf, text};
use crate::metrics::{Snapshot, Source};
use crate::sync::{Mutex, lock};

/// Of so many forms it keeps what stays the same.
const MOST_SHEETS: usize = 3;

/// Makes the pages of one [`Prometheus`](super::Prometheus).
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// How many snapshots were begun.
    begun: AtomicU64,
    /// How many wait for their turn.
    waiting: AtomicUsize,
    left_out: AtomicU64,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    /// The one that was used last comes last.
    sheets: Vec<Sheet>,
    /// For those who wait.
    snapshot: Option<(u64, Snapshot)>,
    pages: Vec<Page>,
    /// So long was the last page.
    length: usize,
    notices: Notices,
}

struct Page {
    number: u64,
    form: Form,
    is_packed: bool,
    body: Arc<Vec<u8>>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("sheets", &self.sheets.len()).finish_non_exhaustive()
    }
}

impl Desk {
    /// A page of what the source has now, compressed or not.
    pub(super) fn page(
        &self,
        settings: &Settings,
        source: &Source,
        form: Form,
        is_packed: bool,
    ) -> Arc<Vec<u8>> {
        // Whatever began before this moment may lack what was counted before it.
        let before = self.begun.load(Relaxed);
        self.waiting.fetch_add(1, Relaxed);
        let mut work = lock(&self.work);
        let is_last = self.waiting.fetch_sub(1, Relaxed) == 1;
        let body = work.page(before, form, is_packed).unwrap_or_else(|| {
            let (number, snapshot) = work.snapshot(before, source, &self.begun);
            let plain = work.page(before, form, false).unwrap_or_else(|| {
                let (body, left_out) = work.render(settings, form, &snapshot);
                self.left_out.store(left_out, Relaxed);
                work.keep(number, form, false, Arc::new(body))
            });
            if is_packed { work.keep(number, form, true, Arc::new(packed(&plain))) } else { plain }
        });
        if is_last {
            work.snapshot = None;
            work.pages = Vec::new();
        }
        body
    }

    /// A page without anything.
    pub(super) fn nothing(form: Form, is_packed: bool) -> Arc<Vec<u8>> {
        let body = if form.dialect() == Dialect::OpenMetrics { text::EOF } else { b"" };
        Arc::new(if is_packed { packed(body) } else { body.to_vec() })
    }

    #[cfg(test)]
    pub(super) fn silence(&self) {
        lock(&self.work).notices = Notices::silent();
    }

    /// How many series the last page was without.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.load(Relaxed)
    }
}

impl Work {
    /// One that was begun after so many others.
    fn page(&self, after: u64, form: Form, is_packed: bool) -> Option<Arc<Vec<u8>>> {
        let wanted = |page: &&Page| page.number > after && (page.form, page.is_packed) == (form, is_packed);
        self.pages.iter().find(wanted).map(|page| Arc::clone(&page.body))
    }

    fn snapshot(&mut self, after: u64, source: &Source, begun: &AtomicU64) -> (u64, Snapshot) {
        match &self.snapshot {
            Some((number, snapshot)) if *number > after => (*number, snapshot.clone()),
            _ => {
                let number = begun.fetch_add(1, Relaxed) + 1;
                let snapshot = source.read();
                self.snapshot = Some((number, snapshot.clone()));
                (number, snapshot)
            }
        }
    }

    fn keep(&mut self, number: u64, form: Form, is_packed: bool, body: Arc<Vec<u8>>) -> Arc<Vec<u8>> {
        self.pages.retain(|page| (page.form, page.is_packed) != (form, is_packed));
        self.pages.push(Page { number, form, is_packed, body: Arc::clone(&body) });
        body
    }

    /// The page, and how many series it is without.
    fn render(&mut self, settings: &Settings, form: Form, snapshot: &Snapshot) -> (Vec<u8>, u64) {
        let kind = (form.dialect(), form.escaping);
        let at = self.sheets.iter().position(|sheet| (sheet.dialect, sheet.escaping) == kind);
        let mut before = at.map(|at| self.sheets.remove(at));
        let fitting = before.take_if(|sheet| sheet.fits(snapshot));
        let sheet = fitting
            .unwrap_or_else(|| making::sheet(settings, kind, snapshot, before.as_ref(), &mut self.notices));
        // A little more, so that a page that grew by some digits needs no other memory.
        let length = self.length.max(2 * sheet.labels.len()).min(settings.max_bytes);
        let mut out = Vec::with_capacity(length + length / 32);
        let render = if kind.0 == Dialect::Protobuf { protobuf::render } else { text::render };
        let left_out = sheet.left_out + render(&sheet, snapshot.metrics(), settings.max_bytes, &mut out);
        self.length = out.len();
        if self.sheets.len() >= MOST_SHEETS {
            self.sheets.remove(0);
        }
        self.sheets.push(sheet);
        (out, left_out)
    }
}

/// Compressed as fast as can be: whoever scrapes waits for it.
fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 8 + 64), Compression::fast());
    // A vector takes everything.
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}
