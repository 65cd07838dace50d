//! The one thread that moves everything on: it collects what threads recorded, reads the metrics, and
//! queues batches for the exporters.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::buffer::Buffers;
use super::ledger::{Books, State};
use super::queue::Lane;
use super::worker::Control;
use crate::clock::{Clock, deadline_in};
use crate::diagnostics::print_pending;
use crate::exporters::{Batch, Signal};
use crate::metrics::{Baseline, Snapshot, Table};
use crate::model::{Metric, Resource, Temporality};
use crate::thread::suppress_this_thread;

/// What the aggregator is told.
pub(crate) enum Command {
    /// Many items wait.
    Wake,
    /// Move everything on now, and answer.
    Flush(Sender<()>),
    /// One more exporter.
    Add(Box<Output>),
    /// Move everything on for the last time; workers have until then.
    Stop(Instant, Sender<()>),
}

/// An exporter, as the aggregator sees it.
pub(crate) struct Output {
    pub(crate) number: usize,
    pub(crate) wants: [bool; 3],
    pub(crate) lanes: [Lane; 3],
    pub(crate) control: Sender<Control>,
    /// For one that wants deltas.
    pub(crate) baseline: Option<Baseline>,
}

impl Output {
    /// Queues a batch. Deltas that must go for it become part of the next one.
    fn push(&mut self, signal: Signal, batch: &Arc<Batch>, state: &mut State) {
        let dropped = self.lanes[signal as usize].push(self.number, batch, state);
        if let Some(baseline) = &mut self.baseline {
            dropped
                .iter()
                .flat_map(|batch| batch.metrics())
                .for_each(|metric| baseline.restore(&metric.to_metric()));
        }
    }

    pub(crate) fn baseline(temporality: Temporality, table: &Table) -> Option<Baseline> {
        (temporality == Temporality::Delta).then(|| Baseline::joining(&table.read()))
    }
}

pub(crate) struct Aggregator {
    pub(crate) clock: Arc<Clock>,
    pub(crate) table: Arc<Table>,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) books: Arc<Books>,
    pub(crate) resource: Arc<Resource>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) flush_interval: Duration,
}

/// Whether more flushes will come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    Early,
    Last,
}

/// Meters tick at least that often.
const TICK: Duration = Duration::from_secs(5);

impl Aggregator {
    pub(crate) fn run(mut self) {
        suppress_this_thread();
        let mut next_flush = deadline_in(self.flush_interval);
        let mut next_tick = deadline_in(TICK);
        loop {
            print_pending();
            match self.commands.recv_deadline(next_flush.min(next_tick)) {
                Ok(Command::Wake) => self.move_items(),
                Ok(Command::Flush(done)) => {
                    self.flush(Flush::Early);
                    self.tell_all(Control::Hurry);
                    let _ = done.send(());
                }
                Ok(Command::Add(output)) => self.outputs.push(*output),
                Ok(Command::Stop(until, done)) => {
                    self.buffers.close();
                    self.flush(Flush::Last);
                    // A thread that had begun before the buffers closed may have written since.
                    self.move_items();
                    self.buffers.finish();
                    self.tell_all(Control::Stop(until));
                    print_pending();
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if now >= next_tick {
                self.table.tick();
                next_tick = deadline_in(TICK);
            }
            if now >= next_flush {
                self.flush(Flush::Early);
                next_flush = deadline_in(self.flush_interval);
            }
        }
    }

    fn tell_all(&self, control: Control) {
        for output in &self.outputs {
            // One hurry at a time is enough, also for a worker that hangs; a worker that is gone needs none.
            if matches!(control, Control::Stop(_)) || output.control.is_empty() {
                let _ = output.control.send(control);
            }
        }
    }

    fn flush(&mut self, which: Flush) {
        self.clock.anchor();
        self.move_items();
        if self.outputs.is_empty() && !self.table.ends_series() {
            self.table.tidy();
            return;
        }
        self.table.tick();
        let baselines = self.outputs.iter().filter_map(|output| output.baseline.as_ref());
        let metrics = self.table.read_and_end(&|metric| baselines.clone().all(|seen| seen.has_seen(metric)));
        self.dispatch_snapshot(metrics, which);
    }

    /// Spans, events and points made by hand, in batches to all.
    fn move_items(&mut self) {
        let collected = self.buffers.collect(&mut self.books.lock());
        let anchors = self.clock.anchors();
        let [spans, events] = collected.chunks;
        for chunk in spans {
            self.dispatch(Batch::of_spans(chunk, Arc::clone(&self.resource), Arc::clone(&anchors)));
        }
        for chunk in events {
            self.dispatch(Batch::of_events(chunk, Arc::clone(&self.resource), Arc::clone(&anchors)));
        }
        if !collected.points.is_empty() {
            let snapshot = Snapshot::new(collected.points, Arc::clone(&self.resource));
            self.dispatch(Batch::of_metrics(snapshot, Arc::clone(&self.resource)));
        }
    }

    /// Hands a batch, booked as held, to every exporter that wants its signal.
    fn dispatch(&mut self, batch: Batch) {
        let (signal, n) = (batch.signal(), batch.len() as u64);
        let batch = Arc::new(batch);
        let mut state = self.books.lock();
        let account = state.account(signal);
        account.held -= n;
        account.dispatched += n;
        for output in &mut self.outputs {
            if state.offer(output.number, signal, n, output.wants[signal as usize]) {
                output.push(signal, &batch, &mut state);
            }
        }
    }

    /// The metrics of this moment to every exporter: one batch for all that want sums since the start, one
    /// each for those that want deltas. A delta for which there is no room is not made: the next one, which may be
    /// the last and then always has room, covers its time too.
    fn dispatch_snapshot(&mut self, metrics: Vec<Metric>, which: Flush) {
        let owes = |output: &Output| output.baseline.as_ref().is_some_and(Baseline::owes);
        if metrics.is_empty() && !self.outputs.iter().any(owes) {
            self.outputs
                .iter_mut()
                .filter_map(|output| output.baseline.as_mut())
                .for_each(|seen| seen.commit(&[]));
            return;
        }
        let snapshot = Snapshot::new(metrics, Arc::clone(&self.resource));
        let mut state = self.books.lock();
        let account = state.account(Signal::Metrics);
        account.recorded += snapshot.len() as u64;
        account.dispatched += snapshot.len() as u64;
        let whole = Arc::new(Batch::of_metrics(snapshot.clone(), Arc::clone(&self.resource)));
        for output in &mut self.outputs {
            let batch = match &output.baseline {
                None => Arc::clone(&whole),
                Some(baseline) => {
                    let delta = Snapshot::new(baseline.since(snapshot.metrics()), Arc::clone(&self.resource));
                    Arc::new(Batch::of_metrics(delta, Arc::clone(&self.resource)))
                }
            };
            let lane = &output.lanes[Signal::Metrics as usize];
            if output.baseline.is_some() && which == Flush::Early && !lane.has_room(&batch) {
                continue;
            }
            let (n, wanted) = (batch.len() as u64, output.wants[Signal::Metrics as usize]);
            if !state.offer(output.number, Signal::Metrics, n, wanted) {
                continue;
            }
            // First the baseline: what the batch drives out of the queue goes back to it.
            if let Some(baseline) = &mut output.baseline {
                baseline.commit(snapshot.metrics());
            }
            if batch.is_empty() {
                continue;
            }
            match which {
                Flush::Last => {
                    output.lanes[Signal::Metrics as usize].push_over(output.number, &batch, &mut state);
                }
                Flush::Early => output.push(Signal::Metrics, &batch, &mut state),
            }
        }
    }
}
