//! Errors and what caused them, and attributes that nobody declared.

use std::error::Error;
use std::fmt;

use telemetry_layer::model::{Status, Text, Value};
use telemetry_layer::prelude::*;
use telemetry_tests::{recorded, recorded_by};
use tracing::field::Empty;
use tracing::{Span, error, info, info_span, instrument};

/// An error with its sources, the last of which may be without end.
#[derive(Debug)]
struct Caused {
    text: String,
    source: Option<Box<Caused>>,
    is_endless: bool,
}

impl fmt::Display for Caused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Caused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        if self.is_endless {
            return Some(self);
        }
        self.source.as_deref().map(|source| source as _)
    }
}

fn caused<'a>(texts: impl IntoIterator<Item = &'a str, IntoIter: DoubleEndedIterator>) -> Caused {
    let add = |source: Option<Box<Caused>>, text: &str| {
        Some(Box::new(Caused { text: text.to_owned(), source, is_endless: false }))
    };
    *texts.into_iter().rev().fold(None, add).expect("an error")
}

fn field<'a>(fields: &'a [(Text, Value)], name: &str) -> Option<&'a str> {
    let mut found = fields.iter().filter(|(key, _)| key == name);
    let value = found.next().map(|(_, value)| match value {
        Value::Str(text) => &**text,
        other => panic!("{other:?}"),
    });
    assert!(found.next().is_none(), "{name} is there twice");
    value
}

const WHOLE: &str = "no order: no stock: disk full";

#[test]
fn the_sources_of_an_error_are_kept_of_spans_and_events() {
    let error = caused(["no order", "no stock", "disk full"]);
    let error: &(dyn Error + 'static) = &error;
    let kept = recorded(|_| {
        info_span!("at once", error).in_scope(|| error!(error, "event"));
        let late = info_span!("late", cause = Empty, other = 1);
        late.record("cause", error).record("other", 2);
        info_span!("plain").in_scope(|| info!(cause = error, n = 1, "info"));
    });
    for (name, own) in [("at once", "error"), ("late", "cause")] {
        let span = kept.span(name);
        assert_eq!(field(&span.fields, own), Some("no order"));
        assert_eq!(field(&span.fields, "exception.message"), Some(WHOLE));
    }
    assert_eq!(kept.span("at once").status, Status::Error("no order".to_owned()));
    for (message, own) in [("event", "error"), ("info", "cause")] {
        let event = kept.event(message);
        assert_eq!(field(&event.fields, own), Some("no order"));
        assert_eq!(field(&event.fields, "exception.message"), Some(WHOLE));
    }
}

#[test]
fn the_last_of_several_errors_is_the_exception() {
    let (first, second) = (caused(["first", "source"]), caused(["second"]));
    let (first, second) = (&first as &(dyn Error + 'static), &second as &(dyn Error + 'static));
    let kept = recorded(|_| {
        drop(info_span!("both", error = first, cause = second));
        let late = info_span!("late", error = first);
        late.record("error", second);
        info!(error = first, cause = second, "both");
        info!(exception.message = "said", error = first, "before");
        info!(error = first, exception.message = "said", "after");
    });
    let message = |fields: &[(Text, Value)]| field(fields, "exception.message").map(str::to_owned);
    assert_eq!(message(&kept.span("both").fields).as_deref(), Some("second"));
    assert_eq!(message(&kept.span("late").fields).as_deref(), Some("second"), "its sources are gone too");
    assert_eq!(field(&kept.span("late").fields, "error"), Some("second"));
    assert_eq!(message(&kept.event("both").fields).as_deref(), Some("second"));
    assert_eq!(message(&kept.event("before").fields).as_deref(), Some("first: source"));
    assert_eq!(message(&kept.event("after").fields).as_deref(), Some("said"));
}

#[test]
fn a_chain_without_end_and_long_texts_are_cut() {
    let deep: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let endless = Caused { text: "again".to_owned(), source: None, is_endless: true };
    let long = "x".repeat(1 << 20);
    let kept = recorded(|_| {
        drop(info_span!("deep", error = &caused(deep.iter().map(String::as_str)) as &(dyn Error + 'static)));
        drop(info_span!("endless", error = &endless as &(dyn Error + 'static)));
        drop(info_span!("long", error = &caused(["a", &long, &long]) as &(dyn Error + 'static)));
    });
    let message = |name: &str| field(&kept.span(name).fields, "exception.message").unwrap().to_owned();
    assert!(
        message("deep").starts_with("0: 1: 2: ") && message("deep").ends_with(": 16: .."),
        "{}",
        message("deep")
    );
    assert_eq!(message("endless").matches("again").count(), 17);
    assert!(message("long").starts_with("a: xxx") && message("long").len() <= 8 << 10);
}

#[test]
fn an_error_that_must_not_be_seen_hides_its_sources_too() {
    let error = caused(["secret", "hidden"]);
    let error: &(dyn Error + 'static) = &error;
    let all =
        |l: TelemetryLayer| l.with_redacted_fields(["error", "exception.message"]).without_fields(["cause"]);
    let shown = |fields: &[(Text, Value)]| {
        fields.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
    };
    let kept = recorded_by(
        |b| b,
        all,
        |_| {
            info!(error, "own");
            info!(cause = error, "dropped");
            info!(other = error, "derived");
        },
    );
    assert_eq!(shown(&kept.event("own").fields), "error=[redacted]");
    assert_eq!(shown(&kept.event("dropped").fields), "");
    assert_eq!(shown(&kept.event("derived").fields), "other=secret exception.message=[redacted]");
    let none = |l: TelemetryLayer| l.without_fields(["exception.*"]);
    let kept = recorded_by(|b| b, none, |_| info!(error, "derived"));
    assert_eq!(shown(&kept.event("derived").fields), "error=secret");
}

#[test]
fn the_sources_of_an_error_are_no_tags() {
    let error = caused(["no order", "no stock"]);
    recorded(|collector| {
        info!(monotonic_counter.failed = 1, error = &error as &(dyn Error + 'static));
        let seen = collector.snapshot();
        let tags: Vec<_> = seen.named("failed").flat_map(|metric| metric.own_tags().iter()).collect();
        assert_eq!(tags, [("error", "no order")]);
    });
}

#[instrument(skip_all)]
fn undeclared(id: u64) {
    let span = Span::current();
    span.set_attribute("order.id", id);
    span.set_attribute(String::from("order.id"), id + 1);
    span.set_attribute("paid", true);
    span.set_attribute("otel.name", "pay");
    span.set_attribute("otel.status_code", "error");
    span.set_attribute("error", "declined");
}

#[test]
fn an_attribute_needs_no_declaration() {
    let kept = recorded(|_| {
        undeclared(7);
        let declared = info_span!("declared", r#type = "a", n = Empty);
        declared.set_attribute("type", "b");
        declared.set_attribute("n", 1.5);
        declared.record("type", "c");
        Span::none().set_attribute("a", 1);
    });
    let (pay, declared) = (kept.span("pay"), kept.span("declared"));
    let all = [
        ("order.id".into(), Value::U64(8)),
        ("paid".into(), true.into()),
        ("error".into(), "declined".into()),
    ];
    assert_eq!((&pay.fields[..], &pay.status), (&all[..], &Status::Error("declined".to_owned())));
    assert_eq!(declared.fields, [("n".into(), Value::F64(1.5)), ("type".into(), "c".into())]);
}

#[test]
fn attributes_obey_the_rules_for_fields() {
    let layer = |l: TelemetryLayer| l.with_redacted_fields(["password"]).without_fields(["internal*"]);
    let kept = recorded_by(
        |b| b,
        layer,
        |_| {
            let span = info_span!("login");
            span.set_attribute("password", "secret");
            span.set_attribute("internal.id", 7);
            (0..2_000).for_each(|n| span.set_attribute(format!("attribute {n}"), n));
        },
    );
    let fields = &kept.span("login").fields;
    assert_eq!(fields[0], ("password".into(), Value::from("[redacted]")));
    assert!(fields.iter().all(|(name, _)| !name.starts_with("internal")));
    assert_eq!(fields.len(), 255, "with the first 254 of these");
    assert_eq!(fields[254], ("attribute 253".into(), 253.into()));
}
