//! The one thread that moves everything on: it collects what threads recorded, reads the metrics, and puts what each exporter
//! is to have into its lanes.
//!
//! It never waits for an exporter nor for code of the user: callbacks run elsewhere, and their values come as a command.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::books::{Books, Flush};
use super::buffers::Buffers;
use super::changes::{Changes, Removing};
use super::command::Command;
use super::feedback::{Complaints, amount};
use super::ledger::Reason;
use super::observer::Observer;
use super::output::{Output, Share, Sums};
use super::parcel::Parcel;
use super::points;
use super::rest::{Found, Rest};
use super::watch::Watch;
use crate::clock::{Clock, Tick};
use crate::diagnostics;
use crate::exporters::{Batch, Signal};
use crate::metrics::{Observations, Snapshot, Table};
use crate::model::{Metric, Resource};

pub(crate) struct Dispatcher {
    pub(crate) clock: Arc<Clock>,
    pub(crate) table: Arc<Table>,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) books: Arc<Books>,
    pub(crate) resource: Arc<Resource>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) observer: Observer,
    pub(crate) flush_interval: Duration,
    /// Metrics of telemetry itself.
    pub(crate) own_metrics: Box<dyn Fn() -> Vec<Metric> + Send>,
    /// What the collector says now and then; it is told whether there is no exporter.
    pub(crate) now_and_then: Box<dyn Fn(bool) + Send>,
    pub(crate) complaints: Complaints,
    pub(crate) state: Progress,
}

/// What is under way.
#[derive(Default)]
pub(crate) struct Progress {
    next_flush: Tick,
    next_tick: Tick,
    /// For exporters that show things as they happen.
    watch: Watch,
    /// While much is recorded.
    rest: Rest,
    /// Until when some exporter is spared.
    spared: Option<Tick>,
    /// Those who wait until all is moved on that was there when they came.
    flushes: Vec<Waiting>,
    /// Exporters that are to be replaced or removed.
    changes: Changes,
    /// So many came.
    marks: u64,
    /// Metrics are to be read for all, not only for those whose time has come.
    for_all: bool,
    /// Of a reading for all some exporter was passed over, as it has no room.
    is_passed_over: bool,
    /// How many readings have begun, and have ended: callbacks take their time.
    begun: u64,
    ended: u64,
    /// Somebody wants one that begins from now on.
    again: bool,
    stop: Option<(Tick, Sender<()>)>,
    /// Items that have been spoken of, by why they were lost.
    said_lost: [u64; 2],
}

/// Somebody who waits.
struct Waiting {
    until: Tick,
    done: Sender<Flush>,
    /// For that reading of the metrics,
    reading: u64,
    /// and for what threads had recorded by then.
    mark: u64,
}

/// Meters tick at least that often.
const TICK: Duration = Duration::from_secs(5);

impl Dispatcher {
    pub(crate) fn run(mut self) {
        let now = self.clock.now();
        self.state.next_flush = now.plus(self.flush_interval);
        self.state.next_tick = now.plus(TICK);
        loop {
            // What threads that record have said.
            diagnostics::start();
            match self.next_command() {
                Ok(Command::Wake) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Command::Flush(until, done)) => {
                    self.state.marks += 1;
                    self.buffers.mark(self.state.marks);
                    let (reading, mark) = (self.state.begun + 1, self.state.marks);
                    self.state.flushes.push(Waiting { until, done, reading, mark });
                    // What waits in a lane may be what keeps the rest from being moved on.
                    self.outputs.iter().for_each(|output| output.lanes.hurry(until));
                    self.read(true);
                }
                Ok(Command::Add(output, done)) => {
                    self.outputs.push(*output);
                    self.outputs_changed();
                    let _ = done.send(());
                }
                Ok(Command::Replace(replace)) => self.state.changes.replace(*replace),
                Ok(Command::Remove(number, times, done)) => self.remove(number, times, done),
                Ok(Command::Observed(observations)) => self.observed(observations),
                Ok(Command::Stop(until, done)) => {
                    self.buffers.close();
                    self.state.stop = Some((until, done));
                    self.read(true);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = self.clock.now();
            if now >= self.state.next_tick {
                self.table.tick();
                self.state.next_tick = now.plus(TICK);
                self.outputs.iter().for_each(Output::say_if_it_checks);
                (self.now_and_then)(self.outputs.is_empty());
            }
            let Progress { changes, ended, .. } = &mut self.state;
            if changes.go_on(&mut self.outputs, &self.books, *ended, now) {
                self.outputs_changed();
            }
            if self.books.is_awaited() {
                // Somebody waits for what is part of the next ones.
                self.outputs
                    .iter_mut()
                    .filter(|output| output.is_owed())
                    .for_each(|output| output.next_due = now);
            }
            if self.state.begun == self.state.ended && now >= self.next_reading() {
                self.read(false);
                self.state.next_flush = now.plus(self.flush_interval);
            }
            if self.move_items() && self.finish() {
                return;
            }
        }
    }

    /// An exporter is to go when it has what there is now.
    fn remove(&mut self, number: usize, [by, until]: [Tick; 2], done: Sender<()>) {
        self.state.marks += 1;
        self.buffers.mark(self.state.marks);
        let (mut reading, mark) = (self.state.begun + 1, self.state.marks);
        if let Some(output) = self.outputs.iter().find(|output| output.number == number) {
            output.lanes.hurry(until);
            reading = if output.wants_metrics() { reading } else { 0 };
        }
        self.state.changes.remove(Removing { number, by, until, done, reading, mark });
    }

    /// Others are there now.
    fn outputs_changed(&mut self) {
        let wanted = self.outputs.iter().map(|output| output.patience).filter(|it| it.is_wanted);
        self.buffers.be_patient(wanted.map(|patience| patience.time).max());
        if self.outputs.iter().any(|output| output.is_live) {
            self.state.watch.begin(self.clock.now());
        } else {
            self.state.watch.end();
        }
    }

    /// When metrics are to be read next: for an exporter, or to see to series where none wants them.
    fn next_reading(&self) -> Tick {
        let wanted = self.outputs.iter().filter(|output| output.wants_metrics());
        wanted.map(|output| output.next_due).min().unwrap_or(self.state.next_flush)
    }

    fn next_command(&self) -> Result<Command, RecvTimeoutError> {
        // While callbacks are asked they are who comes next.
        let reading = Some(self.next_reading()).filter(|_| self.state.begun == self.state.ended);
        let others =
            [self.state.spared, self.state.watch.next(), self.state.rest.next(), self.state.changes.next()];
        let next =
            reading.into_iter().chain(others.into_iter().flatten()).fold(self.state.next_tick, Tick::min);
        match self.clock.time_until(next) {
            Some(time) => self.commands.recv_timeout(time),
            None => self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// All was moved on before that mark: those who wait for it are told.
    fn answer(&mut self, first_mark: Option<u64>) {
        let Progress { changes, ended, .. } = &mut self.state;
        if changes.take_out_done(&mut self.outputs, &self.books, *ended, first_mark) {
            self.outputs_changed();
        }
        let ended = self.state.ended;
        let is_done = |waiting: &mut Waiting| {
            waiting.reading <= ended && first_mark.is_none_or(|first| waiting.mark < first)
        };
        let done: Vec<_> = self.state.flushes.extract_if(.., is_done).collect();
        if done.is_empty() {
            return;
        }
        let flushes = self.books.close_generation(done.len(), !self.state.is_passed_over);
        for (waiting, flush) in done.into_iter().zip(flushes) {
            self.outputs.iter().for_each(|output| output.lanes.flushed(waiting.until));
            let _ = waiting.done.send(flush);
        }
    }

    /// After the last time; whether this was it.
    fn finish(&mut self) -> bool {
        if self.state.begun > self.state.ended || self.state.again {
            return false;
        }
        let Some((until, done)) = self.state.stop.take() else { return false };
        self.buffers.finish();
        self.state.changes.swap_all(&mut self.outputs, &self.books, None);
        for output in &mut self.outputs {
            output.take_over(&self.books, true);
            output.stop(until);
        }
        self.say_lost();
        self.complaints.finish();
        let _ = done.send(());
        true
    }

    /// Begins to read the metrics, for all exporters or for those whose time has come.
    fn read(&mut self, for_all: bool) {
        self.state.for_all |= for_all;
        if self.state.begun > self.state.ended {
            self.state.again |= for_all;
            return;
        }
        self.clock.anchor();
        self.state.begun += 1;
        if self.outputs.is_empty() && !self.table.ends_series() {
            (self.state.for_all, self.state.ended) = (false, self.state.begun);
            return self.table.tidy();
        }
        if !self.observer.ask(&self.table) {
            self.observed(Observations::default());
        }
    }

    /// The callbacks have said what they say: everything else is read now.
    fn observed(&mut self, observations: Observations) {
        self.table.tick();
        let now = self.clock.now();
        let levels = self.table.read_levels(observations, true);
        let sums = Sums::new(levels, (self.own_metrics)());
        self.dispatch_metrics(&sums, now);
        if self.state.changes.swap_all(&mut self.outputs, &self.books, Some(&sums)) {
            self.outputs_changed();
        }
        self.state.ended = self.state.begun;
        if std::mem::take(&mut self.state.again) {
            self.read(true);
        }
    }

    /// Spans, events and points made by hand, as far as there is room for them; whether that was all.
    fn move_items(&mut self) -> bool {
        loop {
            let room = self.room();
            let collected = self.buffers.collect(&mut self.books.lock(), room);
            let anchors = self.clock.anchors();
            let (found, now) = (collected.found(), self.clock.now());
            if self.state.watch.looked(collected.left || found.items > 0, now) {
                self.buffers.tell_at_once();
            }
            self.rest(found, now);
            for (signal, chunks) in Signal::RECORDS.into_iter().zip(collected.chunks) {
                for chunk in chunks {
                    let (resource, anchors) = (Arc::clone(&self.resource), Arc::clone(&anchors));
                    let recycler = self.buffers.recycler();
                    self.dispatch(&Batch::of_records(signal, chunk, recycler, resource, anchors));
                }
            }
            let lanes = self.outputs.iter().filter(|output| output.wants_metrics());
            let smallest = lanes.map(|output| output.lanes.max(Signal::Metrics)).min();
            for points in points::pieces(collected.points, smallest.unwrap_or(usize::MAX)) {
                let snapshot = Snapshot::new(points, Arc::clone(&self.resource));
                self.dispatch(&Batch::of_metrics(snapshot, Arc::clone(&self.resource)));
            }
            self.say_lost();
            self.answer(collected.first_mark);
            if !collected.left {
                return true;
            }
            // A thread that writes as fast as this reads must not keep it from everything else.
            if self.state.spared.is_some() || !self.commands.is_empty() {
                return false;
            }
        }
    }

    /// It looks next at a time of its own, if much is recorded: not where exporters show things as they happen, nor where a test moves
    /// the clock.
    fn rest(&mut self, found: Found, now: Tick) {
        if !self.state.watch.is_off() || !self.clock.is_system() {
            return self.state.rest.end();
        }
        let lanes = self.outputs.iter().map(|output| output.lanes.max(Signal::Spans));
        let smallest = lanes.fold(self.buffers.max_bytes(), usize::min);
        let usual = self.buffers.usual_wake_at();
        if let Some(wake_at) = self.state.rest.looked(found, usual, smallest / 4, now) {
            self.buffers.rest(wake_at);
        }
    }

    /// How many bytes of spans and of events may be collected, so that no lane has to lose what an exporter would have taken.
    fn room(&mut self) -> [usize; 2] {
        let now = self.clock.now();
        let (mut least, mut spared) = ([usize::MAX; 2], None);
        // The last time takes all.
        let outputs = if self.state.stop.is_none() { &mut self.outputs[..] } else { &mut [] };
        for output in outputs {
            let (room, until) = output.room(now);
            least = [least[0].min(room[0]), least[1].min(room[1])];
            spared = spared.into_iter().chain(until).min();
        }
        self.state.spared = spared;
        least
    }

    /// Hands a batch, booked as held, to every exporter.
    fn dispatch(&mut self, batch: &Batch) {
        let (signal, n, now) = (batch.signal(), batch.len() as u64, self.clock.now());
        let shares: Vec<Share> = self.outputs.iter_mut().map(|output| output.share(batch)).collect();
        let mut state = self.books.lock();
        let account = state.account(signal);
        account.held -= n;
        account.dispatched += n;
        let outputs = self.outputs.iter().zip(&shares);
        let tickets: Vec<_> =
            outputs.map(|(output, share)| output.accept(&self.books, &mut state, share)).collect();
        drop(state);
        let is_last = self.state.stop.is_some();
        for ((output, share), ticket) in self.outputs.iter_mut().zip(shares).zip(tickets) {
            if let Some(ticket) = ticket {
                output.put(Parcel::new(share.batch, ticket, now), is_last);
            }
        }
    }

    /// The metrics of this moment to every exporter whose time has come.
    fn dispatch_metrics(&mut self, sums: &Sums, now: Tick) {
        let (is_last, for_all) = (self.state.stop.is_some(), std::mem::take(&mut self.state.for_all));
        if for_all {
            self.state.is_passed_over = false;
        }
        let leaving: Vec<bool> =
            self.outputs.iter().map(|output| self.state.changes.concern(output.number)).collect();
        let mut shares = Vec::new();
        for (place, output) in self.outputs.iter_mut().enumerate() {
            if !output.wants_metrics() || !for_all && now < output.next_due {
                continue;
            }
            output.next_due = now.plus(output.interval);
            match output.share_of_metrics(sums, is_last || leaving[place]) {
                Some((share, all)) => shares.push((place, share, all)),
                None => self.state.is_passed_over |= for_all,
            }
        }
        let mut state = self.books.lock();
        let account = state.account(Signal::Metrics);
        account.recorded += sums.len() as u64;
        account.dispatched += sums.len() as u64;
        let tickets = shares
            .iter()
            .map(|(place, share, _)| self.outputs[*place].accept(&self.books, &mut state, share));
        let tickets: Vec<_> = tickets.collect();
        drop(state);
        for ((place, share, all), ticket) in shares.into_iter().zip(tickets) {
            let output = &mut self.outputs[place];
            let parcel = ticket.map(|ticket| Parcel::new(share.batch, ticket, now));
            // First the baseline: what the batch drives out of the lane goes back to it.
            if let Some(parcel) = output.commit(&all, sums.reading(), parcel) {
                output.put(parcel, is_last);
            }
        }
    }

    /// What was lost before it came here.
    fn say_lost(&mut self) {
        const WHYS: [(Reason, &str, &str); 2] = [
            (
                Reason::BufferFull,
                "lost: all memory was in use",
                "all memory for what is on its way (`buffer_bytes`) was in use",
            ),
            (
                Reason::OpenSpansFull,
                "lost: too many open spans",
                "all memory for spans that are open (`open_spans_bytes`) was in use",
            ),
        ];
        for ((reason, kind, why), said) in WHYS.into_iter().zip(&mut self.state.said_lost) {
            let lost: u64 = {
                let mut state = self.books.lock();
                Signal::EACH.map(|signal| state.account(signal).dropped.by(reason)).iter().sum()
            };
            let new = lost - std::mem::replace(said, lost);
            if new > 0 {
                self.complaints.say(kind, new, format_args!("lost {}: {why}", amount(new)));
            }
        }
    }
}
