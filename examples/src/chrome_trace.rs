//! A trace for Perfetto (ui.perfetto.dev) and speedscope: calls on their threads, a future beside them, an arrow, a counter.

use std::thread;
use std::time::Duration;

use telemetry_layer::prelude::*;
use tracing::{Span, info_span};

#[time_me]
fn price(item: u64) -> u64 {
    tracing::info!(item, "looking it up");
    count!("shop.items");
    (0..item * 200_000).fold(0, |sum, n| sum ^ n)
}

#[time_me]
fn checkout(items: u64) {
    let parent = Span::current();
    thread::scope(|scope| {
        // Its parent is on another thread: an arrow leads here.
        scope.spawn(|| info_span!(parent: &parent, "pay").in_scope(|| price(5)));
        tracing::info!(total = (1..=items).map(price).sum::<u64>());
    });
}

#[time_me]
async fn ship(order: u64) {
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(order)).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), telemetry_layer::Error> {
    let builder = Collector::builder().endpoint("chrome-trace:target/trace.json");
    let telemetry = telemetry_layer::init_with(builder)?;
    checkout(4);
    tokio::join!(ship(3), ship(5));
    print!("{}", telemetry.shutdown(Duration::from_secs(5)));
    Ok(())
}
