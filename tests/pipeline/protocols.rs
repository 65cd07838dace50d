//! Both kinds of drivers: one that blocks, and one with several requests out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use telemetry_core::__private::{Encoded, Limits, Protocol, Sending};
use telemetry_layer::clock::{Clock, ManualClock};
use telemetry_layer::exporters::{Route, SpoolMode};
use telemetry_layer::ledger::Ledger;
use telemetry_layer::prelude::*;

use super::{Ends, SOON, Script, Wire, account, builder, ids, span};

const LIMITS: Limits = Limits { items: 100, bytes: 1 << 20, in_flight: 4 };

fn ends() -> impl Strategy<Value = Ends> {
    prop_oneof![
        3 => Just(Ends::Delivered),
        1 => (0..20_usize).prop_map(Ends::Partly),
        3 => Just(Ends::Later),
        1 => (0..400_u64).prop_map(Ends::After),
        2 => (0..200_usize).prop_map(Ends::Torn),
        2 => Just(Ends::TooLarge),
        1 => Just(Ends::Never),
        1 => Just(Ends::Panic),
        1 => Just(Ends::Hang),
    ]
}

/// Records, flushes and lets time pass until all is settled.
fn run(
    route: impl Into<Route>,
    clock: &ManualClock,
    script: &Script,
    rounds: &[u64],
) -> Result<(), TestCaseError> {
    let collector = builder().clock(Clock::manual(clock)).exporter(route).on_export(|_| ()).start().unwrap();
    let name = collector.ledger().exporters().next().unwrap().to_owned();
    let mut next = 0;
    for many in rounds {
        (0..*many).for_each(|n| collector.collect_span(&span(next + n)));
        next += many;
        collector.flush(Duration::from_millis(1));
        clock.advance(Duration::from_secs(7));
        prop_assert!(collector.ledger().balances());
    }
    let begin = Instant::now();
    let is_open = |ledger: &Ledger| {
        let account = account(ledger, &name, Signal::Spans);
        ledger.signal(Signal::Spans).held + account.buffered + account.spooled > 0
    };
    while is_open(&collector.ledger()) {
        collector.flush(Duration::from_millis(1));
        clock.advance(Duration::from_secs(11));
        prop_assert!(begin.elapsed() < SOON, "something waits for ever: {}", collector.ledger());
    }
    script.seen.assert_once();
    let report = collector.shutdown(SOON);
    let account = account(report.ledger(), &name, Signal::Spans);
    prop_assert_eq!(account.accepted, next);
    prop_assert!(report.late().is_empty());
    // What was refused of a request that was taken, the receiver has seen too.
    prop_assert!(account.delivered <= script.seen.len() as u64);
    prop_assert_eq!(report.is_complete(), account.rejected + account.dropped.total() == 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_blocking_exporter_delivers_each_item_once_whatever_happens(
        script in prop::collection::vec(ends(), 0..40),
        rounds in prop::collection::vec(1..300_u64, 1..8),
    ) {
        let (clock, script) = (ManualClock::new(0), Script::new(script));
        run(script.clone(), &clock, &script, &rounds)?;
    }

    #[test]
    fn a_protocol_delivers_each_item_once_whatever_happens(
        script in prop::collection::vec(ends(), 0..60),
        rounds in prop::collection::vec(1..300_u64, 1..8),
        items in 1..200_usize,
        bytes in 8..1_000_usize,
        in_flight in 1..5_usize,
    ) {
        let (clock, script) = (ManualClock::new(0), Script::new(script));
        let wire = Wire { script: script.clone(), limits: Limits { items, bytes, in_flight } };
        run(Route::over(wire), &clock, &script, &rounds)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// The same over the disk; what is stored can't be cut, so nothing is taken by half.
    #[test]
    fn a_protocol_with_a_spool_delivers_each_item_once_whatever_happens(
        script in prop::collection::vec(ends().prop_filter("torn", |ends| !matches!(ends, Ends::Torn(_))), 0..60),
        rounds in prop::collection::vec(1..300_u64, 1..8),
        items in 1..200_usize,
        in_flight in 1..5_usize,
        is_always in any::<bool>(),
    ) {
        let (clock, script) = (ManualClock::new(0), Script::new(script));
        let wire = Wire { script: script.clone(), limits: Limits { items, bytes: 1_000, in_flight } };
        let directory = tempfile::tempdir().unwrap();
        let mode = if is_always { SpoolMode::Always } else { SpoolMode::OnFailure };
        run(Route::over(wire).spool(directory.path()).spool_mode(mode), &clock, &script, &rounds)?;
    }
}

/// Answers when all that are allowed are out.
struct Together {
    out: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Protocol for Together {
    fn name(&self) -> &str {
        "together"
    }

    fn limits(&self) -> Limits {
        LIMITS
    }

    fn encode(&self, batch: &Batch, _: usize, _: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        Ok(batch.len().into())
    }

    fn send(&self, _: Signal, _: Bytes) -> Sending<'_> {
        self.most.fetch_max(self.out.fetch_add(1, SeqCst) + 1, SeqCst);
        Box::pin(async {
            let mut turns = 0;
            std::future::poll_fn(|cx| {
                turns += 1;
                cx.waker().wake_by_ref();
                let is_enough = self.most.load(SeqCst) == LIMITS.in_flight || turns > 1_000_000;
                if is_enough { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            self.out.fetch_sub(1, SeqCst);
            Ok(Delivery::all())
        })
    }
}

#[test]
fn several_requests_are_out_at_once_and_no_more_than_are_allowed() {
    let most = Arc::new(AtomicUsize::new(0));
    let together = Together { out: Arc::default(), most: Arc::clone(&most) };
    let collector = builder().exporter(Route::over(together)).start().unwrap();
    (0..1000).for_each(|n| collector.collect_span(&span(n)));
    let report = collector.shutdown(SOON);
    assert!(report.is_complete(), "{report}");
    assert_eq!(most.load(SeqCst), LIMITS.in_flight);
}

#[test]
fn a_request_that_hangs_holds_up_neither_the_others_nor_the_shutdown() {
    let script = Script::new(vec![Ends::Hang]);
    let wire = Wire { script: script.clone(), limits: LIMITS };
    let collector = builder().exporter(Route::over(wire).timeout(SOON)).start().unwrap();
    (0..300).for_each(|n| collector.collect_span(&span(n)));
    let begin = Instant::now();
    let report = collector.shutdown(Duration::from_millis(300));
    assert!(begin.elapsed() < SOON / 4, "{:?}", begin.elapsed());
    assert!(report.late().is_empty() && !report.is_complete(), "its thread has ended: {report}");
    let spans = account(report.ledger(), "wire", Signal::Spans);
    assert_eq!((spans.delivered, spans.dropped.total()), (200, 100));
    script.seen.assert_once();
}

#[test]
fn a_request_without_an_answer_is_tried_again_after_its_time() {
    let clock = ManualClock::new(0);
    let script = Script::new(vec![Ends::Hang]);
    let wire = Wire { script: script.clone(), limits: LIMITS };
    let route = Route::over(wire).timeout(Duration::from_secs(3));
    let collector = builder().clock(Clock::manual(&clock)).exporter(route).start().unwrap();
    collector.collect_span(&span(1));
    assert!(!collector.flush(Duration::from_millis(50)).is_complete());
    clock.advance(Duration::from_secs(4));
    while script.seen.len() == 0 {
        collector.flush(Duration::from_millis(1));
        clock.advance(Duration::from_secs(1));
    }
    assert!(collector.shutdown(SOON).is_complete());
}

#[test]
fn spans_that_have_to_wait_do_not_delay_metrics() {
    let (metrics, seen) = std::sync::mpsc::channel();
    let exporter = move |batch: &Batch| match batch.signal() {
        Signal::Metrics => {
            batch.metrics().for_each(|metric| metrics.send(metric.number().as_f64()).unwrap());
            Ok(())
        }
        _ => Err(ExportError::retry_after(Duration::from_secs(3), "not now")),
    };
    let route = Route::new(exporter).linger(Duration::ZERO).flush_interval(Duration::from_millis(5));
    let collector = builder().exporter(route).start().unwrap();
    collector.collect_span(&span(1));
    let counter = collector.counter("c");
    let begin = Instant::now();
    for n in 1..=50 {
        counter.inc();
        while seen.recv_timeout(SOON).unwrap() < f64::from(n) {}
    }
    assert!(begin.elapsed() < Duration::from_secs(3), "all points arrived while spans waited");
}

/// Whether its check hangs; otherwise that panics.
struct Unchecked(Wire, bool);

impl Protocol for Unchecked {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        self.0.encode(batch, max_bytes, body)
    }

    fn send(&self, signal: Signal, body: Bytes) -> Sending<'_> {
        self.0.send(signal, body)
    }

    fn check(&self) -> Sending<'_, ()> {
        Box::pin(async move { if self.1 { std::future::pending().await } else { panic!("while it checks") } })
    }
}

#[test]
fn a_check_that_hangs_or_panics_does_not_keep_its_exporter_from_sending() {
    for hangs in [true, false] {
        let wire = Wire { script: Script::new(vec![]), limits: LIMITS };
        let route = Route::over(Unchecked(wire, hangs)).timeout(Duration::from_millis(20));
        let collector = builder().exporter(route).start().unwrap();
        (0..10).for_each(|n| collector.collect_span(&span(n)));
        let report = collector.shutdown(SOON);
        assert_eq!(account(report.ledger(), "wire", Signal::Spans).delivered, 10, "{report}");
    }
}

/// It has no word for spans whose number is odd.
struct Picky(Wire);

impl Protocol for Picky {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn encode(&self, batch: &Batch, _: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        let mut encoded = Encoded::default();
        for id in ids(batch) {
            if id % 2 == 1 {
                encoded.reject(format!("{id} is odd"));
            } else {
                body.extend(id.to_le_bytes());
                encoded.items += 1;
            }
        }
        Ok(encoded)
    }

    fn send(&self, signal: Signal, body: Bytes) -> Sending<'_> {
        assert!(!body.is_empty(), "nothing is never sent");
        self.0.send(signal, body)
    }
}

#[test]
fn what_a_protocol_can_not_say_is_rejected_once_and_the_others_are_delivered() {
    let clock = ManualClock::new(0);
    let script = Script::new(vec![Ends::Later, Ends::Partly(2), Ends::Delivered]);
    let picky = Picky(Wire { script: script.clone(), limits: Limits { in_flight: 1, ..LIMITS } });
    let (reports, told) = std::sync::mpsc::channel();
    let collector = builder()
        .clock(Clock::manual(&clock))
        .exporter(Route::over(picky))
        .on_export(move |report| reports.send(report.clone()).unwrap());
    let collector = collector.start().unwrap();
    let of = |collector: &Collector| account(&collector.ledger(), "wire", Signal::Spans);
    let settled = |spans: std::ops::Range<u64>| {
        let end = spans.end;
        spans.for_each(|n| collector.collect_span(&span(n)));
        while of(&collector).buffered > 0 || collector.ledger().signal(Signal::Spans).held > 0 {
            collector.flush(Duration::from_millis(1));
            clock.advance(Duration::from_secs(7));
        }
        let account = of(&collector);
        assert_eq!(account.delivered + account.rejected, end);
        account.rejected
    };
    assert_eq!(settled(0..10), 5 + 2, "an attempt that failed rejects nothing");
    assert_eq!(settled(10..11), 5 + 2 + 1, "and nothing is sent");
    drop(collector);
    let errors: Vec<String> = told.iter().filter_map(|report| report.error).collect();
    assert!(errors.iter().any(|error| error.ends_with("11 is odd")), "{errors:?}");
}
