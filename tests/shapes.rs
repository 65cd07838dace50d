//! Every shape of function that the attributes must leave as it was: type, lifetime, `Send`, and the numbers right.

#![deny(warnings, missing_docs, clippy::pedantic)]
#![allow(
    clippy::unused_async,
    clippy::used_underscore_binding,
    clippy::needless_pass_by_value,
    clippy::elidable_lifetime_names
)]

use std::fmt::Display;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use telemetry_layer::metrics::Snapshot;
use telemetry_layer::prelude::*;
use telemetry_tests::{count_of, measured, ready, recorded};

/// How many calls ended so.
fn ended(metrics: &Snapshot, name: &str, outcome: &str) -> u64 {
    count_of(metrics, name, &[("outcome", outcome)])
}

fn is_send<T: Send>(value: T) -> T {
    value
}

macro_rules! timed_and_counted {
    ($($(#[$attribute:meta])* $vis:vis fn $name:ident() -> $ty:ty $body:block)*) => {$(
        $(#[$attribute])*
        #[count_me(name = "emitted")]
        #[time_me(name = "emitted.time", outcome)]
        $vis fn $name() -> $ty $body
    )*};
}

timed_and_counted! {
    fn emitted() -> Result<u8, ()> { Ok(1) }
    #[inline]
    fn emitted_too() -> u8 { 2 }
}

#[time_me(name = "unsafe", outcome)]
#[allow(unsafe_code, unsafe_op_in_unsafe_fn)]
unsafe fn unsafely(value: &u8) -> u8 {
    *std::ptr::from_ref(value)
}

#[time_me(name = "extern", outcome)]
extern "C" fn for_c(value: u8) -> u8 {
    value + 1
}

#[time_me(name = "unsafe.async", outcome)]
#[allow(unsafe_code)]
async unsafe fn unsafely_later(value: u8) -> u8 {
    value
}

#[count_me(name = "generic")]
#[time_me(name = "generic.time", outcome)]
fn generic<'a, 'b: 'a, T, const N: usize>(first: &'a [T; N], second: &'b [T; N]) -> Option<&'a T>
where
    T: PartialOrd + 'b,
{
    let (first, second) = (first.first()?, second.first()?);
    Some(if first < second { first } else { second })
}

#[time_me(name = "mutable", outcome)]
fn mutable<'a>(all: &'a mut Vec<u8>, at: usize) -> &'a mut u8 {
    if at >= all.len() {
        all.resize(at + 1, 0);
    }
    &mut all[at]
}

#[time_me(name = "never")]
fn never(why: &str) -> ! {
    panic!("{why}")
}

#[time_me(name = "impl.out", outcome)]
fn impl_out(n: u8) -> impl Iterator<Item = u8> + Clone {
    0..n
}

#[time_me(name = "impl.tuple", outcome)]
fn impl_in_a_tuple(shown: impl Display + Copy) -> (impl Display, Option<impl Display + Copy>) {
    (shown, Some(shown))
}

#[time_me(name = "impl.async", outcome)]
async fn impl_from_async(n: u8) -> impl Display {
    if n == 0 {
        return "none".to_owned();
    }
    n.to_string()
}

#[time_me(name = "boxed", outcome)]
async fn boxed(early: bool) -> Result<Box<dyn Display>, Box<dyn std::error::Error>> {
    if early {
        return Ok(Box::new(1));
    }
    Err("late".into())
}

#[time_me(name = "dyn", outcome)]
async fn boxed_trait(n: u8) -> Box<dyn Fn() -> u8 + Send> {
    if n > 3 {
        return Box::new(move || n);
    }
    Box::new(|| 0)
}

#[count_me(name = "tracked")]
#[track_caller]
fn tracked() -> u32 {
    std::panic::Location::caller().line()
}

#[time_me(name = "patterns", outcome)]
fn patterns((a, mut b): (u8, u8), [c, ..]: [u8; 3], Point { x, .. }: Point, _: u8) -> u8 {
    b += 1;
    a + b + c + x
}

struct Point {
    x: u8,
    _y: u8,
}

#[time_me(name = "names", outcome)]
#[count_me(name = "names.calls", value = result)]
fn names(caller: u8, _guard: u8, result: u8, __timer: u8, site: u8, core: u8) -> u8 {
    caller + _guard + result + __timer + site + core
}

#[time_me(name = "cfg", outcome)]
fn cfgd(kept: u8, #[cfg(any())] gone: NoSuchType) -> u8 {
    kept
}

#[time_me(outcome)]
fn r#match(r#type: u8) -> u8 {
    r#type
}

#[time_me(name = "recursion", outcome)]
fn factorial(n: u64) -> u64 {
    if n < 2 { 1 } else { n * factorial(n - 1) }
}

type Answer<T> = std::result::Result<T, String>;

#[time_me(name = "alias", outcome)]
fn alias(value: &str) -> Answer<u8> {
    let n = value.parse::<u8>().map_err(|e| e.to_string())?;
    if n == 7 {
        return Err("seven".to_owned());
    }
    Ok(n)
}

mod shadowed {
    //! Names of the prelude and of crates that mean something else here.
    #![allow(dead_code, non_camel_case_types)]

    pub(super) mod telemetry_layer {}
    pub(super) mod core {}
    pub(super) mod std {}
    pub(super) struct Option;
    pub(super) struct Result;
    pub(super) struct Some;
    pub(super) struct Ok;
    pub(super) trait Drop {}
    pub(super) trait Clone {}
    type u8 = ();

    #[::telemetry_layer::time_me(name = "shadowed", outcome, active)]
    #[::telemetry_layer::count_me(name = "shadowed.calls", tags(kind = "a"))]
    pub(super) fn works() -> u32 {
        3
    }

    #[::telemetry_layer::time_me(name = "shadowed.async", outcome)]
    pub(super) async fn works_later() -> u32 {
        4
    }
}

trait Shop {
    #[time_me(name = "default", outcome)]
    fn with_default(&self) -> u8 {
        self.required()
    }

    fn required(&self) -> u8;

    fn later(&self) -> impl Future<Output = u8> + Send;

    fn boxed<'a>(&'a self) -> Pin<Box<dyn Future<Output = u8> + Send + 'a>>;
}

struct Small(u8);

impl Shop for Small {
    #[time_me(name = "required", outcome)]
    fn required(&self) -> u8 {
        self.0
    }

    #[time_me(name = "rpitit", outcome)]
    async fn later(&self) -> u8 {
        self.0
    }

    #[time_me(name = "hand.boxed", outcome)]
    fn boxed<'a>(&'a self) -> Pin<Box<dyn Future<Output = u8> + Send + 'a>> {
        Box::pin(async move { self.0 })
    }
}

impl Small {
    #[time_me(name = "self", outcome)]
    fn by_value(self) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_mut(&mut self) -> &mut u8 {
        self.0 += 1;
        &mut self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_box(self: Box<Self>) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_arc(self: Arc<Self>) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_pin(self: Pin<&mut Self>) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    async fn later_mut(&mut self, by: &u8) -> &u8 {
        self.0 += by;
        &self.0
    }
}

#[tracing::instrument(ret, err)]
#[time_me(name = "stacked", outcome, span = false)]
fn instrumented_first(n: u8) -> Result<u8, String> {
    if n == 0 { Err("zero".to_owned()) } else { Ok(n) }
}

#[time_me(name = "stacked", outcome)]
#[tracing::instrument(skip_all)]
async fn instrumented_second(n: u8) -> Result<u8, String> {
    if n == 0 { Err("zero".to_owned()) } else { Ok(n) }
}

#[time_me(name = "not.send", outcome)]
async fn not_send(shared: Rc<u8>) -> u8 {
    std::future::ready(()).await;
    *shared
}

#[test]
fn all_shapes_of_plain_functions_give_what_they_gave() {
    let metrics = measured(|| {
        assert_eq!((emitted(), emitted_too()), (Ok(1), 2));
        #[allow(unsafe_code)]
        // SAFETY: it reads a reference.
        let read = unsafe { unsafely(&7) };
        assert_eq!((read, for_c(1)), (7, 2));
        let pointer: extern "C" fn(u8) -> u8 = for_c;
        assert_eq!(pointer(2), 3);
        assert_eq!(generic(&[3, 4], &[2, 9]), Some(&2));
        assert_eq!(generic::<u8, 0>(&[], &[]), None);
        let mut all = vec![];
        *mutable(&mut all, 2) = 5;
        assert_eq!(all, [0, 0, 5]);
        assert_eq!(impl_out(3).clone().sum::<u8>(), 3);
        assert_eq!(impl_in_a_tuple(4).1.map(|shown| shown.to_string()).as_deref(), Some("4"));
        assert_eq!(tracked(), line!());
        assert_eq!(patterns((1, 2), [3, 0, 0], Point { x: 4, _y: 0 }, 9), 11);
        assert_eq!(names(1, 2, 3, 4, 5, 6), 21);
        assert_eq!((cfgd(1), r#match(2), factorial(5)), (1, 2, 120));
        assert_eq!(shadowed::works(), 3);
        catch_unwind(AssertUnwindSafe(|| never("gone"))).unwrap_err();
    });
    assert_eq!(
        (metrics.total("emitted"), metrics.total("emitted.time"), metrics.total("never")),
        (2.0, 2.0, 1.0)
    );
    assert_eq!((ended(&metrics, "generic.time", "ok"), metrics.total("generic")), (2, 2.0));
    assert_eq!((ended(&metrics, "recursion", "ok"), metrics.total("names.calls")), (5, 3.0));
    for name in ["unsafe", "mutable", "impl.out", "impl.tuple", "patterns", "names", "cfg", "shadowed"] {
        assert_eq!(ended(&metrics, name, "ok"), 1, "{name}");
    }
    let raw = metrics.named("function.duration").next().unwrap();
    assert_eq!(raw.tag("code.function.name"), Some("shapes::match"));
}

#[test]
fn all_shapes_of_async_functions_give_what_they_gave() {
    let metrics = measured(|| {
        #[allow(unsafe_code)]
        // SAFETY: nothing about it is unsafe but its name.
        let unsafely = unsafe { unsafely_later(3) };
        assert_eq!(ready(is_send(unsafely)), 3);
        assert_eq!(ready(is_send(impl_from_async(0))).to_string(), "none");
        assert_eq!(ready(boxed(true)).unwrap().to_string(), "1");
        assert_eq!(ready(boxed(false)).err().unwrap().to_string(), "late");
        assert_eq!(ready(is_send(boxed_trait(4)))(), 4);
        assert_eq!(ready(is_send(shadowed::works_later())), 4);
        assert_eq!(ready(not_send(Rc::new(9))), 9);
        drop(is_send(impl_from_async(1)));
        catch_unwind(AssertUnwindSafe(|| ready(async { is_send(factorial_later(3)).await }))).unwrap_err();
        drop(ready_once(waits()));
    });
    assert_eq!((ended(&metrics, "boxed", "ok"), ended(&metrics, "boxed", "error")), (1, 1));
    assert_eq!(ended(&metrics, "impl.async", "ok"), 1, "one that is never polled never began");
    assert_eq!((ended(&metrics, "panics", "panic"), ended(&metrics, "waits", "cancelled")), (1, 1));
}

#[time_me(name = "panics", outcome)]
async fn factorial_later(n: u64) -> u64 {
    std::future::ready(()).await;
    assert!(n < 3, "too large");
    n
}

#[time_me(name = "waits", outcome)]
async fn waits() {
    std::future::pending::<()>().await;
}

/// Polled once, and not done.
fn ready_once<F: Future>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    future
}

#[test]
fn methods_of_every_kind_of_self_and_of_traits() {
    let metrics = measured(|| {
        let mut small = Small(1);
        assert_eq!((*small.by_mut(), small.with_default(), small.required()), (2, 2, 2));
        assert_eq!((ready(is_send(small.later())), ready(is_send(small.boxed()))), (2, 2));
        assert_eq!(*ready(is_send(small.later_mut(&3))), 5);
        assert_eq!(Pin::new(&mut small).by_pin(), 5);
        assert_eq!((small.by_value(), Box::new(Small(2)).by_box(), Arc::new(Small(3)).by_arc()), (5, 2, 3));
    });
    assert_eq!(ended(&metrics, "self", "ok"), 6);
    for (name, calls) in [("default", 1), ("required", 2), ("rpitit", 1), ("hand.boxed", 1)] {
        assert_eq!(ended(&metrics, name, "ok"), calls, "{name}");
    }
}

#[test]
fn early_returns_errors_and_aliases_of_result() {
    let metrics = measured(|| {
        assert_eq!((alias("3"), alias("7")), (Ok(3), Err("seven".to_owned())));
        assert!(alias("x").is_err());
    });
    assert_eq!((ended(&metrics, "alias", "ok"), ended(&metrics, "alias", "error")), (1, 2));
}

#[test]
fn stacked_with_instrument_in_both_orders() {
    let kept = recorded(|collector| {
        assert_eq!((instrumented_first(1), instrumented_first(0)), (Ok(1), Err("zero".to_owned())));
        assert_eq!(
            (ready(instrumented_second(1)), ready(instrumented_second(0))),
            (Ok(1), Err("zero".to_owned()))
        );
        let metrics = collector.snapshot();
        assert_eq!((ended(&metrics, "stacked", "ok"), ended(&metrics, "stacked", "error")), (2, 2));
    });
    let count = |name: &str| kept.spans.iter().filter(|span| span.name == name).count();
    assert_eq!((count("instrumented_first"), count("instrumented_second"), count("stacked")), (2, 2, 2));
}

#[time_me(name = "size")]
async fn with_a_span(held: [u8; 200]) -> u8 {
    std::future::ready(()).await;
    held[0]
}

#[time_me(name = "size", span = false, outcome)]
async fn without_a_span(held: [u8; 200]) -> u8 {
    std::future::ready(()).await;
    held[0]
}

#[tracing::instrument(skip_all)]
async fn with_instrument(held: [u8; 200]) -> u8 {
    std::future::ready(()).await;
    held[0]
}

#[count_me(name = "size.count")]
async fn plain(held: [u8; 200]) -> u8 {
    std::future::ready(()).await;
    held[0]
}

#[test]
fn futures_grow_by_little() {
    let size = |future: &dyn std::any::Any| size_of_val(future);
    let (plain, instrumented) = (size(&plain([0; 200])), size(&with_instrument([0; 200])));
    assert!(size(&without_a_span([0; 200])) <= plain + 64);
    assert!(size(&with_a_span([0; 200])) <= instrumented, "not more than with #[instrument]");
}
