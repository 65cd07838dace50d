//! The way of items through a collector to an exporter.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use telemetry_core::exporters::Route;
use telemetry_core::{Batch, Collector};

/// A collector whose exporter keeps what it is given.
pub struct Pipeline {
    collector: Collector,
    batches: Arc<Mutex<Vec<Batch>>>,
}

/// A collector with no tags but `service.name`; what is flushed together comes in one batch.
pub fn plain() -> &'static Pipeline {
    static PLAIN: LazyLock<Pipeline> = LazyLock::new(|| Pipeline::new(|route| route));
    &PLAIN
}

/// One with more tags, whose batches have three items at most: they begin anywhere in what was recorded.
pub fn tagged() -> &'static Pipeline {
    static TAGGED: LazyLock<Pipeline> = LazyLock::new(|| {
        Pipeline::new(|route| route.max_items(3).tag("größe", "\u{1d11e}\n\"").tag("a", ""))
    });
    &TAGGED
}

impl Pipeline {
    fn new(route: impl FnOnce(Route) -> Route) -> Self {
        let batches: Arc<Mutex<Vec<Batch>>> = Arc::default();
        let kept = Arc::clone(&batches);
        let keep =
            move |batch: &Batch| kept.lock().unwrap_or_else(PoisonError::into_inner).push(batch.clone());
        let builder = Collector::builder().ignore_env().service("fuzz", "1").detect([]);
        let builder = builder.flush_interval(Duration::from_hours(1)).exporter(route(Route::new(keep)));
        Self { collector: builder.start().expect("a collector"), batches }
    }

    /// What its exporter is given of all that `record` records.
    pub fn batches(&self, record: impl FnOnce(&Collector)) -> Vec<Batch> {
        record(&self.collector);
        let report = self.collector.flush(Duration::from_mins(1));
        assert!(report.is_complete() && report.ledger().balances(), "{report}");
        std::mem::take(&mut *self.batches.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
