//! `count!`, `time!` and the others in the middle of a function, and attributes that other macros write.

use telemetry_layer::prelude::*;
use telemetry_tests::{count_of, measured, recorded};

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
fn a_finished_point_is_sent_from_the_middle_of_a_function() {
    let kept = recorded(|_| record!("node.load", 0.7));
    assert_eq!(kept.metrics.iter().filter(|m| m.identity.name == "node.load").count(), 1);
}
