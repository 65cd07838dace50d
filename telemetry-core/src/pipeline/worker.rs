//! One thread for each exporter: it alone waits, retries and gives up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select_biased};

use super::backoff::Backoff;
use super::books::{Books, Outcome};
use super::lanes::LaneOut;
use super::ledger::Reason;
use crate::diagnostics::warn;
use crate::exporters::{Batch, Delivery, ExportError, Exporter, Signal};
use crate::thread::{random_u64, suppress_this_thread};

/// What the collector tells a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    /// Somebody waits: try again now.
    Hurry,
    /// Deliver what is queued until then, and end.
    Stop(Instant),
}

pub(crate) struct Worker {
    exporter: Box<dyn Exporter>,
    name: String,
    number: usize,
    books: Arc<Books>,
    lanes: [LaneOut; 3],
    control: Receiver<Control>,
    stop: Option<Instant>,
    complaints: Complaints,
}

impl Worker {
    /// Starts the thread. It sends the result of the exporter's own check, if one is wanted, to `checked`.
    pub(crate) fn spawn(
        exporter: Box<dyn Exporter>,
        number: usize,
        books: Arc<Books>,
        lanes: [LaneOut; 3],
        control: Receiver<Control>,
        checked: Option<Sender<Result<(), ExportError>>>,
    ) -> std::io::Result<JoinHandle<()>> {
        let name = exporter.name().to_owned();
        let mut worker = Self {
            exporter,
            name,
            number,
            books,
            lanes,
            control,
            stop: None,
            complaints: Complaints::default(),
        };
        std::thread::Builder::new().name(format!("telemetry-{}", worker.name)).spawn(move || {
            suppress_this_thread();
            let _ended = EndOnDrop { books: Arc::clone(&worker.books), number: worker.number };
            if let Some(checked) = checked {
                let _ = checked.send(worker.attempt(Exporter::check));
            }
            worker.run();
        })
    }

    fn run(&mut self) {
        while let Some(batch) = self.next() {
            self.lanes[batch.signal() as usize].taken(&batch);
            let n = batch.len() as u64;
            let outcome = self.deliver(&batch);
            self.books.settle(self.number, batch.signal(), n, outcome);
        }
        let _ = catch_unwind(AssertUnwindSafe(|| self.exporter.shutdown()));
    }

    /// The next batch; metrics and events go before spans, which are many. None when all is done.
    fn next(&mut self) -> Option<Arc<Batch>> {
        loop {
            if self.stop.is_some() {
                let order = [Signal::Metrics, Signal::Events, Signal::Spans];
                return order
                    .into_iter()
                    .find_map(|signal| self.lanes[signal as usize].receiver.try_recv().ok());
            }
            let [spans, events, metrics] = &self.lanes;
            select_biased! {
                recv(self.control) -> control => match control {
                    Ok(Control::Hurry) => {}
                    Ok(Control::Stop(until)) => self.stop = Some(until),
                    Err(_) => self.stop = Some(Instant::now()),
                },
                recv(metrics.receiver) -> batch => return batch.ok(),
                recv(events.receiver) -> batch => return batch.ok(),
                recv(spans.receiver) -> batch => return batch.ok(),
            }
        }
    }

    /// Attempts until the batch is delivered or refused, or the deadline of the shutdown passed.
    fn deliver(&mut self, batch: &Batch) -> Outcome {
        let mut backoff = Backoff::default();
        loop {
            if self.stop.is_some_and(|until| Instant::now() >= until) {
                return Outcome::Dropped(Reason::Deadline);
            }
            let error = match self.attempt(|exporter| exporter.export(batch)) {
                Ok(delivery) => return self.delivered(&delivery),
                Err(error) => error,
            };
            if !error.is_retryable() {
                self.complaints
                    .say(&self.name, &format!("refused {} {}: {error}", batch.len(), batch.signal().name()));
                return Outcome::Rejected;
            }
            let wait = backoff.next(random_u64(), error.wait());
            self.complaints.say(&self.name, &format!("{error}; next attempt in {:.1} s", wait.as_secs_f64()));
            self.wait(wait);
        }
    }

    fn delivered(&mut self, delivery: &Delivery) -> Outcome {
        if delivery.rejected() > 0 {
            self.complaints
                .say(&self.name, &format!("{} items refused: {}", delivery.rejected(), delivery.reason()));
        }
        Outcome::Delivered { rejected: delivery.rejected() as u64 }
    }

    /// One call of the exporter; its panic is a refusal.
    fn attempt<R>(
        &mut self,
        f: impl FnOnce(&mut dyn Exporter) -> Result<R, ExportError>,
    ) -> Result<R, ExportError> {
        catch_unwind(AssertUnwindSafe(|| f(&mut *self.exporter)))
            .unwrap_or_else(|_| Err(ExportError::never("the exporter panicked")))
    }

    /// Waits that long, or until somebody is in a hurry, or until the deadline.
    fn wait(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        if let Some(stop) = self.stop {
            // Nobody has anything more to say.
            std::thread::sleep(until.min(stop).saturating_duration_since(Instant::now()));
            return;
        }
        match self.control.recv_deadline(until) {
            Ok(Control::Hurry) | Err(RecvTimeoutError::Timeout) => {}
            // One attempt at once, as for anybody in a hurry; then as long as there is time.
            Ok(Control::Stop(stop)) => self.stop = Some(stop),
            Err(RecvTimeoutError::Disconnected) => self.stop = Some(Instant::now()),
        }
    }
}

/// However the thread ends, nobody waits for it longer.
struct EndOnDrop {
    books: Arc<Books>,
    number: usize,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.books.end(self.number);
    }
}

/// Says what goes wrong, but not each time.
#[derive(Debug, Default)]
struct Complaints {
    last: Option<Instant>,
    kept_back: u64,
}

impl Complaints {
    const EVERY: Duration = Duration::from_secs(10);

    fn say(&mut self, exporter: &str, text: &str) {
        if self.last.is_some_and(|last| last.elapsed() < Self::EVERY) {
            self.kept_back += 1;
            return;
        }
        let more = match std::mem::take(&mut self.kept_back) {
            0 => String::new(),
            n => format!(" ({n} more such messages since the last)"),
        };
        warn(format_args!("exporter {exporter}: {text}{more}"));
        self.last = Some(Instant::now());
    }
}
