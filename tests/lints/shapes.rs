//! Functions of which lints have something to say. The tests compile this text with attributes in place of `#[measured]`,
//! and without them.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

pub mod docs {
    //! Functions that others see.

    #[measured]
    pub fn undocumented() {}

    /// Nobody says when it fails.
    #[measured(result)]
    pub fn fails(n: u8) -> Result<u8, String> {
        if n == 0 { Err("none".to_owned()) } else { Ok(n) }
    }

    /// Nobody says when it fails.
    #[measured(result)]
    pub async fn fails_later(n: u8) -> Result<u8, String> {
        super::wait().await;
        if n == 0 { Err("none".to_owned()) } else { Ok(n) }
    }

    /// Nobody says when it panics.
    #[measured]
    pub fn panics(n: Option<u8>) -> u8 {
        n.unwrap()
    }

    /// Nobody says when it panics.
    #[measured]
    pub fn asserts(n: u8) {
        assert!(n > 3, "too small");
    }

    /// Nobody says when it is safe.
    #[measured]
    pub unsafe fn is_unsafe(n: *const u8) -> u8 {
        // SAFETY: who calls it knows.
        unsafe { *n }
    }

    /// It should be safe.
    #[measured]
    pub fn reads(n: *const u8) -> u8 {
        // SAFETY: it is not.
        unsafe { *n }
    }

    /// Its result is all that it does.
    #[measured]
    pub fn pure(n: u8) -> u8 {
        n.wrapping_add(1)
    }

    /// The error says nothing.
    ///
    /// # Errors
    ///
    /// Always.
    #[measured]
    pub fn unit_error() -> Result<u8, ()> {
        Err(())
    }

    /// Both say the same.
    #[measured]
    #[must_use]
    pub fn must(n: u8) -> Result<u8, u8> {
        if n == 0 { Err(n) } else { Ok(n) }
    }

    /// Nothing to use.
    #[measured]
    #[must_use]
    pub fn must_nothing() {}

    /// Always.
    #[measured]
    #[inline(always)]
    pub fn inlined() -> usize {
        std::env::args().count()
    }

    /// Says `someThing` without ticks: someThing, and HashMap.
    #[measured]
    pub fn marked() {}
}

async fn wait() {
    std::future::ready(()).await;
}

#[measured]
fn dead() {}

#[measured]
async fn dead_later() {
    wait().await;
}

#[measured]
async fn dead_at_once() {}

#[measured]
fn dead_future() -> impl Future<Output = u8> {
    async { 1 }
}

#[measured(result)]
fn dead_result() -> Result<u8, String> {
    "1".parse::<u8>().map_err(|error| error.to_string())
}

#[measured(never)]
fn dead_never() -> ! {
    std::process::exit(1)
}

struct Dead(u8);

impl Dead {
    #[measured]
    fn method(&self) -> u8 {
        self.0
    }

    #[measured]
    async fn later(&self) -> u8 {
        wait().await;
        self.0
    }

    #[measured]
    fn associated() -> Self {
        Self(std::env::args().count() as u8)
    }
}

/// What is used, so that other lints have their turn.
pub fn uses() {
    let _ = (unused(1, 2), mutable(3), Named_Badly(4), recursive(1), by_value(String::new()), by_ref(&1));
    let _ = (wrapped(1), returns(1), binds(1), words(&String::new(), &Vec::new()), unreachable(1));
    let _ = (many(1, 2, 3, 4, 5, 6, 7, 8), bools(true, false, true, false), lifetimes("a"), braces(), Used::new(1));
    let _ = (overwritten(1), underscore(1), items(1), boxed(Box::new(1)), complex(None), question(Some(1)));
    let _ = (large([0; 4096]), hashed(&HashMap::new()), parameters::<u8>(), depends(3, 4), ignored(), asks("1"));
    let used = Used(1);
    let _ = (used.not_used(), used.to_used(), used.is_used(), used.other_mut(&mut 1));
    let _ = (awaits(1), at_once(1), at_once_with_macro(1), at_once_with_block(1), at_once_result(1));
    let _ = (manual(1), pinned(1), holds(std::rc::Rc::new(1)), in_an_unsafe_block(1), no_semicolon(&mut 1));
    let _ = (awaits_result(1), unused_later(1, 2), returned_unused(1, 2), needs_no_mut(&mut 1), casts(-1));
    let _ = (inner::hidden(), wildcard(Some(1)), matched(Some(1)), looped(&[1]), formatted(1), generic(1u32), cloned("a"));
    let _ = (deprecated_caller(), defaults(1), mapped(Some(1)), temporary(), expression(1));
}

#[measured]
fn unused(used: u8, never: u8) -> u8 {
    let also_never = used;
    used
}

#[measured]
async fn unused_later(used: u8, never: u8) -> u8 {
    let also_never = used;
    wait().await;
    used
}

#[measured]
fn returned_unused(used: u8, never: u8) -> impl Future<Output = u8> {
    let also_never = used;
    async move { used }
}

#[measured]
fn mutable(mut never: u8) -> u8 {
    let mut also = never;
    also
}

#[measured]
fn Named_Badly(AlsoBadly: u8) -> u8 {
    AlsoBadly
}

#[measured]
fn recursive(n: u8) -> u8 {
    recursive(n)
}

#[measured]
fn by_value(text: String) -> usize {
    text.len()
}

#[measured]
fn by_ref(n: &u8) -> u8 {
    *n
}

#[measured]
fn wrapped(n: u8) -> Option<u8> {
    Some(n)
}

#[measured]
fn returns(n: u8) -> u8 {
    return n;
}

#[measured]
fn binds(n: u8) -> u8 {
    let result = n + 1;
    result
}

#[measured]
fn words(text: &String, list: &Vec<u8>) -> usize {
    text.len() + list.len()
}

#[measured]
fn unreachable(n: u8) -> u8 {
    return n;
    n + 1
}

#[measured]
fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8 {
    a + b + c + d + e + f + g + h
}

#[measured]
fn bools(a: bool, b: bool, c: bool, d: bool) -> bool {
    a && b && c && d
}

#[measured]
fn lifetimes<'a>(text: &'a str) -> &'a str {
    text
}

#[measured]
fn braces() -> u8 {
    { 1 }
}

#[measured]
fn overwritten(n: u8) -> u8 {
    let mut sum = 1;
    sum = n;
    sum
}

#[measured]
fn underscore(_n: u8) -> u8 {
    _n
}

#[measured]
fn items(n: u8) -> u8 {
    let n = n + 1;
    const LATE: u8 = 1;
    n + LATE
}

#[measured]
fn boxed(n: Box<u8>) -> u8 {
    *n
}

#[measured]
fn complex(all: Option<Vec<Option<Box<dyn Fn(Vec<Option<u8>>, HashMap<String, Vec<u8>>) -> Option<Vec<u8>>>>>>) -> usize {
    all.map_or(0, |all| all.len())
}

#[measured]
fn question(n: Option<u8>) -> Option<u8> {
    Some(n?)
}

#[measured]
fn large(all: [u8; 4096]) -> usize {
    all.len()
}

#[measured]
fn hashed(all: &HashMap<String, u8>) -> usize {
    all.len()
}

#[measured]
fn parameters<T>() -> u8 {
    1
}

#[measured]
fn depends(n: u8, only_handed_on: u8) -> u8 {
    if n == 0 { 0 } else { depends(n - 1, only_handed_on) }
}

#[measured]
fn ignored() {
    "1".parse::<u8>();
}

#[measured(result)]
fn asks(text: &str) -> Result<u8, std::num::ParseIntError> {
    Ok(text.parse::<u8>()?)
}

#[measured]
fn needs_no_mut(n: &mut u8) -> u8 {
    *n
}

#[measured]
fn casts(n: i32) -> u8 {
    n as u8
}

#[measured]
fn wildcard(n: Option<u8>) -> u8 {
    match n {
        Some(n) => n,
        _ => 0,
    }
}

#[measured]
fn matched(n: Option<u8>) {
    match n {
        Some(n) => println!("{}", n),
        None => {}
    }
}

#[measured]
fn looped(all: &[u8]) -> u8 {
    for i in 0..all.len() {
        return all[i];
    }
    0
}

#[measured]
fn formatted(n: u8) -> String {
    format!("{}", n)
}

#[measured]
fn generic<T: Into<u64>>(n: T) -> u64 {
    let n: u64 = n.into();
    n as u64
}

#[measured]
fn cloned(text: &str) -> String {
    let owned = text.to_string();
    owned.clone()
}

#[deprecated]
fn deprecated() {}

#[measured]
fn deprecated_caller() {
    deprecated();
}

#[measured]
fn defaults(n: u8) -> u8 {
    let text: String = Default::default();
    n + text.len() as u8
}

#[measured]
fn mapped(n: Option<u8>) -> u8 {
    n.map(|n| n + 1).unwrap_or(0)
}

#[measured]
fn temporary() -> usize {
    let _ = std::sync::Mutex::new(1).lock();
    1
}

#[measured]
fn expression(n: u8) -> bool {
    if n > 3 { true } else { false }
}

#[measured]
fn no_semicolon(n: &mut u8) {
    drop(std::mem::take(n))
}

#[measured]
fn in_an_unsafe_block(n: u8) -> u8 {
    unsafe { n }
}

#[measured]
async fn awaits(n: u8) -> u8 {
    wait().await;
    return n;
}

#[measured(result)]
async fn awaits_result(n: u8) -> Result<u8, std::num::ParseIntError> {
    wait().await;
    Ok("1".parse::<u8>()? + n)
}

#[measured]
async fn at_once(n: u8) -> u8 {
    n
}

#[measured]
async fn at_once_with_macro(n: u8) -> String {
    format!("{n}")
}

#[measured]
async fn at_once_with_block(n: u8) -> impl Future<Output = ()> {
    let _ = n;
    async move { wait().await }
}

#[measured(result)]
async fn at_once_result(n: u8) -> Result<u8, String> {
    Ok(n)
}

#[measured]
fn manual(n: u8) -> impl Future<Output = u8> {
    async move { n }
}

#[measured]
fn pinned(n: u8) -> Pin<Box<dyn Future<Output = u8> + Send>> {
    Box::pin(async move { return n })
}

#[measured]
async fn holds(shared: std::rc::Rc<u8>) -> u8 {
    wait().await;
    *shared
}

pub(crate) struct Used(u8);

impl Used {
    #[measured]
    fn new(n: u8) -> Option<u8> {
        Some(n)
    }

    #[measured]
    fn not_used(&self) -> u8 {
        1
    }

    #[measured]
    fn to_used(self: &Used) -> Self {
        Used(self.0)
    }

    #[measured]
    fn is_used(&self) -> bool {
        self.0 == 1
    }

    #[measured]
    fn other_mut<'a>(&self, other: &'a mut u8) -> &'a mut u8 {
        other
    }
}

mod inner {
    #[measured]
    pub fn hidden() -> u8 {
        let x = 3;
        x
    }
}

#[measured(block)]
impl Whole {
    fn dead(&self) {}

    /// Nobody says when it fails.
    pub fn fails(&self, never: u8) -> Result<u8, String> {
        Err("always".to_owned())
    }
}

/// A type.
pub struct Whole;

#[measured(block)]
mod whole {
    fn dead() {}

    async fn dead_later() {}
}

/// A trait.
pub trait Shop {
    /// Nobody says when it fails.
    #[measured(result)]
    fn with_default(&self, never: u8) -> Result<u8, String> {
        let also_never = 1;
        Ok(self.required(1))
    }

    /// What others do.
    fn required(&self, n: u8) -> u8;
}

impl Shop for Whole {
    #[measured]
    fn required(&self, never: u8) -> u8 {
        return 1;
    }
}

macro_rules! emitted {
    ($name:ident $body:block) => {
        #[measured]
        fn $name(never: u8) -> u8 $body
    };
}

emitted! {
    dead_of_a_macro {
        let result = 1;
        result
    }
}

/// Others call it.
#[measured]
pub extern "C" fn for_others(never: *const u8) -> u8 {
    let mut unchanged = 1;
    unchanged
}
