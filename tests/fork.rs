//! Children of a program that records: what they find, and what they leave alone. Alone in its program: a fork copies all of it.
#![allow(unsafe_code)] // Only C forks.

use std::collections::HashSet;
use std::fs;
use std::io::{self, PipeReader, Read as _, Write as _, pipe};
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use telemetry_layer::ledger::Reason;
use telemetry_layer::prelude::*;
use telemetry_layer::sampling::Sampling;
use telemetry_tests::{Over, SOON};
use tracing::{Dispatch, dispatcher, info, info_span};

/// A child, what it says, and its standard error.
struct Child(libc::pid_t, PipeReader, PipeReader);

impl Child {
    /// Forks one that does this, and does nothing else.
    fn that(does: impl FnOnce() -> String) -> Self {
        let ((said, mut says), (errors, stderr)) = (pipe().unwrap(), pipe().unwrap());
        // SAFETY: the child calls nothing that another thread may have kept it from, which is what is tested.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            // SAFETY: these take numbers only.
            unsafe { (libc::alarm(20), libc::dup2(stderr.as_raw_fd(), 2)) };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(does));
            let is_fine = done.is_ok_and(|text| says.write_all(text.as_bytes()).is_ok());
            // SAFETY: the same.
            unsafe { libc::_exit(i32::from(!is_fine)) };
        }
        Self(pid, said, errors)
    }

    /// What it said, once it has ended well.
    #[track_caller]
    fn said(self) -> String {
        self.said_with_errors().0
    }

    /// The same with its standard error.
    #[track_caller]
    fn said_with_errors(mut self) -> (String, String) {
        let (mut text, mut errors) = (String::new(), String::new());
        self.1.read_to_string(&mut text).unwrap();
        self.2.read_to_string(&mut errors).unwrap();
        assert_eq!(self.status(), 0, "a child that hangs is ended by a signal\n{errors}");
        (text, errors)
    }

    fn status(&self) -> i32 {
        let mut status = 0;
        // SAFETY: the status is ours.
        assert_eq!(unsafe { libc::waitpid(self.0, &raw mut status, 0) }, self.0);
        status
    }

    fn kill(self) {
        // SAFETY: it takes numbers only, and the child was not waited for.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        self.status();
    }
}

fn layered(collector: &Collector) -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(collector)))
}

fn work(i: u64) {
    let span = info_span!("work", i);
    let _in = span.enter();
    info!(i, "event");
}

fn id() -> String {
    info_span!("id").trace_id().unwrap().to_string()
}

fn spans_in(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("spans.jsonl")).unwrap();
    let name = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].to_string();
    text.lines().map(name).collect()
}

#[count_me]
fn counted() {}

/// One test, as a child has what any other test has open.
#[test]
fn a_child_finds_its_own_ids_no_lock_and_no_collector() {
    let directory = tempfile::tempdir().unwrap();
    let (own, others) = (directory.path().join("parent"), directory.path().join("child"));
    let limited = Sampling::new().spans_per_second(1e9).events_per_second(1e9);
    let builder = Collector::builder().ignore_env().flush_interval(Duration::from_millis(20));
    let builder = builder.sampling(limited).endpoint(format!("file:{}", own.display()));
    let guard = builder.install().unwrap();
    let collector: &Collector = &guard;
    let dispatch = layered(collector);

    // Two threads that never had an id, and so no seed: their children have all that they have.
    for _ in 0..2 {
        let ids = || [Child::that(id).said(), Child::that(id).said(), id()];
        let first = || dispatcher::with_default(&dispatch, ids);
        let ids = thread::scope(|scope| scope.spawn(first).join().unwrap());
        assert_eq!(HashSet::from(ids.clone()).len(), 3, "{ids:?}");
    }

    let stop = Over::default();
    thread::scope(|scope| {
        let _over = stop.when_dropped();
        for n in 0..2 {
            let (stop, dispatch) = (&stop, &dispatch);
            scope.spawn(move || {
                dispatcher::with_default(dispatch, || {
                    let mut i = n;
                    while !stop.is_over() {
                        record(collector, i);
                        i += 1;
                    }
                });
            });
        }
        dispatcher::with_default(&dispatch, || {
            work(0);
            let timer = collector.timer("long").start();
            let mut ids = HashSet::new();
            for round in 0..40 {
                let child = Child::that(|| {
                    let id = id();
                    (0..1000).for_each(|i| record(collector, 1_000 * round + i));
                    collector.record("by hand", 1);
                    // Another thread of the child.
                    let other = || dispatcher::with_default(&dispatch, || work(1));
                    thread::scope(|scope| scope.spawn(other).join().unwrap());
                    id
                });
                ids.insert(id());
                ids.insert(child.said());
            }
            drop(timer);
            assert_eq!(ids.len(), 80, "a child has ids that nobody else has");
            finds_a_collector_that_is_over(collector);
            starts_a_collector_of_its_own(&own, &others);
        });
    });
    let report = collector.shutdown(SOON);
    assert!(report.is_complete(), "{report}");
    let delivered = report.ledger().exporter("file", Signal::Spans).unwrap().delivered;
    let spans = spans_in(&own);
    assert_eq!((spans.len() as u64, spans.iter().any(|name| name.contains("child"))), (delivered, false));
    assert_eq!(spans_in(&others), ["\"of the child\""]);
    prints_while_its_parent_does();
    frees_the_directory_of_its_parent(&directory.path().join("left"));
    serves_nobody_and_frees_the_port_of_its_parent();
}

fn record(collector: &Collector, i: u64) {
    work(i);
    counted();
    collector.counter("jobs").with(&[("k", &(i % 1_500).to_string())]).inc();
    collector.gauge("level").set(i);
}

fn finds_a_collector_that_is_over(collector: &Collector) {
    let child = Child::that(|| {
        work(1);
        let began = Instant::now();
        let flush = collector.flush(SOON);
        let spans = flush.ledger().signal(Signal::Spans);
        assert_eq!((spans.recorded, spans.dropped.by(Reason::Closed), spans.held), (1, 1, 0));
        assert!(!flush.is_complete() && flush.ledger().balances());
        assert!(collector.snapshot().is_empty() && collector.health().is_empty());
        assert!(collector.endpoint("discard:").is_err() && !collector.pause("file"));
        assert!(Collector::current().is_none() && !Collector::has_global());
        let end = collector.shutdown(SOON);
        assert!(began.elapsed() < SOON / 2, "nobody is waited for");
        end.ledger().signal(Signal::Spans).recorded.to_string()
    });
    let (said, errors) = child.said_with_errors();
    assert_eq!((said.as_str(), errors.matches("was forked").count()), ("1", 1), "{errors}");
}

/// Not in the directory of its parent.
fn starts_a_collector_of_its_own(parents: &Path, own: &Path) {
    let child = Child::that(|| {
        let start = |at: &Path| {
            let builder = Collector::builder().ignore_env();
            builder.endpoint(format!("file:{}", at.display())).install()
        };
        let refused = start(parents).unwrap_err().to_string();
        let guard = start(own).unwrap();
        counted();
        dispatcher::with_default(&layered(&guard), || drop(info_span!("of the child")));
        assert_eq!(guard.snapshot().total("function.calls"), 1.0);
        assert!(guard.shutdown(SOON).is_complete());
        refused
    });
    let refused = child.said();
    assert!(refused.contains("another exporter") && refused.contains(parents.to_str().unwrap()), "{refused}");
}

/// On standard output and standard error, which are slow meanwhile.
fn prints_while_its_parent_does() {
    let (mut reads, writes) = pipe().unwrap();
    let streams = [io::stdout().as_fd(), io::stderr().as_fd()].map(|fd| fd.try_clone_to_owned().unwrap());
    print_to([writes.as_raw_fd(); 2]);
    let collector = Collector::builder().ignore_env().endpoint("console:").start().unwrap();
    let stop = Over::default();
    thread::scope(|scope| {
        scope.spawn(move || while reads.read(&mut [0; 4 << 10]).is_ok_and(|bytes| bytes > 0) {});
        let over = stop.when_dropped();
        scope.spawn(|| {
            dispatcher::with_default(&layered(&collector), || {
                let much = "much ".repeat(1_000);
                while !stop.is_over() {
                    (0..20).for_each(|_| info!(much, more = much, most = much, "event"));
                    (0..200).for_each(|_| telemetry_core::__private::warn(format_args!("{much}")));
                    collector.flush(SOON);
                }
            });
        });
        let said = std::panic::catch_unwind(|| {
            let children = (0..40).map(|_| {
                let child = Child::that(|| {
                    let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr().lock());
                    stdout.write_all(b"of the child\n").and_then(|()| stderr.write_all(b"too\n")).unwrap();
                    String::new()
                });
                child.said_with_errors().1
            });
            children.collect::<Vec<_>>()
        });
        drop(over);
        collector.shutdown(SOON);
        print_to(streams.each_ref().map(AsRawFd::as_raw_fd));
        drop(writes);
        assert_eq!(said.unwrap(), vec!["too\n"; 40]);
    });
}

fn print_to(files: [RawFd; 2]) {
    for (stream, file) in [1, 2].into_iter().zip(files) {
        // SAFETY: both are open.
        assert_eq!(unsafe { libc::dup2(file, stream) }, stream);
    }
}

/// That is killed, while the child lives on.
fn frees_the_directory_of_its_parent(directory: &Path) {
    let url = format!("file:{}", directory.display());
    let start = || Collector::builder().ignore_env().endpoint(&url).start();
    let (mut reads, mut says) = pipe().unwrap();
    let parent = Child::that(|| {
        let _collector = start().unwrap();
        let grandchild = Child::that(wait_for_ever);
        says.write_all(&grandchild.0.to_ne_bytes()).unwrap();
        wait_for_ever()
    });
    let mut grandchild = [0; size_of::<libc::pid_t>()];
    reads.read_exact(&mut grandchild).unwrap();
    assert!(start().is_err());
    parent.kill();
    let again = start();
    // SAFETY: it takes numbers only.
    assert_eq!(unsafe { libc::kill(libc::pid_t::from_ne_bytes(grandchild), libc::SIGKILL) }, 0, "it lived");
    again.unwrap();
}

/// That is killed, while the child lives on.
fn serves_nobody_and_frees_the_port_of_its_parent() {
    let start =
        |at: &str| Collector::builder().ignore_env().endpoint(format!("prometheus://{at}/metrics")).start();
    let (mut reads, mut says) = pipe().unwrap();
    let parent = Child::that(|| {
        let mut held = Some(start("127.0.0.1:0").unwrap());
        let url = held.iter().flat_map(Collector::served_at).next().unwrap();
        let child = Child::that(|| {
            // Its last handle goes: nothing of the server is waited for, and its parent's stays.
            let collector = held.take().unwrap();
            let balances = collector.shutdown(SOON).ledger().balances();
            (collector.served_at().is_empty() && balances).to_string()
        });
        assert_eq!(child.said(), "true");
        let grandchild = Child::that(wait_for_ever);
        says.write_all(&grandchild.0.to_ne_bytes()).unwrap();
        says.write_all(format!("{url:100}").as_bytes()).unwrap();
        wait_for_ever()
    });
    let (mut grandchild, mut url) = ([0; size_of::<libc::pid_t>()], [0; 100]);
    reads.read_exact(&mut grandchild).and_then(|()| reads.read_exact(&mut url)).unwrap();
    let url = std::str::from_utf8(&url).unwrap().trim();
    let address = url.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap();
    assert!(std::net::TcpStream::connect(address).is_ok(), "its parent serves");
    assert!(start(address).is_err());
    parent.kill();
    let again = start(address);
    // SAFETY: it takes numbers only.
    assert_eq!(unsafe { libc::kill(libc::pid_t::from_ne_bytes(grandchild), libc::SIGKILL) }, 0, "it lived");
    again.unwrap();
}

fn wait_for_ever() -> String {
    loop {
        // SAFETY: it takes nothing.
        unsafe { libc::pause() };
    }
}
