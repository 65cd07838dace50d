//! Where a span stands in its trace, as each of both passes it on and is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::{SpanContext as OtelSpanContext, TraceContextExt as _};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use telemetry_layer::model::{Status, TraceContext};
use telemetry_layer::prelude::*;
use telemetry_tests::beside::{Ours, locked};
use tracing::dispatcher::WeakDispatch;
use tracing::{Dispatch, Id, Span, Subscriber, error, info_span};
use tracing_opentelemetry::{OpenTelemetrySpanExt, get_otel_context};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, registry};

use crate::Otel;
use crate::nodes::both;

fn propagator() -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(vec![
        Box::new(BaggagePropagator::new()),
        Box::new(TraceContextPropagator::new()),
    ])
}

fn headers(sampled: u8) -> HashMap<String, String> {
    let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{sampled}");
    let all = [("traceparent", &*parent), ("tracestate", "one=1,two=2"), ("baggage", "user=ada,note=a%20b")];
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The same whatever order it is in, and however it is written.
fn baggage(headers: &HashMap<String, String>) -> Vec<String> {
    let read = TraceContext::extract(|name| headers.get(name).map(String::as_str)).expect("a traceparent");
    let mut all: Vec<String> = read.baggage.iter().map(|(name, value)| format!("{name}={value}")).collect();
    all.sort();
    all
}

#[test]
fn both_pass_on_what_came_with_a_request() {
    for sampled in [1, 0] {
        let (ours, otel) = (Ours::default(), Otel::default());
        let (came, mut of_ours, mut of_otel) = (headers(sampled), HashMap::new(), HashMap::new());
        let subscriber = registry().with(ours.layer()).with(otel.plain());
        tracing::subscriber::with_default(subscriber, || {
            let request = info_span!("request");
            let parent = TraceContext::extract(|name| came.get(name).map(String::as_str)).expect("a parent");
            SpanExt::set_parent(&request, &parent).expect("ours is unused");
            OpenTelemetrySpanExt::set_parent(&request, propagator().extract(&came)).expect("so is theirs");
            request.in_scope(|| {
                let call = info_span!("call");
                let context = call.trace_context().expect("it is open");
                context.inject(|name, value| drop(of_ours.insert(name.to_owned(), value)));
                propagator().inject_context(&call.context(), &mut of_otel);
            });
        });
        // Both made the same trace of it, but the span has one id in each.
        for sent in [&of_ours, &of_otel] {
            assert_eq!(sent["traceparent"][..36], came["traceparent"][..36]);
            assert_eq!(sent["traceparent"][52..], came["traceparent"][52..]);
            assert_eq!((&sent["tracestate"], baggage(sent)), (&came["tracestate"], baggage(&came)));
        }
        let (kept, spans) = (ours.kept(), otel.spans());
        assert_eq!((kept.spans.len(), spans.len()), if sampled == 1 { (2, 2) } else { (0, 0) });
        for span in &kept.spans {
            let same = spans.iter().find(|other| other.name == span.name).expect("the same span");
            assert_eq!(span.trace_id.to_string(), same.span_context.trace_id().to_string());
            assert_eq!(span.trace_state, same.span_context.trace_state().header());
        }
        if sampled == 1 {
            let far = spans[1].parent_span_id.to_string();
            assert_eq!(kept.span("request").parent_span_id.map(|id| id.to_string()), Some(far));
        }
    }
}

#[test]
fn without_a_readable_parent_a_span_begins_a_trace() {
    for wrong in ["", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"] {
        let came = HashMap::from([("traceparent".to_owned(), wrong.to_owned())]);
        let parent = TraceContext::extract(|name| came.get(name).map(String::as_str));
        let (ours, theirs) = both(LevelFilter::TRACE, || {
            let request = telemetry_layer::with_remote_parent(parent, || info_span!("request"));
            OpenTelemetrySpanExt::set_parent(&request, propagator().extract(&came)).expect("it is unused");
            request.in_scope(|| info_span!("call"));
        });
        assert_eq!((&ours["request"].parent, ours.len()), (&None, 2));
        assert_eq!(ours, theirs);
    }
}

#[test]
fn one_span_can_be_told_things_by_both() {
    let (ours, otel) = (Ours::default(), Otel::default());
    let subscriber = registry().with(otel.plain()).with(ours.layer());
    let (mut of_ours, mut of_otel) = (None, OtelSpanContext::NONE);
    tracing::subscriber::with_default(subscriber, || {
        let (far, span) = (info_span!("far"), info_span!("work"));
        of_ours = far.trace_context().and_then(|context| context.span);
        of_otel = far.context().span().span_context().clone();
        SpanExt::add_link(&span, of_ours.expect("it is open"));
        OpenTelemetrySpanExt::add_link(&span, of_otel.clone());
        let _in = span.enter();
        OpenTelemetrySpanExt::set_status(&span, opentelemetry::trace::Status::error("no stock"));
        span.add_event("theirs", Vec::new());
        error!(error = "no stock", "it failed");
    });
    let (kept, spans) = (ours.kept(), otel.spans());
    let theirs = spans.iter().find(|span| span.name == "work").expect("the span");
    assert_eq!(kept.span("work").links, Vec::from_iter(of_ours));
    assert_eq!(theirs.links.iter().map(|link| link.span_context.clone()).collect::<Vec<_>>(), [of_otel]);
    assert_eq!(theirs.status, opentelemetry::trace::Status::error("no stock"));
    assert_eq!(kept.span("work").status, Status::Error("no stock".to_owned()));
    let names: Vec<&str> = theirs.events.iter().map(|event| &*event.name).collect();
    assert_eq!((names, kept.events.len()), (vec!["theirs", "it failed"], 1));
}

/// Theirs, and ours.
type Ids = (String, Option<String>);

/// Asks the other layer for its context of each span that is entered, as layers that build upon it do.
#[derive(Clone, Default)]
struct Asks {
    dispatch: Arc<OnceLock<WeakDispatch>>,
    found: Arc<Mutex<Vec<Ids>>>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Asks {
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        let _ = self.dispatch.set(subscriber.downgrade());
    }

    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        let dispatch = self.dispatch.get().and_then(WeakDispatch::upgrade).expect("a subscriber");
        let context = get_otel_context(id, &dispatch).expect("a context");
        let ours = Span::current().span_id().map(|id| id.to_string());
        locked(&self.found).push((context.span().span_context().span_id().to_string(), ours));
    }
}

#[test]
fn a_third_layer_can_ask_both_where_a_span_stands() {
    let (ours, otel, asks) = (Ours::default(), Otel::default(), Asks::default());
    let subscriber = registry().with(ours.layer()).with(otel.plain()).with(asks.clone());
    tracing::subscriber::with_default(subscriber, || {
        info_span!("outer").in_scope(|| info_span!("inner").in_scope(|| ()));
    });
    let (kept, spans) = (ours.kept(), otel.spans());
    let id = |name: &str| {
        let theirs = spans.iter().find(|span| span.name == name).expect("the span");
        (theirs.span_context.span_id().to_string(), Some(kept.span(name).span_id.to_string()))
    };
    assert_eq!(*locked(&asks.found), [id("outer"), id("inner")]);
}
