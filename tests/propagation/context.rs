//! A context that is attached: what stands in it, whatever filters leave out.

use http::HeaderMap;
use telemetry_layer::model::TraceContext;
use telemetry_layer::prelude::*;
use telemetry_layer::testing::Kept;
use telemetry_layer::{
    Context, current_trace_context, extract_headers, in_current_context, inject_headers, with_remote_parent,
};
use telemetry_tests::{collector, exported, recorded, remote};
use tracing::{Span, info_span, warn, warn_span};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::{PARENT, SPAN, TRACE, headers, of};

/// Runs `f` under each filter that leaves out what is called `request`, and not what has the target `myapp` and warns.
fn under_filters(f: impl Fn() -> String, check: impl Fn(&str, &Kept)) {
    let run = |name: &str, filter: usize| {
        let (collector, memory) = collector(|b| b);
        let layer = TelemetryLayer::new(&collector);
        let dispatch = match filter {
            0 => registry().with(EnvFilter::new("warn")).with(layer).into(),
            1 => registry().with(EnvFilter::new("myapp=info")).with(layer).into(),
            2 => registry().with(layer.with_filter(LevelFilter::WARN)).into(),
            3 => registry()
                .with(fmt::layer().with_writer(std::io::sink))
                .with(layer.with_filter(EnvFilter::new("warn")))
                .into(),
            4 => registry()
                .with(layer.with_filter(EnvFilter::new("myapp=info")))
                .with(fmt::layer().with_writer(std::io::sink))
                .into(),
            5 => registry()
                .with(layer.with_filter(Targets::new().with_target("myapp", LevelFilter::INFO)))
                .into(),
            _ => tracing::Dispatch::new(registry().with(Some(layer.boxed()).with_filter(LevelFilter::WARN))),
        };
        let said = tracing::dispatcher::with_default(&dispatch, &f);
        check(&format!("{name}: {said}"), &exported(&collector, &memory));
    };
    for filter in 0..7 {
        run(&format!("filter {filter}"), filter);
    }
}

fn came() -> Option<TraceContext> {
    extract_headers(&headers(&[("traceparent", PARENT), ("tracestate", "v=1"), ("baggage", "tenant=a")]))
}

/// What is sent now, in one line.
fn sent() -> String {
    let mut headers = HeaderMap::new();
    inject_headers(&mut headers);
    let [parent, state, baggage] = TraceContext::HEADERS.map(|name| of(&headers, name).unwrap_or("-"));
    format!("{parent} {state} {baggage}")
}

/// A span that no filter of these tests lets through.
fn request() -> Span {
    info_span!(target: "library", "request")
}

#[test]
fn what_came_goes_on_under_every_filter() {
    let handle = || {
        with_remote_parent(came(), || {
            let _request = request().entered();
            sent()
        })
    };
    under_filters(handle, |said, kept| {
        assert!(said.ends_with(&format!(": {PARENT} v=1 tenant=a")), "{said}");
        assert_eq!(kept.spans.len(), 0, "{said}");
    });
}

#[test]
fn what_is_recorded_below_a_request_that_is_not_is_a_part_of_its_trace() {
    let handle = || {
        let _connection = warn_span!(target: "myapp", "connection").entered();
        let context = Context::new(came().unwrap());
        let _attached = context.attach();
        let _request = request().entered();
        warn!(target: "myapp", "an event");
        warn!(target: "myapp", parent: None, "an event of nothing");
        let work = warn_span!(target: "myapp", "work").entered();
        info_span!(target: "library", "hidden").in_scope(|| {
            warn_span!(target: "myapp", "inner").in_scope(|| warn!(target: "myapp", "an inner event"));
            warn_span!(target: "myapp", parent: None, "root").in_scope(|| {
                warn_span!(target: "myapp", "below root").in_scope(|| ());
            });
            let sent = sent();
            drop(work);
            sent
        })
    };
    under_filters(handle, |said, kept| {
        let (work, inner, root) = (kept.span("work"), kept.span("inner"), kept.span("root"));
        assert_eq!(
            (work.trace_id.to_string(), work.parent_span_id.unwrap().to_string()),
            (TRACE.into(), SPAN.into())
        );
        assert_eq!((inner.trace_id, inner.parent_span_id), (work.trace_id, Some(work.span_id)), "{said}");
        assert!(said.ends_with(&format!("00-{TRACE}-{}-01 v=1 tenant=a", work.span_id)), "{said}");
        assert_eq!(work.trace_state, "v=1");
        assert_eq!((root.parent_span_id, &*root.trace_state), (None, ""), "{said}");
        assert_ne!(root.trace_id, work.trace_id);
        assert_eq!(kept.span("below root").trace_id, root.trace_id);
        let connection = kept.span("connection");
        assert!(connection.parent_span_id.is_none() && connection.trace_id != work.trace_id, "{said}");
        let place = |message: &str| {
            let event = kept.event(message);
            (event.trace_id, event.span_id.map(|id| id.to_string()))
        };
        assert_eq!(place("an event"), (Some(work.trace_id), Some(SPAN.to_owned())), "{said}");
        assert_eq!(place("an inner event"), (Some(work.trace_id), Some(inner.span_id.to_string())));
        assert_eq!(place("an event of nothing"), (None, None));
    });
}

#[test]
fn a_task_that_is_spawned_takes_it_along() {
    let handle = || {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).build().unwrap();
        runtime.block_on(async {
            let handled = async move {
                let work = || warn_span!(target: "myapp", "work").in_scope(sent);
                let filtered = tokio::spawn(in_current_context(async move {
                    tokio::task::yield_now().await;
                    tracing::dispatcher::with_default(&dispatch, || (sent(), work()))
                }));
                let without = tokio::spawn(async { sent() });
                (filtered.await.unwrap(), without.await.unwrap())
            };
            let handled = with_remote_parent(came(), || {
                let span = request();
                in_current_context(tracing::Instrument::instrument(handled, span))
            });
            let ((sent, work), without) = handled.await;
            assert_eq!(without, "- - -");
            assert_eq!(sent, format!("{PARENT} v=1 tenant=a"));
            work
        })
    };
    under_filters(handle, |said, kept| {
        let work = kept.span("work");
        assert_eq!(
            (work.trace_id.to_string(), work.parent_span_id.unwrap().to_string()),
            (TRACE.into(), SPAN.into())
        );
        assert!(said.ends_with(&format!("00-{TRACE}-{}-01 v=1 tenant=a", work.span_id)), "{said}");
    });
}

#[test]
fn a_span_that_is_recorded_is_taken_along_too() {
    let kept = recorded(|_| {
        let task = with_remote_parent(came(), || {
            info_span!("request")
                .in_scope(|| in_current_context(async { info_span!("in a task").in_scope(sent) }))
        });
        assert!(telemetry_tests::ready(task).ends_with("-01 v=1 tenant=a"));
        // Outside of it as well, where its span came before the context.
        let outer = info_span!("outer").entered();
        let inner = Context::new(came().unwrap());
        let taken = inner.scoped(Context::current);
        drop(outer);
        taken.scoped(|| info_span!("under the context").in_scope(|| ()));
    });
    let (request, task) = (kept.span("request"), kept.span("in a task"));
    assert_eq!((task.trace_id, task.parent_span_id), (request.trace_id, Some(request.span_id)));
    assert_eq!(kept.span("under the context").parent_span_id.unwrap().to_string(), SPAN);
    assert_ne!(kept.span("outer").trace_id, request.trace_id);
}

#[test]
fn it_is_there_until_its_guard_goes_in_whatever_order() {
    let kept = recorded(|_| {
        let far = |state: &str| {
            let mut far = remote(true);
            far.trace_state = state.to_owned();
            Context::new(far)
        };
        let (a, b, c) = (far("a=1"), far("b=1"), far("c=1"));
        let state = || current_trace_context().map(|context| context.trace_state);
        let span = info_span!("outer").entered();
        let first = a.attach();
        let second = b.attach();
        let inner = info_span!("inner").entered();
        let third = c.attach();
        assert_eq!(state().as_deref(), Some("c=1"));
        drop(second);
        assert_eq!(state().as_deref(), Some("c=1"));
        drop(third);
        assert_eq!(state().as_deref(), Some("b=1"), "of the span below it");
        drop(inner);
        assert_eq!(state().as_deref(), Some("a=1"));
        drop(first);
        assert_eq!(state().as_deref(), Some("ot=th:0"));
        drop(span);
        assert_eq!(state(), None);
    });
    assert_eq!(kept.span("inner").trace_state, "b=1");
}

#[test]
fn it_needs_no_subscriber() {
    let context = Context::new(came().unwrap());
    assert_eq!(context.scoped(sent), format!("{PARENT} v=1 tenant=a"));
    assert_eq!(sent(), "- - -");
    let thread = std::thread::scope(|scope| scope.spawn(|| context.scoped(sent)).join().unwrap());
    assert_eq!(thread, format!("{PARENT} v=1 tenant=a"));
}

/// `OTEL_SDK_DISABLED` says nothing of what is handed on.
#[test]
fn it_goes_on_where_nothing_is_recorded() {
    let went_on = format!("{PARENT} v=1 tenant=a");
    let handle = || with_remote_parent(came(), || request().in_scope(sent));
    let (disabled, _) = collector(|b| b.enabled(false));
    let of_disabled = registry().with(TelemetryLayer::new(&disabled));
    assert_eq!(tracing::subscriber::with_default(of_disabled, handle), went_on);
    let kept = recorded(|_| {
        assert_eq!(telemetry_layer::suppress(handle), went_on);
    });
    assert_eq!(kept.spans.len(), 0);
}

#[test]
fn baggage_alone_goes_on_with_the_trace_that_is_there() {
    let baggage = || TraceContext::default().with_baggage("tenant", "a");
    let mut before = String::new();
    let kept = recorded(|_| {
        info_span!("outer").in_scope(|| {
            with_remote_parent(Some(baggage()), || {
                before = sent();
                info_span!("inner").in_scope(|| assert!(sent().ends_with(" tenant=a")));
            });
            assert!(sent().ends_with(" -"), "the span itself has none");
        });
        let alone = with_remote_parent(Some(baggage()), || info_span!("alone"));
        alone.in_scope(|| assert!(sent().ends_with("-03 ot=th:0 tenant=a"), "{}", sent()));
        let told = info_span!("told");
        told.in_scope(|| assert!(sent().ends_with(" -")));
        assert_eq!(told.set_parent(&baggage()), Ok(()), "it stays in its trace");
        told.in_scope(|| assert!(sent().ends_with("-03 ot=th:0 tenant=a"), "{}", sent()));
    });
    let (outer, inner) = (kept.span("outer"), kept.span("inner"));
    assert_eq!((inner.trace_id, inner.parent_span_id), (outer.trace_id, Some(outer.span_id)));
    assert_eq!(before, format!("00-{}-{}-03 ot=th:0 tenant=a", outer.trace_id, outer.span_id));
    assert_eq!((kept.span("alone").parent_span_id, kept.span("told").parent_span_id), (None, None));
}

#[test]
fn a_request_that_is_handed_on_loses_the_state_of_its_old_parent() {
    recorded(|_| {
        info_span!("server").in_scope(|| {
            let mut copied =
                headers(&[("traceparent", PARENT), ("tracestate", "v=1"), ("baggage", "tenant=a")]);
            inject_headers(&mut copied);
            assert_ne!(of(&copied, "traceparent"), Some(PARENT));
            assert_eq!(
                (of(&copied, "tracestate"), of(&copied, "baggage")),
                (Some("ot=th:0"), Some("tenant=a"))
            );
        });
    });
}
