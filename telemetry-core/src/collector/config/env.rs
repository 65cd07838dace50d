//! Settings from the environment: `TELEMETRY_*`, one variable for each field.

use super::var::{Environment, Var};
use super::{CheckAtStart, Config, LEAST_EXPORTER_BYTES, SelfMetrics, least_exporter_bytes, text_bytes};
use crate::Error;
use crate::detect::Detect;
use crate::exporters::words::{level, one_of};
use crate::exporters::{TOKEN, split_urls};
use crate::model::Tags;
use crate::model::cut::TEXT_BYTES;

impl Config {
    /// The defaults, and over them what the environment says in `TELEMETRY_*`.
    pub fn from_env() -> Result<Self, Error> {
        Self::default().with_env()
    }

    /// These settings, and over them what the environment says: for settings that come from a file. A variable `TELEMETRY_*`
    /// that is none of them is named on standard error, with the one that is written nearly so; one that is not UTF-8 is refused.
    pub fn with_env(self) -> Result<Self, Error> {
        let env = Environment::default();
        let config = self.with_vars(|name| env.get(name))?;
        // It is no setting: the endpoints that need one look for it.
        let _ = env.get(TOKEN);
        env.check(Some("TELEMETRY_"))?;
        Ok(config)
    }

    /// The same with variables from elsewhere. An empty variable is one that is not set.
    pub fn with_vars(mut self, get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let var = |field: &str| {
            let name = format!("TELEMETRY_{}", field.to_uppercase());
            Var::get(name, &get)
        };
        if let Some(var) = var("enabled") {
            self.enabled = var.yes_or_no()?;
        }
        if let Some(var) = var("buffer_size") {
            self.buffer_size = var.count()?;
        }
        if let Some(var) = var("flush_interval_ms") {
            self.flush_interval = var.millis()?;
        }
        if let Some(var) = var("export_endpoints") {
            self.export_endpoints = split_urls(&var.value);
        }
        if let Some(var) = var("sample_rate") {
            self.sample_rate = var.share()?;
        }
        if let Some(var) = var("tags") {
            let tags = var.read(|text| Tags::parse(text).map_err(|e| e.to_string()))?;
            self.tags = tags.or(&self.tags);
        }
        if let Some(var) = var("min_level") {
            self.min_level = Some(var.read(level)?);
        }
        if let Some(var) = var("check_at_start") {
            use CheckAtStart::{Fail, Off, Warn};
            self.check_at_start = var.one_of(&[("warn", Warn), ("fail", Fail), ("off", Off)])?;
        }
        if let Some(var) = var("shutdown_timeout_ms") {
            self.shutdown_timeout = var.millis()?;
        }
        if let Some(var) = var("shutdown_on_exit") {
            self.shutdown_on_exit = var.yes_or_no()?;
        }
        if let Some(var) = var("max_series") {
            self.max_series = var.count()?;
        }
        if let Some(var) = var("metrics_bytes") {
            self.metrics_bytes = var.count()?;
        }
        if let Some(var) = var("max_text_bytes") {
            let read =
                |text: &str| text.parse().ok().filter(|n| TEXT_BYTES.contains(n)).ok_or_else(text_bytes);
            self.max_text_bytes = var.read(read)?;
        }
        if let Some(var) = var("open_spans_bytes") {
            self.open_spans_bytes = var.count()?;
        }
        if let Some(var) = var("zero_series") {
            self.zero_series = var.yes_or_no()?;
        }
        if let Some(var) = var("series_expiration_ms") {
            self.series_expiration = Some(var.millis()?);
        }
        if let Some(var) = var("callback_timeout_ms") {
            self.callback_timeout = var.millis()?;
        }
        if let Some(var) = var("buffer_bytes") {
            self.buffer_bytes = var.count()?;
        }
        if let Some(var) = var("back_pressure_ms") {
            self.back_pressure = Some(var.millis()?);
        }
        if let Some(var) = var("exporter_bytes") {
            self.exporter_bytes = var.count()?;
            if self.exporter_bytes < LEAST_EXPORTER_BYTES {
                return Err(Error::config(&var.name, &var.value, least_exporter_bytes()));
            }
        }
        if let Some(var) = var("process_metrics") {
            self.process_metrics = var.yes_or_no()?;
        }
        if let Some(var) = var("detect") {
            let words = Detect::ALL.iter().map(|one| (one.name(), Some(*one)));
            let words: Vec<_> = words.chain([("none", None)]).collect();
            let read = |text: &str| text.split(',').map(|word| one_of(word.trim(), &words)).collect();
            let wanted: Vec<Option<Detect>> = var.read(read)?;
            self.detect = wanted.into_iter().flatten().collect();
        }
        if let Some(var) = var("propagators") {
            self.propagators = var.propagators()?;
        }
        if let Some(var) = var("self_metrics") {
            use SelfMetrics::{All, Export, Off, Otel};
            self.self_metrics =
                var.one_of(&[("off", Off), ("export", Export), ("otel", Otel), ("all", All)])?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Propagator;
    use tracing_core::Level;

    fn with(vars: &[(&str, &str)]) -> Result<Config, Error> {
        let get = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Config::default().with_vars(get)
    }

    #[test]
    fn every_variable_is_read() {
        let config = with(&[
            ("TELEMETRY_ENABLED", "False"),
            ("TELEMETRY_BUFFER_SIZE", "7"),
            ("TELEMETRY_FLUSH_INTERVAL_MS", "250"),
            ("TELEMETRY_EXPORT_ENDPOINTS", "console:, file:x ,"),
            ("TELEMETRY_SAMPLE_RATE", "0.25"),
            ("TELEMETRY_TAGS", "env: prod"),
            ("TELEMETRY_MIN_LEVEL", "DEBUG"),
            ("TELEMETRY_CHECK_AT_START", "fail"),
            ("TELEMETRY_SHUTDOWN_TIMEOUT_MS", "100"),
            ("TELEMETRY_SHUTDOWN_ON_EXIT", "true"),
            ("TELEMETRY_MAX_SERIES", "10"),
            ("TELEMETRY_METRICS_BYTES", "3000"),
            ("TELEMETRY_MAX_TEXT_BYTES", "500"),
            ("TELEMETRY_OPEN_SPANS_BYTES", "4000"),
            ("TELEMETRY_ZERO_SERIES", "1"),
            ("TELEMETRY_SERIES_EXPIRATION_MS", "60000"),
            ("TELEMETRY_CALLBACK_TIMEOUT_MS", "20"),
            ("TELEMETRY_BUFFER_BYTES", "1000"),
            ("TELEMETRY_BACK_PRESSURE_MS", "70"),
            ("TELEMETRY_EXPORTER_BYTES", "200000"),
            ("TELEMETRY_SELF_METRICS", "otel"),
            ("TELEMETRY_PROCESS_METRICS", "TRUE"),
            ("TELEMETRY_DETECT", "host, OS"),
            ("TELEMETRY_PROPAGATORS", "baggage, TraceContext"),
        ])
        .unwrap();
        let want = Config {
            enabled: false,
            buffer_size: 7,
            flush_interval: Duration::from_millis(250),
            export_endpoints: vec!["console:".into(), "file:x".into()],
            sample_rate: 0.25,
            tags: Tags::parse("env: prod").unwrap(),
            min_level: Some(Level::DEBUG),
            check_at_start: CheckAtStart::Fail,
            shutdown_timeout: Duration::from_millis(100),
            shutdown_on_exit: true,
            max_series: 10,
            metrics_bytes: 3000,
            max_text_bytes: 500,
            open_spans_bytes: 4000,
            zero_series: true,
            series_expiration: Some(Duration::from_mins(1)),
            callback_timeout: Duration::from_millis(20),
            buffer_bytes: 1000,
            back_pressure: Some(Duration::from_millis(70)),
            exporter_bytes: 200_000,
            self_metrics: SelfMetrics::Otel,
            process_metrics: true,
            detect: vec![Detect::Host, Detect::Os],
            propagators: vec![Propagator::Baggage, Propagator::TraceContext],
        };
        assert_eq!(config, want);
    }

    #[test]
    fn the_defaults_are_the_documented_ones_and_empty_variables_do_not_count() {
        let config = with(&[("TELEMETRY_SAMPLE_RATE", " "), ("TELEMETRY_TAGS", "")]).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.detect, Detect::ALL);
        assert_eq!(with(&[("TELEMETRY_DETECT", "None")]).unwrap().detect, []);
        assert_eq!((config.enabled, config.buffer_size, config.sample_rate), (true, 1000, 1.0));
        assert_eq!(config.flush_interval.as_millis(), 5000);
    }

    #[test]
    fn words_may_be_in_upper_case_and_wrong_ones_are_told_what_there_is() {
        let config =
            with(&[("TELEMETRY_CHECK_AT_START", "OFF"), ("TELEMETRY_SELF_METRICS", " Otel")]).unwrap();
        assert_eq!((config.check_at_start, config.self_metrics), (CheckAtStart::Off, SelfMetrics::Otel));
        for (field, known) in [
            ("ENABLED", "true, 1, false, 0"),
            ("MIN_LEVEL", "error, warn, info, debug, trace"),
            ("CHECK_AT_START", "warn, fail, off"),
            ("SELF_METRICS", "off, export, otel, all"),
            ("DETECT", "service, process, host, os, container, kubernetes, none"),
        ] {
            let name = format!("TELEMETRY_{field}");
            let said = with(&[(&name, "Perhaps")]).unwrap_err().to_string();
            assert_eq!(said, format!("{name}=Perhaps: one of {known} is needed"));
        }
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        for (name, value) in [
            ("TELEMETRY_SAMPLE_RATE", "2"),
            ("TELEMETRY_SAMPLE_RATE", "often"),
            ("TELEMETRY_TAGS", "prod"),
            ("TELEMETRY_BUFFER_SIZE", "0"),
            ("TELEMETRY_FLUSH_INTERVAL_MS", "5s"),
            ("TELEMETRY_ENABLED", "maybe"),
            ("TELEMETRY_MIN_LEVEL", "loud"),
            ("TELEMETRY_CHECK_AT_START", "always"),
            ("TELEMETRY_MAX_SERIES", "-1"),
            ("TELEMETRY_MAX_TEXT_BYTES", "127"),
            ("TELEMETRY_MAX_TEXT_BYTES", "31745"),
            ("TELEMETRY_OPEN_SPANS_BYTES", "0"),
        ] {
            let said = with(&[(name, value)]).unwrap_err().to_string();
            assert!(said.starts_with(&format!("{name}={value}: ")), "{said}");
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let config = with(&[("TELEMETRY_EXPORT_ENDPOINTS", "otlp://me:hush@h?token=hush&rate=3")]).unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("hush") && shown.contains("rate=3"), "{shown}");
    }
}
