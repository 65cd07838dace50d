//! What a program can say of its own metrics before anything was measured.
#![forbid(unsafe_code)]

use telemetry_layer::metrics::{StaticMetric, catalogue};
use telemetry_layer::model::Kind;
use telemetry_layer::prelude::*;
use telemetry_tests::{SOON, collector};

mod inner {
    use telemetry_layer::prelude::*;

    #[count_me]
    pub(super) fn never_called<T>(_: T) {}
}

#[count_me(
    name = "cat.orders",
    unit = "{order}",
    description = "Orders taken",
    tags(till = "1"),
    level = "info"
)]
fn order() {}

#[time_me(name = "cat.pay", outcome, active)]
fn pay() -> Result<(), String> {
    Ok(())
}

#[count_me(name = "cat.users", tags(user = user))]
fn visit(user: &str) {
    let _ = user;
    gauge!("cat.gauge", 1);
}

fn named(name: &str) -> Vec<StaticMetric> {
    catalogue().into_iter().filter(|metric| metric.name() == name).collect()
}

#[test]
fn every_static_metric_is_listed_before_its_first_use() {
    let [order] = named("cat.orders")[..] else { panic!("{:?}", named("cat.orders")) };
    assert_eq!((order.kind(), order.unit(), order.description()), (Kind::Counter, "{order}", "Orders taken"));
    assert_eq!(
        (&order.tags()[..], order.level()),
        (&[("till", "1")][..], Some(telemetry_layer::Level::INFO))
    );
    assert!(order.file().ends_with("catalogue.rs") && order.line() > 10, "{order:?}");

    let outcomes: Vec<_> = named("cat.pay").iter().map(|metric| metric.tags()[0].1).collect();
    assert_eq!(outcomes, ["cancelled", "error", "ok", "panic"]);
    assert!(named("cat.pay").iter().all(|metric| metric.kind() == Kind::Histogram && metric.unit() == "s"));
    assert_eq!(named("cat.pay.active")[0].kind(), Kind::UpDownCounter);

    assert!(named("cat.users")[0].is_tagged_later() && named("cat.users")[0].tags().is_empty());
    assert_eq!(named("cat.gauge")[0].kind(), Kind::Gauge);

    let calls = named("function.calls");
    let never = calls.iter().find(|metric| metric.tags()[0].1.ends_with("inner::never_called"));
    assert!(never.is_some(), "{calls:?}");
    assert!(catalogue().is_sorted_by_key(|metric| (metric.name(), metric.tags())));
}

#[test]
fn series_stand_at_zero_from_the_start_where_that_is_wanted() {
    let (telemetry, memory) = collector(|b| b.configure(|config| config.zero_series = true));
    let at_start = telemetry.snapshot();
    let count = |name: &str| at_start.named(name).count();
    assert_eq!((count("cat.orders"), count("cat.pay"), count("cat.pay.active")), (1, 4, 1));
    assert_eq!((count("cat.users"), count("cat.gauge")), (0, 0), "of these nothing is known yet");
    assert_eq!(at_start.total("cat.orders"), 0.0);

    telemetry.scoped(|| {
        order();
        pay().unwrap();
        visit("me");
        inner::never_called(1);
    });
    assert!(telemetry.shutdown(SOON).is_complete());
    let exported =
        |name: &str| memory.kept().metrics.iter().filter(|metric| metric.identity.name == name).count();
    assert_eq!((exported("cat.orders"), exported("cat.pay")), (1, 4));

    let (telemetry, _) = collector(|b| b);
    assert_eq!(telemetry.snapshot().named("cat.orders").count(), 0);
}
