//! What kind of error it was.

use std::future::Future;
use std::task::{Context, Waker};

use telemetry_layer::model::Span;
use telemetry_layer::prelude::*;
use telemetry_tests::{count_of, measured, ready, recorded};

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

struct Failed {
    code: String,
}

impl Failed {
    fn code(&self) -> &str {
        &self.code
    }
}

fn failed() -> Failed {
    Failed { code: "declined".to_owned() }
}

#[time_me(name = "borrowed", outcome, error_type = |e| e.code().trim())]
fn borrowed(fails: bool) -> Result<u8, Failed> {
    if fails { Err(failed()) } else { Ok(1) }
}

#[time_me(name = "borrowed.path", outcome, error_type = Failed::code)]
async fn borrowed_by_path() -> Result<u8, Failed> {
    std::future::ready(()).await;
    Err(failed())
}

#[time_me(name = "borrowed.field", outcome, error_type = |Failed { code }| code)]
fn borrowed_by_pattern() -> impl Future<Output = Result<u8, Failed>> {
    async { Err(failed()) }
}

#[count_me(name = "borrowed.typed", outcome, error_type = |e: &Failed| e.code().get(..3).unwrap_or_default())]
async fn borrowed_and_typed() -> Result<u8, Failed> {
    Err(failed())
}

#[time_me(name = "borrowed.of.borrowed", outcome, error_type = |e| e.code(), tags(a = 1 + 1), fields(n = 1))]
fn borrowed_of_borrowed(of: &Failed) -> Result<u8, &Failed> {
    Err(of)
}

#[time_me(outcome, error_type, span_name = "named")]
fn named() -> Result<u8, std::num::ParseIntError> {
    "x".parse()
}

#[test]
fn what_an_error_is_may_be_borrowed_from_it_and_reaches_the_span() {
    let mut metrics = None;
    let kept = recorded(|collector| {
        assert!(borrowed(true).is_err() && borrowed(false).is_ok());
        assert!(ready(borrowed_by_path()).is_err() && ready(borrowed_by_pattern()).is_err());
        assert!(ready(borrowed_and_typed()).is_err() && borrowed_of_borrowed(&failed()).is_err());
        named().unwrap_err();
        metrics = Some(collector.snapshot());
    });
    let metrics = metrics.unwrap();
    let parse = "core::num::error::ParseIntError";
    for (name, kind, span) in [
        ("borrowed", "declined", "borrowed"),
        ("borrowed.path", "declined", "borrowed.path"),
        ("borrowed.field", "declined", "borrowed.field"),
        ("borrowed.of.borrowed", "declined", "borrowed.of.borrowed"),
        ("function.duration", parse, "named"),
    ] {
        assert_eq!(count_of(&metrics, name, &[("outcome", "error"), ("error.type", kind)]), 1, "{name}");
        let of =
            |span: &Span| span.fields.iter().find(|(key, _)| key == "error.type").map(|(_, v)| v.to_string());
        let kinds: Vec<_> = kept.spans.iter().filter(|it| it.name == span).map(of).collect();
        let want =
            if span == "borrowed" { vec![Some(kind.to_owned()), None] } else { vec![Some(kind.to_owned())] };
        assert_eq!(kinds, want, "{name}");
    }
    assert_eq!(count_of(&metrics, "borrowed.typed", &[("error.type", "dec")]), 1);
    assert_eq!(count_of(&metrics, "borrowed", &[("outcome", "ok")]), 1);
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
