//! Any data points as lines of `put` and as JSON.
//!
//! Invariant: of a batch, a request holds the first items that can be said, as many as the writer says: one at least. Each line is a
//! command with a name, a time, a number that is finite and tags that each stand there once, and is no longer than OpenTSDB takes; a
//! body in JSON is an array of such points, whose lines end between those of one item. It is no longer than the limit, unless it has one item. What is left out
//! has a reason. Nothing panics.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use telemetry_core::__private::opentsdb::{Characters, Form, Histograms, Style, put_batch};
use telemetry_fuzz::{MadeMetric, Words, plain, tagged};

const CHARACTERS: [Characters; 3] = [Characters::Ascii, Characters::Unicode, Characters::Any];

fn is_word(text: &str, is_ascii: bool) -> bool {
    let fits = |c: char| {
        c.is_ascii_alphanumeric()
            || "-_./".contains(c)
            || !is_ascii && !c.is_ascii() && c.len_utf16() == 1 && c.is_alphabetic()
    };
    !text.is_empty() && text.chars().all(fits)
}

fn check_lines(body: &str, is_ascii: bool) {
    assert!(body.is_empty() || body.ends_with('\n'));
    for line in body.lines() {
        assert!(line.len() <= Form::MAX_LINE && !line.contains('\r'));
        let words: Vec<_> = line.split(' ').collect();
        let ["put", name, time, number, tags @ ..] = &words[..] else { panic!("{line}") };
        assert!(is_word(name, is_ascii) && time.parse::<u64>().is_ok_and(|time| time > 0), "{line}");
        assert!(number.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        let keys: BTreeSet<_> = tags
            .iter()
            .map(|tag| {
                let (key, value) = tag.split_once('=').expect("a tag");
                assert!(is_word(key, is_ascii) && is_word(value, is_ascii), "{line}");
                key
            })
            .collect();
        assert!(!tags.is_empty() && keys.len() == tags.len(), "{line}");
    }
}

fn check_json(body: &str, items: usize, is_ascii: bool) {
    let points: Vec<Value> = serde_json::from_str(body).expect("an array");
    // A line ends between two points of one item.
    assert_eq!(points.len() + 1 - body.lines().count(), items);
    for point in &points {
        assert!(is_word(point["metric"].as_str().expect("a name"), is_ascii) && point["value"].is_number());
        let tags = point["tags"].as_object().expect("tags");
        assert!(!tags.is_empty() && tags.keys().all(|key| is_word(key, is_ascii)));
        // Of a key that stands there twice, one is read.
        assert!(tags.values().all(|value| value.as_str().is_some_and(|text| !text.is_empty())));
    }
    assert!(points.len() >= items);
}

fuzz_target!(|input: (bool, u16, u8, u8, Vec<(Words, MadeMetric)>)| {
    let (is_tagged, max_bytes, flags, characters, metrics) = input;
    let pipeline = if is_tagged { tagged() } else { plain() };
    let characters = CHARACTERS[usize::from(characters % 3)];
    let is_json = flags & 1 == 1;
    let mut style = Style::new(if is_json { Form::Json } else { Form::Lines { max_line: Form::MAX_LINE } });
    style.characters = characters;
    style.is_millis = flags & 2 == 2;
    style.histograms = if flags & 4 == 4 { Histograms::Buckets } else { Histograms::Summary };
    style.max_tags = if flags & 8 == 8 { usize::from(flags >> 4) + 1 } else { usize::MAX };
    let record = |collector: &telemetry_core::Collector| {
        metrics.iter().take(64).for_each(|(name, made)| collector.collect_metric(made.named(name.text())));
    };
    for batch in pipeline.batches(record) {
        for max_bytes in [max_bytes.into(), usize::MAX] {
            let mut body = Vec::new();
            let encoded = put_batch(&mut body, &batch, max_bytes, &style);
            let written = encoded.items - encoded.rejected;
            assert!((1..=batch.len()).contains(&encoded.items) && encoded.rejected <= encoded.items);
            assert!(encoded.items == batch.len() || max_bytes < usize::MAX);
            assert_eq!(encoded.reason.is_empty(), encoded.rejected == 0);
            assert!(written <= 1 || body.len() <= max_bytes, "{} of {max_bytes} bytes", body.len());
            let body = std::str::from_utf8(&body).expect("UTF-8");
            if is_json {
                check_json(body, written, characters == Characters::Ascii);
            } else {
                check_lines(body, characters == Characters::Ascii);
            }
        }
    }
});
