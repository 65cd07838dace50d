//! The first block of the README: metrics, events and a trace, on the console.

use telemetry_layer::prelude::*;

#[count_me(name = "shop.orders", value = items)]
#[time_me(outcome)]
fn checkout(items: u64) -> Result<u64, String> {
    tracing::info!(items, "checking out");
    if items == 0 {
        return Err("the cart is empty".to_owned());
    }
    Ok(pay(items * 5))
}

#[time_me]
fn pay(amount: u64) -> u64 {
    gauge("shop.last_amount").set(amount);
    amount
}

fn main() -> Result<(), telemetry_layer::Error> {
    let _telemetry = telemetry_layer::init_with(Collector::builder().endpoint("console:"))?;
    for items in 0..2 {
        println!("{:?}", checkout(items));
    }
    Ok(())
}
