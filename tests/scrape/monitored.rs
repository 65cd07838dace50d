//! A real Prometheus reads what we serve: all that its API gives back is what the collector has.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use telemetry_layer::exporters::Discard;
use telemetry_layer::metrics::{MetricRef, Snapshot};
use telemetry_layer::model::Buckets;
use telemetry_layer::prelude::*;
use telemetry_layer::{Builder, SelfMetrics};
use telemetry_tests::each;
use telemetry_tests::process::{missing, succeeds};

use super::{eventually, serving};
use telemetry_tests::monitor::{Prefers, Prometheus, example};

/// Something of each kind, measured in a span that is kept.
fn record(collector: &Collector) {
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(collector));
    let dispatch = tracing::Dispatch::new(subscriber);
    tracing::dispatcher::with_default(&dispatch, || {
        collector.scoped(|| {
            let span = tracing::info_span!("request");
            let _in = span.enter();
            for (n, currency) in ["EUR", "USD", "E\"U\\R\n"].into_iter().enumerate() {
                counter("shop.orders").with(&[("currency", currency)]).add(n as u64 + 1);
            }
            counter("shop.turnover").unit("{euro}").add(12.75);
            up_down_counter("shop.open").add(-5);
            gauge("shop.temperature").unit("Cel").set(21.5);
            let sizes = histogram("shop.size").unit("By").buckets(&[10.0, 100.0, 1000.0]);
            [1, 10, 11, 500, 5000].into_iter().for_each(|size| sizes.record(size));
            let pay = timer("shop.pay").tag("method", "card");
            (1..=200).for_each(|n| pay.record(Duration::from_micros(n * n * 50)));
            histogram("shop.wide").record(0);
            (-3..=3).for_each(|n| histogram("shop.wide").record(10_f64.powi(n)));
        });
    });
    collector.gauge("shop.observed").observe(|| 7);
}

fn the<'a>(snapshot: &'a Snapshot, name: &'a str) -> MetricRef<'a> {
    let mut found = snapshot.named(name);
    let one = found.next().unwrap_or_else(|| panic!("{name}"));
    assert!(found.next().is_none(), "{name}: several");
    one
}

/// How many values are at most as great as a bound of the page, which is one of the histogram's own too.
fn up_to(metric: &MetricRef<'_>, bound: f64) -> u64 {
    let buckets = metric.histogram().unwrap().by_upper_bound();
    // Those of exponential buckets are computed in two ways.
    buckets.filter(|(upper, _)| *upper <= bound * (1.0 + 1e-9)).map(|(_, count)| count).sum()
}

#[test]
fn what_prometheus_reads_is_what_the_collector_has() {
    each([Prefers::OpenMetrics, Prefers::Protobuf], |prefers| {
        let (collector, address) = serving("", |b| b.tag("service.name", "shop"));
        record(&collector);
        let Some(server) = Prometheus::of(&[address], prefers) else { return };
        let snapshot = collector.snapshot();
        eventually("a scrape", || server.number("up").filter(|up| *up == 1.0));
        eventually("all of it", || server.number("shop_observed").filter(|value| *value == 7.0));
        let targets = server.api("targets", &[]).unwrap();
        let target = &targets["activeTargets"][0];
        assert_eq!(
            (&target["health"], &target["lastError"]),
            (&Value::from("up"), &Value::from("")),
            "{target}"
        );

        // Numbers.
        for (query, want) in [
            ("sum(shop_orders_total)", snapshot.total("shop.orders")),
            ("shop_turnover_total", 12.75),
            ("shop_open", -5.0),
            ("shop_temperature_celsius", 21.5),
            ("sum(target_info{service_name=\"shop\"})", 1.0),
        ] {
            assert_eq!(server.number(query), Some(want), "{query}: {}", server.log());
        }
        let orders: BTreeMap<String, f64> = server
            .query("shop_orders_total")
            .into_iter()
            .map(|(labels, value)| (labels["currency"].clone(), value))
            .collect();
        let own = snapshot
            .named("shop.orders")
            .map(|one| (one.tag("currency").unwrap().to_owned(), one.number().as_f64()));
        assert_eq!(orders, own.collect());
        assert_eq!(server.query("{__name__=~\"shop_.*\", job!=\"shop\"}"), []);

        // Chosen buckets.
        let sizes = the(&snapshot, "shop.size");
        let of_sizes = sizes.histogram().unwrap();
        assert!(matches!(of_sizes.buckets, Buckets::Explicit { .. }));
        let buckets = server.query("shop_size_bytes_bucket");
        assert_eq!(buckets.len(), 4, "{buckets:?}");
        for (labels, count) in buckets {
            let bound = labels["le"].parse::<f64>().unwrap();
            assert_eq!(count, up_to(&sizes, bound) as f64, "{bound}");
        }
        let sums = [server.number("shop_size_bytes_count"), server.number("shop_size_bytes_sum")];
        assert_eq!(sums, [Some(of_sizes.count as f64), Some(of_sizes.sum)]);

        // Exponential ones.
        for (name, shown) in [("shop.pay", "shop_pay_seconds"), ("shop.wide", "shop_wide")] {
            let metric = the(&snapshot, name);
            let histogram = metric.histogram().unwrap();
            let (count, sum) = (Some(histogram.count as f64), Some(histogram.sum));
            match prefers {
                Prefers::OpenMetrics => {
                    assert_eq!(server.number(&format!("{shown}_count")), count);
                    assert_eq!(server.number(&format!("{shown}_sum")), sum);
                    let buckets = server.query(&format!("{shown}_bucket"));
                    assert!(buckets.len() > 5, "{buckets:?}");
                    for (labels, count) in buckets {
                        let bound = labels["le"].parse::<f64>().unwrap();
                        assert_eq!(count, up_to(&metric, bound) as f64, "{name} {bound}");
                    }
                }
                Prefers::Protobuf => {
                    assert_eq!(server.number(&format!("histogram_count({shown})")), count);
                    assert_eq!(server.number(&format!("histogram_sum({shown})")), sum);
                    for q in [0.5, 0.9, 0.99] {
                        let read = server.number(&format!("histogram_quantile({q}, {shown})")).unwrap();
                        let own = histogram.quantile(q).unwrap();
                        // Each is somewhere in a bucket of that width.
                        assert!((read / own).ln().abs() < 0.2, "{name} {q}: {read}, {own}");
                    }
                    assert_eq!(server.query(&format!("{shown}_bucket")), [], "it is one native series");
                }
            }
        }
        exemplars(&server, &snapshot);
        let log = server.log();
        assert!(!log.contains("level=warn") && !log.contains("level=error"), "{log}");
    });
}

/// Those that it has are ours.
fn exemplars(server: &Prometheus, snapshot: &Snapshot) {
    for (name, query) in
        [("shop.pay", "{__name__=~\"shop_pay_seconds(_bucket)?\"}"), ("shop.size", "shop_size_bytes_bucket")]
    {
        let known: BTreeMap<String, (String, f64)> = the(snapshot, name)
            .histogram()
            .unwrap()
            .exemplars
            .iter()
            .map(|one| (format!("{:?}", one.value), (one.trace_id.to_string(), one.value)))
            .collect();
        assert!(!known.is_empty(), "{name}");
        let read = eventually("exemplars", || server.exemplars(query));
        for one in &read {
            let value: f64 = one["value"].as_str().unwrap().parse().unwrap();
            let (trace, _) =
                known.get(&format!("{value:?}")).unwrap_or_else(|| panic!("{name} has no {one}; {known:?}"));
            assert_eq!(one["labels"]["trace_id"], trace.as_str(), "{one}");
            assert_eq!(one["labels"]["span_id"].as_str().map(str::len), Some(16), "{one}");
        }
    }
}

/// A shop with all that the dashboard shows.
fn shop(b: Builder) -> Builder {
    b.process_metrics(true)
        .self_metrics(SelfMetrics::Export)
        .exporter(Discard::new())
        .flush_interval(Duration::from_millis(50))
}

#[time_me(name = "function.duration", outcome, tags(code.function.name = "pay"))]
fn pay(n: u64) -> Result<u64, String> {
    if n.is_multiple_of(3) { Err("no".to_owned()) } else { Ok(n) }
}

fn serve(n: u64) {
    let status = if n.is_multiple_of(10) { "500" } else { "200" };
    let tags =
        [("http.route", "/pay"), ("http.response.status_code", status), ("http.request.method", "GET")];
    timer("http.server.request.duration").with(&tags).record(Duration::from_millis(n % 90 + 1));
    up_down_counter("http.server.active_requests").unit("{request}").add(0);
    let _ = pay(n);
}

#[test]
fn each_query_of_the_dashboard_and_the_alerts_finds_something() {
    let programs = [serving("", shop), serving("", shop)];
    let addresses = programs.each_ref().map(|(_, address)| *address);
    let Some(server) = Prometheus::of(&addresses, Prefers::OpenMetrics) else { return };
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(example("dashboard.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries: Vec<String> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| {
            target["expr"].as_str().unwrap().replace("$__rate_interval", "30s").replace("$job", ".*")
        })
        .collect();
    assert!(panels.len() >= 10 && queries.iter().all(|query| !query.contains('$')), "{queries:?}");
    let mut n = 0;
    let mut work = || {
        n += 1;
        programs.iter().for_each(|(collector, _)| collector.scoped(|| serve(n)));
    };
    for query in &queries {
        eventually(query, || {
            work();
            let samples = server.query(query);
            (!samples.is_empty() && samples.iter().all(|(_, value)| value.is_finite())).then_some(())
        });
    }
    // Alerts are evaluated without an error, and one that holds is found.
    let rules = eventually("rules", || {
        work();
        let rules = server.api("rules", &[])?["groups"][0]["rules"].as_array()?.clone();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    });
    assert!(rules.iter().all(|rule| rule["health"] == "ok" && rule["type"] == "alerting"), "{rules:?}");
    for rule in &rules {
        let query = rule["query"].as_str().unwrap();
        // What it compares has samples.
        let left = query
            .rsplit_once([' '])
            .and_then(|(left, _)| left.trim_end().strip_suffix(['>', '<', '=']))
            .unwrap_or(query);
        let left = left.trim_end_matches(['=', ' ']).replace("[5m]", "[30s]").replace("[10m]", "[30s]");
        let left = left
            .replace("outcome=\"panic\"", "outcome=\"error\"")
            .replace("[15m]", "[30s]")
            .replace("[30m]", "[30s]");
        eventually(&left, || {
            work();
            (!server.query(&left).is_empty()).then_some(())
        });
    }
}

#[test]
fn the_examples_are_good_files() {
    if !succeeds(Command::new("promtool").arg("--version")) {
        return missing("promtool").unwrap_or_default();
    }
    assert!(succeeds(Command::new("promtool").args(["check", "rules"]).arg(example("alerts.yml"))));
    assert!(succeeds(Command::new("promtool").args(["check", "config"]).arg(example("prometheus.yml"))));
}
