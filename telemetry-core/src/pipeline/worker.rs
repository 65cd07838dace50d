//! What both drivers of an exporter do: they ask its schedule what is next, and say how attempts ended.

use std::sync::Arc;
#[cfg(any(feature = "net", test))]
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::Sender;
#[cfg(any(feature = "net", test))]
use crossbeam_channel::{Receiver, TryRecvError};

use super::books::Books;
use super::feedback::{Complaints, Given, Reports};
use super::lanes::Lanes;
use super::ledger::Reason;
use super::parcel::{Parcel, Tries};
use super::schedule::Schedule;
#[cfg(any(feature = "net", test))]
use super::spool::{Bounds, For, Heir, Replay, Spool};
#[cfg(any(feature = "net", test))]
use super::spooling::Spooling;
use super::step::{Aftermath, GivenUp, Next, Pace};
use crate::clock::{Clock, Tick};
use crate::exporters::{Activity, Delivery, ExportError, ExportReport, Limits, NextAttempt, Signal};
use crate::metrics::SharedHistogram;
use crate::model::Temporality;
use crate::text;
use crate::thread::{quietly, random_u64};

/// What an exporter says of itself, once.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    pub(crate) name: String,
    pub(crate) wants: [bool; 3],
    /// Of the kinds that are summed up.
    pub(crate) temporality: [Temporality; 3],
    pub(crate) limits: Limits,
    /// How its bodies are written; empty where it makes none.
    #[cfg(any(feature = "net", test))]
    pub(crate) format: String,
    /// It shows things as they happen.
    pub(crate) is_live: bool,
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
    /// Whether the exporter is asked for a check of its own.
    pub(crate) check: Option<Check>,
    #[cfg(any(feature = "net", test))]
    pub(crate) spool: Option<Spooling>,
    #[cfg(any(feature = "net", test))]
    pub(crate) inherits: Option<Inherits>,
}

/// The spool of the exporter whose place it takes, which comes when that one has ended.
#[cfg(any(feature = "net", test))]
pub(crate) struct Inherits {
    pub(crate) spool: Receiver<Spool>,
    pub(crate) whose: For,
    pub(crate) bounds: Bounds,
    pub(crate) always: bool,
    pub(crate) heirs: Receiver<Heir>,
    /// It has come.
    pub(crate) is_there: Arc<AtomicBool>,
}

/// What becomes of the exporter's own check.
pub(crate) enum Check {
    /// A failure is said.
    Say,
    Tell(Sender<Result<(), ExportError>>),
}

pub(super) fn panicked() -> ExportError {
    ExportError::never(PANICKED)
}

const PANICKED: &str = "the exporter panicked";

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

    /// The same with its spool, if it has one.
    #[cfg(any(feature = "net", test))]
    pub(super) fn with_spool(mut job: Job) -> Self {
        let spool = job.spool.take();
        let mut worker = Self::new(job);
        spool.into_iter().for_each(|spool| worker.schedule.spool_to(spool));
        worker
    }

    /// Takes the spool over that it inherits, if it has come.
    #[cfg(any(feature = "net", test))]
    pub(super) fn take_over(&mut self) {
        let Some(came) = self.job.inherits.as_ref().map(|inherits| inherits.spool.try_recv()) else { return };
        if let Err(TryRecvError::Empty) = came {
            return;
        }
        let Some(Inherits { whose, bounds, always, heirs, is_there, .. }) = self.job.inherits.take() else {
            return;
        };
        let Ok(spool) = came else {
            let why = "the exporter whose place it has taken did not hand its spool over: it has none";
            return self.job.complaints.say("spool", 0, format_args!("{why}"));
        };
        spool.pass_to(whose, bounds);
        self.schedule.spool_to(Spooling::new(spool, bounds, always, heirs));
        is_there.store(true, Relaxed);
    }

    /// What it does from now on, for whoever asks how it fares.
    pub(super) fn note(&self, activity: Activity) {
        self.job.lanes.note_health(|health| health.activity = activity);
    }

    pub(super) fn wait(&self, until: Option<Tick>) {
        self.job.lanes.wait(until.and_then(|until| self.job.clock.time_until(until)));
    }

    /// The exporter's own check has ended.
    pub(super) fn checked(&mut self, result: Result<(), ExportError>) {
        let mut unsaid = Some(result);
        match (self.job.check.take(), &unsaid) {
            (Some(Check::Tell(engine)), _) => {
                unsaid = unsaid.and_then(|result| engine.send(result).err()).map(|unsent| unsent.0);
            }
            (Some(Check::Say), Some(Err(error))) => {
                let error = text_of(error);
                self.job.complaints.say("check", 0, format_args!("the check at the start failed: {error}"));
            }
            _ => {}
        }
        // What an error holds is of the program.
        quietly(|| drop(unsaid));
    }

    /// An attempt has ended; none where the exporter panicked.
    pub(super) fn landed(
        &mut self,
        mut parcel: Parcel,
        ended: Option<Result<Delivery, ExportError>>,
        began: Tick,
    ) {
        let now = self.job.clock.now();
        parcel.tries.error = said(ended.as_ref());
        let (signal, items) = (parcel.batch.signal(), parcel.batch.len() as u64);
        let report = self.report_of(signal, items, &parcel.tries, began, now);
        let after = match &ended {
            Some(ended) => self.schedule.ended(parcel, ended.as_ref(), now),
            None => self.schedule.panicked(parcel),
        };
        // What an error holds is of the program.
        quietly(|| drop(ended));
        self.tell(report, after);
    }

    /// The same for a stored body.
    #[cfg(any(feature = "net", test))]
    pub(super) fn replayed(
        &mut self,
        mut replay: Replay,
        ended: Option<Result<Delivery, ExportError>>,
        began: Tick,
    ) {
        let now = self.job.clock.now();
        replay.tries.error = said(ended.as_ref());
        let report = self.report_of(replay.signal(), replay.items(), &replay.tries, began, now);
        let after = self.schedule.replayed(replay, ended.as_ref().map(Result::as_ref), now);
        quietly(|| drop(ended));
        self.tell(report, after);
    }

    /// An attempt with so many items has ended; nothing is said yet of what becomes of them.
    fn report_of(&self, signal: Signal, items: u64, tries: &Tries, began: Tick, now: Tick) -> ExportReport {
        let report = ExportReport {
            exporter: self.job.name.clone(),
            signal,
            attempt: tries.attempts,
            items,
            delivered: 0,
            rejected: 0,
            expired: 0,
            error: tries.error.as_deref().map(str::to_owned),
            duration: Duration::from_nanos(now.since(began)),
            next: NextAttempt::Settled,
        };
        // Of no collector: its values are in no span of the program.
        self.job.durations.record(report.duration.as_secs_f64(), 0);
        report
    }

    fn tell(&self, mut report: ExportReport, after: Aftermath) {
        let Aftermath { delivered, rejected, expired, next, given_up } = after;
        for GivenUp { items, is_refused, tries } in given_up {
            let (rejected, expired) = if is_refused { (items, 0) } else { (0, items) };
            let error = tries.error.as_deref().map(str::to_owned);
            let (attempt, duration) = (tries.attempts, Duration::ZERO);
            self.report(ExportReport {
                attempt,
                items,
                rejected,
                expired,
                error,
                duration,
                ..report.clone()
            });
        }
        (report.delivered, report.rejected, report.expired) = (delivered, rejected, expired);
        report.next = match next {
            Next::Settled => NextAttempt::Settled,
            Next::Retry(wait) => NextAttempt::After(wait),
            Next::Split => NextAttempt::Smaller,
        };
        self.report(report);
    }

    /// Of what goes to the spool, something can't be said by the protocol.
    #[cfg(any(feature = "net", test))]
    pub(super) fn say_refused(&self, signal: Signal, refused: &Delivery) {
        let (n, why) = (refused.rejected() as u64, refused.reason());
        self.job.complaints.say("refused", n, format_args!("refused {}: {why}", signal.amount(n)));
    }

    /// Tells the program, if it wants to be told, else people.
    fn report(&self, report: ExportReport) {
        let complaints = &self.job.complaints;
        let report = match self.job.reports.give(report) {
            Given::Taken => return,
            Given::NoRoom => {
                return complaints.say(
                    "reports",
                    1,
                    format_args!("the closure of `on_export` does not keep up"),
                );
            }
            Given::NotWanted(report) => report,
        };
        let error = report.error.as_deref().unwrap_or_default();
        let because = if error.is_empty() { String::new() } else { format!(": {error}") };
        if report.rejected > 0 {
            let items = report.signal.amount(report.rejected);
            complaints.say("refused", report.rejected, format_args!("refused {items}{because}"));
        }
        if report.expired > 0 {
            let (items, time) = (report.signal.amount(report.expired), self.job.pace.give_up_after);
            complaints.say(
                "given up",
                report.expired,
                format_args!("gave up {items} after {time:?}{because}"),
            );
        }
        match report.next {
            NextAttempt::Settled if report.is_success() && !error.is_empty() => {
                complaints.say("warned", 0, format_args!("its receiver warns{because}"));
            }
            NextAttempt::Settled => {}
            NextAttempt::After(Duration::ZERO) => {
                complaints.say(
                    "failed",
                    0,
                    format_args!("an attempt failed{because}; it is made again at once"),
                );
            }
            NextAttempt::After(wait) => {
                let secs = wait.as_secs_f64();
                complaints.say(
                    "failed",
                    0,
                    format_args!("an attempt failed{because}; the next one in {secs:.1} s"),
                );
            }
            NextAttempt::Smaller => {
                complaints.say(
                    "too large",
                    0,
                    format_args!("too large{because}; it is tried in smaller requests"),
                );
            }
        }
    }
}

/// So much is said of an error.
const MOST_OF_ERROR: usize = 4 << 10;

/// What an attempt says of itself, if anything.
fn said(ended: Option<&Result<Delivery, ExportError>>) -> Option<Arc<str>> {
    match ended {
        Some(Ok(delivery)) => {
            let reason = text::line(format_args!("{}", delivery.reason()), MOST_OF_ERROR);
            Some(reason).filter(|reason| !reason.is_empty()).map(Into::into)
        }
        Some(Err(error)) => Some(text_of(error).into()),
        None => Some(PANICKED.into()),
    }
}

/// What an error says, in one line; its text is made by code of the program.
fn text_of(error: &ExportError) -> String {
    quietly(|| text::line(format_args!("{error}"), MOST_OF_ERROR))
        .unwrap_or_else(|| "its error panicked when it was asked for its text".to_owned())
}

/// However the thread ends, nobody waits for it longer.
pub(super) struct EndOnDrop {
    books: Arc<Books>,
    lanes: Arc<Lanes>,
    complaints: Arc<Complaints>,
    number: usize,
    /// Why what it still has is lost.
    pub(super) reason: Reason,
}

impl EndOnDrop {
    pub(super) fn of(job: &Job) -> Self {
        let (books, lanes) = (Arc::clone(&job.books), Arc::clone(&job.lanes));
        let complaints = Arc::clone(&job.complaints);
        Self { books, lanes, complaints, number: job.number, reason: Reason::Closed }
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        // All that it has to say is said when somebody who waits for it goes on.
        self.complaints.finish();
        if !self.lanes.leaves() {
            self.books.end(self.number, self.reason);
        }
    }
}
