//! The driver for exporters that block: one attempt at a time, but for those that show things as they happen.

use crossbeam_channel::{Receiver, Sender};

use super::ledger::Reason;
use super::showing;
use super::step::Step;
use super::worker::{EndOnDrop, Hello, Job, Worker, panicked};
use crate::exporters::{Activity, Exporter, Limits, Signal};
use crate::model::Kind;
use crate::thread::quietly;

/// A blocking exporter takes what waits, up to that many bytes.
const BLOCKING: Limits = Limits { items: usize::MAX, bytes: 1 << 20, in_flight: 1 };
/// One that shows things as they happen may have so many batches of which not all is out.
const LIVE: Limits = Limits { in_flight: 16, ..BLOCKING };

pub(super) fn run(mut exporter: Box<dyn Exporter>, says: &Sender<Option<Hello>>, job: &Receiver<Job>) {
    let hello = quietly(|| Hello {
        name: exporter.name().to_owned(),
        wants: Signal::EACH.map(|signal| exporter.wants(signal)),
        temporality: Kind::SUMMED.map(|kind| exporter.temporality(kind)),
        limits: BLOCKING,
        #[cfg(any(feature = "net", test))]
        format: String::new(),
        is_live: exporter.live().is_some(),
    });
    let hello = hello.map(|hello| Hello { limits: if hello.is_live { LIVE } else { BLOCKING }, ..hello });
    let is_live = hello.as_ref().is_some_and(|hello| hello.is_live);
    let _ = says.send(hello);
    if let Ok(job) = job.recv() {
        let mut end = EndOnDrop::of(&job);
        let mut worker = Worker::new(job);
        if worker.job.check.is_some() {
            worker.note(Activity::Check);
            worker.checked(quietly(|| exporter.check()).unwrap_or_else(|| Err(panicked())));
        }
        if is_live {
            showing::show(&mut *exporter, &mut worker);
        } else {
            deliver(&mut *exporter, &mut worker);
        }
        worker.schedule.leave();
        end.reason = Reason::Deadline;
        let _ = quietly(|| exporter.shutdown());
    }
    // What it owns may do anything when it goes; by now nobody waits for it.
    let _ = quietly(|| drop(exporter));
}

/// One attempt after the other.
fn deliver(exporter: &mut dyn Exporter, worker: &mut Worker) {
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
            // Only what speaks to a network has a spool.
            #[cfg(any(feature = "net", test))]
            Step::Store(_) | Step::Replay(_) => {}
            Step::Done => return,
        }
    }
}
