//! Families: series of one name, kind and description. What is known of a family stands before its series, and is written once.
//!
//! Source: Prometheus, "Text-based format" and `metrics.proto` of `client_model`; OpenMetrics 1.0.0, "`MetricFamily`".

use std::sync::Arc;

use super::escape::{put_help, put_quoted};
use super::form::Dialect;
use super::ladder::Ladder;
use super::names::is_legacy;
use super::units::Powers;
use crate::exporters::wire::{bytes, put_text, varint};
use crate::model::{Buckets, HistogramValue, Identity};
use crate::text::Clean;

/// What a scraper is told that they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Counter,
    /// A counter whose name does not end in `_total`, which OpenMetrics has none of.
    Unknown,
    Gauge,
    Histogram,
    /// What the program is.
    Info,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Family {
    /// Of the first metric that it is made of.
    owner: Arc<Identity>,
    /// What its name and its samples' names are made of: without `_total` in OpenMetrics.
    name: String,
    pub(super) class: Class,
    unit: String,
    description: String,
    /// What stands before its series.
    pub(super) head: Box<[u8]>,
    pub(super) starts: Starts,
    pub(super) ladders: Vec<Ladder>,
    /// Different series of it may have the same labels.
    pub(super) may_have_twins: bool,
    /// Those that stand in it, among all metrics.
    pub(super) metrics: Vec<usize>,
    /// How many families come before it on the page that is written now; none where it has no series there yet.
    pub(super) place: Option<usize>,
}

/// With bounds of more kinds than that, all are found out anew.
const MOST_LADDERS: usize = 256;

impl Family {
    pub(super) fn new(
        owner: &Arc<Identity>,
        name: String,
        class: Class,
        unit: String,
        dialect: Dialect,
    ) -> Self {
        let description = owner.description.clone().into_owned();
        let about = About { description: &description, unit: &unit };
        Self {
            head: head(class, &name, &about, dialect),
            starts: Starts::new(class, &name, dialect),
            owner: Arc::clone(owner),
            name,
            class,
            unit,
            description,
            ladders: Vec::new(),
            may_have_twins: false,
            metrics: Vec::new(),
            place: None,
        }
    }

    /// Whether it was made of that metric.
    pub(super) fn is_owner(&self, id: &Identity) -> bool {
        (&self.owner.name, self.owner.kind, &self.owner.unit) == (&id.name, id.kind, &id.unit)
    }

    /// Takes the series of another metric. Whether what stands before all of them is another text now; or why what the metric says
    /// of itself is not shown.
    pub(super) fn join(&mut self, id: &Identity, dialect: Dialect) -> Result<bool, String> {
        if id.description.is_empty() || self.description == id.description {
            return Ok(false);
        }
        if !self.description.is_empty() {
            return Err(format!(
                "on the page for Prometheus `{}` has one description of two: that of `{}` is not shown",
                Clean(&self.name),
                Clean(&id.name)
            ));
        }
        self.description = id.description.clone().into_owned();
        let about = About { description: &self.description, unit: &self.unit };
        self.head = head(self.class, &self.name, &about, dialect);
        Ok(true)
    }

    /// A page begins.
    pub(super) fn begin(&mut self) {
        self.place = None;
        if self.ladders.len() > MOST_LADDERS {
            self.ladders.clear();
        }
    }

    /// Which of its bounds a histogram has; none where they are none.
    pub(super) fn ladder(&mut self, histogram: &HistogramValue) -> Option<usize> {
        let known = self.ladders.iter().position(|ladder| ladder.suits(histogram));
        if known.is_some() {
            return known;
        }
        self.ladders.push(match &histogram.buckets {
            // Of one family all have the same bounds.
            Buckets::Exponential { .. } => Ladder::of_powers(Powers::of(&self.owner.unit)),
            Buckets::Explicit { bounds, .. } => Ladder::of_bounds(bounds)?,
        });
        Some(self.ladders.len() - 1)
    }
}

/// What samples begin with, up to their labels; in protobuf nothing.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Of counters and gauges.
    pub(super) value: Start,
    pub(super) bucket: Start,
    pub(super) sum: Start,
    pub(super) count: Start,
    pub(super) created: Start,
}

/// What one begins with where it has labels, and all where it has none.
#[derive(Debug, Default)]
pub(super) struct Start {
    pub(super) open: Box<[u8]>,
    pub(super) whole: Box<[u8]>,
}

/// What a family says of itself.
pub(super) struct About<'a> {
    pub(super) description: &'a str,
    /// As a word; empty where there is none.
    pub(super) unit: &'a str,
}

impl Class {
    /// By the names of that form.
    pub(super) fn suffixes(self, dialect: Dialect) -> &'static [&'static str] {
        match (self, dialect) {
            (Self::Counter, Dialect::OpenMetrics) => &["_total", "_created"],
            (Self::Info, Dialect::OpenMetrics) => &["_info"],
            (Self::Histogram, Dialect::OpenMetrics) => &["_bucket", "_count", "_sum", "_created"],
            (Self::Histogram, _) => &["_bucket", "_count", "_sum"],
            _ => &[],
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Unknown => "unknown",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Histogram => "histogram",
        }
    }

    /// In protobuf.
    fn number(self) -> u8 {
        match self {
            Self::Counter => 0,
            Self::Gauge | Self::Info => 1,
            Self::Unknown => 3,
            Self::Histogram => 4,
        }
    }
}

impl Starts {
    pub(super) fn new(class: Class, name: &str, dialect: Dialect) -> Self {
        if dialect == Dialect::Protobuf {
            return Self::default();
        }
        let start = |suffix: &str| Start::new(&format!("{name}{suffix}"));
        match class {
            Class::Counter if dialect == Dialect::OpenMetrics => {
                Self { value: start("_total"), created: start("_created"), ..Self::default() }
            }
            Class::Counter | Class::Unknown | Class::Gauge | Class::Info => {
                Self { value: start(""), ..Self::default() }
            }
            Class::Histogram => Self {
                value: Start::default(),
                bucket: start("_bucket"),
                sum: start("_sum"),
                count: start("_count"),
                created: start("_created"),
            },
        }
    }
}

impl Start {
    fn new(name: &str) -> Self {
        let (mut open, mut whole) = (Vec::new(), Vec::new());
        if is_legacy(name, false) {
            for out in [&mut open, &mut whole] {
                out.extend_from_slice(name.as_bytes());
            }
            open.push(b'{');
            whole.push(b' ');
        } else {
            for out in [&mut open, &mut whole] {
                out.push(b'{');
                put_quoted(out, name);
            }
            open.push(b',');
            whole.extend_from_slice(b"} ");
        }
        Self { open: open.into(), whole: whole.into() }
    }
}

/// What stands before the series of a family.
pub(super) fn head(class: Class, name: &str, about: &About<'_>, dialect: Dialect) -> Box<[u8]> {
    let mut out = Vec::new();
    // Others than those that a name tells of are not allowed.
    let has_unit = name.strip_suffix(about.unit).is_some_and(|before| before.ends_with('_'));
    let unit = if has_unit { about.unit } else { "" };
    if dialect == Dialect::Protobuf {
        const NAME: u8 = bytes(1);
        const HELP: u8 = bytes(2);
        const TYPE: u8 = varint(3);
        const UNIT: u8 = bytes(5);
        put_text(&mut out, NAME, name);
        put_text(&mut out, HELP, about.description);
        out.extend_from_slice(&[TYPE, class.number()]);
        put_text(&mut out, UNIT, unit);
        return out.into();
    }
    let is_open_metrics = dialect == Dialect::OpenMetrics;
    let mut line = |what: &str, put: &dyn Fn(&mut Vec<u8>)| {
        out.extend_from_slice(what.as_bytes());
        if is_legacy(name, false) {
            out.extend_from_slice(name.as_bytes());
        } else {
            put_quoted(&mut out, name);
        }
        out.push(b' ');
        put(&mut out);
        out.push(b'\n');
    };
    if !about.description.is_empty() {
        line("# HELP ", &|out| put_help(out, about.description, is_open_metrics));
    }
    line("# TYPE ", &|out| out.extend_from_slice(class.name().as_bytes()));
    if is_open_metrics && !unit.is_empty() {
        line("# UNIT ", &|out| out.extend_from_slice(unit.as_bytes()));
    }
    out.into()
}
