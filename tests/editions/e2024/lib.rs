//! The shapes in edition 2024, and what only this one allows.

#![deny(warnings)]
// Some functions wait for nothing.
#![allow(clippy::unused_async)]

#[path = "../shapes/mod.rs"]
pub mod shapes;

use std::cell::RefCell;
use std::fmt::Display;

use telemetry_layer::{count_me, time_me};

#[time_me(name = "only", outcome)]
fn chains(text: Option<&str>) -> Result<u8, std::num::ParseIntError> {
    if let Some(text) = text
        && !text.is_empty()
    {
        return text.parse();
    }
    Ok(0)
}

#[time_me(name = "only", outcome)]
fn temporaries_end_first() -> usize {
    let cell = RefCell::new(vec![1, 2]);
    cell.borrow().len()
}

#[count_me(name = "only.calls")]
fn temporaries_end_first_too() -> usize {
    let cell = RefCell::new(vec![1, 2]);
    cell.borrow().len()
}

#[time_me(name = "only", outcome)]
async fn temporaries_end_first_later() -> usize {
    let cell = RefCell::new(vec![1, 2]);
    cell.borrow().len()
}

#[time_me(name = "only", outcome)]
fn captures<T: Display>(text: &str, shown: T) -> impl Display {
    format!("{text}{shown}").into_boxed_str()
}

#[time_me(name = "only", outcome)]
fn captures_nothing(text: &str) -> impl Iterator<Item = usize> + use<> {
    let length = text.len();
    0..length
}

#[time_me(name = "only", outcome)]
async fn takes_a_closure(ask: impl AsyncFn(u8) -> u8) -> u8 {
    ask(1).await
}

#[time_me(name = "only", outcome, tags(r#gen = r#gen))]
fn a_keyword(r#gen: u8) -> u8 {
    r#gen
}

#[count_me(name = "only.calls")]
#[time_me(name = "only", outcome)]
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
extern "C" fn telemetry_e2024(value: u8) -> u8 {
    value
}

/// All of them, once or twice.
///
/// # Panics
///
/// If one gives what it should not.
pub fn only_here() {
    assert_eq!((chains(Some("1")), chains(None), chains(Some("x")).is_err()), (Ok(1), Ok(0), true));
    assert_eq!((temporaries_end_first(), temporaries_end_first_too()), (2, 2));
    assert_eq!(shapes::ready(temporaries_end_first_later()), 2);
    assert_eq!(captures("a", 1).to_string(), "a1");
    let text = "text".to_owned();
    let numbers = captures_nothing(&text);
    drop(text);
    assert_eq!(numbers.count(), 4);
    assert_eq!(shapes::ready(takes_a_closure(async |n| n + 1)), 2);
    assert_eq!((a_keyword(1), telemetry_e2024(2)), (1, 2));
}
