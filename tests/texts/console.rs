//! `console:`, on both streams, and what telemetry says of itself on standard error.

use std::process::Command;

use telemetry_layer::exporters::Route;
use telemetry_layer::model::{Event, Metric, Number, Span, StatusRef, Text, Value};
use telemetry_layer::prelude::*;

use crate::lines::Line;
use crate::{hostile, recorded};

const STREAM: &str = "STREAM_OF_THE_CONSOLE";
const BEGIN: &str = "-- it begins";
const END: &str = "-- it ends";

/// The lines of each stream of a program that runs that test.
fn program(test: &str, console: &str) -> [Vec<String>; 2] {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test, "--nocapture", "--test-threads=1"]).env(STREAM, console);
    let output = command.env_remove("RUST_BACKTRACE").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    [out, err].map(|text| text.lines().map(str::to_owned).collect())
}

#[test]
#[ignore = "run by the others, in a program of its own"]
fn prints() {
    println!("\n{BEGIN}");
    recorded(|b| b.endpoint(std::env::var(STREAM).unwrap()));
    println!("{END}");
}

#[test]
fn a_line_says_what_was_recorded_and_nothing_else() {
    let kept = recorded(|b| b);
    let tree = "console:stderr?view=tree";
    for (console, stream) in [("console:", 0), ("console:stderr", 1), (tree, 1)] {
        let streams = program("console::prints", console);
        let lines: Vec<&str> = streams[stream].iter().map(String::as_str).collect();
        lines.iter().for_each(|line| hostile::is_one_line(line));
        let lines: Vec<&str> = if stream == 0 {
            let lines = lines.split(|line| *line == BEGIN).nth(1).unwrap();
            lines.split(|line| *line == END).next().unwrap().to_vec()
        } else {
            lines.into_iter().filter(|line| !line.starts_with("telemetry: ")).collect()
        };
        let of = |kind: &str| {
            let is_of = |line: &&&str| line[line.char_indices().nth(31).unwrap().0..].starts_with(kind);
            lines.iter().filter(is_of).copied().collect::<Vec<_>>()
        };
        let spans = of(if console == tree { "trace " } else { "span " });
        compare(&spans, kept.spans.iter().map(span));
        compare(&of("event "), kept.events.iter().map(event));
        compare(&of("metric "), kept.metrics.iter().map(metric));
        let [tags] = of("tags ")[..] else { panic!("{:?}", of("tags ")) };
        let Line::Tags(tags) = Line::read(tags, false) else { panic!("{tags}") };
        let env = ("env".to_owned(), hostile::texts().swap_remove(7));
        assert!(tags.len() == 2 && tags[0] == env && tags[1].0 == "service.name", "{tags:?}");
        assert_eq!(lines.len(), 1 + kept.spans.len() + kept.events.len() + kept.metrics.len());
    }
}

#[track_caller]
fn compare(lines: &[&str], want: impl ExactSizeIterator<Item = Line>) {
    assert_eq!(lines.len(), want.len());
    let key = |line: &Line| format!("{line:?}");
    let mut want: Vec<Line> = want.collect();
    // Of events only those have a name that were made by hand, and that field.
    let mut read: Vec<Line> = lines.iter().map(|line| Line::read(line, line.contains(" n="))).collect();
    want.sort_by_key(key);
    read.sort_by_key(key);
    for (read, want) in read.iter().zip(&want) {
        assert_eq!(read, want);
    }
}

fn fields(of: &[(Text, Value)]) -> Vec<(String, String)> {
    of.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn span(span: &Span) -> Line {
    let StatusRef::Error(error) = span.status.as_ref() else { panic!("{span:?}") };
    Line::Span { name: span.name.to_string(), error: Some(error.to_owned()), fields: fields(&span.fields) }
}

fn event(event: &Event) -> Line {
    let (target, name) = (event.target.to_string(), event.name.to_string());
    Line::Event { target, name, message: event.message.clone(), fields: fields(&event.fields) }
}

fn metric(metric: &Metric) -> Line {
    let identity = &metric.identity;
    let tags = identity.tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let value = match metric.number() {
        Number::Int(n) => n.to_string(),
        other => other.as_f64().to_string(),
    };
    Line::Metric { name: identity.name.to_string(), tags, value, unit: identity.unit.to_string() }
}

#[test]
#[ignore = "run by the others, in a program of its own"]
fn says_what_goes_wrong() {
    let texts = hostile::texts();
    for some in texts.chunks(50) {
        let mut builder = Collector::builder().ignore_env();
        for text in some {
            let error = text.clone();
            let refuses =
                move |_: &Batch| Err::<(), _>(ExportError::never(error.clone()).caused_by(error.clone()));
            builder = builder.exporter(Route::new(refuses).name(text.clone()));
        }
        let collector = builder.start().unwrap();
        for text in some {
            collector.counter(text.clone()).tag(text.clone(), text.clone()).unit("By").inc();
            collector.histogram("sizes").with(&[(text, text)]).record(f64::NAN);
            collector.counter("orders").with(&[(text, "bad")]).inc();
        }
        collector.shutdown(telemetry_tests::SOON);
    }
}

#[test]
fn lines_on_standard_error_are_lines() {
    let [_, lines] = program("console::says_what_goes_wrong", "");
    for line in &lines {
        hostile::is_one_line(line);
        assert!(line.starts_with("telemetry: "), "{line}");
    }
    let refused = lines.iter().filter(|line| line.contains(": refused ")).count();
    assert!(refused >= 400 && lines.len() > refused + 100, "{refused} of {}", lines.len());
}
