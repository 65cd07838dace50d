//! A limit for each call site: a bucket that fills with time. What finds it empty is counted, for whoever says so.

use std::collections::HashMap;

use tracing_core::Metadata;

use crate::clock::Tick;
use crate::model::Event;
use crate::sync::{Mutex, Origin, lock};
use crate::thread::Suppression;

/// So many a second for each call site.
#[derive(Debug)]
pub(super) struct Limiter {
    per_second: Option<f64>,
    /// By the address of the call site.
    buckets: Mutex<HashMap<usize, Bucket>>,
    origin: Origin,
}

#[derive(Debug)]
struct Bucket {
    site: &'static Metadata<'static>,
    left: f64,
    /// When that was.
    since: Tick,
    /// Since somebody asked.
    kept_back: u64,
}

/// What a limit has kept back at a call site.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeptBack {
    pub(crate) site: &'static Metadata<'static>,
    pub(crate) what: Kept,
    pub(crate) many: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Traces that would have begun with spans of the call site.
    Traces,
    Events,
}

impl KeptBack {
    /// It as an event of that time: at the level and with the target of the call site, so that whoever sees the one sees the
    /// other.
    pub(crate) fn event(self, time_unix_nano: u64) -> Event {
        let Self { site, what, many } = self;
        let what = match (what, many) {
            (Kept::Traces, 1) => "trace",
            (Kept::Traces, _) => "traces",
            (Kept::Events, 1) => "event",
            (Kept::Events, _) => "events",
        };
        let (file, line) = (site.file().unwrap_or("an unknown place"), site.line().unwrap_or_default());
        let text = format!("{many} more {what} kept back at {file}:{line}");
        let event = Event::new(*site.level(), text, time_unix_nano).target(site.target());
        event
            .field("kept_back", many)
            .field("code.file.path", file)
            .field("code.line.number", u64::from(line))
    }
}

impl Limiter {
    pub(super) fn new(per_second: Option<f64>) -> Self {
        Self { per_second, buckets: Mutex::default(), origin: Origin::here() }
    }

    /// Whether there is no limit.
    pub(super) fn is_none(&self) -> bool {
        self.per_second.is_none()
    }

    pub(super) fn allows(&self, site: &'static Metadata<'static>, now: impl FnOnce() -> Tick) -> bool {
        let Some(per_second) = self.per_second else { return true };
        if !self.origin.is_here() {
            // In a child nothing of it is exported, and the lock may be another thread's for ever.
            return true;
        }
        let full = per_second.max(1.0).min(if per_second > 0.0 { f64::MAX } else { 0.0 });
        let _away = Suppression::begin();
        let mut buckets = lock(&self.buckets);
        let now = now();
        let begun = || Bucket { site, left: full, since: now, kept_back: 0 };
        let bucket = buckets.entry(std::ptr::from_ref(site).addr()).or_insert_with(begun);
        let gained = now.since(bucket.since) as f64 / 1e9 * per_second;
        (bucket.left, bucket.since) = ((bucket.left + gained).min(full), now);
        let allows = bucket.left >= 1.0;
        if allows {
            bucket.left -= 1.0;
        } else {
            bucket.kept_back += 1;
        }
        allows
    }

    /// What was kept back since the last time, in the order of the source.
    pub(super) fn take_kept_back(&self, what: Kept) -> Vec<KeptBack> {
        if self.is_none() || !self.origin.is_here() {
            return Vec::new();
        }
        let _away = Suppression::begin();
        let mut buckets = lock(&self.buckets);
        let kept_back = buckets.values_mut().filter(|bucket| bucket.kept_back > 0);
        let take = |bucket: &mut Bucket| KeptBack {
            site: bucket.site,
            what,
            many: std::mem::take(&mut bucket.kept_back),
        };
        let mut all: Vec<KeptBack> = kept_back.map(take).collect();
        all.sort_by_key(|kept_back| (kept_back.site.file(), kept_back.site.line()));
        all
    }
}
