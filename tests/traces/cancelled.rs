//! Calls that nobody waits for any more.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use telemetry_layer::SpanMetrics;
use telemetry_layer::model::{Status, Value};
use telemetry_layer::prelude::*;
use telemetry_layer::testing::assert_span;
use telemetry_tests::{Kept, collector, count_of, exported, ready, recorded, recorded_by};
use tracing::field::Empty;
use tracing::{Span, error, info, info_span};

#[time_me]
async fn plain(forever: bool) {
    let _guard = Says("dropped");
    if forever {
        pending::<()>().await;
    }
}

#[time_me(name = "cancelled.named", outcome, fields(n))]
async fn named(n: u64) -> Result<u64, String> {
    pending::<()>().await;
    Ok(n)
}

#[time_me(outcome)]
fn boxed() -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(pending())
}

struct Block;

#[time_me]
impl Block {
    async fn method(&self) {
        pending::<()>().await;
    }
}

/// Makes an event when it is dropped.
struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        info!("{}", self.0);
    }
}

/// Polls it once, and drops it.
fn cancel(future: impl Future) {
    let mut future = pin!(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[track_caller]
fn assert_cancelled(kept: &Kept, name: &str) {
    assert_eq!(kept.span(name).status, Status::Error("cancelled".to_owned()), "{name}");
    let types: Vec<_> = kept.span(name).fields.iter().filter(|(key, _)| key == "error.type").collect();
    assert_eq!(types, [&("error.type".into(), Value::from("cancelled"))], "{name}");
}

#[test]
fn a_call_that_is_cancelled_says_so_in_its_span() {
    let kept = recorded(|collector| {
        let _request = info_span!("request").entered();
        cancel(plain(true));
        cancel(named(7));
        cancel(boxed());
        cancel(Block.method());
        let seen = collector.snapshot();
        assert_eq!(count_of(&seen, "cancelled.named", &[("outcome", "cancelled")]), 1);
        assert_eq!(count_of(&seen, "function.duration", &[("outcome", "cancelled")]), 1);
    });
    for name in ["plain", "cancelled.named", "boxed", "method"] {
        assert_cancelled(&kept, name);
        assert_span(&kept, name, Some("request"), &[]);
    }
    assert_eq!(kept.span("request").status, Status::Unset);
    assert_eq!(kept.event("dropped").span_id, Some(kept.span("plain").span_id));
}

#[test]
fn one_that_was_never_polled_is_cancelled_too() {
    let kept = recorded(|_| drop(boxed()));
    assert_cancelled(&kept, "boxed");
}

#[test]
fn one_that_came_to_its_end_was_not_cancelled() {
    let kept = recorded(|_| ready(plain(false)));
    assert_eq!((&kept.span("plain").status, kept.span("plain").fields.len()), (&Status::Unset, 0));
}

#[test]
fn what_is_known_of_its_end_already_stays() {
    #[time_me(fields(otel.status_code = Empty, error.r#type = Empty))]
    async fn says(what: &'static str) {
        match what {
            "ok" => _ = Span::current().record("otel.status_code", "ok"),
            "error" => error!(error = "refused"),
            _ => panic!("on purpose"),
        }
        pending::<()>().await;
    }
    let of = |what| {
        let kept = recorded(|_| {
            let mut future = Box::pin(says(what));
            let mut poll = || future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut poll));
        });
        let span = kept.span("says");
        let is_cancelled = span.fields.iter().any(|(key, _)| key == "error.type");
        (span.status.clone(), is_cancelled)
    };
    assert_eq!(of("ok"), (Status::Ok, true));
    assert_eq!(of("error"), (Status::Error("refused".to_owned()), true));
    assert_eq!(of("panic"), (Status::Error("panicked".to_owned()), false));
}

#[test]
fn fields_that_must_not_be_seen_are_not_seen_of_it() {
    let layer = |l: TelemetryLayer| l.without_fields(["error.*"]);
    let kept = recorded_by(|b| b, layer, |_| cancel(plain(true)));
    assert_eq!(kept.span("plain").fields, []);
    assert_eq!(kept.span("plain").status, Status::Error("cancelled".to_owned()));
}

#[test]
fn a_measured_span_that_says_so_has_that_outcome() {
    for rate in [0.0, 1.0] {
        recorded_by(
            |b| b.sample_rate(rate),
            |l| l.with_span_metrics(SpanMetrics::new().tag("error.type")),
            |collector| {
                let span = info_span!("request", otel.status_code = Empty, error.r#type = Empty);
                span.record("error.type", "cancelled").record("otel.status_code", "error");
                drop(span);
                let span = info_span!("request", error = Empty);
                span.record("error", "timed out");
                span.set_attribute("error.type", "timeout");
                drop(span);
                drop(info_span!("request", error.r#type = "cancelled"));
                let seen = collector.snapshot();
                let count = |outcome, kind| {
                    count_of(&seen, "function.duration", &[("outcome", outcome), ("error.type", kind)])
                };
                let counts =
                    [count("cancelled", "cancelled"), count("error", "timeout"), count("ok", "cancelled")];
                assert_eq!(counts, [1, 1, 1], "{seen:?}");
            },
        );
    }
}

#[test]
fn a_task_that_its_runtime_ends_is_cancelled() {
    let (collector, memory) = collector(|b| b);
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            tokio::spawn(plain(true));
            tokio::task::yield_now().await;
        });
        drop(runtime);
    });
    assert_cancelled(&exported(&collector, &memory), "plain");
}
