//! What only a constant says is found when it is known.
use telemetry_layer::{histogram, time_me};

const UNSORTED: [f64; 2] = [2.0, 1.0];
const NOT_A_NUMBER: &[f64] = &[f64::NAN];

#[time_me(buckets = UNSORTED)]
fn unsorted() {}

fn main() {
    histogram!("a", 1, buckets = NOT_A_NUMBER);
}
