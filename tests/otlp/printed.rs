//! Items as rotel prints them: read from its lines, and written of what is expected.

use std::fmt::{Display, Write as _};

use serde_json::Value;

use crate::decoder::Item;
use crate::expected::Expected;

/// What begins an item.
const ITEMS: [&str; 5] = [
    "Span #",
    "LogRecord #",
    "NumberDataPoints #",
    "HistogramDataPoints #",
    "ExponentialHistogramDataPoints #",
];

/// What ends one, and belongs to no item.
const AROUND: [&str; 6] =
    ["Resource", "ScopeSpans #", "ScopeLogs #", "ScopeMetrics #", "Metric #", "InstrumentationScope "];

/// The items of these lines in alphabetic order, each behind its scope and, where it is a point, its metric.
pub(crate) fn printed(lines: &[String]) -> Vec<String> {
    let (mut scope, mut metric) = (String::new(), String::new());
    let mut items: Vec<String> = Vec::new();
    let (mut is_in_item, mut is_in_metric) = (false, false);
    for line in lines {
        if let Some(name) = line.strip_prefix("InstrumentationScope ") {
            name.trim_end().clone_into(&mut scope);
        }
        if ITEMS.iter().any(|item| line.starts_with(item)) {
            (is_in_item, is_in_metric) = (true, false);
            let kind = line.split(' ').next().unwrap();
            let metric = if kind.ends_with("DataPoints") { &metric } else { "" };
            items.push(format!("{scope}\n{metric}{kind}\n"));
        } else if AROUND.iter().any(|around| line.starts_with(around)) {
            (is_in_item, is_in_metric) = (false, line.starts_with("Metric #"));
            metric.clear();
        } else if is_in_metric {
            _ = writeln!(metric, "{line}");
        } else if is_in_item {
            items.last_mut().unwrap().push_str(&comparable(line));
        }
    }
    items.iter_mut().for_each(without_place);
    items.sort();
    items
}

/// Bounds of exponential buckets are rounded: no two programs compute them alike to the last digit.
fn comparable(line: &str) -> String {
    let bucket = line.strip_prefix("Bucket ").and_then(|bucket| bucket.split_once(", Count: "));
    let Some((bounds, count)) = bucket else { return format!("{line}\n") };
    let bounds = bounds.trim_matches(['(', '[', ']', ')']).split(", ").map(|bound| bound.parse().unwrap());
    let bounds: Vec<f64> = bounds.collect();
    bucket_line(bounds[0], bounds[1], count)
}

fn bucket_line(low: f64, high: f64, count: impl Display) -> String {
    // By their logarithms, which are far from where one would round up and another one down.
    let [low, high] = [low, high].map(|bound| (bound < 0.0, (bound.abs().log2() * 1e3).round() as i64));
    format!("Bucket {low:?}, {high:?}: {count}\n")
}

/// The place in the source comes first, and what was expected does not have it.
fn without_place(item: &mut String) {
    const HEADING: &str = "Attributes:\n";
    let Some(heading) = item.find("Attributes:\n     -> code.file.path: ") else { return };
    let first = heading + HEADING.len();
    // Its last line may not be printed yet.
    let end = item[first..].match_indices('\n').nth(1).map_or(item.len(), |(at, _)| first + at + 1);
    let is_all = !item[end..].starts_with("     -> ");
    item.replace_range(if is_all { heading } else { first }..end, "");
}

/// All items as they will be printed, in alphabetic order.
pub(crate) fn shown(expected: &Expected) -> Vec<String> {
    let spans = expected.spans.iter().map(|item| with_scope(item, &span(&item.it)));
    let records = expected.records.iter().map(|item| with_scope(item, &record(&item.it)));
    let points = expected.points.iter().map(|item| with_scope(item, &point(&item.it)));
    let mut all: Vec<String> = spans.chain(records).chain(points).collect();
    all.sort();
    all
}

fn with_scope(item: &Item, text: &str) -> String {
    format!("{}\n{text}", item.scope)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// From 17 digits, as `Display` has it.
fn float(value: &Value) -> String {
    text(value).parse::<f64>().unwrap().to_string()
}

fn any(value: &Value) -> String {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else {
        return "Empty".to_owned();
    };
    match kind.as_str() {
        "string_value" => format!("Str({})", text(value)),
        "bool_value" => format!("Bool({value})"),
        "int_value" => format!("Int({value})"),
        "double_value" => format!("Double({})", float(value)),
        other => panic!("{other}"),
    }
}

fn attributes(heading: &str, of: &Value) -> String {
    let all = of.as_array().unwrap();
    let mut out = if all.is_empty() { String::new() } else { format!("{heading}:\n") };
    all.iter().for_each(|of| _ = writeln!(out, "     -> {}: {}", text(&of["key"]), any(&of["value"])));
    out
}

fn span(of: &Value) -> String {
    let kinds = ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let kind = kinds[of["kind"].as_u64().unwrap() as usize];
    let mut out = "Span\n".to_owned();
    for (key, value) in [
        ("Trace ID       ", &of["trace_id"]),
        ("Parent ID      ", &of["parent_span_id"]),
        ("ID             ", &of["span_id"]),
        ("Name           ", &of["name"]),
    ] {
        _ = writeln!(out, "    {key}: {}", text(value));
    }
    _ = writeln!(out, "    Kind           : SPAN_KIND_{kind}");
    if of["trace_state"] != "" {
        _ = writeln!(out, "    TraceState     : {}", text(&of["trace_state"]));
    }
    _ = writeln!(out, "Start time: {}\nEnd time: {}", of["start_time_unix_nano"], of["end_time_unix_nano"]);
    if !of["status"].is_null() {
        let code = if of["status"]["code"] == 2 { "ERROR" } else { "OK" };
        _ = writeln!(out, "    Status code    : STATUS_CODE_{code}");
        _ = writeln!(out, "    Status message : {}", text(&of["status"]["message"]));
    }
    out += &attributes("Attributes", &of["attributes"]);
    for (n, link) in of["links"].as_array().unwrap().iter().enumerate() {
        let heading = if n == 0 { "Links:\n" } else { "" };
        let (trace, span) = (text(&link["trace_id"]), text(&link["span_id"]));
        _ = writeln!(out, "{heading}SpanLink #{n}\n     -> Trace ID: {trace}\n     -> ID: {span}");
        out += "     -> TraceState: \n     -> DroppedAttributesCount: 0\n";
    }
    out
}

fn record(of: &Value) -> String {
    let severity = text(&of["severity_text"]);
    let mut out = format!("LogRecord\nObservedTimestamp: {}\n", of["observed_time_unix_nano"]);
    _ = writeln!(out, "Timestamp: {}\nSeverityText: {severity}", of["time_unix_nano"]);
    _ = writeln!(out, "SeverityNumber: SEVERITY_NUMBER_{severity}({})", of["severity_number"]);
    if of["event_name"] != "" {
        _ = writeln!(out, "EventName: {}", text(&of["event_name"]));
    }
    _ = writeln!(out, "Body: {}", any(&of["body"]));
    out += &attributes("Attributes", &of["attributes"]);
    _ = writeln!(out, "    Trace ID       : {}", text(&of["trace_id"]));
    _ = writeln!(out, "    Span ID        : {}\nFlags: {}", text(&of["span_id"]), of["flags"]);
    out
}

fn point(metric: &Value) -> String {
    let (sort, kind) = match text(&metric["sort"]) {
        "gauge" => ("Gauge", "Number"),
        "sum" => ("Sum", "Number"),
        "histogram" => ("Histogram", "Histogram"),
        _ => ("ExponentialHistogram", "ExponentialHistogram"),
    };
    let mut out = "Descriptor:\n".to_owned();
    for (key, value) in [("Name", "name"), ("Description", "description"), ("Unit", "unit")] {
        _ = writeln!(out, "     -> {key}: {}", text(&metric[value]));
    }
    _ = writeln!(out, "     -> DataType: {sort}");
    if sort == "Sum" {
        _ = writeln!(out, "     -> IsMonotonic: {}", metric["is_monotonic"]);
    }
    if sort != "Gauge" {
        let word = if metric["aggregation_temporality"] == 1 { "DELTA" } else { "CUMULATIVE" };
        _ = writeln!(out, "     -> AggregationTemporality: AGGREGATION_TEMPORALITY_{word}");
    }
    let of = &metric["point"];
    _ = writeln!(out, "{kind}DataPoints");
    out += &attributes("Data point attributes", &of["attributes"]);
    let (start, time) = (&of["start_time_unix_nano"], &of["time_unix_nano"]);
    _ = writeln!(out, "StartTimestamp: {start}\nTimestamp: {time}");
    match kind {
        "Number" if of["as_int"].is_null() => _ = writeln!(out, "Value: {}", float(&of["as_double"])),
        "Number" => _ = writeln!(out, "Value: {}", of["as_int"]),
        _ => histogram(&mut out, of),
    }
    out
}

fn histogram(out: &mut String, of: &Value) {
    let list = |of: &Value| of.as_array().cloned().unwrap_or_default();
    _ = writeln!(out, "Count: {}\nSum: {}", of["count"], float(&of["sum"]));
    for (key, value) in [("Min", &of["min"]), ("Max", &of["max"])] {
        if !value.is_null() {
            _ = writeln!(out, "{key}: {}", float(value));
        }
    }
    for (n, bound) in list(&of["explicit_bounds"]).iter().enumerate() {
        _ = writeln!(out, "ExplicitBounds #{n}: {}", float(bound));
    }
    for (n, count) in list(&of["bucket_counts"]).iter().enumerate() {
        _ = writeln!(out, "Buckets #{n}, Count: {count}");
    }
    if !of["scale"].is_null() {
        exponential(out, of);
    }
    for (n, exemplar) in list(&of["exemplars"]).iter().enumerate() {
        let heading = if n == 0 { "Exemplars:\n" } else { "" };
        let (trace, span) = (text(&exemplar["trace_id"]), text(&exemplar["span_id"]));
        _ = writeln!(out, "{heading}Exemplar #{n}\n     -> Trace ID: {trace}\n     -> Span ID: {span}");
        let (time, value) = (&exemplar["time_unix_nano"], float(&exemplar["as_double"]));
        _ = writeln!(out, "     -> Timestamp: {time}\n     -> Value: {value}");
    }
}

/// From the least to the greatest: bucket `i` ends at `2^((i + 1) / 2^scale)`.
fn exponential(out: &mut String, of: &Value) {
    let width = (-of["scale"].as_f64().unwrap()).exp2();
    let buckets = |of: &Value| {
        let (offset, counts) = (of["offset"].as_f64(), of["bucket_counts"].as_array().cloned());
        let bounds = move |n: usize| {
            let index = offset.unwrap() + n as f64;
            ((index * width).exp2(), ((index + 1.0) * width).exp2())
        };
        counts.unwrap_or_default().into_iter().enumerate().map(move |(n, count)| (bounds(n), count))
    };
    for ((low, high), count) in buckets(&of["negative"]).collect::<Vec<_>>().into_iter().rev() {
        *out += &bucket_line(-high, -low, count);
    }
    if of["zero_count"] != 0 {
        *out += &bucket_line(0.0, 0.0, &of["zero_count"]);
    }
    for ((low, high), count) in buckets(&of["positive"]) {
        *out += &bucket_line(low, high, count);
    }
}
