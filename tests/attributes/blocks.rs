//! Attributes on whole `impl` blocks and modules.

use telemetry_layer::prelude::*;
use telemetry_tests::{count_of, measured};

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
    assert_eq!((calls("attributes::blocks::One::work"), calls("attributes::blocks::Two::work")), (1, 1));
    assert_eq!(count_of(&metrics, "function.calls", &[("side", "right")]), 1);
    assert_eq!((metrics.total("function.calls"), metrics.total("own")), (2.0, 1.0));
    let timed = |name: &str| count_of(&metrics, "function.duration", &[("code.function.name", name)]);
    assert_eq!(
        (timed("attributes::blocks::inner::first"), timed("attributes::blocks::inner::deeper::second")),
        (1, 1)
    );
    assert_eq!(metrics.total("function.duration"), 2.0);
}
