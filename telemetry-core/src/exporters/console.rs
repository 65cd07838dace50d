//! `console:`: one readable line an item, on standard output or standard error; coloured only on a terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, SystemTime};

use super::{Batch, Delivery, EventRef, ExportError, Exporter, SpanRef};
use crate::metrics::MetricRef;
use crate::model::{HistogramValue, StatusRef, ValueRef};
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

/// Prints what it is given.
///
/// ```text
/// 2026-11-21T10:15:04.120Z INFO  span   checkout 12.3ms error (no stock) order=7 [4bf9.. 00f0.. < 1b2c..]
/// 2026-11-21T10:15:04.119Z WARN  event  shop::pay: card declined order=7 [4bf9.. 00f0..]
/// 2026-11-21T10:15:05.000Z       metric shop.orders{currency=EUR} 41
/// ```
#[derive(Debug)]
pub struct Console {
    stream: Stream,
    colour: bool,
}

impl Console {
    /// Prints there, in colours if that is a terminal and `NO_COLOR` is not set.
    pub fn new(stream: Stream) -> Self {
        let terminal = match stream {
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        };
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self { stream, colour: terminal && !plain }
    }
}

impl Exporter for Console {
    fn name(&self) -> &'static str {
        "console"
    }

    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        let mut page = Page { text: String::new(), colour: self.colour };
        batch.spans().for_each(|span| page.span(&span));
        batch.events().for_each(|event| page.event(&event));
        batch.metrics().for_each(|metric| page.metric(&metric));
        let written = match self.stream {
            Stream::Stdout => io::stdout().lock().write_all(page.text.as_bytes()),
            Stream::Stderr => io::stderr().lock().write_all(page.text.as_bytes()),
        };
        match written {
            Ok(()) => Ok(Delivery::all()),
            // Whoever read it is gone, and does not come back.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                Err(ExportError::never("nobody reads the console").caused_by(e))
            }
            Err(e) => Err(e.into()),
        }
    }
}

struct Page {
    text: String,
    colour: bool,
}

const DIM: &str = "2";
const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";

/// Writing to a `String` can't fail.
macro_rules! put {
    ($page:expr, $($arg:tt)*) => { let _ = write!($page.text, $($arg)*); };
}

impl Page {
    fn span(&mut self, span: &SpanRef<'_>) {
        self.head(span.start_unix_nano(), Some(span.level()), "span");
        self.paint(BOLD, span.name());
        put!(self, " {}", duration(span.duration_nano()));
        match span.status() {
            StatusRef::Unset => {}
            StatusRef::Ok => self.paint(GREEN, " ok"),
            StatusRef::Error("") => self.paint(RED, " error"),
            StatusRef::Error(message) => self.paint(RED, &format!(" error ({message})")),
        }
        self.fields(span.fields());
        let parent = span.parent_span_id().map_or(String::new(), |p| format!(" < {p}"));
        self.paint(DIM, &format!(" [{} {}{parent}]", span.trace_id(), span.span_id()));
        self.text.push('\n');
    }

    fn event(&mut self, event: &EventRef<'_>) {
        self.head(event.time_unix_nano(), Some(event.level()), "event");
        self.paint(DIM, &format!("{}:", event.target()));
        if !event.name().is_empty() {
            self.paint(BOLD, &format!(" {}", event.name()));
        }
        if !event.message().is_empty() {
            self.text.push(' ');
            self.paint(BOLD, event.message());
        }
        self.fields(event.fields());
        if let (Some(trace), Some(span)) = (event.trace_id(), event.span_id()) {
            self.paint(DIM, &format!(" [{trace} {span}]"));
        }
        self.text.push('\n');
    }

    fn metric(&mut self, metric: &MetricRef<'_>) {
        self.head(metric.time_unix_nano(), None, "metric");
        self.paint(BOLD, metric.name());
        if !metric.own_tags().is_empty() {
            let tags: Vec<String> = metric.own_tags().iter().map(|(k, v)| format!("{k}={v}")).collect();
            self.plain(&format!("{{{}}}", tags.join(",")));
        }
        if let Some(histogram) = metric.histogram() {
            self.histogram(histogram, metric.unit());
        } else {
            let unit = if metric.unit() == "1" { "" } else { metric.unit() };
            put!(self, " {}{unit}", metric.number());
        }
        self.text.push('\n');
    }

    fn histogram(&mut self, histogram: &HistogramValue, unit: &str) {
        let show = |x: f64| if unit == "s" { duration((x * 1e9) as u64) } else { format!("{x:.4}{unit}") };
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
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(unix_nanos);
        self.paint(DIM, &humantime::format_rfc3339_millis(time).to_string());
        let (name, colour) = match level {
            Some(Level::ERROR) => ("ERROR", RED),
            Some(Level::WARN) => ("WARN", "33"),
            Some(Level::INFO) => ("INFO", GREEN),
            Some(Level::DEBUG) => ("DEBUG", "34"),
            Some(_) => ("TRACE", "35"),
            None => ("", DIM),
        };
        self.text.push(' ');
        self.paint(colour, &format!("{name:5}"));
        put!(self, " {what:6} ");
    }

    fn fields<'a>(&mut self, fields: impl Iterator<Item = (&'a str, ValueRef<'a>)>) {
        for (name, value) in fields {
            match value {
                ValueRef::Str(text)
                    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"') =>
                {
                    self.plain(&format!(" {name}={text:?}"));
                }
                value => self.plain(&format!(" {name}={value}")),
            }
        }
    }

    /// A control character could move the cursor or paint over other lines.
    fn plain(&mut self, text: &str) {
        self.text.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }

    fn paint(&mut self, colour: &str, text: &str) {
        if self.colour {
            put!(self, "\x1b[{colour}m");
        }
        self.plain(text);
        if self.colour {
            self.text.push_str("\x1b[0m");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        let shown = [7, 1_500, 12_340_000, 123_400_000, 9_999_000_000, 86_400_000_000_000].map(duration);
        assert_eq!(shown, ["7ns", "1.50µs", "12.3ms", "123ms", "10.00s", "86400s"]);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut page = Page { text: String::new(), colour: false };
        page.paint(BOLD, "a\x1b[2Jb\nc");
        page.fields([("k", ValueRef::Str("x\x1b[2J y"))].into_iter());
        assert!(!page.text.contains(|c: char| c.is_control()), "{:?}", page.text);
    }
}
