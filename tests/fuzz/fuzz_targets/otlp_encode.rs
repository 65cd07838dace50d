//! Any spans, events and data points as OTLP.
//!
//! Invariant: of a batch, a request holds the first items, as many as the writer says: one at least, and all where there is no
//! limit. What OpenTelemetry's own types read in it equals what was recorded, byte by byte where it is encoded again. It is no
//! longer than the limit, unless it has one item. Nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use telemetry_core::__private::otlp::Writer;
use telemetry_fuzz::{Items, assert_is, plain, tagged};

fuzz_target!(|input: (bool, u16, Items)| {
    let (is_tagged, max_bytes, items) = input;
    let items = items.bounded();
    let pipeline = if is_tagged { tagged() } else { plain() };
    let mut next = 0;
    for batch in pipeline.batches(|collector| items.record(collector)) {
        let writer = Writer::new();
        // The last one finds all that is constant written already.
        for max_bytes in [max_bytes.into(), usize::MAX, max_bytes.into()] {
            let mut body = Vec::new();
            let written = writer.write(&batch, max_bytes, &mut body);
            assert!((1..=batch.len()).contains(&written));
            assert!(written == 1 || body.len() <= max_bytes, "{} of {max_bytes} bytes", body.len());
            assert!(written == batch.len() || max_bytes < usize::MAX);
            assert_is(&body, &items, next..next + written, batch.resource());
        }
        next += batch.len();
    }
    assert_eq!(next, items.len());
});
