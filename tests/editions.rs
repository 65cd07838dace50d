//! The attributes and macros in crates of every edition: the same text compiled in each of them gives the same values
//! and the same numbers. `tests/editions/shapes` is that text.

use telemetry_layer::metrics::Snapshot;
use telemetry_layer::model::{Span, Status};
use telemetry_tests::{Kept, count_of, measured, recorded};

/// How many calls ended with `ok`, `error`, `panic`, `cancelled`.
fn ended(metrics: &Snapshot, name: &str) -> [u64; 4] {
    ["ok", "error", "panic", "cancelled"].map(|outcome| count_of(metrics, name, &[("outcome", outcome)]))
}

fn unnamed<'a>(metrics: &'a Snapshot, name: &'a str) -> Vec<&'a str> {
    let mut names: Vec<_> = metrics.named(name).map(|m| m.tag("code.function.name").unwrap()).collect();
    names.sort_unstable();
    names
}

fn check_plain(krate: &str, metrics: &Snapshot) {
    assert_eq!(ended(metrics, "plain"), [13, 1, 0, 0]);
    // Two of `generic`, one of each: `tracked`, `works`, `of_a_renamed_crate`.
    assert_eq!((metrics.total("plain.calls"), metrics.total("plain.values")), (5.0, 3.0));
    let values = metrics.named("plain.values").next().unwrap();
    assert_eq!((values.tag("caller"), values.tag("core")), (Some("1"), Some("6")));
    assert_eq!((metrics.total("never"), metrics.total("plain.active")), (1.0, 0.0));
    assert_eq!((ended(metrics, "emitted"), metrics.total("emitted.calls")), ([2, 1, 0, 0], 3.0));
    let (bare, raw) = (format!("{krate}::shapes::plain::bare"), format!("{krate}::shapes::plain::match"));
    assert_eq!(unnamed(metrics, "function.duration"), [&*bare, &raw]);
    assert_eq!(unnamed(metrics, "function.calls"), [&*bare]);
}

fn check_async(metrics: &Snapshot) {
    assert_eq!(ended(metrics, "async"), [7, 1, 0, 0]);
    assert_eq!((ended(metrics, "future"), ended(metrics, "emitted.async")), ([1, 0, 0, 0], [1, 1, 0, 0]));
    // One that panicked has taken its time too.
    assert_eq!(metrics.named("async").map(|m| m.histogram().unwrap().count).sum::<u64>(), 9);
}

fn check_methods(krate: &str, metrics: &Snapshot) {
    assert_eq!((ended(metrics, "self"), ended(metrics, "trait")), ([9, 0, 0, 0], [5, 0, 0, 0]));
    let (whole, module) = (
        format!("{krate}::shapes::methods::Whole::counted"),
        format!("{krate}::shapes::methods::module::counted"),
    );
    assert_eq!(unnamed(metrics, "function.calls"), [&*module]);
    assert_eq!(unnamed(metrics, "function.duration"), [&*whole]);
}

fn check_two_attributes(krate: &str, metrics: &Snapshot) {
    let measured = format!("{krate}::shapes::methods::Both::measured");
    assert_eq!(unnamed(metrics, "function.calls"), [&*measured]);
    assert_eq!(unnamed(metrics, "function.duration"), [&*measured]);
}

fn check_endings(metrics: &Snapshot) {
    assert_eq!((ended(metrics, "ends"), ended(metrics, "ends.async")), ([2, 1, 1, 0], [2, 1, 1, 1]));
    assert_eq!(
        (ended(metrics, "recursion"), ended(metrics, "recursion.async")),
        ([5, 0, 0, 0], [5, 0, 0, 0])
    );
    assert_eq!(metrics.total("recursion.calls"), 5.0);
    for active in ["ends.active", "ends.async.active"] {
        assert_eq!(metrics.named(active).count(), 1);
        assert_eq!(metrics.total(active), 0.0, "nothing runs any more");
    }
}

fn check_stacked(metrics: &Snapshot, kept: &Kept) {
    assert_eq!((ended(metrics, "stacked"), metrics.total("stacked.calls")), ([4, 4, 0, 0], 4.0));
    let of = |name: &str| kept.spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let timed = of("stacked");
    assert_eq!(timed.iter().filter(|span| matches!(span.status, Status::Error { .. })).count(), 4);
    let within = |inner: &[&Span], outer: &[&Span]| {
        let is_within = |span: &&&Span| outer.iter().any(|outer| Some(outer.span_id) == span.parent_span_id);
        inner.iter().filter(is_within).count()
    };
    // The attribute that stands first sees the body first, so that the second one wraps what it made.
    for first in ["instrumented_first", "instrumented_first_later"] {
        assert_eq!((within(&of(first), &timed), within(&timed, &of(first))), (2, 0), "{first}");
    }
    for second in ["instrumented_second", "instrumented_second_later"] {
        assert_eq!((within(&of(second), &timed), within(&timed, &of(second))), (0, 2), "{second}");
    }
}

fn check_call_macros(metrics: &Snapshot, kept: &Kept) {
    assert_eq!((metrics.total("middle.calls"), metrics.total("middle.items")), (3.0, 6.0));
    let counts = |name: &str| metrics.named(name).map(|m| m.histogram().unwrap().count).collect::<Vec<_>>();
    assert_eq!((counts("middle"), counts("middle.text")), (vec![1; 3], vec![3]));
    assert_eq!((counts("middle.histogram"), metrics.total("middle.gauge")), (vec![1; 3], 0.5));
    assert_eq!(kept.metrics.iter().filter(|m| m.identity.name == "middle.point").count(), 3);
}

macro_rules! edition {
    ($name:ident, only: $only:expr, drops: $drops:expr) => {
        mod $name {
            use super::*;
            use ::$name::shapes;

            #[test]
            fn plain_functions() {
                check_plain(stringify!($name), &measured(shapes::plain_functions));
            }

            #[test]
            fn async_functions() {
                check_async(&measured(shapes::async_functions));
            }

            #[test]
            fn methods() {
                check_methods(stringify!($name), &measured(shapes::methods));
            }

            #[test]
            fn skip_in_a_block_with_two_attributes() {
                let metrics = measured(shapes::methods_of_a_block_with_two_attributes);
                check_two_attributes(stringify!($name), &metrics);
            }

            #[test]
            fn endings() {
                check_endings(&measured(shapes::endings));
            }

            #[test]
            fn stacked_with_instrument() {
                let mut metrics = None;
                let kept = recorded(|collector| {
                    shapes::stacked();
                    metrics = Some(collector.snapshot());
                });
                check_stacked(&metrics.unwrap(), &kept);
            }

            #[test]
            fn call_macros() {
                let mut metrics = None;
                let kept = recorded(|collector| {
                    shapes::call_macros();
                    metrics = Some(collector.snapshot());
                });
                check_call_macros(&metrics.unwrap(), &kept);
            }

            #[test]
            fn what_only_this_edition_allows() {
                assert_eq!(ended(&measured(::$name::only_here), "only"), $only);
            }

            #[test]
            fn what_is_dropped_when() {
                for (which, orders) in shapes::drops().iter().enumerate() {
                    assert_eq!(orders, &[$drops, $drops], "the attribute with the number {which}");
                }
            }

            /// The text of one edition in a crate of another.
            #[test]
            fn macros_of_this_edition_in_this_crate() {
                ::$name::annotated! {
                    fn early(text: &str) -> Result<u8, std::num::ParseIntError> {
                        let n = text.parse()?;
                        Ok(n)
                    }
                }
                let metrics = measured(|| assert!(early("1").is_ok() && early("x").is_err()));
                assert_eq!((ended(&metrics, "emitted"), metrics.total("emitted.calls")), ([1, 1, 0, 0], 2.0));
            }
        }
    };
}

// Before 2024, temporaries of the last expression outlive the locals.
edition! {
    e2018, only: [8, 0, 1, 0],
    drops: ["local", "temporary"]
}
edition! {
    e2021, only: [7, 1, 0, 0],
    drops: ["local", "temporary"]
}
edition! { e2024, only: [9, 1, 0, 0], drops: ["temporary", "local"] }
