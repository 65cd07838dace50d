//! What a layer is told before anything has come through it: its rules, and what they make it look after.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use telemetry_core::model::Text;

use super::Tracer;
use crate::fields::{Rules, SpanMetrics};

impl Tracer {
    /// Only before anything has come through the layer.
    pub(crate) fn change_rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.rules.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The same: some spans are measured.
    pub(crate) fn measure_spans(&self, metrics: SpanMetrics) {
        self.watch_spans();
        self.change_rules(|rules| rules.metrics = Some(metrics));
    }

    fn watch_spans(&self) {
        self.watches_spans.store(true, Relaxed);
        self.minds_opening.store(true, Relaxed);
    }

    /// The same: events have these fields of the spans that they are in.
    pub(crate) fn inherit_fields(&self, names: Vec<Text>) {
        self.watch_spans();
        self.change_rules(|rules| rules.inherited.extend(names));
    }

    /// The same: what is measured has these tags.
    pub(crate) fn inherit_tags(&self, names: Vec<Text>) {
        self.watch_spans();
        self.gives_tags.store(true, Relaxed);
        self.minds_entering.store(true, Relaxed);
        self.change_rules(|rules| rules.inherited_tags.extend(names));
    }

    /// The names of these tags.
    #[cold]
    pub(crate) fn inherited_tags(&self) -> Vec<Text> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).inherited_tags.clone()
    }
}
