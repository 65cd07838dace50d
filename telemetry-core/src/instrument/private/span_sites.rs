//! What spans are measured by that no attribute timed: as if the function that opened them were annotated.

use super::outcome::Outcome;
use crate::collector::Sink;
use crate::instrument::route;
use crate::metrics::{CellKind, Site};
use crate::model::Number;

/// The series of one kind of span that is measured.
#[derive(Debug)]
pub struct SpanSites {
    /// In the order of [`Outcome`].
    durations: [Site; 4],
    active: Site,
}

impl SpanSites {
    pub fn new(function: &str, level: tracing_core::Level) -> Self {
        let site = |kind, name: &'static str, outcome: Option<&'static str>| {
            let mut site = Site::new(kind, name, &[]).level(level);
            let tags = [("code.function.name", function.to_owned())];
            let tags = tags.into_iter().chain(outcome.map(|outcome| ("outcome", outcome.to_owned())));
            for (key, value) in tags {
                let _ = site.add_tag(key.into(), value.into());
            }
            site
        };
        let duration = |outcome| site(CellKind::Histogram, "function.duration", Some(outcome)).unit("s");
        Self {
            durations: ["ok", "error", "panic", "cancelled"].map(duration),
            active: site(CellKind::UpDownCounter, "function.active", None),
        }
    }

    /// One begins.
    pub fn begin(&self, sink: &Sink) {
        route::add(Some(sink.engine()), &self.active, Number::Int(1));
    }

    /// One ends after so many seconds.
    pub fn end(&self, sink: &Sink, tags: &[(&str, &str)], outcome: Outcome, seconds: f64) {
        route::add(Some(sink.engine()), &self.active, Number::Int(-1));
        if let Some(site) = self.durations.get(outcome as usize) {
            route::observe_tagged(Some(sink.engine()), site, tags, Number::Float(seconds));
        }
    }
}
