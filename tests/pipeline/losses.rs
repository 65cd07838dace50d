//! What is lost is said, and a report that lost something is not complete, whoever asks, how often and from where.

use std::process::Command;
use std::time::{Duration, Instant};

use telemetry_layer::exporters::Discard;
use telemetry_layer::ledger::Reason;
use telemetry_layer::prelude::*;

use super::{Door, SOON, account, builder, span};

/// Runs a test of this program that is ignored by itself, and gives what it said on standard error.
fn said_by(test: &str) -> String {
    said_with(test, &[])
}

fn said_with(test: &str, vars: &[(&str, &str)]) -> String {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command.args(["--ignored", "--exact", test, "--nocapture", "--test-threads=1"]);
    command.env_remove("RUST_BACKTRACE").envs(vars.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    said
}

fn lines(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.starts_with("telemetry: ")).collect()
}

#[test]
#[ignore = "run by the test of what it says"]
fn loses_in_every_way() {
    let refuses = |_: &Batch| Err::<(), _>(ExportError::never("the backend says no"));
    // The guard says at the end what was lost.
    let collector = builder().exporter(refuses).install().unwrap();
    for n in 0..100 {
        collector.collect_span(&span(n));
        collector.flush(SOON);
    }
}

#[test]
fn what_is_refused_is_said_at_once_and_once_in_ten_seconds() {
    let said = said_by("losses::loses_in_every_way");
    let lines = lines(&said);
    let refused = lines.iter().filter(|line| line.contains("refused 1 span: the backend says no"));
    assert_eq!(refused.count(), 1, "{said}");
    assert!(lines.iter().any(|line| line.contains("since then 99 items refused")), "{said}");
    assert!(lines.iter().any(|line| line.contains("100 items were lost")), "{said}");
}

#[test]
#[ignore = "run by the test of what it says"]
fn loses_at_the_buffers() {
    let door = Door::default();
    let stuck = door.clone();
    let small = |config: &mut telemetry_layer::Config| {
        config.buffer_bytes = 16 << 10;
        config.buffer_size = usize::MAX;
    };
    let collector = builder().configure(small).exporter(move |_: &Batch| stuck.pass()).start().unwrap();
    while collector.ledger().signal(Signal::Spans).dropped.by(Reason::BufferFull) < 100 {
        (0..100).for_each(|n| collector.collect_span(&span(n)));
    }
    door.open();
    let report = collector.shutdown(SOON);
    assert!(!report.is_complete(), "{report}");
}

#[test]
fn what_did_not_get_into_the_buffers_is_said_too() {
    let said = said_by("losses::loses_at_the_buffers");
    assert!(said.contains("telemetry: the collector: lost"), "{said}");
    assert!(said.contains("`buffer_bytes`"), "{said}");
}

#[test]
fn no_later_report_forgets_a_loss() {
    let mut first = true;
    let once = move |_: &Batch| {
        if std::mem::take(&mut first) { Err(ExportError::never("no")) } else { Ok(()) }
    };
    let collector = builder().on_export(|_| ()).exporter(once).start().unwrap();
    collector.collect_span(&span(1));
    assert!(!collector.flush(SOON).is_complete());
    collector.collect_span(&span(2));
    let elsewhere = collector.clone();
    let report = std::thread::spawn(move || elsewhere.flush(SOON)).join().unwrap();
    assert!(!report.is_complete());
    for _ in 0..2 {
        assert!(!collector.shutdown(SOON).is_complete());
    }
    assert!(!collector.flush(SOON).is_complete());
}

#[test]
fn a_flush_does_not_answer_for_what_comes_after_it() {
    let door = Door::default();
    let (wait, mut many) = (door.clone(), 0);
    let exporter = move |batch: &Batch| {
        many += batch.len();
        if many > 1 {
            wait.pass();
            return Err(ExportError::never("no"));
        }
        Ok(())
    };
    let collector = builder().on_export(|_| ()).exporter(exporter).start().unwrap();
    collector.collect_span(&span(1));
    assert!(collector.flush(SOON).is_complete());
    collector.collect_span(&span(2));
    std::thread::scope(|scope| {
        let late = scope.spawn(|| collector.flush(SOON));
        while collector.ledger().signal(Signal::Spans).dispatched < 2 {
            std::thread::yield_now();
        }
        collector.collect_span(&span(3));
        door.open();
        assert!(!late.join().unwrap().is_complete(), "its own was refused");
    });
}

#[test]
fn a_flush_during_a_shutdown_says_what_the_shutdown_says() {
    let door = Door::default();
    let stuck = door.clone();
    let collector = builder().exporter(move |_: &Batch| stuck.pass()).start().unwrap();
    collector.collect_span(&span(1));
    std::thread::scope(|scope| {
        let down = scope.spawn(|| collector.shutdown(Duration::from_millis(300)));
        let flushes: Vec<_> = (0..4).map(|_| scope.spawn(|| collector.flush(SOON))).collect();
        let down = down.join().unwrap();
        assert!(!down.is_complete(), "{down}");
        for flush in flushes {
            let flush = flush.join().unwrap();
            assert!(!flush.is_complete(), "nothing was delivered: {flush}");
        }
    });
    let spans = account(&collector.ledger(), "closure", Signal::Spans);
    assert_eq!((spans.delivered, spans.dropped.by(Reason::Deadline)), (0, 1));
    door.open();
}

#[test]
fn a_flush_keeps_its_deadline_whatever_goes_on() {
    let door = Door::default();
    let stuck = door.clone();
    let collector = builder().exporter(move |_: &Batch| stuck.pass()).start().unwrap();
    collector.collect_span(&span(1));
    let begin = Instant::now();
    assert!(!collector.flush(Duration::from_millis(20)).is_complete());
    assert!(begin.elapsed() < SOON / 4);
    door.open();
    assert!(collector.shutdown(SOON).is_complete());
}

#[telemetry_layer::count_me]
fn counted() {}

#[test]
#[ignore = "run by the test of what it says"]
fn is_set_up_by_half() {
    let collector = builder().start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || tracing::info_span!("work").in_scope(counted));
    drop(collector);
}

#[test]
#[ignore = "run by the test of what it says"]
fn records_for_nobody() {
    let guard = builder().install().unwrap();
    counted();
    drop(guard);
}

#[test]
#[ignore = "run by the test of what it says"]
fn keeps_no_guard() {
    let _ = builder().exporter(Discard::new()).install().unwrap();
    counted();
}

#[test]
fn a_set_up_by_half_is_said() {
    for (test, want) in [
        ("losses::is_set_up_by_half", "attributes and instruments feed nobody"),
        ("losses::records_for_nobody", "what was recorded went nowhere"),
        ("losses::keeps_no_guard", "something was recorded after the shutdown of its collector"),
    ] {
        let said = said_by(test);
        assert!(said.contains(want) && lines(&said).len() == 1, "{said}");
    }
}

#[test]
#[ignore = "run by the test of what it says"]
fn is_set_up_by_the_environment() {
    drop(Collector::builder().start().unwrap());
}

#[test]
fn a_variable_that_is_none_is_named() {
    let said =
        said_with("losses::is_set_up_by_the_environment", &[("TELEMETRY_EXPORT_ENDPOINT", "console:")]);
    let line =
        "`TELEMETRY_EXPORT_ENDPOINT` is no variable of telemetry; did you mean `TELEMETRY_EXPORT_ENDPOINTS`?";
    assert!(said.contains(line), "{said}");
}

#[test]
#[ignore = "run by the test of what it says"]
fn loses_without_a_guard() {
    let refuses = |_: &Batch| Err::<(), _>(ExportError::never("the backend says no"));
    let collector = builder().on_export(|_| ()).exporter(refuses).start().unwrap();
    collector.collect_span(&span(1));
}

#[test]
fn a_collector_without_a_guard_says_what_it_lost_too() {
    let said = said_by("losses::loses_without_a_guard");
    assert!(said.contains("telemetry: 1 item was lost"), "{said}");
}

#[test]
#[ignore = "run by the test of what it says"]
fn nobody_looks_at_the_report() {
    let down = |_: &Batch| Err::<(), _>(ExportError::retry("down"));
    let collector = builder().on_export(|_| ()).exporter(down).start().unwrap();
    collector.collect_span(&span(1));
    collector.shutdown(Duration::from_millis(50));
}

#[test]
fn what_a_shutdown_gives_up_is_said_though_nobody_looks_at_its_report() {
    let said = said_by("losses::nobody_looks_at_the_report");
    let want = "telemetry: exporter closure: lost 1 span: not delivered by the deadline";
    assert_eq!(lines(&said), [want], "{said}");
}
