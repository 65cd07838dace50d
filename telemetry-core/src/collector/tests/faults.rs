//! Code of the program that hangs or panics, and what becomes of all else.

use super::*;

/// Panics when it goes.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("when it went");
    }
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
fn a_check_whose_error_panics_when_it_goes_costs_nothing() {
    #[derive(Debug)]
    struct Bad(Bomb);
    impl std::fmt::Display for Bad {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "bad {:?}", self.0)
        }
    }
    impl std::error::Error for Bad {}
    struct Checks;
    impl Exporter for Checks {
        fn name(&self) -> &str {
            "checks"
        }
        fn check(&mut self) -> Result<(), ExportError> {
            Err(ExportError::retry("no").caused_by(Bad(Bomb)))
        }
        fn export(&mut self, _: &Batch) -> Result<Delivery, ExportError> {
            Ok(Delivery::all())
        }
    }
    let collector = builder().exporter(Checks).start().unwrap();
    collector.collect_span(&span(1));
    assert!(collector.flush(SOON).is_complete());
    assert_eq!(account(&collector, "checks").delivered, 1);
}

#[test]
fn a_shutdown_does_not_wait_for_an_exporter_that_is_being_added() {
    struct Hangs(Arc<Door>, Arc<Door>);
    impl Exporter for Hangs {
        fn name(&self) -> &str {
            "hangs"
        }
        fn check(&mut self) -> Result<(), ExportError> {
            self.1.open();
            self.0.pass();
            Ok(())
        }
        fn export(&mut self, _: &Batch) -> Result<Delivery, ExportError> {
            Ok(Delivery::all())
        }
    }
    let (door, entered) = (Arc::new(Door::default()), Arc::new(Door::default()));
    let collector = builder().check_at_start(CheckAtStart::Fail).start().unwrap();
    let adds = std::thread::spawn({
        let (collector, hangs) = (collector.clone(), Hangs(Arc::clone(&door), Arc::clone(&entered)));
        move || collector.exporter(hangs).is_err()
    });
    entered.pass();
    // Were it waited for, this would take as long as the door is shut.
    let report = collector.shutdown(Duration::from_hours(1));
    door.open();
    assert!(adds.join().unwrap());
    assert!(report.is_complete() && report.late().is_empty(), "{report}");
}
