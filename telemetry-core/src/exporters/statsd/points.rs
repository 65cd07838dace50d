//! The lines of one data point.

use std::borrow::Cow;

use super::decimal::{put_decimal, put_number};
use super::distribution::{lines, values};
use super::form::{Dialect, Form, TagsInName, Type};
use super::names::{put_key, put_name, put_value};
use super::rate::rates;
use crate::exporters::digits::put_whole;
use crate::exporters::lines::{KeptTags, Name};
use crate::exporters::summary::numbers;
use crate::metrics::MetricRef;
use crate::model::{HistogramValue, Kind, Number, Temporality};

/// Writes the points of one batch.
pub(super) struct Pen<'a> {
    form: &'a Form,
    /// Bytes of a line with its end, and of lines that belong together.
    most: usize,
    container: Option<&'a str>,
    /// Where the lines of the point begin.
    start: usize,
    /// What stands before the value of a point, and of which name that is, if of nothing else.
    head: Vec<u8>,
    head_of: Option<Name<'a>>,
    tags: KeptTags<'a>,
}

/// Bytes of all lines of a point.
const MOST_POINT: usize = 1 << 20;

/// Why nothing of a point was written.
type Refused = Cow<'static, str>;

const NO_NUMBER: Refused = Cow::Borrowed("NaN and infinities are no numbers there");
const BELOW_0: Refused = Cow::Borrowed("a timer takes no values below 0");
const NO_CHANGE: Refused = Cow::Borrowed("DogStatsD has no change of an up-down counter");
const NO_NAME: Refused = Cow::Borrowed("nothing of its name can be a name there");

impl<'a> Pen<'a> {
    pub(super) fn new(form: &'a Form, most: usize, container: Option<&'a str>) -> Self {
        Self { form, most, container, start: 0, head: Vec::new(), head_of: None, tags: KeptTags::default() }
    }

    /// Adds the lines of a point, or says why there are none; what was added then is to be taken off again.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, point: MetricRef<'a>) -> Result<(), Refused> {
        self.start = out.len();
        self.put_point(out, point).map_err(|why| format!("`{}`: {why}", point.name()).into())
    }

    fn put_point(&mut self, out: &mut Vec<u8>, point: MetricRef<'a>) -> Result<(), Refused> {
        let is_delta = point.temporality() == Temporality::Delta;
        self.keep_tags(point);
        self.put_head(point, "")?;
        match point.histogram() {
            Some(histogram) if is_delta => self.put_distribution(out, point, &values(histogram)),
            Some(histogram) => self.put_summary(out, point, histogram),
            None => match point.kind() {
                Kind::Counter if is_delta => {
                    self.put_value(out, point.number(), b"c", self.time(point), Sign::Value)
                }
                Kind::UpDownCounter if is_delta && self.form.dialect == Dialect::Datadog => Err(NO_CHANGE),
                Kind::UpDownCounter if is_delta => {
                    self.put_value(out, point.number(), b"g", None, Sign::Change)
                }
                Kind::Histogram => self.put_distribution(out, point, &[(point.number().as_f64(), 1)]),
                _ => self.put_gauge(out, point, point.number()),
            },
        }
    }

    fn put_summary(
        &mut self,
        out: &mut Vec<u8>,
        point: MetricRef<'a>,
        of: &HistogramValue,
    ) -> Result<(), Refused> {
        let start = out.len();
        for (name, number) in numbers(of) {
            self.put_head(point, name)?;
            self.put_gauge(out, point, number)?;
        }
        // A value below 0 is two lines, which must not part: all of them are in one packet.
        let are_apart = self.form.dialect == Dialect::Datadog;
        if are_apart { Ok(()) } else { self.check(out.len() - start) }
    }

    /// What stands before the value, of a point or of a part of it.
    fn put_head(&mut self, point: MetricRef<'a>, part: &str) -> Result<(), Refused> {
        let (head, form) = (&mut self.head, self.form);
        let name = Some(Name(point.name())).filter(|_| part.is_empty() && form.dialect == Dialect::Datadog);
        if name.is_some() && std::mem::replace(&mut self.head_of, name) == name {
            return Ok(());
        }
        self.head_of = None;
        head.clear();
        head.extend_from_slice(form.prefix.as_bytes());
        if !put_name(head, point.name(), form.dialect, form.prefix.is_empty()) {
            return Err(NO_NAME);
        }
        if !part.is_empty() {
            head.push(b'.');
            head.extend_from_slice(part.as_bytes());
        }
        if form.dialect == Dialect::Plain && form.tags_in_name == TagsInName::Own {
            for (key, value) in point.own_tags().iter() {
                put_key(head, key, value, form.dialect, |_| false);
                put_value(head, value, form.dialect);
            }
        } else if form.dialect != Dialect::Datadog {
            head.extend_from_slice(self.tags.text());
        }
        head.push(b':');
        self.head_of = name;
        Ok(())
    }

    /// Those that are written, and not a part of the name alone.
    fn keep_tags(&mut self, point: MetricRef<'a>) {
        let Form { dialect, tags_in_name, .. } = *self.form;
        if dialect == Dialect::Plain && tags_in_name != TagsInName::All {
            return;
        }
        let has = |key: &str| point.tag(key).is_some_and(|value| !value.is_empty());
        self.tags.of(
            point,
            |out, key, value| put_key(out, key, value, dialect, has),
            |out, value| put_value(out, value, dialect),
        );
    }

    /// What stands behind the type and the rate of a line.
    fn put_tail(&self, out: &mut Vec<u8>) {
        if self.form.dialect != Dialect::Datadog {
            return;
        }
        out.extend_from_slice(self.tags.text());
        if let Some(container) = self.container {
            out.extend_from_slice(b"|c:");
            out.extend_from_slice(container.as_bytes());
        }
    }

    /// In seconds since the Unix epoch. 0 is none.
    fn time(&self, point: MetricRef<'_>) -> Option<u64> {
        let seconds = point.time_unix_nano() / 1_000_000_000;
        (self.form.has_times && seconds > 0).then_some(seconds)
    }

    fn put_gauge(&self, out: &mut Vec<u8>, point: MetricRef<'_>, number: Number) -> Result<(), Refused> {
        let start = out.len();
        // There, a sign would be a change: it is one from 0.
        if self.form.dialect != Dialect::Datadog && number.is_below(Number::Int(0)) {
            self.put_value(out, Number::Int(0), b"g", None, Sign::Value)?;
        }
        self.put_value(out, number, b"g", self.time(point), Sign::Value)?;
        self.check(out.len() - start)
    }

    fn put_value(
        &self,
        out: &mut Vec<u8>,
        number: Number,
        word: &[u8],
        time: Option<u64>,
        sign: Sign,
    ) -> Result<(), Refused> {
        if !number.as_f64().is_finite() {
            return Err(NO_NUMBER);
        }
        let start = out.len();
        out.extend_from_slice(&self.head);
        if sign == Sign::Change && !number.is_below(Number::Int(0)) {
            out.push(b'+');
        }
        put_number(out, number);
        out.push(b'|');
        out.extend_from_slice(word);
        self.put_tail(out);
        if let Some(time) = time {
            out.extend_from_slice(b"|T");
            put_whole(out, time);
        }
        out.push(b'\n');
        self.check(out.len() - start)
    }

    fn check(&self, bytes: usize) -> Result<(), Refused> {
        if bytes <= self.most {
            return Ok(());
        }
        Err(format!("its line has {bytes} bytes, and {} are the most", self.most).into())
    }

    /// Values, ascending, and how many each stands for.
    fn put_distribution(
        &self,
        out: &mut Vec<u8>,
        point: MetricRef<'_>,
        values: &[(f64, u64)],
    ) -> Result<(), Refused> {
        let (class, shift) = class(self.form, point.unit());
        let shift = if class == Type::Ms { shift } else { 0 };
        // In milliseconds too.
        let scale = 10_f64.powi(shift.max(0));
        if values.iter().any(|(value, _)| !(value * scale).is_finite()) {
            return Err(NO_NUMBER);
        }
        let is_datadog = self.form.dialect == Dialect::Datadog;
        if !is_datadog && class == Type::Ms && values.iter().any(|(value, _)| *value < 0.0) {
            return Err(BELOW_0);
        }
        let mut weighted: Vec<(u64, f64, f64, u64)> = Vec::new();
        for line in lines(values, self.form.samples) {
            weighted.extend(rates(line.weight).map(|(n, rate)| (n, rate, line.value, line.times)));
        }
        if !is_datadog {
            return weighted.into_iter().try_for_each(|(_, rate, value, times)| {
                let start = out.len();
                self.put_values(out, [value].into_iter(), (class, rate), shift)?;
                self.repeat(out, start, times)
            });
        }
        weighted.sort_by_key(|(n, ..)| *n);
        weighted.chunk_by(|a, b| a.0 == b.0).try_for_each(|same| {
            let values = same.iter().flat_map(|(_, _, value, times)| (0..*times).map(move |_| *value));
            self.put_values(out, values, (class, same[0].1), shift)
        })
    }

    /// The last line, which begins there, so many times in all.
    fn repeat(&self, out: &mut Vec<u8>, start: usize, times: u64) -> Result<(), Refused> {
        let line = start..out.len();
        for _ in 1..times {
            out.extend_from_within(line.clone());
            self.check_point(out)?;
        }
        Ok(())
    }

    /// Whether the lines of the point are too many.
    fn check_point(&self, out: &[u8]) -> Result<(), Refused> {
        if out.len() - self.start <= MOST_POINT {
            return Ok(());
        }
        Err(format!("its lines have more than {MOST_POINT} bytes: fewer `samples` are needed").into())
    }

    /// Values that share a rate, as many in a line as fit.
    fn put_values(
        &self,
        out: &mut Vec<u8>,
        values: impl Iterator<Item = f64>,
        (class, rate): (Type, f64),
        shift: i32,
    ) -> Result<(), Refused> {
        let mut end = vec![b'|'];
        end.extend_from_slice(class.word());
        if rate < 1.0 {
            end.extend_from_slice(b"|@");
            put_decimal(&mut end, rate, 0);
        }
        self.put_tail(&mut end);
        end.push(b'\n');
        // The head has a colon before the first value already.
        let name = &self.head[..self.head.len() - 1];
        let mut start = out.len();
        out.extend_from_slice(name);
        for value in values {
            let at = out.len();
            out.push(b':');
            put_decimal(out, value, shift);
            let is_full = at > start + name.len() && out.len() - start + end.len() > self.most;
            if is_full {
                let value = out.split_off(at);
                out.extend_from_slice(&end);
                self.check_point(out)?;
                start = out.len();
                out.extend_from_slice(name);
                out.extend_from_slice(&value);
            }
            self.check(out.len() - start + end.len())?;
        }
        out.extend_from_slice(&end);
        self.check_point(out)
    }
}

/// What a sign says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Value,
    Change,
}

/// What a distribution of that unit is, and how far the point moves on the way to milliseconds.
fn class(form: &Form, unit: &str) -> (Type, i32) {
    match unit {
        "s" => (form.timers, 3),
        "ms" => (form.timers, 0),
        "us" => (form.timers, -3),
        "ns" => (form.timers, -6),
        _ => (form.histograms, 0),
    }
}
