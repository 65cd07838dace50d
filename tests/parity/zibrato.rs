//! What Zibrato documents of its counters, gauges, sources and levels is true of ours. It sends to Librato, which is no more, so a
//! server of the tests does what Librato's documentation says.

use std::time::Duration;

use telemetry_layer::model::DataPoint;
use telemetry_layer::{Level, count, gauge};
use telemetry_tests::receiver::LibratoStandIn as Librato;

#[test]
fn counters_are_what_was_counted_between_two_flushes_by_source_and_name() {
    let librato = Librato::start();
    let (collector, clock) = Librato::collector(&[librato.url("")], |b| b);
    let hits =
        |source: &'static str, many: u64| collector.counter("shop.hits").tag("source", source).add(many);
    hits("till", 4);
    hits("web", 1);
    hits("till", 1);
    collector.counter("shop.hits").inc();
    // They are stamped with the time of the flush, not with that of the counting.
    clock.advance(Duration::from_mins(1));
    Librato::flush(&collector);
    hits("web", 2);
    clock.advance(Duration::from_mins(1));
    Librato::flush(&collector);
    // Nothing was counted, so nothing is said.
    clock.advance(Duration::from_mins(1));
    Librato::flush(&collector);
    hits("web", 3);
    clock.advance(Duration::from_mins(1));
    Librato::flush(&collector);
    let want = [
        Librato::measured("shop.hits", "shop", 60, 1.0),
        Librato::measured("shop.hits", "till", 60, 5.0),
        Librato::measured("shop.hits", "web", 60, 1.0),
        Librato::measured("shop.hits", "web", 120, 2.0),
        Librato::measured("shop.hits", "web", 240, 3.0),
    ];
    assert_eq!(librato.shown(), want);
}

#[test]
fn gauges_keep_the_time_when_they_were_set() {
    let librato = Librato::start();
    let (collector, clock) = Librato::collector(&[librato.url("")], |b| b);
    let depth = collector.gauge("shop.depth");
    depth.set(3);
    clock.advance(Duration::from_secs(10));
    collector.gauge("shop.heat").tag("source", "till").set(-1.5);
    let point = DataPoint::new("shop.past", 7).at((Librato::BEGIN + 5) * 1_000_000_000 + 999_999_999);
    collector.send([point]).unwrap();
    clock.advance(Duration::from_secs(50));
    Librato::flush(&collector);
    let want = [
        Librato::measured("shop.depth", "shop", 0, 3.0),
        Librato::measured("shop.past", "shop", 5, 7.0),
        Librato::measured("shop.heat", "till", 10, -1.5),
    ];
    assert_eq!(librato.shown(), want);
}

#[test]
fn the_source_is_a_tag_or_the_service() {
    let librato = Librato::start();
    let urls = ["", "source_tag=host&host_tag=box-1", "tag=source:eu/1"].map(|options| librato.url(options));
    let (collector, _) = Librato::collector(&urls, |b| b.tag("env", "prod"));
    collector.counter("shop.none").inc();
    collector.counter("shop.own").tag("source", "All").inc();
    Librato::flush(&collector);
    let mut sources: Vec<_> =
        librato.shown().into_iter().map(|(name, source, ..)| format!("{name} {source}")).collect();
    sources.sort();
    let want = [
        "shop.none box-1",
        "shop.none eu_1",
        "shop.none shop",
        "shop.own All_",
        "shop.own All_",
        "shop.own box-1",
    ];
    assert_eq!(sources, want);
}

#[test]
fn an_endpoint_takes_the_levels_that_it_is_told_to() {
    let levels = [Librato::start(), Librato::start(), Librato::start()];
    let urls = [levels[0].url(""), levels[1].url("min_level=warn"), levels[2].url("levels=debug,error")];
    let (collector, _) = Librato::collector(&urls, |b| b);
    collector.scoped(|| {
        count!("shop.hits", 4, level = "info");
        count!("shop.hits", 5, level = "debug");
        count!("shop.fails", 1, level = "error");
        gauge!("shop.heat", 123, level = "warn");
    });
    collector.counter("shop.free").level(Level::WARN).add(2_u64);
    Librato::flush(&collector);
    let all = levels.each_ref().map(|librato| {
        let name = |(name, _, _, value)| format!("{name} {value}");
        librato.shown().into_iter().map(name).collect::<Vec<_>>()
    });
    let want: [&[&str]; 3] = [
        &["shop.fails 1", "shop.free 2", "shop.heat 123", "shop.hits 9"],
        &["shop.fails 1", "shop.free 2", "shop.heat 123"],
        &["shop.fails 1", "shop.hits 5"],
    ];
    assert_eq!(all, want);
}
