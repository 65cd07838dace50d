//! The writer: a batch goes in, the body of a request comes out, with as many of its items as one may hold.

use std::borrow::Cow;
use std::collections::HashMap;

use super::label::{MOST, fitting, folded, source};
use super::value::{self, Value};
use crate::exporters::Batch;
use crate::exporters::digits::put_whole;
use crate::exporters::protocol::Encoded;
use crate::exporters::summary::QUANTILES;
use crate::metrics::MetricRef;
use crate::model::{Kind, Number, Tags, Temporality};

/// More measurements Librato wants in no request.
const MOST_MEASUREMENTS: usize = 300;
/// No measurement takes more bytes, but for its name and its source.
const MEASUREMENT_BYTES: usize = 256;
const BEGIN: &[u8] = b"{\"gauges\":[";
const END: &[u8] = b"]}";
const NANOS: u64 = 1_000_000_000;

/// Writes bodies.
#[derive(Clone, Debug)]
pub struct Writer {
    /// The tag that names the source.
    source_tag: String,
    /// The tags whose values are a part of the name.
    name_tags: Vec<String>,
    has_quantiles: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self { source_tag: "source".to_owned(), name_tags: Vec::new(), has_quantiles: true }
    }
}

/// What may be said once: a metric and a source, in lower case, and a second.
type Key<'a> = (Cow<'a, str>, Cow<'a, str>, u64);

/// A measurement, as it is collected.
struct Measurement<'a> {
    name: Cow<'a, str>,
    source: Cow<'a, str>,
    second: u64,
    /// None where nothing of it can be said.
    value: Option<Value<'a>>,
}

/// What a data point says, and of which measurement that is a part.
struct Part<'a> {
    metric: MetricRef<'a>,
    at: usize,
    value: Value<'a>,
}

/// What is said of one series twice in a second, where the last one counts.
type Said<'a> = (usize, Kind, &'a str, &'a Tags, Option<u64>);

/// The first items of a batch, as many as fit into one request.
#[derive(Default)]
struct Selection<'a> {
    measurements: Vec<Measurement<'a>>,
    known: HashMap<Key<'a>, usize>,
    parts: Vec<Part<'a>>,
    /// Where the last one is of what may be said more than once.
    last: HashMap<Said<'a>, usize>,
}

impl Writer {
    /// The tag with that key is the source, instead of `source`.
    #[must_use]
    pub fn source_tag(mut self, key: impl Into<String>) -> Self {
        self.source_tag = key.into();
        self
    }

    /// The values of these tags are put behind the name, with a dot before each.
    #[must_use]
    pub fn name_tags(mut self, keys: impl IntoIterator<Item = String>) -> Self {
        self.name_tags = keys.into_iter().collect();
        self
    }

    /// Histograms have no quantiles.
    #[must_use]
    pub fn without_quantiles(mut self) -> Self {
        self.has_quantiles = false;
        self
    }

    /// Adds a body with as many of the first items as fit into so many bytes and into one request, but one at least.
    pub fn write(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Encoded {
        let items = self.fitting(batch, max_bytes);
        let mut selection = Selection { known: HashMap::with_capacity(items), ..Selection::default() };
        let mut encoded = Encoded::from(items);
        let mut reject = |reason: &'static str| {
            if encoded.rejected == 0 {
                encoded.reason = reason.into();
            }
            encoded.rejected += 1;
        };
        for metric in batch.metrics().take(items) {
            let added = selection.add(metric, self.name(&metric), self.source(&metric));
            added.err().into_iter().for_each(&mut reject);
        }
        selection.merge(reject);
        if self.has_quantiles {
            selection.add_quantiles();
        }
        put(body, &selection.measurements);
        encoded
    }

    /// How many of the first items fit. What has one name stays together, if it can.
    fn fitting(&self, batch: &Batch, max_bytes: usize) -> usize {
        if self.are_few(batch, max_bytes) {
            return batch.len();
        }
        let mut costs: HashMap<Key<'_>, usize> = HashMap::new();
        let (mut measurements, mut bytes) = (0, BEGIN.len() + END.len());
        let (mut before, mut whole) = (("", Cow::Borrowed("")), 0);
        for (at, metric) in batch.metrics().enumerate() {
            let (name, source) = (self.name(&metric), self.source(&metric));
            let each = name.len() + source.len() + MEASUREMENT_BYTES;
            let name = folded(&name);
            // Two metrics may be one there, and one may be several.
            if metric.name() != before.0 && name != before.1 {
                whole = at;
            }
            before = (metric.name(), name.clone());
            let cost = costs.entry((name, folded(&source), second(&metric))).or_default();
            let more = self.measurements(&metric).saturating_sub(*cost);
            *cost += more;
            measurements += more;
            bytes += more * each;
            if at > 0 && (measurements > MOST_MEASUREMENTS || bytes > max_bytes) {
                return if whole > 0 { whole } else { at };
            }
        }
        batch.len()
    }

    /// Whether all fit even where no two have anything in common: mostly so, and found out at little cost.
    fn are_few(&self, batch: &Batch, max_bytes: usize) -> bool {
        let (mut measurements, mut bytes) = (0, BEGIN.len() + END.len());
        batch.metrics().all(|metric| {
            let more = self.measurements(&metric);
            measurements += more;
            bytes += more * (self.name(&metric).len() + self.source(&metric).len() + MEASUREMENT_BYTES);
            measurements <= MOST_MEASUREMENTS && bytes <= max_bytes
        })
    }

    /// How many one becomes.
    fn measurements(&self, metric: &MetricRef<'_>) -> usize {
        match metric.histogram() {
            Some(_) if self.has_quantiles => 1 + QUANTILES.len(),
            _ => 1,
        }
    }

    fn name<'a>(&self, metric: &MetricRef<'a>) -> Cow<'a, str> {
        if self.name_tags.is_empty() {
            return fitting(metric.name());
        }
        let mut name = metric.name().to_owned();
        for value in self.name_tags.iter().filter_map(|key| metric.tag(key)) {
            name.push('.');
            name.push_str(value);
        }
        fitting(&name).into_owned().into()
    }

    fn source<'a>(&self, metric: &MetricRef<'a>) -> Cow<'a, str> {
        let own = metric.tag(&self.source_tag).filter(|own| !own.is_empty());
        source(own.or_else(|| metric.tag("service.name")).unwrap_or_default())
    }
}

fn second(metric: &MetricRef<'_>) -> u64 {
    metric.time_unix_nano() / NANOS
}

impl<'a> Selection<'a> {
    fn add(
        &mut self,
        metric: MetricRef<'a>,
        name: Cow<'a, str>,
        source: Cow<'a, str>,
    ) -> Result<(), &'static str> {
        if name.is_empty() {
            return Err("a metric without a name");
        }
        let value = match metric.histogram() {
            Some(histogram) => Value::of_histogram(histogram)?,
            None => Value::of(metric.kind(), metric.number())?,
        };
        let at = self.measurement(name, source, second(&metric));
        if let Some(said) = said(&metric, at) {
            self.last.insert(said, self.parts.len());
        }
        self.parts.push(Part { metric, at, value });
        Ok(())
    }

    /// The place of that measurement, which may be a new one.
    fn measurement(&mut self, name: Cow<'a, str>, source: Cow<'a, str>, second: u64) -> usize {
        let measurements = &mut self.measurements;
        *self.known.entry((folded(&name), folded(&source), second)).or_insert_with(|| {
            measurements.push(Measurement { name, source, second, value: None });
            measurements.len() - 1
        })
    }

    /// Gives each measurement the value of what belongs to it.
    fn merge(&mut self, mut reject: impl FnMut(&'static str)) {
        for (number, Part { metric, at, value }) in std::mem::take(&mut self.parts).into_iter().enumerate() {
            if said(&metric, at).is_some_and(|said| self.last[&said] != number) {
                continue;
            }
            match &mut self.measurements[at].value {
                Some(sum) => sum.add(value).err().into_iter().for_each(&mut reject),
                none => *none = Some(value),
            }
        }
    }

    /// Of each histogram, gauges beside it.
    fn add_quantiles(&mut self) {
        for at in 0..self.measurements.len() {
            let Measurement { name, source, second, value } = &self.measurements[at];
            let Some(Value::Histogram(of)) = value else { continue };
            let second = *second;
            let quantile = |(end, share)| {
                let number = value::fitting(Number::Float(of.quantile(share)?)).ok()?;
                Some((Cow::from(with_end(name, end)), source.clone(), Value::Sample(number)))
            };
            let quantiles: Vec<_> = QUANTILES.into_iter().filter_map(quantile).collect();
            for (name, source, value) in quantiles {
                let at = self.measurement(name, source, second);
                match &mut self.measurements[at].value {
                    // What is too much together stays as it was: a quantile is no item that could be lost.
                    Some(there) => _ = there.add(value),
                    none => *none = Some(value),
                }
            }
        }
    }
}

/// What may be said more than once of that series: nothing of what adds up.
fn said<'a>(metric: &MetricRef<'a>, at: usize) -> Option<Said<'a>> {
    let kind = metric.kind();
    let time = (kind == Kind::Gauge).then(|| metric.time_unix_nano());
    (metric.temporality() != Temporality::Delta).then(|| (at, kind, metric.name(), metric.own_tags(), time))
}

fn with_end(name: &str, end: &str) -> String {
    let whole = format!("{name}.{end}");
    if whole.len() <= MOST { whole } else { fitting(&whole).into_owned() }
}

fn put(out: &mut Vec<u8>, measurements: &[Measurement<'_>]) {
    let start = out.len();
    out.extend_from_slice(BEGIN);
    for Measurement { name, source, second, value } in measurements {
        let Some(value) = value else { continue };
        if out.len() > start + BEGIN.len() {
            out.push(b',');
        }
        // Neither of them has a character that is to be escaped.
        out.extend_from_slice(b"{\"name\":\"");
        out.extend_from_slice(name.as_bytes());
        if !source.is_empty() {
            out.extend_from_slice(b"\",\"source\":\"");
            out.extend_from_slice(source.as_bytes());
        }
        out.extend_from_slice(b"\",\"measure_time\":");
        put_whole(out, *second);
        value.put(out);
        out.push(b'}');
    }
    out.extend_from_slice(END);
}
