//! The attributes and macros, as a program uses them.

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
fn macros_measure_in_the_middle_of_a_function() {
    let metrics = measured(|| {
        let kind = String::from("card");
        count!("m.plain");
        count!("m.plain", 4);
        count!("m.float", 0.5, level = "info", tags(kind = kind));
        count!("m.sourced", source = "till");
        gauge!("m.heat", 21.5, tags(unit = 'c', room = kind.len()));
        let timer = time!("m.timed", tags(kind = "x"));
        drop(timer);
        {
            let _timer = time!("m.timed", tags(kind = kind));
        }
    });
    assert_eq!(
        (metrics.total("m.plain"), metrics.total("m.float"), metrics.total("m.heat")),
        (5.0, 0.5, 21.5)
    );
    assert_eq!(count_of(&metrics, "m.sourced", &[("source", "till")]), 1);
    assert_eq!(count_of(&metrics, "m.timed", &[("kind", "card")]), 1);
    assert_eq!(metrics.total("m.timed"), 2.0);
    assert!(metrics.named("m.heat").all(|m| m.tag("unit") == Some("c") && m.tag("room") == Some("4")));
}

mod through_macro_rules {
    use telemetry_layer::prelude::*;

    static SITE: &str = "eu";

    #[rustfmt::skip]
    macro_rules! counted {
        ($name:literal, $function:ident) => {
            #[count_me(name = $name, tags(site = SITE, literal = $name))]
            pub(super) fn $function() -> u32 {
                7
            }
            pub(super) fn hit() {
                count!($name, tags(site = SITE));
            }
        };
    }
    counted!("by.macro", made);

    pub(super) struct Shown;
    impl std::fmt::Display for Shown {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("shown")
        }
    }
}

#[test]
fn names_may_come_from_macros_and_tags_from_anything_that_shows_itself() {
    use through_macro_rules::{Shown, hit, made};
    let metrics = measured(|| {
        assert_eq!(made(), 7);
        hit();
        let shared: std::sync::Arc<str> = "shared".into();
        count!("tagged", tags(a = Shown, b = shared, c = 1u8 + 1, d = format!("{}", 2)));
    });
    assert_eq!(count_of(&metrics, "by.macro", &[("site", "eu")]), 2);
    assert_eq!(count_of(&metrics, "tagged", &[("a", "shown"), ("b", "shared"), ("c", "2"), ("d", "2")]), 1);
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

mod renamed {
    pub(crate) use telemetry_layer as other;
}

#[count_me(name = "unit.count", unit = "{order}", description = "Orders.", crate = crate::renamed::other)]
fn described() {}

#[time_me(name = "bucketed", buckets = [0.5, 60.0], span = false)]
fn bucketed() {}

/// Pays.
#[time_me(err, active, fields(user = %user, amount), name = "pay")]
fn pay(user: u8, amount: u64) -> Result<u64, String> {
    let running = Collector::current().map(|c| c.snapshot().total("pay.active"));
    assert_eq!(running, Some(1.0));
    if amount == 0 { Err("nothing to pay".to_owned()) } else { Ok(amount) }
}

#[time_me(err, outcome)]
async fn pay_later(amount: u64) -> Result<u64, String> {
    let paid = pay(1, amount)?;
    Ok(paid)
}

#[time_me(active)]
async fn runs_for_ever() {
    std::future::pending::<()>().await;
}

struct One(u8);
struct Two(u8);

#[count_me]
impl One {
    fn work(&self) -> u8 {
        self.0
    }

    #[skip]
    fn quiet(&self) -> u8 {
        self.0
    }

    const fn constant(&self) -> u8 {
        self.0
    }

    #[count_me(name = "own")]
    fn own(&self) -> u8 {
        self.0
    }
}

#[count_me(tags(side = "right"))]
impl Two {
    fn work(&self) -> u8 {
        self.0
    }
}

#[time_me(span = false)]
mod inner {
    pub(super) fn first() {}

    pub(super) mod deeper {
        pub(in super::super) fn second() {}
    }

    #[skip]
    pub(super) fn third() {}
}

#[time_me(buckets = [0.5], span = false)]
fn with_buckets() {}

#[time_me(span = false)]
fn without_buckets() {}

#[test]
fn the_buckets_of_one_function_are_not_those_of_others() {
    let metrics = measured(|| (with_buckets(), without_buckets(), with_buckets()).0);
    let bounds: Vec<_> =
        metrics.named("function.duration").map(|m| m.histogram().unwrap().bounds.clone()).collect();
    assert_eq!(bounds, [vec![0.5], vec![]]);
}

#[test]
fn what_a_metric_is_is_said_where_it_is_recorded() {
    let metrics = measured(|| {
        described();
        bucketed();
        telemetry_layer::histogram!(
            "sizes",
            700u64,
            unit = "By",
            buckets = [100.0, 1000.0],
            tags(kind = "a")
        );
        let kind = String::from("b");
        telemetry_layer::histogram!("sizes", 70, unit = "By", buckets = [100.0, 1000.0], tags(kind));
    });
    let one = |name: &'static str| metrics.named(name).next().unwrap();
    assert_eq!((one("unit.count").unit(), one("unit.count").description()), ("{order}", "Orders."));
    assert_eq!(
        (one("bucketed").unit(), &one("bucketed").histogram().unwrap().bounds[..]),
        ("s", &[0.5, 60.0][..])
    );
    let sizes: Vec<_> = metrics.named("sizes").map(|m| m.histogram().unwrap().buckets.clone()).collect();
    assert_eq!(sizes, [[(1, 1)], [(0, 1)]]);
}

#[test]
fn a_finished_point_is_sent_from_the_middle_of_a_function() {
    let kept = recorded(|_| telemetry_layer::record!("node.load", 0.7));
    assert_eq!(kept.metrics.iter().filter(|m| m.identity.name == "node.load").count(), 1);
}

#[test]
fn errors_fields_and_calls_in_flight() {
    let kept = recorded(|collector| {
        let _ = pay(7, 3);
        let _ = ready(pay_later(0));
        assert_eq!(collector.snapshot().total("pay.active"), 0.0);
        let mut running = Box::pin(runs_for_ever());
        let _ = running.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(collector.snapshot().total("function.active"), 1.0);
        drop(running);
        assert_eq!(collector.snapshot().total("function.active"), 0.0, "also where it was cancelled");
    });
    let paid: Vec<_> = kept.spans.iter().filter(|span| span.name == "pay").collect();
    let field =
        |at: usize, name: &str| paid[at].fields.iter().find(|(k, _)| k == name).map(|(_, v)| v.to_string());
    assert_eq!(
        (field(0, "user"), field(0, "amount"), field(0, "error")),
        (Some("7".into()), Some("3".into()), None)
    );
    assert_eq!(
        (field(1, "error"), &paid[1].status),
        (Some("nothing to pay".into()), &Status::Error("nothing to pay".into()))
    );
    assert_eq!(kept.span("pay_later").status, Status::Error("nothing to pay".into()));
    assert_eq!(paid[0].status, Status::Unset);
}

#[test]
fn whole_blocks_and_modules_are_annotated() {
    let metrics = measured(|| {
        let one = One(1);
        assert_eq!((one.work(), Two(2).work(), one.constant(), one.quiet(), one.own()), (1, 2, 1, 1, 1));
        inner::first();
        inner::deeper::second();
        inner::third();
    });
    let calls = |name: &str| count_of(&metrics, "function.calls", &[("code.function.name", name)]);
    assert_eq!((calls("attributes::One::work"), calls("attributes::Two::work")), (1, 1));
    assert_eq!(count_of(&metrics, "function.calls", &[("side", "right")]), 1);
    assert_eq!((metrics.total("function.calls"), metrics.total("own")), (2.0, 1.0));
    let timed = |name: &str| count_of(&metrics, "function.duration", &[("code.function.name", name)]);
    assert_eq!((timed("attributes::inner::first"), timed("attributes::inner::deeper::second")), (1, 1));
    assert_eq!(metrics.total("function.duration"), 2.0);
}

/// Whether the counter of the machine is what the library measures by.
fn has_counter() -> bool {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    cfg!(target_arch = "x86_64") && std::fs::read_to_string(path).is_ok_and(|clock| clock.trim() == "tsc")
}

#[test]
fn a_call_and_its_span_begin_and_end_with_one_reading_of_the_clock() {
    #[time_me(name = "inner", fields(from = "inner"))]
    fn inner() -> u64 {
        sum()
    }

    fn sum() -> u64 {
        std::hint::black_box((0..2_000).sum())
    }

    // Its span does not open: `tracing` lets a scoped subscriber see nothing while it looks at fields.
    #[time_me]
    fn beneath() -> u64 {
        sum()
    }

    struct Deep;

    impl std::fmt::Debug for Deep {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            std::fmt::Display::fmt(&beneath(), f)
        }
    }

    #[time_me(name = "shown", fields(deep = ?Deep))]
    fn shown() {}

    #[time_me(name = "outer", outcome, fields(sum = inner()))]
    fn outer() -> Result<u64, String> {
        let before = std::time::Instant::now();
        let sum = inner();
        while before.elapsed().as_micros() < 50 {}
        checked(sum)
    }

    #[time_me(name = "checked", outcome, err)]
    fn checked(sum: u64) -> Result<u64, String> {
        Ok(sum + inner())
    }

    let mut metrics = None;
    let kept = recorded(|collector| {
        // The first call of a thread finds no cell, and measures by the collector's clock.
        for _ in 0..20 {
            outer().unwrap();
            shown();
        }
        metrics = Some(collector.snapshot());
    });
    let metrics = metrics.unwrap();
    let timed = |name: &str, spans: usize| {
        let timer = metrics.named(name).next().unwrap().histogram().unwrap();
        let lasted: Vec<u64> =
            kept.spans.iter().filter(|span| span.name == name).map(|span| span.duration_nano).collect();
        assert_eq!((timer.count as usize, lasted.len()), (spans, spans), "{name}");
        (timer.min.unwrap() * 1e9, timer.max.unwrap() * 1e9, lasted)
    };
    for (name, spans) in [("outer", 20), ("shown", 20), ("checked", 20), ("inner", 60)] {
        let (min, max, lasted) = timed(name, spans);
        let (least, most) = (*lasted.iter().min().unwrap() as f64, *lasted.iter().max().unwrap() as f64);
        assert!(least <= min + 1.0 && most <= max + 1.0, "a span is not open longer: {name} {lasted:?}");
        // Of `outer` a call that makes a field comes between its start and that of its span.
        if has_counter() && name != "outer" {
            assert!((least - min).abs() < 2.0, "{name}: {min} as measured, {least} as a span");
        }
    }
    let outer_spans: Vec<_> = kept.spans.iter().filter(|span| span.name == "outer").collect();
    let within = |span: &telemetry_layer::model::Span| {
        outer_spans.iter().any(|outer| {
            Some(outer.span_id) == span.parent_span_id && outer.start_unix_nano <= span.start_unix_nano
        })
    };
    let inside = kept.spans.iter().filter(|span| span.name == "inner").filter(|span| within(span)).count();
    assert_eq!(inside, 20, "a field is made before its span begins");
}

mod kinds {
    //! What kind of error it was.
    use super::*;

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
        assert_eq!(
            metrics.named("kinds.name").filter(|metric| metric.tag("error.type").is_some()).count(),
            1
        );
    }
}
