//! Which spans a layer measures, and what of them becomes tags.

use telemetry_core::__private::glob;
use telemetry_core::Level;
use telemetry_core::model::Text;
use tracing::Metadata;

/// Metrics of spans, counted before sampling: `function.duration` with the tag `outcome` (`ok`, `error`, `panic`,
/// `cancelled`), whose count is that of the calls, and `function.active`, both tagged `code.function.name`, which is the
/// span's target and name. Spans that `#[time_me]` opened are measured by it already, and not again.
///
/// A span that failed with the field `error.type` saying `cancelled` was cancelled. `tracing` tells nobody that a future of
/// `#[instrument]` was dropped before its end, which looks as the end of one that returned: those of `#[time_me]` know.
///
/// ```
/// use telemetry_layer::prelude::*;
/// use telemetry_layer::SpanMetrics;
///
/// let collector = Collector::builder().sample_rate(0.01).start()?;
/// let metrics = SpanMetrics::new().target("shop*").max_level(Level::INFO).tag("http.route");
/// let layer = TelemetryLayer::new(&collector).with_span_metrics(metrics);
/// # use telemetry_layer::Level;
/// # Ok::<(), telemetry_layer::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it does nothing before `TelemetryLayer::with_span_metrics`"]
pub struct SpanMetrics {
    targets: Vec<Text>,
    names: Vec<Text>,
    level: Option<Level>,
    tags: Vec<Text>,
}

impl SpanMetrics {
    /// Of all spans.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only of spans whose target is like that, or like another target given: `*` stands for any text, `?` for one
    /// character.
    pub fn target(mut self, pattern: impl Into<Text>) -> Self {
        self.targets.push(pattern.into());
        self
    }

    /// Only of spans whose name is like that, or like another name given.
    pub fn name(mut self, pattern: impl Into<Text>) -> Self {
        self.names.push(pattern.into());
        self
    }

    /// Only of spans that are not more verbose.
    pub fn max_level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// The field of that name becomes a tag, where a span has it. Others never do.
    pub fn tag(mut self, field: impl Into<Text>) -> Self {
        self.tags.push(field.into());
        self
    }

    pub(super) fn tags(&self) -> Box<[Text]> {
        self.tags.clone().into()
    }

    pub(super) fn takes(&self, site: &Metadata<'_>) -> bool {
        let any = |patterns: &[Text], text| {
            patterns.is_empty() || patterns.iter().any(|pattern| glob::matches(pattern, text))
        };
        any(&self.targets, site.target())
            && any(&self.names, site.name())
            && self.level.is_none_or(|level| *site.level() <= level)
            // `#[time_me]` measures it.
            && !is_timed(site)
    }
}

/// A field by which a span says that it is measured already.
const TIMED: &str = "telemetry.timed";

/// Whether its spans are those of `#[time_me]`.
pub(super) fn is_timed(site: &Metadata<'_>) -> bool {
    site.fields().iter().next().is_some_and(|field| field.name() == TIMED)
}
