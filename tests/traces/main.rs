//! Traces across borders, links, metrics of spans, fields that must not be seen or come twice, open spans; what is kept of calls
//! that are cancelled, of errors with their sources, and where code of the program panics.

mod cancelled;
mod causes;
mod doubles;
mod hidden;
mod inherited;
mod measured;
mod once;
mod open;
mod panics;
mod remote;

use std::sync::Mutex;

use telemetry_layer::model::{SpanId, Status, TraceId, Value};
use telemetry_layer::prelude::*;
use telemetry_layer::sampling::Sampling;
use telemetry_layer::{Builder, Level, SpanMetrics, with_remote_parent};
use telemetry_tests::{recorded, recorded_by, remote};
use tracing::field::Empty;
use tracing::{Span, error, info, info_span, instrument};

#[test]
fn a_span_follows_others_by_links_whatever_became_of_them() {
    let kept = recorded(|_| {
        let (first, second) = (info_span!("first"), info_span!("second"));
        second.follows_from(&first);
        let closed = info_span!("closed").id();
        second.follows_from(closed);
        second.follows_from(Span::none());
        second.add_link(remote(true).span.unwrap());
        second.follows_from(second.id());
    });
    let (first, second) = (kept.span("first"), kept.span("second"));
    let links: Vec<(TraceId, SpanId)> = second.links.iter().map(|to| (to.trace_id, to.span_id)).collect();
    let (own, far) = ((second.trace_id, second.span_id), remote(true).span.unwrap());
    assert_eq!(links, [(first.trace_id, first.span_id), (far.trace_id, far.span_id), own]);
    assert_eq!(second.parent_span_id, None);
}

#[instrument(err)]
fn fails() -> Result<(), String> {
    Err("no stock".to_owned())
}

#[test]
fn errors_of_results_of_fields_and_of_events_are_the_status() {
    let kept = recorded(|_| {
        let _ = fails();
        info_span!("field", error = "broken").in_scope(|| ());
        info_span!("late", error = Empty)
            .in_scope(|| _ = Span::current().record("error", tracing::field::display("later")));
        info_span!("flag", error = true).in_scope(|| ());
        info_span!("no", error = false).in_scope(|| ());
        info_span!("event").in_scope(|| error!(error = "refused", "it went wrong"));
        info_span!("info").in_scope(|| info!(error = "ignored", "all is well"));
        info_span!("said", otel.status_code = "ok").in_scope(|| error!(error = "handled"));
    });
    let status = |name: &str| kept.span(name).status.clone();
    let failed = |text: &str| Status::Error(text.to_owned());
    assert_eq!(status("fails"), failed("no stock"));
    assert_eq!((status("field"), status("late")), (failed("broken"), failed("later")));
    assert_eq!((status("flag"), status("no")), (failed(""), Status::Unset));
    assert_eq!(
        (status("event"), status("info"), status("said")),
        (failed("refused"), Status::Unset, Status::Ok)
    );
    assert_eq!(kept.span("field").fields[0].1, Value::from("broken"), "it stays a field");
}

#[test]
fn nothing_of_a_span_is_left_for_the_next_one_in_its_place() {
    let rules = |b: Builder| b.sampling(Sampling::new().spans("dead", 0.0));
    let kept = recorded_by(
        rules,
        |l| l.with_span_metrics(SpanMetrics::new()),
        |_| {
            let mut far = remote(false);
            far.trace_state = "secret=1".to_owned();
            let unsampled = with_remote_parent(Some(far), || info_span!("unsampled"));
            unsampled.add_link(remote(true).span.unwrap());
            drop(unsampled);
            drop(info_span!("first", otel.kind = "server"));
            let long = "SECRET".repeat(60);
            drop(info_span!(
                "dead",
                a = long,
                otel.status_code = "error",
                otel.status_description = "of another"
            ));
            drop(info_span!("second", b = 1, otel.kind = "server"));
            let spilled = info_span!("spilled", a = "x".repeat(300));
            spilled.record("a", "short");
        },
    );
    let (first, second) = (kept.span("first"), kept.span("second"));
    assert_eq!((first.links.len(), &*first.trace_state), (0, ""));
    assert_eq!((&second.status, second.fields.len()), (&Status::Unset, 1));
    assert_eq!(kept.span("spilled").fields, [("a".into(), Value::from("short"))]);
}

#[test]
fn an_event_that_ends_its_own_span_fails_no_other() {
    struct Ends(Mutex<Option<Span>>);
    impl std::fmt::Debug for Ends {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            drop(self.0.lock().unwrap().take());
            f.write_str("ended")
        }
    }
    let kept = recorded(|_| {
        let span = info_span!("parent");
        let id = span.id();
        error!(parent: id, error = ?Ends(Mutex::new(Some(span))), "bad");
        drop(info_span!("next", otel.kind = "server"));
    });
    assert_eq!(kept.span("next").status, Status::Unset);
}

#[test]
fn records_of_log_have_their_own_target_and_place() {
    // The bridge is one for the whole program, and sends to whatever subscriber is current.
    tracing_log::LogTracer::init().unwrap();
    let kept = recorded(|_| {
        info_span!("work").in_scope(|| log::warn!(target: "old::library", "{} left", 3));
    });
    let event = kept.event("3 left");
    assert_eq!((&*event.target, event.level), ("old::library", Level::WARN));
    assert_eq!(event.span_id, Some(kept.span("work").span_id));
    let names: Vec<&str> = event.fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["code.file.path", "code.line.number"]);
    let hide = |l: TelemetryLayer| l.with_redacted_fields(["message"]).without_fields(["code.file.*"]);
    let kept = recorded_by(|b| b, hide, |_| log::info!(target: "old::library", "the password is {}", "moon"));
    let names: Vec<&str> = kept.event("[redacted]").fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["code.line.number"]);
}

#[test]
fn the_message_of_a_panic_is_known_with_the_hook() {
    telemetry_layer::install_panic_hook();
    let kept = recorded(|_| {
        let run = || info_span!("work").in_scope(|| panic!("out of {}", "luck"));
        std::panic::catch_unwind(run).unwrap_err();
    });
    assert_eq!(kept.span("work").status, Status::Error("out of luck".to_owned()));
    let event = kept.event("panicked");
    assert_eq!((&*event.target, event.span_id), ("panic", Some(kept.span("work").span_id)));
    let field =
        |name: &str| event.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_string());
    assert_eq!(field("exception.message").as_deref(), Some("out of luck"));
    assert_eq!((&*event.name, field("exception.type").as_deref()), ("exception", Some("panic")));
    assert_eq!(field("code.file.path").as_deref(), Some("tests/traces/main.rs"));
    assert!(field("code.line.number").is_some() && field("code.column.number").is_some());
}
