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
use super::text;
use super::writing::Writing;
use crate::metrics::Source;
use crate::sync::{Mutex, lock};

/// Of so many forms it keeps what stays the same.
const MOST_SHEETS: usize = 3;

/// Makes the pages of one [`Prometheus`](super::Prometheus).
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// How many pages were begun.
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
    pages: Vec<Page>,
    /// So long was the last page.
    length: usize,
    notices: Notices,
}

#[derive(Clone)]
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
            let plain = work.page(before, form, false).unwrap_or_else(|| {
                let number = self.begun.fetch_add(1, Relaxed) + 1;
                let (body, left_out) = work.render(settings, form, source);
                self.left_out.store(left_out, Relaxed);
                work.keep(number, form, false, Arc::new(body))
            });
            if is_packed { work.keep(plain.number, form, true, Arc::new(packed(&plain.body))) } else { plain }
        });
        if is_last {
            work.pages = Vec::new();
        }
        body.body
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
    fn page(&self, after: u64, form: Form, is_packed: bool) -> Option<Page> {
        let wanted = |page: &&Page| page.number > after && (page.form, page.is_packed) == (form, is_packed);
        self.pages.iter().find(wanted).cloned()
    }

    fn keep(&mut self, number: u64, form: Form, is_packed: bool, body: Arc<Vec<u8>>) -> Page {
        let page = Page { number, form, is_packed, body };
        self.pages.retain(|page| (page.form, page.is_packed) != (form, is_packed));
        self.pages.push(page.clone());
        page
    }

    /// The page, and how many series it is without.
    fn render(&mut self, settings: &Settings, form: Form, source: &Source) -> (Vec<u8>, u64) {
        let kind = (form.dialect(), form.escaping);
        let at = self.sheets.iter().position(|sheet| (sheet.dialect, sheet.escaping) == kind);
        let mut sheet = at.map(|at| self.sheets.remove(at));
        let length = self.length.min(settings.max_bytes);
        let mut writing = Writing::new(settings, kind, &mut sheet, &mut self.notices, length);
        source.visit(&mut writing);
        let (out, left_out) = writing.into_page();
        self.length = out.len();
        if self.sheets.len() >= MOST_SHEETS {
            self.sheets.remove(0);
        }
        self.sheets.extend(sheet);
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
