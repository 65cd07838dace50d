//! Async functions and others that return futures.

use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::panic::{catch_unwind, panic_any};
use std::pin::Pin;
use std::rc::Rc;

use telemetry_layer::time_me;

use super::plain::shadowed;
use super::{emitted_later, is_send, ready};

#[time_me(name = "async", outcome)]
#[allow(unsafe_code)]
async unsafe fn unsafely_later(value: &u8) -> u8 {
    let value: *const u8 = value;
    // SAFETY: it was a reference.
    unsafe { *value }
}

#[time_me(name = "async", outcome)]
async fn generic_later<T: Display + Send + Sync, const N: usize>(all: &[T; N], by: &str) -> String {
    let mut text = Vec::new();
    for one in all {
        std::future::ready(()).await;
        text.push(one.to_string());
    }
    text.join(by)
}

#[time_me(name = "async", outcome)]
async fn impl_from_async(n: u8, _shown: impl Display) -> impl Display {
    if n == 0 {
        return "none".to_owned();
    }
    n.to_string()
}

#[time_me(name = "async", outcome)]
async fn boxed(early: bool) -> Result<Box<dyn Display>, Box<dyn Error>> {
    if early {
        return Ok(Box::new(1));
    }
    Err("late".into())
}

#[time_me(name = "async", outcome)]
async fn boxed_trait(n: u8) -> Box<dyn Fn() -> u8 + Send> {
    if n > 3 {
        return Box::new(move || n);
    }
    Box::new(|| 0)
}

#[time_me(name = "async", outcome)]
async fn not_send(shared: Rc<u8>, caller: u8, _guard: u8, result: u8) -> u8 {
    std::future::ready(()).await;
    *shared + caller + _guard + result
}

#[time_me(name = "async")]
async fn never_later(why: &'static str) -> ! {
    std::future::ready(()).await;
    panic_any(why)
}

#[time_me(name = "future", outcome)]
fn returns_a_future<'a>(text: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
    Box::pin(async move { text.len() })
}

/// All of them, once or twice.
pub fn async_functions() {
    #[allow(unsafe_code)]
    // SAFETY: nothing about it is unsafe.
    let unsafely = unsafe { unsafely_later(&3) };
    assert_eq!(ready(is_send(unsafely)), 3);
    assert_eq!(ready(is_send(generic_later(&[1, 2], "+"))), "1+2");
    assert_eq!(ready(is_send(impl_from_async(0, 1))).to_string(), "none");
    assert_eq!(ready(boxed(true)).unwrap().to_string(), "1");
    assert!(ready(boxed(false)).is_err());
    assert_eq!(ready(is_send(boxed_trait(4)))(), 4);
    assert_eq!(ready(not_send(Rc::new(9), 1, 2, 3)), 15);
    assert_eq!(ready(is_send(shadowed::works_later(1))), 3);
    assert_eq!(ready(returns_a_future("four")), 4);
    assert_eq!((ready(emitted_later(0)), ready(emitted_later(1))), (Err("zero".to_owned()), Ok(1)));
    catch_unwind(|| ready(never_later("gone"))).unwrap_err();
    // What is never polled never began.
    drop(impl_from_async(1, 1));
}
