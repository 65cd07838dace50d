//! Any data points as lines for Graphite.
//!
//! Invariant: carbon's rules take each line, which has the point's value and second, and says nothing of another point. No line is
//! longer than it may be, and all of them no longer than the limit, unless they are of one point. What is not written is counted.
//! Nothing panics.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use telemetry_core::__private::graphite::{MAX_LINE, put_batch};
use telemetry_core::model::{Kind, Metric, Number, Tags};
use telemetry_fuzz::graphite::read;
use telemetry_fuzz::{Items, MadeMetric, plain, tagged};

#[derive(Arbitrary, Debug)]
struct Input {
    is_tagged: bool,
    has_prefix: bool,
    max_bytes: u16,
    max_line: Option<u16>,
    /// Of any name and with any tags.
    named: Vec<(String, Vec<(String, String)>, f64, u64)>,
    made: Vec<MadeMetric>,
}

fn metric((name, all, value, time): &(String, Vec<(String, String)>, f64, u64)) -> Metric {
    let mut tags = Tags::new();
    for (key, value) in all {
        // Not every text is a key.
        let _ = tags.insert(key.clone(), value.clone());
    }
    Metric::new(Kind::Gauge, name.clone(), Number::Float(*value), *time).tags(tags)
}

fuzz_target!(|input: Input| {
    let pipeline = if input.is_tagged { tagged() } else { plain() };
    let prefix = if input.has_prefix { "shop.eu." } else { "" };
    let max_bytes = usize::from(input.max_bytes);
    let max_line = input.max_line.map_or(MAX_LINE + 1, usize::from);
    let made = Items::Metrics(input.made).bounded();
    let batches = pipeline.batches(|collector| {
        made.record(collector);
        input.named.iter().take(64).for_each(|of| collector.collect_metric(metric(of)));
    });
    for batch in batches {
        for most in [max_bytes, usize::MAX] {
            let mut body = Vec::new();
            let encoded = put_batch(&mut body, &batch, most, prefix, max_line);
            assert!((1..=batch.len()).contains(&encoded.items) && encoded.rejected <= encoded.items);
            assert_eq!(encoded.rejected > 0, !encoded.reason.is_empty());
            assert!(most < usize::MAX || encoded.items == batch.len());
            let written = encoded.items - encoded.rejected;
            assert!(body.len() <= most || written == 1, "{} of {most} bytes", body.len());
            assert!(body.is_empty() == (written == 0) && (body.is_empty() || body.ends_with(b"\n")));
            let body = String::from_utf8(body).expect("UTF-8");
            let points: Vec<_> = batch.metrics().take(encoded.items).collect();
            let mut of_numbers = 0;
            for line in body.lines() {
                assert!(line.len() < max_line, "{line}");
                let point = read(line).unwrap_or_else(|wrong| panic!("{wrong}: {line:?}"));
                assert!(point.name.starts_with(prefix), "{line}");
                let is_it = |of: &&telemetry_core::metrics::MetricRef<'_>| {
                    let is_second = of.time_unix_nano() / 1_000_000_000 == point.second;
                    is_second && (of.histogram().is_some() || of.number().as_f64() == point.value)
                };
                let of = points.iter().find(is_it).unwrap_or_else(|| panic!("of no point: {line}"));
                of_numbers += usize::from(of.histogram().is_none());
            }
            assert!(of_numbers <= written || points.iter().any(|point| point.histogram().is_some()));
        }
    }
});
