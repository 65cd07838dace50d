//! Items as events of the Trace Event Format: a batch goes in, lines come out, each of which holds all that one item becomes.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::flows::{Flow, Flows, OnThread};
use super::layout::{Layout, Place};
use super::track::Drawn;
use crate::exporters::json::{Map, put};
use crate::exporters::{Batch, EventRef, SpanRef};
use crate::metrics::MetricRef;
use crate::model::cut::prefix;
use crate::model::{Kind, Number, Resource, SpanId, StatusRef, TraceId, ValueRef, level_name};
use crate::text::Quoted;
use crate::thread;

/// What the lines of a file depend on that were written before.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    layout: Layout,
    flows: Flows,
    /// When the gauges were set that were written, by their metrics and series.
    gauges: HashMap<(String, String), u64>,
}

impl State {
    /// A new file has no gauges.
    pub(super) fn in_new_file(&mut self) {
        self.gauges.clear();
    }
}

/// So many gauges are remembered.
const GAUGES: usize = 10_000;
/// So many bytes of a message stand on a track; `args` have all of it.
const LABEL: usize = 120;

/// What every file begins with.
pub(super) const BEGIN: &[u8] = b"[{\"ph\":\"M\",\"name\":\"process_name\",";

/// Lines of one batch.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) lines: Vec<u8>,
    /// The threads that they name.
    pub(super) threads: BTreeSet<u32>,
    /// The moment from which times are counted, in nanoseconds since the Unix epoch.
    zero: u64,
    process: u32,
    /// Spans say more than their names and times.
    has_args: bool,
}

/// One event of the format, as its specification names the parts.
#[derive(Serialize)]
struct Entry<'a, A> {
    ph: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cat: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    pid: u32,
    tid: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<A>,
}

#[derive(Serialize)]
struct SpanArgs<'a, F> {
    trace_id: TraceId,
    span_id: SpanId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<SpanId>,
    kind: &'static str,
    level: &'static str,
    target: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<&'a str>,
    fields: F,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<(TraceId, SpanId)>,
    #[serde(skip_serializing_if = "is_0")]
    dropped_fields: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_line: Option<u32>,
}

#[derive(Serialize)]
struct EventArgs<'a, F> {
    level: &'static str,
    target: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<TraceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<SpanId>,
    fields: F,
    #[serde(skip_serializing_if = "is_0")]
    dropped_fields: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_line: Option<u32>,
}

#[derive(Serialize)]
struct ProcessArgs<'a, F> {
    name: &'a str,
    zero_unix_nano: u64,
    resource: F,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_0(n: &u32) -> bool {
    *n == 0
}

type NoArgs = Option<()>;

impl Page {
    pub(super) fn new(zero: u64, has_args: bool) -> Self {
        let process = std::process::id();
        Self { lines: Vec::new(), threads: BTreeSet::new(), zero, process, has_args }
    }

    /// Adds all items of a batch.
    pub(super) fn add(&mut self, batch: &Batch, state: &mut State) -> serde_json::Result<()> {
        batch.spans().try_for_each(|span| self.span(&span, state))?;
        batch.events().try_for_each(|event| self.event(&event))?;
        self.metrics(batch, state)
    }

    /// What a file begins with.
    pub(super) fn begin(&mut self, resource: &Resource) -> serde_json::Result<()> {
        let args = ProcessArgs {
            name: resource.service_name(),
            zero_unix_nano: self.zero,
            resource: Map(|| resource.attributes()),
        };
        self.lines.push(b'[');
        let entry = Entry { args: Some(args), ..self.entry("M", "process_name", None) };
        put(&mut self.lines, &entry)?;
        self.lines.push(b'\n');
        debug_assert!(self.lines.starts_with(BEGIN));
        Ok(())
    }

    /// Names a thread.
    pub(super) fn name(&mut self, number: u32) -> serde_json::Result<()> {
        let name = thread::name_of(number).unwrap_or_else(|| format!("thread {number}"));
        let args = Map(|| std::iter::once(("name", &*name)));
        self.put(&Entry { args: Some(args), ..self.entry("M", "thread_name", Some(number)) })?;
        self.end_line();
        Ok(())
    }

    fn span(&mut self, span: &SpanRef<'_>, state: &mut State) -> serde_json::Result<()> {
        let (start, duration) = (span.start_unix_nano(), span.duration_nano());
        let (file, line) = span.code().unzip();
        let args = SpanArgs {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            parent_span_id: span.parent_span_id(),
            kind: span.kind().name(),
            level: level_name(span.level()),
            target: span.target(),
            status: span.status().name(),
            status_message: match span.status() {
                StatusRef::Error(message) if !message.is_empty() => Some(message),
                _ => None,
            },
            fields: Map(|| span.fields()),
            links: span.links().map(|to| (to.trace_id, to.span_id)).collect(),
            dropped_fields: span.dropped_fields(),
            code_file: file,
            code_line: line.flatten(),
        };
        let (thread, args) = (span.thread(), Some(args).filter(|_| self.has_args));
        let drawn = Drawn {
            id: span.span_id(),
            parent: span.parent_span_id(),
            start,
            end: start.saturating_add(duration),
        };
        match state.layout.place(span.trace_id(), thread.filter(|_| span.is_on_one_thread()), &drawn) {
            Place::Thread(number) => {
                let entry = Entry { args, ..self.entry("X", span.name(), Some(number)) };
                let (ts, dur) = (Some(self.time(start)), Some(duration as f64 / 1e3));
                self.put(&Entry { cat: span.target(), ts, dur, ..entry })?;
                let on_thread = OnThread { id: drawn.id, thread: number, start, end: drawn.end };
                let parent = drawn.parent.filter(|_| span.is_parent_far());
                let links = span.links().map(|to| to.span_id);
                let flows = state.flows.add(on_thread, parent, links);
                flows.iter().try_for_each(|flow| self.flow(flow))?;
            }
            Place::Beside(track) => {
                state.flows.forget(span.span_id());
                let id = || Some(format!("{track:#x}"));
                let (ts, cat) = (Some(self.time(start)), "async");
                let begin = Entry { args, ..self.entry("b", span.name(), thread) };
                self.put(&Entry { cat, ts, id: id(), ..begin })?;
                let ts = Some(self.time(drawn.end));
                let end: Entry<'_, NoArgs> = self.entry("e", span.name(), thread);
                self.put(&Entry { cat, ts, id: id(), ..end })?;
            }
        }
        self.threads.extend(thread);
        self.end_line();
        Ok(())
    }

    /// Both of its ends.
    fn flow(&mut self, flow: &Flow) -> serde_json::Result<()> {
        let ends = [("s", flow.from, None), ("f", flow.to, Some("e"))];
        for (ph, (thread, at), bp) in ends {
            let entry: Entry<'_, NoArgs> = self.entry(ph, flow.why.name(), Some(thread));
            let (ts, id) = (Some(self.time(at)), Some(format!("{:#x}", flow.id)));
            self.put(&Entry { cat: "flow", ts, id, bp, ..entry })?;
            self.threads.insert(thread);
        }
        Ok(())
    }

    fn event(&mut self, event: &EventRef<'_>) -> serde_json::Result<()> {
        let (file, line) = event.code().unzip();
        let args = EventArgs {
            level: level_name(event.level()),
            target: event.target(),
            message: event.message(),
            trace_id: event.trace_id(),
            span_id: event.span_id(),
            fields: Map(|| event.fields()),
            dropped_fields: event.dropped_fields(),
            code_file: file,
            code_line: line.flatten(),
        };
        let names = [event.name(), prefix(event.message(), LABEL), event.target(), "event"];
        let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        let thread = event.thread();
        let scope = if thread.is_some() { "t" } else { "p" };
        let entry = Entry { args: Some(args), ..self.entry("i", name, thread) };
        let ts = Some(self.time(event.time_unix_nano()));
        self.put(&Entry { cat: event.target(), ts, s: Some(scope), ..entry })?;
        self.threads.extend(thread);
        self.end_line();
        Ok(())
    }

    /// The series of a metric stand one behind the other, and become one line.
    fn metrics(&mut self, batch: &Batch, state: &mut State) -> serde_json::Result<()> {
        let mut track = Track::default();
        for metric in batch.metrics() {
            let label = label(&metric);
            if metric.kind() == Kind::Gauge && state.is_known(&metric, &label) {
                continue;
            }
            if !track.takes(&metric, &label) {
                self.track(&std::mem::take(&mut track))?;
            }
            track.labels.insert(label.clone());
            track.series.push((label, metric));
        }
        self.track(&track)
    }

    fn track(&mut self, track: &Track<'_>) -> serde_json::Result<()> {
        let Some((_, first)) = track.series.first() else { return Ok(()) };
        let unit = match first.unit() {
            unit if matches!(unit, "" | "1") || unit.starts_with('{') => String::new(),
            unit => format!(" [{unit}]"),
        };
        let (name, ts) = (first.name(), first.time_unix_nano());
        if first.histogram().is_none() {
            let values = || track.series.iter().map(|(label, metric)| (&**label, value(metric.number())));
            self.counter(&format!("{name}{unit}"), ts, Map(values))?;
        } else {
            let each =
                || track.series.iter().filter_map(|(label, metric)| Some((&**label, metric.histogram()?)));
            self.counter(&format!("{name} count"), ts, Map(|| each().map(|(label, of)| (label, of.count))))?;
            for (part, share) in [("p50", 0.5), ("p99", 0.99)] {
                let of = || each().filter_map(|(label, of)| Some((label, of.quantile(share)?)));
                if of().next().is_some() {
                    self.counter(&format!("{name} {part}{unit}"), ts, Map(of))?;
                }
            }
        }
        self.end_line();
        Ok(())
    }

    fn counter(&mut self, name: &str, at: u64, values: impl Serialize) -> serde_json::Result<()> {
        let entry = Entry { args: Some(values), ..self.entry("C", name, None) };
        self.put(&Entry { cat: "metric", ts: Some(self.time(at)), ..entry })
    }

    /// What every event has. No thread of the program has the number of the process.
    fn entry<'a, A>(&self, ph: &'static str, name: &'a str, thread: Option<u32>) -> Entry<'a, A> {
        Entry {
            ph,
            name,
            cat: "",
            ts: None,
            dur: None,
            pid: self.process,
            tid: u64::from(self.process) + u64::from(thread.unwrap_or(0)),
            id: None,
            s: None,
            bp: None,
            args: None,
        }
    }

    /// A moment in microseconds since zero: to the nanosecond, as long as these are less than 2^52.
    fn time(&self, unix_nanos: u64) -> f64 {
        (i128::from(unix_nanos) - i128::from(self.zero)) as f64 / 1e3
    }

    fn put<A: Serialize>(&mut self, entry: &Entry<'_, A>) -> serde_json::Result<()> {
        self.lines.push(b',');
        put(&mut self.lines, entry)
    }

    fn end_line(&mut self) {
        self.lines.push(b'\n');
    }
}

impl State {
    /// Whether that value of a gauge was written; from now on it is.
    fn is_known(&mut self, metric: &MetricRef<'_>, label: &str) -> bool {
        if self.gauges.len() >= GAUGES {
            self.gauges.clear();
        }
        let at = metric.time_unix_nano();
        self.gauges.insert((metric.name().to_owned(), label.to_owned()), at) == Some(at)
    }
}

/// Series of one metric that were read at the same time.
#[derive(Default)]
struct Track<'a> {
    labels: HashSet<String>,
    series: Vec<(String, MetricRef<'a>)>,
}

impl Track<'_> {
    fn takes(&self, metric: &MetricRef<'_>, label: &str) -> bool {
        let Some((_, first)) = self.series.first() else { return true };
        let of = |metric: &MetricRef<'_>| (metric.histogram().is_some(), metric.time_unix_nano());
        first.name() == metric.name()
            && first.unit() == metric.unit()
            && of(first) == of(metric)
            && !self.labels.contains(label)
    }
}

/// What tells a series from others of its metric.
fn label(metric: &MetricRef<'_>) -> String {
    if metric.own_tags().is_empty() {
        return "value".to_owned();
    }
    let pair = |(key, value)| format!("{}={}", Quoted::word(key), Quoted::word(value));
    metric.own_tags().iter().map(pair).collect::<Vec<_>>().join(",")
}

fn value(of: Number) -> ValueRef<'static> {
    match of {
        Number::Int(n) => ValueRef::I64(n),
        Number::Uint(n) => ValueRef::U64(n),
        Number::Float(x) => ValueRef::F64(x),
    }
}
