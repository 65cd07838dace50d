//! Lines of `tracing_subscriber::fmt` have the ids with which events and spans are exported.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use telemetry_layer::fmt::WithTraceIds;
use telemetry_layer::prelude::*;
use telemetry_layer::{Collector, Context, TelemetryLayer};
use telemetry_tests::beside::{Ours, locked, program};
use telemetry_tests::{Kept, collector, exported, remote};
use tracing::subscriber::with_default;
use tracing::{Dispatch, Subscriber, info, info_span, warn};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt, registry, reload};

/// Counts what each thread allocates.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does what is asked for.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|all| all.set(all.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

/// What was written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(locked(&self.0).clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        locked(&self.0).extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Full,
    Compact,
    Pretty,
    Json,
    FlatJson,
}

use Format::{Compact, FlatJson, Full, Json, Pretty};

const FORMATS: [Format; 5] = [Full, Compact, Pretty, Json, FlatJson];

type Boxed<S> = Box<dyn Layer<S> + Send + Sync>;

impl Format {
    /// A layer of `fmt` that writes there.
    fn layer<S>(self, lines: &Lines, events: FmtSpan, is_coloured: bool) -> Boxed<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let lines = lines.clone();
        let layer = fmt::layer().with_writer(move || lines.clone()).with_ansi(is_coloured);
        let layer = layer.with_span_events(events);
        match self {
            Full => layer.map_event_format(WithTraceIds::new).boxed(),
            Compact => layer.compact().map_event_format(WithTraceIds::new).boxed(),
            Pretty => layer.pretty().map_event_format(WithTraceIds::new).boxed(),
            Json => layer.json().map_event_format(WithTraceIds::new).boxed(),
            FlatJson => layer.json().flatten_event(true).map_event_format(WithTraceIds::new).boxed(),
        }
    }

    /// Each event that was written, and its ids.
    fn events(self, text: &str) -> Vec<(String, Ids)> {
        if matches!(self, Json | FlatJson) {
            return text.lines().map(json_ids).collect();
        }
        let records = text.split(if self == Pretty { "\n\n" } else { "\n" });
        records
            .filter(|record| !record.is_empty())
            .map(|record| (record.to_owned(), ids_in(record)))
            .collect()
    }
}

/// Of a trace and a span.
type Ids = Option<(String, String)>;

fn json_ids(line: &str) -> (String, Ids) {
    let members: BTreeMap<String, Value> =
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let names = line.matches("\"trace_id\":").count();
    assert_eq!(names, usize::from(members.contains_key("trace_id")), "once: {line}");
    let text = |name: &str| members.get(name).map(|id| id.as_str().unwrap().to_owned());
    (line.to_owned(), text("trace_id").zip(text("span_id")))
}

fn ids_in(line: &str) -> Ids {
    let id = |name: &str, len| {
        let (before, id) = line.split_once(name)?;
        assert!(before.ends_with(' '), "{line}");
        Some(id.get(..len).unwrap_or_else(|| panic!("{line}")).to_owned())
    };
    id("trace_id=", 32).zip(id("span_id=", 16))
}

/// The ids of events, by what they say, in order.
fn by_message(events: impl IntoIterator<Item = (String, Ids)>, messages: &[String]) -> Vec<(String, Ids)> {
    let said = |record: &str| {
        let all = messages.iter().filter(|message| record.contains(message.as_str()));
        all.max_by_key(|message| message.len()).cloned().unwrap_or_default()
    };
    let mut all: Vec<_> = events.into_iter().map(|(record, ids)| (said(&record), ids)).collect();
    all.sort();
    all
}

fn exported_ids(kept: &Kept) -> Vec<(String, Ids)> {
    let id = |event: &telemetry_layer::model::Event| {
        event.trace_id.map(|id| id.to_string()).zip(event.span_id.map(|id| id.to_string()))
    };
    let text = |event: &telemetry_layer::model::Event| {
        if event.message.is_empty() { "failed 2 times".to_owned() } else { event.message.clone() }
    };
    kept.events.iter().map(|event| (text(event), id(event))).collect()
}

/// Runs the program in that subscriber, and compares each line with the event that was exported. How many there were.
#[track_caller]
fn assert_same(
    format: Format,
    rate: f64,
    subscriber: impl FnOnce(&TelemetryLayerMaker, &Lines) -> Dispatch,
) -> usize {
    let (collector, memory) = collector(|b| b.sample_rate(rate));
    let lines = Lines::default();
    let make: TelemetryLayerMaker = Box::new({
        let collector = collector.clone();
        move || TelemetryLayer::new(&collector)
    });
    let subscriber = subscriber(&make, &lines);
    tracing::dispatcher::with_default(&subscriber, program);
    drop(subscriber);
    let events = exported_ids(&exported(&collector, &memory));
    let messages: Vec<String> = events.iter().map(|(message, _)| message.clone()).collect();
    let mut written = by_message(format.events(&lines.text()), &messages);
    let mut sent = by_message(events, &messages);
    // A filter may let one of them see more than the other.
    written.retain(|(message, _)| sent.iter().any(|(other, _)| other == message));
    sent.retain(|(message, _)| written.iter().any(|(other, _)| other == message));
    assert_eq!(written, sent, "{format:?} at {rate}: {}", lines.text());
    assert!(sent.iter().any(|(_, ids)| ids.is_some()), "{format:?}: {messages:?}, {}", lines.text());
    sent.len()
}

type TelemetryLayerMaker = Box<dyn Fn() -> TelemetryLayer>;

const NO_EVENTS: FmtSpan = FmtSpan::NONE;

#[test]
fn lines_have_the_ids_that_are_exported_with_our_layer_before_and_behind_sampled_and_not() {
    for (format, rate) in FORMATS.into_iter().flat_map(|format| [(format, 1.0), (format, 0.0)]) {
        let before = assert_same(format, rate, |ours, lines| {
            registry().with(ours()).with(format.layer(lines, NO_EVENTS, false)).into()
        });
        let behind = assert_same(format, rate, |ours, lines| {
            registry().with(format.layer(lines, NO_EVENTS, false)).with(ours()).into()
        });
        assert_eq!([before, behind], [13, 13], "{format:?}: all events there are");
    }
}

#[test]
fn filters_of_either_and_layers_that_others_wrap_change_no_id() {
    for (format, max) in
        [(Full, LevelFilter::DEBUG), (Json, LevelFilter::WARN), (Compact, LevelFilter::ERROR)]
    {
        assert_same(format, 1.0, |ours, lines| {
            registry().with(ours()).with(format.layer(lines, NO_EVENTS, false).with_filter(max)).into()
        });
        assert_same(format, 1.0, |ours, lines| {
            registry().with(format.layer(lines, NO_EVENTS, false).with_filter(max)).with(ours()).into()
        });
        assert_same(format, 1.0, |ours, lines| {
            // Spans that are hidden from ours are nothing that an event of ours is in.
            let takes = move |site: &tracing::Metadata<'_>| {
                *site.level() <= if site.is_span() { LevelFilter::DEBUG } else { max }
            };
            let ours = ours().with_filter(filter_fn(takes));
            registry().with(ours).with(format.layer(lines, NO_EVENTS, false)).into()
        });
        assert_same(format, 1.0, |ours, lines| {
            let layer = Some(vec![ours().boxed()]);
            registry().with(layer).with(format.layer(lines, NO_EVENTS, false)).into()
        });
        assert_same(format, 1.0, |ours, lines| {
            let (reloaded, handle) = reload::Layer::new(None::<TelemetryLayer>);
            let subscriber = registry().with(format.layer(lines, NO_EVENTS, false)).with(reloaded).into();
            handle.reload(Some(ours())).unwrap();
            subscriber
        });
    }
}

#[test]
fn a_subscriber_inside_of_another_one_has_its_own_ids_and_so_has_the_outer_one_afterwards() {
    fn work() {
        info_span!("work").in_scope(|| warn!("at work"));
    }

    let (outer, inner) = (Ours::default(), Ours::default());
    let (lines, inner_lines) = (Lines::default(), Lines::default());
    let of_inner = || {
        let hides_spans = Compact.layer(&inner_lines, NO_EVENTS, false).with_filter(LevelFilter::WARN);
        Dispatch::new(registry().with(hides_spans).with(inner.layer()))
    };
    let subscriber = registry().with(outer.layer()).with(Compact.layer(&lines, NO_EVENTS, false));
    with_default(subscriber, || {
        info_span!("work").in_scope(|| {
            warn!("at work");
            tracing::dispatcher::with_default(&of_inner(), work);
            warn!("at work");
        });
    });
    let messages = ["at work".to_owned()];
    for (ours, lines, many) in [(outer, lines, 2), (inner, inner_lines, 1)] {
        let sent = by_message(exported_ids(&ours.kept()), &messages);
        let written = by_message(Compact.events(&lines.text()), &messages);
        assert_eq!((&written, sent.len()), (&sent, many));
    }
}

#[test]
fn a_line_that_tells_of_a_span_has_its_ids_to_its_end() {
    for is_before in [true, false] {
        let (ours, lines) = (Ours::default(), Lines::default());
        let subscriber: Dispatch = if is_before {
            registry().with(ours.layer()).with(Json.layer(&lines, FmtSpan::FULL, false)).into()
        } else {
            registry().with(Json.layer(&lines, FmtSpan::FULL, false)).with(ours.layer()).into()
        };
        tracing::dispatcher::with_default(&subscriber, || {
            // In a place that another span had before.
            info_span!("first").in_scope(|| ());
            info_span!("told").in_scope(|| ());
        });
        let kept = ours.kept();
        let told = kept.spans.iter().find(|span| span.name == "told").unwrap();
        let ids = Some((told.trace_id.to_string(), told.span_id.to_string()));
        let events = Json.events(&lines.text());
        let of = |what: &str| {
            let said = format!("\"message\":\"{what}\"");
            let of = events.iter().filter(|(line, _)| line.contains("told") && line.contains(&said));
            of.map(|(_, ids)| ids.clone()).collect::<Vec<_>>()
        };
        for what in ["enter", "exit", "close"] {
            assert_eq!(of(what), std::slice::from_ref(&ids), "{what}, before: {is_before}");
        }
        let new = if is_before { ids.clone() } else { None };
        assert_eq!(of("new"), [new], "before: {is_before}");
    }
}

#[test]
fn an_attached_context_gives_its_ids_and_outside_of_everything_there_are_none() {
    let (ours, lines) = (Ours::default(), Lines::default());
    let subscriber = registry().with(ours.layer()).with(Json.layer(&lines, NO_EVENTS, false));
    with_default(subscriber, || {
        info!("outside");
        let _attached = Context::new(remote(true)).attach();
        info!("attached");
        info!(parent: None, "alone");
    });
    let written: Vec<Ids> = Json.events(&lines.text()).into_iter().map(|(_, ids)| ids).collect();
    let far = remote(true).span.unwrap();
    let far = Some((far.trace_id.to_string(), far.span_id.to_string()));
    assert_eq!(written, [None, far, None]);
    let sent: Vec<Ids> = exported_ids(&ours.kept()).into_iter().map(|(_, ids)| ids).collect();
    assert_eq!(written, sent);
}

#[test]
fn one_name_has_one_value_in_a_line() {
    let own = |format: Format| {
        let (ours, lines) = (Ours::default(), Lines::default());
        let subscriber = registry().with(ours.layer()).with(format.layer(&lines, NO_EVENTS, false));
        with_default(subscriber, || {
            info_span!("span").in_scope(|| info!(trace_id = "mine", text = "}\"span_id\":{", "said"));
        });
        let span_id = ours.kept().spans[0].span_id.to_string();
        (lines.text(), span_id)
    };
    for format in [Full, Compact, Pretty] {
        let (line, span_id) = own(format);
        assert_eq!(line.matches("trace_id").count(), 1, "{line}");
        assert!(line.contains("mine") && line.contains(&format!("span_id={span_id}")), "{line}");
    }
    let (line, span_id) = own(FlatJson);
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&object["trace_id"], &object["span_id"]), (&"mine".into(), &span_id.into()));
    assert_eq!(line.matches("\"trace_id\":").count(), 1, "{line}");
    let (line, span_id) = own(Json);
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&object["fields"]["trace_id"], &object["span_id"]), (&"mine".into(), &span_id.into()));
    assert_eq!(object["trace_id"].as_str().map(str::len), Some(32), "{line}");
}

#[test]
fn an_object_without_other_members_is_one_with_ids() {
    let (ours, lines) = (Ours::default(), Lines::default());
    let format = fmt::format().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let format = format.without_time().with_level(false).with_target(false);
    let written = lines.clone();
    let layer = fmt::layer().json().with_writer(move || written.clone());
    let subscriber = registry().with(ours.layer()).with(layer.event_format(WithTraceIds::new(format)));
    with_default(subscriber, || info_span!("span").in_scope(|| info!({})));
    let line = lines.text();
    let members: BTreeMap<String, String> =
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(members.into_keys().collect::<Vec<_>>(), ["span_id", "trace_id"]);
}

#[test]
fn colours_stay_where_there_are_any_and_the_shape_of_lines_does() {
    let run = |format: Format, is_coloured| {
        let (ours, lines) = (Ours::default(), Lines::default());
        let subscriber = registry().with(format.layer(&lines, NO_EVENTS, is_coloured)).with(ours.layer());
        with_default(subscriber, || info_span!("span", n = 1).in_scope(|| info!(m = 2, "several\nlines\n")));
        lines.text()
    };
    for format in [Full, Compact, Pretty] {
        let (plain, coloured) = (run(format, false), run(format, true));
        assert!(!plain.contains('\x1b'), "{plain}");
        assert!(coloured.contains("\x1b[32m") && coloured.contains("\x1b[2mtrace_id="), "{coloured:?}");
        let end = if format == Pretty { "\n\n" } else { "\n" };
        let ids = plain.strip_suffix(end).unwrap().rsplit_once("span_id=").unwrap().1;
        assert_eq!(ids.len(), 16, "{plain}");
    }
    let pretty = run(Pretty, false);
    assert!(pretty.lines().any(|line| line.starts_with("    trace_id=")), "{pretty}");
}

/// How many allocations a thread needs for so many lines.
fn allocations(collector: &Collector, layer: impl FnOnce() -> Boxed<registry::Registry>) -> u64 {
    // It sees no event, which would take memory of its own now and then.
    let ours = TelemetryLayer::new(collector).with_filter(filter_fn(|site| !site.is_event()));
    let subscriber = registry().with(layer()).with(ours);
    with_default(subscriber, || {
        info_span!("span", n = 1).in_scope(|| {
            let line = || {
                warn!(m = 2, "a line");
                info!(parent: None, "another one");
            };
            let many = || {
                let before = ALLOCATIONS.get();
                (0..10).for_each(|_| line());
                ALLOCATIONS.get() - before
            };
            // The first ones find the layer, and again where other tests make some.
            (0..20).map(|_| many()).min().unwrap()
        })
    })
}

#[test]
fn a_line_allocates_nothing_beyond_what_fmt_does() {
    let (collector, _memory) = collector(|b| b.sample_rate(0.0));
    let text = || fmt::layer().with_writer(io::sink).with_ansi(true);
    let json = || fmt::layer().with_writer(io::sink).json();
    let with = |layer: Boxed<registry::Registry>| allocations(&collector, || layer);
    assert_eq!(with(text().map_event_format(WithTraceIds::new).boxed()), with(text().boxed()));
    assert_eq!(
        with(text().pretty().map_event_format(WithTraceIds::new).boxed()),
        with(text().pretty().boxed())
    );
    let plain = with(json().boxed());
    assert!(plain > 0, "it is counted");
    assert_eq!(with(json().map_event_format(WithTraceIds::new).boxed()), plain);
}
