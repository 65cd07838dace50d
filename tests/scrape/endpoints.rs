//! The endpoint `prometheus:`: who may have it, what it shows, and what it is refused for.

use std::net::TcpListener;

use telemetry_layer::exporters::{Filter, Prometheus, Route, from_url};
use telemetry_layer::prelude::*;
use telemetry_layer::{Builder, SelfMetrics};
use telemetry_tests::SOON;

use super::{address_of, asked, got, page, serving};

#[test]
fn what_a_collector_has_is_on_its_page_in_each_form() {
    let (collector, address) = serving("", |b| b.tag("service.name", "shop"));
    let orders = collector.counter("shop.orders").tag("currency", "EUR");
    for n in 1..=3 {
        orders.inc();
        let shown = page(address);
        let is_it = |line: &str| line.starts_with("shop_orders_total{") && line.contains("currency=\"EUR\"");
        let series: Vec<_> = shown.lines().filter(|line| is_it(line)).collect();
        assert!(series.len() == 1 && series[0].ends_with(&format!("}} {n}")), "{shown}");
    }
    for (accept, content_type) in [
        ("*/*", "text/plain; version=0.0.4"),
        ("text/html;q=x,,;;=", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0"),
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        ),
    ] {
        let (status, head, body) =
            asked(address, &format!("GET /metrics HTTP/1.1\r\nhost: h\r\naccept: {accept}"));
        let name = format!("content-type: {content_type}").to_lowercase();
        assert!(status == 200 && head.to_lowercase().contains(&name) && !body.is_empty(), "{accept}: {head}");
    }
    let (_, head, packed) = asked(address, "GET /metrics HTTP/1.1\r\nhost: h\r\naccept-encoding: gzip");
    assert!(head.contains("content-encoding: gzip\r\n") && packed.starts_with(&[0x1f, 0x8b]), "{head}");
    let start = got(address, "/");
    assert!(start.contains("<a href=\"/metrics\">"), "{start}");
    assert!(collector.shutdown(SOON).is_complete());
}

#[test]
fn filters_and_tags_of_a_route_hold_for_a_page() {
    let builder =
        |b: Builder| b.self_metrics(SelfMetrics::Export).exporter(telemetry_layer::exporters::Discard::new());
    let (collector, address) =
        serving("?names=shop.*&min_level=info&resource_labels=lane&tag=lane:7", builder);
    collector.counter("shop.seen").inc();
    collector.counter("shop.debug").level(telemetry_layer::Level::DEBUG).inc();
    collector.counter("other").inc();
    let shown = page(address);
    let series = |shown: &str| {
        shown.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    let own: Vec<_> = series(&shown).into_iter().filter(|line| !line.starts_with("target_info")).collect();
    assert!(
        own.len() == 1 && own[0].starts_with("shop_seen_total{") && own[0].contains("lane=\"7\""),
        "{shown}"
    );
    // What telemetry measures of itself is there too, where somebody wants it.
    let url = format!("prometheus://{address}/all");
    collector.endpoint(&url).unwrap();
    let all = got(address, "/all");
    for name in ["shop_seen_total", "shop_debug_total", "other_total", "telemetry_export_successful_total"] {
        assert!(series(&all).iter().any(|line| line.starts_with(name)), "{name}: {all}");
    }
    assert_eq!(collector.served_at(), [format!("http://{address}/metrics"), format!("http://{address}/all")]);
    assert!(got(address, "/").matches("<a href=").count() == 2);
    let again = collector.endpoint(&url).unwrap_err().to_string();
    assert!(
        again.contains(&format!("can't be served at http://{address}/all: another page is served there")),
        "{again}"
    );
}

#[test]
fn a_port_that_is_taken_is_told_with_its_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused = |b: Builder| b.ignore_env().start().map(drop).unwrap_err().to_string();
    let said = refused(Collector::builder().endpoint(format!("prometheus://{address}")));
    let want = format!("a page can't be served at http://{address}/metrics: ");
    assert!(said.contains(&want) && said.contains("has that port"), "{said}");
    // Nothing of it is left: the same collector may serve elsewhere.
    let collector = Collector::builder().ignore_env().start().unwrap();
    assert!(
        collector.endpoint(&format!("prometheus://{address}")).is_err() && collector.served_at().is_empty()
    );
    collector.endpoint("prometheus://127.0.0.1:0").unwrap();
    collector.counter("n").inc();
    assert!(page(address_of(&collector.served_at()[0])).contains("n_total"));
    for host in ["203.0.113.7", "no.such.host.invalid"] {
        let said = refused(Collector::builder().endpoint(format!("prometheus://{host}:1")));
        assert!(said.contains(&format!("http://{host}:1/metrics")), "{said}");
    }
}

#[test]
fn terms_of_what_is_sent_are_refused_by_name() {
    let page = || Prometheus::new().listen("localhost:0");
    let second = std::time::Duration::from_secs(1);
    for (name, route) in [
        ("rate_limit=7", page().rate_limit(7.0)),
        ("in_flight=2", page().in_flight(2)),
        ("max_items=2", page().max_items(2)),
        ("timeout=1s", page().timeout(second)),
        ("give_up_after=1s", page().give_up_after(second)),
        ("linger=1s", page().linger(second)),
        ("flush_interval=1s", page().flush_interval(second)),
        ("back_pressure=1s", page().back_pressure(second)),
        ("signals=", page().only(Filter::new().signals([Signal::Spans]))),
        ("listen=me@h", Prometheus::new().listen("me@h")),
    ] {
        let said =
            Collector::builder().ignore_env().exporter(route).start().map(drop).unwrap_err().to_string();
        assert!(said.starts_with(name), "{name}: {said}");
    }
    let named: Route = page().name("page").tag("a", "b").only(Filter::new().signals([Signal::Metrics]));
    assert!(Collector::builder().ignore_env().exporter(named).start().is_ok());
    assert!(from_url("prometheus:?rate=7").is_err());
}

#[test]
fn a_collector_that_is_over_serves_nobody() {
    let (collector, address) = serving("", |b| b);
    assert!(collector.shutdown(SOON).is_complete());
    assert!(std::net::TcpStream::connect(address).is_err() && collector.served_at().is_empty());
    assert!(collector.endpoint(&format!("prometheus://{address}")).is_err());
    // The port is free again.
    let next = Collector::builder().ignore_env().endpoint(format!("prometheus://{address}")).start().unwrap();
    assert_eq!(next.served_at(), [format!("http://{address}/metrics")]);
    drop(next);
    assert!(std::net::TcpStream::connect(address).is_err(), "the last handle ends it");
    let off = Collector::builder()
        .ignore_env()
        .enabled(false)
        .endpoint("prometheus://127.0.0.1:0")
        .start()
        .unwrap();
    assert!(off.served_at().is_empty());
}

#[test]
fn nothing_of_a_scrape_is_recorded() {
    let (collector, memory) = telemetry_tests::collector(|b| b.endpoint("prometheus://127.0.0.1:0"));
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    let dispatch = tracing::Dispatch::new(subscriber);
    let address = address_of(&collector.served_at()[0]);
    tracing::dispatcher::with_default(&dispatch, || {
        collector.gauge("seen").observe(|| {
            tracing::info!("asked");
            1
        });
        assert!(page(address).contains("seen"));
    });
    assert!(collector.shutdown(SOON).is_complete());
    assert_eq!((memory.kept().spans.len(), memory.kept().events.len()), (0, 0));
}
