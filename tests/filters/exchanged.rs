//! Filters and layers that are exchanged, come late, or are not there.

use telemetry_layer::prelude::*;
use telemetry_tests::beside::{Ours, View, view};
use tracing::subscriber::with_default;
use tracing::{Subscriber, debug, debug_span, error, info, info_span, trace};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::{registry, reload};

use crate::lines;

#[test]
fn a_filter_can_be_exchanged_while_spans_are_open() {
    let (ours, other) = (Ours::default(), View::default());
    let (own, handle) = reload::Layer::new(LevelFilter::INFO);
    let (others, other_handle) = reload::Layer::new(LevelFilter::INFO);
    let subscriber = registry().with(ours.layer().with_filter(own)).with(other.clone().with_filter(others));
    with_default(subscriber, || {
        let set = |level| {
            handle.reload(level).expect("the filter is there");
            other_handle.reload(level).expect("the other one too");
        };
        let (seen, hidden) = (info_span!("seen").entered(), debug_span!("hidden").entered());
        set(LevelFilter::DEBUG);
        debug!("more");
        let child = debug_span!("child").entered();
        debug!(parent: &*hidden, "it began unseen");
        set(LevelFilter::OFF);
        error!("too late");
        info_span!("too late").in_scope(|| ());
        drop((child, hidden, seen));
        set(LevelFilter::TRACE);
        trace!("at the end");
    });
    let seen = view(&ours.kept());
    let expected =
        ["seen in none", "seen: more", "child in seen", "none: it began unseen", "none: at the end"];
    assert_eq!(seen, lines(&expected));
    assert_eq!(seen, other.lines());
}

#[test]
fn our_layer_can_be_exchanged_while_spans_are_open() {
    let (first, second) = (Ours::default(), Ours::default());
    let (layer, handle) = reload::Layer::new(first.layer().boxed());
    with_default(registry().with(layer), || {
        let early = info_span!("early").entered();
        info_span!("of the first").in_scope(|| info!("to the first"));
        handle.reload(second.layer().boxed()).expect("the layer is there");
        // Nobody has told the second one where the thread is.
        info_span!("of the second").in_scope(|| info!("to the second"));
        early.record("late", 1);
        info!(parent: &*early, "to nobody we know");
        info_span!("child").follows_from(&*early);
        drop(early);
        info_span!("last").in_scope(|| ());
    });
    assert_eq!(view(&first.kept()), lines(&["of the first in ?", "of the first: to the first"]));
    let seen = [
        "of the second in none",
        "of the second: to the second",
        "none: to nobody we know",
        "child in none",
        "last in none",
    ];
    assert_eq!(view(&second.kept()), lines(&seen));
}

#[test]
fn our_layer_can_come_late_and_pause() {
    let ours = Ours::default();
    let (layer, handle) = reload::Layer::new(None::<TelemetryLayer>);
    with_default(registry().with(layer), || {
        let before = info_span!("before").entered();
        handle.reload(Some(ours.layer())).expect("the layer is there");
        info_span!("seen").in_scope(|| info!("said"));
        drop(before);
        handle.reload(None).expect("the layer is there");
        info_span!("not seen").in_scope(|| info!("not said"));
        handle.reload(Some(ours.layer())).expect("the layer is there");
        info_span!("again").in_scope(|| ());
    });
    assert_eq!(view(&ours.kept()), lines(&["seen in none", "seen: said", "again in none"]));
}

#[test]
fn our_layer_asks_for_all_levels_and_no_layer_for_none() {
    let ours = Ours::default();
    let hint = |subscriber: &dyn Subscriber| subscriber.max_level_hint();
    let none = || None::<TelemetryLayer>;
    let boxed = |level| ours.layer().with_filter(level).boxed();
    assert_eq!(hint(&registry().with(ours.layer())), None);
    assert_eq!(hint(&registry().with(Some(ours.layer()))), None);
    assert_eq!(hint(&registry().with(none())), Some(LevelFilter::OFF));
    assert_eq!(hint(&registry().with(LevelFilter::INFO).with(none())), Some(LevelFilter::INFO));
    assert_eq!(hint(&registry().with(LevelFilter::INFO).with(ours.layer())), Some(LevelFilter::INFO));
    assert_eq!(hint(&registry().with(Vec::<TelemetryLayer>::new())), Some(LevelFilter::OFF));
    assert_eq!(hint(&registry().with(boxed(LevelFilter::INFO))), Some(LevelFilter::INFO));
    let many = vec![boxed(LevelFilter::WARN), boxed(LevelFilter::DEBUG)];
    assert_eq!(hint(&registry().with(many)), Some(LevelFilter::DEBUG));
    let many = vec![boxed(LevelFilter::WARN), ours.layer().boxed()];
    assert_eq!(hint(&registry().with(many)), None);
    let (layer, handle) = reload::Layer::new(none());
    let subscriber = registry().with(layer);
    assert_eq!(hint(&subscriber), Some(LevelFilter::OFF));
    handle.reload(Some(ours.layer())).expect("the layer is there");
    assert_eq!(hint(&subscriber), None);
}

#[test]
fn a_layer_that_came_late_can_be_asked() {
    let ours = Ours::default();
    let (layer, handle) = reload::Layer::new(None::<TelemetryLayer>);
    with_default(registry().with(layer), || {
        handle.reload(Some(ours.layer())).expect("the layer is there");
        let first = info_span!("first");
        let second = info_span!("second");
        assert!(first.trace_id().is_some() && first.trace_id() != second.trace_id());
        first.add_link(second.trace_context().and_then(|context| context.span).expect("it is seen"));
        drop((first, second));
    });
    let first = ours.kept().spans.into_iter().find(|span| span.name == "first").expect("it is kept");
    assert_eq!(first.links.len(), 1);
}
