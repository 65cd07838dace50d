//! Values that can't be right are named where they stand, as far as they can be seen.
use telemetry_layer::{count, count_me, gauge, histogram, record, time, time_me};

#[time_me(buckets = "1,2")]
fn text_for_buckets() {}

#[time_me(buckets = [])]
fn no_buckets() {}

#[time_me(buckets = [1.0, 0.5])]
fn unsorted() {}

#[time_me(buckets = &[-1.0, -1.0])]
fn not_ascending() {}

#[time_me(buckets = [0.5, 1e999])]
fn infinite() {}

#[time_me(buckets = [1, 2])]
fn whole() {}

#[time_me(unit = "ms")]
fn other_unit() {}

#[time_me(unit = "s")]
impl Timed {
    fn same_unit(&self) {}
}

struct Timed;

#[count_me(value = -3)]
fn falls() {}

#[count_me(value = -(0.5))]
fn falls_by_a_fraction() {}

#[count_me(value = "3")]
fn text_for_a_number() {}

#[time_me(span = false, span_name = "a")]
fn name_of_no_span() {}

#[time_me(span_name = 3)]
fn no_name() {}

#[count_me(span_name = "a")]
fn counts_have_no_span() {}

fn main() {
    text_for_buckets();
    Timed.same_unit();
    falls();
    count!("a", -1);
    count!("a", 'c');
    gauge!("a", "b");
    gauge!("a", -1);
    histogram!("a", true);
    histogram!("a", 1, buckets = [2.0, 1.0]);
    record!("a", "b");
    let _timer = time!("a", unit = "ms");
    let _timer = time!("a", buckets = 3);
}
