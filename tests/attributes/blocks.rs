//! Attributes on whole `impl` blocks and modules.

use telemetry_layer::prelude::*;
use telemetry_tests::{count_of, measured, ready, recorded};

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

struct Cart(u8);

#[count_me(name = "shop.cart")]
#[time_me(name = "shop.cart.time", outcome)]
impl Cart {
    fn add(&mut self, n: u8) {
        self.0 += n;
    }

    async fn r#yield(&self) -> Result<u8, ()> {
        std::future::ready(Err(())).await
    }

    #[skip]
    fn quiet(&self) -> u8 {
        self.0
    }

    #[count_me(name = "own.count")]
    fn own(&self) -> u8 {
        self.0
    }
}

#[time_me(name = "stock")]
mod stock {
    pub(super) fn take() {}

    pub(super) struct Shelf;
    pub(super) struct Box<T>(pub(super) T);

    impl Shelf {
        pub(super) fn take(&self) {}
    }

    impl<T> Box<T> {
        pub(super) fn take(&self) {}
    }

    pub(super) mod orders {
        pub(in super::super) fn take() {}

        #[super::super::time_me(name = "own.time")]
        pub(in super::super) fn own() {}
    }
}

#[test]
fn the_name_of_a_block_is_what_those_of_its_functions_begin_with() {
    let kept = recorded(|collector| {
        let mut cart = Cart(1);
        cart.add(1);
        assert_eq!((ready(cart.r#yield()), cart.quiet(), cart.own()), (Err(()), 2, 2));
        stock::take();
        stock::Shelf.take();
        stock::Box(1).take();
        stock::orders::take();
        stock::orders::own();
        let metrics = collector.snapshot();
        let mut names: Vec<_> = metrics.iter().map(|metric| metric.name().to_owned()).collect();
        names.dedup();
        let timed = ["shop.cart.time.add", "shop.cart.time.own", "shop.cart.time.yield"];
        let stock = ["stock.Box.take", "stock.Shelf.take", "stock.orders.take", "stock.take"];
        assert_eq!(
            names,
            [
                &["own.count", "own.time", "shop.cart.add"],
                &timed[..2],
                &timed[2..],
                &["shop.cart.yield"],
                &stock[..]
            ]
            .concat()
        );
        assert_eq!(count_of(&metrics, "shop.cart.time.yield", &[("outcome", "error")]), 1);
    });
    assert_eq!(kept.span("shop.cart.time.add").parent_span_id, None);
    assert_eq!(kept.span("stock.orders.take").parent_span_id, None);
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
