//! All series of one collector.
//!
//! A site without dynamic tags finds its series by its number: two loads. With dynamic tags it is one hash,
//! a full comparison, and no allocation once the series exists.

mod callback;
mod collect;
mod index;
mod merge;
mod names;
mod order;
mod paged;
mod shown;
mod sorted;
mod unread;
#[cfg(feature = "prometheus")]
mod visit;

pub(crate) use callback::Observations;
pub(crate) use merge::Levels;

use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};
use tracing_core::Level;

use callback::Callbacks;
use names::{Names, are_short, identity};
use order::Order;
use shown::Shown;

use super::cell::{LocalKind, SharedCell};
use super::memory::{For, Memory};
use super::page::Pages;
use super::series::{Epoch, LongTask, Series, View, Viewed};
use super::site::{CellKind, MAX_NUMBER, Site};
use crate::clock::Clock;
use crate::diagnostics::warn_once;
use crate::model::{Identity, Number, Tags};
use crate::sync::Mutex;

const SEGMENT: usize = 256;
const SEGMENTS: usize = MAX_NUMBER as usize / SEGMENT;

type Segment = Box<[OnceLock<Arc<Series>>; SEGMENT]>;

/// The series of one collector.
pub(crate) struct Table {
    clock: Arc<Clock>,
    settings: Settings,
    names: Names,
    pages: Pages,
    memory: Arc<Memory>,
    readings: Mutex<Readings>,
    shown: Mutex<Option<Shown>>,
    /// How many there were.
    number_of_readings: AtomicU64,
    by_number: [OnceLock<Segment>; SEGMENTS],
    callbacks: Callbacks,
    /// When each of those who ask for snapshots last did, in ticks.
    sources: Mutex<Vec<Weak<AtomicU64>>>,
    refused: AtomicU64,
    /// Series that ended.
    endings: AtomicU64,
}

/// Snapshots are taken one at a time: each folds in what ended threads left.
struct Readings {
    /// What is found in a page and has no series yet came after it.
    last: Epoch,
    order: Order,
}

/// What a table is told by the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Measurements at a more verbose level are not taken.
    pub(crate) min_level: Option<Level>,
    /// A metric has at most that many series; the next ones share one.
    pub(crate) max_series: usize,
    /// For series, and for cells that threads have of their own.
    pub(crate) max_bytes: usize,
    /// Longer descriptions are cut.
    pub(crate) max_text: usize,
    /// A series without a new value for so long ends.
    pub(crate) expiration: Option<Duration>,
    /// A snapshot waits that long for all callbacks together.
    pub(crate) callback_timeout: Duration,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("series", &self.names.read().all).finish_non_exhaustive()
    }
}

impl Table {
    /// An empty table.
    pub(crate) fn new(clock: Arc<Clock>, settings: Settings, views: Vec<View>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let memory = Arc::new(Memory::new(settings.max_bytes));
        Self {
            pages: Pages::new(NEXT.fetch_add(1, Relaxed), clock.is_system(), Arc::clone(&memory)),
            readings: Mutex::new(Readings {
                last: Epoch { unix_nanos: clock.unix_nanos(), reading: 0 },
                order: Order::default(),
            }),
            shown: Mutex::default(),
            number_of_readings: AtomicU64::new(0),
            names: Names::new(
                Arc::clone(&clock),
                views,
                [settings.max_series, settings.max_text],
                Arc::clone(&memory),
            ),
            memory,
            clock,
            settings,
            by_number: [const { OnceLock::new() }; SEGMENTS],
            callbacks: Callbacks::default(),
            sources: Mutex::default(),
            refused: AtomicU64::new(0),
            endings: AtomicU64::new(0),
        }
    }

    /// Takes a value for the series of that site with those tags beside its own.
    #[inline]
    pub(crate) fn record(&self, site: &Site, tags: &[(&str, &str)], value: Number) {
        if !self.takes(site) || self.refuses(site, value) {
            return;
        }
        let known = if tags.is_empty() { site.number().and_then(|number| self.slot(number)) } else { None };
        if let Some(series) = known.and_then(OnceLock::get) {
            self.record_in(series, value);
        } else {
            let series = self.names.series(site, tags, self.now());
            // The place of a series that stands for many is left free: others end, and it gets one of its own.
            if let Some(slot) = known.filter(|_| !series.is_overflow || !self.ends_series()) {
                let _ = slot.set(Arc::clone(&series));
            }
            self.record_in(&series, value);
        }
    }

    fn takes(&self, site: &Site) -> bool {
        !matches!((self.settings.min_level, site.level), (Some(min), Some(level)) if level > min)
    }

    /// Whether series that are idle for long end.
    pub(crate) fn ends_series(&self) -> bool {
        self.settings.expiration.is_some()
    }

    /// Measurements that no cell could take.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// How often there was no memory for a series.
    pub(crate) fn summed_up(&self) -> u64 {
        self.names.summed_up()
    }

    /// An instrument whose value `read` gives at each snapshot, instead of what gave it before: of a sum, the sum.
    pub(crate) fn observe(&self, site: &Site, read: impl Fn() -> Number + Send + Sync + 'static) {
        let viewed = self.names.views.of(&site.name);
        if !self.takes(site) || viewed.is_dropped() {
            return;
        }
        let mut tags = Tags::new();
        site.each_tag(|k, v| {
            if viewed.takes_tag(k) {
                let _ = tags.insert(k.to_owned(), v.to_owned());
            }
        });
        let mut all_tags = Tags::new();
        site.each_tag(|k, v| drop(all_tags.insert(k.to_owned(), v.to_owned())));
        let max_text = self.settings.max_text;
        let instrument = identity(site, &Viewed::default(), all_tags).shortened(max_text);
        let (identity, most) = (identity(site, &viewed, tags).shortened(max_text), self.settings.max_series);
        let say_many =
            || warn_once(format_args!("metric `{}`: there are {most} callbacks already", site.name));
        // Before anything is kept of it.
        if !self.callbacks.takes(&instrument, most) {
            return say_many();
        }
        let bytes = instrument.bytes() + identity.bytes();
        let Some(held) = self.memory.hold(bytes, For::Series) else {
            let max = self.memory.max();
            return warn_once(format_args!(
                "metric `{}`: its callback finds no room in `metrics_bytes` ({max})",
                site.name
            ));
        };
        let width = self.names.declare(site, &identity.name);
        let now = self.clock.unix_nanos();
        if !self.callbacks.set([instrument, identity], width, read, now, most, held) {
            say_many();
        }
    }

    /// A finished point, made at that place, passes by.
    pub(crate) fn compare_point(&self, point: &Identity, place: &Location<'_>) {
        self.names.compare_point(point, place);
    }

    /// Snapshots wait for no callback beyond that moment.
    pub(crate) fn stop_callbacks_by(&self, until: Instant) {
        self.callbacks.stop_by(until);
    }

    /// The collector is shut down, and nobody reads what begins from now on: that is said.
    pub(crate) fn tell_of_late(&self) {
        self.names.write().is_closed = true;
    }

    /// Now, for a series that begins.
    fn now(&self) -> Epoch {
        Epoch { unix_nanos: self.clock.unix_nanos(), reading: self.number_of_readings.load(Relaxed) }
    }

    /// Lets go of all callbacks, and of what they hold.
    pub(crate) fn forget_callbacks(&self) {
        self.callbacks.forget();
    }

    /// A measurement begins that is seen while it runs.
    pub(crate) fn begin_task(&self, site: &Site, tags: &[(&str, &str)]) -> Option<LongTask> {
        self.takes(site).then(|| {
            let now = self.clock.now();
            LongTask::begin(self.names.series(site, tags, self.now()).tasks(), now)
        })
    }

    /// The series of a site without tags known only later stands at 0, if nothing came for it yet.
    #[cfg(feature = "catalogue")]
    pub(super) fn begin(&self, site: &Site) {
        let began = self.now();
        match site.number() {
            Some(number) => drop(self.series_of(site, number, began)),
            None if self.takes(site) => drop(self.names.series(site, &[], began)),
            None => {}
        }
    }

    /// Moves the rates of all meters on.
    pub(crate) fn tick(&self) {
        let now = self.clock.now();
        for series in self.names.read().iter() {
            if let SharedCell::Meter(meter) = &series.cell {
                meter.tick(now);
            }
        }
    }

    /// The series of a site that has cells in pages; none if it is below the least level.
    fn series_of(&self, site: &Site, number: usize, began: Epoch) -> Option<Arc<Series>> {
        if !self.takes(site) {
            return None;
        }
        let slot = self.slot(number)?;
        if let Some(series) = slot.get() {
            return Some(Arc::clone(series));
        }
        // Not inside of the slot, where it would wait for a lock.
        let series = self.names.series(site, &[], began);
        if series.is_overflow && self.ends_series() {
            return Some(series);
        }
        let _ = slot.set(series);
        slot.get().cloned()
    }

    /// The current collector's cells of this thread, from now on, and that of the site itself, without more tags.
    pub(crate) fn attach(&self, site: &Site, is_tagged: bool) {
        // It has a number from now on, unless all are taken.
        let number = site.number().filter(|_| !is_tagged);
        let kind = match site.kind {
            _ if is_tagged => None,
            CellKind::Counter | CellKind::UpDownCounter => Some(LocalKind::Sum),
            CellKind::Histogram => {
                let series = number.and_then(|number| self.series_of(site, number, self.now()));
                series.and_then(|series| series.cell.local_kind())
            }
            CellKind::Gauge | CellKind::Meter => None,
        };
        self.pages.attach(site, kind);
    }

    /// Takes a value with tags known only now, and sees to it that the next one finds a cell of this thread's own.
    #[cold]
    pub(crate) fn record_tagged(&self, site: &Site, tags: &[(&str, &str)], value: Number) {
        if !self.takes(site) || self.refuses(site, value) {
            return;
        }
        let series = self.names.series(site, tags, self.now());
        self.record_in(&series, value);
        // A series that stands for many would be kept for each of them.
        if !series.is_overflow
            && !series.is_dropped
            && are_short(tags)
            && let Some(kind) = series.cell.local_kind()
            && let Some(cell) = self.pages.keep_tagged(site, tags, kind)
        {
            self.names.unread.add_cell(&series, cell);
        }
    }

    /// Tells collectors apart.
    pub(crate) fn collector(&self) -> u64 {
        self.pages.collector()
    }

    fn slot(&self, number: usize) -> Option<&OnceLock<Arc<Series>>> {
        let segment = self.by_number.get(number / SEGMENT)?;
        Some(&segment.get_or_init(|| Box::new([const { OnceLock::new() }; SEGMENT]))[number % SEGMENT])
    }

    #[inline]
    fn record_in(&self, series: &Series, value: Number) {
        series.record(value, self.collector(), || self.clock.now());
    }

    /// A value that a series of that kind does not take makes none, and is counted.
    fn refuses(&self, site: &Site, value: Number) -> bool {
        let refusal = site.kind.refusal(value);
        refusal.into_iter().for_each(|why| self.refuse(&site.name, why));
        refusal.is_some()
    }

    #[cold]
    fn refuse(&self, name: &str, why: &str) {
        self.refused.fetch_add(1, Relaxed);
        warn_once(format_args!("metric `{name}`: {why}; such measurements are refused and counted"));
    }
}
