//! Tests of programs that use telemetry: they can be copied from the README, say what to do where they fail, and print
//! nothing where they pass.

mod readme;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::Duration;

use telemetry_layer::prelude::*;
use telemetry_layer::testing::{Memory, assert_counter, assert_event, assert_span};

fn collector() -> (Collector, Memory) {
    let memory = Memory::new();
    let collector = Collector::builder().ignore_env().exporter(memory.clone()).start().unwrap();
    (collector, memory)
}

fn subscriber(collector: &Collector) -> tracing::Dispatch {
    tracing::Dispatch::new(tracing_subscriber::registry().with(TelemetryLayer::new(collector)))
}

#[test]
fn the_readme_shows_what_runs_here() {
    let (_, code) = include_str!("readme.rs").split_once("\n\n").unwrap();
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("### In tests").unwrap();
    assert!(
        section.contains(&format!("```rust\n{code}```")),
        "copy tests/in_tests/readme.rs into the README"
    );
}

#[time_me(active)]
async fn goes_on() {
    tracing::info!("waits");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_task_goes_on_when_its_test_has_passed() {
    let (collector, memory) = collector();
    let _default = tracing::dispatcher::set_default(&subscriber(&collector));
    tokio::spawn(collector.scope_future(goes_on()));
    tokio::task::yield_now().await;
    assert!(collector.flush(Duration::from_secs(5)).is_complete());
    assert_eq!(memory.kept().event("waits").message, "waits");
    assert_counter(
        &collector.snapshot(),
        "function.active",
        &[("code.function.name", "in_tests::goes_on")],
        1,
    );
}

#[test]
fn a_thread_goes_on_when_its_test_has_passed() {
    let (collector, memory) = collector();
    let dispatch = subscriber(&collector);
    collector.scoped(|| tracing::dispatcher::with_default(&dispatch, || tracing::info!("here")));
    assert!(collector.shutdown(Duration::from_secs(5)).is_complete());
    collector.scoped(|| counter("late").inc());
    tracing::dispatcher::with_default(&dispatch, || tracing::info_span!("late").in_scope(|| ()));
    assert_eq!((memory.kept().events.len(), memory.kept().spans.len()), (1, 0));
}

#[test]
#[ignore = "run by the test of what it says"]
fn keeps_no_collector() {
    let dispatch = subscriber(&collector().0);
    tracing::dispatcher::with_default(&dispatch, || tracing::info!("late"));
}

/// What some of these tests print.
fn printed_by(args: &[&str]) -> String {
    let mut program = Command::new(std::env::current_exe().unwrap());
    let output = program.arg("--nocapture").args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn tests_that_pass_print_nothing() {
    assert_eq!(printed_by(&["readme::", "goes_on"]), "");
    let said = printed_by(&["--exact", "--ignored", "keeps_no_collector"]);
    assert!(
        said.contains("Is the guard kept"),
        "where nothing was recorded in time, it is a mistake: {said}"
    );
}

#[test]
fn no_test_loses_spans_because_another_thread_came_by_first() {
    fn work() {
        tracing::info_span!("work").in_scope(|| tracing::info!("done"));
    }

    let (collector, memory) = collector();
    let dispatch = subscriber(&collector);
    std::thread::spawn(work).join().unwrap();
    tracing::dispatcher::with_default(&dispatch, work);
    collector.flush(Duration::from_secs(5));
    assert_span(&memory.kept(), "work", None, &[]);
    assert_event(&memory.kept(), "done", Some("work"), &[]);
}

/// What a panic says.
fn said(f: impl FnOnce()) -> String {
    *catch_unwind(AssertUnwindSafe(f)).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn assertions_say_what_to_do() {
    let (collector, memory) = collector();
    let outer = tracing::dispatcher::with_default(&subscriber(&collector), || {
        let outer = tracing::info_span!("outer");
        outer.in_scope(|| tracing::info_span!("inner", n = 1).in_scope(|| tracing::info!("done")));
        for wrong in [
            said(|| assert_span(&memory.kept(), "inner", None, &[])),
            said(|| assert_event(&memory.kept(), "done", None, &[])),
        ] {
            assert!(wrong.contains("Flush first: `collector.flush("), "{wrong}");
            assert!(wrong.contains("is a `TelemetryLayer` of this collector in the subscriber"), "{wrong}");
        }
        outer
    });
    collector.flush(Duration::from_secs(5));
    let kept = memory.kept();
    let wrong = said(|| assert_span(&kept, "outer", None, &[]));
    assert!(wrong.contains("no span is called outer") && wrong.contains("has it ended, and did"), "{wrong}");
    assert!(wrong.ends_with("There are\ninner\n"), "{wrong}");
    let wrong = said(|| assert_span(&kept, "inner", Some("outer"), &[]));
    assert!(wrong.contains("its parent is not here, or not yet: is it still open?"), "{wrong}");
    let wrong = said(|| assert_event(&kept, "dona", None, &[]));
    assert!(wrong.contains("did the collector flush") && wrong.contains("\"done\""), "{wrong}");
    drop(outer);
    collector.flush(Duration::from_secs(5));
    assert_span(&memory.kept(), "inner", Some("outer"), &[("n", "1")]);
    let wrong = said(|| assert_span(&memory.kept(), "inner", Some("outer"), &[("m", "1")]));
    assert!(wrong.contains("m of inner is not there, not 1; its fields: n=1;"), "{wrong}");
    let wrong = said(|| assert_counter(&collector.snapshot(), "orders", &[], 1));
    assert!(
        wrong.contains("nothing at all: is this collector the current one (`collector.scoped(..)`"),
        "{wrong}"
    );
}
