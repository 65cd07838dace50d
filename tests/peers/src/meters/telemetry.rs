//! Ours: counters, histograms and timers, by attribute, by macro and by handle.

use super::timed::body;
use super::{FAST, rep, same, secs};
use crate::case::{Case, Entries};
use std::hint::black_box as bb;
use telemetry_layer::{Collector, Guard, count, count_me, counter, histogram, time_me, timer};

type Tags = &'static [(&'static str, &'static str)];

const NO_TAGS: Tags = &[];
const TWO_TAGS: Tags = &[("method", "GET"), ("status", "200")];
/// The same two, known only when the program runs.
fn two_tags() -> [(&'static str, &'static str); 2] {
    [("method", bb("GET")), ("status", bb("200"))]
}

/// A global collector, for as long as the process lives.
pub(crate) fn install(builder: telemetry_layer::Builder) -> &'static Guard {
    Box::leak(Box::new(builder.ignore_env().install().expect("the only collector of this process")))
}

/// An operation that makes one measurement of that name, with those tags and no others of that name.
fn case(name: &'static str, tags: Tags, run: impl Fn(u64) + Send + Sync + 'static) -> Case {
    let collector = install(Collector::builder());
    Case::new(FAST, run).verify(move |ops, _| {
        let seen = collector.snapshot();
        for point in seen.named(name) {
            assert!(tags.iter().all(|(k, v)| point.tag(k) == Some(v)), "tags of {:?}", point.to_metric());
        }
        same(seen.total(name) as u64, ops)
    })
}

fn without_collector(run: impl Fn(u64) + Send + Sync + 'static) -> Case {
    Case::new(FAST, run).verify(|_, _| {
        assert!(!Collector::has_global());
        "nobody to record".into()
    })
}

#[count_me(name = "requests")]
#[inline(never)]
fn counted() {
    bb(())
}
#[count_me(name = "requests", tags(method = "GET", status = "200"))]
#[inline(never)]
fn counted_with_tags() {
    bb(())
}
#[time_me(span = false)]
#[inline(never)]
fn timed() {
    body()
}
#[time_me(span = false, outcome)]
#[inline(never)]
fn timed_with_outcome() -> Result<(), std::fmt::Error> {
    body();
    bb(Ok(()))
}

pub(super) fn counters(e: &mut Entries) {
    let op = "counter0";
    e.add12(op, "telemetry, #[count_me]", || case("requests", NO_TAGS, |n| rep(n, |_| counted())));
    e.add12(op, "telemetry, count!", || case("requests", NO_TAGS, |n| rep(n, |_| count!("requests"))));
    e.add12(op, "telemetry, handle", || {
        let c = counter("requests");
        case("requests", NO_TAGS, move |n| rep(n, |_| c.inc()))
    });
    e.add12(op, "telemetry, #[count_me], no collector", || without_collector(|n| rep(n, |_| counted())));
    e.add12(op, "telemetry, count!, no collector", || without_collector(|n| rep(n, |_| count!("requests"))));
    e.add12(op, "telemetry, handle, no collector", || {
        let c = counter("requests");
        without_collector(move |n| rep(n, |_| c.inc()))
    });

    let op = "counter2";
    e.add12(op, "telemetry, #[count_me]", || case("requests", TWO_TAGS, |n| rep(n, |_| counted_with_tags())));
    e.add12(op, "telemetry, count!", || {
        case("requests", TWO_TAGS, |n| rep(n, |_| count!("requests", tags(method = "GET", status = "200"))))
    });
    e.add12(op, "telemetry, handle", || {
        let c = counter("requests").tag("method", "GET").tag("status", "200");
        case("requests", TWO_TAGS, move |n| rep(n, |_| c.inc()))
    });
    e.add12(op, "telemetry, count!, dynamic tags", || {
        case("requests", TWO_TAGS, |n| rep(n, |_| count!("requests", tags(method = bb("GET"), status = bb("200")))))
    });
    e.add12(op, "telemetry, handle.with, dynamic tags", || {
        let c = counter("requests");
        case("requests", TWO_TAGS, move |n| rep(n, |_| c.with(&two_tags()).inc()))
    });
}

pub(super) fn histograms(e: &mut Entries) {
    e.add12("hist0", "telemetry, handle", || {
        let h = histogram("t");
        case("t", NO_TAGS, move |n| rep(n, |i| h.record(secs(i))))
    });

    let op = "hist2";
    e.add12(op, "telemetry, handle", || {
        let h = histogram("t").tag("method", "GET").tag("status", "200");
        case("t", TWO_TAGS, move |n| rep(n, |i| h.record(secs(i))))
    });
    e.add12(op, "telemetry, handle.with, dynamic tags", || {
        let h = histogram("t");
        case("t", TWO_TAGS, move |n| rep(n, |i| h.with(&two_tags()).record(secs(i))))
    });
}

pub(super) fn timers(e: &mut Entries) {
    let op = "timed fn";
    e.add(op, "telemetry, #[time_me(span = false)]", || case("function.duration", NO_TAGS, |n| rep(n, |_| timed())));
    e.add(op, "telemetry, #[time_me(span = false, outcome)]", || {
        case("function.duration", &[("outcome", "ok")], |n| rep(n, |_| _ = timed_with_outcome()))
    });
    e.add(op, "telemetry, timer handle, guard", || {
        let t = timer("t");
        case("t", NO_TAGS, move |n| {
            rep(n, |_| {
                let _guard = t.start();
                body();
            })
        })
    });
}
