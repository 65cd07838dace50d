//! Shapes of functions that the attributes must leave as they were. Each edition compiles this text by itself, and
//! `tests/editions.rs` runs it and looks at the numbers.

// A user's function may be anything.
#![allow(clippy::missing_panics_doc, clippy::needless_pass_by_value, clippy::used_underscore_binding)]
#![allow(clippy::elidable_lifetime_names, clippy::unused_async, clippy::unused_self)]

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use telemetry_layer::{count, count_me, gauge, histogram, record, time, time_me};

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

// --- plain functions

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

mod shadowed {
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
    pub(super) async fn works_later(n: u32) -> u32 {
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

// --- async functions

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

// --- methods

trait Shop {
    #[time_me(name = "trait", outcome)]
    fn with_default(&self) -> u8 {
        self.required()
    }

    fn required(&self) -> u8;

    fn later(&self, by: &u8) -> impl Future<Output = u8> + Send;
}

struct Small(u8);

impl Shop for Small {
    #[time_me(name = "trait", outcome)]
    fn required(&self) -> u8 {
        self.0
    }

    #[time_me(name = "trait", outcome)]
    async fn later(&self, by: &u8) -> u8 {
        self.0 + by
    }
}

impl<'a> From<&'a [u8]> for Small {
    #[time_me(name = "trait", outcome)]
    fn from(all: &'a [u8]) -> Self {
        Self(all.iter().sum())
    }
}

impl Small {
    #[time_me(name = "self", outcome)]
    fn by_value(self) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_ref(&self) -> &u8 {
        &self.0
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
    fn by_rc(self: Rc<Self>) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_arc(self: &Arc<Self>) -> u8 {
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

    #[time_me(name = "self", outcome)]
    async fn later_value(mut self, by: u8) -> Self {
        self.0 += by;
        self
    }
}

struct Whole;

#[time_me(span = false)]
impl Whole {
    const fn constant() -> u8 {
        1
    }

    fn counted(&self) -> u8 {
        Self::constant()
    }

    #[skip]
    fn skipped(&self) -> u8 {
        2
    }
}

#[count_me]
mod module {
    pub(super) fn counted() -> u8 {
        skipped()
    }

    #[skip]
    fn skipped() -> u8 {
        3
    }
}

/// Methods of every kind of `self`, of traits, and of blocks that are annotated as a whole.
pub fn methods() {
    let mut small = Small(1);
    assert_eq!((*small.by_mut(), *small.by_ref(), small.with_default(), small.required()), (2, 2, 2, 2));
    assert_eq!((ready(is_send(small.later(&1))), *ready(is_send(small.later_mut(&3)))), (3, 5));
    assert_eq!((Pin::new(&mut small).by_pin(), small.by_value()), (5, 5));
    assert_eq!(
        (Box::new(Small(2)).by_box(), Rc::new(Small(3)).by_rc(), Arc::new(Small(4)).by_arc()),
        (2, 3, 4)
    );
    assert_eq!((Small::from(&[1, 2][..]).0, ready(Small(1).later_value(2)).0), (3, 3));
    assert_eq!((Whole.counted(), Whole.skipped(), module::counted()), (1, 2, 3));
}

struct Both;

#[count_me]
#[time_me(span = false)]
impl Both {
    fn measured(&self) -> u8 {
        self.skipped()
    }

    #[skip]
    fn skipped(&self) -> u8 {
        2
    }
}

/// Methods of a block with two attributes, of which one says that it is to be skipped.
pub fn methods_of_a_block_with_two_attributes() {
    assert_eq!((Both.measured(), Both.skipped()), (2, 2));
}

// --- how a call ends

#[time_me(name = "ends", outcome, active)]
fn ends(text: &str) -> Result<u8, Box<dyn Error>> {
    let n = text.parse::<u8>()?;
    assert!(n > 0, "not zero");
    Ok(n)
}

#[time_me(name = "ends.async", outcome, active)]
async fn ends_later(text: &str) -> Result<u8, Box<dyn Error>> {
    let n = text.parse::<u8>()?;
    if n == 255 {
        std::future::pending::<()>().await;
    }
    assert!(n > 0, "not zero");
    Ok(n)
}

#[count_me(name = "recursion.calls")]
#[time_me(name = "recursion", outcome)]
fn factorial(n: u64) -> u64 {
    if n < 2 { 1 } else { n * factorial(n - 1) }
}

#[time_me(name = "recursion.async", outcome)]
async fn factorial_later(n: u64) -> u64 {
    if n < 2 { 1 } else { n * Box::pin(factorial_later(n - 1)).await }
}

/// Two calls that return, one that returns early, one that panics, one that is cancelled, and recursion of five.
pub fn endings() {
    assert_eq!((ends("1").unwrap(), ends("2").unwrap()), (1, 2));
    assert_eq!((ready(ends_later("1")).unwrap(), ready(ends_later("2")).unwrap()), (1, 2));
    assert!(ends("x").is_err() && ready(ends_later("x")).is_err());
    catch_unwind(|| ends("0").is_ok()).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| ready(ends_later("0")).is_ok())).unwrap_err();
    assert!(poll_once(Box::pin(ends_later("255")).as_mut()).is_none());
    assert_eq!((factorial(5), ready(factorial_later(5))), (120, 120));
}

// --- beside `#[instrument]`

#[tracing::instrument(ret, err)]
#[time_me(name = "stacked", outcome)]
fn instrumented_first(n: u8) -> Result<u8, String> {
    let n = n.checked_sub(1).ok_or("zero")?;
    Ok(n)
}

#[time_me(name = "stacked", outcome)]
#[tracing::instrument(skip_all)]
fn instrumented_second(n: u8) -> Result<u8, String> {
    let n = n.checked_sub(1).ok_or("zero")?;
    Ok(n)
}

#[tracing::instrument(skip_all, err)]
#[count_me(name = "stacked.calls")]
#[time_me(name = "stacked", outcome, err)]
async fn instrumented_first_later(n: u8) -> Result<u8, String> {
    let n = n.checked_sub(1).ok_or("zero")?;
    Ok(n)
}

#[time_me(name = "stacked", outcome, fields(n = n))]
#[count_me(name = "stacked.calls")]
#[tracing::instrument(ret)]
async fn instrumented_second_later(n: u8) -> Result<u8, String> {
    let n = n.checked_sub(1).ok_or("zero")?;
    Ok(n)
}

/// One success and one error of each.
pub fn stacked() {
    for n in 0..2 {
        let wanted = if n == 0 { Err("zero".to_owned()) } else { Ok(0) };
        assert_eq!((instrumented_first(n), instrumented_second(n)), (wanted.clone(), wanted.clone()));
        assert_eq!(ready(is_send(instrumented_first_later(n))), wanted);
        assert_eq!(ready(is_send(instrumented_second_later(n))), wanted);
    }
}

// --- macros inside of functions

fn in_the_middle(n: u32) -> Result<u32, std::num::ParseIntError> {
    count!("middle.calls");
    count!("middle.items", u64::from(n), tags(n = n, kind = "a"));
    let _timer = time!("middle", tags(n = n));
    let text = {
        let _timer = time!("middle.text", level = "warn");
        n.to_string()
    };
    if n == 2 {
        gauge!("middle.gauge", 0.5, source = "middle");
    }
    histogram!("middle.histogram", n, tags(n), unit = "By", buckets = [1.0, 2.0]);
    record!("middle.point", n);
    let n = match n {
        3 => "three".parse()?,
        _ => text.parse()?,
    };
    Ok(n)
}

/// Three calls, of which the last returns early.
pub fn call_macros() {
    assert_eq!((in_the_middle(1), in_the_middle(2)), (Ok(1), Ok(2)));
    assert!(in_the_middle(3).is_err());
}

// --- the order of drops

struct Noisy<'a>(&'a RefCell<Vec<&'static str>>, &'static str);

impl Noisy<'_> {
    fn name(&self) -> &'static str {
        self.1
    }
}

impl Drop for Noisy<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

type Log = RefCell<Vec<&'static str>>;

macro_rules! drops {
    ($($(#[$attribute:meta])* $name:ident, $later:ident;)*) => {$(
        $(#[$attribute])*
        #[allow(tail_expr_drop_order)]
        fn $name(log: &Log) -> &'static str {
            let _local = Noisy(log, "local");
            Noisy(log, "temporary").name()
        }

        $(#[$attribute])*
        #[allow(tail_expr_drop_order)]
        async fn $later(log: &Log) -> &'static str {
            let _local = Noisy(log, "local");
            std::future::ready(()).await;
            Noisy(log, "temporary").name()
        }
    )*};
}

drops! {
    drops_plain, drops_plain_later;
    #[count_me(name = "drops")] drops_counted, drops_counted_later;
    #[time_me(name = "drops")] drops_timed, drops_timed_later;
    #[time_me(name = "drops", span = false)] drops_timed_only, drops_timed_only_later;
    #[time_me(name = "drops", outcome)] drops_with_outcome, drops_with_outcome_later;
}

/// What is dropped in which order when a function ends: without an attribute, and with each of them.
pub fn drops() -> Vec<[Vec<&'static str>; 2]> {
    macro_rules! each {
        ($($name:ident, $later:ident;)*) => { vec![$([of($name), of(|log| ready($later(log)))]),*] };
    }
    fn of(f: impl FnOnce(&Log) -> &'static str) -> Vec<&'static str> {
        let log = Log::default();
        assert_eq!(f(&log), "temporary");
        log.into_inner()
    }
    each! {
        drops_plain, drops_plain_later;
        drops_counted, drops_counted_later;
        drops_timed, drops_timed_later;
        drops_timed_only, drops_timed_only_later;
        drops_with_outcome, drops_with_outcome_later;
    }
}
