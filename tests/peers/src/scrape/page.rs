//! Whether a page has all that was recorded.

use super::{BOUNDS, Form, Kind, NAME, SERIES, value};
use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::MetricFamily;
use prost::Message;

/// All series of that page together, after each has taken `n` values.
pub fn check(page: &[u8], kind: Kind, form: Form, n: usize) {
    let (series, sum) = if form == Form::Protobuf { of_protobuf(page, kind) } else { of_text(page, kind) };
    let values = |n: usize| (0..SERIES).map(move |series| value(series, n)).sum::<f64>();
    let wanted = match kind {
        Kind::Counter => (SERIES * n) as f64,
        Kind::Gauge => values(n - 1),
        Kind::Histogram => (0..n).map(values).sum(),
    };
    assert_eq!(series, SERIES, "series of {kind:?} in {form:?}");
    assert!((sum - wanted).abs() < 1e-6 * wanted, "{sum} instead of {wanted}: {kind:?} in {form:?}");
}

fn of_text(page: &[u8], kind: Kind) -> (usize, f64) {
    let page = std::str::from_utf8(page).expect("text");
    let samples = |suffix: &str| {
        let starts = [format!("{NAME}{suffix}{{"), format!("{NAME}_total{suffix}{{")];
        let lines = page.lines().filter(move |line| starts.iter().any(|start| line.starts_with(start)));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().expect("a number"))
    };
    let of = |suffix| (samples(suffix).count(), samples(suffix).sum());
    if kind != Kind::Histogram {
        return of("");
    }
    assert_eq!(samples("_bucket").count(), SERIES * (BOUNDS.len() + 1), "buckets");
    of("_sum")
}

fn of_protobuf(mut page: &[u8], kind: Kind) -> (usize, f64) {
    let (mut series, mut sum) = (0, 0.0);
    while !page.is_empty() {
        let family = MetricFamily::decode_length_delimited(&mut page).expect("a family");
        for metric in family.metric.iter().filter(|_| family.name.starts_with(NAME)) {
            series += 1;
            sum += match kind {
                Kind::Counter => metric.counter.as_ref().expect("a counter").value,
                Kind::Gauge => metric.gauge.as_ref().expect("a gauge").value,
                Kind::Histogram => metric.histogram.as_ref().expect("a histogram").sample_sum,
            };
        }
    }
    (series, sum)
}
