//! Metrics of every kind, from instruments and by hand.

use std::time::Duration;

use telemetry_layer::Collector;
use telemetry_layer::model::{DataPoint, Kind, Metric, SeriesKey, Tags, Temporality, TimeSeries};
use tracing::info_span;

use super::UNICODE;

/// As many as are allowed.
pub(crate) fn full_of_tags(value: &str) -> Tags {
    let mut tags = Tags::new();
    (0..Tags::MAX).for_each(|n| tags.insert(format!("tag.{n:02}"), format!("{value} {n}")).unwrap());
    tags
}

pub(crate) fn record(collector: &Collector) {
    sums(collector);
    histograms(collector);
    by_hand(collector);
}

fn sums(collector: &Collector) {
    let orders = collector.counter("orders").unit("{order}").description("Orders taken, größe");
    orders.add(3_u64);
    orders.with(&[("currency", "EUR"), ("place", UNICODE)]).add(i64::MAX);
    orders.with(&[("currency", "")]).add(0);
    collector.counter("weight").unit("kg").add(0.1);
    collector.up_down_counter("open").add(-5);
    collector.up_down_counter("open").with(&[("door", "left")]).add(2.5);
    collector.gauge("heat").set(f64::MIN);
    collector.gauge("heat").with(&[("room", "1")]).set(-273.15);
    collector.gauge("heat").with(&[("room", "2")]).set(i64::MIN);
    collector.gauge("observed").observe(|| 42);
    let tags = full_of_tags("value");
    let tags: Vec<_> = tags.iter().collect();
    collector.counter("tagged").with(&tags).inc();
    // It has no values, so nobody hears of it.
    let _ = collector.counter("silent");
}

fn histograms(collector: &Collector) {
    let size = collector.histogram("size").unit("By");
    for x in [0.0, 1e-300, 0.1, 1.0, 1.0, 1000.0, 1e300, -1.0, -1e9] {
        size.record(x);
    }
    collector.histogram("positive").record(5);
    (0..2).for_each(|_| collector.histogram("beyond").buckets(&[1.0]).record(f64::MAX));
    let bounds = collector.histogram("bounds").buckets(&[-1.0, 0.0, 10.0, 1e12]);
    [-7.0, -1.0, 0.5, 10.0, 11.0, 1e15].iter().for_each(|x| bounds.record(*x));
    let timer = collector.timer("work").description("How long");
    let explicit = collector.timer("explicit").buckets(&[0.001, 1.0]);
    for millis in [1, 20, 300, 4_000] {
        info_span!("timed", millis).in_scope(|| {
            timer.record(Duration::from_millis(millis));
            explicit.record(Duration::from_millis(millis));
        });
    }
    timer.with(&[("outside", "of spans")]).record(Duration::from_nanos(1));
}

fn by_hand(collector: &Collector) {
    for (name, x) in [("nan", f64::NAN), ("infinite", f64::INFINITY), ("less", f64::NEG_INFINITY)] {
        collector.collect_metric(Metric::new(Kind::Gauge, name, x, 17).unit("1"));
    }
    let mut delta = Metric::new(Kind::Counter, "delta by hand", 7, 2_000).tags(full_of_tags(UNICODE));
    (delta.temporality, delta.start_time_unix_nano) = (Temporality::Delta, Some(1_000));
    collector.collect_metric(delta);
    collector.collect_metric(Metric::new(Kind::UpDownCounter, "", -1.5, u64::MAX));
    collector.collect_metric(Metric::new(Kind::Histogram, "one value", 3, 1));
    collector.record("recorded", 1.25);
    collector.send([DataPoint::new("point", 9).at(99), DataPoint::new("point", -0.0).at(98)]).unwrap();
    assert!(collector.send([DataPoint::new("refused", f64::NAN)]).is_err());
    let mut series = TimeSeries::new(SeriesKey::new("series").unwrap().tag("k", "v").unwrap());
    (1..=5_u64).for_each(|n| _ = series.add(n, n * n).unwrap());
    collector.send_series([series]);
}
