//! The three kinds of telemetry.

/// The three kinds of telemetry. Each has lanes of its own on the way to an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// Finished spans.
    Spans,
    /// Events.
    Events,
    /// Data points of metrics.
    Metrics,
}

impl Signal {
    /// All of them.
    pub const ALL: &[Signal] = &Signal::EACH;

    /// The same, as many as there are now.
    pub(crate) const EACH: [Signal; 3] = [Signal::Spans, Signal::Events, Signal::Metrics];

    /// `spans`, `events` or `metrics`.
    pub fn name(self) -> &'static str {
        ["spans", "events", "metrics"][self as usize]
    }

    /// So many of them, in words.
    pub(crate) fn amount(self, items: u64) -> String {
        let name = self.name();
        format!("{items} {}", if items == 1 { name.trim_end_matches('s') } else { name })
    }
}
