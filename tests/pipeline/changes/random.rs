//! Whatever changes while threads record, in an order that a seed chooses.

use super::*;

/// What the exporters have been given of a program in which they change.
#[derive(Default)]
struct All {
    steady: Given,
    sums: Given,
    moved: Given,
    moved_sums: Given,
    wired: Seen,
}

impl All {
    fn keeps(given: &Given, temporality: Temporality, failing: u64, seed: u64) -> Route {
        Route::new(Keeps::new(given, temporality, failing, seed)).linger(Duration::from_millis(1))
    }

    fn moved(&self, seed: u64) -> Route {
        Self::keeps(&self.moved, Temporality::Delta, 20, seed)
    }

    fn moved_sums(&self, seed: u64) -> Route {
        Self::keeps(&self.moved_sums, Temporality::Cumulative, 20, seed)
    }

    /// Over a network, where half of the first requests fail or have no answer.
    fn wire(&self, seed: u64) -> Route {
        const LIMITS: Limits = Limits { items: 10_000, bytes: 1 << 20, in_flight: 3 };
        let mut random = Random(seed);
        let all = [Ends::Delivered, Ends::Later, Ends::Hang, Ends::Delivered];
        let ends = (0..20).map(|_| all[random.below(4) as usize]).collect();
        let script = Script { seen: self.wired.clone(), ..Script::new(ends) };
        Route::over(Wire { script, limits: LIMITS }).timeout(Duration::from_millis(100)).only(spans_alone())
    }

    fn start(&self) -> Collector {
        start(|builder| {
            builder
                .flush_interval(Duration::from_millis(5))
                .exporter(Self::keeps(&self.steady, Temporality::Delta, 0, 1).name("steady"))
                .exporter(Self::keeps(&self.sums, Temporality::Cumulative, 0, 2).name("sums"))
                .exporter(self.moved(3).name("moved"))
                .exporter(self.moved_sums(4).name("moved sums"))
                .exporter(self.wire(5).name("wire"))
        })
    }

    /// One change, or a flush.
    fn change(&self, collector: &Collector, random: &mut Random) {
        let little = Duration::from_millis(random.below(300));
        let (guest, seed) = (format!("guest {}", random.below(3)), random.below(1 << 30));
        let changed = match random.below(7) {
            0 => collector.replace("moved", self.moved(seed), SOON),
            1 => collector.replace("moved sums", self.moved_sums(seed), SOON),
            2 => collector.replace("wire", self.wire(seed), SOON),
            3 | 4 => return collector.exporter(Route::new(Discard::new()).name(guest)).unwrap(),
            5 => collector.remove(&guest, little),
            _ => Ok(collector.flush(little)),
        };
        match changed {
            Ok(report) => assert!(report.ledger().balances(), "{report}"),
            Err(Error::UnknownExporter { name, .. }) => assert!(name.starts_with("guest"), "{name}"),
            Err(error) => panic!("{error}"),
        }
    }

    /// So many of each were recorded.
    #[track_caller]
    fn have(&self, recorded: u64) {
        for (name, given) in [
            ("steady", &self.steady),
            ("sums", &self.sums),
            ("moved", &self.moved),
            ("moved sums", &self.moved_sums),
        ] {
            given.has(name, recorded, recorded);
        }
        assert_eq!(self.wired.len() as u64, recorded);
        self.wired.assert_once();
    }
}

#[test]
fn whatever_changes_each_item_goes_to_one_exporter_of_each_name() {
    const CHANGES: u64 = 25;
    for seed in 1..=3_u64 {
        let all = All::default();
        let collector = all.start();
        // With each change some more may be recorded.
        let (next, may, over) = (AtomicU64::new(0), AtomicU64::new(200), Over::default());
        std::thread::scope(|scope| {
            let recording = || {
                while !over.is_over() {
                    if next.load(SeqCst) < may.load(SeqCst) {
                        record(&collector, next.fetch_add(1, SeqCst));
                    } else {
                        std::thread::yield_now();
                    }
                }
            };
            (0..3).for_each(|_| drop(scope.spawn(recording)));
            let is_over = over.when_dropped();
            let changing = |thread: u64| {
                let (all, collector, may) = (&all, &collector, &may);
                scope.spawn(move || {
                    let mut random = Random(seed * 10 + thread);
                    for _ in 0..CHANGES {
                        may.fetch_add(200, SeqCst);
                        all.change(collector, &mut random);
                    }
                })
            };
            let ended = [0, 1, 2].map(changing).map(std::thread::ScopedJoinHandle::join);
            drop(is_over);
            ended.into_iter().for_each(|ended| ended.unwrap());
        });
        let report = collector.shutdown(SOON);
        let ledger = report.ledger();
        assert!(ledger.balances() && report.late().is_empty(), "seed {seed}: {report}");
        for name in ["steady", "sums", "moved", "moved sums", "wire"] {
            let accounts = Signal::ALL.iter().map(|signal| account(ledger, name, *signal));
            let lost: u64 = accounts.map(|account| account.dropped.total() + account.rejected).sum();
            assert_eq!(lost, 0, "seed {seed}, {name}: {report}");
            assert_eq!(account(ledger, name, Signal::Spans).delivered, next.load(SeqCst), "{name}");
        }
        all.have(next.into_inner());
    }
}
