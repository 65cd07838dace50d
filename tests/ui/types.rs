//! What only the compiler can see is said of the user's words too.
use telemetry_layer::{count, count_me, gauge, histogram, time_me};

const WHOLE: [u32; 2] = [1, 2];

#[time_me(buckets = WHOLE)]
fn of_another_type() {}

struct Opaque;

#[count_me(tags(x = Opaque))]
fn opaque() {}

#[time_me(tags(x))]
fn short(x: Opaque) {
    let _ = x;
}

#[count_me(tags(x))]
fn generic<T>(x: &T) {
    let _ = x;
}

#[count_me(value = text)]
fn text(text: &str) {}

fn main() {
    let opaque = Opaque;
    count!("a", tags(opaque));
    gauge!("a", Opaque);
    histogram!("a", 1, source = Some(1));
}
