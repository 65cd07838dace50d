//! The attributes and macros, as a program uses them.

#![allow(clippy::unused_async, clippy::unused_self, reason = "how they are measured does not depend on it")]

mod arguments;
mod beginning;
mod blocks;
mod clock;
mod kinds;
mod macros;

use std::fmt::Display;
use std::future::Future;
use std::task::{Context, Waker};

use telemetry_layer::Level;
use telemetry_layer::model::Status;
use telemetry_layer::prelude::*;
use telemetry_tests::{collector, count_of, measured, ready, recorded};

#[count_me]
#[time_me]
fn both(n: u64) -> u64 {
    n + 1
}

#[count_me(name = "items", value = items.len(), level = "warn", source = "till", tags(kind = kind, paid = true, at.hour = 7, "a/b" = &kind[..1]))]
fn all_arguments(items: &[u8], kind: &str) {
    let _ = (items, kind);
}

#[time_me(outcome)]
fn fallible(value: u32) -> std::io::Result<u32> {
    if value == 0 {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    assert_ne!(value, 1, "one panics");
    let checked = u32::try_from(u64::from(value)).map_err(std::io::Error::other)?;
    Ok(checked)
}

#[time_me(outcome, name = "waits", tags(kind = kind))]
async fn waits(kind: &str, forever: bool) -> Result<usize, Box<dyn std::error::Error>> {
    if forever {
        std::future::pending::<()>().await;
    }
    let n: usize = kind.parse()?;
    tracing::info!(n, "inside");
    Ok(n)
}

#[time_me(span = false)]
async fn no_span() -> impl Display {
    tracing::info!("inside");
    7
}

struct Till {
    open: Vec<u32>,
}

impl Till {
    #[count_me]
    #[time_me]
    fn first_mut(&mut self) -> Option<&mut u32> {
        self.open.first_mut()
    }

    #[time_me(outcome)]
    fn longest<'a, T: AsRef<str> + ?Sized>(&self, a: &'a T, b: &'a T) -> Result<&'a str, ()> {
        let (a, b) = (a.as_ref(), b.as_ref());
        Ok(if a.len() + self.open.len() > b.len() { a } else { b })
    }
}

#[test]
fn without_names_functions_are_told_apart_by_a_tag() {
    let metrics = measured(|| assert_eq!((0..3).map(both).sum::<u64>(), 6));
    let tag = [("code.function.name", "attributes::both")];
    assert_eq!(count_of(&metrics, "function.calls", &tag), 3);
    assert_eq!(count_of(&metrics, "function.duration", &tag), 3);
    assert_eq!(metrics.named("function.duration").next().unwrap().unit(), "s");
}

#[test]
fn all_arguments_reach_the_series() {
    let metrics = measured(|| {
        all_arguments(&[1, 2, 3], "fresh");
        all_arguments(&[1], "frozen");
        all_arguments(&[1], "fresh");
    });
    let fixed = [("source", "till"), ("paid", "true"), ("at.hour", "7"), ("a/b", "f")];
    assert_eq!(count_of(&metrics, "items", &fixed), 5);
    assert_eq!(count_of(&metrics, "items", &[("kind", "fresh")]), 4);
    assert_eq!(metrics.len(), 2);
}

#[test]
fn levels_below_the_collectors_least_are_not_taken() {
    let (collector, _) = collector(|b| b.min_level(Level::ERROR));
    collector.scoped(|| {
        all_arguments(&[1], "fresh");
        both(1);
    });
    let metrics = collector.snapshot();
    assert_eq!((metrics.total("items"), metrics.total("function.calls")), (0.0, 1.0));
}

#[test]
fn outcomes_are_ok_error_and_panic_and_go_through_untouched() {
    let kept = recorded(|collector| {
        assert_eq!(fallible(5).unwrap(), 5);
        assert!(fallible(0).is_err());
        assert!(std::panic::catch_unwind(|| fallible(1)).is_err());
        let metrics = collector.snapshot();
        for (outcome, n) in [("ok", 1), ("error", 1), ("panic", 1), ("cancelled", 0)] {
            assert_eq!(count_of(&metrics, "function.duration", &[("outcome", outcome)]), n, "{outcome}");
        }
    });
    let status: Vec<&Status> = kept.spans.iter().map(|s| &s.status).collect();
    assert_eq!(status, [&Status::Unset, &Status::Error(String::new()), &Status::Error("panicked".into())]);
    assert!(
        kept.spans.iter().all(|s| s.name == "fallible" && s.fields.is_empty()),
        "no argument is recorded"
    );
}

#[test]
fn async_functions_are_measured_when_they_end_fail_or_are_dropped() {
    let kept = recorded(|collector| {
        assert_eq!(ready(waits("3", false)).unwrap(), 3);
        assert!(ready(waits("x", false)).is_err());
        let mut dropped = Box::pin(waits("4", true));
        assert!(dropped.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(dropped);
        let metrics = collector.snapshot();
        for (kind, outcome) in [("3", "ok"), ("x", "error"), ("4", "cancelled")] {
            assert_eq!(count_of(&metrics, "waits", &[("kind", kind), ("outcome", outcome)]), 1, "{outcome}");
        }
    });
    assert_eq!(kept.spans.iter().filter(|s| s.name == "waits").count(), 3);
    assert_eq!(kept.event("inside").span_id, Some(kept.spans[0].span_id), "the body runs in the span");
}

#[test]
fn without_a_span_only_the_time_is_measured() {
    let kept = recorded(|collector| {
        assert_eq!(ready(no_span()).to_string(), "7");
        assert_eq!(collector.snapshot().total("function.duration"), 1.0);
    });
    assert_eq!((kept.spans.len(), kept.event("inside").span_id), (0, None));
}

#[test]
fn methods_generics_and_lifetimes_stay_what_they_were() {
    let metrics = measured(|| {
        let mut till = Till { open: vec![1] };
        *till.first_mut().unwrap() += 1;
        assert_eq!(till.open, [2]);
        let kept = till.longest("a", "bb").unwrap();
        assert_eq!(kept, "bb");
    });
    assert_eq!(metrics.total("function.duration"), 2.0);
}

#[test]
fn an_async_function_stays_send() {
    fn is_send<T: Send>(_: &T) {}
    #[time_me(outcome)]
    #[count_me]
    async fn plain() -> Result<(), ()> {
        std::future::ready(()).await;
        Ok(())
    }
    let future = plain();
    is_send(&future);
    drop(future);
}

#[test]
#[rustfmt::skip]
fn inner_attributes_and_bodies_of_one_line_stay_quiet() {
    #[count_me]
    #[time_me]
    fn one_line(x: u32) -> u32 { #![allow(clippy::needless_return)] return x * 2 }
    #[count_me]
    fn plain() -> u32 { 7 }
    #[time_me(outcome)]
    fn fails() -> Result<u32, ()> { Err(()) }
    #[time_me]
    async fn later() -> u32 { 7 }
    assert_eq!((one_line(2), plain(), fails(), ready(later())), (4, 7, Err(()), 7));
}

#[test]
fn without_a_collector_functions_just_run() {
    assert_eq!((both(1), fallible(7).unwrap()), (2, 7));
}
