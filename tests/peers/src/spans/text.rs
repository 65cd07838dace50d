//! Layers that write text: `fmt` as JSON, and tracing-chrome.

use super::{EVENT3, OPS, event3};
use crate::case::{Case, Count, Entries};
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub(super) fn add_fmt(e: &mut Entries) {
    for (op, f, each, _) in OPS {
        e.add(op, "fmt json, span close", move || {
            let n = Count::default();
            let w = n.clone();
            let l = tracing_subscriber::fmt::layer()
                .json()
                .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
                .with_writer(move || w.clone());
            tracing_subscriber::registry().with(l).init();
            Case::new(1000, f).verify(move |ops, _| {
                assert!(n.get() > each * ops * 50);
                format!("{} bytes an operation", n.get() / ops)
            })
        });
    }
}

pub(super) fn add_fmt_events(e: &mut Entries) {
    e.add(EVENT3, "fmt json", || {
        let n = Count::default();
        let w = n.clone();
        tracing_subscriber::registry()
            .with(tracing_subscriber::fmt::layer().json().with_writer(move || w.clone()))
            .init();
        Case::new(1000, event3).verify(move |ops, _| {
            assert!(n.get() > ops * 50);
            format!("{} bytes/event", n.get() / ops)
        })
    });
}

pub(super) fn add_chrome(e: &mut Entries) {
    for (op, f, each, _) in OPS {
        e.add(op, "tracing-chrome, args", move || {
            let n = Count::default();
            let (l, g) = tracing_chrome::ChromeLayerBuilder::new().writer(n.clone()).include_args(true).build();
            tracing_subscriber::registry().with(l).init();
            Case::new(1000, f)
                // its queue is unbounded; let the writer thread keep up
                .settle(|| std::thread::sleep(Duration::from_micros(1500)))
                .verify(move |ops, _| {
                    drop(g);
                    assert!(n.get() > each * ops * 50);
                    format!("{} bytes an operation", n.get() / ops)
                })
        });
    }
}

pub(super) fn add_chrome_events(e: &mut Entries) {
    e.add(EVENT3, "tracing-chrome, args", || {
        let n = Count::default();
        let (l, g) = tracing_chrome::ChromeLayerBuilder::new().writer(n.clone()).include_args(true).build();
        tracing_subscriber::registry().with(l).init();
        Case::new(1000, event3).settle(|| std::thread::sleep(Duration::from_micros(1500))).verify(move |ops, _| {
            drop(g);
            assert!(n.get() > ops * 50);
            format!("{} bytes/event", n.get() / ops)
        })
    });
}
