//! What waits for an exporter, how long, and what is said of it.

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::exporters::Filter;

#[test]
fn deltas_of_some_levels_begin_when_their_exporter_joins() {
    let collector = builder().start().unwrap();
    let site = |level| Site::new(CellKind::Counter, "c", &[]).level(level).unnumbered();
    let table = &collector.engine.table;
    table.record(&site(Level::INFO), &[], 5_u64.into());
    table.record(&site(Level::DEBUG), &[], 3_u64.into());
    let (values, seen) = mpsc::channel();
    let deltas = move |batch: &Batch| batch.metrics().for_each(|m| values.send(m.number().as_f64()).unwrap());
    let route = Route::new(deltas).temporality(Temporality::Delta).only(Filter::new().min_level(Level::INFO));
    collector.exporter(route).unwrap();
    table.record(&site(Level::INFO), &[], 1_u64.into());
    collector.flush(SOON);
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), [1.0]);
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

#[test]
fn a_gauge_that_says_nothing_now_is_not_superseded() {
    let (tries, asked) = (AtomicU32::new(0), AtomicU32::new(0));
    let (door, (values, seen)) = (Arc::new(Door::default()), mpsc::channel());
    let exporter = move |batch: &Batch| {
        if tries.fetch_add(1, Relaxed) == 0 {
            return Err(ExportError::retry("down"));
        }
        batch.metrics().for_each(|m| values.send(m.name().to_owned()).unwrap());
        Ok(())
    };
    let clock = ManualClock::new(1_000);
    let collector = builder()
        .clock(Clock::manual(&clock))
        .configure(|c| c.callback_timeout = Duration::from_millis(50))
        .exporter(exporter)
        .start()
        .unwrap();
    let passes = Arc::clone(&door);
    collector.engine.table.observe(&gauge("g"), move || {
        if asked.fetch_add(1, Relaxed) > 0 {
            passes.pass();
        }
        1_u64.into()
    });
    collector.counter("c").add(1_u64);
    assert!(!collector.flush(Duration::from_millis(300)).is_complete());
    // The next reading has no gauge, and more time has passed than any backoff takes.
    clock.advance(Duration::from_mins(1));
    assert!(collector.flush(SOON).is_complete());
    door.open();
    let names: Vec<String> = seen.try_iter().collect();
    assert!(names.iter().any(|name| name == "g"), "{names:?}");
}

#[test]
fn a_flush_ends_while_others_record_under_back_pressure() {
    let mut turns = 0;
    // Slow by work, not by a clock.
    let slow = move |batch: &Batch| {
        (0..1_000 * batch.len()).for_each(|n| turns = std::hint::black_box(turns + n));
    };
    let collector = builder()
        .exporter_bytes(64 << 10)
        .buffer_bytes(256 << 10)
        .exporter(Route::new(slow).back_pressure(Duration::from_mins(1)))
        .start()
        .unwrap();
    let stop = Arc::new(AtomicU32::new(0));
    let records = || {
        let (collector, stop) = (collector.clone(), Arc::clone(&stop));
        std::thread::spawn(move || {
            (1..u64::MAX)
                .take_while(|_| stop.load(Relaxed) == 0)
                .for_each(|n| collector.collect_span(&span(n)));
        })
    };
    let threads = [records(), records(), records()];
    while account(&collector, "closure").delivered < 1_000 {
        std::thread::yield_now();
    }
    let report = collector.flush(Duration::from_mins(1));
    stop.store(1, Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(report.is_complete(), "{report}");
}

#[test]
fn deltas_that_expire_hold_no_flush_until_the_next_interval() {
    let mut is_down = true;
    let exporter = move |_: &Batch| {
        if std::mem::take(&mut is_down) { Err(ExportError::retry("down")) } else { Ok(()) }
    };
    let route = Route::new(exporter).temporality(Temporality::Delta).give_up_after(Duration::ZERO);
    let collector = builder().exporter(route).start().unwrap();
    collector.counter("c").add(1_u64);
    assert!(collector.flush(SOON).is_complete());
}
