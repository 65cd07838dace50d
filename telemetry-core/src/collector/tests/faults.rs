//! Code of the program that hangs or panics, exporters that fail, and what becomes of all else.

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::exporters::{Filter, Route};
use crate::metrics::{CellKind, Site};

/// Panics when it goes.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("when it went");
    }
}

fn gauge(name: &'static str) -> Site {
    Site::new(CellKind::Gauge, name, &[]).unnumbered()
}

#[test]
fn an_error_whose_text_panics_costs_only_its_batch() {
    #[derive(Debug)]
    struct Mute(Bomb);
    impl std::fmt::Display for Mute {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("in its text, beside {:?}", self.0);
        }
    }
    impl std::error::Error for Mute {}
    let attempts = AtomicU32::new(0);
    let exporter = move |_: &Batch| match attempts.fetch_add(1, Relaxed) {
        0 => Err(ExportError::never("no").caused_by(Mute(Bomb))),
        _ => Ok(()),
    };
    let collector = builder().exporter(exporter).start().unwrap();
    for n in 1..=2 {
        collector.collect_span(&span(n));
        collector.flush(SOON);
    }
    let account = account(&collector, "closure");
    assert_eq!((account.delivered, account.rejected), (1, 1));
}

#[test]
fn deltas_of_some_levels_begin_when_their_exporter_joins() {
    struct Deltas(mpsc::Sender<f64>);
    impl Exporter for Deltas {
        fn name(&self) -> &str {
            "deltas"
        }
        fn temporality(&self, _: Kind) -> Temporality {
            Temporality::Delta
        }
        fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
            batch.metrics().for_each(|m| self.0.send(m.number().as_f64()).unwrap());
            Ok(Delivery::all())
        }
    }
    let collector = builder().start().unwrap();
    let site = |level| Site::new(CellKind::Counter, "c", &[]).level(level).unnumbered();
    let table = &collector.engine.table;
    table.record(&site(Level::INFO), &[], 5_u64.into());
    table.record(&site(Level::DEBUG), &[], 3_u64.into());
    let (values, seen) = mpsc::channel();
    collector.exporter(Route::new(Deltas(values)).only(Filter::new().min_level(Level::INFO))).unwrap();
    table.record(&site(Level::INFO), &[], 1_u64.into());
    collector.flush(SOON);
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [1.0]);
}

#[test]
fn an_exporter_that_was_refused_is_no_part_of_the_collector() {
    struct Hangs(Arc<Door>);
    impl Exporter for Hangs {
        fn name(&self) -> &str {
            "hangs"
        }
        fn check(&mut self) -> Result<(), ExportError> {
            self.0.pass();
            Ok(())
        }
        fn export(&mut self, _: &Batch) -> Result<Delivery, ExportError> {
            Ok(Delivery::all())
        }
    }
    let door = Arc::new(Door::default());
    let collector = builder().check_at_start(CheckAtStart::Fail).start().unwrap();
    assert!(collector.exporter(Hangs(Arc::clone(&door))).is_err());
    assert!(collector.ledger().exporter("hangs", Signal::Spans).is_none() && collector.health().is_empty());
    // Were it waited for, this would take as long as the door is shut.
    let report = collector.shutdown(Duration::from_hours(1));
    door.open();
    assert!(report.is_complete() && report.late().is_empty(), "{report}");
}

#[cfg(target_os = "linux")]
#[test]
fn no_thread_of_callbacks_outlives_its_collector() {
    let threads = || {
        let names = std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
        names.filter(|name| name.starts_with("telemetry-callb")).count()
    };
    for _ in 0..20 {
        let collector = builder().exporter(Discard::new()).start().unwrap();
        collector.engine.table.observe(&gauge("g"), || 1_u64.into());
        collector.flush(SOON);
        collector.shutdown(SOON);
    }
    let end = std::time::Instant::now() + SOON;
    // Other tests have some too, but not that many at once for long.
    while threads() > 10 && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
    assert!(threads() <= 10, "{} threads", threads());
}

#[test]
fn metrics_of_telemetry_itself_have_no_level_and_pass_each() {
    let (names, seen) = mpsc::channel();
    let exporter =
        move |batch: &Batch| batch.metrics().for_each(|m| names.send(m.name().to_owned()).unwrap());
    let collector = builder()
        .configure(|c| c.self_metrics = crate::SelfMetrics::All)
        .exporter(Route::new(exporter).only(Filter::new().min_level(Level::INFO)))
        .start()
        .unwrap();
    collector.flush(SOON);
    let names: Vec<String> = seen.try_iter().collect();
    assert!(names.iter().any(|name| name.starts_with("telemetry.")) && names.is_sorted(), "{names:?}");
}

#[test]
fn what_waits_at_the_deadline_is_dropped_for_it() {
    let (door, entered) = (Arc::new(Door::default()), Arc::new(Door::default()));
    let (passes, enters) = (Arc::clone(&door), Arc::clone(&entered));
    let exporter = move |_: &Batch| {
        enters.open();
        passes.pass();
        Err::<(), _>(ExportError::retry("down"))
    };
    let clock = ManualClock::new(1_000);
    let collector = builder().clock(Clock::manual(&clock)).exporter(exporter).start().unwrap();
    collector.collect_span(&span(1));
    collector.flush(Duration::from_millis(1));
    entered.pass();
    collector.collect_span(&span(2));
    let ends = std::thread::spawn({
        let collector = collector.clone();
        move || collector.shutdown(SOON)
    });
    while collector.ledger().exporter("closure", Signal::Spans).unwrap().accepted < 2 {
        std::thread::yield_now();
    }
    // The attempt ends, but only after the deadline.
    clock.advance(SOON);
    door.open();
    let report = ends.join().unwrap();
    let account = report.ledger().exporter("closure", Signal::Spans).unwrap();
    assert_eq!(account.dropped.by(Reason::Deadline), 2, "{report}");
}

#[test]
fn memory_for_an_exporter_has_a_least_size() {
    let small =
        |bytes| builder().configure(move |c| c.exporter_bytes = bytes).exporter(Discard::new()).start();
    let said = small(1000).unwrap_err().to_string();
    assert!(said.contains("exporter_bytes=1000") && said.contains("65536"), "{said}");
    let collector = small(64 << 10).unwrap();
    collector.collect_span(&span(1));
    assert!(collector.flush(SOON).is_complete());
}

#[test]
fn a_flush_under_back_pressure_hurries_the_exporter_that_is_full() {
    let attempts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&attempts);
    let exporter = move |_: &Batch| match count.fetch_add(1, Relaxed) {
        0 => Err(ExportError::retry_after(Duration::from_mins(5), "later")),
        _ => Ok(()),
    };
    let route = Route::new(exporter).back_pressure(Duration::from_mins(1));
    let clock = ManualClock::new(1_000);
    let collector = builder()
        .clock(Clock::manual(&clock))
        .configure(|c| c.exporter_bytes = 64 << 10)
        .exporter(route)
        .start()
        .unwrap();
    (0..2000).for_each(|n| collector.collect_span(&span(n)));
    collector.flush(Duration::from_millis(1));
    while attempts.load(Relaxed) == 0 {
        // It lingers, and time stands still.
        clock.advance(Duration::from_millis(100));
        std::thread::yield_now();
    }
    // So long the receiver's wish is respected.
    clock.advance(Duration::from_secs(2));
    assert!(collector.flush(SOON).is_complete());
}

#[test]
fn a_callback_that_panics_when_it_goes_keeps_no_reader_from_its_end() {
    struct Ends(Arc<Door>);
    impl Reader for Ends {
        fn name(&self) -> &str {
            "ends"
        }
        fn attach(&mut self, _: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            Ok(())
        }
        fn shutdown(&mut self) {
            self.0.open();
        }
    }
    let door = Arc::new(Door::default());
    let collector = builder().reader(Ends(Arc::clone(&door))).start().unwrap();
    let bomb = Bomb;
    collector.engine.table.observe(&gauge("g"), move || {
        let _armed = &bomb;
        1_u64.into()
    });
    collector.shutdown(SOON);
    assert!(*door.0.lock().unwrap());
}

#[test]
fn a_reader_that_hangs_at_the_end_keeps_no_other_from_it() {
    struct Ends(&'static str, Option<Arc<Door>>, Arc<Door>);
    impl Reader for Ends {
        fn name(&self) -> &str {
            self.0
        }
        fn attach(&mut self, _: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            Ok(())
        }
        fn shutdown(&mut self) {
            self.1.iter().for_each(|door| door.pass());
            self.2.open();
        }
    }
    let (never, first, second) = (Arc::new(Door::default()), Arc::default(), Arc::new(Door::default()));
    let hangs = Ends("hangs", Some(Arc::clone(&never)), first);
    let collector = builder().reader(hangs).reader(Ends("ends", None, Arc::clone(&second))).start().unwrap();
    assert!(format!("{collector:?}").contains("[hangs, ends]"));
    collector.shutdown(Duration::from_millis(300));
    second.pass();
    never.open();
}

#[test]
fn a_replaced_callback_that_panics_when_it_goes_costs_nobody() {
    let (door, entered) = (Arc::new(Door::default()), Arc::new(Door::default()));
    let (passes, enters, bomb) = (Arc::clone(&door), Arc::clone(&entered), Bomb);
    let collector =
        builder().configure(|c| c.callback_timeout = SOON).exporter(Discard::new()).start().unwrap();
    collector.engine.table.observe(&gauge("g"), move || {
        let _armed = &bomb;
        enters.open();
        passes.pass();
        1_u64.into()
    });
    let flushes = std::thread::spawn({
        let collector = collector.clone();
        move || collector.flush(SOON).is_complete()
    });
    entered.pass();
    collector.engine.table.observe(&gauge("g"), || 2_u64.into());
    door.open();
    assert!(flushes.join().unwrap() && collector.flush(SOON).is_complete());
}

#[test]
fn a_collector_that_is_shut_down_takes_no_reader() {
    struct Never;
    impl Reader for Never {
        fn name(&self) -> &str {
            "never"
        }
        fn attach(&mut self, _: Source) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            panic!("nobody asks it");
        }
        fn shutdown(&mut self) {}
    }
    let collector = builder().start().unwrap();
    collector.shutdown(SOON);
    assert!(matches!(collector.reader(Never), Err(Error::ShutDown)));
}

#[test]
fn the_closure_of_on_export_has_seen_all_when_the_shutdown_is_over() {
    let seen = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&seen);
    let collector = builder()
        .exporter(|_: &Batch| Err::<(), _>(ExportError::never("no")))
        .on_export(move |report| {
            assert_eq!((report.rejected, report.error.as_deref()), (1, Some("no")));
            count.fetch_add(1, Relaxed);
        })
        .start()
        .unwrap();
    collector.collect_span(&span(1));
    collector.shutdown(SOON);
    assert_eq!(seen.load(Relaxed), 1);
}

#[test]
fn health_says_of_each_failure_that_it_was_one() {
    let attempts = AtomicU32::new(0);
    let exporter = move |batch: &Batch| match attempts.fetch_add(1, Relaxed) {
        0 => Err(ExportError::never("no")),
        1 => panic!("in the exporter"),
        2 => Ok::<_, ExportError>(Delivery::all()),
        3 => Ok(Delivery::partial(batch.len(), "none of them")),
        _ => Ok(Delivery::partial(1, "not the first")),
    };
    let collector = builder().exporter(exporter).start().unwrap();
    let failures = |after: u32| {
        for n in 0..2 {
            collector.collect_span(&span(u64::from(after * 2 + n)));
        }
        collector.flush(SOON);
        let health = collector.health().remove(0);
        assert_eq!(health.oldest_waiting, None, "all is settled");
        (health.failures, health.last_success_unix_nano.is_some())
    };
    assert_eq!(failures(1), (1, false), "refused");
    assert_eq!(failures(2), (0, true), "after a panic all went well");
    assert_eq!(failures(3), (1, true), "all of it was refused");
    assert_eq!(failures(4), (1, true), "some of it was refused");
}
