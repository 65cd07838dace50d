//! Pages as their readers see them.

mod grammar;
mod made;
mod read_back;
mod tries;

use std::sync::Arc;

use super::*;
use crate::diagnostics;
use crate::metrics::Reader as _;
use crate::model::{Kind, Metric, Resource, Tags};
use grammar::Family;
use made::{histogram, metric};

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";

/// Nothing but series.
fn bare() -> Prometheus {
    Prometheus::new().without_target_info().without_scope_labels().without_created()
}

/// That page of data points that somebody made.
fn showing(page: Prometheus, metrics: Vec<Metric>) -> Prometheus {
    page.clone().attach(source_of(made::sorted(metrics), resource())).unwrap();
    page
}

fn resource() -> Resource {
    Resource::new(Tags::parse("env: test").unwrap(), "shop").unwrap()
}

/// What an answer to that request says, read back; the page as it is.
fn read(page: &Prometheus, accept: &str) -> (Vec<Family>, String) {
    let answer = page.respond(accept, "");
    let text = String::from_utf8(answer.into_body()).unwrap();
    (grammar::read(&text, accept.contains("openmetrics")).unwrap_or_else(|why| panic!("{why}\n{text}")), text)
}

#[test]
fn a_page_in_text() {
    let metrics = vec![
        metric(
            Kind::Counter,
            "shop.orders",
            "{order}",
            &[("currency", "EUR"), ("http.method", "a\"b\\\n")],
            3,
        ),
        metric(Kind::Counter, "shop.orders", "{order}", &[("currency", "USD")], u64::MAX),
        metric(Kind::UpDownCounter, "open", "", &[], -5),
        metric(Kind::Gauge, "used", "1", &[], 0.5),
        made::described(metric(Kind::Gauge, "heat", "Cel", &[], f64::NAN), "a \"b\" \\ c\nd"),
        histogram("sizes", "By", &[], &[0.0, 1.0, 17.0, 1e12], Some(&[1.0, 16.5])),
    ];
    let page = showing(bare(), metrics.clone());
    assert_eq!(
        page.text(),
        r#"# HELP heat_celsius a "b" \\ c\nd
# TYPE heat_celsius gauge
heat_celsius NaN
# TYPE open gauge
open -5
# TYPE shop_orders_total counter
shop_orders_total{currency="EUR",http_method="a\"b\\\n"} 3
shop_orders_total{currency="USD"} 18446744073709551615
# TYPE sizes_bytes histogram
sizes_bytes_bucket{le="1.0"} 2
sizes_bytes_bucket{le="16.5"} 2
sizes_bytes_bucket{le="+Inf"} 4
sizes_bytes_sum 1000000000018.0
sizes_bytes_count 4
# TYPE used_ratio gauge
used_ratio 0.5
"#
    );
    let all = showing(Prometheus::new().resource_labels(["env"]), metrics);
    let (families, text) = read(&all, OPEN_METRICS);
    assert!(text.starts_with("# HELP target What the program is and where it runs.\n# TYPE target info\ntarget_info{env=\"test\",service_name=\"shop\"} 1\n"), "{text}");
    assert!(text.contains("# HELP heat_celsius a \\\"b\\\" \\\\ c\\nd\n# TYPE heat_celsius gauge\n# UNIT heat_celsius celsius\n"), "{text}");
    assert!(text.contains("# TYPE shop_orders counter\nshop_orders_total{currency=\"EUR\",http_method=\"a\\\"b\\\\\\n\",otel_scope_name=\"telemetry\",env=\"test\"} 3\nshop_orders_created{currency=\"EUR\""), "{text}");
    assert!(text.contains("} 1.000000007\n") && text.ends_with("# EOF\n"), "{text}");
    assert_eq!(
        families.iter().map(|family| &*family.unit).collect::<Vec<_>>(),
        ["", "celsius", "", "", "bytes", "ratio"]
    );
    assert_eq!((page.left_out(), all.left_out()), (0, 0));
}

#[test]
fn without_a_collector_a_page_is_empty() {
    let page = Prometheus::new();
    assert_eq!((page.text(), page.respond("", "").body()), (String::new(), &b""[..]));
    assert_eq!(page.respond(OPEN_METRICS, "").body(), b"# EOF\n");
    assert_eq!(unpacked(page.respond(OPEN_METRICS, "gzip").body()), b"# EOF\n");
}

/// What all series have, one of them has as a tag of its own too.
#[test]
fn the_same_labels_are_one_series_wherever_they_come_from() {
    let own = |tags: &[(&str, &str)], n: i64| metric(Kind::Counter, "own", "", tags, n);
    let metrics = vec![
        own(&[], 1),
        own(&[("env", "prod")], 2),
        own(&[("env", "test")], 3),
        own(&[("a", "x")], 4),
        own(&[("a", "x"), ("env", "test"), ("f", "y")], 5),
        own(&[("a", "x"), ("f", "y")], 6),
        own(&[("service.name", "shop")], 7),
    ];
    let page = showing(Prometheus::new().resource_labels(["env", "service.*"]), metrics);
    let counts =
        [&page.text(), &read(&page, OPEN_METRICS).1].map(|text| text.matches("\nown_total{").count());
    assert_eq!((counts, page.left_out()), ([4, 4], 3), "{}", page.text());
    let families = read_back::families(page.respond(PROTOBUF, "").body());
    assert_eq!((families[1].metric.len(), page.left_out()), (4, 3));
}

fn unpacked(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(body), &mut plain).unwrap();
    plain
}

#[test]
fn a_page_shows_one_collector_at_a_time() {
    let page = bare();
    let source = |n: i64| source_of(vec![metric(Kind::Gauge, "a", "", &[], n)], resource());
    let mut first = page.clone();
    first.attach(source(1)).unwrap();
    let refused = page.clone().attach(source(2)).unwrap_err();
    assert!(refused.to_string().contains("shows another collector"), "{refused}");
    first.shutdown();
    assert!(page.text().contains("\na 1\n"), "what was last is still there");
    page.clone().attach(source(3)).unwrap();
    assert!(
        page.text().contains("\na 3\n")
            && page.clone().translation(Translation::NoTranslation).text().contains("\na 3\n")
    );
}

#[test]
fn compressed_pages_are_the_same_pages() {
    let page = showing(
        Prometheus::new(),
        (0..500).map(|n: i64| metric(Kind::Gauge, "a", "", &[("n", &n.to_string())], n)).collect(),
    );
    for accept in ["", OPEN_METRICS, PROTOBUF] {
        let (plain, packed) = (page.respond(accept, ""), page.respond(accept, "gzip"));
        assert_eq!((plain.content_encoding(), packed.content_encoding()), (None, Some("gzip")));
        assert_eq!(plain.content_type(), packed.content_type());
        assert_eq!(unpacked(packed.body()), plain.body());
        assert!(packed.body().len() * 3 < plain.body().len());
    }
}

const PROTOBUF: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

/// Names of families, by what becomes of them in all forms of text.
#[test]
fn what_cannot_stand_beside_is_left_out_and_said() {
    for (rivals, kept, left_out) in [
        // Another type.
        (vec![(Kind::Counter, "rival.a.total"), (Kind::Gauge, "rival.a_total")], "rival_a_total", 1),
        // The name of a part.
        (vec![(Kind::Histogram, "rival.b"), (Kind::Gauge, "rival.b.count")], "rival_b", 1),
        (vec![(Kind::Gauge, "rival.c.bucket"), (Kind::Histogram, "rival_c")], "rival_c_bucket", 1),
        // The same series.
        (vec![(Kind::Gauge, "rival.d"), (Kind::Gauge, "rival_d")], "rival_d", 1),
        (vec![(Kind::Gauge, "rival.e"), (Kind::UpDownCounter, "rival.e")], "rival_e", 1),
        (vec![(Kind::Gauge, "target")], "", 0),
    ] {
        let metrics = rivals.iter().map(|(kind, name)| match kind {
            Kind::Histogram => histogram(name, "", &[], &[1.0], None),
            kind => metric(*kind, name, "", &[], 1),
        });
        let page = showing(bare(), metrics.collect());
        let (families, text) = read(&page, "");
        if left_out > 0 {
            assert_eq!(families.iter().map(|family| &*family.name).collect::<Vec<_>>(), [kept], "{text}");
            let name = rivals[1].1;
            let said = diagnostics::said();
            let is_named = |line: &&String| line.contains(&format!("`{name}`")) && line.contains("left out");
            assert_eq!(said.iter().filter(is_named).count(), 1, "{said:?}");
        }
        read(&page, OPEN_METRICS);
        assert_eq!(page.left_out(), left_out, "{text}");
    }
    // What OpenMetrics alone can't have beside each other.
    for (kind, name) in [(Kind::Gauge, "only"), (Kind::Gauge, "only.created")] {
        let page =
            showing(bare(), vec![metric(Kind::Counter, "only", "", &[], 1), metric(kind, name, "", &[], 1)]);
        assert_eq!((read(&page, "").0.len(), page.left_out()), (2, 0));
        assert_eq!((read(&page, OPEN_METRICS).0.len(), page.left_out()), (1, 1));
    }
    let page = showing(Prometheus::new(), vec![metric(Kind::Gauge, "target.info", "", &[], 1)]);
    assert_eq!((read(&page, "").0.len(), page.left_out()), (1, 1));
}

#[test]
fn tags_that_become_one_label_and_series_that_become_one() {
    let page = showing(
        bare(),
        vec![
            metric(Kind::Gauge, "joined", "", &[("a.b", "1"), ("a/b", "2"), ("a_b", "3")], 1),
            metric(Kind::Gauge, "twin", "", &[("a_b", "1")], 1),
            metric(Kind::Gauge, "twin", "", &[("a.b", "1")], 2),
            metric(Kind::Gauge, "twin", "", &[("a.b", "2")], 3),
        ],
    );
    let text = page.text();
    assert!(text.contains("\njoined{a_b=\"1;2;3\"} 1\n"), "{text}");
    assert!(text.contains("# TYPE twin gauge\ntwin{a_b=\"1\"} 2\ntwin{a_b=\"2\"} 3\n"), "{text}");
    assert_eq!(page.left_out(), 1);
    let utf8 = page.clone().translation(Translation::NoTranslation);
    let (families, text) = read(&utf8, "text/plain;version=1.0.0;escaping=allow-utf-8");
    assert_eq!((families[1].samples.len(), utf8.left_out()), (3, 0), "{text}");
}

/// Others come in between, and what the second one says stands before the first one.
#[test]
fn metrics_that_become_one_family_stand_together() {
    let metrics = vec![
        metric(Kind::Gauge, "join.a", "", &[("k", "1")], 1),
        metric(Kind::Gauge, "join.b", "", &[("k", "1"), ("l", "x")], 2),
        metric(Kind::Gauge, "join.b", "", &[("l", "y")], 3),
        metric(Kind::Gauge, "join.b", "", &[("k", "2"), ("l", "y")], 4),
        made::described(metric(Kind::Gauge, "join_a", "", &[("k", "2")], 5), "both"),
        metric(Kind::Gauge, "join_a", "", &[("l", "2")], 6),
    ];
    let page = showing(bare(), metrics);
    let text = "# HELP join_a both\n# TYPE join_a gauge\njoin_a{k=\"1\"} 1\njoin_a{k=\"2\"} 5\njoin_a{l=\"2\"} 6\n\
                # TYPE join_b gauge\njoin_b{k=\"1\",l=\"x\"} 2\njoin_b{k=\"2\",l=\"y\"} 4\njoin_b{l=\"y\"} 3\n";
    for _ in 0..2 {
        assert_eq!((page.text().as_str(), page.left_out()), (text, 0));
        let families = read_back::families(page.respond(PROTOBUF, "").body());
        let counts: Vec<(&str, usize)> = families.iter().map(|of| (&*of.name, of.metric.len())).collect();
        assert_eq!(counts, [("join_a", 3), ("join_b", 3)]);
    }
}

/// The series of a metric in two units, one after the other.
#[test]
fn units_of_one_metric_are_families() {
    let of = |n: i64| metric(Kind::Gauge, "mixed", ["s", "By"][n as usize % 2], &[("n", &n.to_string())], n);
    let metrics = (0..6).map(of).chain([metric(Kind::Gauge, "next", "", &[], 6)]);
    let page = showing(bare(), metrics.collect());
    let text = "# TYPE mixed_seconds gauge\nmixed_seconds{n=\"0\"} 0\nmixed_seconds{n=\"2\"} 2\nmixed_seconds{n=\"4\"} 4\n\
                # TYPE mixed_bytes gauge\nmixed_bytes{n=\"1\"} 1\nmixed_bytes{n=\"3\"} 3\nmixed_bytes{n=\"5\"} 5\n\
                # TYPE next gauge\nnext 6\n";
    for _ in 0..2 {
        assert_eq!(page.text(), text);
        let families = read_back::families(page.respond(PROTOBUF, "").body());
        let counts: Vec<(&str, usize)> = families.iter().map(|of| (&*of.name, of.metric.len())).collect();
        assert_eq!(counts, [("mixed_seconds", 3), ("mixed_bytes", 3), ("next", 1)]);
    }
}

#[test]
fn a_page_has_its_bound() {
    let long = "x".repeat(1_000);
    let metrics: Vec<Metric> = (0..100)
        .map(|n: i64| {
            metric(Kind::Counter, &format!("bound.{:02}", n % 10), "", &[("n", &format!("{n} {long}"))], n)
        })
        .collect();
    for bytes in [0, 1, 1_000, 20_000, 104_000] {
        let page = showing(bare().max_bytes(bytes), metrics.clone());
        for accept in ["", OPEN_METRICS] {
            let (families, text) = read(&page, accept);
            let samples: usize = families.iter().map(|family| family.samples.len()).sum();
            assert!(
                text.len() <= bytes + 6 && samples as u64 + page.left_out() == 100,
                "{bytes}: {}",
                text.len()
            );
        }
        let body = page.respond(PROTOBUF, "").into_body();
        let samples: usize = read_back::families(&body).iter().map(|family| family.metric.len()).sum();
        assert!(body.len() <= bytes.max(1) + 10 && samples as u64 + page.left_out() == 100);
    }
    assert_eq!(showing(bare(), metrics).text().len() / 100_000, 1);
}

/// Those who wait get what began after they came.
#[test]
fn a_page_is_never_older_than_the_request() {
    let (counted, reads) =
        (Arc::new(std::sync::atomic::AtomicI64::new(0)), Arc::new(std::sync::atomic::AtomicI64::new(0)));
    let source = {
        let (counted, reads) = (Arc::clone(&counted), Arc::clone(&reads));
        crate::metrics::Source::new(move || {
            use std::sync::atomic::Ordering::SeqCst;
            reads.fetch_add(1, SeqCst);
            let n = counted.load(SeqCst);
            std::thread::yield_now();
            crate::metrics::Snapshot::new(vec![metric(Kind::Gauge, "n", "", &[], n)], Arc::new(resource()))
        })
    };
    let page = bare();
    page.clone().attach(source).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (page, counted) = (page.clone(), Arc::clone(&counted));
            scope.spawn(move || {
                for _ in 0..200 {
                    let least = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                    let accept = if thread % 2 == 0 { "" } else { OPEN_METRICS };
                    let (families, text) = read(&page, accept);
                    assert!(families[0].samples[0].number() >= least as f64, "{least}: {text}");
                }
            });
        }
    });
    assert!(reads.load(std::sync::atomic::Ordering::SeqCst) <= 1_600);
}
