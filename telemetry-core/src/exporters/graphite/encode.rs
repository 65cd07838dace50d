//! A batch goes in, lines come out: as many of its first items as fit. No clock is read.

use std::borrow::Cow;

use crate::exporters::Batch;
use crate::exporters::digits::{put_number, put_whole};
use crate::exporters::lines::{Kept, KeptTags, Name, byte_set, put_items, put_while};
use crate::exporters::protocol::Encoded;
use crate::exporters::summary;
use crate::exporters::words::free_key;
use crate::metrics::MetricRef;
use crate::model::Number;

/// The most bytes of a line without its end. Whoever sends a longer one, carbon closes the connection to.
pub const MAX_LINE: usize = 16_384;

/// Adds as many of the first items as fit into so many bytes, but one at least, and says how many these are, and how many of them
/// can't be said. `prefix` stands before all names. No line is longer than `max_line`, with its end.
pub fn put_batch(
    body: &mut Vec<u8>,
    batch: &Batch,
    max_bytes: usize,
    prefix: &str,
    max_line: usize,
) -> Encoded {
    let (name, tags, end) = (Kept::default(), KeptTags::default(), Kept::default());
    let mut pen = Pen { prefix, most: max_line.min(MAX_LINE + 1), name, tags, end };
    put_items(body, batch.metrics(), max_bytes, |out, item| pen.put(out, item))
}

/// Writes the items of a batch.
struct Pen<'a, 'p> {
    prefix: &'p str,
    /// Bytes of a line.
    most: usize,
    name: Kept<Name<'a>>,
    tags: KeptTags<'a>,
    /// What stands behind a value, by the second.
    end: Kept<u64>,
}

impl<'a> Pen<'a, '_> {
    /// All lines of an item.
    fn put(&mut self, out: &mut Vec<u8>, item: MetricRef<'a>) -> Result<(), Cow<'static, str>> {
        if item.name().is_empty() {
            return Err("it has no name".into());
        }
        let seconds = item.time_unix_nano() / 1_000_000_000;
        if seconds == 0 {
            return Err("its time is before 1970-01-01 00:00:01, which servers take for none".into());
        }
        self.keep_tags(item);
        match item.histogram() {
            None => self.put_line(out, item.name(), "", item.number(), seconds),
            Some(histogram) => summary::numbers(histogram)
                .try_for_each(|(of, number)| self.put_line(out, item.name(), of, number, seconds)),
        }
    }

    fn keep_tags(&mut self, item: MetricRef<'a>) {
        // Graphite has none without a value.
        let has = |key: &str| item.tag(key).is_some_and(|value| !value.is_empty());
        let put_key = |out: &mut Vec<u8>, key: &str, value: &str| {
            if value.is_empty() {
                return;
            }
            out.push(b';');
            // Graphite's own is the name of the metric.
            if key == "name" {
                put_text(out, &free_key("_", key, has));
            } else {
                // It has no `=`, `!` or `^`: keys of tags are letters, digits and `. - _ /`.
                put_text(out, key);
            }
            out.push(b'=');
        };
        self.tags.of(item, put_key, put_text);
    }

    /// The line of what of an item is called so.
    fn put_line(
        &mut self,
        out: &mut Vec<u8>,
        name: &'a str,
        of: &str,
        number: Number,
        seconds: u64,
    ) -> Result<(), Cow<'static, str>> {
        let start = out.len();
        out.extend_from_slice(self.name.of(Name(name), |out| {
            put_text(out, self.prefix);
            put_text(out, name);
        }));
        if !of.is_empty() {
            out.push(b'.');
            out.extend_from_slice(of.as_bytes());
        }
        out.extend_from_slice(self.tags.text());
        // What ends so is something else for carbon: `name{tag="value"}`.
        if out.ends_with(b"\"}") {
            let quote = out.len() - 2;
            out[quote] = b'_';
        }
        out.push(b' ');
        if !put_value(out, number) {
            return Err("NaN and infinities are no numbers there".into());
        }
        out.extend_from_slice(self.end.of(seconds, |out| {
            out.push(b' ');
            put_whole(out, seconds);
            out.push(b'\n');
        }));
        let bytes = out.len() - start;
        if bytes > self.most {
            return Err(format!("its line has {bytes} bytes, and {} are the most", self.most).into());
        }
        Ok(())
    }
}

/// A name, or the value of a tag. In the place of what can't be in it stands `_`.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    for c in put_while(out, text, &PLAIN).chars() {
        let c = if is_fit(c) { c } else { '_' };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    if out.get(start) == Some(&b'~') {
        out[start] = b'_';
    }
}

/// Nearly all are.
static PLAIN: [bool; 256] = byte_set!(b'!'..=b':' | b'<'..=b'~');

/// Whether it ends nothing. What is white space, Python knows in other alphabets too.
pub(super) fn is_fit(c: char) -> bool {
    c != ';' && !c.is_whitespace() && !c.is_control()
}

/// Whether it is finite.
fn put_value(out: &mut Vec<u8>, number: Number) -> bool {
    let is_finite = number.as_f64().is_finite();
    if is_finite {
        put_number(out, number);
    }
    is_finite
}

#[cfg(test)]
mod tests;
