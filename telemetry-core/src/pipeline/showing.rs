//! The driver for exporters that show things as they happen: they hold what they are given for a moment, to bring it in order,
//! and a batch has ended when all of it is out.

use std::collections::VecDeque;
use std::io;

use super::parcel::Parcel;
use super::step::Step;
use super::worker::Worker;
use crate::exporters::{Delivery, Exporter, Held, Live, Now};
use crate::thread::quietly;

/// Parcels of which not all is out, by number.
type Out = VecDeque<(u64, Parcel)>;

pub(super) fn show(exporter: &mut dyn Exporter, worker: &mut Worker) {
    let (mut out, mut number) = (Out::new(), 0);
    loop {
        let step = worker.schedule.next(worker.job.clock.now());
        let mut wait = None;
        match step {
            Step::Attempt(parcel) => {
                number += 1;
                let now = now(worker);
                if with(exporter, |live| live.take(&parcel.batch, number, now)).is_some() {
                    out.push_back((number, parcel));
                } else {
                    worker.landed(parcel, None, now.tick);
                }
            }
            Step::Wait(until, does) => wait = Some((until, does)),
            // Only what speaks to a network has a spool.
            #[cfg(any(feature = "net", test))]
            Step::Store(_) | Step::Replay(_) => {}
            Step::Done => {
                // Nobody waits for it longer, but perhaps somebody reads it.
                put_out(exporter, worker, &mut out, true);
                return;
            }
        }
        // Whoever flushes has all of it here when nothing is left to take.
        let all = wait.is_some() && worker.schedule.takes_flush();
        if put_out(exporter, worker, &mut out, all) {
            continue;
        }
        if let Some((until, does)) = wait {
            let held = with(exporter, |live| live.held()).flatten().map(|held| held.until);
            worker.note(does);
            worker.wait(until.into_iter().chain(held).min());
        }
    }
}

fn now(worker: &Worker) -> Now {
    let (clock, tick) = (&worker.job.clock, worker.job.clock.now());
    Now { tick, unix_nano: clock.anchors().unix_nanos(tick) }
}

/// What the exporter says; none where it panicked.
fn with<R>(exporter: &mut dyn Exporter, f: impl FnOnce(&mut dyn Live) -> R) -> Option<R> {
    quietly(|| exporter.live().map(f)).flatten()
}

/// Puts out what is due, or all, and lets those land of which all is out; whether there were any.
fn put_out(exporter: &mut dyn Exporter, worker: &mut Worker, out: &mut Out, all: bool) -> bool {
    if out.is_empty() {
        return false;
    }
    let now = now(worker);
    let ended = with(exporter, |live| (live.put_out(now, all), live.held()));
    let first = match &ended {
        Some((Ok(()), held)) => held.map(|Held { first, .. }| first),
        Some((Err(_), _)) | None => None,
    };
    let failed: Option<Option<io::Error>> = match ended {
        Some((Ok(()), _)) => None,
        Some((Err(error), _)) => Some(Some(error)),
        None => Some(None),
    };
    let mut has_landed = false;
    while let Some((_, parcel)) = out.pop_front_if(|(number, _)| first.is_none_or(|first| *number < first)) {
        has_landed = true;
        let ended = match &failed {
            None => Some(Ok(Delivery::all())),
            Some(Some(error)) => with(exporter, |live| live.error(error)).map(Err),
            Some(None) => None,
        };
        worker.landed(parcel, ended, now.tick);
    }
    has_landed
}
