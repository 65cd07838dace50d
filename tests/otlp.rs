//! What a program's `tracing` becomes in OTLP, as OpenTelemetry's own types read it.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message as _;
use telemetry_core::__private::otlp::Writer;
use telemetry_layer::{
    Batch, Delivery, ExportError, Signal, SpanExt as _, current_trace_context, with_remote_parent,
};
use telemetry_tests::recorded_by;
use tracing::{info, info_span, warn};

/// The bodies of requests.
type Bodies = Arc<Mutex<Vec<(Signal, Vec<u8>)>>>;

/// Items with their scopes.
type Scoped<T> = Vec<(String, T)>;

fn exported(f: impl FnOnce()) -> (Scoped<Span>, Scoped<LogRecord>) {
    let (bodies, writer) = (Bodies::default(), Writer::new());
    let sent = Arc::clone(&bodies);
    let send = move |batch: &Batch| -> Result<Delivery, ExportError> {
        let mut body = Vec::new();
        assert_eq!(writer.write(batch, 1 << 20, &mut body), batch.len());
        sent.lock().unwrap().push((batch.signal(), body));
        Ok(Delivery::all())
    };
    recorded_by(|builder| builder.exporter(send), |layer| layer, |_| f());
    let (mut spans, mut records) = (Vec::new(), Vec::new());
    for (signal, body) in bodies.lock().unwrap().iter() {
        match signal {
            Signal::Spans => {
                let request = ExportTraceServiceRequest::decode(&**body).unwrap();
                for of in request.resource_spans.into_iter().flat_map(|of| of.scope_spans) {
                    let scope = of.scope.unwrap().name;
                    spans.extend(of.spans.into_iter().map(|span| (scope.clone(), span)));
                }
            }
            Signal::Events => {
                let request = ExportLogsServiceRequest::decode(&**body).unwrap();
                for of in request.resource_logs.into_iter().flat_map(|of| of.scope_logs) {
                    let scope = of.scope.unwrap().name;
                    records.extend(of.log_records.into_iter().map(|record| (scope.clone(), record)));
                }
            }
            _ => {}
        }
    }
    (spans, records)
}

fn text_of(attributes: &[KeyValue], key: &str) -> Option<String> {
    let mut found = attributes.iter().filter(|of| of.key == key);
    let value = found.next()?.value.clone()?.value?;
    assert!(found.next().is_none(), "`{key}` is there twice");
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(n) => n.to_string(),
        value => format!("{value:?}"),
    })
}

#[test]
fn spans_and_events_keep_their_names_fields_and_place() {
    let (spans, records) = exported(|| {
        let span = info_span!(target: "shop", "pay", otel.kind = "server", amount = 7, r#type = "card");
        span.in_scope(|| {
            info!(name: "paid", currency = "EUR", "an order of {}", 7);
            warn!(target: "stock", "low");
        });
    });
    let [(scope, span)] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((&**scope, &*span.name, span.kind()), ("shop", "pay", SpanKind::Server));
    // Sampled, and no parent is remote.
    assert_eq!(span.flags & 0x301, 0x101);
    let of_span = |key| text_of(&span.attributes, key);
    assert_eq!((of_span("amount").as_deref(), of_span("type").as_deref()), (Some("7"), Some("card")));
    assert_eq!(of_span("code.file.path").as_deref(), Some(file!()));
    assert!(of_span("code.line.number").is_some());

    let [(_, paid), (stock, low)] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&*paid.event_name, &*paid.severity_text, paid.severity_number), ("paid", "INFO", 9));
    let body = paid.body.clone().unwrap().value;
    assert_eq!(body, Some(Value::StringValue("an order of 7".to_owned())));
    assert_eq!((text_of(&paid.attributes, "currency").as_deref(), paid.flags), (Some("EUR"), 3));
    assert_eq!((&**stock, &*low.event_name, low.severity_number), ("stock", "", 13));
    for record in [paid, low] {
        assert_eq!((&record.trace_id, &record.span_id), (&span.trace_id, &span.span_id));
        assert!((span.start_time_unix_nano..=span.end_time_unix_nano).contains(&record.time_unix_nano));
    }
}

#[test]
fn a_parent_is_remote_if_another_program_told_of_it() {
    let (spans, _) = exported(|| {
        let told = |context, name| {
            std::thread::scope(|scope| {
                let dispatch = tracing::dispatcher::get_default(Clone::clone);
                let other = move || {
                    tracing::dispatcher::with_default(&dispatch, || {
                        with_remote_parent(Some(context), || info_span!("told", by = name)).in_scope(|| ());
                    });
                };
                scope.spawn(other).join().unwrap();
            });
        };
        told(telemetry_tests::remote(true), "another program");
        info_span!("here").in_scope(|| told(current_trace_context().unwrap(), "another thread"));
        info_span!("late").set_parent(&telemetry_tests::remote(true)).unwrap();
    });
    let flags = |name: &str, by: Option<&str>| {
        let of = |span: &Span| span.name == name && text_of(&span.attributes, "by").as_deref() == by;
        spans.iter().find(|(_, span)| of(span)).map(|(_, span)| span.flags & 0x300)
    };
    assert_eq!(flags("told", Some("another program")), Some(0x300));
    assert_eq!(flags("told", Some("another thread")), Some(0x100));
    assert_eq!((flags("here", None), flags("late", None)), (Some(0x100), Some(0x300)));
}

#[test]
fn a_panic_is_an_exception_with_its_own_place() {
    telemetry_layer::install_panic_hook();
    let line = line!() + 2;
    let (spans, records) = exported(|| {
        let run = || info_span!("work").in_scope(|| panic!("out of luck"));
        std::panic::catch_unwind(run).unwrap_err();
    });
    let status = spans[0].1.status.clone().unwrap();
    assert_eq!((status.code(), &*status.message), (StatusCode::Error, "out of luck"));
    let [(_, panic)] = &records[..] else { panic!("{records:?}") };
    let field = |key| text_of(&panic.attributes, key);
    assert_eq!((&*panic.event_name, &panic.span_id), ("exception", &spans[0].1.span_id));
    assert_eq!(field("exception.message").as_deref(), Some("out of luck"));
    assert_eq!(field("exception.type").as_deref(), Some("panic"));
    assert_eq!(field("code.file.path").as_deref(), Some(file!()));
    assert_eq!(field("code.line.number"), Some(line.to_string()));
}
