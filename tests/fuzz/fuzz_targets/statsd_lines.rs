//! Any data points as lines of StatsD, in any dialect.
//!
//! Invariant: a strict reader takes all lines. Each fits into a packet; a packet is no longer than it may be, unless it holds one
//! point. What is not written is counted. Nothing panics.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use telemetry_core::__private::statsd::{Dialect, Form, TagsInName, Type, Writer};
use telemetry_fuzz::{Items, MadeMetric, lines, plain, tagged};

#[derive(Arbitrary, Debug)]
struct Input {
    metrics: Vec<MadeMetric>,
    is_tagged: bool,
    dialect: u8,
    tags_in_name: u8,
    types: [u8; 2],
    samples: Option<u8>,
    has_times: bool,
    has_prefix: bool,
    packet: Option<u16>,
}

const DIALECTS: [(Dialect, &str); 3] =
    [(Dialect::Plain, "plain"), (Dialect::Graphite, "graphite"), (Dialect::Datadog, "datadog")];
const IN_NAME: [TagsInName; 3] = [TagsInName::All, TagsInName::Own, TagsInName::None];
const TYPES: [Type; 3] = [Type::Ms, Type::H, Type::D];

fuzz_target!(|input: Input| {
    let of = |n: u8| usize::from(n % 3);
    let (dialect, name) = DIALECTS[of(input.dialect)];
    let form = Form::of(dialect);
    let mut form = if input.has_prefix { form.prefixed("p_1.x").expect("a prefix") } else { form };
    form.tags_in_name = IN_NAME[of(input.tags_in_name)];
    [form.timers, form.histograms] = input.types.map(|which| TYPES[of(which)]);
    form.samples = input.samples.map(|samples| u64::from(samples.max(1)));
    form.has_times = input.has_times && dialect == Dialect::Datadog;
    let packet = input.packet.map(|packet| usize::from(packet.max(1)));
    let writer = Writer::new(form, packet);
    let items = Items::Metrics(input.metrics).bounded();
    let pipeline = if input.is_tagged { tagged() } else { plain() };
    for batch in pipeline.batches(|collector| items.record(collector)) {
        let mut body = Vec::new();
        let encoded = writer.write(&batch, 1 << 16, &mut body);
        assert!((1..=batch.len()).contains(&encoded.items) && encoded.rejected <= encoded.items);
        assert_eq!(encoded.rejected > 0, !encoded.reason.is_empty());
        assert!(body.len() <= packet.unwrap_or(1 << 16) || encoded.items - encoded.rejected == 1);
        let body = String::from_utf8(body).expect("UTF-8");
        assert!(body.lines().all(|line| line.len() < packet.unwrap_or(1 << 16)), "{body}");
        lines::read(&body, name).unwrap_or_else(|wrong| panic!("{wrong}\n{body}"));
    }
});
