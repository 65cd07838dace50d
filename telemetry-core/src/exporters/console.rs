//! `console:`: one readable line an item, on standard output or standard error; coloured only on a terminal.
//!
//! Texts of the program come in; whatever stands in them, they go out as parts of one line that are told from those beside them.

use std::fmt::{Display, Write as _};
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, Instant, SystemTime};

use super::{Batch, Delivery, EventRef, ExportError, Exporter, SpanRef};
use crate::metrics::MetricRef;
use crate::model::{HistogramValue, Resource, StatusRef, ValueRef};
use crate::sync::{AsItIs, ForkLock, on_fork};
use crate::text::Quoted;
use tracing_core::Level;

/// Which of the two standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Prints what it is given, and before its first line the global tags; again only when they change.
///
/// ```text
/// 2026-11-21T10:15:04.120Z       tags   env=prod host=till-3 service.name=shop
/// 2026-11-21T10:15:04.120Z INFO  span   checkout 12.3ms error (no stock) order=7 [4bf9.. 00f0.. < 1b2c..]
/// 2026-11-21T10:15:04.119Z WARN  event  shop::pay: card declined order=7 [4bf9.. 00f0..]
/// 2026-11-21T10:15:05.000Z       metric shop.orders{currency=EUR} 41
/// 2026-11-21T10:15:05.000Z       metric shop.page_size count=3 mean=743.2 p50=512 p99=1024 max=1024 By
/// ```
///
/// A name, a key or a value that is no single word, or has one of `"\=,{}[]()`, stands in quotes, with the escapes of Rust:
/// `user="a b=c"`. So does a message with a quote, a `=` or a `[`, and all that has control characters, marks of direction or
/// what else nobody sees.
#[derive(Debug)]
pub struct Console {
    stream: Stream,
    colour: bool,
    /// The global tags that were printed last.
    shown: Option<Resource>,
}

impl Console {
    /// Prints there, in colours if that is a terminal and `NO_COLOR` is not set.
    pub fn new(stream: Stream) -> Self {
        static NAMED: AtomicBool = AtomicBool::new(false);
        on_fork(&NAMED, &[hold]);
        let terminal = match stream {
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        };
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self { stream, colour: terminal && !plain, shown: None }
    }

    fn page<'a>(&self, batch: &'a Batch) -> Page<'a> {
        let resource = Some(batch.resource()).filter(|resource| self.shown.as_ref() != Some(resource));
        let mut page = Page { text: String::new(), colour: self.colour, resource };
        batch.spans().for_each(|span| page.span(&span));
        batch.events().for_each(|event| page.event(&event));
        batch.metrics().for_each(|metric| page.metric(&metric));
        page
    }
}

impl Exporter for Console {
    fn name(&self) -> &'static str {
        "console"
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        let page = self.page(batch);
        let printing = PRINTING[self.stream as usize].lock();
        let written = match self.stream {
            Stream::Stdout => io::stdout().lock().write_all(page.text.as_bytes()),
            Stream::Stderr => io::stderr().lock().write_all(page.text.as_bytes()),
        };
        drop(printing);
        match written {
            Ok(()) => {
                if self.shown.as_ref() != Some(batch.resource()) {
                    self.shown = Some(batch.resource().clone());
                }
                Ok(Delivery::all())
            }
            // Whoever read it is gone, and does not come back.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                Err(ExportError::never("nobody reads the console").caused_by(e))
            }
            Err(e) => Err(e.into()),
        }
    }
}

/// Held while something is printed: the lock of a stream that is taken while the process forks is taken in its child for ever.
static PRINTING: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];

/// Waits for what is being printed, but not for a terminal or a pipe that takes nothing.
fn hold() -> Box<dyn ForkLock> {
    const MOMENT: Duration = Duration::from_millis(200);
    let began = Instant::now();
    let hold = |printing: &'static Mutex<()>| loop {
        match printing.try_lock() {
            Ok(guard) => break Some(guard),
            Err(TryLockError::Poisoned(guard)) => break Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) if began.elapsed() > MOMENT => break None,
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    };
    Box::new(AsItIs(PRINTING.each_ref().map(hold)))
}

struct Page<'a> {
    text: String,
    colour: bool,
    /// The global tags that stand before its first line.
    resource: Option<&'a Resource>,
}

const DIM: &str = "2";
const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";

/// What a message has to stand in quotes for: fields and ids come behind it.
const OF_MESSAGES: &str = "=[";
/// The same of a status, which stands in brackets.
const OF_STATUSES: &str = "=[()";
/// The same of a unit, the last of its line: units have brackets and braces of their own.
const OF_UNITS: &str = " =";

/// Writing to a `String` can't fail.
macro_rules! put {
    ($page:expr, $($arg:tt)*) => {{
        let _ = write!($page.text, $($arg)*);
    }};
}

impl Page<'_> {
    fn span(&mut self, span: &SpanRef<'_>) {
        self.head(span.start_unix_nano(), Some(span.level()), "span");
        self.paint(BOLD, Quoted::word(span.name()));
        put!(self, " {}", duration(span.duration_nano()));
        match span.status() {
            StatusRef::Unset => {}
            StatusRef::Ok => self.paint(GREEN, " ok"),
            StatusRef::Error("") => self.paint(RED, " error"),
            StatusRef::Error(message) => {
                self.paint(RED, format_args!(" error ({})", Quoted::new(message, OF_STATUSES)));
            }
        }
        self.fields(span.fields());
        let parent = span.parent_span_id().map_or(String::new(), |p| format!(" < {p}"));
        self.paint(DIM, format_args!(" [{} {}{parent}]", span.trace_id(), span.span_id()));
        self.text.push('\n');
    }

    fn event(&mut self, event: &EventRef<'_>) {
        self.head(event.time_unix_nano(), Some(event.level()), "event");
        self.paint(DIM, format_args!("{}:", Quoted::word(event.target())));
        if !event.name().is_empty() {
            self.paint(BOLD, format_args!(" {}", Quoted::word(event.name())));
        }
        if !event.message().is_empty() {
            self.text.push(' ');
            self.paint(BOLD, Quoted::new(event.message(), OF_MESSAGES));
        }
        self.fields(event.fields());
        if let (Some(trace), Some(span)) = (event.trace_id(), event.span_id()) {
            self.paint(DIM, format_args!(" [{trace} {span}]"));
        }
        self.text.push('\n');
    }

    fn metric(&mut self, metric: &MetricRef<'_>) {
        self.head(metric.time_unix_nano(), None, "metric");
        self.paint(BOLD, Quoted::word(metric.name()));
        for (i, (key, value)) in metric.own_tags().iter().enumerate() {
            put!(self, "{}{}={}", if i == 0 { '{' } else { ',' }, Quoted::word(key), Quoted::word(value));
        }
        if !metric.own_tags().is_empty() {
            self.text.push('}');
        }
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
        self.text.push('\n');
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

    fn head(&mut self, unix_nanos: u64, level: Option<Level>, what: &str) {
        if let Some(resource) = self.resource.take() {
            self.head(unix_nanos, None, "tags");
            // The columns end in a space, and each field begins with one.
            self.text.pop();
            self.fields(resource.tags().iter().map(|(key, value)| (key, ValueRef::Str(value))));
            self.text.push('\n');
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(unix_nanos);
        self.paint(DIM, humantime::format_rfc3339_millis(time));
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
        put!(self, " {what:6} ");
    }

    fn fields<'a>(&mut self, fields: impl Iterator<Item = (&'a str, ValueRef<'a>)>) {
        for (name, value) in fields {
            put!(self, " {}=", Quoted::word(name));
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
fn duration(nanos: u64) -> String {
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
fn number(x: f64) -> String {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::Snapshot;
    use crate::model::{Buckets, Kind, Metric, MetricValue, Tags};

    fn batch(global: &str, metrics: Vec<Metric>) -> Batch {
        let resource = Arc::new(Resource::new(Tags::parse(global).unwrap(), "shop").unwrap());
        Batch::of_metrics(Snapshot::new(metrics, Arc::clone(&resource)), resource)
    }

    fn histogram(name: &'static str, values: &[f64]) -> Metric {
        let bounds = values.to_vec();
        let counts = values.iter().map(|_| 1).chain([0]).collect();
        let value = HistogramValue {
            count: values.len() as u64,
            sum: values.iter().sum(),
            min: values.iter().copied().reduce(f64::min),
            max: values.iter().copied().reduce(f64::max),
            buckets: Buckets::Explicit { bounds, counts },
            exemplars: Vec::new(),
            octaves: None,
        };
        Metric { value: MetricValue::Histogram(value.into()), ..Metric::new(Kind::Histogram, name, 0, 9) }
    }

    /// The lines without their times.
    fn printed(console: &Console, batch: &Batch) -> Vec<String> {
        console.page(batch).text.lines().map(|line| line[31..].to_owned()).collect()
    }

    fn console() -> Console {
        Console { stream: Stream::Stdout, colour: false, shown: None }
    }

    #[test]
    fn units_stand_apart_and_whole_numbers_have_no_decimals() {
        let gauge = |name: &'static str, value: f64| Metric::new(Kind::Gauge, name, value, 9);
        let metrics = vec![
            gauge("items", 0.0).unit("{item}"),
            Metric::new(Kind::Counter, "sent", 3, 9).unit("By"),
            gauge("load", 0.25).unit("1"),
            gauge("heat", 21.5),
            histogram("size", &[3.0]).unit("By"),
            histogram("share", &[0.5, 2.25]),
            histogram("time", &[0.012]).unit("s"),
        ];
        assert_eq!(
            printed(&console(), &batch("", metrics))[1..],
            [
                "metric items 0 {item}",
                "metric sent 3 By",
                "metric load 0.25",
                "metric heat 21.5",
                "metric size count=1 mean=3 p50=3 p99=3 max=3 By",
                "metric share count=2 mean=1.375 p50=0.5 p99=2.25 max=2.25",
                "metric time count=1 mean=12.0ms p50=12.0ms p99=12.0ms max=12.0ms",
            ]
        );
    }

    #[test]
    fn numbers_have_four_digits_and_whole_ones_all() {
        let shown =
            [3.0, 1_234_567.0, 1_234.5, 534.64, 1.5, 2.0 / 3.0, -0.012_345, 9.999_96, 1e-7].map(number);
        assert_eq!(shown, ["3", "1234567", "1234", "534.6", "1.5", "0.6667", "-0.01235", "10", "1.000e-7"]);
    }

    #[test]
    fn global_tags_stand_once_before_the_first_line_and_again_when_they_change() {
        let mut console = console();
        let one = |global| batch(global, vec![Metric::new(Kind::Counter, "n", 1, 9)]);
        let line = "metric n 1";
        let first = one("env: prod, host: the till");
        let tags = "tags   env=prod host=\"the till\" service.name=shop";
        assert_eq!(printed(&console, &first), [tags, line]);
        console.export(&first).unwrap();
        assert_eq!(printed(&console, &first), [line]);
        assert_eq!(printed(&console, &one("env: test")), ["tags   env=test service.name=shop", line]);
    }

    #[test]
    fn durations_have_three_digits() {
        let shown = [7, 1_500, 12_340_000, 123_400_000, 9_999_000_000, 86_400_000_000_000].map(duration);
        assert_eq!(shown, ["7ns", "1.50µs", "12.3ms", "123ms", "10.00s", "86400s"]);
    }

    #[test]
    fn texts_are_told_from_what_is_beside_them() {
        let mut page = Page { text: String::new(), colour: false, resource: None };
        let texts = ["a b=c", "\"", "\\", "x,admin=true} 7", "\u{202e}a\u{2028}", "\u{1b}[2J", "a.b/c:7", ""];
        page.fields(texts.into_iter().map(|text| ("k", ValueRef::Str(text))));
        let shown = r#" k="a b=c" k="\"" k="\\" k="x,admin=true} 7" k="\u{202e}a\u{2028}" k="\u{1b}[2J" k=a.b/c:7 k="""#;
        assert_eq!(page.text, shown);
        page.text.clear();
        page.fields([("bad key", ValueRef::Bool(true)), ("n", ValueRef::F64(0.5))].into_iter());
        assert_eq!(page.text, r#" "bad key"=true n=0.5"#);
        let mut odd = Metric::new(Kind::Counter, "or ders", 3, 9).unit("By x=1");
        let mut tags = Tags::new();
        tags.insert("k", "x,admin=true} 7").unwrap();
        tags.insert("user", "me").unwrap();
        odd = odd.tags(tags);
        let line = r#"metric "or ders"{k="x,admin=true} 7",user=me} 3 "By x=1""#;
        assert_eq!(printed(&console(), &batch("", vec![odd]))[1..], [line]);
    }
}
