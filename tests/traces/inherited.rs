//! Fields of spans on what happens in them.

use std::collections::BTreeMap;
use std::time::Duration;

use telemetry_layer::Context;
use telemetry_layer::model::{Metric, Value};
use telemetry_layer::prelude::*;
use telemetry_tests::{Kept, collector, exported, on_a_thread, recorded_by, remote};
use tracing::field::Empty;
use tracing::{info, info_span};

fn fields_of(kept: &Kept, message: &str) -> BTreeMap<String, Value> {
    let event =
        kept.events.iter().find(|event| event.message == message).unwrap_or_else(|| panic!("{message}"));
    let fields: BTreeMap<_, _> =
        event.fields.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    assert_eq!(fields.len(), event.fields.len(), "one key, one value: {:?}", event.fields);
    fields
}

fn fields<const N: usize>(all: [(&str, Value); N]) -> BTreeMap<String, Value> {
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn events_have_the_fields_of_the_nearest_span_where_they_have_none_themselves() {
    for rate in [1.0, 0.0] {
        let kept = recorded_by(
            |builder| builder.sample_rate(rate),
            |layer| {
                layer
                    .inherit_fields(["user.id", "tenant", "late", "secret", "left.out", "nowhere"])
                    .with_redacted_fields(["secret"])
                    .without_fields(["left.out"])
            },
            |_| {
                let outer = info_span!("outer", user.id = 7, tenant = "a", secret = "s", left.out = 1);
                let inner = info_span!(parent: &outer, "inner", tenant = "b", other = 1, late = Empty);
                inner.in_scope(|| {
                    info!("inside");
                    inner.record("late", true);
                    info!(tenant = "mine", "own");
                    info!(parent: &outer, "of outer");
                    info!(parent: None, "of none");
                    let _attached = Context::new(remote(true)).attach();
                    info!("elsewhere");
                });
                info!("outside");
                on_a_thread(|| inner.in_scope(|| info!("on a thread")));
            },
        );
        let (user, secret) = (("user.id", 7i64.into()), ("secret", "[redacted]".into()));
        let inside = fields([user.clone(), ("tenant", "b".into()), secret.clone()]);
        assert_eq!(fields_of(&kept, "inside"), inside, "at {rate}");
        let own = [user.clone(), ("tenant", "mine".into()), ("late", true.into()), secret.clone()];
        assert_eq!(fields_of(&kept, "own"), fields(own));
        assert_eq!(fields_of(&kept, "of outer"), fields([user, ("tenant", "a".into()), secret]));
        for outside in ["of none", "elsewhere", "outside"] {
            assert!(fields_of(&kept, outside).is_empty(), "{outside}");
        }
        let on_a_thread = fields_of(&kept, "on a thread");
        assert_eq!((&on_a_thread["late"], &on_a_thread["tenant"]), (&true.into(), &"b".into()));
        assert_eq!(kept.spans.len(), if rate > 0.0 { 2 } else { 0 });
    }
}

/// The values of a metric by its tags.
fn values(metrics: &[Metric], name: &str) -> BTreeMap<String, f64> {
    let of = metrics.iter().filter(|metric| metric.identity.name == name);
    let tags = |metric: &Metric| {
        let tags: Vec<String> =
            metric.identity.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        tags.join(",")
    };
    let value = |metric: &Metric| match metric.histogram() {
        Some(histogram) => histogram.count as f64,
        None => metric.number().as_f64(),
    };
    of.map(|metric| (tags(metric), value(metric))).collect()
}

fn by_tags<const N: usize>(all: [(&str, f64); N]) -> BTreeMap<String, f64> {
    all.into_iter().map(|(tags, value)| (tags.to_owned(), value)).collect()
}

#[test]
fn what_is_counted_in_a_span_has_its_fields_as_tags_where_they_are_listed() {
    #[count_me(name = "attribute")]
    fn counted() {}

    #[time_me(name = "timed", span = false)]
    fn timed() {}

    fn measure() {
        count!("macro");
        count!("tagged", 1, tags(kind = "own"));
        count!("own", 1, tags(tenant = "mine"));
        counted();
        timed();
        counter("handle").add(2);
        histogram("sizes").record(3);
        timer("waits").record(Duration::from_millis(1));
        up_down_counter("open").inc();
        info!(monotonic_counter.by_event = 1, counter.by_event_open = 1, kind = "e");
    }

    let (collector, memory) = collector(|builder| builder);
    let (other, _other) = telemetry_tests::collector(|builder| builder);
    let layer = TelemetryLayer::new(&collector).inherit_tags(["tenant"]);
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        collector.scoped(|| {
            measure();
            info_span!("request", tenant = "a", user.id = 7).in_scope(|| {
                measure();
                info_span!("without any").in_scope(measure);
                info_span!("nearer", tenant = "b").in_scope(|| {
                    measure();
                    other.scoped(|| count!("macro"));
                    info!(parent: None, monotonic_counter.by_event = 1, kind = "e");
                });
                let _attached = Context::new(remote(true)).attach();
                count!("in.another.context");
            });
            measure();
        });
    });
    let metrics = exported(&collector, &memory).metrics;
    for name in ["macro", "attribute", "timed", "handle", "sizes", "waits"] {
        let each = if name == "handle" { 2.0 } else { 1.0 };
        let expected = by_tags([("", 2.0 * each), ("tenant=a", 2.0 * each), ("tenant=b", each)]);
        assert_eq!(values(&metrics, name), expected, "{name}");
    }
    let tagged = [("kind=own", 2.0), ("kind=own,tenant=a", 2.0), ("kind=own,tenant=b", 1.0)];
    assert_eq!(values(&metrics, "tagged"), by_tags(tagged));
    assert_eq!(values(&metrics, "own"), by_tags([("tenant=mine", 5.0)]), "one key, one value");
    assert_eq!(values(&metrics, "open"), by_tags([("", 5.0)]), "a sum that may be taken from elsewhere");
    let by_event = [("kind=e", 3.0), ("kind=e,tenant=a", 2.0), ("kind=e,tenant=b", 1.0)];
    assert_eq!(values(&metrics, "by_event"), by_tags(by_event));
    assert_eq!(values(&metrics, "by_event_open"), by_tags([("kind=e", 5.0)]));
    assert_eq!(values(&metrics, "in.another.context"), by_tags([("", 1.0)]));
    let snapshot = other.snapshot();
    let has_tenant =
        |of: &str| snapshot.named(of).any(|metric| metric.tags().any(|(key, _)| key == "tenant"));
    assert_eq!((snapshot.total("macro"), has_tenant("macro")), (1.0, false), "of another collector");
}
