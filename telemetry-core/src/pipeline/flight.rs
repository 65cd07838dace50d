//! The driver for what speaks to a network: several requests are out at once, and one that hangs is let go of.
//!
//! Everything runs on the exporter's own thread, in a runtime of its own.

use std::future::{Future, poll_fn};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};

use super::bodies::Bodies;
use super::ledger::Reason;
use super::parcel::Parcel;
use super::spool::Replay;
use super::step::Step;
use super::worker::{EndOnDrop, Hello, Job, Worker, panicked};
use crate::clock::{Tick, deadline_in};
use crate::exporters::{Activity, Delivery, ExportError, Protocol, Sending, Signal};
use crate::model::Kind;
use crate::thread::quietly;

/// A request that is out.
struct Flight<'a> {
    attempt: Sending<'a>,
    load: Load,
    /// What of it is not in the request, as it can't be.
    refused: Delivery,
    began: Tick,
    /// It has to be over by then.
    until: Tick,
}

/// Few items are written in more bytes.
const ITEM: usize = 4 << 10;

/// The memory of so many bodies is kept: an exporter seldom has more requests out.
const BODIES: usize = 2;

/// At the end, what was handed over to the spool is waited for so long.
const CLOSE: Duration = Duration::from_secs(1);

/// What a request is of.
enum Load {
    Parcel(Parcel),
    /// It was stored.
    Replay(Replay),
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
        format: protocol.format().to_owned(),
        is_live: false,
    });
    let _ = says.send(hello);
    if let Ok(job) = job.recv() {
        let mut end = EndOnDrop::of(&job);
        if fly(&*protocol, Worker::with_spool(job)) {
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
    let bodies = Bodies::keeping(BODIES);
    loop {
        let now = worker.job.clock.now();
        worker.take_over();
        if worker.schedule.spooling().is_some_and(|(spool, _)| spool.is_ending(now)) {
            recall(&mut flights, &mut worker);
        }
        let until = match worker.schedule.next(now) {
            Step::Attempt(parcel) => {
                take_off(protocol, parcel, &mut worker, &mut flights, &bodies);
                continue;
            }
            Step::Store(parcel) => {
                store(protocol, parcel, &mut worker, &bodies);
                continue;
            }
            Step::Replay(replay) => {
                let (began, body) = (worker.job.clock.now(), replay.body());
                flights.push(Flight::new(
                    protocol,
                    replay.signal(),
                    body,
                    Load::Replay(replay),
                    began,
                    &worker,
                ));
                continue;
            }
            Step::Wait(until, does) => {
                worker.note(if flights.is_empty() { does } else { Activity::Send });
                until
            }
            // What is still out is let go of; its tickets say so, or another exporter has it.
            Step::Done => {
                recall(&mut flights, &mut worker);
                worker.schedule.leave();
                worker.schedule.take_spool().into_iter().for_each(|spool| spool.close(deadline_in(CLOSE)));
                return;
            }
        };
        match next_event(&mut worker, &mut flights, &mut check, until).await {
            Event::Landed(flight, ended) => {
                let Flight { load, refused, began, .. } = *flight;
                let ended = ended.map(|ended| ended.map(|delivery| delivery.and(refused)));
                match load {
                    Load::Parcel(parcel) => worker.landed(parcel, ended, began),
                    Load::Replay(replay) => worker.replayed(replay, ended, began),
                }
            }
            Event::Checked(result) => worker.checked(result),
            Event::Changed => {}
        }
    }
}

/// Lets go of all requests; what they are of waits again.
fn recall(flights: &mut Vec<Flight<'_>>, worker: &mut Worker) {
    for flight in flights.drain(..) {
        match flight.load {
            Load::Parcel(parcel) => worker.schedule.recall(parcel),
            Load::Replay(replay) => {
                if let Some((spool, lines)) = worker.schedule.spooling() {
                    spool.recall(&mut lines[replay.signal() as usize], replay);
                }
            }
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
    parcel: Parcel,
    worker: &mut Worker,
    flights: &mut Vec<Flight<'a>>,
    bodies: &Bodies,
) {
    let (began, most) = (worker.job.clock.now(), worker.job.pace.limits.bytes);
    let Some((parcel, rest, body, refused)) = encode(protocol, parcel, (began, most), worker, bodies) else {
        return;
    };
    rest.into_iter().for_each(|rest| worker.schedule.put_back(rest));
    if refused.rejected() == parcel.batch.len() {
        return worker.landed(parcel, Some(Ok(refused)), began);
    }
    let signal = parcel.batch.signal();
    let flight = Flight::new(protocol, signal, body, Load::Parcel(parcel), began, worker);
    flights.push(Flight { refused, ..flight });
}

/// Hands a parcel over to the spool.
fn store(protocol: &dyn Protocol, parcel: Parcel, worker: &mut Worker, bodies: &Bodies) {
    let Some(most) = worker.schedule.spooling().map(|(spool, _)| spool.most_bytes()) else { return };
    let (began, most) = (worker.job.clock.now(), worker.job.pace.limits.bytes.min(most));
    let Some((parcel, rest, body, refused)) = encode(protocol, parcel, (began, most), worker, bodies) else {
        return;
    };
    let signal = parcel.batch.signal();
    if let Some((_, lines)) = worker.schedule.spooling() {
        rest.into_iter().for_each(|rest| lines[signal as usize].again.push_front(rest));
    }
    if refused.rejected() == parcel.batch.len() {
        return worker.landed(parcel, Some(Ok(refused)), began);
    }
    if refused.rejected() > 0 {
        worker.say_refused(signal, &refused);
    }
    if let Some((spool, lines)) = worker.schedule.spooling() {
        spool.store(&mut lines[signal as usize], parcel, body, refused.rejected() as u64, began);
    }
}

/// As much of a parcel as fits, the rest, its body and what is left out of that; none where it has ended with that.
fn encode(
    protocol: &dyn Protocol,
    mut parcel: Parcel,
    (began, most): (Tick, usize),
    worker: &mut Worker,
    bodies: &Bodies,
) -> Option<(Parcel, Option<Parcel>, Bytes, Delivery)> {
    // The item that does not fit any more is written too.
    let mut body = bodies.take(parcel.batch.bytes().min(most).saturating_add(ITEM));
    let encoded = match quietly(|| protocol.encode(&parcel.batch, most, &mut body)) {
        Some(Ok(encoded)) => encoded,
        failed => {
            worker.landed(parcel, failed.map(|failed| failed.map(|_| Delivery::all())), began);
            return None;
        }
    };
    let rest = (encoded.items < parcel.batch.len()).then(|| {
        let first = parcel.take_first(encoded.items.max(1));
        std::mem::replace(&mut parcel, first)
    });
    let refused = Delivery::partial(encoded.rejected, encoded.reason);
    Some((parcel, rest, bodies.lend(body), refused))
}

/// Waits until a request is over, or something else has changed.
async fn next_event<'a>(
    worker: &mut Worker,
    flights: &mut Vec<Flight<'a>>,
    check: &mut Option<Sending<'a, ()>>,
    until: Option<Tick>,
) -> Event<'a> {
    let Worker { job, schedule } = worker;
    let clock = &job.clock;
    let earliest = flights.iter().map(|flight| flight.until).chain(until).min();
    // Where a test moves the clock, that wakes the lanes.
    let wait = earliest.and_then(|earliest| clock.time_until(earliest));
    let mut alarm = wait.map(|wait| Box::pin(tokio::time::sleep(wait)));
    let mut is_written = false;
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
        if job.lanes.poll_changed(cx).is_ready() {
            return Poll::Ready(Event::Changed);
        }
        if let Some((spool, _)) = schedule.spooling()
            && spool.has_news(!flights.is_empty())
        {
            // First the connections write what was begun.
            if std::mem::replace(&mut is_written, true) {
                spool.tell();
            } else {
                cx.waker().wake_by_ref();
            }
        }
        alarm.as_mut().map_or(Poll::Pending, |alarm| alarm.as_mut().poll(cx).map(|()| Event::Changed))
    })
    .await
}

impl<'a> Flight<'a> {
    fn new(
        protocol: &'a dyn Protocol,
        signal: Signal,
        body: Bytes,
        load: Load,
        began: Tick,
        worker: &Worker,
    ) -> Self {
        let attempt = Box::pin(async move { protocol.send(signal, body).await });
        Self { attempt, load, refused: Delivery::all(), began, until: began.plus(worker.job.timeout) }
    }

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
