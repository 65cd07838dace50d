//! What Etsy's server has in the end is what was recorded.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::Duration;

use serde_json::Value;
use telemetry_layer::model::{Kind, Metric, MetricValue, Number, Temporality};
use telemetry_tests::SOON;

use super::etsy::{Etsy, Seen};
use super::{flush, name_of, to};
use crate::scenarios::{Point, export, export_of};

/// What the server should have of these points.
#[derive(Debug, Default)]
struct Wanted {
    counters: BTreeMap<String, f64>,
    gauges: BTreeMap<String, f64>,
    timers: BTreeMap<String, Vec<Ends>>,
    refused: u64,
}

/// Count, least and greatest value, in milliseconds.
type Ends = (u64, f64, f64);

/// Of seconds, as one reads their digits three places further.
fn in_millis(x: f64, is_time: bool) -> f64 {
    let text = format!("{x:e}");
    let (digits, exponent) = text.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    format!("{digits}e{}", exponent + if is_time { 3 } else { 0 }).parse().unwrap()
}

impl Wanted {
    fn add(&mut self, point: &Point) {
        if !point.can_be_said() {
            self.refused += 1;
            return;
        }
        // Those by hand that are cumulative are gauges.
        let by_hand = ["dated", "one value", "point", "recorded", "series"].contains(&&*point.name);
        match &point.value {
            MetricValue::Histogram(of) if of.min.is_some_and(|min| min < 0.0) => self.refused += 1,
            MetricValue::Histogram(of) => {
                let is_time = ["work", "explicit", "took"].contains(&&*point.name);
                let [min, max] = [of.min, of.max].map(|x| in_millis(x.unwrap(), is_time));
                self.timers.entry(name_of(point)).or_default().push((of.count, min, max));
            }
            MetricValue::Number(number) => match point.kind {
                Kind::Histogram => {
                    let value = number.as_f64();
                    self.timers.entry(name_of(point)).or_default().push((1, value, value));
                }
                // Of one that did not move there is nothing to say.
                Kind::Counter if !by_hand && number.as_f64() == 0.0 => {}
                Kind::Counter if !by_hand => {
                    *self.counters.entry(name_of(point)).or_default() += number.as_f64();
                }
                _ => {
                    self.gauges.insert(name_of(point), number.as_f64());
                }
            },
            other => panic!("{other:?}"),
        }
    }

    fn check(&self, seen: &Seen) {
        assert_eq!(seen.counters, self.counters);
        assert_eq!(seen.gauges, self.gauges);
        assert!(seen.timers.keys().eq(self.timers.keys()), "{:#?} for {:#?}", seen.timers, self.timers);
        for (name, all) in &self.timers {
            let count: u64 = all.iter().map(|(count, ..)| count).sum();
            let least = all.iter().map(|(_, min, _)| *min).fold(f64::INFINITY, f64::min);
            let most = all.iter().map(|(.., max)| *max).fold(f64::NEG_INFINITY, f64::max);
            let data = &seen.timer_data[name];
            let of = |part: &str| data[part].as_f64().unwrap_or_else(|| panic!("{name}: {data}"));
            assert_eq!((seen.timers[name], of("lower"), of("upper")), (count as f64, least, most), "{name}");
        }
    }
}

#[test]
fn etsy_has_what_was_recorded() {
    let Some(etsy) = Etsy::start() else { return };
    let exported = export(&format!("statsd+tcp://127.0.0.1:{}", etsy.port));
    let mut wanted = Wanted::default();
    exported.points.iter().for_each(|point| wanted.add(point));
    let account = exported.account("statsd");
    // The server has counted all of it when the last gauge is there.
    etsy.wait_for(wanted.gauges.keys().find(|name| name.starts_with("unsigned")).unwrap());
    etsy.wait_for(wanted.counters.keys().find(|name| name.starts_with("weight")).unwrap());
    let mut seen = etsy.end().own();
    // JSON has no infinities.
    seen.gauges.retain(|_, value| !value.is_nan());
    wanted.check(&seen);
    assert_eq!(account.rejected, wanted.refused);
    assert_eq!(account.dropped.total(), 0);
}

#[test]
fn all_transports_bring_it_there() {
    let Some(etsy) = Etsy::start() else { return };
    let urls = [
        format!("statsd://127.0.0.1:{}", etsy.port),
        format!("statsd+udp://localhost:{}?dialect=graphite", etsy.port),
        format!("statsd+tcp://127.0.0.1:{}?prefix=tcp&tags_in_name=none", etsy.port),
        format!("statsd+unixstream://{}?prefix=stream&tags_in_name=own", etsy.stream_socket().display()),
    ];
    for url in &urls {
        let exported = export_of(url, |collector| {
            collector.counter("orders").with(&[("currency", "EUR")]).add(5);
            collector.gauge("heat").set(-21.5);
            collector.timer("took").record(Duration::from_micros(12_345));
        });
        assert_eq!(exported.account("statsd").delivered, 3);
    }
    let plain = "env.test.service_name.gr__e";
    let graphite = "env=test;service.name=gr__e";
    let orders = [
        format!("orders.currency.EUR.{plain}"),
        format!("orders;currency=EUR;{graphite}"),
        "tcp.orders".to_owned(),
        "stream.orders.currency.EUR".to_owned(),
    ];
    let heat = [
        format!("heat.{plain}"),
        format!("heat;{graphite}"),
        "tcp.heat".to_owned(),
        "stream.heat".to_owned(),
    ];
    let took = [
        format!("took.{plain}"),
        format!("took;{graphite}"),
        "tcp.took".to_owned(),
        "stream.took".to_owned(),
    ];
    orders.iter().chain(&heat).for_each(|name| etsy.wait_for(name));
    let seen = etsy.end().own();
    assert_eq!(seen.counters, orders.into_iter().map(|name| (name, 5.0)).collect());
    assert_eq!(seen.gauges, heat.into_iter().map(|name| (name, -21.5)).collect());
    for name in took {
        assert_eq!(
            (seen.timers[&name], &seen.timer_data[&name]["upper"]),
            (1.0, &Value::from(12.345)),
            "{name}"
        );
    }
}

#[test]
fn deltas_add_up_and_gauges_are_said_again() {
    let Some(etsy) = Etsy::start() else { return };
    let collector = to(&format!("statsd://127.0.0.1:{}?tags_in_name=none", etsy.port));
    let (orders, open, heat) =
        (collector.counter("orders"), collector.up_down_counter("open"), collector.gauge("heat"));
    let mut before = [None; 2];
    for (round, value) in [-5.0, -7.5, 3.0, -1.0, 0.0, 2.0].into_iter().enumerate() {
        orders.add(10 + round);
        open.add(-1);
        heat.set(value);
        flush(&collector);
        for ((name, want), before) in
            [("heat", value), ("open", -1.0 - round as f64)].into_iter().zip(&mut before)
        {
            // Each is what it is, whatever the one before was. On its way to a value below 0 it is 0.
            let mut now = etsy.next_gauge(name, *before);
            while now != want {
                now = etsy.next_gauge(name, Some(now));
            }
            *before = Some(now);
        }
    }
    collector.shutdown(SOON);
    let seen = etsy.end().own();
    assert_eq!(seen.counters, BTreeMap::from([("orders".to_owned(), 75.0)]));
    assert_eq!(seen.gauges, BTreeMap::from([("heat".to_owned(), 2.0), ("open".to_owned(), -6.0)]));
}

/// Etsy's server takes each line for one value but in the count, so lines that stand for about as many each are what its
/// percentiles and its mean need.
#[test]
fn of_many_values_counts_are_exact_and_percentiles_near() {
    let Some(etsy) = Etsy::start() else { return };
    let collector = to(&format!("statsd+tcp://127.0.0.1:{}?tags_in_name=none", etsy.port));
    let timer = collector.timer("took");
    (0..9_801).for_each(|_| timer.record(Duration::from_millis(5)));
    (0..200).for_each(|_| timer.record(Duration::from_secs(1)));
    let few = collector.timer("few");
    [7, 7, 7, 8, 300].iter().for_each(|n| few.record(Duration::from_millis(*n)));
    collector.counter("zzz").inc();
    flush(&collector);
    collector.shutdown(SOON);
    etsy.wait_for("zzz");
    let seen = etsy.end();
    assert_eq!((seen.timers["took"], seen.timers["few"]), (10_001.0, 5.0));
    let of = |name: &str, part: &str| seen.timer_data[name][part].as_f64().unwrap();
    let is_near = |of: f64, want: f64, by: f64| assert!((of / want - 1.0).abs() <= by, "{of} for {want}");
    assert_eq!((of("took", "lower"), of("took", "upper")), (5.0, 1_000.0));
    assert_eq!((of("few", "lower"), of("few", "upper")), (7.0, 300.0));
    is_near(of("took", "median"), 5.0, 0.05);
    is_near(of("took", "upper_90"), 5.0, 0.05);
    is_near(of("took", "mean"), (9_801.0 * 5.0 + 200.0 * 1_000.0) / 10_001.0, 1.0);
    is_near(of("few", "median"), 7.0, 0.05);
    is_near(of("few", "sum"), 329.0, 0.01);
}

/// A server that is not there yet: what it was sent is sent again, and nothing of it is counted twice.
#[test]
fn what_nobody_listened_to_is_sent_again_once() {
    // An address of its own, so that nobody else is given the port meanwhile.
    let free = UdpSocket::bind("127.0.0.2:0").unwrap().local_addr().unwrap();
    let collector = to(&format!("statsd://{free}?tags_in_name=none&packet_bytes=64"));
    (0..50).for_each(|n| collector.counter(format!("orders.{n:02}")).add(1));
    let report = collector.flush(Duration::from_millis(300));
    assert!(!report.is_complete(), "{report}");
    let Some(etsy) = Etsy::start_at(Some(free)) else { return };
    (0..50).for_each(|n| collector.counter(format!("orders.{n:02}")).add(2));
    let report = collector.shutdown(SOON);
    assert!(report.is_complete(), "{report}");
    (0..50).for_each(|n| etsy.wait_for(&format!("orders.{n:02}")));
    let counters = etsy.end().own().counters;
    assert_eq!(counters, (0..50).map(|n| (format!("orders.{n:02}"), 3.0)).collect());
}

#[test]
fn a_metric_too_long_for_a_packet_is_counted() {
    let Some(etsy) = Etsy::start() else { return };
    let exported = export_of(&format!("statsd://127.0.0.1:{}?tags_in_name=own", etsy.port), |collector| {
        let mut long = Metric::new(Kind::Counter, "n".repeat(1_500), 1, 1);
        long.temporality = Temporality::Delta;
        collector.collect_metric(long);
        collector.counter("short").add(1);
        collector.gauge("sum").set(Number::from(1_u64));
    });
    let account = exported.account("statsd");
    assert_eq!((account.delivered, account.rejected), (2, 1));
    etsy.wait_for("sum");
    assert_eq!(etsy.end().own().counters.len(), 1);
}
