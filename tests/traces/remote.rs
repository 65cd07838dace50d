//! Traces that come from other programs.

use std::collections::HashMap;

use telemetry_layer::model::TraceContext;
use telemetry_layer::prelude::*;
use telemetry_layer::{SetParentError, current_trace_context, with_remote_parent};
use telemetry_tests::{recorded, recorded_by, remote};
use tracing::{Span, info_span, instrument};

#[instrument]
fn handle(parent: u8) {
    Span::current().set_parent(&remote(true)).unwrap();
    info_span!("child").in_scope(|| ());
}

#[test]
fn a_remote_parent_can_be_set_until_somebody_knows_the_trace() {
    let kept = recorded(|_| {
        handle(1);
        let used = info_span!("used");
        used.in_scope(|| info_span!("its child").in_scope(|| ()));
        assert_eq!(used.set_parent(&remote(true)), Err(SetParentError::InUse));
        let said = info_span!("said");
        let below = info_span!(parent: &said, "below");
        tracing::info!(parent: &below, "an event");
        assert_eq!(said.set_parent(&remote(true)), Err(SetParentError::InUse));
        let asked = info_span!("asked");
        assert!(asked.trace_context().is_some());
        assert_eq!(asked.set_parent(&remote(true)), Err(SetParentError::InUse));
        let logged = info_span!("logged");
        assert_ne!(logged.trace_id(), Some(remote(true).span.unwrap().trace_id));
        assert_eq!(logged.set_parent(&remote(true)), Ok(()), "its id was only asked for");
        assert_eq!(logged.trace_id(), Some(remote(true).span.unwrap().trace_id));
        assert_eq!(Span::none().set_parent(&remote(true)), Err(SetParentError::NotSeen));
        assert_eq!((Span::none().trace_id(), current_trace_context()), (None, None));
    });
    let (far, handled) = (remote(true).span.unwrap(), kept.span("handle"));
    assert_eq!((handled.trace_id, handled.parent_span_id), (far.trace_id, Some(far.span_id)));
    let child = kept.span("child");
    assert_eq!((child.trace_id, child.parent_span_id), (far.trace_id, Some(handled.span_id)));
    assert_eq!((kept.span("used").parent_span_id, kept.span("asked").parent_span_id), (None, None));
}

#[test]
fn a_remote_parent_takes_over_the_open_spans_below() {
    let move_all = |rate: f64| {
        recorded_by(
            |b| b.sample_rate(rate),
            |l| l,
            |_| {
                let request = info_span!("request", id = 1);
                let child = info_span!(parent: &request, "child", items = 3);
                let grandchild = info_span!(parent: &child, "grandchild");
                let beside = info_span!("beside");
                request.set_parent(&remote(true)).unwrap();
                child.in_scope(|| info_span!("later").in_scope(|| ()));
                drop((grandchild, child, request, beside));
            },
        )
    };
    let (all, far) = (move_all(1.0), remote(true).span.unwrap());
    for (name, parent) in [("child", "request"), ("grandchild", "child"), ("later", "child")] {
        let (span, parent) = (all.span(name), all.span(parent));
        assert_eq!((span.trace_id, span.parent_span_id), (far.trace_id, Some(parent.span_id)), "{name}");
    }
    assert_eq!(all.span("request").parent_span_id, Some(far.span_id));
    assert_eq!((all.span("child").fields.len(), all.span("beside").parent_span_id), (1, None));
    assert_ne!(all.span("beside").trace_id, far.trace_id);
    let revived = move_all(0.0);
    let names: Vec<&str> = revived.spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["later", "grandchild", "child", "request"], "sampled as it was decided there");
    assert!(revived.span("child").fields.is_empty(), "they were not looked at when it began");
}

#[test]
fn state_and_baggage_go_with_the_trace() {
    let mut context = remote(true).with_baggage("user", "ada lovelace");
    context.trace_state = "vendor=1".to_owned();
    let mut sent = HashMap::new();
    let kept = recorded(|_| {
        with_remote_parent(Some(context), || info_span!("server")).in_scope(|| {
            info_span!("client").in_scope(|| {
                let here = current_trace_context().unwrap();
                assert_eq!(here.baggage("user"), Some("ada lovelace"));
                here.inject(|name, value| drop(sent.insert(name, value)));
            });
        });
    });
    let client = kept.span("client");
    assert_eq!(sent["traceparent"], format!("00-{}-{}-01", client.trace_id, client.span_id));
    assert_eq!((&*sent["tracestate"], &*sent["baggage"]), ("vendor=1", "user=ada%20lovelace"));
    assert_eq!((&*client.trace_state, &*kept.span("server").trace_state), ("vendor=1", "vendor=1"));
}

#[test]
fn a_trace_that_begins_here_says_that_its_id_is_random() {
    for (rate, flags) in [(1.0, "03"), (0.0, "02")] {
        let mut sent = HashMap::new();
        recorded_by(
            |builder| builder.sample_rate(rate),
            |layer| layer,
            |_| {
                info_span!("root").in_scope(|| {
                    info_span!("child").in_scope(|| {
                        current_trace_context().unwrap().inject(|name, value| drop(sent.insert(name, value)));
                    });
                });
            },
        );
        assert_eq!(&sent["traceparent"][53..], flags);
    }
}

#[test]
fn what_was_said_of_a_trace_id_is_handed_on() {
    let sent = |flags: &str| {
        let header = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let extracted = TraceContext::extract(|name| (name == "traceparent").then_some(&*header)).unwrap();
        assert!(extracted.span.unwrap().is_remote);
        let mut sent = Vec::new();
        recorded(|_| {
            let inject = || {
                let here = current_trace_context().unwrap();
                assert!(!here.span.unwrap().is_remote);
                here.inject(|_, value| sent.push(value));
            };
            let server = with_remote_parent(Some(extracted.clone()), || info_span!("server"));
            server.in_scope(|| info_span!("client").in_scope(inject));
            let moved = info_span!("moved");
            moved.set_parent(&extracted).unwrap();
            moved.trace_context().unwrap().inject(|_, value| sent.push(value));
        });
        sent.iter().map(|header| header[header.len() - 2..].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sent("03"), ["03", "03"], "it is random");
    assert_eq!(sent("01"), ["01", "01"]);
    assert_eq!(sent("02"), ["02", "02"], "it is random, and not sampled");
}
