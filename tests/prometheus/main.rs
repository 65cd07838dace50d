//! Pages for Prometheus as others read them: what is recorded stands on a page of each form as it was, for readers that are not
//! ours. What is recorded are the scenarios of OTLP's conformance. A reader that is not installed is left out, unless
//! `TELEMETRY_REQUIRE_SERVERS` is 1.

mod names;
mod promtool;
mod pushed;
mod python;
#[path = "../otlp/scenarios/recorded.rs"]
mod recorded;

use std::collections::BTreeMap;

use telemetry_layer::exporters::{Prometheus, Translation};
use telemetry_layer::{Collector, TelemetryLayer};
use tracing_subscriber::layer::SubscriberExt as _;

use python::{Family, Sample, families, sample};

/// Texts that break writers which count characters, or take a text for ASCII.
const UNICODE: &str = "Größe 价格 🦀 e\u{301} \u{202e}rtl\u{202c} \0\t\u{10ffff}";

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";
const PROTOBUF: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/// All scenarios, in the order in which pages are given out.
fn record(page: &Prometheus) -> Collector {
    let collector = Collector::builder()
        .ignore_env()
        .service("größe", "1.2.3")
        .tag("env", "test")
        .endpoint("discard:")
        .reader(page.clone())
        .start()
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || collector.scoped(|| recorded::record(&collector)));
    awkward(&collector);
    collector
}

/// What names and texts of the others don't have.
fn awkward(collector: &Collector) {
    collector
        .counter("awkward")
        .with(&[("text", "a\"b\\c\nd{}=,# e\r"), ("http.method", "GET"), ("k-1", "")])
        .add(7);
    collector.counter("awkward.beyond").unit("1").add(u64::MAX);
    collector.gauge("awkward.share").unit("1").description("a \"b\" \\ c\nd").set(0.1 + 0.2);
    collector.histogram("awkward.le").with(&[("le", "mine")]).record(2.0);
    // Two that become one.
    collector.gauge("awkward.twin").set(1);
    collector.gauge("awkward_twin").set(2);
}

fn text(page: &Prometheus, accept: &str) -> String {
    String::from_utf8(page.respond(accept, "").into_body()).unwrap()
}

/// The values that stand in the code, by what they are called on a page.
fn check(families: &[Family], is_open_metrics: bool) {
    let value = |name: &str, labels: &[(&str, &str)]| sample(families, name, labels).number();
    for (name, labels, expected) in [
        ("orders_total", &[][..], 3.0),
        ("orders_total", &[("currency", "EUR"), ("place", UNICODE)], i64::MAX as f64),
        ("orders_total", &[("currency", "")], 0.0),
        ("weight_kg_total", &[], 0.1),
        ("open", &[], -5.0),
        ("open", &[("door", "left")], 2.5),
        ("heat", &[], f64::MIN),
        ("heat", &[("room", "1")], -273.15),
        ("heat", &[("room", "2")], i64::MIN as f64),
        ("observed", &[], 42.0),
        ("awkward_total", &[("text", "a\"b\\c\nd{}=,# e\r"), ("http_method", "GET"), ("k_1", "")], 7.0),
        ("awkward_beyond_total", &[], u64::MAX as f64),
        ("awkward_share_ratio", &[], 0.1 + 0.2),
        ("awkward_le_bucket", &[("exported_le", "mine"), ("le", "2.0")], 0.0),
        ("awkward_le_bucket", &[("exported_le", "mine"), ("le", "+Inf")], 1.0),
        ("work_seconds_bucket", &[("le", "0.0009765625")], 0.0),
        ("work_seconds_bucket", &[("le", "0.001953125")], 1.0),
        ("work_seconds_bucket", &[("le", "0.5")], 3.0),
        ("work_seconds_bucket", &[("le", "4.0")], 4.0),
        ("work_seconds_count", &[], 4.0),
        ("work_seconds_sum", &[], 4.321),
        ("work_seconds_bucket", &[("outside", "of spans"), ("le", "9.5367431640625e-07")], 1.0),
        ("explicit_seconds_bucket", &[("le", "0.001")], 1.0),
        ("explicit_seconds_bucket", &[("le", "1.0")], 3.0),
        ("bounds_bucket", &[("le", "-1.0")], 2.0),
        ("bounds_bucket", &[("le", "0.0")], 2.0),
        ("bounds_bucket", &[("le", "1e+12")], 5.0),
        ("bounds_bucket", &[("le", "+Inf")], 6.0),
        // With values of 1e-300 and 1e300 beside.
        ("size_bytes_bucket", &[("le", "16.0")], 7.0),
        ("size_bytes_bucket", &[("le", "1024.0")], 8.0),
        ("size_bytes_bucket", &[("le", "+Inf")], 9.0),
        ("beyond_bucket", &[("le", "1.0")], 0.0),
        ("beyond_bucket", &[("le", "+Inf")], 2.0),
    ] {
        // Of these a count or a bound is a number that another form has too.
        let name = if name == "awkward_le_bucket" && expected == 0.0 { continue } else { name };
        let read = value(name, labels);
        assert!(
            (read - expected).abs() <= expected.abs() * 1e-15,
            "{name} {labels:?}: {read} is not {expected}"
        );
    }
    let of = |name: &str| {
        families.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("no {name}"))
    };
    assert_eq!(of("awkward_share_ratio").help, "a \"b\" \\ c\nd");
    let (counter, target) = if is_open_metrics { ("orders", "target") } else { ("orders", "target_info") };
    assert_eq!((&*of(counter).kind, &*of(counter).help), ("counter", "Orders taken, größe"));
    let about = &of(target).samples[0].labels;
    for (key, text) in [("env", "test"), ("service_name", "größe"), ("service_version", "1.2.3")] {
        assert_eq!(about.get(key).map(String::as_str), Some(text), "{about:?}");
    }
    assert_eq!(of("work_seconds").kind, "histogram");
    assert!(!families.iter().any(|family| family.name == "silent"));
    assert_eq!(of("awkward_twin").samples.len(), 1);
    if is_open_metrics {
        check_open_metrics(families);
    }
}

fn check_open_metrics(families: &[Family]) {
    let of = |name: &str| families.iter().find(|family| family.name == name).unwrap();
    assert_eq!((&*of("work_seconds").unit, &*of("weight_kg").unit), ("seconds", "kg"));
    // Values below 0: a sum of these may fall.
    assert!(!of("size_bytes").samples.iter().any(|sample| sample.name == "size_bytes_sum"));
    assert!(sample(families, "orders_created", &[]).number() > 1.6e9);
    let exemplars =
        of("work_seconds").samples.iter().filter_map(|sample| Some((sample, sample.exemplar.as_ref()?)));
    let exemplars: Vec<_> = exemplars.collect();
    assert!(!exemplars.is_empty());
    for (sample, exemplar) in exemplars {
        let le: f64 = sample.labels["le"].replace("+Inf", "inf").parse().unwrap();
        let (value, labels) = (exemplar.value.parse::<f64>().unwrap(), &exemplar.labels);
        assert!([0.001, 0.02, 0.3, 4.0].contains(&value) && value <= le && value > le / 2.0, "{sample:?}");
        assert_eq!((labels["trace_id"].len(), labels["span_id"].len(), labels.len()), (32, 16, 2));
        assert!(exemplar.time.as_ref().unwrap().parse::<f64>().unwrap() > 1.6e9);
    }
}

/// In both forms of text, however names are translated and escaped.
#[test]
fn series_of_one_metric_that_differ_in_unit_are_two_families() {
    let page = Prometheus::new().without_scope_labels().without_target_info();
    let collector = Collector::builder().ignore_env().reader(page.clone()).start().unwrap();
    // What this one says of its unit counts for no gauge.
    collector.counter("mixed").inc();
    for (n, id) in ["0", "1", "2", "3"].into_iter().enumerate() {
        collector.gauge("mixed").unit(["s", "By"][n % 2]).with(&[("id", id)]).set(n);
    }
    for _ in 0..2 {
        let text = page.text();
        let seconds = "# TYPE mixed_seconds gauge\nmixed_seconds{id=\"0\"} 0\nmixed_seconds{id=\"2\"} 2\n";
        let bytes = "# TYPE mixed_bytes gauge\nmixed_bytes{id=\"1\"} 1\nmixed_bytes{id=\"3\"} 3\n";
        assert!(text.contains(seconds) && text.contains(bytes), "{text}");
    }
}

#[test]
fn the_client_for_python_reads_what_was_recorded() {
    let page = Prometheus::new();
    let collector = record(&page);
    let Some(read) = families("text", &page.text()) else { return };
    check(&read, false);
    assert_eq!(page.left_out(), 1, "one of the twins");
    check(&families("openmetrics", &text(&page, OPEN_METRICS)).unwrap(), true);
    let mut names = BTreeMap::new();
    for translation in [
        Translation::UnderscoreEscapingWithSuffixes,
        Translation::UnderscoreEscapingWithoutSuffixes,
        Translation::NoUtf8EscapingWithSuffixes,
        Translation::NoTranslation,
    ] {
        let page = page.clone().translation(translation);
        for escaping in ["underscores", "dots", "values", "allow-utf-8"] {
            let [plain, open] = ["text/plain;version=1.0.0", OPEN_METRICS].map(|form| {
                let page = text(&page, &format!("{form};escaping={escaping}"));
                let kind = if form == OPEN_METRICS { "openmetrics" } else { "text" };
                families(kind, &page).unwrap()
            });
            let size = |families: &[Family]| {
                families.iter().map(|family| bucket_lines(&family.samples)).sum::<usize>()
            };
            assert!(size(&plain) > 100 && size(&plain) == size(&open), "{translation:?} {escaping}");
            let find = |text: &str| open.iter().any(|family| family.name.contains(text));
            names.insert((format!("{translation:?}"), escaping), (find("awkward.share"), find("_ratio")));
        }
    }
    let utf8 = |translation: &str| names[&(translation.to_owned(), "allow-utf-8")];
    assert_eq!(utf8("NoTranslation"), (true, false));
    assert_eq!(utf8("NoUtf8EscapingWithSuffixes"), (true, true));
    assert_eq!(utf8("UnderscoreEscapingWithoutSuffixes"), (false, false));
    drop(collector);
}

fn bucket_lines(samples: &[Sample]) -> usize {
    samples.iter().filter(|sample| sample.name.ends_with("_bucket")).count()
}
