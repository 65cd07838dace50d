//! Ids at the end of a line of text.

use std::fmt;

use tracing_subscriber::fmt::format::{Compact, Full, Pretty, Writer};

use super::with_trace_ids::sealed::Write;
use super::with_trace_ids::{Ids, SPAN_ID, TRACE_ID};

/// A format whose lines end with the ids.
trait Ends {
    /// What comes before the first one.
    const BEFORE: &'static str = " ";
}

impl Ends for Full {}

impl Ends for Compact {}

impl Ends for Pretty {
    const BEFORE: &'static str = "\n    ";
}

impl<L: Ends> Write for L {
    fn write(
        ids: &Ids,
        writer: Writer<'_>,
        is_coloured: bool,
        line: impl FnOnce(Writer<'_>) -> fmt::Result,
    ) -> fmt::Result {
        at_the_end(ids, writer, L::BEFORE, is_coloured, line)
    }
}

fn at_the_end(
    ids: &Ids,
    mut writer: Writer<'_>,
    before: &str,
    is_coloured: bool,
    line: impl FnOnce(Writer<'_>) -> fmt::Result,
) -> fmt::Result {
    let mut held = HoldingNewlines { writer: &mut writer, newlines: 0 };
    line(Writer::new(&mut held))?;
    let newlines = held.newlines;
    let (dimmed, reset) = if is_coloured { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
    let Ids { context, has_own: [own_trace, own_span] } = ids;
    let mut before = before;
    if !own_trace {
        write!(writer, "{before}{dimmed}{TRACE_ID}={}{reset}", context.trace_id)?;
        before = " ";
    }
    if !own_span {
        write!(writer, "{before}{dimmed}{SPAN_ID}={}{reset}", context.span_id)?;
    }
    newline(&mut writer, newlines)
}

/// Passes a line on but for the newlines at its end.
struct HoldingNewlines<'a, 'w> {
    writer: &'a mut Writer<'w>,
    newlines: usize,
}

impl fmt::Write for HoldingNewlines<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let line = text.trim_end_matches('\n');
        if !line.is_empty() {
            newline(self.writer, std::mem::take(&mut self.newlines))?;
            self.writer.write_str(line)?;
        }
        self.newlines += text.len() - line.len();
        Ok(())
    }
}

fn newline(writer: &mut Writer<'_>, many: usize) -> fmt::Result {
    (0..many).try_for_each(|_| writer.write_char('\n'))
}
