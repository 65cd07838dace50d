//! For tests of programs that use telemetry: an exporter that keeps everything, and assertions that show what was
//! there instead.
//!
//! ```
//! use std::time::Duration;
//! use telemetry_core::clock::{Clock, ManualClock};
//! use telemetry_core::testing::{Memory, assert_counter, assert_histogram};
//! use telemetry_core::{Collector, counter, histogram, timer};
//!
//! let (memory, clock) = (Memory::new(), ManualClock::new(0));
//! let builder = Collector::builder().ignore_env().clock(Clock::manual(&clock));
//! let collector = builder.exporter(memory.clone()).start()?;
//! collector.scoped(|| {
//!     counter("orders").with(&[("currency", "EUR")]).inc();
//!     histogram("size").record(3);
//!     let waits = timer("wait").start();
//!     clock.advance(Duration::from_secs(2));
//!     drop(waits);
//! });
//! assert_counter(&collector.snapshot(), "orders", &[("currency", "EUR")], 1);
//! assert_histogram(&collector.snapshot(), "size", &[], 1, 3.0);
//! assert_histogram(&collector.snapshot(), "wait", &[], 1, 2.0);
//!
//! // What exporters get, they get at the next flush.
//! assert!(collector.flush(Duration::from_secs(5)).is_complete());
//! assert_eq!(memory.kept().metrics.len(), 3);
//! # Ok::<(), telemetry_core::Error>(())
//! ```
//!
//! - A collector that is [scoped](crate::Collector::scoped) belongs to one test, so tests may run in parallel. Futures run
//!   in [`scope_future`](crate::Collector::scope_future). Threads and tasks that a test starts begin without.
//! - Metrics can be read at once ([`snapshot`](crate::Collector::snapshot)). Spans and events come from `tracing`: the
//!   subscriber of the test needs a `TelemetryLayer` of the collector. They reach [`Memory`] when they have ended and the
//!   collector [flushes](crate::Collector::flush).
//! - [`ManualClock`](crate::clock::ManualClock) moves only when a test moves it.
//! - `tracing` remembers of a place in the source whether anybody wants what is recorded there, and may ask only the
//!   thread that comes by first. While there is a [`Memory`], it asks each time: no test loses spans to another one.

use std::sync::{Arc, OnceLock};

use tracing_core::Dispatch;
use tracing_core::subscriber::NoSubscriber;

use crate::exporters::{Batch, Delivery, ExportError, Exporter};
use crate::metrics::{MetricRef, Snapshot};
use crate::model::{Event, Kind, Metric, Number, Span, Text, Value};
use crate::sync::{Mutex, lock};
use crate::text::Quoted;

/// An exporter that keeps everything. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Mutex<Kept>>);

/// What was exported.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Kept {
    /// In the order they ended on each thread.
    pub spans: Vec<Span>,
    /// In the order they happened on each thread.
    pub events: Vec<Event>,
    /// All data points of all exports.
    pub metrics: Vec<Metric>,
}

impl Memory {
    /// Nothing kept yet.
    pub fn new() -> Self {
        keep_call_sites_open();
        Self(Arc::default())
    }

    /// What there is so far.
    pub fn kept(&self) -> Kept {
        lock(&self.0).clone()
    }
}

/// Keeps a second dispatcher alive: of a call site that a thread without subscriber reaches first, `tracing` would else
/// remember that nobody ever wants it, as long as there is only one.
fn keep_call_sites_open() {
    static SECOND: OnceLock<Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| Dispatch::new(NoSubscriber::new()));
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Exporter for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        let mut kept = lock(&self.0);
        kept.spans.extend(batch.spans().map(|span| span.to_span()));
        kept.events.extend(batch.events().map(|event| event.to_event()));
        kept.metrics.extend(batch.metrics().map(|metric| metric.to_metric()));
        Ok(Delivery::all())
    }
}

impl Kept {
    /// The only span of that name.
    ///
    /// # Panics
    ///
    /// If there is none or more than one.
    #[track_caller]
    pub fn span(&self, name: &str) -> &Span {
        let found: Vec<&Span> = self.spans.iter().filter(|span| span.name == name).collect();
        match found[..] {
            [span] => span,
            [] if self.spans.is_empty() => {
                panic!("no span is here, so none is called {}. {NOTHING}", Quoted::word(name))
            }
            [] => panic!("no span is called {}. {NOT_YET} There are\n{}", Quoted::word(name), self.tree()),
            _ => panic!("{} spans are called {}, in\n{}", found.len(), Quoted::word(name), self.tree()),
        }
    }

    /// The only event with that message.
    ///
    /// # Panics
    ///
    /// If there is none or more than one.
    #[track_caller]
    pub fn event(&self, message: &str) -> &Event {
        let found: Vec<&Event> = self.events.iter().filter(|event| event.message == message).collect();
        let all = || self.events.iter().map(|event| event.message.as_str()).collect::<Vec<&str>>();
        match found[..] {
            [event] => event,
            [] if self.events.is_empty() => panic!("no event is here, so none says {message:?}. {NOTHING}"),
            [] => panic!("no event says {message:?}. {NOT_YET} They say {:#?}", all()),
            _ => panic!("{} events say {message:?}, of {:#?}", found.len(), all()),
        }
    }

    /// The spans by name, each below its parent; those whose parent is not there stand at the left.
    pub fn tree(&self) -> String {
        let mut text = String::new();
        let is_there =
            |span: &Span| self.spans.iter().any(|other| Some(other.span_id) == span.parent_span_id);
        for root in self.spans.iter().filter(|span| !is_there(span)) {
            self.draw(root, 0, &mut text);
        }
        text
    }

    fn draw(&self, span: &Span, depth: usize, text: &mut String) {
        text.push_str(&"  ".repeat(depth));
        // A line of its own: only what could be taken for another one is quoted.
        let is_deeper = span.name.starts_with(char::is_whitespace);
        let name = if is_deeper { Quoted::always(&span.name) } else { Quoted::new(&span.name, "") };
        text.push_str(&name.to_string());
        text.push('\n');
        for child in self.spans.iter().filter(|other| other.parent_span_id == Some(span.span_id)) {
            self.draw(child, depth + 1, text);
        }
    }
}

/// What to do where no span or no event was exported.
const NOTHING: &str = "Flush first: `collector.flush(Duration::from_secs(5))`, then `memory.kept()`. If that was done: is a \
                       `TelemetryLayer` of this collector in the subscriber that is current where they are recorded, on that \
                       thread or in that task, and does no filter keep them from it?";

/// What to do where others were.
const NOT_YET: &str =
    "If it is only missing: has it ended, and did the collector flush (`collector.flush(..)`) after that?";

/// The counter, up-down counter or gauge of that name with exactly those tags has that value.
///
/// # Panics
///
/// If it has another one, or is not there.
#[track_caller]
pub fn assert_counter(metrics: &Snapshot, name: &str, tags: &[(&str, &str)], value: impl Into<Number>) {
    let (value, found) = (value.into(), find(metrics, name, tags));
    assert!(
        found.is_some_and(|m| m.kind() != Kind::Histogram && m.number() == value),
        "{}{tags:?} is not {value}; there is\n{}",
        Quoted::word(name),
        listed(metrics, name)
    );
}

/// The histogram of that name with exactly those tags has taken so many values with that sum.
///
/// # Panics
///
/// If it has taken others, or is not there.
#[track_caller]
pub fn assert_histogram(metrics: &Snapshot, name: &str, tags: &[(&str, &str)], count: u64, sum: f64) {
    let found = find(metrics, name, tags).and_then(|m| m.histogram());
    assert!(
        found.is_some_and(|h| h.count == count && (h.sum - sum).abs() <= 1e-9 * sum.abs()),
        "{}{tags:?} has not {count} values with the sum {sum}; there is\n{}",
        Quoted::word(name),
        listed(metrics, name)
    );
}

/// There is one span of that name, a child of the span of the other name (a root where that is none), with at least these
/// fields as text.
///
/// # Panics
///
/// If there is none, or it is another one; the message shows all spans as a tree.
#[track_caller]
pub fn assert_span(kept: &Kept, name: &str, parent: Option<&str>, fields: &[(&str, &str)]) {
    let span = kept.span(name);
    let found = span.parent_span_id.and_then(|id| kept.spans.iter().find(|span| span.span_id == id));
    let parent_name = found.map(|span| &*span.name);
    let is_root = span.parent_span_id.is_none();
    let hint = if found.is_none() && !is_root {
        " (its parent is not here, or not yet: is it still open?)"
    } else {
        ""
    };
    assert!(
        parent_name == parent && (parent.is_some() || is_root),
        "{} is not below {}{hint}, in\n{}",
        Quoted::word(name),
        Quoted::word(parent.unwrap_or("nothing")),
        kept.tree()
    );
    assert_fields(name, &span.fields, fields, &kept.tree());
}

/// There is one event with that message, in the span of that name (in none where that is none), with at least these
/// fields as text.
///
/// # Panics
///
/// If there is none, or it is another one; the message shows all spans as a tree.
#[track_caller]
pub fn assert_event(kept: &Kept, message: &str, span: Option<&str>, fields: &[(&str, &str)]) {
    let event = kept.event(message);
    let found = event.span_id.and_then(|id| kept.spans.iter().find(|span| span.span_id == id));
    let within = found.map(|span| &*span.name);
    assert!(
        within == span && (span.is_some() || event.span_id.is_none()),
        "{message:?} is not in {}, but in {}, of\n{}",
        Quoted::new(span.unwrap_or("no span"), ","),
        Quoted::new(within.unwrap_or("one that is not there"), ","),
        kept.tree()
    );
    assert_fields(message, &event.fields, fields, &kept.tree());
}

#[track_caller]
fn assert_fields(of: &str, all: &[(Text, Value)], wanted: &[(&str, &str)], tree: &str) {
    for (name, value) in wanted {
        let found = all.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_string());
        let shown = found.as_deref().unwrap_or("not there");
        let fields = || {
            all.iter()
                .map(|(key, value)| format!("{}={}", Quoted::word(key), Quoted::word(&value.to_string())))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert!(
            found.as_deref() == Some(value),
            "{} of {} is {}, not {}; its fields: {}; all spans:\n{tree}",
            Quoted::word(name),
            Quoted::new(of, "=["),
            Quoted::new(shown, "=,;"),
            Quoted::new(value, "=,;"),
            fields()
        );
    }
}

fn find<'a>(metrics: &'a Snapshot, name: &str, tags: &[(&str, &str)]) -> Option<MetricRef<'a>> {
    let mut tags = tags.to_vec();
    tags.sort_unstable();
    metrics.iter().find(|m| m.name() == name && m.own_tags().iter().eq(tags.iter().copied()))
}

/// The series of that name, or all names where there is none.
fn listed(metrics: &Snapshot, name: &str) -> String {
    let line = |m: MetricRef<'_>| {
        let value = m
            .histogram()
            .map_or_else(|| m.number().to_string(), |h| format!("{} values, sum {}", h.count, h.sum));
        format!("  {} {}{{{}}} = {value}\n", m.kind().name(), Quoted::word(m.name()), m.own_tags())
    };
    let same: String = metrics.iter().filter(|m| m.name() == name).map(line).collect();
    if metrics.is_empty() {
        "  nothing at all: is this collector the current one (`collector.scoped(..)`, `collector.scope_future(..)`) where it \
         is recorded, on that thread?"
            .to_owned()
    } else if same.is_empty() {
        format!("  nothing of that name, but\n{}", metrics.iter().map(line).collect::<String>())
    } else {
        same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Collector;

    fn said(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
        *std::panic::catch_unwind(f).unwrap_err().downcast::<String>().unwrap()
    }

    #[test]
    fn assertions_show_what_is_there_instead() {
        let collector = Collector::builder().ignore_env().start().unwrap();
        collector.counter("orders").with(&[("b", "2"), ("a", "1")]).add(3);
        collector.histogram("size").record(4);
        let metrics = collector.snapshot();
        assert_counter(&metrics, "orders", &[("b", "2"), ("a", "1")], 3);
        assert_histogram(&metrics, "size", &[], 1, 4.0);
        let (one, two, three) = (metrics.clone(), metrics.clone(), metrics.clone());
        let wrong = said(move || assert_counter(&one, "orders", &[("a", "1"), ("b", "2")], 4));
        assert!(wrong.contains("is not 4") && wrong.contains("counter orders{a: 1, b: 2} = 3"), "{wrong}");
        let missing = said(move || assert_counter(&two, "order", &[], 4));
        assert!(missing.contains("nothing of that name, but") && missing.contains("orders"), "{missing}");
        let other = said(move || assert_histogram(&three, "size", &[], 2, 4.0));
        assert!(other.contains("histogram size{} = 1 values, sum 4"), "{other}");
    }

    #[test]
    fn assertions_on_spans_and_events_show_the_tree() {
        let id = |n| crate::model::SpanId::new(n).unwrap();
        let context = |n| crate::model::SpanContext::new(crate::model::TraceId::new(1).unwrap(), id(n), true);
        let event = Event::new(tracing_core::Level::INFO, "done", 0).within(context(2)).field("n", 3u64);
        let spans = vec![
            Span::new(context(1), "request", 0, 9),
            Span::new(context(2), "query", 1, 2).child_of(id(1)).field("rows", 7u64),
        ];
        let kept = Kept { spans, events: vec![event], ..Kept::default() };
        assert_span(&kept, "request", None, &[]);
        assert_span(&kept, "query", Some("request"), &[("rows", "7")]);
        assert_event(&kept, "done", Some("query"), &[("n", "3")]);
        let (one, two, three) = (kept.clone(), kept.clone(), kept);
        let wrong = said(move || assert_span(&one, "query", None, &[]));
        assert!(wrong.contains("query is not below nothing, in\nrequest\n  query\n"), "{wrong}");
        let wrong = said(move || assert_span(&two, "query", Some("request"), &[("rows", "8")]));
        assert!(wrong.contains("rows of query is 7, not 8"), "{wrong}");
        let wrong = said(move || assert_event(&three, "done", Some("request"), &[]));
        assert!(wrong.contains("\"done\" is not in request, but in query"), "{wrong}");
    }
}
