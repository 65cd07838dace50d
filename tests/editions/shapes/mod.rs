//! Shapes of functions that the attributes must leave as they were. Each edition compiles this text by itself, and
//! `tests/editions.rs` runs it and looks at the numbers.

// A user's function may be anything.
#![allow(clippy::missing_panics_doc, clippy::needless_pass_by_value, clippy::used_underscore_binding)]
#![allow(clippy::elidable_lifetime_names, clippy::unused_async, clippy::unused_self)]

mod calls;
mod drops;
mod endings;
mod later;
mod methods;
mod plain;
mod stacked;

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

pub use self::calls::call_macros;
pub use self::drops::drops;
pub use self::endings::endings;
pub use self::later::async_functions;
pub use self::methods::{methods, methods_of_a_block_with_two_attributes};
pub use self::plain::plain_functions;
pub use self::stacked::stacked;

struct Idle;

impl Wake for Idle {
    fn wake(self: Arc<Self>) {}
}

/// What the future gives when it is polled once, if it is ready then.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(&Waker::from(Arc::new(Idle)))) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// What the future gives at once.
///
/// # Panics
///
/// If it is not ready when it is polled.
pub fn ready<F: Future>(future: F) -> F::Output {
    poll_once(Box::pin(future).as_mut()).expect("it is ready at once")
}

fn is_send<T: Send>(value: T) -> T {
    value
}

/// Annotates functions, wherever it is used.
#[macro_export]
macro_rules! annotated {
    ($($(#[$attribute:meta])* fn $name:ident($($argument:ident: $of:ty),*) -> $ty:ty $body:block)*) => {$(
        $(#[$attribute])*
        #[::telemetry_layer::count_me(name = "emitted.calls")]
        #[::telemetry_layer::time_me(name = "emitted", outcome)]
        fn $name($($argument: $of),*) -> $ty $body
    )*};
    (later $($item:item)*) => {$(
        #[::telemetry_layer::time_me(name = "emitted.async", outcome)]
        $item
    )*};
}

annotated! {
    fn emitted(n: u8) -> Result<u8, ()> { if n == 0 { Err(()) } else { Ok(n) } }
    #[inline]
    fn emitted_too(_guard: u8) -> impl Display { _guard + 1 }
}

annotated! { later
    async fn emitted_later(n: u8) -> Result<u8, String> {
        let n = if n == 0 { Err("zero") } else { Ok(n) }?;
        Ok(n)
    }
}
