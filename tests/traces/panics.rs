//! Code of the program that panics while its fields are taken down: the panic goes on to its caller, what was taken by then is
//! recorded, and nothing stays open.

use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use telemetry_layer::SpanMetrics;
use telemetry_layer::model::{Span as Ended, Status, Text, Value};
use telemetry_layer::prelude::*;
use telemetry_layer::sampling::Sampling;
use telemetry_layer::testing::{assert_counter, assert_event, assert_span};
use telemetry_tests::{Kept, SOON, collector, count_of, exported, on_a_thread, recorded, recorded_by};
use tracing::field::Empty;
use tracing::{Span, error, info, info_span};
use tracing_subscriber::{filter, registry, reload};

/// Prints so much of itself.
struct Broken(&'static str);

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        panic!("broken")
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Error for Broken {}

/// Runs `f`, which a panic leaves that is not changed on its way.
fn panics<R>(f: impl FnOnce() -> R) {
    let panic = catch_unwind(AssertUnwindSafe(f)).err().expect("it panics");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"broken"));
}

fn shown(fields: &[(Text, Value)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn panicked() -> Status {
    Status::Error("panicked".to_owned())
}

#[test]
fn a_span_whose_field_panics_ends_and_so_do_those_above_it() {
    let (collector, memory) = collector(|b| b);
    let layer = TelemetryLayer::new(&collector);
    let open = layer.open_spans();
    tracing::subscriber::with_default(registry().with(layer), || {
        let far = info_span!("far");
        let request = info_span!(parent: &far, "request").entered();
        panics(|| info_span!("debug", a = 1, b = ?Broken(""), c = 3));
        panics(|| info_span!("display", a = 1, b = %Broken("half"), c = 3));
        panics(|| info_span!("error", a = 1, b = &Broken("half") as &dyn Error, c = 3));
        panics(|| info_span!(parent: &far, "elsewhere", a = ?Broken("")));
        panics(|| info_span!(parent: None, "root", a = ?Broken("")));
        assert_eq!(open.list().len(), 2);
        info_span!("next").in_scope(|| info!("goes on"));
        drop((request, far));
        assert!(open.list().is_empty());
    });
    let kept = exported(&collector, &memory);
    assert_eq!(kept.spans.len(), 8, "{}", kept.tree());
    for name in ["debug", "display", "error", "next"] {
        assert_span(&kept, name, Some("request"), &[]);
    }
    assert_span(&kept, "elsewhere", Some("far"), &[]);
    let of = |name: &str| (shown(&kept.span(name).fields), kept.span(name).status.clone());
    assert_eq!(of("debug"), ("a=1".to_owned(), panicked()), "nothing was printed of it");
    assert_eq!(of("display"), ("a=1 b=half".to_owned(), panicked()));
    assert_eq!(of("error"), ("a=1 b=half".to_owned(), panicked()));
    assert_eq!((of("request").1, of("far").1), (Status::Unset, Status::Unset), "it was caught in them");
}

#[test]
fn spans_that_the_panic_leaves_end_with_it() {
    let kept = recorded(|_| {
        let leaves = || {
            let _outer = info_span!("outer").entered();
            let _inner = info_span!("inner").entered();
            let _never = info_span!("broken", otel.name = "renamed", a = 1, b = ?Broken("")).entered();
        };
        panics(leaves);
        info_span!("after").in_scope(|| ());
    });
    assert_span(&kept, "outer", None, &[]);
    assert_span(&kept, "inner", Some("outer"), &[]);
    assert_span(&kept, "renamed", Some("inner"), &[("a", "1")]);
    assert_span(&kept, "after", None, &[]);
    for name in ["outer", "inner", "renamed"] {
        assert_eq!(kept.span(name).status, panicked(), "{name}");
    }
}

#[test]
fn whatever_stands_beside_the_layer_no_span_stays_open() {
    type Layered = Box<dyn tracing_subscriber::Layer<tracing_subscriber::Registry> + Send + Sync>;
    type Build = fn(TelemetryLayer, Layered) -> Vec<Layered>;

    fn run(layers: Build) -> Kept {
        let (collector, memory) = collector(|b| b);
        let fmt = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
        let fmt = fmt.with_filter(filter::filter_fn(|site| site.name() != "broken")).boxed();
        let subscriber = registry().with(layers(TelemetryLayer::new(&collector), fmt));
        tracing::subscriber::with_default(subscriber, || {
            info_span!("parent").in_scope(|| panics(|| info_span!("broken", a = 1, b = ?Broken(""))));
        });
        exported(&collector, &memory)
    }
    let beside: [(&str, Build); 4] = [
        ("alone", |ours, _| vec![ours.boxed()]),
        ("before", |ours, other| vec![ours.boxed(), other]),
        ("filtered", |ours, other| vec![ours.with_filter(filter::LevelFilter::INFO).boxed(), other]),
        ("reloaded", |ours, other| vec![reload::Layer::new(ours).0.boxed(), other]),
    ];
    for (how, layers) in beside {
        // The filters of layers leave something in a thread when a panic comes between them.
        let kept = on_a_thread(move || run(layers));
        assert_eq!(kept.spans.len(), 2, "{how}: {}", kept.tree());
        assert_span(&kept, "broken", Some("parent"), &[("a", "1")]);
    }
}

#[test]
fn a_broken_span_is_measured_as_one_that_panicked() {
    for rate in [0.0, 1.0] {
        recorded_by(
            |b| b.sample_rate(rate),
            |l| l.with_span_metrics(SpanMetrics::new().tag("a")),
            |collector| {
                panics(|| info_span!("measured", a = 1, b = ?Broken("")));
                let seen = collector.snapshot();
                assert_eq!(seen.total("function.active"), 0.0);
                assert_eq!(count_of(&seen, "function.duration", &[("outcome", "panic"), ("a", "1")]), 1);
                assert_eq!(seen.total("function.duration"), 1.0);
            },
        );
    }
}

#[test]
fn what_was_recorded_late_before_a_panic_is_there() {
    let kept = recorded(|_| {
        let span = info_span!("work", a = 1, b = Empty, error = Empty);
        panics(|| span.record("b", tracing::field::debug(Broken("half"))));
        panics(|| span.record("error", tracing::field::debug(Broken("half"))));
        span.record("a", 2);
    });
    assert_eq!(shown(&kept.span("work").fields), "b=half a=2");
    assert_eq!(kept.span("work").status, Status::Unset, "nobody knows whether it is an error");
}

#[test]
fn an_event_has_what_was_taken_of_it() {
    let sampled = |b: telemetry_layer::Builder| b.sampling(Sampling::new().events_per_second(100.0));
    for change in [(|b| b) as fn(telemetry_layer::Builder) -> _, sampled] {
        let kept = recorded_by(
            change,
            |l| l.with_redacted_fields(["secret"]),
            |_| {
                info_span!("work").in_scope(|| {
                    panics(|| info!(a = 1, b = ?Broken(""), c = 3, "plain"));
                    panics(|| info!("half of {}", Broken("")));
                    panics(|| info!(secret = "hidden", b = %Broken("half")));
                    panics(|| error!(error = "refused", b = ?Broken("")));
                });
                info!("goes on");
            },
        );
        assert_eq!(kept.events.len(), 5);
        let fields: Vec<String> = kept.events[..4].iter().map(|event| shown(&event.fields)).collect();
        // The message comes first.
        assert_eq!(fields, ["a=1", "", "secret=[redacted] b=half", "error=refused"]);
        assert_event(&kept, "plain", Some("work"), &[]);
        assert_event(&kept, "half of ", Some("work"), &[]);
        assert_eq!(kept.span("work").status, Status::Error("refused".to_owned()));
        assert_event(&kept, "goes on", None, &[]);
    }
}

#[test]
fn measurements_of_a_broken_event_count() {
    recorded_by(
        |b| b,
        |l| l,
        |collector| {
            panics(|| info!(monotonic_counter.orders = 2, currency = "EUR", note = ?Broken("")));
            panics(|| info!(monotonic_counter.never = ?Broken("")));
            assert_counter(&collector.snapshot(), "orders", &[("currency", "EUR")], 2);
            assert_eq!(collector.snapshot().named("never").count(), 0);
        },
    );
}

#[test]
fn a_record_of_log_has_what_was_taken_of_it() {
    struct Logger;
    impl log::Log for Logger {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            tracing_log::format_trace(record).unwrap();
        }
        fn flush(&self) {}
    }
    let kept = recorded(|_| {
        let log = |args: fmt::Arguments<'_>| {
            log::Log::log(&Logger, &log::Record::builder().args(args).target("old").line(Some(7)).build());
        };
        panics(|| log(format_args!("half of {}", Broken(""))));
        log(format_args!("goes on"));
    });
    assert_eq!(kept.events.len(), 2);
    assert_eq!(kept.event("half of ").fields.len(), 0, "the message comes first");
    assert_event(&kept, "goes on", None, &[("code.line.number", "7")]);
}

#[test]
fn a_measured_call_whose_fields_panic_is_measured_and_its_span_ends() {
    #[time_me(outcome, fields(a = 1, b = ?Broken("")))]
    fn opens() {}

    #[time_me(outcome, err)]
    fn fails() -> Result<(), Broken> {
        Err(Broken(""))
    }

    let kept = recorded(|collector| {
        panics(opens);
        panics(fails);
        let seen = collector.snapshot();
        assert_eq!(count_of(&seen, "function.duration", &[("outcome", "panic")]), 2, "{seen:?}");
    });
    let of = |name: &str| -> &Ended { kept.span(name) };
    assert_eq!((&of("opens").status, shown(&of("opens").fields)), (&panicked(), "a=1".to_owned()));
    assert_eq!(of("fails").status, panicked());
}

#[test]
fn a_panic_in_a_field_silences_no_thread() {
    let (collector, memory) = collector(|b| b);
    tracing::subscriber::with_default(registry().with(TelemetryLayer::new(&collector)), || {
        for _ in 0..100 {
            panics(|| info!(b = ?Broken("")));
            panics(|| info_span!("broken", b = ?Broken("")));
        }
        info_span!("whole").in_scope(|| _ = Span::current().record("none", 1));
    });
    collector.flush(Duration::from_secs(5));
    let kept = memory.kept();
    assert_eq!((kept.events.len(), kept.spans.len()), (100, 101));
    assert!(collector.shutdown(SOON).is_complete());
}
