//! An item goes in, its data points come out, as lines of `put` or as objects. What a server would refuse is refused here, with a
//! reason. Nothing in a name or a tag can begin another line, tag or member.

use std::borrow::Cow;
use std::ops::Range;

use super::form::{Characters, Form, Histograms, PLAIN, Style};
use crate::exporters::digits::{put_float, put_whole};
use crate::exporters::lines::{TagRuns, put_while};
use crate::exporters::{json, summary};
use crate::metrics::MetricRef;
use crate::model::{Buckets, HistogramValue, Number, Tags};
use crate::text::Quoted;

type Put = Result<(), Cow<'static, str>>;

/// Adds the points of an item, whose global tags are these. Where one of them can't be said, what was written is the caller's to
/// take away.
pub(super) fn put_item<'i>(
    out: &mut Vec<u8>,
    item: MetricRef<'i>,
    global: &Tags,
    style: &Style,
    runs: &mut TagRuns<'i>,
) -> Put {
    let put = put_points(out, item, global, style, runs);
    if put.is_err() {
        runs.forget();
    }
    put
}

fn put_points<'i>(
    out: &mut Vec<u8>,
    item: MetricRef<'i>,
    global: &Tags,
    style: &Style,
    runs: &mut TagRuns<'i>,
) -> Put {
    if item.name().is_empty() {
        return Err("its name is empty".into());
    }
    let time = time(item.time_unix_nano(), style.is_millis)
        .ok_or_else(|| because(item, "its time can't be said: it is before 1970-01-01 00:00:01, or else before 1970-02-19 and in milliseconds"))?;
    let mut points = Points { out, item, global, style, time, runs, tags: 0..0, count: 0 };
    match item.histogram() {
        None => points.put("", item.number(), None),
        Some(histogram) => match style.histograms {
            Histograms::Summary => {
                summary::numbers(histogram).try_for_each(|(name, number)| points.put(name, number, None))
            }
            Histograms::Buckets => points.put_buckets(histogram),
        },
    }
}

/// Where the points of one item are written to.
struct Points<'a, 'i> {
    out: &'a mut Vec<u8>,
    item: MetricRef<'i>,
    global: &'a Tags,
    style: &'a Style,
    time: u64,
    runs: &'a mut TagRuns<'i>,
    /// Where the tags of the first point stand: those of the others are the same.
    tags: Range<usize>,
    count: usize,
}

impl Points<'_, '_> {
    /// One point, with a word behind its name, and a bound as one more tag.
    fn put(&mut self, suffix: &str, number: Number, bound: Option<f64>) -> Put {
        let start = self.out.len();
        match self.style.form {
            Form::Lines { .. } => self.out.extend_from_slice(b"put "),
            Form::Json if self.count == 0 => self.out.extend_from_slice(b"{\"metric\":\""),
            // Whoever looks for what was refused finds here that both are of one item.
            Form::Json => self.out.extend_from_slice(b",\n{\"metric\":\""),
        }
        put_fit(self.out, self.item.name(), self.style.characters);
        if !suffix.is_empty() {
            self.out.push(b'.');
            self.out.extend_from_slice(suffix.as_bytes());
        }
        let [before_time, before_value, before_tags, end] = self.marks();
        self.out.extend_from_slice(before_time);
        put_whole(self.out, self.time);
        self.out.extend_from_slice(before_value);
        if !put_value(self.out, number) {
            return Err(because(self.item, "it is not finite"));
        }
        self.out.extend_from_slice(before_tags);
        self.put_tags()?;
        if let Some(bound) = bound {
            self.put_bound(bound);
        }
        self.out.extend_from_slice(end);
        self.count += 1;
        match self.style.form {
            Form::Lines { max_line } if self.out.len() - start - 1 > max_line => {
                Err(because(self.item, format_args!("its line has more than {max_line} bytes")))
            }
            _ => Ok(()),
        }
    }

    /// What stands before the time, before the value, before the tags, and at the end.
    fn marks(&self) -> [&'static [u8]; 4] {
        match self.style.form {
            Form::Lines { .. } => [b" ", b" ", b"", b"\n"],
            Form::Json => [b"\",\"timestamp\":", b",\"value\":", b",\"tags\":{", b"}}"],
        }
    }

    fn put_buckets(&mut self, of: &HistogramValue) -> Put {
        if self.item.tag("le").is_some_and(|value| !value.is_empty()) {
            return Err(because(self.item, "it has a tag `le` of its own, which says bounds"));
        }
        self.put("count", of.count.into(), None)?;
        self.put("sum", Number::Float(of.sum), None)?;
        let mut below = 0_u64;
        let mut put = |bound: f64, count: u64| {
            below = below.saturating_add(count);
            self.put("bucket", below.into(), Some(bound))
        };
        match &of.buckets {
            // Also those that hold nothing, so that the series are always the same.
            Buckets::Explicit { bounds, counts } => {
                let bounds = bounds.iter().copied().chain([f64::INFINITY]);
                bounds.zip(counts.iter().copied()).try_for_each(|(bound, count)| put(bound, count))
            }
            exponential => {
                let mut last = None;
                for (bound, count) in exponential.by_upper_bound() {
                    put(bound, count)?;
                    last = Some(bound);
                }
                if last == Some(f64::INFINITY) { Ok(()) } else { put(f64::INFINITY, 0) }
            }
        }
    }

    fn put_bound(&mut self, bound: f64) {
        let (before, after): (&[u8], &[u8]) = match self.style.form {
            Form::Lines { .. } => (b" le=", b""),
            Form::Json => (b",\"le\":\"", b"\""),
        };
        self.out.extend_from_slice(before);
        let start = self.out.len();
        if !put_value(self.out, Number::Float(bound)) {
            self.out.extend_from_slice(b"Inf");
        }
        // It stands before exponents, and no server takes it in a tag.
        if let Some(plus) = self.out[start..].iter().position(|byte| *byte == b'+') {
            self.out.remove(start + plus);
        }
        self.out.extend_from_slice(after);
    }

    fn put_tags(&mut self) -> Put {
        if self.count > 0 {
            self.out.extend_from_within(self.tags.clone());
            return Ok(());
        }
        let start = self.out.len();
        let mut is_changed = false;
        // Those of a histogram's buckets have one more, and all of its points are of the same series.
        let is_bounded = self.style.histograms == Histograms::Buckets && self.item.histogram().is_some();
        let most = self.style.max_tags.saturating_sub(is_bounded.into());
        if self.style.max_tags == usize::MAX || self.item.own_tags().len() + self.global.len() <= most {
            let tags = self.item.tags().filter(|(_, value)| !value.is_empty());
            self.runs.put(self.out, tags, |out, key, value| {
                is_changed |= put_tag(out, start, key, value, self.style);
            });
        } else {
            self.runs.forget();
            for (key, value) in chosen(self.item, most, if is_bounded { " beside `le`" } else { "" })? {
                is_changed |= put_tag(self.out, start, key, value, self.style);
            }
        }
        self.tags = start..self.out.len();
        if self.tags.is_empty() {
            return Err(because(self.item, "it has no tag, and one is needed"));
        }
        if !is_changed {
            return Ok(());
        }
        // The next point has to be looked at too.
        self.runs.forget();
        self.each_once()
    }

    /// No two keys have become the same one.
    fn each_once(&self) -> Put {
        let fit = |key: &str| {
            let mut out = Vec::new();
            put_fit(&mut out, key, self.style.characters);
            out
        };
        let mut keys: Vec<_> =
            self.item.tags().filter(|(_, value)| !value.is_empty()).map(|(key, _)| fit(key)).collect();
        keys.sort_unstable();
        match keys.windows(2).find(|two| two[0] == two[1]) {
            Some(two) => {
                let key = String::from_utf8_lossy(&two[0]).into_owned();
                Err(because(self.item, format_args!("two of its tags become `{key}`")))
            }
            None => Ok(()),
        }
    }
}

/// One tag of those that begin there, which has a value; whether its key had to be changed.
fn put_tag(out: &mut Vec<u8>, start: usize, key: &str, value: &str, style: &Style) -> bool {
    let characters = style.characters;
    match style.form {
        Form::Lines { .. } => {
            out.push(b' ');
            let is_changed = put_fit(out, key, characters);
            out.push(b'=');
            put_fit(out, value, characters);
            is_changed
        }
        Form::Json => {
            out.extend_from_slice(if out.len() > start { b",\"" } else { b"\"" });
            let is_changed = put_fit(out, key, characters);
            out.extend_from_slice(b"\":");
            // It is written to memory, and a text can always be written.
            if characters == Characters::Any && json::put(out, value).is_ok() {
                return is_changed;
            }
            out.push(b'"');
            put_fit(out, value, characters);
            out.push(b'"');
            is_changed
        }
    }
}

/// As many tags as the server takes: those of the point, then `host`, then the other global ones.
fn chosen<'a>(
    item: MetricRef<'a>,
    most: usize,
    beside: &str,
) -> Result<Vec<(&'a str, &'a str)>, Cow<'static, str>> {
    let own = item.own_tags();
    let mut tags: Vec<_> = item.tags().filter(|(_, value)| !value.is_empty()).collect();
    let has = tags.iter().filter(|(key, _)| own.get(key).is_some()).count();
    if has > most {
        return Err(because(
            item,
            format_args!("it has {has} tags, and the server takes {most}{beside} (`max_tags`)"),
        ));
    }
    tags.sort_by_key(|(key, _)| (own.get(key).is_none(), *key != "host"));
    tags.truncate(most);
    Ok(tags)
}

/// A reason that names the metric.
fn because(item: MetricRef<'_>, reason: impl std::fmt::Display) -> Cow<'static, str> {
    format!("{}: {reason}", Quoted::word(item.name())).into()
}

/// In seconds, or in milliseconds where those are wanted or the seconds are too many: servers take what has more than 32 bits for
/// milliseconds. None where there is no such number.
fn time(unix_nanos: u64, is_millis: bool) -> Option<u64> {
    let is_seconds = |n: u64| n <= u32::MAX.into();
    let (seconds, millis) = (unix_nanos / 1_000_000_000, unix_nanos / 1_000_000);
    if is_millis || !is_seconds(seconds) {
        return Some(millis).filter(|millis| !is_seconds(*millis));
    }
    Some(seconds).filter(|seconds| *seconds > 0)
}

/// A whole number as one, if it is one that servers can hold; whether it is finite.
fn put_value(out: &mut Vec<u8>, number: Number) -> bool {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    match number {
        Number::Int(n) => put_whole(out, n),
        Number::Uint(n) => put_float(out, n as f64),
        Number::Float(x) if !x.is_finite() => return false,
        Number::Float(x) if x.trunc() == x && (-LIMIT..LIMIT).contains(&x) && x.to_bits() != MINUS_0 => {
            put_whole(out, x as i64);
        }
        Number::Float(x) => put_float(out, x),
    }
    true
}

/// No whole number has its sign.
const MINUS_0: u64 = (-0.0_f64).to_bits();

/// A text with `_` in place of what may not be in it; whether there was any.
fn put_fit(out: &mut Vec<u8>, text: &str, characters: Characters) -> bool {
    let mut is_changed = false;
    for c in put_while(out, text, &PLAIN).chars() {
        let taken = if characters.takes(c) { c } else { '_' };
        is_changed |= taken != c;
        out.extend_from_slice(taken.encode_utf8(&mut [0; 4]).as_bytes());
    }
    is_changed
}
