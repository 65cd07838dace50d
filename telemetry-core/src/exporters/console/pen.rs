//! Writes lines: items come in, made of texts that are told from those beside them; what goes out is one line for each.

use std::fmt::{Display, Write as _};
use std::time::{Duration, SystemTime};

use tracing_core::Level;

use crate::exporters::{EventRef, SpanRef};
use crate::metrics::MetricRef;
use crate::model::{HistogramValue, Resource, SpanId, StatusRef, TraceId, ValueRef};
use crate::text::Quoted;

/// An item, clean and painted, of which a line is made or a branch of a tree.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// When it happened; of a span, when it ended.
    pub(super) time: u64,
    level: Option<Level>,
    kind: &'static str,
    /// Of a span its name; of others all before their fields.
    pub(super) name: String,
    /// Status and fields.
    rest: String,
    /// Of a span.
    pub(super) duration: Option<u64>,
    pub(super) trace: Option<TraceId>,
    pub(super) span: Option<SpanId>,
    pub(super) parent: Option<SpanId>,
}

impl Item {
    /// A span, or without a duration an event.
    #[cfg(test)]
    pub(super) fn of_test(name: &str, [start, end]: [u64; 2], ids: [u64; 3]) -> Self {
        let [trace, span, parent] = ids;
        let duration = (end > 0).then(|| end - start);
        Self {
            time: end.max(start),
            level: Some(Level::INFO),
            kind: if duration.is_some() { "span" } else { "event" },
            name: name.to_owned(),
            rest: String::new(),
            duration,
            trace: TraceId::new(u128::from(trace)),
            span: SpanId::new(span),
            parent: SpanId::new(parent),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.name.capacity() + self.rest.capacity() + size_of::<Self>()
    }

    /// When it happened; of a span, when it began.
    pub(super) fn start(&self) -> u64 {
        self.time.saturating_sub(self.duration.unwrap_or_default())
    }

    /// The span that it is a part of.
    pub(super) fn above(&self) -> Option<SpanId> {
        if self.duration.is_some() { self.parent } else { self.span }
    }
}

/// What stands beside the ids of a line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark<'a> {
    /// The name of the span that it is a part of.
    pub(super) of: Option<&'a str>,
    /// What is special about it.
    pub(super) word: Option<&'static str>,
}

/// The top of a tree, to which its branches refer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Top {
    pub(super) start: u64,
    pub(super) duration: u64,
}

#[derive(Debug)]
pub(super) struct Pen {
    pub(super) text: String,
    pub(super) colour: bool,
}

const DIM: &str = "2";
const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";

/// What a name or a target has to stand in quotes for, beside what any word has: branches come before it.
const OF_NAMES: &str = " \\=,{}[]()│├└─⋯";
/// The same of a message: fields and ids come behind it.
const OF_MESSAGES: &str = "=[";
/// The same of a status, which stands in brackets.
const OF_STATUSES: &str = "=[()";
/// The same of a unit, the last of its line: units have brackets and braces of their own.
const OF_UNITS: &str = " =";

/// Writing to a `String` can't fail.
macro_rules! put {
    ($pen:expr, $($arg:tt)*) => {{
        let _ = write!($pen.text, $($arg)*);
    }};
}

impl Pen {
    pub(super) fn new(colour: bool) -> Self {
        Self { text: String::new(), colour }
    }

    /// What `write` writes.
    fn apart(&self, write: impl FnOnce(&mut Self)) -> String {
        let mut pen = Self::new(self.colour);
        write(&mut pen);
        pen.text
    }

    pub(super) fn span(&self, span: &SpanRef<'_>) -> Item {
        let rest = |pen: &mut Self| {
            match span.status() {
                StatusRef::Unset => {}
                StatusRef::Ok => pen.paint(GREEN, " ok"),
                StatusRef::Error("") => pen.paint(RED, " error"),
                StatusRef::Error(message) => {
                    pen.paint(RED, format_args!(" error ({})", Quoted::new(message, OF_STATUSES)));
                }
            }
            pen.fields(span.fields());
        };
        Item {
            time: span.end_unix_nano(),
            level: Some(span.level()),
            kind: "span",
            name: Quoted::new(span.name(), OF_NAMES).to_string(),
            rest: self.apart(rest),
            duration: Some(span.duration_nano()),
            trace: Some(span.trace_id()),
            span: Some(span.span_id()),
            parent: span.parent_span_id(),
        }
    }

    pub(super) fn event(&self, event: &EventRef<'_>) -> Item {
        let name = |pen: &mut Self| {
            pen.paint(DIM, format_args!("{}:", Quoted::new(event.target(), OF_NAMES)));
            if !event.name().is_empty() {
                pen.paint(BOLD, format_args!(" {}", Quoted::word(event.name())));
            }
            if !event.message().is_empty() {
                pen.text.push(' ');
                pen.paint(BOLD, Quoted::new(event.message(), OF_MESSAGES));
            }
        };
        Item {
            time: event.time_unix_nano(),
            level: Some(event.level()),
            kind: "event",
            name: self.apart(name),
            rest: self.apart(|pen| pen.fields(event.fields())),
            duration: None,
            trace: event.trace_id(),
            span: event.span_id(),
            parent: None,
        }
    }

    pub(super) fn metric(&self, metric: &MetricRef<'_>) -> Item {
        let name = |pen: &mut Self| {
            pen.paint(BOLD, Quoted::word(metric.name()));
            for (i, (key, value)) in metric.own_tags().iter().enumerate() {
                put!(pen, "{}{}={}", if i == 0 { '{' } else { ',' }, Quoted::word(key), Quoted::word(value));
            }
            if !metric.own_tags().is_empty() {
                pen.text.push('}');
            }
            pen.value(metric);
        };
        Item {
            time: metric.time_unix_nano(),
            level: None,
            kind: "metric",
            name: self.apart(name),
            rest: String::new(),
            duration: None,
            trace: None,
            span: None,
            parent: None,
        }
    }

    fn value(&mut self, metric: &MetricRef<'_>) {
        match metric.histogram() {
            Some(histogram) if metric.unit() == "s" => {
                self.histogram(histogram, |seconds| duration((seconds * 1e9) as u64));
            }
            Some(histogram) => {
                self.histogram(histogram, number);
                self.unit(metric.unit());
            }
            None => {
                put!(self, " {}", metric.number());
                self.unit(metric.unit());
            }
        }
    }

    /// Behind the numbers, once.
    fn unit(&mut self, unit: &str) {
        if !matches!(unit, "" | "1") {
            put!(self, " {}", Quoted::new(unit, OF_UNITS));
        }
    }

    fn histogram(&mut self, histogram: &HistogramValue, show: impl Fn(f64) -> String) {
        put!(self, " count={}", histogram.count);
        if let (Some(mean), Some(p50), Some(p99)) =
            (histogram.mean(), histogram.quantile(0.5), histogram.quantile(0.99))
        {
            put!(self, " mean={} p50={} p99={}", show(mean), show(p50), show(p99));
        }
        if let Some(max) = histogram.max {
            put!(self, " max={}", show(max));
        }
    }

    /// The line of the global tags.
    pub(super) fn tags(&mut self, unix_nanos: u64, resource: &Resource) {
        self.head(unix_nanos, None, "tags");
        // The columns end in a space, and each field begins with one.
        self.text.pop();
        self.fields(resource.tags().iter().map(|(key, value)| (key, ValueRef::Str(value))));
        self.text.push('\n');
    }

    /// A line by itself.
    pub(super) fn line(&mut self, item: &Item, mark: Mark<'_>) {
        // A reading is of its time, whenever it comes, and a unit has brackets too.
        let mark = if item.level.is_some() { mark } else { Mark::default() };
        self.line_of(item, item.kind, mark);
    }

    /// The first line of a tree, which is that of a local root or of a span that comes by itself.
    pub(super) fn top(&mut self, item: &Item, is_root: bool, mark: Mark<'_>) {
        self.line_of(item, if is_root { "trace" } else { item.kind }, mark);
    }

    fn line_of(&mut self, item: &Item, kind: &str, mark: Mark<'_>) {
        self.head(item.time, item.level, kind);
        self.what(item, None);
        self.ids(item, mark);
        self.text.push('\n');
    }

    /// A line below the first one of a tree: in place of the time stands how much later than that it began.
    pub(super) fn branch(&mut self, item: &Item, top: Top, art: &str) {
        let later = match item.start().checked_sub(top.start) {
            Some(later) => format!("+{}", duration(later)),
            // Clocks of its threads may differ a little, and what was made by hand may say anything.
            None => format!("-{}", duration(top.start - item.start())),
        };
        self.paint(DIM, format_args!("{later:>24}"));
        self.level(item.level);
        put!(self, " {:6} ", item.kind);
        self.paint(DIM, art);
        let share = item.duration.map(|own| own as f64 / top.duration.max(1) as f64 * 100.0);
        self.what(item, share);
        self.text.push('\n');
    }

    fn what(&mut self, item: &Item, share: Option<f64>) {
        match item.duration {
            Some(own) => {
                self.paint(BOLD, &item.name);
                put!(self, " {}", duration(own));
            }
            None => self.text.push_str(&item.name),
        }
        if let Some(share) = share {
            let decimals = usize::from(share < 9.95);
            self.paint(DIM, format_args!(" {share:.decimals$}%"));
        }
        self.text.push_str(&item.rest);
    }

    fn ids(&mut self, item: &Item, mark: Mark<'_>) {
        let ids = item.trace.zip(item.span).map(|(trace, span)| format!(" {trace} {span}"));
        let parent = item.parent.map(|parent| format!(" < {parent}"));
        let words = mark.of.into_iter().chain(mark.word).map(|word| format!(" {word}"));
        let all: String = ids.into_iter().chain(parent).chain(words).collect();
        if !all.is_empty() {
            self.paint(DIM, format_args!(" [{}]", all.trim_start()));
        }
    }

    fn head(&mut self, unix_nanos: u64, level: Option<Level>, what: &str) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(unix_nanos);
        self.paint(DIM, humantime::format_rfc3339_millis(time));
        self.level(level);
        put!(self, " {what:6} ");
    }

    fn level(&mut self, level: Option<Level>) {
        let (name, colour) = match level {
            Some(Level::ERROR) => ("ERROR", RED),
            Some(Level::WARN) => ("WARN", "33"),
            Some(Level::INFO) => ("INFO", GREEN),
            Some(Level::DEBUG) => ("DEBUG", "34"),
            Some(_) => ("TRACE", "35"),
            None => ("", DIM),
        };
        self.text.push(' ');
        self.paint(colour, format_args!("{name:5}"));
    }

    pub(super) fn fields<'a>(&mut self, fields: impl Iterator<Item = (&'a str, ValueRef<'a>)>) {
        for (name, value) in fields {
            self.text.push(' ');
            self.paint(DIM, format_args!("{}=", Quoted::word(name)));
            match value {
                ValueRef::Str(text) => put!(self, "{}", Quoted::word(text)),
                value => put!(self, "{value}"),
            }
        }
    }

    fn paint(&mut self, colour: &str, what: impl Display) {
        if self.colour {
            put!(self, "\x1b[{colour}m{what}\x1b[0m");
        } else {
            put!(self, "{what}");
        }
    }
}

/// Three digits and the unit that fits.
pub(super) fn duration(nanos: u64) -> String {
    let x = nanos as f64;
    let (x, unit) = match nanos {
        0..1_000 => return format!("{nanos}ns"),
        1_000..1_000_000 => (x / 1e3, "µs"),
        1_000_000..1_000_000_000 => (x / 1e6, "ms"),
        _ => (x / 1e9, "s"),
    };
    let decimals = if x < 10.0 { 2 } else { usize::from(x < 100.0) };
    format!("{x:.decimals$}{unit}")
}

/// Four digits, and of whole numbers all.
pub(super) fn number(x: f64) -> String {
    let magnitude = x.abs().log10().floor();
    if x.fract() == 0.0 || !x.is_finite() || magnitude >= 3.0 {
        return format!("{x:.0}");
    }
    if magnitude < -4.0 {
        return format!("{x:.3e}");
    }
    let decimals = (3.0 - magnitude) as usize;
    format!("{x:.decimals$}").trim_end_matches('0').trim_end_matches('.').to_owned()
}
