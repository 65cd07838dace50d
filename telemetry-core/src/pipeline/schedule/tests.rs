use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::exporters::{Batch, Limits};
use crate::ledger::ExporterAccount;
use crate::pipeline::books::Books;
use crate::pipeline::fixtures::{spans, sums};
use crate::pipeline::line::STEADY;
use crate::pipeline::parcel::Reading;

const SECOND: Duration = Duration::from_secs(1);
const LIMITS: Limits = Limits { items: 1000, bytes: 1 << 20, in_flight: 2 };
const PACE: Pace =
    Pace { limits: LIMITS, give_up_after: Duration::from_mins(5), linger: Duration::ZERO, rate: None };

/// One exporter whose time a test moves.
struct Stage {
    books: Arc<Books>,
    lanes: Arc<Lanes>,
    schedule: Schedule,
    now: Tick,
}

impl Stage {
    fn new(pace: Pace) -> Self {
        Self::with_room(pace, 1 << 20)
    }

    fn with_room(pace: Pace, bytes: usize) -> Self {
        let (books, lanes) = (Arc::new(Books::default()), Arc::new(Lanes::new([bytes; 2], || ())));
        books.join(books.add_exporter("it"));
        let now = Tick::default().plus(SECOND);
        // Without jitter: the whole of the bound.
        let schedule = Schedule::new(Arc::clone(&lanes), pace, now, || u64::MAX);
        Self { books, lanes, schedule, now }
    }

    fn parcel(&self, batch: Batch) -> Parcel {
        let (signal, items) = (batch.signal(), batch.len() as u64);
        let ticket = self.books.accept(&mut self.books.lock(), 0, signal, items, 0);
        Parcel::new(batch, ticket.unwrap(), self.now)
    }

    /// Cumulative sums of that moment.
    fn put_sums(&self, at: u64, endings: u64, values: impl IntoIterator<Item = u64>) {
        let reading = Reading { endings, at: Tick::from_raw(at) };
        self.put_parcel(Parcel { sums: Some(reading), ..self.parcel(sums(values)) });
    }

    fn put(&self, batch: Batch) {
        self.put_parcel(self.parcel(batch));
    }

    fn put_parcel(&self, parcel: Parcel) {
        let evicted = self.lanes.put(parcel);
        evicted.into_iter().for_each(|old| old.settle(Outcome::Dropped(Reason::QueueFull)));
    }

    #[track_caller]
    fn attempt(&mut self) -> Parcel {
        match self.schedule.next(self.now) {
            Step::Attempt(parcel) => parcel,
            step => panic!("no attempt, but {step:?}"),
        }
    }

    #[track_caller]
    fn wait(&mut self) -> (Duration, Activity) {
        match self.schedule.next(self.now) {
            Step::Wait(until, what) => {
                let until = until.map_or(Duration::MAX, |until| Duration::from_nanos(until.since(self.now)));
                (until, what)
            }
            step => panic!("no wait, but {step:?}"),
        }
    }

    fn ended(&mut self, parcel: Parcel, ended: Result<Delivery, ExportError>) -> Aftermath {
        let after = self.schedule.ended(parcel, ended.as_ref(), self.now);
        drop(ended);
        assert!(self.balances());
        after
    }

    fn delivered(&mut self, parcel: Parcel) {
        self.ended(parcel, Ok(Delivery::all()));
    }

    fn failed(&mut self, parcel: Parcel) -> Aftermath {
        self.ended(parcel, Err(ExportError::retry("down")))
    }

    #[track_caller]
    fn attempt_after(&mut self, time: Duration) -> Parcel {
        self.pass(time);
        self.attempt()
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    fn account(&self, signal: Signal) -> ExporterAccount {
        *self.books.lock().ledger().exporter("it", signal).unwrap()
    }

    fn balances(&self) -> bool {
        self.books.lock().ledger().balances()
    }
}

fn ids(batch: &Batch) -> Vec<u64> {
    batch.spans().map(|span| span.span_id().get()).collect()
}

#[test]
fn spans_in_backoff_do_not_hold_up_metrics() {
    let mut stage = Stage::new(PACE);
    stage.put(spans(1..=10));
    let parcel = stage.attempt();
    let again = ExportError::retry_after(3 * SECOND, "later");
    assert_eq!(stage.ended(parcel, Err(again)).next, Next::Retry(3 * SECOND));
    assert_eq!(stage.wait(), (3 * SECOND, Activity::Backoff));
    stage.put(sums([1, 2]));
    let metrics = stage.attempt();
    assert_eq!(metrics.batch.signal(), Signal::Metrics);
    stage.delivered(metrics);
    stage.pass(3 * SECOND);
    let parcel = stage.attempt();
    assert_eq!(ids(&parcel.batch), (1..=10).collect::<Vec<_>>());
    stage.ended(parcel, Ok(Delivery::partial(3, "wrong")));
    let (spans, metrics) = (stage.account(Signal::Spans), stage.account(Signal::Metrics));
    assert_eq!((spans.delivered, spans.rejected, metrics.delivered), (7, 3, 2));
}

#[test]
fn whoever_has_much_to_send_leaves_the_others_their_turn() {
    let mut stage = Stage::new(Pace { limits: Limits { items: 1, in_flight: 1, ..LIMITS }, ..PACE });
    stage.put(sums(1..=5));
    stage.put(spans(1..=5));
    let sent: Vec<Signal> = (0..10)
        .map(|_| {
            let parcel = stage.attempt();
            let signal = parcel.batch.signal();
            stage.delivered(parcel);
            signal
        })
        .collect();
    assert_eq!(sent, [Signal::Metrics, Signal::Spans].repeat(5));
}

#[test]
fn what_waits_is_one_request_and_too_large_ones_are_halved() {
    let mut stage = Stage::new(PACE);
    (0..25).for_each(|i| stage.put(spans(i * 100 + 1..i * 100 + 101)));
    let (mut seen, mut sizes) = (Vec::new(), Vec::new());
    while let Step::Attempt(parcel) = stage.schedule.next(stage.now) {
        sizes.push(parcel.batch.len());
        if parcel.batch.len() > 300 {
            assert_eq!(stage.ended(parcel, Err(ExportError::too_large("413"))).next, Next::Split);
            continue;
        }
        seen.extend(ids(&parcel.batch));
        stage.delivered(parcel);
    }
    assert_eq!(sizes[..4], [1000, 500, 250, 250]);
    assert_eq!(seen, (1..=2500).collect::<Vec<_>>());
    assert_eq!(stage.account(Signal::Spans).delivered, 2500);
}

#[test]
fn requests_grow_again_after_many_deliveries() {
    let mut stage = Stage::new(PACE);
    let largest = |stage: &mut Stage| {
        stage.put(spans(1..=1000));
        let parcel = stage.attempt();
        let len = parcel.batch.len();
        (parcel, len)
    };
    let (parcel, _) = largest(&mut stage);
    stage.ended(parcel, Err(ExportError::too_large("413")));
    for _ in 0..STEADY {
        let parcel = stage.attempt();
        assert!(parcel.batch.len() <= 500);
        stage.delivered(parcel);
        stage.put(spans(1..=1000));
    }
    assert_eq!(stage.attempt().batch.len(), 1000);
}

#[test]
fn one_item_that_is_too_large_alone_is_refused_and_lowers_nothing() {
    let mut stage = Stage::new(PACE);
    stage.put(spans(1..=100));
    let mut delivered = Vec::new();
    while let Step::Attempt(parcel) = stage.schedule.next(stage.now) {
        if ids(&parcel.batch).contains(&70) {
            stage.ended(parcel, Err(ExportError::too_large("413")));
        } else {
            delivered.extend(ids(&parcel.batch));
            stage.delivered(parcel);
        }
    }
    assert_eq!(delivered.len(), 99);
    assert_eq!(stage.account(Signal::Spans).rejected, 1);
    stage.put(spans(1..=800));
    assert_eq!(stage.attempt().batch.len(), 800, "the others are not sent one by one");
}

#[test]
fn what_never_gets_through_expires_and_what_was_taken_is_not_sent_again() {
    let mut stage = Stage::new(PACE);
    stage.put(spans(1..=10));
    let parcel = stage.attempt();
    stage.ended(parcel, Err(ExportError::retry("torn").taken(4)));
    let mut attempts = 0;
    loop {
        match stage.schedule.next(stage.now) {
            Step::Attempt(parcel) => {
                assert_eq!(ids(&parcel.batch), [5, 6, 7, 8, 9, 10]);
                attempts += 1;
                stage.failed(parcel);
            }
            Step::Wait(Some(until), Activity::Backoff) => stage.now = until,
            Step::Wait(None, Activity::Idle) => break,
            step => panic!("{step:?}"),
        }
    }
    assert!((10..15).contains(&attempts), "{attempts} in five minutes, 30 s apart in the end");
    let account = stage.account(Signal::Spans);
    assert_eq!((account.delivered, account.dropped.by(Reason::Expired)), (4, 6));
}

#[test]
fn one_poisoned_item_is_found_and_refused_and_all_others_arrive() {
    let mut stage = Stage::new(PACE);
    stage.put(spans(1..=64));
    let (mut delivered, mut next) = (Vec::new(), 100);
    for _ in 0..400 {
        match stage.schedule.next(stage.now) {
            Step::Attempt(parcel) if ids(&parcel.batch).contains(&23) => drop(stage.failed(parcel)),
            Step::Attempt(parcel) => {
                delivered.extend(ids(&parcel.batch));
                stage.delivered(parcel);
            }
            Step::Wait(Some(until), _) => {
                stage.now = until;
                // Others come meanwhile, in requests of their own.
                stage.put(spans([next]));
                next += 1;
            }
            _ => break,
        }
    }
    let others: HashSet<u64> = delivered.iter().copied().filter(|id| *id <= 64).collect();
    assert_eq!((others.len(), others.contains(&23)), (63, false));
    assert_eq!(delivered.len(), delivered.iter().collect::<HashSet<_>>().len(), "once each");
    assert_eq!((stage.account(Signal::Spans).rejected, stage.account(Signal::Spans).dropped.total()), (1, 0));
}

/// Whatever it refuses, it refuses for its rate.
#[test]
fn a_receiver_that_limits_its_rate_refuses_no_item_for_ever() {
    thread_local!(static RANDOM: Cell<u64> = const { Cell::new(1) });
    for every in [50, 200, 400].map(Duration::from_millis) {
        let mut stage = Stage::new(Pace { limits: Limits { items: 10, ..LIMITS }, ..PACE });
        stage.schedule.random = || {
            RANDOM.set(RANDOM.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695));
            RANDOM.get()
        };
        stage.put(spans(1..=1000));
        stage.pass(SECOND);
        let (mut next, mut requests) = (stage.now, 0);
        while stage.account(Signal::Spans).buffered > 0 {
            match stage.schedule.next(stage.now) {
                Step::Attempt(parcel) if stage.now < next => drop(stage.failed(parcel)),
                Step::Attempt(parcel) => {
                    next = stage.now.plus(every);
                    stage.delivered(parcel);
                }
                Step::Wait(until, _) => stage.now = until.unwrap(),
                step => unreachable!("nobody stops it, and it has no spool: {step:?}"),
            }
            requests += 1;
        }
        let account = stage.account(Signal::Spans);
        assert_eq!((account.delivered, account.rejected), (1000, 0), "{every:?}");
        assert!(requests < 1000, "{every:?}: {requests}");
    }
}

#[test]
fn a_line_that_failed_lets_one_request_out_until_it_gets_through() {
    let mut stage = Stage::new(PACE);
    stage.put(spans(1..=2000));
    let (first, second) = (stage.attempt(), stage.attempt());
    stage.failed(first);
    stage.failed(second);
    stage.pass(Duration::from_mins(1));
    let probe = stage.attempt();
    assert_eq!(stage.wait().1, Activity::Send, "one is out, and two would be allowed");
    stage.delivered(probe);
    let next = stage.attempt();
    stage.delivered(next);
    assert_eq!(stage.account(Signal::Spans).delivered, 2000);
}

#[test]
fn few_items_linger_and_many_do_not_and_nobody_in_a_hurry_waits() {
    let mut stage = Stage::new(Pace { linger: Duration::from_millis(50), ..PACE });
    stage.put(spans(1..=3));
    assert_eq!(stage.wait(), (Duration::from_millis(50), Activity::Linger));
    stage.put(spans(4..=6));
    stage.pass(Duration::from_millis(50));
    let both = stage.attempt();
    assert_eq!(both.batch.len(), 6);
    stage.delivered(both);
    stage.put(spans(7..=9));
    assert_eq!(stage.wait().1, Activity::Linger);
    stage.lanes.hurry(stage.now.plus(SECOND));
    let hurried = stage.attempt();
    stage.delivered(hurried);
    stage.put(spans(1..=5000));
    let many = stage.attempt();
    assert_eq!(many.batch.len(), 1000, "half a request does not wait");
}

#[test]
fn a_hurry_overrides_a_backoff_but_not_what_the_receiver_has_just_asked_for() {
    let mut stage = Stage::new(PACE);
    stage.put(spans([1]));
    let parcel = stage.attempt();
    stage.failed(parcel);
    assert_eq!(stage.wait(), (SECOND, Activity::Backoff));
    stage.lanes.hurry(stage.now.plus(SECOND));
    let parcel = stage.attempt();
    stage.ended(parcel, Err(ExportError::retry_after(Duration::from_mins(2), "later")));
    stage.lanes.hurry(stage.now.plus(SECOND));
    assert_eq!(stage.wait(), (SECOND, Activity::Backoff), "not before a second has passed");
    stage.pass(SECOND);
    let parcel = stage.attempt();
    stage.delivered(parcel);
}

#[test]
fn a_rate_delays_and_drops_nothing() {
    let mut stage = Stage::new(Pace { rate: Some(100.0), ..PACE });
    stage.put(spans(1..=1000));
    let (mut sent, start) = (0, stage.now);
    while sent < 1000 {
        match stage.schedule.next(stage.now) {
            Step::Attempt(parcel) => {
                sent += parcel.batch.len();
                stage.delivered(parcel);
            }
            Step::Wait(Some(until), Activity::RateLimit) => stage.now = until,
            step => panic!("{step:?}"),
        }
    }
    let took = Duration::from_nanos(stage.now.since(start));
    assert!((8.9..9.1).contains(&took.as_secs_f64()), "{took:?}: 100 at once, 900 at 100 a second");
    assert_eq!(stage.account(Signal::Spans).delivered, 1000);
}

#[test]
fn a_panicking_exporter_is_tried_three_times_with_its_batch() {
    let mut stage = Stage::new(PACE);
    stage.put(spans(1..=5));
    for attempt in 1..=Line::MOST_PANICS {
        let parcel = stage.attempt();
        assert_eq!(parcel.batch.len(), 5);
        let after = stage.schedule.panicked(parcel);
        assert_eq!(after.rejected, if attempt == Line::MOST_PANICS { 5 } else { 0 });
        assert!(stage.balances());
    }
    stage.put(spans([6]));
    let parcel = stage.attempt();
    stage.delivered(parcel);
    assert_eq!((stage.account(Signal::Spans).rejected, stage.account(Signal::Spans).delivered), (5, 1));
}

#[test]
fn after_an_outage_only_the_newest_cumulative_sums_are_sent() {
    let mut stage = Stage::new(PACE);
    stage.put_sums(1, 0, [1]);
    let parcel = stage.attempt();
    stage.failed(parcel);
    for (value, endings) in [(2, 0), (3, 0), (4, 1), (5, 1)] {
        stage.put_sums(value, endings, [value]);
    }
    stage.pass(SECOND);
    let mut seen = Vec::new();
    while let Step::Attempt(parcel) = stage.schedule.next(stage.now) {
        seen.extend(parcel.batch.metrics().map(|metric| metric.number().as_f64()));
        stage.delivered(parcel);
    }
    // A series ended after 3: what was its last value is in no later snapshot.
    assert_eq!(seen, [1.0, 3.0, 5.0]);
    let account = stage.account(Signal::Metrics);
    assert_eq!((account.delivered, account.filtered, account.dropped.total()), (3, 2, 0));
}

#[test]
fn deltas_that_expire_are_handed_back() {
    let mut stage = Stage::new(Pace { give_up_after: SECOND, ..PACE });
    let deltas = Parcel { is_deltas: true, ..stage.parcel(sums([4, 5])) };
    stage.put_parcel(deltas);
    let parcel = stage.attempt();
    stage.failed(parcel);
    stage.pass(Duration::from_mins(1));
    let parcel = stage.attempt();
    stage.failed(parcel);
    let flush = stage.books.close_generation(1, true).pop().unwrap();
    let back = stage.lanes.take_handed_back().pop().unwrap();
    assert_eq!(back.batch.len(), 2);
    // Who waits for them waits until what they are part of has arrived, and for nothing else.
    let mut next = stage.parcel(sums([9, 9]));
    next.stands_for(back.into_ticket());
    let other = stage.parcel(spans([1]));
    assert!(!flush.wait(std::time::Instant::now()));
    next.settle(Outcome::Delivered { rejected: 0 });
    assert!(flush.wait(std::time::Instant::now()) && flush.lost() == 0);
    let account = stage.account(Signal::Metrics);
    assert_eq!((account.filtered, account.delivered, account.dropped.total()), (2, 2, 0));
    other.settle(Outcome::Rejected);
}

#[test]
fn at_the_deadline_what_is_left_is_dropped_for_it() {
    let mut stage = Stage::new(PACE);
    stage.put(spans(1..=1500));
    let out = stage.attempt();
    stage.failed(out);
    let out = stage.attempt_after(SECOND);
    stage.lanes.stop(stage.now.plus(SECOND));
    stage.pass(SECOND);
    assert!(matches!(stage.schedule.next(stage.now), Step::Done));
    drop(out);
    let books = Arc::clone(&stage.books);
    drop(stage);
    let account = *books.lock().ledger().exporter("it", Signal::Spans).unwrap();
    assert_eq!((account.dropped.by(Reason::Deadline), account.buffered), (1500, 0));
}

#[test]
fn a_pause_holds_everything_until_it_ends() {
    let mut stage = Stage::new(PACE);
    stage.lanes.pause(true);
    stage.put(spans([1]));
    assert_eq!(stage.wait(), (Duration::MAX, Activity::Pause));
    stage.lanes.pause(false);
    let parcel = stage.attempt();
    stage.delivered(parcel);
}

#[test]
fn the_rest_of_a_snapshot_does_not_stand_for_its_first_part() {
    let mut stage = Stage::new(Pace { limits: Limits { items: 10, ..LIMITS }, ..PACE });
    stage.put_sums(1, 0, 1..=15);
    let parcel = stage.attempt();
    assert_eq!(parcel.batch.len(), 10);
    stage.failed(parcel);
    stage.pass(SECOND);
    let mut seen = 0;
    while let Step::Attempt(parcel) = stage.schedule.next(stage.now) {
        seen += parcel.batch.len();
        stage.delivered(parcel);
    }
    let account = stage.account(Signal::Metrics);
    assert_eq!((seen, account.delivered, account.filtered), (15, 15, 0));
}

#[test]
fn an_item_that_failed_twice_in_an_outage_is_not_refused_for_it() {
    let mut stage = Stage::new(PACE);
    stage.put(spans([1]));
    for _ in 0..2 {
        let parcel = stage.attempt_after(Duration::from_mins(1));
        stage.failed(parcel);
    }
    stage.put(spans([2]));
    stage.pass(Duration::from_mins(1));
    // It is up again.
    while let Step::Attempt(parcel) = stage.schedule.next(stage.now) {
        stage.delivered(parcel);
    }
    let account = stage.account(Signal::Spans);
    assert_eq!((account.delivered, account.rejected), (2, 0));
}

#[test]
fn deltas_that_expire_after_the_last_reading_are_lost() {
    let mut stage = Stage::new(Pace { give_up_after: SECOND, ..PACE });
    let deltas = Parcel { is_deltas: true, ..stage.parcel(sums([4, 5])) };
    stage.put_parcel(deltas);
    let parcel = stage.attempt();
    stage.failed(parcel);
    stage.pass(Duration::from_mins(1));
    stage.lanes.stop(stage.now.plus(SECOND));
    let parcel = stage.attempt();
    stage.failed(parcel);
    let account = stage.account(Signal::Metrics);
    assert_eq!((account.filtered, account.dropped.total()), (0, 2));
}

#[test]
fn room_that_came_before_it_was_wanted_is_seen() {
    let stage = Stage::with_room(PACE, 1000);
    stage.put(spans(1..=30));
    assert_eq!(stage.lanes.room(Signal::Spans), 0);
    assert!(!stage.lanes.want_room());
    let parcel = stage.lanes.take(Signal::Spans, 1000, 1 << 20).unwrap();
    assert!(stage.lanes.want_room() && stage.lanes.want_room());
    stage.lanes.done(Signal::Spans, parcel.batch.bytes());
}

#[test]
fn sums_that_gave_way_leave_their_memory_to_the_newer_ones() {
    let size = sums(1..=10).bytes();
    let mut stage = Stage::with_room(PACE, size + size / 2);
    stage.put_sums(1, 0, 1..=10);
    let parcel = stage.attempt();
    stage.failed(parcel);
    stage.put_sums(2, 0, 1..=10);
    let parcel = stage.attempt_after(SECOND);
    stage.delivered(parcel);
    let account = stage.account(Signal::Metrics);
    assert_eq!((account.buffered, account.delivered, account.filtered), (0, 10, 10));
}

#[test]
fn what_newer_sums_lose_is_lost_for_those_too_who_wait_for_the_older_ones() {
    let mut stage = Stage::new(PACE);
    stage.put_sums(1, 0, [1]);
    let parcel = stage.attempt();
    stage.failed(parcel);
    let flush = stage.books.close_generation(1, true).pop().unwrap();
    stage.put_sums(2, 0, [1]);
    let parcel = stage.attempt_after(SECOND);
    stage.ended(parcel, Err(ExportError::never("no")));
    assert!(flush.wait(std::time::Instant::now()) && flush.lost() > 0);
}

#[test]
fn generations_do_not_grow_with_flushes() {
    let stage = Stage::new(PACE);
    let mut stuck = Vec::new();
    for n in 1..=100 {
        stuck.push(stage.parcel(spans([n])));
        let flush = stage.books.close_generation(1, true).pop().unwrap();
        stuck.push(stage.parcel(spans([n + 100])));
        assert!(!flush.wait(std::time::Instant::now()));
    }
    assert!(stage.books.lock().generations(0) <= 2);
}

#[test]
fn while_somebody_waits_no_wait_is_longer_than_a_second() {
    let mut stage = Stage::new(PACE);
    let busy = || Err(ExportError::retry_after(Duration::from_mins(1), "busy"));
    stage.put(spans([1]));
    let mut parcel = stage.attempt();
    stage.lanes.hurry(stage.now.plus(2 * SECOND));
    assert_eq!(stage.wait().1, Activity::Send);
    for _ in 0..2 {
        stage.ended(parcel, busy());
        assert_eq!(stage.wait(), (SECOND, Activity::Backoff));
        parcel = stage.attempt_after(SECOND);
    }
    // Nobody waits any more.
    stage.ended(parcel, busy());
    assert_eq!(stage.wait(), (Duration::from_mins(1), Activity::Backoff));
}

/// How an attempt ends in a script.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Delivered,
    Partly(usize),
    Later,
    After(u64),
    Torn(usize),
    TooLarge,
    Never,
    Panic,
}

/// What happens next in a script.
#[derive(Clone, Copy, Debug)]
enum Event {
    Put(u64),
    Sums(u64),
    Land(usize, Ends),
    Pass(u64),
    Hurry,
}

fn ends() -> impl Strategy<Value = Ends> {
    prop_oneof![
        5 => Just(Ends::Delivered),
        1 => (0..20_usize).prop_map(Ends::Partly),
        4 => Just(Ends::Later),
        1 => (0..400_u64).prop_map(Ends::After),
        2 => (0..200_usize).prop_map(Ends::Torn),
        2 => Just(Ends::TooLarge),
        1 => Just(Ends::Never),
        1 => Just(Ends::Panic),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..150_u64).prop_map(Event::Put),
        1 => (1..20_u64).prop_map(Event::Sums),
        6 => (0..8_usize, ends()).prop_map(|(which, how)| Event::Land(which, how)),
        4 => (0..70_000_u64).prop_map(Event::Pass),
        1 => Just(Event::Hurry),
    ]
}

fn pace() -> impl Strategy<Value = Pace> {
    let limits = (1..200_usize, 1_000..60_000_usize, 1..5_usize);
    (limits, 1..400_u64, 0..100_u64, prop::option::of(1.0..500.0)).prop_map(
        |((items, bytes, in_flight), secs, linger, rate)| Pace {
            limits: Limits { items, bytes, in_flight },
            give_up_after: Duration::from_secs(secs),
            linger: Duration::from_millis(linger),
            rate,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1000), ..ProptestConfig::default() })]

    /// Whatever happens, the books balance after each step, nothing is delivered twice by the ids that the receiver
    /// saw, deltas add up, and in the end nothing waits.
    #[test]
    fn whatever_happens_the_books_balance_and_nothing_is_delivered_twice(
        pace in pace(),
        room in 2_000..200_000_usize,
        script in prop::collection::vec(event(), 1..120),
    ) {
        let mut stage = Stage::with_room(pace, room);
        let (mut flights, mut next): (Vec<Parcel>, u64) = (Vec::new(), 1);
        let (mut delivered, mut rejected) = (BTreeMap::<u64, u32>::new(), 0);
        // Of deltas: what was put in, and what arrived, was refused, handed back or driven out.
        let (mut given, mut accounted) = (0_u64, 0_u64);
        let value = |batch: &Batch| batch.metrics().map(|metric| metric.number().as_f64() as u64).sum::<u64>();
        for event in script {
            match event {
                Event::Put(n) => {
                    stage.put(spans(next..next + n));
                    next += n;
                }
                Event::Sums(n) => {
                    let parcel = Parcel { is_deltas: true, ..stage.parcel(sums(1..=n)) };
                    given += value(&parcel.batch);
                    for old in stage.lanes.put(parcel) {
                        accounted += value(&old.batch);
                        old.settle(Outcome::Superseded);
                    }
                }
                Event::Pass(millis) => stage.pass(Duration::from_millis(millis)),
                Event::Hurry => stage.lanes.hurry(stage.now.plus(SECOND)),
                Event::Land(which, how) if !flights.is_empty() => {
                    let parcel = flights.swap_remove(which % flights.len());
                    let (len, is_spans) = (parcel.batch.len(), parcel.batch.signal() == Signal::Spans);
                    let (batch, before) = (parcel.batch.clone(), stage.account(parcel.batch.signal()));
                    let taken = match how {
                        // Which ones a receiver refuses it does not say.
                        Ends::Delivered | Ends::Partly(_) => len,
                        Ends::Torn(taken) => taken.min(len),
                        _ => 0,
                    };
                    let mut seen = batch.clone();
                    let seen = seen.take_first(taken);
                    ids(&seen).into_iter().for_each(|id| *delivered.entry(id).or_default() += 1);
                    let result = match how {
                        Ends::Delivered => Some(Ok(Delivery::all())),
                        Ends::Partly(n) => Some(Ok(Delivery::partial(n, "some"))),
                        Ends::Later => Some(Err(ExportError::retry("later"))),
                        Ends::After(secs) => Some(Err(ExportError::retry_after(Duration::from_secs(secs), "asked"))),
                        Ends::Torn(n) => Some(Err(ExportError::retry("torn").taken(n))),
                        Ends::TooLarge => Some(Err(ExportError::too_large("413"))),
                        Ends::Never => Some(Err(ExportError::never("400"))),
                        Ends::Panic => None,
                    };
                    let after = match &result {
                        Some(result) => stage.schedule.ended(parcel, result.as_ref(), stage.now),
                        None => stage.schedule.panicked(parcel),
                    };
                    let now = stage.account(batch.signal());
                    prop_assert_eq!(now.delivered - before.delivered, after.delivered);
                    let given_up = |is_refused| {
                        let of_kind = after.given_up.iter().filter(|given_up| given_up.is_refused == is_refused);
                        of_kind.map(|given_up| given_up.items).sum::<u64>()
                    };
                    let (refused, expired) = (after.rejected + given_up(true), after.expired + given_up(false));
                    prop_assert_eq!(now.rejected - before.rejected, refused);
                    prop_assert_eq!(now.dropped.total() - before.dropped.total(), expired);
                    if is_spans {
                        rejected += refused;
                    }
                    prop_assert!(after.delivered as usize <= len);
                }
                Event::Land(..) => {}
            }
            while let Step::Attempt(parcel) = stage.schedule.next(stage.now) {
                prop_assert!(!parcel.batch.is_empty() && parcel.batch.len() <= pace.limits.items);
                flights.push(parcel);
                prop_assert!(flights.len() <= pace.limits.in_flight);
            }
            prop_assert!(stage.balances());
            accounted += stage.lanes.take_handed_back().iter().map(|parcel| value(&parcel.batch)).sum::<u64>();
        }
        prop_assert!(delivered.values().all(|times| *times == 1), "{delivered:?}");
        // Now all goes well: nothing waits for ever, and nothing is lost.
        let lost = stage.account(Signal::Spans).dropped.total();
        for _ in 0..100_000 {
            while let Some(parcel) = flights.pop() {
                ids(&parcel.batch).into_iter().for_each(|id| *delivered.entry(id).or_default() += 1);
                stage.delivered(parcel);
            }
            match stage.schedule.next(stage.now) {
                Step::Attempt(parcel) => flights.push(parcel),
                Step::Wait(Some(until), _) => stage.now = until,
                _ => break,
            }
        }
        let account = stage.account(Signal::Spans);
        prop_assert_eq!(account.buffered, 0);
        prop_assert!(delivered.values().all(|times| *times == 1));
        // Found to be poisoned are only single items that failed.
        prop_assert!(account.dropped.total() == lost, "{account:?}");
        prop_assert!(account.rejected >= rejected && account.delivered + account.rejected + lost == next - 1);
        let metrics = stage.account(Signal::Metrics);
        prop_assert_eq!(metrics.buffered, 0);
        prop_assert!(accounted <= given);
    }
}
