//! Functions of every kind that return at once.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::panic::{catch_unwind, panic_any};

use telemetry_layer::{count_me, time_me};

use super::{emitted, emitted_too};

#[count_me]
#[time_me]
fn bare() {}

#[time_me(name = "plain", outcome)]
#[allow(unsafe_code)]
unsafe fn unsafely(value: *const u8) -> u8 {
    // SAFETY: the caller promises that it can be read.
    unsafe { *value }
}

#[time_me(name = "plain", outcome)]
extern "C" fn for_c(value: u8) -> u8 {
    value + 1
}

#[count_me(name = "plain.calls")]
#[time_me(name = "plain", outcome)]
fn generic<'a, 'b: 'a, T, const N: usize>(first: &'a [T; N], second: &'b [T; N]) -> Option<&'a T>
where
    T: PartialOrd + 'b,
    for<'c> &'c T: Debug,
{
    let (first, second) = (first.first()?, second.first()?);
    Some(if first < second { first } else { second })
}

#[time_me(name = "plain", outcome)]
fn mutable<'a>(all: &'a mut Vec<u8>, at: usize) -> &'a mut u8 {
    if at >= all.len() {
        all.resize(at + 1, 0);
    }
    &mut all[at]
}

#[time_me(name = "plain", outcome)]
fn impl_in_and_out(shown: impl Display + Copy) -> (impl Display, Option<impl Display + Copy>) {
    (shown, Some(shown))
}

#[time_me(name = "plain", outcome)]
fn borrowed_iterator(all: &[u8]) -> impl Iterator<Item = &u8> + Clone {
    all.iter().filter(|n| **n > 1)
}

#[time_me(name = "plain", outcome)]
fn dynamic(early: bool) -> Result<Box<dyn Display>, Box<dyn Error>> {
    if early {
        return Ok(Box::new(1));
    }
    Err("late".into())
}

#[time_me(name = "plain", outcome)]
#[count_me(name = "plain.values", value = result, tags(caller = caller, core = core))]
fn names(caller: u8, _guard: u8, result: u8, __timer: u8, __span: u8, core: u8) -> u8 {
    caller + _guard + result + __timer + __span + core
}

#[time_me(name = "plain", outcome)]
fn patterns((a, mut b): (u8, u8), [c, ..]: [u8; 3], _: u8, #[cfg(any())] gone: NoSuchType) -> u8 {
    b += 1;
    a + b + c
}

#[time_me(outcome)]
fn r#match(r#type: u8) -> u8 {
    r#type
}

#[time_me(name = "never")]
fn never(why: &'static str) -> ! {
    panic_any(why)
}

#[count_me(name = "plain.calls")]
#[track_caller]
fn tracked() -> u32 {
    std::panic::Location::caller().line()
}

pub(super) mod shadowed {
    //! Names of the prelude, of crates and of modules that mean something else here.
    #![allow(dead_code, non_camel_case_types)]

    mod core {}
    mod std {}
    mod telemetry_layer {}
    mod tracing {}
    struct Option;
    struct Result;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct String;
    struct Box;
    trait Clone {}
    trait Drop {}
    trait Fn {}
    trait From {}
    trait Future {}
    trait Into {}
    type str = ();
    type u8 = ();

    #[::telemetry_layer::time_me(name = "plain", outcome, active, tags(n = n))]
    #[::telemetry_layer::count_me(name = "plain.calls", tags(kind = "a", n = n))]
    pub(super) fn works(n: u32) -> u32 {
        n + 1
    }

    #[::telemetry_layer::time_me(name = "async", outcome, fields(n = n))]
    pub(crate) async fn works_later(n: u32) -> u32 {
        n + 2
    }
}

mod again {
    pub(super) use telemetry_layer as renamed;
}

#[again::renamed::time_me(name = "plain", outcome, crate = again::renamed)]
fn of_a_renamed_crate() -> u8 {
    again::renamed::count!("plain.calls", 1, crate = again::renamed);
    1
}

/// All of them, once or twice.
pub fn plain_functions() {
    bare();
    #[allow(unsafe_code)]
    // SAFETY: it reads a reference.
    let read = unsafe { unsafely(&7) };
    assert_eq!((read, for_c(1)), (7, 2));
    let pointer: extern "C" fn(u8) -> u8 = for_c;
    assert_eq!(pointer(2), 3);
    assert_eq!((generic(&[3, 4], &[2, 9]), generic::<u8, 0>(&[], &[])), (Some(&2), None));
    let mut all = vec![1];
    *mutable(&mut all, 2) = 5;
    assert_eq!(borrowed_iterator(&all).clone().collect::<Vec<_>>(), [&5]);
    assert_eq!(impl_in_and_out(4).1.map(|shown| shown.to_string()).as_deref(), Some("4"));
    assert!(dynamic(true).is_ok() && dynamic(false).is_err());
    assert_eq!((names(1, 2, 3, 4, 5, 6), patterns((1, 2), [3, 0, 0], 9), r#match(2)), (21, 7, 2));
    assert_eq!((tracked(), shadowed::works(1), of_a_renamed_crate()), (line!(), 2, 1));
    assert_eq!((emitted(0), emitted(1), emitted_too(1).to_string()), (Err(()), Ok(1), "2".to_owned()));
    catch_unwind(|| never("gone")).unwrap_err();
}
