//! What kind of error it was.

use std::future::Future;
use std::task::{Context, Waker};

use telemetry_layer::prelude::*;
use telemetry_tests::{count_of, measured, ready};

#[derive(Debug)]
enum Refused {
    Empty,
    TooLong(usize),
}

impl Refused {
    fn kind(&self) -> &'static str {
        if matches!(self, Self::Empty) { "empty" } else { "too_long" }
    }
}

type Answer = Result<usize, Refused>;

#[time_me(name = "kinds.closure", outcome, error_type = Refused::kind, span = false)]
fn by_closure(text: &str) -> Answer {
    match text.len() {
        0 => Err(Refused::Empty),
        n @ 4.. => Err(Refused::TooLong(n)),
        n => Ok(n),
    }
}

#[time_me(name = "kinds.name", outcome, err, error_type, tags(len = text.len()))]
async fn by_name(text: &str) -> Result<u8, std::num::ParseIntError> {
    text.parse()
}

#[count_me(name = "kinds.count", outcome, error_type = Refused::kind, value = text.len(), tags(first = &text[..1]))]
fn counted(text: &str) -> Answer {
    by_closure(&text[1..])
}

#[count_me(name = "kinds.calls", outcome)]
async fn counted_late(forever: bool) -> Result<(), ()> {
    assert!(!forever || std::future::pending::<bool>().await);
    Err(())
}

#[test]
fn calls_are_counted_by_how_they_ended() {
    let metrics = measured(|| {
        counted("a").unwrap_err();
        counted("bc").unwrap();
        counted("bcd").unwrap();
        ready(counted_late(false)).unwrap_err();
        let mut cancelled = std::pin::pin!(counted_late(true));
        assert!(cancelled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(
            std::panic::catch_unwind(|| counted("é")).is_err(),
            "a slice in a character, before the call"
        );
    });
    let of = |name: &str, tags: &[(&str, &str)]| count_of(&metrics, name, tags);
    assert_eq!(of("kinds.count", &[("outcome", "ok"), ("first", "b")]), 5);
    assert_eq!(of("kinds.count", &[("outcome", "error"), ("error.type", "empty"), ("first", "a")]), 1);
    assert_eq!(of("kinds.calls", &[("outcome", "error")]), 1);
    assert_eq!(of("kinds.calls", &[("outcome", "cancelled")]), 1);
}

#[test]
fn an_error_says_of_what_kind_it_was_where_that_is_wanted() {
    let metrics = measured(|| {
        for text in ["", "a", "bcde", "bcdef"] {
            if let Err(Refused::TooLong(len)) = by_closure(text) {
                assert_eq!(len, text.len());
            }
        }
        ready(by_name("7")).unwrap();
        ready(by_name("x")).unwrap_err();
    });
    let of = |name: &str, tags: &[(&str, &str)]| count_of(&metrics, name, tags);
    assert_eq!(of("kinds.closure", &[("outcome", "error"), ("error.type", "empty")]), 1);
    assert_eq!(of("kinds.closure", &[("outcome", "error"), ("error.type", "too_long")]), 2);
    assert_eq!(of("kinds.closure", &[("outcome", "ok")]), 1);
    let parse = "core::num::error::ParseIntError";
    assert_eq!(of("kinds.name", &[("outcome", "error"), ("error.type", parse), ("len", "1")]), 1);
    assert_eq!(metrics.named("kinds.name").filter(|metric| metric.tag("error.type").is_some()).count(), 1);
}
