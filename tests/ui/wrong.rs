//! Each wrong argument is named where it stands, and the function is still there.
use telemetry_layer::{count, count_me, gauge, histogram, time, time_me};

#[count_me(nmae = "a")]
fn unknown() {}

#[count_me(name = "a b")]
fn bad_name() {}

#[count_me(name = NAME)]
fn no_literal() {}

#[count_me(level = "loud")]
fn bad_level() {}

#[count_me(name = "a", name = "b")]
fn twice() {}

#[count_me(tags(a = 1, a = 2))]
fn tag_twice() {}

#[count_me(tags = "a")]
fn no_list() {}

#[count_me(buckets = [1.0])]
fn not_for_counts() {}

#[count_me("a")]
fn unnamed() {}

#[time_me(span = "no")]
fn no_flag() {}

#[time_me(span = false, fields(a = 1))]
fn fields_of_nothing() {}

#[time_me(fields = 1)]
fn no_fields() {}

#[time_me(outcome)]
fn never() -> ! {
    loop {}
}

#[time_me]
const fn constant() {}

#[count_me]
struct NotAFunction;

#[time_me]
type Alias = fn();

#[time_me]
unsafe extern "C" {}

trait NoBody {
    #[count_me]
    fn none(&self);
}

#[time_me(span_name = "all")]
impl Block {
    fn one(&self) {}
}

struct Block;

struct Opaque;

#[count_me(tags(x = Opaque))]
fn opaque() {}

#[time_me(err)]
fn no_result() -> u8 {
    1
}

#[time_me(error_type)]
fn without_outcome() -> Result<(), u8> {
    Ok(())
}

#[time_me(outcome, error_type)]
fn no_error() -> u8 {
    1
}

#[count_me(outcome, error_type = |error| error.nothing())]
fn wrong_closure() -> Result<(), u8> {
    Ok(())
}

fn main() {
    unknown();
    bad_name();
    bad_level();
    constant();
    count!();
    gauge!("a");
    histogram!("a");
    let _timer = time!("a", nmae = 1);
}
