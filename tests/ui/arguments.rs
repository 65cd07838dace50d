//! Arguments that are half written, or are no such thing.
use telemetry_layer::{count, count_me, gauge, time_me};

#[time_me(fields(a = ))]
fn no_field() {}

#[time_me(fields(a b))]
fn no_comma_in_fields() {}

#[time_me(level = warn)]
fn level_without_quotes() {}

#[time_me(name = "a" level = "warn")]
fn no_comma() {}

#[time_me(tags(a = ))]
fn no_tag() {}

#[time_me(tags(1 = 2))]
fn no_key() {}

#[time_me(tags("a b" = 2))]
fn no_name() {}

#[time_me(crate = "telemetry")]
fn no_path() {}

#[count_me(value)]
fn no_value() {}

#[count_me(outcome = 1)]
fn no_flag() {}

#[time_me(err = "x")]
fn no_flag_either() {}

#[time_me(description = 1)]
fn no_text() {}

#[time_me(source)]
fn no_source() {}

#[count_me(error_type = 3, outcome)]
fn no_closure() -> Result<(), u8> {
    Ok(())
}

fn main() {
    count!("a", value = 3);
    count!("a", 3, 4);
    gauge!(a, 3);
    gauge!("a", tags(b = 1));
}
