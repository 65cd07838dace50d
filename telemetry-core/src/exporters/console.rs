//! `console:`: what happens, as it happens, on standard output or standard error; coloured only on a terminal.
//!
//! Texts of the program come in; whatever stands in them, they go out as parts of one line that are told from those beside them.
//! Lines go out whole, in the order in which what they say happened. It waits for nobody but whoever reads the stream.

mod colour;
mod out;
mod pen;
mod tree;
mod window;

use std::io::{self, ErrorKind, IsTerminal as _};
use std::time::Duration;

pub use self::out::Stream;

use self::out::Out;
use self::pen::Pen;
use self::tree::{Shown, Traces};
use self::window::Window;
use super::{Batch, Delivery, ExportError, Exporter, Held, Live, Now};
use crate::clock::{Tick, system_unix_nanos};
use crate::diagnostics::warn;
use crate::metrics::MetricRef;
use crate::model::Resource;

/// Prints what happens as it happens, and before its first line the global tags; again only when they change.
///
/// ```text
/// 2026-11-21T10:15:04.120Z       tags   env=prod host=till-3 service.name=shop
/// 2026-11-21T10:15:04.119Z WARN  event  shop::pay: card declined order=7 [4bf9.. 00f0..]
/// 2026-11-21T10:15:04.120Z INFO  span   checkout 12.3ms error (no stock) order=7 [4bf9.. 00f0.. < 1b2c..]
/// 2026-11-21T10:15:05.000Z       metric shop.orders{currency=EUR} 41
/// 2026-11-21T10:15:05.000Z       metric shop.page_size count=3 mean=743.2 p50=512 p99=1024 max=1024 By
/// ```
///
/// The time is that of an event and the end of a span, and lines come in its order: each one is held until 50 ms have passed since
/// then, and a little longer where others come right behind it. What threads hand over later than that comes at once, and its
/// brackets end in `late`. Up to 4 MiB are held; where there is more, the oldest lines come early. A flush prints what is held,
/// the end does too, and until then nothing counts as delivered.
///
/// A name, a key or a value that is no single word, or has one of `"\=,{}[]()`, stands in quotes, with the escapes of Rust:
/// `user="a b=c"`. So does a message with a quote, a `=` or a `[`, a name of a span or a target with the characters that draw
/// branches, and all that has control characters, marks of direction or what else nobody sees.
///
/// Only a terminal gets colours, by the conventions of `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and `TERM=dumb`.
///
/// Where nobody takes what it prints, a pipe that is full for instance, its own thread waits, and nobody else: what
/// there is no room for in its memory (`exporter_bytes`) is dropped and counted.
#[derive(Debug)]
pub struct Console {
    out: Out,
    colour: bool,
    /// The global tags that were printed last.
    shown: Option<Resource>,
    /// They are to be printed before the next line.
    says_tags: bool,
    window: Window<Shown>,
    traces: Option<Traces>,
    now: Now,
    /// When the stream is to be asked again.
    blocked_until: Option<Tick>,
}

/// A stream that takes nothing at the moment is asked that often.
const BLOCKED: Duration = Duration::from_millis(20);
/// At the end it is asked for so long.
const AT_THE_END: Duration = Duration::from_secs(1);

impl Console {
    /// Prints there.
    pub fn new(stream: Stream) -> Self {
        let is_terminal = match stream {
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        };
        let colour = colour::is_wanted(is_terminal, |name| std::env::var_os(name));
        Self {
            out: Out::new(stream),
            colour,
            shown: None,
            says_tags: false,
            window: Window::default(),
            traces: None,
            now: Now::default(),
            blocked_until: None,
        }
    }

    /// Prints a trace as a tree when its local root ends: what began there, with the events that fell in it.
    ///
    /// ```text
    /// 2026-11-21T10:15:04.120Z INFO  trace  checkout 12.3ms error (no stock) order=7 [4bf9.. 00f0..]
    ///                   +210µs DEBUG event  ├─ shop::db: connected pool=3
    ///                   +400µs INFO  span   ├─ reserve 3.10ms 25% item=9
    ///                   +520µs DEBUG span   │  └─ query 2.00ms 16% rows=3
    ///                  +3.60ms WARN  span   └─ charge 8.00ms 65% error
    ///                  +11.2ms WARN  event     └─ shop::pay: card declined
    /// ```
    ///
    /// In place of the time stands how much later than the root it began, and behind a span's duration its share of the root's. What
    /// is in no span comes as a line, and so does an event of a trace that was not sampled. A span that ends after its root comes by
    /// itself, with all below it: its brackets have the name of its parent and `late`. So does an event that comes after its span.
    ///
    /// Up to 8 MiB of open traces wait; where there is more, the oldest come as lines, which is said once. What waits in a tree
    /// counts as delivered. At the end all of it comes: what is part of a span that is open then has `open` in its brackets. A flush
    /// waits for no root.
    #[must_use]
    pub fn tree(mut self) -> Self {
        self.traces = Some(Traces::default());
        self
    }

    fn accept(&mut self, batch: &Batch, number: u64, now: Now) {
        self.now = now;
        if self.shown.as_ref() != Some(batch.resource()) {
            self.shown = Some(batch.resource().clone());
            self.says_tags = true;
        }
        let pen = Pen::new(self.colour);
        let mut new = Vec::with_capacity(batch.len());
        match &mut self.traces {
            None => {
                new.extend(batch.spans().map(|span| Shown::line(pen.span(&span))));
                new.extend(batch.events().map(|event| Shown::line(pen.event(&event))));
            }
            Some(traces) => {
                for span in batch.spans() {
                    let is_root =
                        span.parent_span_id().is_none() || span.record.head.parent_is_remote == Some(true);
                    new.extend(traces.take(pen.span(&span), is_root));
                }
                for event in batch.events() {
                    let is_alone = event.span_id().is_none() || !event.is_sampled();
                    new.extend(traces.take(pen.event(&event), is_alone));
                }
                new.extend(traces.give_up());
            }
        }
        // People look for a series by its tags.
        let mut metrics: Vec<_> = batch.metrics().collect();
        for of_one in metrics.chunk_by_mut(|a, b| a.name() == b.name() && a.kind() == b.kind()) {
            of_one.sort_by_key(MetricRef::own_tags);
        }
        new.extend(metrics.iter().map(|metric| Shown::line(pen.metric(metric))));
        for shown in new {
            let (time, bytes) = (shown.item.time, shown.bytes());
            self.window.push(shown, time, bytes, number, now);
        }
    }

    /// The lines of what is to go out next.
    fn page(&mut self, next: impl IntoIterator<Item = (Shown, bool)>) -> String {
        let mut pen = Pen::new(self.colour);
        for (shown, is_late) in next {
            if let Some(resource) = self.shown.as_ref().filter(|_| std::mem::take(&mut self.says_tags)) {
                pen.tags(shown.item.time, resource);
            }
            match &mut self.traces {
                Some(traces) => shown.draw(is_late, traces, &mut pen),
                None => pen.line(&shown.item, shown.mark(is_late)),
            }
        }
        pen.text
    }

    /// Prints what is to go out next, and what waits for the stream.
    fn print(&mut self, next: impl IntoIterator<Item = (Shown, bool)>, tick: Tick) -> io::Result<()> {
        let page = self.page(next);
        match self.out.write(&page) {
            Ok(true) => {
                self.blocked_until = None;
                self.window.arrived();
                Ok(())
            }
            Ok(false) => {
                self.blocked_until = Some(tick.plus(BLOCKED));
                Ok(())
            }
            Err(error) => {
                // What was held is tried again or refused, and then begins anew.
                (self.shown, self.blocked_until) = (None, None);
                self.window.clear();
                Err(error)
            }
        }
    }

    /// Prints what it holds, and all traces that are open.
    fn end(&mut self) -> io::Result<bool> {
        let tick = self.now.tick;
        self.put_out(self.now, true)?;
        let unfinished = self.traces.as_mut().map(Traces::unfinished).unwrap_or_default();
        self.print(unfinished.into_iter().map(|shown| (shown, false)), tick)?;
        // What is a part of itself, if somebody says so.
        let rest = self.traces.as_mut().map(Traces::rest).unwrap_or_default();
        self.print(rest.into_iter().map(|shown| (shown, false)), tick)?;
        self.out.finish(AT_THE_END)
    }
}

impl Live for Console {
    fn take(&mut self, batch: &Batch, number: u64, now: Now) {
        self.accept(batch, number, now);
    }

    fn put_out(&mut self, now: Now, all: bool) -> io::Result<()> {
        if !self.out.is_empty() {
            self.print([], now.tick)?;
        }
        if !self.out.is_empty() {
            return Ok(());
        }
        let next = self.window.release(now.tick, all);
        if next.is_empty() {
            return Ok(());
        }
        self.print(next.into_iter().map(|next| (next.what, next.is_late)), now.tick)
    }

    fn held(&self) -> Option<Held> {
        let held = self.window.held()?;
        Some(Held { until: self.blocked_until.unwrap_or(held.until), ..held })
    }

    fn error(&self, error: &io::Error) -> ExportError {
        let again = || io::Error::new(error.kind(), error.to_string());
        if error.kind() == ErrorKind::BrokenPipe {
            // Whoever read it is gone, and does not come back.
            return ExportError::never("nobody reads the console").caused_by(again());
        }
        if self.traces.is_some() {
            // A part of it may wait in trees, which would have it twice.
            return ExportError::never("the console can't be written").caused_by(again());
        }
        again().into()
    }
}

impl Exporter for Console {
    fn name(&self) -> &'static str {
        "console"
    }

    /// For whoever has it as a part of an exporter of his own: prints at once, and by time what the batch has.
    fn export(&mut self, batch: &Batch) -> Result<Delivery, ExportError> {
        let now = Now { tick: Tick::default(), unix_nano: system_unix_nanos() };
        self.accept(batch, 0, now);
        let ended = self.put_out(now, true).and_then(|()| self.out.finish(AT_THE_END));
        match ended {
            Ok(true) => {
                self.window.arrived();
                Ok(Delivery::all())
            }
            Ok(false) => Err(self.error(&ErrorKind::WouldBlock.into())),
            Err(error) => Err(self.error(&error)),
        }
    }

    fn shutdown(&mut self) {
        match self.end() {
            Ok(true) => {}
            Ok(false) => warn(format_args!("console: its stream takes nothing; the last lines are lost")),
            Err(e) if e.kind() == ErrorKind::BrokenPipe => {}
            Err(e) => warn(format_args!("console: the last lines are lost: {e}")),
        }
    }

    fn live(&mut self) -> Option<&mut dyn Live> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
