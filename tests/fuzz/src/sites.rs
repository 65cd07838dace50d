//! Call sites, made as the macros of `tracing` make them.

use std::sync::LazyLock;

use telemetry_core::Level;
use tracing_core::callsite::Identifier;
use tracing_core::field::FieldSet;
use tracing_core::{Callsite, Interest, Kind, Metadata};

/// All there are.
static SITES: LazyLock<[&'static Metadata<'static>; 5]> = LazyLock::new(|| {
    const LONG: &str = "a.name.that.is.longer.than.the.place.that.is.kept.for.it";
    [
        site("work", "shop::cart", Some(("src/cart.rs", Some(12))), &["user", "message", LONG, "r#type"]),
        site("späť", "shop::cart", Some(("src/cart.rs", None)), &[]),
        site("event src/pay.rs:7", "shop::pay", Some(("src/pay.rs", Some(7))), &["code.file.path", "b"]),
        site("event src/pay.rs:8", "shop::pay", Some(("src/pay.rs", Some(8))), &["message", "a", "c"]),
        site("nowhere", "", None, &["a", "b"]),
    ]
});

/// The call site of that number; none for the higher ones.
pub fn site_of(number: u8) -> Option<&'static Metadata<'static>> {
    SITES.get(usize::from(number)).copied()
}

fn site(
    name: &'static str,
    target: &'static str,
    place: Option<(&'static str, Option<u32>)>,
    fields: &'static [&'static str],
) -> &'static Metadata<'static> {
    struct Nobody;
    impl Callsite for Nobody {
        fn set_interest(&self, _: Interest) {}
        fn metadata(&self) -> &Metadata<'_> {
            SITES[0]
        }
    }
    static NOBODY: Nobody = Nobody;
    let (file, line) = place.unzip();
    let fields = FieldSet::new(fields, Identifier(&NOBODY));
    Box::leak(Box::new(Metadata::new(
        name,
        target,
        Level::WARN,
        file,
        line.flatten(),
        None,
        fields,
        Kind::SPAN,
    )))
}

/// One of the five levels.
pub fn level(number: u8) -> Level {
    [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE][usize::from(number % 5)]
}
