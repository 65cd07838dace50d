//! The shapes in edition 2021, and what it allows that 2018 or 2024 do not.

#![deny(warnings, rust_2024_compatibility)]
// Some functions wait for nothing.
#![allow(clippy::unused_async)]

#[path = "../shapes/mod.rs"]
pub mod shapes;

use telemetry_layer::{count_me, time_me};

#[time_me(name = "only", outcome)]
fn of_the_prelude(n: u64) -> Result<u8, std::num::TryFromIntError> {
    let n = n.try_into()?;
    Ok(n)
}

#[time_me(name = "only", outcome)]
async fn of_the_prelude_later(n: u64) -> Result<u8, std::num::TryFromIntError> {
    let n = u8::try_from(n)?;
    Ok(n)
}

struct Two {
    first: String,
    second: String,
}

#[time_me(name = "only", outcome)]
fn captures_a_part(mut two: Two) -> (String, usize) {
    let mut append = || two.first.push('!');
    let length = two.second.len();
    append();
    (two.first, length)
}

#[time_me(name = "only", outcome, tags(gen = gen))]
#[allow(keyword_idents_2024)]
fn a_keyword_to_be(gen: u8) -> u8 {
    gen
}

#[time_me(name = "only", outcome)]
#[allow(unsafe_code, unsafe_op_in_unsafe_fn)]
unsafe fn without_a_block(value: *const u8) -> u8 {
    *value
}

#[count_me(name = "only.calls")]
#[time_me(name = "only", outcome)]
#[no_mangle]
#[allow(unsafe_code, unsafe_attr_outside_unsafe)]
extern "C" fn telemetry_e2021(value: u8) -> u8 {
    value
}

#[time_me(name = "only", outcome)]
#[allow(impl_trait_overcaptures)]
fn captures_nothing(text: &str) -> impl Iterator<Item = usize> {
    let length = text.len();
    0..length
}

/// All of them, once.
///
/// # Panics
///
/// If one gives what it should not.
pub fn only_here() {
    assert_eq!((of_the_prelude(1), of_the_prelude(256).is_err()), (Ok(1), true));
    assert_eq!(shapes::ready(of_the_prelude_later(1)), Ok(1));
    let two = Two { first: "first".to_owned(), second: "second".to_owned() };
    assert_eq!(captures_a_part(two), ("first!".to_owned(), 6));
    assert_eq!((a_keyword_to_be(1), telemetry_e2021(2)), (1, 2));
    #[allow(unsafe_code)]
    // SAFETY: it reads a reference.
    let read = unsafe { without_a_block(&3) };
    let text = "text".to_owned();
    let numbers = captures_nothing(&text);
    drop(text);
    assert_eq!((read, numbers.count()), (3, 4));
}
