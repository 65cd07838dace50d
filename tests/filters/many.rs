//! Several collectors, and subscribers within each other.

use std::collections::BTreeSet;

use telemetry_layer::prelude::*;
use telemetry_tests::beside::{Ours, view};
use tracing::subscriber::with_default;
use tracing::{info, info_span};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry;

use crate::{lines, program, seen_with};

#[test]
fn each_of_many_collectors_has_a_view_of_its_own() {
    let many: [Ours; 4] = std::array::from_fn(|_| Ours::default());
    let levels = [LevelFilter::TRACE, LevelFilter::INFO, LevelFilter::WARN, LevelFilter::OFF];
    let layers = many.iter().zip(levels).map(|(ours, level)| ours.layer().with_filter(level));
    let second = many[1].layer().with_filter(filter_fn(|site| site.name() == "bill"));
    let subscriber =
        registry().with(layers.collect::<Vec<_>>()).with(Some(second)).with(None::<TelemetryLayer>);
    with_default(subscriber, program);
    let kept = many.map(|ours| ours.kept());
    let spans = |name: &str| {
        let ids = kept.iter().flat_map(|kept| &kept.spans).filter(|span| span.name == name);
        ids.map(|span| span.span_id).collect::<BTreeSet<_>>()
    };
    // Each layer has ids of its own, also two of one collector.
    assert_eq!((spans("bill").len(), spans("shop").len(), spans("deeper").len()), (3, 2, 3));
    for ((at, kept), level) in kept.iter().enumerate().zip(levels).filter(|((at, _), _)| *at != 1) {
        assert_eq!(view(kept), seen_with(|| level), "{at}");
    }
}

#[test]
fn subscribers_within_each_other_do_not_mix() {
    let (outer, inner) = (Ours::default(), Ours::default());
    let inside = tracing::Dispatch::new(registry().with(inner.layer()));
    with_default(registry().with(outer.layer()), || {
        let span = info_span!("outer").entered();
        let kept = tracing::dispatcher::with_default(&inside, || {
            info!("in none of the inner ones");
            let kept = info_span!("inner");
            // Entered and asked where it came from, whoever is the default.
            info_span!("below inner").in_scope(|| span.in_scope(|| info!("in below inner")));
            kept
        });
        kept.in_scope(|| info!("in outer"));
        info_span!("child").in_scope(|| tracing::dispatcher::with_default(&inside, || drop(kept)));
    });
    drop(inside);
    let seen = ["outer in none", "outer: in outer", "child in outer"];
    assert_eq!(view(&outer.kept()), lines(&seen));
    let seen = [
        "inner in none",
        "below inner in none",
        "none: in none of the inner ones",
        "below inner: in below inner",
    ];
    assert_eq!(view(&inner.kept()), lines(&seen));
}
