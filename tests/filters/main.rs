//! Filters of each layer and of all, layers that are exchanged, wrapped or not there, several collectors: what we see is
//! what the Registry shows to any layer in that place.

mod exchanged;
mod log_records;
mod many;

use std::collections::BTreeSet;

use telemetry_layer::model::Status;
use telemetry_layer::prelude::*;
use telemetry_tests::Kept;
use telemetry_tests::beside::{Ours, View, view};
use tracing::field::{Field, Visit};
use tracing::subscriber::with_default;
use tracing::{
    Event, Level, Metadata, Subscriber, debug, debug_span, error, info, info_span, trace, trace_span, warn,
    warn_span,
};
use tracing_mock::{expect, layer as mock};
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets, dynamic_filter_fn, filter_fn};
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::{EnvFilter, Registry, registry};

/// Spans and events of all levels and two targets, and parents that some filters hide.
fn program() {
    let shop = info_span!(target: "shop", "shop").entered();
    debug!(target: "shop", "opens");
    let query = debug_span!(target: "db", "query", user = 7).entered();
    info!(target: "db", "asked");
    let row = info_span!(target: "db", "row").entered();
    trace!(target: "db", "read");
    warn!(target: "shop", parent: &*query, "slow");
    info_span!(target: "shop", parent: &*query, "bill")
        .in_scope(|| info!(name: "said", target: "shop", "billed"));
    info_span!(target: "shop", parent: None, "audit").in_scope(|| {
        let again = query.clone();
        again.in_scope(|| error!(target: "db", "audited"));
    });
    drop((row, query));
    trace_span!(target: "shop", "deep").in_scope(|| {
        warn_span!(target: "shop", "deeper").in_scope(|| info!(target: "shop", "deep down"));
    });
    info!(target: "shop", parent: None, "alone");
    drop(shop);
    warn!(target: "db", "outside");
}

/// Ours and another layer have the same filter: they see the same. What it is.
#[track_caller]
fn seen_with<F>(filter: impl Fn() -> F) -> BTreeSet<String>
where
    F: Filter<Registry> + Send + Sync + 'static,
{
    let (ours, other, all) = (Ours::default(), View::default(), View::default());
    let layers = vec![
        other.clone().with_filter(filter()).boxed(),
        ours.layer().with_filter(filter()).boxed(),
        all.clone().boxed(),
    ];
    with_default(registry().with(layers), program);
    let kept = view(&ours.kept());
    assert_eq!(kept, other.lines());
    assert!(all.lines().contains("query in shop"), "others see everything");
    kept
}

/// What a [`view`] is compared with.
fn lines(text: &[&str]) -> BTreeSet<String> {
    text.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn a_filter_by_level_hides_spans_and_no_more() {
    let all = lines(&[
        "shop in none",
        "query in shop",
        "row in query",
        "bill in query",
        "audit in none",
        "deep in shop",
        "deeper in deep",
        "shop: opens",
        "query: asked",
        "row: read",
        "query: slow",
        "bill: billed",
        "audit: audited",
        "deeper: deep down",
        "none: alone",
        "none: outside",
    ]);
    assert_eq!(seen_with(|| LevelFilter::TRACE), all);
    let info = lines(&[
        "shop in none",
        "row in shop",
        "bill in none",
        "audit in none",
        "deeper in shop",
        "shop: asked",
        "none: slow",
        "bill: billed",
        "audit: audited",
        "deeper: deep down",
        "none: alone",
        "none: outside",
    ]);
    assert_eq!(seen_with(|| LevelFilter::INFO), info);
    let warn = lines(&["deeper in none", "none: slow", "none: audited", "none: outside"]);
    assert_eq!(seen_with(|| LevelFilter::WARN), warn);
    assert_eq!(seen_with(|| LevelFilter::OFF), lines(&[]));
}

#[test]
fn a_filter_may_look_at_all_that_a_call_site_says() {
    let db = lines(&[
        "query in none",
        "row in query",
        "query: asked",
        "row: read",
        "row: audited",
        "none: outside",
    ]);
    assert_eq!(seen_with(|| filter_fn(|site| site.target() == "db")), db, "query is entered again");
    assert_eq!(seen_with(|| Targets::new().with_target("db", Level::TRACE)), db);
    let shop = lines(&[
        "shop in none",
        "bill in none",
        "audit in none",
        "deeper in shop",
        "none: slow",
        "bill: billed",
        "deeper: deep down",
        "none: alone",
    ]);
    assert_eq!(seen_with(|| filter_fn(|site| site.target() == "db").not().and(LevelFilter::INFO)), shop);
    let either = seen_with(|| LevelFilter::WARN.or(filter_fn(|site| site.name() == "query")));
    let expected =
        lines(&["query in none", "deeper in none", "query: slow", "query: audited", "none: outside"]);
    assert_eq!(either, expected);
}

#[test]
fn a_filter_may_look_at_the_spans_that_a_thread_is_in() {
    let within_query = || {
        dynamic_filter_fn(|site, ctx: &Context<'_, Registry>| {
            site.name() == "query" || ctx.lookup_current().is_some_and(|span| span.name() == "query")
        })
    };
    // To the filter the thread is in `row` as soon as it is, and in `audit`, not in `query` again.
    let expected = lines(&["query in none", "query: asked", "row in query"]);
    assert_eq!(seen_with(within_query), expected);
}

#[test]
fn env_filters_of_all_forms_hide_the_same_from_all() {
    let with = |text: &'static str| seen_with(move || EnvFilter::new(text));
    assert_eq!(with("warn"), seen_with(|| LevelFilter::WARN));
    assert_eq!(with("db=trace"), seen_with(|| Targets::new().with_target("db", Level::TRACE)));
    let in_query = with("off,[query]=trace");
    assert!(in_query.contains("row: read") && !in_query.contains("none: outside"), "{in_query:?}");
    assert_eq!(with("off,[query{user=7}]=trace"), in_query);
    assert!(with("off,[query{user=8}]=trace").len() < in_query.len());
}

#[test]
fn a_filter_over_all_comes_before_ours() {
    let seen = |over: LevelFilter, own: LevelFilter| {
        let ours = Ours::default();
        with_default(registry().with(ours.layer().with_filter(own)).with(over), program);
        view(&ours.kept())
    };
    let info = seen_with(|| LevelFilter::INFO);
    assert_eq!(seen(LevelFilter::INFO, LevelFilter::TRACE).len(), 12);
    assert_eq!(seen(LevelFilter::TRACE, LevelFilter::INFO), info);
    let warn = seen_with(|| LevelFilter::WARN);
    assert_eq!(seen(LevelFilter::WARN, LevelFilter::INFO), warn);
    let ours = Ours::default();
    with_default(registry().with(EnvFilter::new("warn")).with(ours.layer()), program);
    assert_eq!(view(&ours.kept()), warn);
}

#[test]
fn filters_in_filters_hide_what_any_of_them_does() {
    let (ours, beside, only_db) = (Ours::default(), Ours::default(), View::default());
    let db = || filter_fn(|site| site.target() == "db");
    let within = beside.layer().and_then(only_db.clone().and_then(ours.layer()).with_filter(db()));
    with_default(registry().with(within.with_filter(LevelFilter::INFO)), program);
    let seen = view(&ours.kept());
    assert_eq!(seen, lines(&["row in none", "none: asked", "row: audited", "none: outside"]));
    assert_eq!(seen, only_db.lines());
    assert_eq!(view(&beside.kept()), seen_with(|| LevelFilter::INFO));
}

#[test]
fn what_others_filter_is_seen_by_us() {
    let ours = Ours::default();
    let span = |name: &'static str| expect::span().named(name);
    let message = |text: &'static str| expect::event().with_fields(expect::msg(text));
    let (warn, warned) = mock::named("warn")
        .event(message("slow").in_scope([]))
        .event(message("audited").in_scope([]))
        .event(message("outside").in_scope([]))
        .only()
        .run_with_handle();
    let warn = warn.with_filter(filter_fn(|site| site.is_event() && *site.level() <= Level::WARN));
    let (bill, billed) = mock::named("bill")
        .enter(span("bill"))
        .event(message("billed").in_scope([span("bill")]))
        .exit(span("bill"))
        .only()
        .run_with_handle();
    let bill = bill.with_filter(filter_fn(|site| site.name() == "bill" || site.name() == "said"));
    let subscriber = registry().with(warn).with(ours.layer()).with(bill);
    with_default(subscriber, program);
    warned.assert_finished();
    billed.assert_finished();
    assert_eq!(view(&ours.kept()), seen_with(|| LevelFilter::TRACE));
}

/// Lets spans through, and events whose field `enable` is true.
struct Enabled;

impl Enabled {
    fn wants(event: &Event<'_>) -> bool {
        struct Enable(bool);
        impl Visit for Enable {
            fn record_bool(&mut self, field: &Field, value: bool) {
                self.0 |= field.name() == "enable" && value;
            }

            fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
        }
        let mut enable = Enable(false);
        event.record(&mut enable);
        enable.0
    }
}

impl<S> Filter<S> for Enabled {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        Self::wants(event)
    }
}

/// For all layers.
impl<S: Subscriber> Layer<S> for Enabled {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        Self::wants(event)
    }
}

#[test]
fn a_filter_that_looks_at_values_hides_events_and_their_measurements() {
    let run = || {
        info_span!("work").in_scope(|| {
            info!(enable = true, monotonic_counter.orders = 1, "wanted");
            info!(enable = false, monotonic_counter.orders = 1, "not wanted");
            error!(monotonic_counter.orders = 1, error = "bad", "not wanted either");
        });
    };
    let (own, global, other) = (Ours::default(), Ours::default(), Ours::default());
    with_default(registry().with(own.layer().with_filter(Enabled)).with(other.layer()), run);
    with_default(registry().with(global.layer()).with(Enabled), run);
    let orders = |kept: &Kept| kept.metrics.iter().map(|metric| metric.number().as_f64()).sum::<f64>();
    for ours in [own, global] {
        let kept = ours.kept();
        assert_eq!(view(&kept), lines(&["work in none", "work: wanted"]));
        assert_eq!((&kept.span("work").status, orders(&kept)), (&Status::Unset, 1.0));
    }
    let kept = other.kept();
    assert_eq!((kept.events.len(), orders(&kept)), (3, 3.0));
    assert_eq!(kept.span("work").status, Status::Error("bad".to_owned()));
}
