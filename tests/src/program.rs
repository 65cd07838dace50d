//! A program that exports to a receiver under test, with another exporter beside it that gets all.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use telemetry_layer::exporters::{Discard, ExportReport, from_url};
use telemetry_layer::ledger::ExporterAccount;
use telemetry_layer::model::{DataPoint, Event, Span, SpanContext, SpanId, Tags, TraceId};
use telemetry_layer::prelude::*;
use telemetry_layer::{Builder, Report, SelfMetrics};
use tracing::Level;

use crate::receiver::{ID, POINT};
use crate::spool::{Directory, Spool};
use crate::{SOON, eventually};

/// Where it does not record data points.
const BOTH: [Signal; 2] = [Signal::Spans, Signal::Events];

/// A collector with an exporter of the endpoint under test and a [`Discard`] beside it. It flushes only when asked.
///
/// What it records it knows by ids: of each a span and an event or, where the endpoint is given metrics alone, a data point.
/// Whatever a test did with it, at its end the ledger balances, the exporter beside has had all, and its spool, if it has one, holds
/// what the ledger says.
pub struct Program {
    /// The collector.
    pub collector: Collector,
    exporter: String,
    signals: Vec<Signal>,
    has_little_memory: bool,
    beside: Discard,
    /// How many ids.
    recorded: AtomicU64,
    reports: Arc<(Mutex<Vec<ExportReport>>, Condvar)>,
    spool: Option<Directory>,
}

/// For what waits for an exporter.
const BYTES: usize = 64 << 20;
/// For its spool.
const ON_DISK: u64 = 256 << 20;

impl Program {
    /// Exports to that URL, the scheme of which begins with the exporter's name, and may end with `s` for TLS.
    ///
    /// # Panics
    ///
    /// If it is wrong.
    pub fn start(url: &str) -> Self {
        Self::with_spool(url, Spool::Off)
    }

    /// The same with a spool, in a directory of its own; the URL has options.
    ///
    /// # Panics
    ///
    /// If the URL is wrong.
    pub fn with_spool(url: &str, spool: Spool) -> Self {
        Self::with_bytes(url, spool, BYTES, ON_DISK)
    }

    /// The same with so many bytes for what waits for each exporter, and for what is in its spool.
    ///
    /// # Panics
    ///
    /// If the URL is wrong.
    pub fn with_bytes(url: &str, spool: Spool, bytes: usize, on_disk: u64) -> Self {
        let directory = spool.is_on().then(|| Directory::new(on_disk));
        let url = directory.as_ref().map_or_else(|| url.to_owned(), |directory| directory.url(url, spool));
        Self::begin(&url, directory, bytes, |builder| builder.endpoint(&url))
    }

    /// Ends this one and starts the next one with the same spool, which exports to that URL. It finds what this one has stored. None
    /// where this one has no spool.
    ///
    /// # Panics
    ///
    /// If it finds anything else, or the URL is wrong.
    pub fn next(self, url: &str) -> Option<Self> {
        let spool = self.spool.clone()?;
        let stored = self.end();
        drop(self);
        let url = spool.url(url, Spool::OnFailure);
        let route = from_url(&url).expect("a URL").spool_of_any_destination();
        let next = Self::begin(&url, Some(spool), BYTES, |builder| builder.exporter(route));
        let found = || next.of_each(|account| account.recovered);
        eventually("what was stored is found", || (found() == stored).then_some(()));
        Some(next)
    }

    fn begin(
        url: &str,
        spool: Option<Directory>,
        bytes: usize,
        with: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let (beside, reports) = (Discard::new(), Arc::<(Mutex<Vec<ExportReport>>, Condvar)>::default());
        let seen = Arc::clone(&reports);
        let builder = Collector::builder()
            .ignore_env()
            .flush_interval(Duration::from_hours(1))
            .exporter_bytes(bytes)
            // Of data points, only those that are recorded are counted.
            .self_metrics(SelfMetrics::Off)
            .on_export(move |report| {
                seen.0.lock().expect("nobody panics with it").push(report.clone());
                seen.1.notify_all();
            });
        let collector = with(builder).exporter(beside.clone()).start().expect("a collector");
        let exporter = url.split([':', '+']).next().unwrap_or_default().trim_end_matches('s').to_owned();
        let of = url.split("signals=").nth(1).unwrap_or_default();
        let of = of.split('&').next().unwrap_or_default();
        let wanted = |signal: &Signal| of.split(',').any(|name| name == signal.name());
        let signals: Vec<_> = [Signal::Spans, Signal::Events].into_iter().filter(wanted).collect();
        let signals = if signals.is_empty() { vec![Signal::Metrics] } else { signals };
        let (has_little_memory, recorded) = (bytes < 1 << 20, AtomicU64::new(0));
        Self { collector, exporter, signals, has_little_memory, beside, recorded, reports, spool }
    }

    /// Records the items of each of these ids.
    ///
    /// # Panics
    ///
    /// If an id is 0.
    pub fn record(&self, ids: impl IntoIterator<Item = u64>) -> &Self {
        self.record_with(ids, "")
    }

    /// The same with that text in each of them.
    ///
    /// # Panics
    ///
    /// If an id is 0, or the text is longer than the tags of a data point may be.
    pub fn record_with(&self, ids: impl IntoIterator<Item = u64>, text: &str) -> &Self {
        let ids = ids.into_iter().inspect(|_| _ = self.recorded.fetch_add(1, SeqCst));
        if self.signals == [Signal::Metrics] {
            self.collector.send(ids.map(|id| point(id, text))).expect("they are well made");
            return self;
        }
        let trace_id = TraceId::new(1).expect("an id");
        for id in ids {
            let context = SpanContext::new(trace_id, SpanId::new(id).expect("an id"), true);
            self.collector.collect_span(&Span::new(context, "s", 1_000, 5).field("text", text));
            self.collector.collect_event(&Event::new(Level::INFO, text, 1_000).field("id", id));
        }
        self
    }

    /// Flushes, and waits as long as anything may take.
    pub fn flush(&self) -> Report {
        self.collector.flush(SOON)
    }

    /// Flushes; with a spool, until nothing is left in it. Whether nothing was refused or lost so far.
    ///
    /// # Panics
    ///
    /// If something stays in the spool.
    pub fn delivers(&self) -> bool {
        if self.spool.is_some() {
            assert!(self.flush().is_complete() || self.lost() > 0, "what is stored is not lost");
            self.drain();
        }
        self.flush().is_complete()
    }

    /// Hands over what was recorded, and does not wait for receivers.
    pub fn hand_over(&self) -> &Self {
        self.collector.flush(Duration::from_millis(10));
        self
    }

    /// Waits until so many items of each signal are with the exporter beside, whatever the one under test does. Where it has little
    /// memory, it may have lost some of them.
    ///
    /// # Panics
    ///
    /// If they do not come.
    pub fn beside_has(&self, items: u64) -> &Self {
        let all = || self.all_beside();
        let begin = Instant::now();
        while all().iter().any(|came| *came != items) {
            let stuck = || format!("{:?} of {items} are beside: {}", all(), self.collector.ledger());
            assert!(begin.elapsed() < SOON, "{}", stuck());
            self.hand_over();
        }
        self
    }

    /// How many items of each signal that is recorded are with the exporter beside.
    fn all_beside(&self) -> Vec<u64> {
        let ledger = self.collector.ledger();
        let came = |signal| {
            let lost = ledger.exporter("discard", signal).map_or(0, |it| it.dropped.total());
            self.beside.discarded(signal) + if self.has_little_memory { lost } else { 0 }
        };
        let recorded = if self.signals == [Signal::Metrics] { &self.signals } else { &BOTH[..] };
        recorded.iter().copied().map(came).collect()
    }

    /// Flushes until no item of its signals waits for the exporter under test any more, in memory or on disk.
    ///
    /// # Panics
    ///
    /// If that does not come.
    pub fn drain(&self) -> &Self {
        self.drain_to(0)
    }

    /// The same until at most so many items of each signal wait.
    ///
    /// # Panics
    ///
    /// If that does not come.
    pub fn drain_to(&self, items: u64) -> &Self {
        let begin = Instant::now();
        loop {
            // What was recorded last is with the exporter then.
            self.flush();
            if self.accounts().iter().all(|account| account.buffered + account.spooled <= items) {
                return self;
            }
            assert!(begin.elapsed() < SOON * 3, "{}", self.collector.ledger());
            // What is stored does not hold up a flush: until something has been tried again.
            let reports = self.reports.0.lock().expect("nobody panics with it");
            drop(self.reports.1.wait_timeout(reports, Duration::from_millis(20)));
        }
    }

    /// At most so many items of a signal may be held for an exporter that has so many bytes, whatever it does.
    pub fn most_held(&self, bytes: usize) -> u64 {
        // A span or an event takes more than 32 bytes, and a data point more than 100; these have an eighth of the memory for
        // what waits, and as much for what is out.
        bytes as u64 / if self.signals == [Signal::Metrics] { 4 * 100 } else { 32 }
    }

    /// What the exporter under test did with the items of one signal.
    ///
    /// # Panics
    ///
    /// If the ledger does not balance.
    pub fn account(&self, signal: Signal) -> ExporterAccount {
        let ledger = self.collector.ledger();
        assert!(ledger.balances(), "{ledger}");
        *ledger.exporter(&self.exporter, signal).expect("the exporter")
    }

    /// What it did with the items of each of its signals.
    ///
    /// # Panics
    ///
    /// If the ledger does not balance.
    pub fn accounts(&self) -> Vec<ExporterAccount> {
        self.signals.iter().map(|signal| self.account(*signal)).collect()
    }

    /// Of each signal what its account says, if it has one.
    fn of_each(&self, what: impl Fn(&ExporterAccount) -> u64) -> [u64; 3] {
        let ledger = self.collector.ledger();
        assert!(ledger.balances(), "{ledger}");
        let mut of = [0; 3];
        for signal in Signal::ALL {
            of[*signal as usize] = ledger.exporter(&self.exporter, *signal).map_or(0, &what);
        }
        of
    }

    /// Items that were refused or lost.
    fn lost(&self) -> u64 {
        self.of_each(|account| account.rejected + account.dropped.total()).iter().sum()
    }

    /// How many items of each of its signals wait, in memory or on disk.
    ///
    /// # Panics
    ///
    /// If these are not as many of each, or the ledger does not balance.
    pub fn waiting(&self) -> u64 {
        self.alike(|account| account.buffered + account.spooled)
    }

    /// Bytes in the files of its spool, which are within their bound.
    ///
    /// # Panics
    ///
    /// If they are not.
    pub fn bytes_on_disk(&self) -> u64 {
        self.spool.as_ref().map_or(0, Directory::bytes)
    }

    /// What the accounts of its signals say alike.
    ///
    /// # Panics
    ///
    /// If they do not say the same, or the ledger does not balance.
    pub fn alike<T: Debug + PartialEq>(&self, of: impl Fn(&ExporterAccount) -> T) -> T {
        let mut all: Vec<T> = self.accounts().iter().map(of).collect();
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
        all.remove(0)
    }

    /// Shuts down; what was said of attempts of the exporter under test that went wrong.
    ///
    /// # Panics
    ///
    /// If a text has more than one line.
    pub fn said(&self) -> Vec<String> {
        self.collector.shutdown(SOON);
        self.said_so_far()
    }

    /// Waits until something is said of an attempt of the exporter under test that went wrong.
    ///
    /// # Panics
    ///
    /// If nothing is.
    pub fn has_said_something(&self) {
        let (reports, said) = &*self.reports;
        let of_it = |report: &ExportReport| report.exporter == self.exporter && report.error.is_some();
        let reports = reports.lock().expect("nobody panics with it");
        let waited = said.wait_timeout_while(reports, SOON, |reports| !reports.iter().any(of_it));
        assert!(!waited.expect("nobody panics with it").1.timed_out(), "nothing is said");
    }

    /// What was said so far.
    ///
    /// # Panics
    ///
    /// If a text has more than one line.
    pub fn said_so_far(&self) -> Vec<String> {
        let reports = self.reports.0.lock().expect("nobody panics with it");
        let of = reports.iter().filter(|report| report.exporter == self.exporter);
        let said: Vec<_> = of.filter_map(|report| report.error.clone()).collect();
        assert!(said.iter().all(|text| text.lines().count() == 1), "{said:?}");
        said
    }
}

impl Program {
    /// Ends it, if it has not ended. How much of each signal is left in its spool.
    fn end(&self) -> [u64; 3] {
        let report = self.collector.shutdown(Duration::from_secs(5));
        let ledger = self.collector.ledger();
        assert!(ledger.balances(), "{ledger}");
        assert_eq!(self.of_each(|account| account.buffered), [0; 3], "{ledger}");
        let recorded = self.recorded.load(SeqCst);
        assert!(self.all_beside().iter().all(|came| *came >= recorded), "{recorded}: {ledger}");
        let Some(spool) = &self.spool else { return [0; 3] };
        let (found, stored) = (spool.holds(), self.of_each(|account| account.spooled));
        // What a disk had not taken by the deadline counts as lost, and may be there all the same.
        let is_exact = report.late().is_empty();
        let is_there = found.iter().zip(stored).all(|(found, stored)| *found >= stored);
        assert!(if is_exact { found == stored } else { is_there }, "{found:?}: {ledger}");
        found
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

/// A data point of that id, with that text in as many tags as it needs.
///
/// # Panics
///
/// If the text is longer than these may be.
pub fn point(id: u64, text: &str) -> DataPoint {
    let mut tags = Tags::new();
    tags.insert(ID, id.to_string()).expect("a tag");
    for (n, part) in text.as_bytes().chunks(Tags::MAX_BYTES).enumerate() {
        let part = String::from_utf8_lossy(part).into_owned();
        tags.insert(format!("text{n}"), part).expect("the text is not too long");
    }
    DataPoint::new(POINT, id).tags(tags).at(time_of(id))
}

/// When it is, in nanoseconds since the Unix epoch: each in a second of its own, as some wires have nothing finer.
pub(crate) fn time_of(id: u64) -> u64 {
    const FIRST: u64 = 1_700_000_000_000_000_000;
    FIRST + id * 1_000_000_000
}
