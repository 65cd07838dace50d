//! Any spans, events and data points as line protocol, and any answer of a server.
//!
//! Invariant: of a batch, a request holds the first items, as many as the writer says: one at least, and all where there is no
//! limit. There is one line for each of them but for those that it left out. A line is what a strict reader takes: every name and
//! every value is there, no key comes twice, a backslash escapes what has to be escaped and nothing else, and no control character
//! stands anywhere. The request is no longer than the limit, unless it has one line. An answer never drops more lines than there
//! were. Nothing panics.
#![no_main]

use std::collections::HashSet;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use telemetry_core::__private::influxdb::{Dropped, Histograms, Precision, Writer};
use telemetry_fuzz::{Items, plain, tagged};

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Items { is_tagged: bool, max_bytes: u16, has_buckets: bool, precision: u8, items: Items },
    Answer { status: bool, body: &'a [u8], lines: u16 },
    Text { text: &'a str, dropped: u64, lines: u16 },
}

fuzz_target!(|input: Input<'_>| match input {
    Input::Items { is_tagged, max_bytes, has_buckets, precision, items } => {
        use Precision::{Micros, Millis, Nanos, Seconds};
        let histograms = if has_buckets { Histograms::Buckets } else { Histograms::Quantiles };
        let precision = [Nanos, Micros, Millis, Seconds][usize::from(precision % 4)];
        written(Writer { precision, histograms }, is_tagged, max_bytes.into(), items.bounded());
    }
    Input::Answer { status, body, lines } => read(if status { 400 } else { 422 }, body, lines.into()),
    Input::Text { text, dropped, lines } => {
        let body =
            serde_json::json!({ "error": format!("partial write: {text} dropped={dropped}") }).to_string();
        read(400, body.as_bytes(), lines.into());
    }
});

fn read(status: u16, body: &[u8], lines: usize) {
    if let Some(dropped) = Dropped::read(status, body, lines) {
        assert!(dropped.lines <= lines);
    }
}

fn written(writer: Writer, is_tagged: bool, max_bytes: usize, items: Items) {
    let pipeline = if is_tagged { tagged() } else { plain() };
    for batch in pipeline.batches(|collector| items.record(collector)) {
        for max_bytes in [max_bytes, usize::MAX] {
            let mut body = Vec::new();
            let encoded = writer.write(&batch, max_bytes, &mut body);
            assert!((1..=batch.len()).contains(&encoded.items) && encoded.rejected <= encoded.items);
            assert!(encoded.items == batch.len() || max_bytes < usize::MAX);
            assert_eq!(encoded.rejected == 0, encoded.reason.is_empty());
            let text = std::str::from_utf8(&body).expect("UTF-8");
            let lines: Vec<&str> = text.split_terminator('\n').collect();
            assert_eq!(lines.len(), encoded.items - encoded.rejected);
            assert!(text.is_empty() || text.ends_with('\n'));
            assert!(lines.len() <= 1 || body.len() <= max_bytes, "{} of {max_bytes} bytes", body.len());
            lines.into_iter().for_each(line);
        }
    }
}

/// Reads a line strictly.
fn line(line: &str) {
    assert!(!line.chars().any(|c| c.is_ascii_control()) && !line.starts_with('#'), "{line}");
    let mut rest = name(line, ", ");
    let mut keys = HashSet::new();
    while let Some(tag) = rest.strip_prefix(',') {
        let value = name(tag, ",= ");
        assert!(keys.insert(&tag[..tag.len() - value.len()]), "twice in {line}");
        rest = name(value.strip_prefix('=').expect(line), ",= ");
    }
    // A field is not called as a tag is, either.
    let mut separator = ' ';
    while let Some(field) = rest.strip_prefix(separator) {
        let value = name(field, ",= ");
        assert!(keys.insert(&field[..field.len() - value.len()]), "twice in {line}");
        rest = field_value(value.strip_prefix('=').expect(line));
        separator = ',';
    }
    let time: u64 = rest.strip_prefix(' ').and_then(|time| time.parse().ok()).expect(line);
    assert!(time < i64::MAX as u64);
    assert!(!keys.contains("time"), "{line}");
}

/// What stands behind a name or a tag's value, which is not empty and ends where one of these is not escaped.
fn name<'a>(text: &'a str, ends: &str) -> &'a str {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            let next = chars.as_str().chars().next().expect(text);
            assert!(!"\\\"".contains(next), "{text}");
            if ",= ".contains(next) {
                assert!(ends.contains(next), "{text}");
                chars.next();
            }
        } else if ends.contains(c) {
            assert!(at > 0, "{text}");
            return &text[at..];
        }
    }
    panic!("it does not end: {text}");
}

fn field_value(text: &str) -> &str {
    let Some(string) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).expect(text);
        let (number, rest) = text.split_at(end);
        match number.strip_suffix('i') {
            Some(integer) => drop(integer.parse::<i64>().expect(text)),
            None => assert!(number.parse::<f64>().expect(text).is_finite()),
        }
        return rest;
    };
    let mut chars = string.chars();
    loop {
        match chars.next().expect(text) {
            '"' => return chars.as_str(),
            '\\' => assert!(matches!(chars.next(), Some('"' | '\\')), "{text}"),
            _ => {}
        }
    }
}
