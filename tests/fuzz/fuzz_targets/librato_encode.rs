//! Any data points as requests to Librato.
//!
//! Invariant: of a batch, a request holds the first items, as many as the writer says: one at least. It is one JSON object of at most
//! 300 gauges, no longer than the limit unless it has one item, and says of a metric, a source and a second one thing. No name, source
//! or number is one that Librato refuses. Where nothing can be said, all items are counted as left out. Nothing panics.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use telemetry_core::__private::librato::Writer;
use telemetry_fuzz::{Items, MadeMetric, plain, tagged};

fuzz_target!(|input: (u8, u16, Vec<MadeMetric>)| {
    let (choices, max_bytes, made) = input;
    let items = Items::Metrics(made).bounded();
    let pipeline = if choices & 1 == 0 { plain() } else { tagged() };
    let mut writer = Writer::default();
    if choices & 2 == 0 {
        writer = writer.without_quantiles();
    }
    if choices & 4 == 0 {
        writer = writer.name_tags(["a".to_owned(), "service.name".to_owned()]);
    }
    for batch in pipeline.batches(|collector| items.record(collector)) {
        for max_bytes in [max_bytes.into(), usize::MAX] {
            let mut body = Vec::new();
            let encoded = writer.write(&batch, max_bytes, &mut body);
            assert!((1..=batch.len()).contains(&encoded.items) && encoded.rejected <= encoded.items);
            assert!(encoded.items == 1 || body.len() <= max_bytes, "{} of {max_bytes} bytes", body.len());
            let read: Value = serde_json::from_slice(&body).expect("JSON");
            let gauges = read["gauges"].as_array().expect("a list");
            assert!(gauges.len() <= 300 && gauges.is_empty() == (encoded.rejected == encoded.items));
            let said: HashSet<_> = gauges.iter().map(looked_at).collect();
            assert_eq!(said.len(), gauges.len());
        }
    }
});

/// What a gauge is of.
fn looked_at(gauge: &Value) -> (String, String, u64) {
    let label = |name: &str| {
        let text = gauge[name].as_str().expect("a text");
        assert!((1..=255).contains(&text.len()) && !text.eq_ignore_ascii_case("all") || name == "name");
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_".contains(&b)), "{text}");
        text.to_ascii_lowercase()
    };
    for (name, value) in gauge.as_object().expect("an object") {
        assert!(
            matches!(&**name, "name" | "source") || value.as_f64().is_some_and(|x| x.abs() < 1e127),
            "{gauge}"
        );
    }
    (label("name"), label("source"), gauge["measure_time"].as_u64().expect("seconds"))
}
