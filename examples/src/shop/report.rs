//! What the shop prints at its end.

use std::collections::BTreeMap;

use telemetry_layer::Report;
use telemetry_layer::metrics::Snapshot;
use telemetry_layer::model::{HistogramValue, Span, SpanId};

use crate::client::Answers;
use crate::slowest::Slowest;

pub(crate) fn print_answers(answers: &Answers) {
    let all: u64 = answers.values().sum();
    let by_status: Vec<String> = answers.iter().map(|(status, n)| format!("{status}: {n}")).collect();
    println!("answers the client counted: {all} ({})", by_status.join(", "));
}

pub(crate) fn print(metrics: &Snapshot, slowest: &Slowest, ended: &Report, endpoints: &[String]) {
    print_functions(metrics);
    print_tree(&slowest.spans());
    println!("\n{ended}");
    // What is pulled is there no more.
    for endpoint in endpoints.iter().filter(|url| !url.starts_with("prometheus:")) {
        println!("exported to {}", readable(endpoint));
    }
}

#[derive(Default)]
struct Row {
    errors: u64,
    times: HistogramValue,
}

fn print_functions(metrics: &Snapshot) {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for metric in metrics.named("function.duration") {
        let (Some(function), Some(times)) = (metric.tag("code.function.name"), metric.histogram()) else {
            continue;
        };
        let row = rows.entry(function).or_default();
        row.times.merge(times);
        if metric.tag("outcome").is_some_and(|outcome| outcome != "ok") {
            row.errors += times.count;
        }
    }
    let mut rows: Vec<(&str, Row)> = rows.into_iter().collect();
    rows.sort_by(|a, b| b.1.times.sum.total_cmp(&a.1.times.sum));
    println!(
        "\n{:<34}{:>8}{:>8}{:>11}{:>11}{:>11}{:>11}",
        "function", "calls", "errors", "mean", "p50", "p99", "total"
    );
    for (function, Row { errors, times }) in rows {
        let shown = [times.mean(), times.quantile(0.5), times.quantile(0.99), Some(times.sum)];
        let [mean, p50, p99, total] = shown.map(|x| seconds(x.unwrap_or_default()));
        println!("{function:<34}{:>8}{errors:>8}{mean:>11}{p50:>11}{p99:>11}{total:>11}", times.count);
    }
}

fn print_tree(spans: &[Span]) {
    let Some(root) = spans.first() else {
        println!("\nno trace was kept");
        return;
    };
    let text = |name: &str| {
        root.fields.iter().find(|f| f.0 == name).map_or(String::new(), |f| f.1.as_ref().to_string())
    };
    println!(
        "\nthe slowest request: {} {}, status {}, trace {}",
        text("http.request.method"),
        text("url.path"),
        text("http.response.status_code"),
        root.trace_id
    );
    println!("{:>11}{:>11}", "begins at", "took");
    print_span(root, root, spans, "", "");
}

fn print_span(span: &Span, root: &Span, all: &[Span], lead: &str, below: &str) {
    let begins = span.start_unix_nano.saturating_sub(root.start_unix_nano);
    let error = if span.status.as_ref().is_error() { " (error)" } else { "" };
    println!(
        "{:>11}{:>11}  {lead}{}{error}",
        seconds(begins as f64 / 1e9),
        seconds(span.duration_nano as f64 / 1e9),
        span.name
    );
    let children = children(span.span_id, all);
    for (i, child) in children.iter().enumerate() {
        let last = i + 1 == children.len();
        let (branch, trunk) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        print_span(child, root, all, &format!("{below}{branch}"), &format!("{below}{trunk}"));
    }
}

fn children(of: SpanId, all: &[Span]) -> Vec<&Span> {
    let mut children: Vec<&Span> = all.iter().filter(|s| s.parent_span_id == Some(of)).collect();
    children.sort_by_key(|s| s.start_unix_nano);
    children
}

fn seconds(x: f64) -> String {
    match x {
        ..1e-3 => format!("{:.1} µs", x * 1e6),
        1e-3..1.0 => format!("{:.2} ms", x * 1e3),
        _ => format!("{x:.2} s"),
    }
}

/// The full path of a directory, which is easier to find than a relative one.
fn readable(endpoint: &str) -> String {
    let directory = endpoint.strip_prefix("file:").and_then(|rest| rest.split('?').next());
    let full = directory.and_then(|dir| std::fs::canonicalize(dir.strip_prefix("//").unwrap_or(dir)).ok());
    full.map_or_else(
        || endpoint.to_owned(),
        |path| format!("{}/{{spans,events,metrics}}.jsonl", path.display()),
    )
}
