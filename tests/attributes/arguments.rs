//! What a metric and a span are, as arguments say it: unit, buckets, fields, errors, calls in flight.

use std::future::Future;
use std::task::{Context, Waker};

use telemetry_layer::model::Status;
use telemetry_layer::prelude::*;
use telemetry_tests::{measured, ready, recorded};

mod renamed {
    pub(crate) use telemetry_layer as other;
}

#[count_me(name = "unit.count", unit = "{order}", description = "Orders.", crate = crate::arguments::renamed::other)]
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

#[time_me(buckets = [0.5], span = false)]
fn with_buckets() {}

#[time_me(span = false)]
fn without_buckets() {}

#[test]
fn the_buckets_of_one_function_are_not_those_of_others() {
    let metrics = measured(|| (with_buckets(), without_buckets(), with_buckets()).0);
    let bounds: Vec<_> =
        metrics.named("function.duration").map(|m| m.histogram().unwrap().buckets.bounds()).collect();
    assert_eq!(bounds, [Some(&[0.5][..]), None]);
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
        (one("bucketed").unit(), one("bucketed").histogram().unwrap().buckets.bounds()),
        ("s", Some(&[0.5, 60.0][..]))
    );
    let sizes = metrics.named("sizes").flat_map(|m| m.histogram().unwrap().by_upper_bound());
    assert!(sizes.eq([(1000.0, 1), (100.0, 1)]));
}

#[time_me(name = "http.requests", span_name = "GET /orders/{id}", outcome, fields(id))]
fn spelled(id: u8) -> Result<u8, String> {
    Ok(id)
}

#[time_me(span_name = "the whole")]
async fn only_the_span_is_named() {
    std::future::ready(()).await;
}

#[time_me(span_name = "what is returned", tags(id = id + 1))]
fn of_a_future(id: u8) -> impl Future<Output = u8> {
    async move { id }
}

#[test]
fn a_span_may_be_named_apart_from_its_metric() {
    let kept = recorded(|collector| {
        assert_eq!((spelled(3), ready(of_a_future(4))), (Ok(3), 4));
        ready(only_the_span_is_named());
        let metrics = collector.snapshot();
        assert_eq!((metrics.total("http.requests"), metrics.total("function.duration")), (1.0, 2.0));
        let functions =
            metrics.named("function.duration").filter_map(|metric| metric.tag("code.function.name"));
        assert!(
            functions
                .eq(["of_a_future", "only_the_span_is_named"].map(|f| format!("attributes::arguments::{f}")))
        );
    });
    let names: Vec<_> = kept.spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["GET /orders/{id}", "what is returned", "the whole"]);
    assert_eq!(kept.spans[0].fields, [("id".into(), 3u64.into())]);
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
