//! What is said of an exporter: to people on standard error, limited in rate; to the program, if it asks (`on_export`).
//!
//! A closure of the program runs on a thread of its own; when it does not keep up, reports are left out and counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::diagnostics::warn;
use crate::exporters::ExportReport;
use crate::sync::{Mutex, lock};
use crate::thread::{quietly, spawn};

/// Takes reports of attempts.
pub(crate) type OnExport = Box<dyn Fn(&ExportReport) + Send + Sync>;

/// Says what goes wrong: one line in ten seconds of each kind.
#[derive(Debug)]
pub(crate) struct Complaints {
    /// Of whom.
    name: String,
    said: Mutex<HashMap<&'static str, Said>>,
}

#[derive(Debug)]
struct Said {
    last: Instant,
    /// Items that were not spoken of since.
    kept_back: u64,
}

const EVERY: Duration = Duration::from_secs(10);

impl Complaints {
    pub(crate) fn of(name: String) -> Self {
        Self { name, said: Mutex::default() }
    }

    /// So many items are concerned, for a reason of that kind, which says in a word or two what became of them.
    pub(crate) fn say(&self, kind: &'static str, items: u64, text: std::fmt::Arguments<'_>) {
        let now = Instant::now();
        let mut said = lock(&self.said);
        let known = said.get_mut(kind);
        let more = match known {
            Some(known) if now.duration_since(known.last) < EVERY => {
                known.kept_back += items;
                return;
            }
            Some(known) => std::mem::replace(known, Said { last: now, kept_back: 0 }).kept_back,
            None => {
                said.insert(kind, Said { last: now, kept_back: 0 });
                0
            }
        };
        drop(said);
        if more > 0 {
            warn(format_args!("{}: {text} (and {} before that)", self.name, amount(more)));
        } else {
            warn(format_args!("{}: {text}", self.name));
        }
    }

    /// Says what was kept back, at the end.
    pub(crate) fn finish(&self) {
        let said = std::mem::take(&mut *lock(&self.said));
        for (kind, said) in said.into_iter().filter(|(_, said)| said.kept_back > 0) {
            warn(format_args!("{}: since then {} {kind}", self.name, amount(said.kept_back)));
        }
    }
}

pub(super) fn amount(n: u64) -> String {
    format!("{n} {}", if n == 1 { "item" } else { "items" })
}

/// Hands reports to the program.
#[derive(Clone, Default)]
pub(crate) struct Reports(Arc<Mutex<Wanted>>);

#[derive(Default)]
enum Wanted {
    /// The program has not asked for them: people are told.
    #[default]
    No,
    /// With what says that all were handed out: nobody has the other end then.
    Yes(Sender<ExportReport>, Receiver<()>),
    /// The program has asked, and is told no more.
    NoMore,
}

/// What became of a report.
pub(crate) enum Given {
    Taken,
    /// The program does not keep up.
    NoRoom,
    NotWanted(ExportReport),
}

/// So many reports wait for the program.
const MOST: usize = 1024;

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reports").finish_non_exhaustive()
    }
}

impl Reports {
    /// From now on that closure is given them, instead of the one before and instead of lines on standard error.
    pub(crate) fn give_to(&self, on_export: OnExport) -> std::io::Result<()> {
        let ((sender, reports), (open, done)) = (bounded(MOST), bounded(0));
        spawn("telemetry-reports", move || {
            hand_out(&reports, &*on_export);
            // What it captured may do anything when it goes, and nobody waits for that.
            drop(open);
            quietly(|| drop(on_export));
        })?;
        *lock(&self.0) = Wanted::Yes(sender, done);
        Ok(())
    }

    pub(crate) fn give(&self, report: ExportReport) -> Given {
        match &*lock(&self.0) {
            Wanted::No => Given::NotWanted(report),
            Wanted::Yes(reports, _) if matches!(reports.try_send(report), Err(TrySendError::Full(_))) => {
                Given::NoRoom
            }
            Wanted::Yes(..) | Wanted::NoMore => Given::Taken,
        }
    }

    /// No more will come. What is returned is closed when all were handed out.
    pub(crate) fn finish(&self) -> Option<Receiver<()>> {
        let mut wanted = lock(&self.0);
        let Wanted::Yes(_, done) = &*wanted else { return None };
        let done = done.clone();
        *wanted = Wanted::NoMore;
        Some(done)
    }
}

fn hand_out(reports: &Receiver<ExportReport>, on_export: &(dyn Fn(&ExportReport) + Send + Sync)) {
    let mut has_panicked = false;
    for report in reports {
        if quietly(|| on_export(&report)).is_none() && !has_panicked {
            has_panicked = true;
            warn(format_args!("the closure of `on_export` panicked"));
        }
    }
}
