//! The driver for what speaks to a network: several requests are out at once, and one that hangs is let go of.
//!
//! Everything runs on the exporter's own thread, in a runtime of its own.

use std::future::{Future, poll_fn};
use std::task::{Context, Poll};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::bodies::Bodies;
use super::ledger::Reason;
use super::parcel::Parcel;
use super::schedule::Step;
use super::worker::{EndOnDrop, Hello, Job, Worker, panicked};
use crate::clock::Tick;
use crate::exporters::{Activity, Delivery, ExportError, Protocol, Sending, Signal};
use crate::model::Kind;
use crate::thread::quietly;

/// A request that is out.
struct Flight<'a> {
    attempt: Sending<'a>,
    parcel: Parcel,
    /// What of it is not in the request, as it can't be.
    refused: Delivery,
    began: Tick,
    /// It has to be over by then.
    until: Tick,
}

/// How it ended; none where the protocol panicked.
type Ended = Option<Result<Delivery, ExportError>>;

/// What there is to do.
enum Event<'a> {
    Landed(Box<Flight<'a>>, Ended),
    Checked(Result<(), ExportError>),
    /// Something else has changed, or it is time.
    Changed,
}

pub(super) fn run(protocol: Box<dyn Protocol>, says: &Sender<Option<Hello>>, job: &Receiver<Job>) {
    let hello = quietly(|| Hello {
        name: protocol.name().to_owned(),
        wants: Signal::EACH.map(|signal| protocol.wants(signal)),
        temporality: Kind::SUMMED.map(|kind| protocol.temporality(kind)),
        limits: protocol.limits(),
        is_live: false,
    });
    let _ = says.send(hello);
    if let Ok(job) = job.recv() {
        let mut end = EndOnDrop::of(&job);
        if fly(&*protocol, Worker::new(job)) {
            end.reason = Reason::Deadline;
        }
    }
    let _ = quietly(|| drop(protocol));
}

/// Whether it could.
fn fly(protocol: &dyn Protocol, worker: Worker) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .on_thread_start(crate::thread::suppress_this_thread)
        .build();
    match runtime {
        Ok(runtime) => {
            runtime.block_on(drive(protocol, worker));
            // A name that is being looked up must not hold the thread.
            runtime.shutdown_background();
            true
        }
        Err(e) => {
            worker.job.complaints.say("runtime", 0, format_args!("its runtime can't be started: {e}"));
            false
        }
    }
}

async fn drive(protocol: &dyn Protocol, mut worker: Worker) {
    let timeout = worker.job.timeout;
    let mut check: Option<Sending<'_, ()>> =
        worker.job.check.is_some().then(|| Box::pin(check(protocol, timeout)) as _);
    let mut flights: Vec<Flight<'_>> = Vec::new();
    let bodies = Bodies::default();
    loop {
        let now = worker.job.clock.now();
        let until = match worker.schedule.next(now) {
            Step::Attempt(parcel) => {
                take_off(protocol, parcel, &mut worker, &mut flights, &bodies);
                continue;
            }
            Step::Wait(until, does) => {
                worker.note(if flights.is_empty() { does } else { Activity::Send });
                until
            }
            // What is still out is let go of; its tickets say so.
            Step::Done => return,
        };
        match next_event(&worker, &mut flights, &mut check, until).await {
            Event::Landed(flight, ended) => {
                let ended = ended.map(|ended| ended.map(|delivery| delivery.and(flight.refused)));
                worker.landed(flight.parcel, ended, flight.began);
            }
            Event::Checked(result) => worker.checked(result),
            Event::Changed => {}
        }
    }
}

async fn check(protocol: &dyn Protocol, at_most: Duration) -> Result<(), ExportError> {
    let mut check = quietly(|| protocol.check()).ok_or_else(panicked)?;
    let quiet =
        poll_fn(|cx| quietly(|| check.as_mut().poll(cx)).unwrap_or_else(|| Poll::Ready(Err(panicked()))));
    tokio::time::timeout(at_most, quiet).await.unwrap_or_else(|_| Err(no_answer()))
}

fn no_answer() -> ExportError {
    ExportError::retry("no answer within the time-out")
}

fn take_off<'a>(
    protocol: &'a dyn Protocol,
    mut parcel: Parcel,
    worker: &mut Worker,
    flights: &mut Vec<Flight<'a>>,
    bodies: &Bodies,
) {
    let began = worker.job.clock.now();
    let mut body = bodies.take();
    let most = worker.job.pace.limits.bytes;
    let refused;
    match quietly(|| protocol.encode(&parcel.batch, most, &mut body)) {
        None => return worker.landed(parcel, None, began),
        Some(Err(error)) => return worker.landed(parcel, Some(Err(error)), began),
        Some(Ok(encoded)) => {
            if encoded.items < parcel.batch.len() {
                let first = parcel.take_first(encoded.items.max(1));
                worker.schedule.put_back(std::mem::replace(&mut parcel, first));
            }
            refused = Delivery::partial(encoded.rejected, encoded.reason);
        }
    }
    if refused.rejected() == parcel.batch.len() {
        return worker.landed(parcel, Some(Ok(refused)), began);
    }
    let signal = parcel.batch.signal();
    let until = began.plus(worker.job.timeout);
    let body = bodies.lend(body);
    let attempt = Box::pin(async move { protocol.send(signal, body).await });
    flights.push(Flight { attempt, parcel, refused, began, until });
}

/// Waits until a request is over, or something else has changed.
async fn next_event<'a>(
    worker: &Worker,
    flights: &mut Vec<Flight<'a>>,
    check: &mut Option<Sending<'a, ()>>,
    until: Option<Tick>,
) -> Event<'a> {
    let clock = &worker.job.clock;
    let earliest = flights.iter().map(|flight| flight.until).chain(until).min();
    // Where a test moves the clock, that wakes the lanes.
    let wait = earliest.and_then(|earliest| clock.time_until(earliest));
    let mut alarm = wait.map(|wait| Box::pin(tokio::time::sleep(wait)));
    poll_fn(|cx| {
        for at in 0..flights.len() {
            if let Some(ended) = flights[at].poll(clock.now(), cx) {
                return Poll::Ready(Event::Landed(Box::new(flights.swap_remove(at)), ended));
            }
        }
        if let Some(Poll::Ready(result)) = check.as_mut().map(|check| check.as_mut().poll(cx)) {
            *check = None;
            return Poll::Ready(Event::Checked(result));
        }
        if worker.job.lanes.poll_changed(cx).is_ready() {
            return Poll::Ready(Event::Changed);
        }
        alarm.as_mut().map_or(Poll::Pending, |alarm| alarm.as_mut().poll(cx).map(|()| Event::Changed))
    })
    .await
}

impl Flight<'_> {
    fn poll(&mut self, now: Tick, cx: &mut Context<'_>) -> Option<Ended> {
        let attempt = self.attempt.as_mut();
        match quietly(|| attempt.poll(cx)) {
            Some(Poll::Ready(ended)) => Some(Some(ended)),
            None => Some(None),
            Some(Poll::Pending) if now >= self.until => Some(Some(Err(no_answer()))),
            Some(Poll::Pending) => None,
        }
    }
}
