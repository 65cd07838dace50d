//! Single values of static sites.

use crate::collector::{Collector, current};
use crate::instrument::route;
use crate::metrics::Site;
use crate::metrics::site::MOST_BOUNDS;
use crate::model::Number;

/// Adds to a static counter.
#[inline]
pub fn count(site: &'static Site, value: impl Into<Number>) {
    route::add(None, site, value.into());
}

/// Adds to a static counter, with tags known only now.
pub fn count_with(site: &'static Site, tags: &[(&str, &str)], value: impl Into<Number>) {
    route::add_with(None, site, tags, value.into());
}

/// Takes a value for a static gauge, with tags known only now.
pub fn record(site: &'static Site, tags: &[(&str, &str)], value: impl Into<Number>) {
    let value = value.into();
    current::with(|engine| engine.table().record(site, tags, value));
}

/// Takes a value for a static histogram.
#[inline]
pub fn observe(site: &'static Site, tags: &[(&str, &str)], value: impl Into<Number>) {
    route::observe_tagged(None, site, tags, value.into());
}

/// The upper bounds of buckets, as the compiler finds them.
pub const fn bounds(list: &'static [f64]) -> &'static [f64] {
    assert!(list.len() <= MOST_BOUNDS, "a histogram has at most 256 buckets with bounds");
    let mut at = 0;
    while at < list.len() {
        let is_ascending = at == 0 || list[at - 1] < list[at];
        assert!(is_ascending && list[at].is_finite(), "the bounds of buckets are finite and ascending");
        at += 1;
    }
    list
}

/// Sends a finished data point.
pub fn record_point(name: &'static str, value: impl Into<Number>) {
    if let Some(collector) = Collector::current() {
        collector.record(name, value);
    }
}
