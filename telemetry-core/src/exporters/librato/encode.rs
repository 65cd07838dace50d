//! The writer: a batch goes in, the body of a request comes out, with as many of its items as one may hold.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::ControlFlow;

use super::label::{Label, MOST, fitting};
use super::value::{self, Value};
use crate::exporters::Batch;
use crate::exporters::digits::put_whole;
use crate::exporters::lines::{Kept, Name};
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
const SERVICE: &str = "service.name";

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

/// A measurement, as it is collected.
struct Measurement<'a> {
    name: Label<'a>,
    source: Label<'a>,
    second: u64,
    /// How many data points belong to it, and how many measurements it becomes.
    parts: usize,
    cost: usize,
    /// None where nothing of it can be said.
    value: Option<Value<'a>>,
}

impl Measurement<'_> {
    /// By what may be said once.
    fn order(&self, other: &Self) -> Ordering {
        let by_name = self.name.order(&other.name);
        by_name.then_with(|| self.source.order(&other.source)).then(self.second.cmp(&other.second))
    }
}

/// A data point, and of which measurement it is a part.
struct Part<'a> {
    metric: MetricRef<'a>,
    at: usize,
}

/// What is said of one series twice in a second, where the last one counts.
type Said<'a> = (usize, Kind, &'a str, &'a Tags, Option<u64>);

/// The first items of a batch, as many as fit into one request.
#[derive(Default)]
struct Selection<'a> {
    parts: Vec<Part<'a>>,
    measurements: Vec<Measurement<'a>>,
    /// The same by their keys. Batches are sorted by name, so the next one is mostly among the last, or the last.
    sorted: Vec<usize>,
    /// How many parts and measurements there were before the name that is the last one.
    whole: (usize, usize),
    cost: usize,
    bytes: usize,
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
        let [of_tag, of_service] = [&*self.source_tag, SERVICE].map(|key| batch.resource().tags().get(key));
        let mut selection = Selection::new(batch.len());
        // A loop inside of the batch, which has several parts.
        _ = batch.metrics().try_for_each(|metric| {
            let before = (selection.parts.len(), selection.measurements.len());
            let own = |key: &str| metric.own_tags().get(key);
            let source = own(&self.source_tag).or(of_tag).filter(|source| !source.is_empty());
            let source = source.or_else(|| own(SERVICE).or(of_service)).unwrap_or_default();
            selection.add(metric, self, Label::of_source(source));
            if before.0 > 0 && (selection.cost > MOST_MEASUREMENTS || selection.bytes > max_bytes) {
                selection.cut(before);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        let (items, mut encoded) = (selection.parts.len(), Encoded::default());
        selection.merge(|reason| encoded.reject(reason));
        encoded.items = items;
        if self.has_quantiles {
            selection.add_quantiles();
        }
        put(body, &selection.measurements);
        encoded
    }

    /// How many one becomes.
    fn cost(&self, metric: &MetricRef<'_>) -> usize {
        match metric.histogram() {
            Some(_) if self.has_quantiles => 1 + QUANTILES.len(),
            _ => 1,
        }
    }

    fn name<'a>(&self, metric: &MetricRef<'a>) -> Label<'a> {
        if self.name_tags.is_empty() {
            return Label::of(metric.name());
        }
        let mut name = metric.name().to_owned();
        for value in self.name_tags.iter().filter_map(|key| metric.tag(key)) {
            name.push('.');
            name.push_str(value);
        }
        Label::of_fitting(fitting(&name))
    }
}

impl<'a> Part<'a> {
    /// What it says, or why that can't be said.
    fn value(&self) -> Result<Value<'a>, &'static str> {
        match self.metric.histogram() {
            _ if self.metric.name().is_empty() => Err("a metric without a name"),
            Some(histogram) => Value::of_histogram(histogram),
            None => Value::of(self.metric.kind(), self.metric.number()),
        }
    }
}

impl<'a> Selection<'a> {
    fn new(items: usize) -> Self {
        let most = items.min(MOST_MEASUREMENTS + 1);
        let (parts, measurements, sorted) =
            (Vec::with_capacity(most), Vec::with_capacity(most), Vec::with_capacity(most));
        Self { parts, measurements, sorted, bytes: BEGIN.len() + END.len(), ..Self::default() }
    }

    fn add(&mut self, metric: MetricRef<'a>, writer: &Writer, source: Label<'a>) {
        let before = self.parts.last().map(|part| (part.metric.name(), &self.measurements[part.at].name));
        let name = match before {
            Some((of, name)) if Name(of) == Name(metric.name()) && writer.name_tags.is_empty() => {
                name.clone()
            }
            _ => writer.name(&metric),
        };
        // What has one name stays together, if it can. Two metrics may be one there, and one may be several.
        if before.is_some_and(|(of, before)| before.order(&name).is_ne() && of != metric.name()) {
            self.whole = (self.parts.len(), self.measurements.len());
        }
        let at = self.measurement(name, source, metric.time_unix_nano() / NANOS);
        let measurement = &mut self.measurements[at];
        measurement.parts += 1;
        let more = writer.cost(&metric).saturating_sub(measurement.cost);
        measurement.cost += more;
        self.cost += more;
        self.bytes +=
            more * (measurement.name.text.len() + measurement.source.text.len() + MEASUREMENT_BYTES);
        self.parts.push(Part { metric, at });
    }

    /// The place of that measurement, which may be a new one.
    fn measurement(&mut self, name: Label<'a>, source: Label<'a>, second: u64) -> usize {
        let (all, end) = (&mut self.measurements, self.sorted.len());
        let new = Measurement { name, source, second, parts: 0, cost: 0, value: None };
        let found = match self.sorted.last() {
            Some(last) if all[*last].order(&new).is_ge() => {
                self.sorted.binary_search_by(|at| all[*at].order(&new))
            }
            _ => Err(end),
        };
        match found {
            Ok(at) => self.sorted[at],
            Err(at) => {
                self.sorted.insert(at, all.len());
                all.push(new);
                all.len() - 1
            }
        }
    }

    /// Takes the last name away, or what came after so many parts and measurements.
    fn cut(&mut self, before: (usize, usize)) {
        let (parts, measurements) = if self.whole.0 > 0 { self.whole } else { before };
        self.parts.truncate(parts);
        self.measurements.truncate(measurements);
        self.sorted.retain(|at| *at < measurements);
    }

    /// Gives each measurement the value of what belongs to it.
    fn merge(&mut self, mut reject: impl FnMut(&'static str)) {
        // Where the last one is of what may be said more than once.
        let mut last = HashMap::new();
        for (number, part) in self.parts.iter().enumerate() {
            if self.measurements[part.at].parts > 1
                && let Some(said) = said(part)
            {
                last.insert(said, number);
            }
        }
        for (number, part) in self.parts.iter().enumerate() {
            if !last.is_empty()
                && said(part).and_then(|said| last.get(&said)).is_some_and(|last| *last != number)
            {
                continue;
            }
            let measurement = &mut self.measurements[part.at];
            let added = part.value().and_then(|value| match &mut measurement.value {
                Some(sum) => sum.add(value),
                none => {
                    *none = Some(value);
                    Ok(())
                }
            });
            added.err().into_iter().for_each(&mut reject);
        }
    }

    /// Of each histogram, gauges beside it.
    fn add_quantiles(&mut self) {
        for at in 0..self.measurements.len() {
            let Measurement { name, source, second, value, .. } = &self.measurements[at];
            let Some(Value::Histogram(of)) = value else { continue };
            let second = *second;
            let quantile = |(end, share)| {
                let number = value::fitting(Number::Float(of.quantile(share)?)).ok()?;
                Some((with_end(&name.text, end), source.clone(), Value::Sample(number)))
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
fn said<'a>(part: &Part<'a>) -> Option<Said<'a>> {
    let Part { metric, at } = part;
    let kind = metric.kind();
    let time = (kind == Kind::Gauge).then(|| metric.time_unix_nano());
    let is_said = metric.temporality() != Temporality::Delta && part.value().is_ok();
    is_said.then(|| (*at, kind, metric.name(), metric.own_tags(), time))
}

fn with_end(name: &str, end: &str) -> Label<'static> {
    let whole = format!("{name}.{end}");
    Label::of_fitting(if whole.len() <= MOST { whole } else { fitting(&whole) })
}

fn put(out: &mut Vec<u8>, measurements: &[Measurement<'_>]) {
    let (start, mut head, mut time) = (out.len(), Kept::default(), Kept::default());
    out.extend_from_slice(BEGIN);
    for Measurement { name, source, second, value, .. } in measurements {
        let Some(value) = value else { continue };
        if out.len() > start + BEGIN.len() {
            out.push(b',');
        }
        // Neither of them has a character that is to be escaped.
        out.extend_from_slice(head.of(Name(&name.text), |out| {
            out.extend_from_slice(b"{\"name\":\"");
            out.extend_from_slice(name.text.as_bytes());
        }));
        if !source.text.is_empty() {
            out.extend_from_slice(b"\",\"source\":\"");
            out.extend_from_slice(source.text.as_bytes());
        }
        out.extend_from_slice(time.of(*second, |out| {
            out.extend_from_slice(b"\",\"measure_time\":");
            put_whole(out, *second);
        }));
        value.put(out);
        out.push(b'}');
    }
    out.extend_from_slice(END);
}
