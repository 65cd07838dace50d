//! What the README shows of tests, as it stands there.

use std::time::Duration;

use telemetry_layer::clock::{Clock, ManualClock};
use telemetry_layer::prelude::*;
use telemetry_layer::testing::{Memory, assert_counter, assert_event, assert_histogram, assert_span};
use tracing::instrument::WithSubscriber as _;

#[count_me(name = "orders", tags(currency))]
#[time_me]
fn order(currency: &str) -> u64 {
    tracing::info!(currency, "taken");
    42
}

#[time_me]
async fn order_later(currency: &str) -> u64 {
    tokio::task::yield_now().await;
    order(currency)
}

#[test]
fn orders_are_counted() -> Result<(), telemetry_layer::Error> {
    let collector = Collector::builder().ignore_env().start()?;
    collector.scoped(|| order("EUR"));
    assert_counter(&collector.snapshot(), "orders", &[("currency", "EUR")], 1);
    Ok(())
}

#[test]
fn orders_are_traced() -> Result<(), telemetry_layer::Error> {
    let memory = Memory::new();
    let collector = Collector::builder().ignore_env().exporter(memory.clone()).start()?;
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || collector.scoped(|| order("EUR")));

    collector.flush(Duration::from_secs(5)); // spans and events reach `memory` only now
    assert_span(&memory.kept(), "order", None, &[]);
    assert_event(&memory.kept(), "taken", Some("order"), &[("currency", "EUR")]);
    Ok(())
}

#[tokio::test]
async fn later_orders_are_traced_too() -> Result<(), telemetry_layer::Error> {
    let memory = Memory::new();
    let collector = Collector::builder().ignore_env().exporter(memory.clone()).start()?;
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    collector.scope_future(order_later("EUR")).with_subscriber(subscriber).await;

    collector.flush(Duration::from_secs(5));
    assert_span(&memory.kept(), "order", Some("order_later"), &[]);
    assert_counter(&collector.snapshot(), "orders", &[("currency", "EUR")], 1);
    Ok(())
}

#[test]
fn time_passes_when_the_test_says_so() -> Result<(), telemetry_layer::Error> {
    let clock = ManualClock::new(0);
    let collector = Collector::builder().ignore_env().clock(Clock::manual(&clock)).start()?;
    collector.scoped(|| {
        let _waits = timer("wait").start();
        clock.advance(Duration::from_secs(2));
    });
    assert_histogram(&collector.snapshot(), "wait", &[], 1, 2.0);
    Ok(())
}
