//! An item goes in, its data points come out, as lines of `put` or as objects. What a server would refuse is refused here, with a
//! reason. Nothing in a name or a tag can begin another line, tag or member.

use std::borrow::Cow;

use super::form::{Characters, Form, Histograms, PLAIN, Style};
use crate::exporters::digits::{put_float, put_whole};
use crate::exporters::lines::{Kept, KeptTags, Name, put_while};
use crate::exporters::{json, summary};
use crate::metrics::MetricRef;
use crate::model::{Buckets, HistogramValue, Number, Tags};
use crate::text::Quoted;

type Put = Result<(), Cow<'static, str>>;

/// Writes the items of a batch.
pub(super) struct Pen<'a, 's> {
    style: &'s Style,
    global: &'a Tags,
    name: Kept<Name<'a>>,
    /// With what stands before a value, by the time.
    time: Kept<u64>,
    tags: KeptTags<'a>,
}

impl<'a, 's> Pen<'a, 's> {
    /// For items whose global tags are these.
    pub(super) fn new(style: &'s Style, global: &'a Tags) -> Self {
        Self { style, global, name: Kept::default(), time: Kept::default(), tags: KeptTags::default() }
    }

    /// Adds the points of an item. Where one of them can't be said, what was written is the caller's to take away.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, item: MetricRef<'a>) -> Put {
        if item.name().is_empty() {
            return Err("its name is empty".into());
        }
        let time = time(item.time_unix_nano(), self.style.is_millis)
            .ok_or_else(|| because(item, "its time can't be said: it is before 1970-01-01 00:00:01, or else before 1970-02-19 and in milliseconds"))?;
        if let Err(why) = self.keep_tags(item) {
            self.tags.forget();
            return Err(why);
        }
        let mut points = Points { out, item, time, pen: self, count: 0 };
        match item.histogram() {
            None => points.put("", item.number(), None),
            Some(histogram) => match points.pen.style.histograms {
                Histograms::Summary => {
                    summary::numbers(histogram).try_for_each(|(name, number)| points.put(name, number, None))
                }
                Histograms::Buckets => points.put_buckets(histogram),
            },
        }
    }

    fn keep_tags(&mut self, item: MetricRef<'a>) -> Put {
        let Style { form, characters, max_tags, histograms, .. } = *self.style;
        let mut is_changed = false;
        let put_key = |out: &mut Vec<u8>, key: &str, value: &str| {
            if value.is_empty() {
                return;
            }
            let (before, after): (&[u8], &[u8]) = match form {
                Form::Lines { .. } => (b" ", b"="),
                Form::Json if out.is_empty() => (b"\"", b"\":"),
                Form::Json => (b",\"", b"\":"),
            };
            out.extend_from_slice(before);
            is_changed |= put_fit(out, key, characters);
            out.extend_from_slice(after);
        };
        let put_value = |out: &mut Vec<u8>, value: &str| put_tag_value(out, value, form, characters);
        // Those of a histogram's buckets have one more, and all of its points are of the same series.
        let is_bounded = histograms == Histograms::Buckets && item.histogram().is_some();
        let most = max_tags.saturating_sub(is_bounded.into());
        if max_tags == usize::MAX || item.own_tags().len() + self.global.len() <= most {
            self.tags.of(item, put_key, put_value);
        } else {
            let chosen = chosen(item, most, if is_bounded { " beside `le`" } else { "" })?;
            self.tags.of_these(chosen.into_iter(), put_key, put_value);
        }
        if self.tags.text().is_empty() {
            return Err(because(item, "it has no tag, and one is needed"));
        }
        if is_changed { each_once(item, characters) } else { Ok(()) }
    }
}

/// Where the points of one item are written to.
struct Points<'o, 'p, 'a, 's> {
    out: &'o mut Vec<u8>,
    item: MetricRef<'a>,
    time: u64,
    pen: &'p mut Pen<'a, 's>,
    count: usize,
}

impl Points<'_, '_, '_, '_> {
    /// One point, with a word behind its name, and a bound as one more tag.
    fn put(&mut self, suffix: &str, number: Number, bound: Option<f64>) -> Put {
        let Self { out, item, time, pen, count } = self;
        let (start, style, time) = (out.len(), pen.style, *time);
        let [before_time, before_value, before_tags, end] = marks(style.form);
        if *count > 0 && style.form == Form::Json {
            // Whoever looks for what was refused finds here that both are of one item.
            out.extend_from_slice(b",\n");
        }
        out.extend_from_slice(pen.name.of(Name(item.name()), |out| {
            out.extend_from_slice(if style.form == Form::Json { b"{\"metric\":\"" } else { b"put " });
            put_fit(out, item.name(), style.characters);
        }));
        if !suffix.is_empty() {
            out.push(b'.');
            out.extend_from_slice(suffix.as_bytes());
        }
        out.extend_from_slice(pen.time.of(time, |out| {
            out.extend_from_slice(before_time);
            put_whole(out, time);
            out.extend_from_slice(before_value);
        }));
        if !put_value(out, number) {
            return Err(because(*item, "it is not finite"));
        }
        out.extend_from_slice(before_tags);
        out.extend_from_slice(pen.tags.text());
        if let Some(bound) = bound {
            put_bound(out, bound, style.form);
        }
        out.extend_from_slice(end);
        *count += 1;
        match style.form {
            Form::Lines { max_line } if out.len() - start - 1 > max_line => {
                Err(because(*item, format_args!("its line has more than {max_line} bytes")))
            }
            _ => Ok(()),
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
}

/// What stands before the time, before the value, before the tags, and at the end.
fn marks(form: Form) -> [&'static [u8]; 4] {
    match form {
        Form::Lines { .. } => [b" ", b" ", b"", b"\n"],
        Form::Json => [b"\",\"timestamp\":", b",\"value\":", b",\"tags\":{", b"}}"],
    }
}

fn put_bound(out: &mut Vec<u8>, bound: f64, form: Form) {
    let (before, after): (&[u8], &[u8]) = match form {
        Form::Lines { .. } => (b" le=", b""),
        Form::Json => (b",\"le\":\"", b"\""),
    };
    out.extend_from_slice(before);
    let start = out.len();
    if !put_value(out, Number::Float(bound)) {
        out.extend_from_slice(b"Inf");
    }
    // It stands before exponents, and no server takes it in a tag.
    if let Some(plus) = out[start..].iter().position(|byte| *byte == b'+') {
        out.remove(start + plus);
    }
    out.extend_from_slice(after);
}

/// No two keys have become the same one.
fn each_once(item: MetricRef<'_>, characters: Characters) -> Put {
    let fit = |key: &str| {
        let mut out = Vec::new();
        put_fit(&mut out, key, characters);
        out
    };
    let mut keys: Vec<_> =
        item.tags().filter(|(_, value)| !value.is_empty()).map(|(key, _)| fit(key)).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|two| two[0] == two[1]) {
        Some(two) => {
            let key = String::from_utf8_lossy(&two[0]).into_owned();
            Err(because(item, format_args!("two of its tags become `{key}`")))
        }
        None => Ok(()),
    }
}

/// The value of a tag, which has none where it is empty.
fn put_tag_value(out: &mut Vec<u8>, value: &str, form: Form, characters: Characters) {
    match form {
        Form::Lines { .. } => _ = put_fit(out, value, characters),
        Form::Json if value.is_empty() => {}
        // It is written to memory, and a text can always be written.
        Form::Json if characters == Characters::Any && json::put(out, value).is_ok() => {}
        Form::Json => {
            out.push(b'"');
            put_fit(out, value, characters);
            out.push(b'"');
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
