//! What telemetry measures of itself, read off the ledger: every item is counted once, after its last attempt.

use std::sync::Arc;

use super::config::SelfMetrics;
use super::engine::Engine;
use crate::exporters::Signal;
use crate::ledger::{ExporterAccount, Reason};
use crate::model::{Identity, Kind, Metric, MetricValue, Number, Tags, Temporality, Text};
#[cfg(any(feature = "net", test))]
use crate::pipeline::spool::Figures;

/// All of them now, in the order of their names; none where nobody wants them.
pub(super) fn read(engine: &Engine) -> Vec<Metric> {
    let wanted = engine.config.self_metrics;
    let (ledger, now) = (engine.ledger(), engine.clock.unix_nanos());
    let mut page = Page { metrics: Vec::new(), start: engine.started, now };
    for (number, name, durations) in engine.attempts() {
        let durations = MetricValue::Histogram(durations.read().into());
        let component = format!("{name}/{number}");
        if wanted.has_export() {
            let tags = &[("exporter", &*name)];
            page.put(Kind::Histogram, "telemetry.export.duration", "s", tags, durations.clone());
        }
        if wanted.has_otel() {
            let tags = &[("otel.component.name", &*component), ("otel.component.type", &*name)];
            page.put(Kind::Histogram, "otel.sdk.exporter.operation.duration", "s", tags, durations);
        }
        for signal in Signal::EACH {
            let Some(account) = ledger.exporter(&name, signal) else { continue };
            if wanted.has_export() {
                page.export(&name, signal, account);
            }
            if wanted.has_otel() {
                page.exporter(&component, &name, signal, account);
            }
        }
    }
    #[cfg(any(feature = "net", test))]
    if wanted.has_export() {
        for (name, figures) in engine.spools() {
            page.spool(&name, figures);
            for signal in Signal::EACH {
                let spooled = ledger.exporter(&name, signal).map_or(0, |account| account.spooled);
                let tags = &[("exporter", &*name), ("signal", signal.name())];
                let value = MetricValue::Number(spooled.into());
                page.put(Kind::UpDownCounter, "telemetry.export.spooled", "{item}", tags, value);
            }
        }
    }
    let cut = crate::ledger::cut_texts();
    if wanted.has_export() && cut > 0 {
        page.count("telemetry.texts.cut", "{text}", &[], cut);
    }
    if wanted.has_otel() {
        let events = ledger.signal(Signal::Events);
        page.count("otel.sdk.log.created", "{log_record}", &[], events.recorded);
        for (signal, name) in [(Signal::Spans, "span"), (Signal::Events, "log")] {
            let (account, unit) = (ledger.signal(signal), unit(signal));
            let processed = format!("otel.sdk.processor.{name}.processed");
            let component = ("otel.component.name", "telemetry_buffers/0");
            page.count(&processed, unit, &[component], account.dispatched);
            for (reason, n) in lost(|reason| account.dropped.by(reason)) {
                page.count(&processed, unit, &[component, ("error.type", reason)], n);
            }
        }
    }
    let key = |metric: &Metric| (metric.identity.name.clone(), metric.identity.tags.clone());
    page.metrics.sort_by_key(key);
    page.metrics
}

struct Page {
    metrics: Vec<Metric>,
    start: u64,
    now: u64,
}

impl Page {
    /// Zibrato's and Apptuit's kind: how many items an exporter is done with, and how.
    fn export(&mut self, exporter: &str, signal: Signal, account: &ExporterAccount) {
        let tags = &[("exporter", exporter), ("signal", signal.name())];
        let failed = account.rejected + account.dropped.total();
        self.count("telemetry.export.total", "{item}", tags, account.delivered + failed);
        self.count("telemetry.export.successful", "{item}", tags, account.delivered);
        self.count("telemetry.export.failed", "{item}", tags, failed);
    }

    /// What an exporter's spool takes of the disk, and up to which of its bodies all are stored that were given to it.
    #[cfg(any(feature = "net", test))]
    fn spool(&mut self, exporter: &str, figures: Figures) {
        let tags = &[("exporter", exporter)];
        let bytes = MetricValue::Number(figures.bytes.into());
        self.put(Kind::UpDownCounter, "telemetry.export.spool.size", "By", tags, bytes);
        self.count("telemetry.export.spool.committed", "{body}", tags, figures.committed);
    }

    /// OpenTelemetry semantic conventions, "SDK metrics" (development).
    fn exporter(&mut self, component: &str, kind: &str, signal: Signal, account: &ExporterAccount) {
        let name = match signal {
            Signal::Spans => "span",
            Signal::Events => "log",
            Signal::Metrics => "metric_data_point",
        };
        let (exported, unit) = (format!("otel.sdk.exporter.{name}.exported"), unit(signal));
        let own = [("otel.component.name", component), ("otel.component.type", kind)];
        self.count(&exported, unit, &own, account.delivered);
        let refused = (account.rejected > 0).then_some(("rejected", account.rejected));
        for (reason, n) in lost(|reason| account.dropped.by(reason)).chain(refused) {
            self.count(&exported, unit, &[own[0], own[1], ("error.type", reason)], n);
        }
        let (inflight, value) = (format!("otel.sdk.exporter.{name}.inflight"), account.buffered.into());
        self.put(Kind::UpDownCounter, &inflight, unit, &own, MetricValue::Number(value));
    }

    fn count(&mut self, name: &str, unit: &str, tags: &[(&str, &str)], value: u64) {
        self.put(Kind::Counter, name, unit, tags, MetricValue::Number(Number::from(value)));
    }

    fn put(&mut self, kind: Kind, name: &str, unit: &str, tags: &[(&str, &str)], value: MetricValue) {
        let mut all = Tags::new();
        // These are tag keys, and few.
        tags.iter().for_each(|(key, value)| drop(all.insert((*key).to_owned(), (*value).to_owned())));
        let identity = Identity {
            name: Text::from(name.to_owned()),
            kind,
            unit: Text::from(unit.to_owned()),
            description: Text::default(),
            tags: all,
            level: None,
        };
        self.metrics.push(Metric {
            identity: Arc::new(identity),
            start_time_unix_nano: Some(self.start),
            time_unix_nano: self.now,
            temporality: Temporality::Cumulative,
            value,
            life: 0,
            taken_off: None,
            is_beyond_int: false,
        });
    }
}

fn unit(signal: Signal) -> &'static str {
    match signal {
        Signal::Spans => "{span}",
        Signal::Events => "{log_record}",
        Signal::Metrics => "{data_point}",
    }
}

fn lost(by: impl Fn(Reason) -> u64) -> impl Iterator<Item = (&'static str, u64)> {
    Reason::ALL.iter().map(move |reason| (reason.name(), by(*reason))).filter(|(_, n)| *n > 0)
}

impl SelfMetrics {
    fn has_export(self) -> bool {
        matches!(self, Self::Export | Self::All)
    }

    fn has_otel(self) -> bool {
        matches!(self, Self::Otel | Self::All)
    }
}
