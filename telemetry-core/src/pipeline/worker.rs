//! What both drivers of an exporter do: they ask its schedule what is next, and say how attempts ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::books::Books;
use super::feedback::{Complaints, Reports};
use super::lanes::Lanes;
use super::parcel::Parcel;
use super::schedule::{Aftermath, Next, Pace, Schedule};
use crate::clock::{Clock, Tick};
use crate::exporters::{Activity, Delivery, ExportError, ExportReport, Limits, NextAttempt};
use crate::metrics::SharedHistogram;
use crate::model::Temporality;
use crate::thread::random_u64;

/// What an exporter says of itself, once.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    pub(crate) name: String,
    pub(crate) wants: [bool; 3],
    /// Of the kinds that are summed up.
    pub(crate) temporality: [Temporality; 3],
    pub(crate) limits: Limits,
}

/// What it needs to begin.
pub(crate) struct Job {
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) books: Arc<Books>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) pace: Pace,
    #[cfg(any(feature = "net", test))]
    pub(crate) timeout: Duration,
    pub(crate) complaints: Arc<Complaints>,
    pub(crate) reports: Reports,
    /// How long attempts take, in seconds.
    pub(crate) durations: Arc<SharedHistogram>,
    /// Where the result of the exporter's own check goes, if one is wanted.
    pub(crate) checked: Option<Sender<Result<(), ExportError>>>,
}

/// Runs code of the program, which may panic.
pub(super) fn quietly<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

pub(super) fn panicked() -> ExportError {
    ExportError::never("the exporter panicked")
}

/// What both drivers do.
pub(super) struct Worker {
    pub(super) job: Job,
    pub(super) schedule: Schedule,
}

impl Worker {
    pub(super) fn new(job: Job) -> Self {
        let schedule = Schedule::new(Arc::clone(&job.lanes), job.pace, job.clock.now(), random_u64);
        Self { job, schedule }
    }

    /// What it does from now on, for whoever asks how it fares.
    pub(super) fn note(&self, activity: Activity) {
        self.job.lanes.note_health(|health| health.activity = activity);
    }

    pub(super) fn wait(&self, until: Option<Tick>) {
        self.job.lanes.wait(until.and_then(|until| self.job.clock.time_until(until)));
    }

    /// An attempt has ended; none where the exporter panicked.
    pub(super) fn landed(
        &mut self,
        parcel: Parcel,
        ended: Option<Result<Delivery, ExportError>>,
        began: Tick,
    ) {
        let now = self.job.clock.now();
        let mut report = ExportReport {
            exporter: String::new(),
            signal: parcel.batch.signal(),
            attempt: parcel.failures + parcel.panics + 1,
            items: parcel.batch.len() as u64,
            delivered: 0,
            rejected: 0,
            expired: 0,
            error: None,
            duration: Duration::from_nanos(now.since(began)),
            next: NextAttempt::Settled,
        };
        // Of no collector: its values are in no span of the program.
        self.job.durations.record(report.duration.as_secs_f64(), 0);
        let after = match &ended {
            Some(ended) => self.schedule.ended(parcel, ended.as_ref(), now),
            None => self.schedule.panicked(parcel, now),
        };
        report.error = match ended {
            Some(Ok(delivery)) if delivery.rejected() > 0 => Some(delivery.reason().to_owned()),
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(error.to_string()),
            None => Some(panicked().to_string()),
        };
        self.report(report, after);
    }

    fn report(&self, mut report: ExportReport, after: Aftermath) {
        (report.delivered, report.rejected, report.expired) =
            (after.delivered, after.rejected, after.expired);
        report.next = match after.next {
            Next::Settled => NextAttempt::Settled,
            Next::Retry(wait) => NextAttempt::After(wait),
            Next::Split => NextAttempt::Smaller,
        };
        let complaints = &self.job.complaints;
        if self.job.reports.are_wanted() {
            report.exporter.clone_from(&self.job.name);
            if !self.job.reports.give(report) {
                complaints.say("reports", 1, format_args!("the closure of `on_export` does not keep up"));
            }
            return;
        }
        let (signal, error) = (report.signal.name(), report.error.as_deref().unwrap_or_default());
        if report.rejected > 0 {
            let n = report.rejected;
            complaints.say("refused", n, format_args!("refused {n} {signal}: {error}"));
        }
        if report.expired > 0 {
            let n = report.expired;
            complaints.say("expired", n, format_args!("gave up {n} {signal} after many attempts: {error}"));
        }
        match report.next {
            NextAttempt::Settled => {}
            NextAttempt::After(wait) => {
                let secs = wait.as_secs_f64();
                complaints.say("failed", 0, format_args!("{error}; next attempt in {secs:.1} s"));
            }
            NextAttempt::Smaller => {
                complaints.say("too large", 0, format_args!("{error}; next attempt in smaller requests"));
            }
        }
    }
}

/// However the thread ends, nobody waits for it longer.
pub(super) struct EndOnDrop {
    books: Arc<Books>,
    complaints: Arc<Complaints>,
    number: usize,
}

impl EndOnDrop {
    pub(super) fn of(job: &Job) -> Self {
        Self { books: Arc::clone(&job.books), complaints: Arc::clone(&job.complaints), number: job.number }
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.books.end(self.number);
        self.complaints.finish();
    }
}
