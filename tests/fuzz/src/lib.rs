//! What the targets share: items as a fuzzer makes them, the way that brings them to an exporter, and what OTLP says of them.

mod events;
mod fields;
/// A strict reader of Graphite's lines.
#[path = "../../../telemetry-core/src/exporters/graphite/encode/tests/grammar.rs"]
pub mod graphite;
/// A strict reader of lines of StatsD.
#[path = "../../../telemetry-core/src/exporters/statsd/tests/grammar.rs"]
pub mod lines;
mod metrics;
mod otlp;
/// A strict reader of pages in text.
#[path = "../../../telemetry-core/src/exporters/prometheus/tests/grammar.rs"]
pub mod pages;
mod pipeline;
mod sites;
mod spans;
mod texts;
mod urls;

use arbitrary::Arbitrary;

pub use events::MadeEvent;
pub use metrics::MadeMetric;
pub use otlp::assert_is;
pub use pipeline::{Pipeline, plain, tagged};
pub use spans::MadeSpan;
pub use texts::Words;
pub use urls::{Parts, SECRET, needs_files};

/// Items of one signal.
#[derive(Arbitrary, Debug)]
pub enum Items {
    /// Finished spans.
    Spans(Vec<MadeSpan>),
    /// Events.
    Events(Vec<MadeEvent>),
    /// Data points.
    Metrics(Vec<MadeMetric>),
}

impl Items {
    /// More than these are not recorded: inputs are to be quick.
    const MOST: usize = 64;

    /// The same without what is too much.
    pub fn bounded(mut self) -> Self {
        match &mut self {
            Self::Spans(made) => made.truncate(Self::MOST),
            Self::Events(made) => made.truncate(Self::MOST),
            Self::Metrics(made) => made.truncate(Self::MOST),
        }
        self
    }

    /// Gives them to a collector.
    pub fn record(&self, collector: &telemetry_core::Collector) {
        match self {
            Self::Spans(made) => made.iter().for_each(|made| made.record(collector)),
            Self::Events(made) => made.iter().for_each(|made| made.record(collector)),
            Self::Metrics(made) => made.iter().for_each(|made| collector.collect_metric(made.metric())),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Spans(made) => made.len(),
            Self::Events(made) => made.len(),
            Self::Metrics(made) => made.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
