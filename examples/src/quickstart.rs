//! The first block of the README: metrics, events and a trace of one function, on the console.

use telemetry_layer::prelude::*;

#[count_me(name = "quickstart.orders", value = items)]
#[time_me(outcome)]
fn checkout(items: u64) -> Result<u64, String> {
    tracing::info!(items, "checking out");
    if items == 0 {
        return Err("the cart is empty".to_owned());
    }
    pay(items * 5)
}

#[tracing::instrument]
fn pay(amount: u64) -> Result<u64, String> {
    gauge("quickstart.last_amount").set(amount);
    Ok(amount)
}

fn main() -> Result<(), telemetry_layer::Error> {
    let _telemetry = telemetry_layer::init_with(Collector::builder().export("console:"))?;
    for items in 0..3 {
        match checkout(items) {
            Ok(paid) => println!("paid {paid}"),
            Err(e) => println!("not paid: {e}"),
        }
    }
    Ok(())
}
