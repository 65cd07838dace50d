//! Spans and events as measurements.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use telemetry_tests::recorded_by;
use tracing::{error, info_span, warn};

use super::expected::{Field, Line};
use super::server::Server;
use crate::scenarios::{UNICODE, builder};

fn text<'a>(line: &'a Line, key: &str) -> Option<&'a str> {
    match line.fields.get(key)? {
        Field::Text(text) => Some(text),
        other => panic!("{key}: {other:?}"),
    }
}

fn fields(line: &Line) -> Value {
    text(line, "fields").map_or(json!({}), |fields| serde_json::from_str(fields).unwrap())
}

#[test]
fn spans_and_events_are_read_back() {
    let Some(server) = Server::start() else { return };
    server.create("traces");
    let url = server.url("traces", "&spans=true&events=true&signals=spans,events");
    let kept = recorded_by(
        |b| builder(b).endpoint(url),
        |layer| layer,
        |_| {
            for n in 0..100_i64 {
                info_span!("order", otel.kind = "server", n, text = UNICODE, quote = "\"\\\n").in_scope(
                    || {
                        warn!(name: "low", left = n, "little\nis \"left\", {UNICODE}");
                        info_span!("pay", otel.status_code = "error")
                            .in_scope(|| error!(error = "refused", "{UNICODE}"));
                    },
                );
            }
        },
    );
    let lines = server.lines("traces");
    let of = |name: &str| -> Vec<&Line> { lines.iter().filter(|line| line.name == name).collect() };
    let (spans, events) = (of("spans"), of("events"));
    assert_eq!((spans.len(), events.len()), (kept.spans.len(), kept.events.len()));
    assert_eq!(lines.len(), 400);
    let by_id: BTreeMap<_, _> = spans.iter().map(|line| (text(line, "span_id").unwrap(), *line)).collect();
    for span in &kept.spans {
        let line = by_id[&*span.span_id.to_string()];
        // A few may stand where no other one does.
        assert!((span.start_unix_nano..span.start_unix_nano + 200).contains(&line.time), "{span:?} {line:?}");
        assert_eq!(line.fields["duration_nano"], Field::Int(span.duration_nano as i64));
        assert_eq!(text(line, "trace_id"), Some(&*span.trace_id.to_string()));
        let parent = span.parent_span_id.map(|id| id.to_string());
        assert_eq!(text(line, "parent_span_id"), parent.as_deref());
        let own: serde_json::Map<_, _> = span
            .fields
            .iter()
            .map(|(key, value)| (key.to_string(), serde_json::to_value(value).unwrap()))
            .collect();
        assert_eq!(fields(line), Value::Object(own));
        let tag = |key: &str| &*line.tags[key];
        assert_eq!((tag("name"), tag("kind"), tag("level")), (&*span.name, span.kind.name(), "info"));
        assert_eq!((tag("status"), tag("env")), (if span.name == "pay" { "error" } else { "unset" }, "test"));
        assert_eq!(tag("target"), &*span.target);
        assert!(text(line, "code_file").unwrap().ends_with("traces.rs"), "{line:?}");
    }
    let little = format!("little\nis \"left\", {UNICODE}")
        .replace('\n', "\\n")
        .replace('\0', "\\u{0}")
        .replace('\t', "\\t");
    let low = events.iter().filter(|line| line.tags.get("name").is_some_and(|name| name == "low"));
    let mut left: Vec<_> = low
        .map(|line| {
            assert_eq!((text(line, "message"), &*line.tags["level"]), (Some(&*little), "warn"));
            assert_eq!(by_id[text(line, "span_id").unwrap()].tags["name"], "order");
            fields(line)["left"].as_i64().unwrap()
        })
        .collect();
    left.sort_unstable();
    assert!(left.into_iter().eq(0..100));
}
