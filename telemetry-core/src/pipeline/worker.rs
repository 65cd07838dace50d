//! The thread of one exporter: it does what the schedule says.
//!
//! All code of an exporter runs here, so one that hangs or panics, in whatever it does, costs the others nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::books::Books;
use super::feedback::{Complaints, Reports};
use super::lanes::Lanes;
use super::parcel::Parcel;
use super::schedule::{Aftermath, Next, Pace, Schedule, Step};
use crate::clock::{Clock, Tick};
#[cfg(any(feature = "net", test))]
use crate::exporters::Protocol;
use crate::exporters::{
    Activity, Delivery, ExportError, ExportReport, Exporter, Limits, NextAttempt, Signal, Target,
};
use crate::model::{Kind, Temporality};
use crate::thread::{random_u64, suppress_this_thread};

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
    /// Where the result of the exporter's own check goes, if one is wanted.
    pub(crate) checked: Option<Sender<Result<(), ExportError>>>,
}

/// The threads' ends of a worker that has not begun.
pub(crate) struct Started {
    /// What it says of itself, or that it panicked.
    pub(crate) hello: Receiver<Option<Hello>>,
    /// It begins with this, and ends if none comes.
    pub(crate) begin: Sender<Job>,
}

/// A blocking exporter takes what waits, up to that many bytes.
const BLOCKING: Limits = Limits { items: usize::MAX, bytes: 4 << 20, in_flight: 1 };

/// Starts the thread.
pub(crate) fn spawn(target: Target) -> std::io::Result<Started> {
    let ((says, hello), (begin, job)) = (bounded(1), bounded(1));
    std::thread::Builder::new().name("telemetry-exporter".to_owned()).spawn(move || {
        suppress_this_thread();
        match target {
            Target::Blocking(exporter) => block(exporter, &says, &job),
            #[cfg(any(feature = "net", test))]
            Target::Network(protocol) => network(protocol, &says, &job),
        }
    })?;
    Ok(Started { hello, begin })
}

fn quietly<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

fn block(mut exporter: Box<dyn Exporter>, says: &Sender<Option<Hello>>, job: &Receiver<Job>) {
    let hello = quietly(|| Hello {
        name: exporter.name().to_owned(),
        wants: Signal::EACH.map(|signal| exporter.wants(signal)),
        temporality: Kind::SUMMED.map(|kind| exporter.temporality(kind)),
        limits: BLOCKING,
    });
    let _ = says.send(hello);
    if let Ok(mut job) = job.recv() {
        let _ended = EndOnDrop::of(&job);
        if let Some(checked) = job.checked.take() {
            let result = quietly(|| exporter.check()).unwrap_or_else(|| Err(panicked()));
            let _ = checked.send(result);
        }
        let mut worker = Worker::new(job);
        loop {
            match worker.schedule.next(worker.job.clock.now()) {
                Step::Attempt(parcel) => {
                    let began = worker.job.clock.now();
                    worker.note(Activity::Send);
                    let ended = quietly(|| exporter.export(&parcel.batch));
                    worker.landed(parcel, ended, began);
                }
                Step::Wait(until, does) => {
                    worker.note(does);
                    worker.wait(until);
                }
                Step::Done => break,
            }
        }
        let _ = quietly(|| exporter.shutdown());
    }
    // What it owns may do anything when it goes; by now nobody waits for it.
    let _ = quietly(|| drop(exporter));
}

#[cfg(any(feature = "net", test))]
fn network(protocol: Box<dyn Protocol>, says: &Sender<Option<Hello>>, job: &Receiver<Job>) {
    let hello = quietly(|| Hello {
        name: protocol.name().to_owned(),
        wants: Signal::EACH.map(|signal| protocol.wants(signal)),
        temporality: Kind::SUMMED.map(|kind| protocol.temporality(kind)),
        limits: protocol.limits(),
    });
    let _ = says.send(hello);
    if let Ok(job) = job.recv() {
        let _ended = EndOnDrop::of(&job);
        super::flight::fly(&*protocol, Worker::new(job));
    }
    let _ = quietly(|| drop(protocol));
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
    fn new(job: Job) -> Self {
        let schedule = Schedule::new(Arc::clone(&job.lanes), job.pace, job.clock.now(), random_u64);
        Self { job, schedule }
    }

    /// What it does from now on, for whoever asks how it fares.
    pub(super) fn note(&self, activity: Activity) {
        self.job.lanes.note_health(|health| health.activity = activity);
    }

    fn wait(&self, until: Option<Tick>) {
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
struct EndOnDrop {
    books: Arc<Books>,
    complaints: Arc<Complaints>,
    number: usize,
}

impl EndOnDrop {
    fn of(job: &Job) -> Self {
        Self { books: Arc::clone(&job.books), complaints: Arc::clone(&job.complaints), number: job.number }
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.books.end(self.number);
        self.complaints.finish();
    }
}
