//! emit, which does not need `tracing`, with an emitter that visits what it is given and drops it.

use super::{EVENT3, PARENTS, PER_SPAN};
use crate::case::{Case, Count, Entries};
use emit::Props;
use std::hint::black_box as bb;

#[emit::span("work")]
fn work0() {}
#[emit::span("work", user, size, path, cached)]
fn work4(user: u64, size: i64, path: &str, cached: bool) {}
#[emit::span("request")]
fn p1(n: u64, f: fn(u64)) {
    p2(n, f)
}
#[emit::span("service")]
fn p2(n: u64, f: fn(u64)) {
    p3(n, f)
}
#[emit::span("query")]
fn p3(n: u64, f: fn(u64)) {
    f(n)
}
fn root0(n: u64) {
    for _ in 0..n {
        work0()
    }
}
fn root4(n: u64) {
    for i in 0..n {
        work4(bb(i), bb(7), bb("/api/items"), bb(true))
    }
}
fn child0(n: u64) {
    p1(n, root0)
}
fn child4(n: u64) {
    p1(n, root4)
}
#[emit::span("request")]
fn events(from: u64) {
    for i in from..from + PER_SPAN {
        let (user, path, cached) = (bb(i), bb("/api/items"), bb(true));
        emit::info!("served", user, path, cached);
    }
}
fn event3(n: u64) {
    let mut i = 0;
    while i < n {
        events(i);
        i += PER_SPAN;
    }
}
/// Synchronous emitter that visits every property and drops the event.
fn on() -> Count {
    let n = Count::default();
    let c = n.clone();
    let _ = emit::setup()
        .emit_to(emit::emitter::from_fn(move |e| {
            let mut k = 0;
            let _ = e.props().for_each(|name, v| {
                bb((name, v));
                k += 1;
                std::ops::ControlFlow::Continue(())
            });
            bb(k);
            c.add(1);
        }))
        .init();
    n
}

pub(super) fn add(e: &mut Entries) {
    for (op, f, extra) in [
        ("span0 root", root0 as fn(u64), 0),
        ("span4 root", root4, 0),
        ("span0 child3", child0, PARENTS),
        ("span4 child3", child4, PARENTS),
    ] {
        e.add(op, "emit, null emitter", move || {
            let n = on();
            Case::new(1000, f).verify(move |ops, runs| n.exactly(ops + extra * runs, "spans"))
        });
    }
}

pub(super) fn add_events(e: &mut Entries) {
    e.add(EVENT3, "emit, null emitter", || {
        let n = on();
        Case::new(1000, event3).verify(move |ops, _| n.exactly(ops + ops / PER_SPAN, "events"))
    });
}
