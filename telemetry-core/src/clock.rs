//! Time: monotonic ticks, and anchors that tie them to the wall clock.
//!
//! A measurement takes ticks. They become wall time only when the dispatcher hands a batch on, by the anchor
//! that was in force at the tick: so a step of the wall clock moves what comes after it, and a span that was
//! open across the step keeps its start and its duration. A tick is a nanosecond.

pub(crate) mod machine;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use crate::sync::{AsItIs, ForkLock, Mutex, RwLock, lock, read, write};

/// A moment of one [`Clock`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(u64);

impl Tick {
    /// The tick of a number that stands in a record.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number that stands in records.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// So much later; for a time without end, the last tick.
    pub(crate) fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Nanoseconds from an earlier tick to this one; 0 if that is not earlier.
    pub fn since(self, earlier: Tick) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Where a collector takes its time from.
#[derive(Debug)]
pub struct Clock {
    source: Source,
    anchors: RwLock<Arc<Anchors>>,
}

#[derive(Debug)]
enum Source {
    System,
    Manual(ManualClock),
}

/// The wall clock may differ by this much from what an anchor foretells before a new anchor is set.
const STEP: Duration = Duration::from_millis(1);

/// Nobody sets an anchor while the process forks: it would never be set in the child.
static ANCHORING: Mutex<()> = Mutex::new(());

pub(crate) fn hold() -> Box<dyn ForkLock> {
    Box::new(AsItIs(lock(&ANCHORING)))
}

impl Clock {
    /// The machine's clocks.
    pub fn system() -> Self {
        Self::new(Source::System)
    }

    /// A clock that a test moves.
    pub fn manual(clock: &ManualClock) -> Self {
        Self::new(Source::Manual(clock.clone()))
    }

    fn new(source: Source) -> Self {
        let clock = Self { source, anchors: RwLock::default() };
        clock.anchor();
        clock
    }

    /// Now, in ticks.
    #[doc(hidden)]
    #[inline]
    pub fn now(&self) -> Tick {
        match &self.source {
            Source::System => Tick(machine::nanos()),
            Source::Manual(clock) => Tick(clock.0.ticks.load(Relaxed)),
        }
    }

    /// When the call began that opens the next timed span of this thread, where its timer has read the same clock.
    #[doc(hidden)]
    #[inline]
    pub fn announced(&self) -> Option<Tick> {
        match &self.source {
            Source::System => machine::announced().map(Tick),
            Source::Manual(_) => None,
        }
    }

    /// How long to wait for a moment; none where a test moves the clock, which then tells [whoever asked](Self::on_move).
    pub(crate) fn time_until(&self, moment: Tick) -> Option<Duration> {
        self.is_system().then(|| Duration::from_nanos(moment.since(self.now())))
    }

    /// Calls that, as long as it gives true, each time a test has moved the clock.
    pub(crate) fn on_move(&self, moved: impl Fn() -> bool + Send + Sync + 'static) {
        if let Source::Manual(clock) = &self.source {
            lock(&clock.0.watchers).push(Box::new(moved));
        }
    }

    /// Whether it is the machine's.
    pub(crate) fn is_system(&self) -> bool {
        matches!(self.source, Source::System)
    }

    /// Now, in nanoseconds since the Unix epoch.
    pub fn unix_nanos(&self) -> u64 {
        self.anchors().unix_nanos(self.now())
    }

    /// The anchors set so far.
    #[doc(hidden)]
    pub fn anchors(&self) -> Arc<Anchors> {
        read(&self.anchors).clone()
    }

    /// Looks at the wall clock, and sets a new anchor if it was stepped.
    pub(crate) fn anchor(&self) {
        // The first reading of the machine's counter is a long one.
        let _anchoring = lock(&ANCHORING);
        let (tick, wall, apart) = self.both();
        let mut anchors = write(&self.anchors);
        let off = wall.abs_diff(anchors.unix_nanos(tick));
        if anchors.0.is_empty() || Duration::from_nanos(off.saturating_sub(apart)) > STEP {
            Arc::make_mut(&mut anchors).push(tick, wall);
        }
    }

    /// A tick and the wall time at it, and by how many nanoseconds that may be wrong: the thread may have been
    /// kept from running between the two, so the best of a few readings counts.
    fn both(&self) -> (Tick, u64, u64) {
        let read = || {
            let (before, wall, after) = (self.now(), self.wall(), self.now());
            (before, wall, after.since(before))
        };
        (1..5).map(|_| read()).fold(read(), |best, next| if next.2 < best.2 { next } else { best })
    }

    fn wall(&self) -> u64 {
        match &self.source {
            Source::System => system_unix_nanos(),
            Source::Manual(clock) => clock.0.unix_nanos.load(Relaxed),
        }
    }
}

/// What the system's clock shows, in nanoseconds since the Unix epoch; 0 before it.
pub(crate) fn system_unix_nanos() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The one reading of the clock with which ends what ends now on this thread; 0 where there is none.
#[doc(hidden)]
pub fn held() -> u64 {
    machine::held()
}

/// Lets all that ends on this thread until it is dropped end with one reading of the clock.
#[doc(hidden)]
#[derive(Debug)]
#[must_use = "it ends when it is dropped"]
pub struct Held(bool);

impl Held {
    /// From now on, unless somebody else does so already.
    pub fn now() -> Self {
        let holds = machine::held() == 0 && machine::counter_seconds().is_some();
        if holds {
            machine::hold();
        }
        Self(holds)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.0 {
            machine::let_go();
        }
    }
}

/// The moment that is so much later than now; for a time without end, as late as makes no difference.
pub(crate) fn deadline_in(from_now: Duration) -> Instant {
    const YEARS: Duration = Duration::from_hours(24 * 365 * 30);
    Instant::now() + from_now.min(YEARS)
}

/// Pairs of tick and wall time, oldest first; the last few are kept.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct Anchors(Vec<(Tick, u64)>);

impl Anchors {
    const MAX: usize = 32;

    /// That tick in nanoseconds since the Unix epoch, by the anchor in force at it.
    pub fn unix_nanos(&self, tick: Tick) -> u64 {
        let at = self.0.partition_point(|(since, _)| *since <= tick).saturating_sub(1);
        match self.0.get(at) {
            Some((since, wall)) if *since <= tick => wall.saturating_add(tick.since(*since)),
            Some((since, wall)) => wall.saturating_sub(since.since(tick)),
            None => 0,
        }
    }

    fn push(&mut self, tick: Tick, wall: u64) {
        if self.0.len() == Self::MAX {
            self.0.remove(0);
        }
        self.0.push((tick, wall));
    }
}

/// A clock that stands still until a test moves it. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Hands>);

struct Hands {
    ticks: AtomicU64,
    unix_nanos: AtomicU64,
    watchers: Mutex<Vec<Watcher>>,
}

/// Told that time has passed; whether it wants to be told again.
type Watcher = Box<dyn Fn() -> bool + Send + Sync>;

impl std::fmt::Debug for Hands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hands")
            .field("ticks", &self.ticks)
            .field("unix_nanos", &self.unix_nanos)
            .finish_non_exhaustive()
    }
}

impl ManualClock {
    /// A clock that stands at that many nanoseconds since the Unix epoch.
    pub fn new(unix_nanos: u64) -> Self {
        let (ticks, unix_nanos) = (AtomicU64::new(0), AtomicU64::new(unix_nanos));
        Self(Arc::new(Hands { ticks, unix_nanos, watchers: Mutex::default() }))
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.ticks.fetch_add(nanos, Relaxed);
        self.0.unix_nanos.fetch_add(nanos, Relaxed);
        lock(&self.0.watchers).retain(|watcher| watcher());
    }

    /// Somebody sets the wall clock; no time passes.
    pub fn step_wall(&self, unix_nanos: u64) {
        self.0.unix_nanos.store(unix_nanos, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_wall_time() {
        let hands = ManualClock::new(1_000);
        let clock = Clock::manual(&hands);
        hands.advance(Duration::from_nanos(50));
        assert_eq!((clock.now().raw(), clock.unix_nanos()), (50, 1_050));
    }

    #[test]
    fn a_step_of_the_wall_clock_leaves_earlier_ticks_where_they_were() {
        let hands = ManualClock::new(10_000_000_000);
        let clock = Clock::manual(&hands);
        let before = clock.now();
        hands.advance(Duration::from_secs(1));
        hands.step_wall(5_000_000_000);
        clock.anchor();
        hands.advance(Duration::from_secs(1));
        let anchors = clock.anchors();
        assert_eq!(anchors.unix_nanos(before), 10_000_000_000);
        assert_eq!(anchors.unix_nanos(clock.now()), 6_000_000_000);
        assert_eq!(clock.now().since(before), 2_000_000_000);
    }

    #[test]
    fn the_system_clock_tells_the_time() {
        let wall = || u64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap();
        let (before, now, after) = (wall(), Clock::system().unix_nanos(), wall());
        assert!(before <= now + 1_000_000 && now <= after + 1_000_000, "{before} {now} {after}");
    }

    #[test]
    fn many_steps_are_bounded() {
        let hands = ManualClock::new(0);
        let clock = Clock::manual(&hands);
        for i in 1..1_000 {
            hands.advance(Duration::from_secs(1));
            hands.step_wall(i * 7_000_000_000);
            clock.anchor();
        }
        assert_eq!(clock.anchors().0.len(), Anchors::MAX);
        assert_eq!(clock.unix_nanos(), 999 * 7_000_000_000);
    }
}
