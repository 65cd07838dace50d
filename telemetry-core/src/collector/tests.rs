use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::Duration;

use super::*;
use crate::exporters::{Batch, Delivery, Discard, ExportError, Exporter, Route, Signal};
use crate::ledger::{Ledger, Reason};
use crate::metrics::{CellKind, Reader, Site, Source};
use crate::model::{Event, Kind, Metric, Span, SpanContext, SpanId, Tags, Temporality, TraceId};
use crate::{Error, Level};

mod changes;
mod detected;
mod faults;
mod waits;

const SOON: Duration = Duration::from_secs(10);

fn builder() -> Builder {
    Collector::builder().ignore_env().flush_interval(Duration::from_hours(1))
}

fn span(n: u64) -> Span {
    let context = SpanContext::new(TraceId::new(1).unwrap(), SpanId::new(n + 1).unwrap(), true);
    Span::new(context, "s", 1_000, 5)
}

fn gauge(name: &'static str) -> Site {
    Site::new(CellKind::Gauge, name, &[]).unnumbered()
}

fn account(collector: &Collector, exporter: &str) -> crate::ledger::ExporterAccount {
    let ledger = collector.ledger();
    assert!(ledger.balances(), "{ledger}");
    *ledger.exporter(exporter, Signal::Spans).unwrap()
}

/// A door that an exporter waits at, until the test opens it.
#[derive(Default)]
struct Door(Mutex<bool>, Condvar);

impl Door {
    fn pass(&self) {
        let mut open = self.0.lock().unwrap();
        while !*open {
            open = self.1.wait(open).unwrap();
        }
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

#[test]
fn all_that_is_recorded_reaches_an_exporter_once() {
    let (items, seen) = mpsc::channel();
    let collector = builder()
        .tag("env", "test")
        .exporter(move |batch: &Batch| {
            assert_eq!(batch.resource().tags().get("env"), Some("test"));
            batch.spans().for_each(|s| items.send(format!("span {}", s.name())).unwrap());
            batch.events().for_each(|e| items.send(format!("event {}", e.message())).unwrap());
            batch.metrics().for_each(|m| items.send(format!("metric {} {}", m.name(), m.number())).unwrap());
        })
        .start()
        .unwrap();
    collector.collect_span(&span(1));
    collector.collect_event(&Event::new(Level::INFO, "hello", 7));
    collector.collect_metric(Metric::new(Kind::Counter, "by.hand", 3u64, 7));
    collector.record("also", 2.5);
    collector.counter("counted").add(4u64);
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().balances() && report.ledger().lost() == 0, "{report}");
    drop(collector);
    let mut seen: Vec<String> = seen.iter().collect();
    seen.sort();
    assert_eq!(seen, ["event hello", "metric also 2.5", "metric by.hand 3", "metric counted 4", "span s"]);
}

#[test]
fn the_last_handle_flushes() {
    let discard = Discard::new();
    let collector = builder().exporter(discard.clone()).start().unwrap();
    let clone = collector.clone();
    drop(collector);
    clone.collect_span(&span(1));
    assert_eq!(discard.discarded(Signal::Spans), 0, "nothing has flushed yet");
    drop(clone);
    assert_eq!(discard.discarded(Signal::Spans), 1);
}

#[test]
fn ninety_percent_of_the_buffer_wake_the_dispatcher() {
    let (items, seen) = mpsc::channel();
    let exporter = move |batch: &Batch| items.send(batch.len()).unwrap();
    let collector = builder().buffer_size(10).exporter(exporter).start().unwrap();
    (0..9).for_each(|n| collector.collect_span(&span(n)));
    let mut arrived = 0;
    while arrived < 9 {
        arrived += seen.recv_timeout(SOON).expect("nobody flushed, and the interval is an hour");
    }
}

#[test]
fn everything_is_moved_on_every_interval() {
    let (items, seen) = mpsc::channel();
    let exporter = move |batch: &Batch| {
        let _ = items.send(batch.signal());
    };
    let collector = builder().flush_interval(Duration::from_millis(5)).exporter(exporter).start().unwrap();
    collector.counter("c").inc();
    collector.collect_span(&span(1));
    let first: Vec<Signal> = (0..2).map(|_| seen.recv_timeout(SOON).unwrap()).collect();
    assert!(first.contains(&Signal::Metrics), "{first:?}");
    drop(collector);
}

#[test]
fn a_refusing_and_a_panicking_exporter_take_nothing_from_others() {
    let discard = Discard::new();
    struct Named(&'static str, fn() -> Result<Delivery, ExportError>);
    impl Exporter for Named {
        fn name(&self) -> &str {
            self.0
        }
        fn export(&mut self, _: &Batch) -> Result<Delivery, ExportError> {
            (self.1)()
        }
    }
    let collector = builder()
        .exporter(Named("refuses", || Err(ExportError::never("no"))))
        .exporter(Named("panics", || panic!("in an exporter")))
        .exporter(Named("partly", || Ok(Delivery::partial(2, "two are wrong"))))
        .exporter(discard.clone())
        .start()
        .unwrap();
    (0..5).for_each(|n| collector.collect_span(&span(n)));
    for _ in 0..2 {
        assert!(!collector.flush(SOON).is_complete(), "what was refused is not delivered, whoever asks");
    }
    assert_eq!(account(&collector, "refuses").rejected, 5);
    assert_eq!(account(&collector, "panics").rejected, 5);
    let partly = account(&collector, "partly");
    assert_eq!((partly.delivered, partly.rejected), (3, 2));
    assert_eq!((account(&collector, "discard").delivered, discard.discarded(Signal::Spans)), (5, 5));
    assert_eq!(collector.ledger().lost(), 12);
}

#[test]
fn what_may_go_well_later_is_tried_again_when_somebody_waits() {
    let attempts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&attempts);
    let exporter = move |_: &Batch| match count.fetch_add(1, Relaxed) {
        0 => Err(ExportError::retry_after(Duration::from_mins(5), "not now")),
        _ => Ok(()),
    };
    let collector = builder().exporter(exporter).start().unwrap();
    collector.collect_span(&span(1));
    assert!(!collector.flush(Duration::from_millis(20)).is_complete() || attempts.load(Relaxed) > 1);
    assert!(collector.flush(SOON).is_complete(), "the second flush does not wait five minutes");
    assert_eq!((attempts.load(Relaxed), account(&collector, "closure").delivered), (2, 1));
}

#[test]
fn a_stuck_exporter_loses_its_oldest_batches_and_nobody_elses() {
    let (door, discard) = (Arc::new(Door::default()), Discard::new());
    let wait = Arc::clone(&door);
    let config =
        Config { exporter_bytes: 64 << 10, flush_interval: Duration::from_hours(1), ..Config::default() };
    let exporter = move |_: &Batch| wait.pass();
    let collector =
        Collector::builder().config(config).exporter(exporter).exporter(discard.clone()).start().unwrap();
    for n in 0..20_000 {
        collector.collect_span(&span(n));
        while n % 100 == 99 && discard.discarded(Signal::Spans) <= n {
            collector.flush(Duration::from_millis(1));
        }
    }
    let stuck = account(&collector, "closure");
    assert!(stuck.dropped.by(Reason::QueueFull) > 0 && stuck.delivered == 0, "{stuck:?}");
    assert!(stuck.buffered * 50 < 64 << 10, "what waits is bounded: {stuck:?}");
    assert_eq!(discard.discarded(Signal::Spans), 20_000);
    door.open();
    assert!(!collector.flush(SOON).is_complete(), "what was lost stays lost");
    let freed = account(&collector, "closure");
    assert_eq!((freed.buffered, freed.delivered + freed.dropped.total()), (0, 20_000));
}

#[test]
fn shutdown_keeps_its_deadline_and_says_who_was_late() {
    let (door, discard) = (Arc::new(Door::default()), Discard::new());
    let wait = Arc::clone(&door);
    let exporter = move |_: &Batch| wait.pass();
    let collector = builder().exporter(exporter).exporter(discard.clone()).start().unwrap();
    (0..7).for_each(|n| collector.collect_span(&span(n)));
    let report = collector.shutdown(Duration::from_millis(50));
    assert!(!report.is_complete() && report.ledger().balances(), "{report}");
    assert_eq!(report.late(), ["closure"]);
    let late = report.ledger().exporter("closure", Signal::Spans).unwrap();
    assert_eq!((late.dropped.by(Reason::Deadline), late.buffered), (7, 0));
    assert_eq!(discard.discarded(Signal::Spans), 7);
    door.open();
    assert!(collector.ledger().balances(), "what comes too late is not booked twice");
}

#[test]
fn a_failing_exporter_is_tried_until_the_deadline_of_the_shutdown() {
    let exporter = |_: &Batch| Err::<(), _>(ExportError::retry("never up"));
    let collector = builder().exporter(exporter).start().unwrap();
    collector.collect_span(&span(1));
    let report = collector.shutdown(Duration::from_millis(100));
    let lost = report.ledger().exporter("closure", Signal::Spans).unwrap();
    assert_eq!((lost.dropped.by(Reason::Deadline), report.ledger().balances()), (1, true), "{report}");
}

#[test]
fn after_the_shutdown_items_are_counted_as_dropped() {
    let collector = builder().exporter(Discard::new()).start().unwrap();
    assert!(collector.shutdown(SOON).is_complete());
    collector.collect_span(&span(1));
    collector.record("a", 1);
    let ledger = collector.ledger();
    assert!(ledger.balances());
    assert_eq!(ledger.signal(Signal::Spans).dropped.by(Reason::Closed), 1);
    assert_eq!(ledger.signal(Signal::Metrics).dropped.by(Reason::Closed), 1);
    assert!(!collector.flush(SOON).is_complete() && !collector.shutdown(SOON).is_complete());
    assert!(matches!(collector.exporter(Discard::new()), Err(Error::ShutDown)));
}

#[test]
fn full_buffers_drop_the_newest_and_count_it() {
    let config = Config {
        buffer_bytes: 2 << 10,
        buffer_size: usize::MAX / 9,
        flush_interval: Duration::from_hours(1),
        ..Config::default()
    };
    let discard = Discard::new();
    let collector = Collector::builder().config(config).exporter(discard.clone()).start().unwrap();
    (0..10_000).for_each(|n| collector.collect_span(&span(n)));
    let dropped = collector.ledger().signal(Signal::Spans).dropped.by(Reason::BufferFull);
    assert!(dropped > 0 && collector.ledger().balances());
    assert!(!collector.flush(SOON).is_complete());
    assert_eq!(discard.discarded(Signal::Spans) + dropped, 10_000);
    collector.collect_span(&span(1));
    assert!(!collector.flush(SOON).is_complete());
    assert_eq!(discard.discarded(Signal::Spans) + dropped, 10_001, "there is room again");
}

#[test]
fn the_ledger_balances_at_every_moment_with_threads_that_come_and_go() {
    let discard = Discard::new();
    let collector = builder().buffer_size(100).exporter(discard.clone()).start().unwrap();
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for round in 0..20 {
                    let collector = collector.clone();
                    std::thread::spawn(move || {
                        (0..250).for_each(|n| collector.collect_span(&span(round * 250 + n)));
                    })
                    .join()
                    .unwrap();
                }
            });
        }
        s.spawn(|| {
            for _ in 0..500 {
                let ledger = collector.ledger();
                assert!(ledger.balances(), "{ledger}");
            }
        });
    });
    assert!(collector.flush(SOON).is_complete());
    assert_eq!(discard.discarded(Signal::Spans), 20_000);
    assert_eq!(collector.ledger().signal(Signal::Spans).held, 0);
}

#[test]
fn sampling_by_hand_made_spans_is_by_trace() {
    let collector = builder().sample_rate(0.0).exporter(Discard::new()).start().unwrap();
    collector.collect_span(&span(1));
    collector.collect_event(&Event::new(Level::INFO, "kept", 7));
    collector.flush(SOON);
    let ledger = collector.ledger();
    let (spans, events) = (ledger.signal(Signal::Spans), ledger.signal(Signal::Events));
    assert_eq!((spans.recorded, spans.sampled_out, events.dispatched), (1, 1, 1));
}

#[test]
fn one_exporter_has_deltas_another_sums_from_the_same_counter() {
    struct Values(Temporality, mpsc::Sender<(Temporality, f64)>);
    impl Exporter for Values {
        fn name(&self) -> &str {
            "closure"
        }
        fn temporality(&self, _: Kind) -> Temporality {
            self.0
        }
        fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
            batch.metrics().for_each(|m| self.1.send((m.temporality(), m.number().as_f64())).unwrap());
            Ok(Delivery::all())
        }
    }
    let (values, seen) = mpsc::channel();
    let collector = builder().start().unwrap();
    let counter = collector.counter("c");
    counter.add(1);
    collector.exporter(Values(Temporality::Delta, values.clone())).unwrap();
    collector.exporter(Values(Temporality::Cumulative, values)).unwrap();
    for n in [2, 4] {
        counter.add(n);
        assert!(collector.flush(SOON).is_complete());
    }
    assert!(collector.shutdown(SOON).is_complete());
    drop(collector);
    let seen: Vec<(Temporality, f64)> = seen.iter().collect();
    let of = |t| seen.iter().filter(|s| s.0 == t).map(|s| s.1).collect::<Vec<_>>();
    assert_eq!(of(Temporality::Delta), [2.0, 4.0], "it joined late, and nothing moved at the end");
    assert_eq!(of(Temporality::Cumulative), [3.0, 7.0, 7.0]);
}

#[test]
fn signals_an_exporter_does_not_want_are_filtered() {
    struct OnlyEvents;
    impl Exporter for OnlyEvents {
        fn name(&self) -> &str {
            "closure"
        }
        fn wants(&self, signal: Signal) -> bool {
            signal == Signal::Events
        }
        fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
            assert_eq!(batch.signal(), Signal::Events);
            Ok(Delivery::all())
        }
    }
    let collector = builder().exporter(OnlyEvents).start().unwrap();
    collector.collect_span(&span(1));
    collector.collect_event(&Event::new(Level::INFO, "e", 7));
    assert!(collector.flush(SOON).is_complete());
    assert_eq!(account(&collector, "closure").filtered, 1);
    assert_eq!(collector.ledger().exporter("closure", Signal::Events).unwrap().delivered, 1);
}

#[test]
fn a_reader_pulls_when_it_likes() {
    struct Pull(mpsc::Sender<Source>);
    impl Reader for Pull {
        fn name(&self) -> &str {
            "pull"
        }
        fn attach(&mut self, source: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            Ok(self.0.send(source)?)
        }
    }
    let (give, sources) = mpsc::channel();
    let collector = builder().reader(Pull(give)).start().unwrap();
    let source = sources.recv().unwrap();
    collector.counter("c").inc();
    assert_eq!(source.read().total("c"), 1.0);
    drop(collector);
    assert!(source.read().is_empty(), "it does not keep the collector alive");
}

#[test]
fn a_failed_check_warns_or_fails_the_start() {
    struct Down;
    impl Exporter for Down {
        fn name(&self) -> &str {
            "closure"
        }
        fn export(&mut self, _: &Batch) -> Result<Delivery, ExportError> {
            Ok(Delivery::all())
        }
        fn check(&mut self) -> Result<(), ExportError> {
            Err(ExportError::retry("connection refused"))
        }
    }
    assert!(builder().exporter(Down).start().is_ok());
    let failed = builder().check_at_start(CheckAtStart::Fail).exporter(Down).start().unwrap_err();
    assert!(failed.to_string().contains("connection refused"), "{failed}");
    assert!(builder().check_at_start(CheckAtStart::Off).exporter(Down).start().is_ok());
}

#[test]
fn disabled_records_nothing_and_starts_nothing() {
    let exporter = |_: &Batch| assert_eq!(1, 2, "exported");
    let collector = builder().enabled(false).exporter(exporter).start().unwrap();
    collector.collect_span(&span(1));
    collector.record("a", 1);
    collector.counter("c").inc();
    collector.scoped(|| crate::counter("c").inc());
    assert!(collector.flush(SOON).is_complete() && collector.shutdown(SOON).is_complete());
    assert_eq!((collector.ledger(), collector.snapshot().len()), (Ledger::default(), 0));
}

#[test]
fn settings_have_setters() {
    let builder = Collector::builder()
        .ignore_env()
        .buffer_bytes(1 << 20)
        .back_pressure(Duration::from_secs(1))
        .exporter_bytes(2 << 20)
        .max_series(7)
        .zero_series(true)
        .series_expiration(Duration::from_mins(1))
        .self_metrics(SelfMetrics::All)
        .process_metrics(true)
        .shutdown_timeout(Duration::from_secs(3))
        .shutdown_on_exit(true);
    let collector = builder.start().unwrap();
    let want = Config {
        buffer_bytes: 1 << 20,
        back_pressure: Some(Duration::from_secs(1)),
        exporter_bytes: 2 << 20,
        max_series: 7,
        zero_series: true,
        series_expiration: Some(Duration::from_mins(1)),
        self_metrics: SelfMetrics::All,
        process_metrics: true,
        shutdown_timeout: Duration::from_secs(3),
        shutdown_on_exit: true,
        ..Config::default()
    };
    assert_eq!(*collector.config(), want);
}

#[test]
fn wrong_settings_in_code_fail_the_start() {
    let said = |b: Builder| b.start().unwrap_err().to_string();
    assert!(said(builder().sample_rate(1.5)).contains("sample_rate=1.5"));
    assert!(said(builder().buffer_size(0)).contains("buffer_size=0"));
    assert!(said(builder().flush_interval(Duration::ZERO)).contains("flush_interval_ms=0"));
    assert!(said(builder().back_pressure(Duration::ZERO)).contains("back_pressure_ms=0"));
    assert!(said(builder().tag("a b", "c")).contains("a b"));
    assert!(said(builder().endpoint("gopher://x")).contains("gopher"));
}

#[test]
fn code_wins_over_a_config_and_tags_are_joined() {
    let tags = Tags::parse("a: file, b: file").unwrap();
    let config = Config { tags, sample_rate: 0.5, ..Config::default() };
    let collector = Collector::builder().config(config).tag("b", "code").sample_rate(0.25).start().unwrap();
    let tags = collector.resource().tags();
    assert_eq!(
        (tags.get("a"), tags.get("b"), collector.config().sample_rate),
        (Some("file"), Some("code"), 0.25)
    );
    assert!(!collector.resource().service_name().is_empty());
}

#[test]
fn a_retrying_exporter_is_given_all_the_time_a_shutdown_has() {
    let attempts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&attempts);
    let exporter = move |_: &Batch| match count.fetch_add(1, Relaxed) {
        0..3 => Err(ExportError::retry_after(Duration::from_millis(10), "not yet")),
        _ => Ok(()),
    };
    let collector = builder().exporter(exporter).start().unwrap();
    collector.collect_span(&span(1));
    let report = collector.shutdown(SOON);
    assert!(report.is_complete() && report.ledger().lost() == 0, "{report}");
    assert_eq!(attempts.load(Relaxed), 4);
}

#[test]
fn nothing_is_left_in_a_buffer_by_a_shutdown_while_threads_record() {
    for _ in 0..50 {
        let collector = builder().buffer_size(100).exporter(Discard::new()).start().unwrap();
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    let mut n = 0;
                    while collector.ledger().signal(Signal::Spans).dropped.by(Reason::Closed) == 0 {
                        (0..300).for_each(|i| collector.collect_span(&span(n + i)));
                        n += 300;
                    }
                });
            }
            // What threads recorded after it is lost, so it may not be complete.
            assert!(collector.shutdown(SOON).late().is_empty());
        });
        let ledger = collector.ledger();
        assert!(ledger.balances() && ledger.signal(Signal::Spans).held == 0, "{ledger}");
    }
}

#[test]
fn a_filling_pool_wakes_the_dispatcher_whatever_the_number_of_items() {
    let config = Config { buffer_size: usize::MAX, flush_interval: Duration::MAX, ..Config::default() };
    let discard = Discard::new();
    let collector = Collector::builder().config(config).exporter(discard.clone()).start().unwrap();
    let text = "x".repeat(4_000);
    let mut n = 0;
    while discard.discarded(Signal::Events) == 0 {
        collector.collect_event(&Event::new(Level::INFO, text.clone(), 7));
        n += 1;
        assert!(n < 1_000_000, "nobody was woken");
    }
    collector.flush(Duration::MAX);
    assert!(collector.shutdown(Duration::MAX).late().is_empty());
}

#[test]
fn an_exporter_that_fails_its_check_is_given_nothing() {
    struct Down(mpsc::Sender<()>);
    impl Exporter for Down {
        fn name(&self) -> &str {
            "closure"
        }
        fn export(&mut self, _: &Batch) -> Result<Delivery, ExportError> {
            self.0.send(()).unwrap();
            Ok(Delivery::all())
        }
        fn check(&mut self) -> Result<(), ExportError> {
            Err(ExportError::retry("connection refused"))
        }
    }
    let collector = builder().check_at_start(CheckAtStart::Fail).start().unwrap();
    let (exported, seen) = mpsc::channel();
    assert!(collector.exporter(Down(exported)).is_err());
    collector.collect_span(&span(1));
    assert!(collector.shutdown(SOON).is_complete());
    assert!(seen.recv().is_err(), "its thread has ended, and exported nothing");
}

#[test]
fn two_exporters_of_one_name_have_an_account_each() {
    let collector = builder().exporter(Discard::new()).exporter(Discard::new()).start().unwrap();
    collector.collect_span(&span(1));
    let report = collector.flush(SOON);
    assert!(report.is_complete(), "{report}");
    assert_eq!(collector.ledger().exporters().collect::<Vec<_>>(), ["discard", "discard#2"]);
    assert_eq!(account(&collector, "discard#2").delivered, 1);
}

#[test]
fn whoever_shuts_down_second_keeps_its_own_deadline() {
    let door = Arc::new(Door::default());
    let wait = Arc::clone(&door);
    let exporter = move |_: &Batch| wait.pass();
    let collector = builder().exporter(exporter).start().unwrap();
    collector.collect_span(&span(1));
    std::thread::scope(|s| {
        let first = s.spawn(|| collector.shutdown(SOON));
        while !collector.engine.closed.load(Relaxed) {
            std::thread::yield_now();
        }
        let second = collector.shutdown(Duration::from_millis(5));
        assert!(!second.is_complete());
        door.open();
        assert!(first.join().unwrap().is_complete());
    });
    assert!(collector.shutdown(SOON).is_complete());
}

#[test]
fn finished_points_keep_their_time_and_their_tags_and_wrong_ones_are_named() {
    use crate::model::{DataPoint, SeriesKey, TimeSeries};
    let (points, seen) = mpsc::channel();
    let exporter = move |batch: &Batch| {
        let line = |m: crate::metrics::MetricRef<'_>| {
            (
                m.name().to_owned(),
                m.tags().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().join(", "),
                m.time_unix_nano(),
            )
        };
        batch.metrics().for_each(|m| points.send(line(m)).unwrap());
    };
    let collector = builder().tag("service.name", "test").exporter(exporter).start().unwrap();
    let tags = Tags::parse("host: own").unwrap();
    let error = collector
        .send([
            DataPoint::new("a", 1).tags(tags).at(7),
            DataPoint::new("no name", 1),
            DataPoint::new("b", f64::NAN),
            DataPoint::new("c", 2.5).at(8),
        ])
        .unwrap_err();
    assert_eq!(error.refused().iter().map(|r| r.0).collect::<Vec<_>>(), [1, 2]);
    assert!(error.to_string().contains("`no name`"), "{error}");
    let mut series = TimeSeries::new("d{k=\"v\"}".parse::<SeriesKey>().unwrap());
    series.add(9, 1).unwrap().add(10, 2).unwrap();
    assert!(series.add(11, f64::INFINITY).is_err());
    collector.send_series([series]);
    assert!(collector.shutdown(SOON).is_complete());
    drop(collector);
    let seen: Vec<_> = seen.iter().map(|(name, tags, time)| format!("{name} [{tags}] {time}")).collect();
    let want = [
        "a [host: own, service.name: test] 7",
        "c [service.name: test] 8",
        "d [k: v, service.name: test] 9",
        "d [k: v, service.name: test] 10",
    ];
    assert_eq!(seen, want);
}

#[test]
fn a_scoped_future_carries_its_collector_over_awaits() {
    let (a, b) = (builder().start().unwrap(), builder().start().unwrap());
    let mut turns = 0;
    let future = a.scope_future(std::future::poll_fn(move |cx| {
        crate::counter("polled").inc();
        turns += 1;
        cx.waker().wake_by_ref();
        if turns == 3 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    }));
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while future.as_mut().poll(&mut context).is_pending() {
        b.scoped(|| crate::counter("polled").inc());
    }
    assert_eq!((a.snapshot().total("polled"), b.snapshot().total("polled")), (3.0, 2.0));
}

#[test]
fn deltas_lose_nothing_while_an_exporter_is_stuck() {
    let door = Arc::new(Door::default());
    let (values, seen) = mpsc::channel();
    let config = Config { exporter_bytes: 64 << 10, flush_interval: Duration::MAX, ..Config::default() };
    let stuck = Arc::clone(&door);
    let exporter = move |batch: &Batch| {
        stuck.pass();
        batch.metrics().for_each(|m| values.send(m.number().as_f64()).unwrap());
    };
    let route = Route::new(exporter).temporality(Temporality::Delta);
    let collector = Collector::builder().config(config).exporter(route).start().unwrap();
    let counter = collector.counter("c");
    for n in 1..=100 {
        counter.add(n);
        collector.flush(Duration::from_millis(1));
    }
    let stuck = *collector.ledger().exporter("closure", Signal::Metrics).unwrap();
    assert!(stuck.accepted < 90 && stuck.dropped.total() == 0, "few wait, and none is dropped: {stuck:?}");
    door.open();
    assert!(collector.shutdown(SOON).is_complete());
    drop(collector);
    assert_eq!(seen.iter().sum::<f64>(), 5050.0);
}
