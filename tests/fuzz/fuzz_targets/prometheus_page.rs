//! Any data points as a snapshot, and any headers of a request for a page of them.
//!
//! Invariant: there is an answer, and it is a page: in text such as a strict reader takes, in protobuf a list of families. What
//! is not on it is counted. Nothing panics, and a second page of the same is the same.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use telemetry_core::__private::prometheus::source_of;
use telemetry_core::exporters::{Prometheus, Translation};
use telemetry_core::metrics::Reader as _;
use telemetry_core::model::{Metric, Resource, Tags};
use telemetry_fuzz::{MadeMetric, Words, pages};

/// What a family has that is counted here.
#[derive(Clone, PartialEq, Message)]
struct Family {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", repeated, tag = "4")]
    metrics: Vec<Vec<u8>>,
}

#[derive(Arbitrary, Debug)]
struct Input {
    metrics: Vec<(Words, MadeMetric)>,
    resource: Vec<(Words, Words)>,
    translation: u8,
    form: u8,
    escaping: u8,
    /// Instead of a form that there is.
    accept: Option<Words>,
    max_bytes: Option<u16>,
    is_bare: bool,
}

const FORMS: [&str; 4] = [
    "text/plain;version=0.0.4",
    "text/plain;version=1.0.0",
    "application/openmetrics-text;version=1.0.0",
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
];
const ESCAPINGS: [&str; 4] = ["underscores", "dots", "values", "allow-utf-8"];
const TRANSLATIONS: [Translation; 4] = [
    Translation::UnderscoreEscapingWithSuffixes,
    Translation::UnderscoreEscapingWithoutSuffixes,
    Translation::NoUtf8EscapingWithSuffixes,
    Translation::NoTranslation,
];

fuzz_target!(|input: Input| {
    let mut metrics: Vec<Metric> =
        input.metrics.iter().take(64).map(|(name, made)| made.named(name.text())).collect();
    // As a snapshot has them.
    fn key(metric: &Metric) -> impl Ord + '_ {
        (&metric.identity.name, metric.identity.kind, &metric.identity.tags)
    }
    metrics.sort_by(|a, b| key(a).cmp(&key(b)));
    metrics.dedup_by(|a, b| key(a) == key(b));
    let mut tags = Tags::new();
    for (key, value) in input.resource.iter().take(8) {
        let _ = tags.insert(key.text(), value.text());
    }
    let resource = Resource::new(tags, "fuzzed").expect("there is room for a name");
    let (count, mut page) = (metrics.len() as u64, Prometheus::new().resource_labels(["*"]));
    page = page.translation(TRANSLATIONS[usize::from(input.translation % 4)]);
    if input.is_bare {
        page = page.without_scope_labels().without_target_info().without_created();
    }
    if let Some(bytes) = input.max_bytes {
        page = page.max_bytes(bytes.into());
    }
    page.clone().attach(source_of(metrics, resource)).expect("the first one");
    let form = format!(
        "{};escaping={}",
        FORMS[usize::from(input.form % 4)],
        ESCAPINGS[usize::from(input.escaping % 4)]
    );
    let answer = page.respond(&input.accept.map_or(form, |accept| accept.text()), "");
    assert!(page.left_out() <= count);
    if answer.content_type().contains("protobuf") {
        let (mut rest, mut found) = (answer.body(), 0);
        while !rest.is_empty() {
            let family = Family::decode_length_delimited(&mut rest).expect("a family");
            assert!(!family.name.is_empty() && !family.metrics.is_empty());
            found += family.metrics.len() as u64;
        }
        assert_eq!(found - u64::from(!input.is_bare) + page.left_out(), count);
    } else {
        let text = std::str::from_utf8(answer.body()).expect("UTF-8");
        if let Err(why) = pages::read(text, answer.content_type().contains("openmetrics")) {
            panic!("{why}\n{text}");
        }
    }
    if answer.content_type().starts_with("text/plain; version=0.0.4; charset=utf-8; escaping=underscores") {
        assert_eq!(page.text().as_bytes(), answer.body());
    }
});
