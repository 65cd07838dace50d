//! One key, one value: of a key that comes twice, in whichever way, the latest value is there, on each wire once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use telemetry_layer::SpanMetrics;
use telemetry_layer::exporters::{Console, Stream};
use telemetry_layer::model::{
    Event, Resource, Span as Made, SpanContext, SpanId, Status, Tags, Text, TraceId, Value,
};
use telemetry_layer::prelude::*;
use telemetry_layer::testing::assert_counter;
use telemetry_tests::{SOON, collector, exported, recorded, recorded_by};
use tracing::callsite::{Callsite, Identifier};
use tracing::field::{Empty, Field, FieldSet, Value as Recorded};
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Span, error, info, info_span};

use crate::once::assert_once;

/// Names that fields may have: any, some of them twice in disguise, and those that mean something somewhere.
const NAMES: [&str; 18] = [
    "a",
    "b",
    "type",
    "r#type",
    "message",
    "error",
    "exception.message",
    "error.type",
    "code.file.path",
    "code.line.number",
    "log.line",
    "otel.name",
    "tags",
    "größe",
    "with space",
    "quo\"te",
    "new\nline",
    "\u{202e}\u{2028}\u{7}",
];

/// Keys that tags may have, among them those of the global tags.
const KEYS: [&str; 5] = ["env", "service.name", "a", "größe", "x/y"];

const SETS: u64 = 500;
const EACH: usize = 6;

/// The same numbers each time.
struct Dice(u64);

impl Dice {
    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        all[(mixed >> 33) as usize % all.len()]
    }
}

/// A call site that is made at run time.
struct Place(OnceLock<Metadata<'static>>);

impl Callsite for Place {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0.get().expect("made with it")
    }
}

fn place(kind: Kind, names: [&'static str; EACH]) -> &'static Metadata<'static> {
    let place: &'static Place = Box::leak(Box::new(Place(OnceLock::new())));
    let fields = FieldSet::new(Box::leak(Box::new(names)), Identifier(place));
    let level = Level::INFO;
    place
        .0
        .get_or_init(|| Metadata::new("hostile", "traces", level, Some("a.rs"), Some(7), None, fields, kind))
}

/// Runs `f` with these values for the fields of a call site.
fn with_values(
    site: &'static Metadata<'static>,
    texts: &[String],
    f: impl FnOnce(&tracing::field::ValueSet<'_>),
) {
    let fields: Vec<Field> = site.fields().iter().collect();
    let values: [(&Field, Option<&dyn Recorded>); EACH] =
        std::array::from_fn(|at| (&fields[at], Some(&texts[at] as &dyn Recorded)));
    f(&site.fields().value_set(&values));
}

/// The latest value of each key.
#[derive(Default)]
struct Latest(BTreeMap<String, String>);

impl Latest {
    fn set(&mut self, name: &str, text: &str) {
        self.0.insert(name.strip_prefix("r#").unwrap_or(name).to_owned(), text.to_owned());
    }

    /// Takes out one that becomes no field.
    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    #[track_caller]
    fn assert(&self, fields: &[(Text, Value)]) {
        let found: BTreeMap<String, String> =
            fields.iter().map(|(name, value)| (name.clone().into_owned(), value.to_string())).collect();
        assert_eq!((&found, fields.len()), (&self.0, self.0.len()));
    }
}

fn assert_lines(directory: &Path, file: &str) {
    let text = std::fs::read_to_string(directory.join(file)).unwrap();
    let keys: usize = text.lines().map(|line| assert_once(&serde_json::from_str(line).unwrap(), line)).sum();
    assert!(keys > 1_000, "{file} has {keys} keys");
}

#[test]
fn of_500_hostile_sets_the_latest_values_are_there_on_each_wire_once() {
    let (json, otlp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = |directory: &tempfile::TempDir, rest| format!("file:{}{rest}", directory.path().display());
    let (collector, memory) =
        collector(|b| b.tag("env", "global").endpoint(url(&json, "")).endpoint(url(&otlp, "?format=otlp")));
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    let mut dice = Dice(1);
    let mut spans: Vec<(SpanId, Option<String>, Latest)> = Vec::new();
    let mut events: Vec<(SpanId, String, Latest)> = Vec::new();
    let mut tags: Vec<Latest> = Vec::new();
    tracing::subscriber::with_default(subscriber, || {
        for set in 1..=SETS {
            let texts: Vec<String> = (0..EACH).map(|at| format!("{set}.{at}")).collect();
            let mut names = || -> [&'static str; EACH] { std::array::from_fn(|_| dice.pick(&NAMES)) };
            let (of_span, of_event, of_made, late) = (names(), names(), names(), names());
            // A span that is declared, recorded again, and given more.
            let site = place(Kind::SPAN, of_span);
            let mut latest = Latest::default();
            with_values(site, &texts, |values| {
                let span = Span::new(site, values);
                of_span.iter().zip(&texts).for_each(|(name, text)| latest.set(name, text));
                for (name, text) in late.iter().zip(&texts).filter(|(name, _)| of_span.contains(name)) {
                    let text = format!("late {text}");
                    span.record(*name, &*text);
                    latest.set(name, &text);
                }
                for name in late.iter().filter(|name| !name.starts_with("r#")) {
                    span.set_attribute(name, "given");
                    latest.set(name, "given");
                }
                spans.push((span.span_id().unwrap(), latest.take("otel.name"), latest));
            });
            // An event in a span of its own, which tells it from others.
            let site = place(Kind::EVENT, of_event);
            let mut latest = Latest::default();
            let own = info_span!("of an event");
            own.in_scope(|| with_values(site, &texts, |values| tracing::Event::dispatch(site, values)));
            of_event.iter().zip(&texts).for_each(|(name, text)| latest.set(name, text));
            let id = own.span_id().unwrap();
            events.push((id, latest.take("message").unwrap_or_default(), latest));
            // Both as they are made by hand.
            let id = SpanId::new(set).unwrap();
            let context = SpanContext::new(TraceId::new(u128::from(set)).unwrap(), id, true);
            let mut span = Made::new(context, "made", 1, 1);
            let mut event = Event::new(Level::INFO, "said", 1).within(context);
            let (mut latest, mut of_its_event) = (Latest::default(), Latest::default());
            of_its_event.set("message", "said");
            for (name, text) in of_made.iter().map(|name| name.trim_start_matches("r#")).zip(&texts) {
                (span, event) = (span.field(name, text.clone()), event.field(name, text.clone()));
                latest.set(name, text);
                of_its_event.set(name, text);
            }
            collector.collect_span(&span);
            collector.collect_event(&event);
            spans.push((id, None, latest));
            events.push((id, of_its_event.take("message").unwrap(), of_its_event));
            // A series, one for each set.
            let keys: [&str; EACH] = std::array::from_fn(|_| dice.pick(&KEYS));
            let mut latest = Latest::default();
            let pairs: Vec<(&str, &str)> =
                keys.iter().copied().zip(texts.iter().map(String::as_str)).collect();
            collector.counter("hostile").with(&pairs).inc();
            pairs.iter().for_each(|(key, text)| latest.set(key, text));
            tags.push(latest);
        }
    });
    collector.flush(SOON);
    let kept = exported(&collector, &memory);
    for (id, name, latest) in &spans {
        let span = kept.spans.iter().find(|span| span.span_id == *id).unwrap();
        assert!(name.as_ref().is_none_or(|name| span.name == *name));
        latest.assert(&span.fields);
    }
    for (id, message, latest) in &events {
        let event = kept.events.iter().find(|event| event.span_id == Some(*id)).unwrap();
        assert_eq!(event.message, *message);
        latest.assert(&event.fields);
    }
    let of_tags = |tags: &Tags| tags.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let series: Vec<BTreeMap<String, String>> =
        kept.metrics.iter().map(|metric| of_tags(&metric.identity.tags)).collect();
    assert!(tags.iter().all(|latest| series.contains(&latest.0)), "{series:?}");
    for signal in ["spans", "events", "metrics"] {
        assert_lines(json.path(), &format!("{signal}.jsonl"));
    }
    for signal in ["traces", "logs", "metrics"] {
        assert_lines(otlp.path(), &format!("{signal}.otlp.jsonl"));
    }
}

#[test]
fn on_the_console_a_key_is_there_once() {
    const CHILD: &str = "TELEMETRY_TEST_PRINTS";
    if std::env::var_os(CHILD).is_some() {
        let (collector, _) = collector(|b| b.tag("env", "global").exporter(Console::new(Stream::Stdout)));
        let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
        tracing::subscriber::with_default(subscriber, || {
            let span = info_span!("twice", a = 1, a = 2, b = 1);
            span.record("b", 2);
            span.in_scope(|| info!(a = 1, a = 2, b = 1, b = 2, "said"));
        });
        collector.counter("counted").with(&[("a", "1"), ("a", "2"), ("env", "own")]).inc();
        assert!(collector.shutdown(SOON).is_complete());
        return;
    }
    let own = std::env::current_exe().unwrap();
    let child = Command::new(own)
        .args(["--exact", "doubles::on_the_console_a_key_is_there_once", "--nocapture"])
        .env(CHILD, "1")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(child.stdout).unwrap();
    let line = |what: &str| {
        let found: Vec<&str> = text.lines().filter(|line| line.contains(what)).collect();
        assert_eq!(found.len(), 1, "{text}");
        found[0].to_owned()
    };
    assert!(line(" span   twice ").contains(" a=2 b=2 ["), "{text}");
    assert!(line(" said").contains(" said a=2 b=2 ["), "{text}");
    assert!(line(" metric counted").contains("a=2") && !line(" metric counted").contains("a=1"), "{text}");
}

#[test]
fn fields_that_mean_something_mean_what_was_said_last() {
    let kept = recorded(|_| {
        drop(info_span!(
            "twice",
            otel.name = "first",
            otel.name = "second",
            otel.kind = "client",
            otel.kind = "server",
            otel.status_code = "ok",
            otel.status_code = "error",
            otel.status_description = "first",
            otel.status_message = "second"
        ));
        drop(info_span!("errors", error = "first", error = "second"));
        drop(info_span!("none", error = "first", error = false));
        let late = info_span!("late", error = "first", otel.status_description = Empty);
        late.record("error", "second");
        let well = info_span!("well", error = true);
        well.record("error", false);
        let said = info_span!("said", error = "why");
        said.set_attribute("otel.status_description", "first");
        said.set_attribute("otel.status_description", "second");
        info_span!("event").in_scope(|| error!(error = "first", error = "second"));
    });
    let status = |name: &str| kept.span(name).status.clone();
    let failed = |text: &str| Status::Error(text.to_owned());
    assert_eq!(kept.span("second").kind.name(), "server");
    assert_eq!((status("second"), kept.span("second").fields.len()), (failed("second"), 0));
    assert_eq!((status("errors"), status("none")), (failed("second"), Status::Unset));
    assert_eq!((status("late"), status("well")), (failed("second"), Status::Unset));
    assert_eq!((status("said"), status("event")), (failed("second"), failed("second")));
}

#[test]
fn measurements_and_their_tags_are_those_that_came_last() {
    recorded(|collector| {
        info!(monotonic_counter.orders = 1, r#type = "a", monotonic_counter.orders = 2, r#type = "b");
        info!(monotonic_counter.orders = ?5, "type" = "c");
        let seen = collector.snapshot();
        assert_counter(&seen, "orders", &[("type", "b")], 2);
        assert_counter(&seen, "orders", &[("type", "c")], 5);
    });
}

#[test]
fn tags_of_measured_spans_are_those_that_came_last() {
    let metrics = SpanMetrics::new().tag("type").tag("type").tag("outcome");
    recorded_by(
        |b| b,
        |l| l.with_span_metrics(metrics),
        |collector| {
            let span = info_span!("measured", r#type = "a", r#type = "b", outcome = "mine");
            span.record("type", "c");
            drop(span);
            let seen = collector.snapshot();
            let tags: Vec<(&str, &str)> =
                seen.named("function.duration").flat_map(|metric| metric.own_tags().iter()).collect();
            let function = "traces::doubles::measured";
            assert_eq!(tags, [("code.function.name", function), ("outcome", "mine"), ("type", "c")]);
        },
    );
}

#[test]
fn records_of_log_have_each_key_once() {
    let kept = recorded(|_| {
        info!(
            target: "log",
            {
                "log.target" = "first",
                "log.target" = "second",
                "log.file" = "a.rs",
                "code.file.path" = "b.rs",
                "log.line" = 1,
                "log.line" = 2
            },
            "said"
        );
    });
    let event = kept.event("said");
    assert_eq!(event.target, "second");
    assert_eq!(
        event.fields,
        [("code.file.path".into(), "b.rs".into()), ("code.line.number".into(), Value::I64(2))]
    );
}

#[test]
fn busy_times_are_those_of_the_layer() {
    let kept = recorded_by(
        |b| b,
        TelemetryLayer::with_busy_times,
        |_| drop(info_span!("work", busy_ns = "mine", a = 1)),
    );
    let names: Vec<&str> = kept.span("work").fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a", "busy_ns", "idle_ns"]);
}

#[test]
fn a_redacted_name_is_redacted_however_it_is_written() {
    let hide = |l: TelemetryLayer| l.with_redacted_fields(["type"]);
    let kept = recorded_by(|b| b, hide, |_| info!(r#type = "secret", "type" = "secret too", "said"));
    assert_eq!(kept.event("said").fields, [("type".into(), Value::from("[redacted]"))]);
}

#[test]
fn call_sites_win_over_the_globe_and_later_attributes_over_earlier_ones() {
    let (collector, _) = collector(|b| b.tag("env", "first").tag("env", "global"));
    collector.counter("n").with(&[("env", "own")]).inc();
    let seen = collector.snapshot();
    let tags: Vec<(&str, &str)> = seen.named("n").flat_map(|metric| metric.tags()).collect();
    assert_eq!(tags.iter().filter(|(key, _)| *key == "env").collect::<Vec<_>>(), [&("env", "own")]);
    assert_eq!(collector.resource().tags().get("env"), Some("global"));
    let resource = Resource::new(Tags::parse("a: tag").unwrap(), "shop").unwrap();
    let pairs = [("a", 1_u64), ("b", 2), ("b", 3)].map(|(key, n)| (Text::from(key), Value::U64(n)));
    let resource = resource.with_attributes(pairs);
    let all: Vec<String> = resource.attributes().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(all, ["a=tag", "service.name=shop", "b=3"]);
    assert!(collector.shutdown(SOON).is_complete());
}
