//! fastrace, which does not need `tracing`: its own spans, and their fields as strings.

use super::{ENTER_EXIT, EVENT3, PARENTS, PER_SPAN};
use crate::case::{Case, Count, Entries};
use fastrace::prelude::*;
use std::hint::black_box as bb;

struct Null(Count, Count);
impl fastrace::collector::Reporter for Null {
    fn report(&mut self, spans: Vec<fastrace::collector::SpanRecord>) {
        self.0.add(spans.len() as u64);
        self.1.add(spans.iter().map(|s| s.events.len() as u64).sum());
    }
}
pub fn on() -> (Count, Count) {
    let (s, e) = (Count::default(), Count::default());
    fastrace::set_reporter(Null(s.clone(), e.clone()), fastrace::collector::Config::default());
    (s, e)
}
fn case(run: fn(u64), each: u64, extra: u64) -> Case {
    let (n, _) = on();
    Case::new(1000, run).settle(fastrace::flush).verify(move |ops, runs| {
        fastrace::flush();
        n.exactly(each * ops + extra * runs, "spans")
    })
}

macro_rules! four {
    ($i:expr) => {
        || {
            [
                ("user", bb($i).to_string()),
                ("size", bb(7i64).to_string()),
                ("path", bb("/api/items").to_string()),
                ("cached", bb(true).to_string()),
            ]
        }
    };
}
fn root0(n: u64) {
    for _ in 0..n {
        let root = Span::root("work", SpanContext::random());
        let _g = root.set_local_parent();
    }
}
pub fn one4(i: u64) {
    let root = Span::root("work", SpanContext::random()).with_properties(four!(i));
    let _g = root.set_local_parent();
}
fn root4(n: u64) {
    (0..n).for_each(one4)
}
fn enter_exit(n: u64) {
    let root = Span::root("work", SpanContext::random());
    for _ in 0..n {
        let _g = bb(&root).set_local_parent();
    }
}
fn under3(n: u64, f: impl Fn(u64)) {
    let root = Span::root("request", SpanContext::random());
    let _g = root.set_local_parent();
    let _b = LocalSpan::enter_with_local_parent("service");
    let _c = LocalSpan::enter_with_local_parent("query");
    f(n)
}
fn child0(n: u64) {
    under3(n, |n| {
        for _ in 0..n {
            let _s = LocalSpan::enter_with_local_parent("work");
        }
    })
}
fn child4(n: u64) {
    under3(n, |n| {
        for i in 0..n {
            let _s = LocalSpan::enter_with_local_parent("work").with_properties(four!(i));
        }
    })
}
fn event3(n: u64) {
    let mut i = 0;
    while i < n {
        let root = Span::root("request", SpanContext::random());
        let _g = root.set_local_parent();
        for _ in 0..PER_SPAN {
            LocalSpan::add_event(Event::new("served").with_properties(|| {
                [("user", bb(i).to_string()), ("path", bb("/api/items").to_string()), ("cached", bb(true).to_string())]
            }));
            i += 1;
        }
    }
}

pub(super) fn add(e: &mut Entries) {
    for (op, f, extra) in [
        ("span0 root", root0 as fn(u64), 0),
        ("span4 root", root4, 0),
        ("span0 child3", child0, PARENTS),
        ("span4 child3", child4, PARENTS),
    ] {
        let make = move || case(f, 1, extra);
        // On two threads its collector drops a tenth of the roots.
        if extra > 0 { e.add12(op, "fastrace", make) } else { e.add(op, "fastrace", make) }
    }
    e.add(ENTER_EXIT, "fastrace", || case(enter_exit, 0, 1));
}

pub(super) fn add_events(e: &mut Entries) {
    e.add12(EVENT3, "fastrace, span events", || {
        let (_, n) = on();
        Case::new(1000, event3).settle(fastrace::flush).verify(move |ops, _| {
            fastrace::flush();
            n.exactly(ops, "events")
        })
    });
}
