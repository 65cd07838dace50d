//! Pages of metrics that come and go: what is found out while one is written, and changes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::super::*;
use super::{bare, made, metric, resource};
use crate::diagnostics;
use crate::metrics::{Reader as _, Snapshot, Source};
use crate::model::{Kind, Metric};
use crate::sync::{Mutex, lock};

/// A page, and what it shows.
struct Shown {
    page: Prometheus,
    metrics: Arc<Mutex<Vec<Metric>>>,
    /// So many times it asked.
    reads: Arc<AtomicU32>,
}

impl Shown {
    fn new() -> Self {
        let (page, metrics, reads) = (bare(), Arc::new(Mutex::new(Vec::new())), Arc::default());
        let this = Self { page, metrics: Arc::clone(&metrics), reads: Arc::clone(&reads) };
        let source = Source::new(move || {
            reads.fetch_add(1, Relaxed);
            Snapshot::new(lock(&metrics).clone(), Arc::new(resource()))
        });
        this.page.clone().attach(source).unwrap();
        this
    }

    fn text<const N: usize>(&self, metrics: [&Metric; N]) -> String {
        *lock(&self.metrics) = made::sorted(metrics.into_iter().cloned().collect());
        self.page.text()
    }
}

/// Which lines on standard error name one of these.
fn said(names: &[&str]) -> Vec<String> {
    let mut said = diagnostics::said();
    said.retain(|line| names.iter().any(|name| line.contains(&format!("`{name}`"))));
    said
}

/// Whoever comes before it in the order of names, a family stays what it is.
#[test]
fn a_family_stays_what_it_was() {
    let shown = Shown::new();
    let (gauge, counter) =
        (metric(Kind::Gauge, "stay_total", "", &[], 1), metric(Kind::Counter, "stay.total", "", &[], 7));
    assert_eq!(shown.text([&gauge]), "# TYPE stay_total gauge\nstay_total 1\n");
    // `.` comes before `_`.
    let last = metric(Kind::Gauge, "z", "", &[], 1);
    let text = "# TYPE stay_total gauge\nstay_total 1\n# TYPE z gauge\nz 1\n";
    assert_eq!(shown.text([&counter, &gauge, &last]), text);
    assert_eq!(shown.text([&counter]), "# TYPE stay_total counter\nstay_total 7\n");
    assert_eq!(shown.text([&gauge, &counter]), "# TYPE stay_total counter\nstay_total 7\n");
}

/// In the first try the counter finds a name that is another metric's, which is gone by then.
#[test]
fn what_is_left_out_of_a_try_is_not_said() {
    let shown = Shown::new();
    shown.text([&metric(Kind::Gauge, "tried_total", "", &[], 1)]);
    let text = shown.text([&metric(Kind::Counter, "tried.total", "", &[], 7)]);
    assert_eq!((&*text, shown.page.left_out()), ("# TYPE tried_total counter\ntried_total 7\n", 0));
    assert_eq!(said(&["tried.total", "tried_total"]), Vec::<String>::new());
}

/// What the first try finds, and the second one knows.
#[test]
fn what_is_left_out_of_each_try_is_said_once() {
    let shown = Shown::new();
    let again = [("a.b", 1), ("a_b", 2)].map(|(key, n)| metric(Kind::Gauge, "again", "", &[(key, "1")], n));
    let (rival, other) = (
        metric(Kind::Counter, "again.c.total", "", &[], 1),
        metric(Kind::Gauge, "again.c_total", "", &[], 1),
    );
    let described = ["again.d", "again_d"]
        .map(|name| made::described(metric(Kind::Gauge, name, "", &[("k", name)], 1), name));
    for _ in 0..2 {
        shown.text([&again[0], &again[1], &rival, &other, &described[0], &described[1]]);
        assert_eq!(shown.page.left_out(), 2);
    }
    for name in ["again", "again.c_total", "again_d"] {
        assert_eq!(said(&[name]).len(), 1, "{name}: {:?}", diagnostics::said());
    }
}

#[test]
fn metrics_of_a_family_are_known_when_others_have_gone() {
    let shown = Shown::new();
    let gone = metric(Kind::Gauge, "known.a", "", &[], 1);
    let (one, other) = (
        metric(Kind::Gauge, "known.b", "", &[("a_b", "1")], 1),
        metric(Kind::Gauge, "known_b", "", &[("a.b", "1")], 2),
    );
    assert_eq!(shown.text([&gone, &one]).lines().count(), 4);
    assert_eq!(shown.text([&one]).lines().count(), 2);
    assert_eq!(shown.text([&one, &other]), "# TYPE known_b gauge\nknown_b{a_b=\"1\"} 1\n");
}

#[test]
fn however_often_it_is_tried_a_page_asks_once() {
    let shown = Shown::new();
    let twins = [("a.b", 1), ("a_b", 2)].map(|(key, n)| metric(Kind::Gauge, "once", "", &[(key, "1")], n));
    shown.text([&twins[0], &twins[1]]);
    assert_eq!((shown.page.left_out(), shown.reads.load(Relaxed)), (1, 1));
    let (page, asked) = (bare(), Arc::new(AtomicU32::new(0)));
    let collector = crate::Collector::builder().ignore_env().reader(page.clone()).start().unwrap();
    let count = Arc::clone(&asked);
    collector.scoped(|| {
        crate::gauge("asked").observe(move || u64::from(count.fetch_add(1, Relaxed) + 1));
        ["a.b", "a_b"].into_iter().for_each(|key| crate::gauge("once").with(&[(key, "1")]).set(1));
    });
    let text = page.text();
    assert!(text.contains("\nasked 1\n"), "{text}");
    assert_eq!((page.left_out(), asked.load(Relaxed)), (1, 1));
}
