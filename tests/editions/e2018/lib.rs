//! The shapes in edition 2018, and what only this one allows.

#![deny(warnings, rust_2021_compatibility)]
// Some functions wait for nothing.
#![allow(clippy::unused_async)]

#[path = "../shapes/mod.rs"]
pub mod shapes;

use telemetry_layer::{count_me, time_me};

/// In the prelude since 2021; here a name like any other.
trait TryInto {
    fn try_into(&self) -> u8;
}

impl TryInto for str {
    #[count_me(name = "only.calls")]
    #[time_me(name = "only", outcome)]
    fn try_into(&self) -> u8 {
        self.len() as u8
    }
}

#[time_me(name = "only", outcome)]
#[allow(rust_2021_prelude_collisions)]
fn own_try_into(text: &str) -> u8 {
    text.try_into()
}

#[time_me(name = "only", outcome)]
#[allow(rust_2021_prelude_collisions)]
async fn own_try_into_later(text: &str) -> u8 {
    std::future::ready(()).await;
    text.try_into()
}

#[time_me(name = "only", outcome, tags(gen = gen))]
fn a_keyword_to_be(gen: u8) -> u8 {
    gen
}

#[time_me(name = "only", outcome)]
#[allow(unsafe_code)]
unsafe fn without_a_block(value: *const u8) -> u8 {
    *value
}

#[count_me(name = "only.calls")]
#[time_me(name = "only", outcome)]
#[no_mangle]
#[allow(unsafe_code)]
extern "C" fn telemetry_e2018(value: u8) -> u8 {
    value
}

#[time_me(name = "only", outcome)]
fn captures_nothing(text: &str) -> impl Iterator<Item = usize> {
    let length = text.len();
    0..length
}

#[time_me(name = "only", outcome)]
#[allow(non_fmt_panics)]
fn panics_with_braces() {
    panic!("{");
}

/// All of them, once.
///
/// # Panics
///
/// If one gives what it should not.
pub fn only_here() {
    assert_eq!((own_try_into("two"), shapes::ready(own_try_into_later("two"))), (3, 3));
    assert_eq!((a_keyword_to_be(1), telemetry_e2018(2)), (1, 2));
    #[allow(unsafe_code)]
    // SAFETY: it reads a reference.
    let read = unsafe { without_a_block(&3) };
    let text = "text".to_owned();
    let numbers = captures_nothing(&text);
    drop(text);
    assert_eq!((read, numbers.count()), (3, 4));
    std::panic::catch_unwind(panics_with_braces).unwrap_err();
}
