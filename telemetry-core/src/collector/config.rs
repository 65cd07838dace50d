//! Settings: from code, from the environment, from a file.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use tracing_core::Level;

use crate::Error;
use crate::diagnostics::warn;
use crate::exporters::ExportError;
use crate::metrics::Settings;
use crate::model::Tags;
use crate::sampling::HeadSampler;

/// What a collector runs with.
///
/// | field | variable | default |
/// | --- | --- | --- |
/// | `enabled` | `TELEMETRY_ENABLED` | `true` |
/// | `buffer_size` | `TELEMETRY_BUFFER_SIZE` | 1000 |
/// | `flush_interval` (`flush_interval_ms` in files) | `TELEMETRY_FLUSH_INTERVAL_MS` | 5000 |
/// | `export_endpoints` | `TELEMETRY_EXPORT_ENDPOINTS`, separated by commas | none |
/// | `sample_rate` | `TELEMETRY_SAMPLE_RATE` | 1.0 |
/// | `tags` | `TELEMETRY_TAGS`, as `key: value, key2: value2` | none |
/// | `min_level` | `TELEMETRY_MIN_LEVEL` | none |
/// | `check_at_start` | `TELEMETRY_CHECK_AT_START` | `warn` |
/// | `shutdown_timeout` (`shutdown_timeout_ms`) | `TELEMETRY_SHUTDOWN_TIMEOUT_MS` | 5000 |
/// | `max_series` | `TELEMETRY_MAX_SERIES` | 2000 |
/// | `metrics_bytes` | `TELEMETRY_METRICS_BYTES` | 32 MiB |
/// | `zero_series` | `TELEMETRY_ZERO_SERIES` | `false` |
/// | `series_expiration` (`series_expiration_ms`) | `TELEMETRY_SERIES_EXPIRATION_MS` | none |
/// | `callback_timeout` (`callback_timeout_ms`) | `TELEMETRY_CALLBACK_TIMEOUT_MS` | 1000 |
/// | `buffer_bytes` | `TELEMETRY_BUFFER_BYTES` | 16 MiB |
/// | `back_pressure` (`back_pressure_ms`) | `TELEMETRY_BACK_PRESSURE_MS` | none |
/// | `exporter_bytes` | `TELEMETRY_EXPORTER_BYTES` | 8 MiB |
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Config {
    /// Without, nothing is recorded and no thread is started.
    pub enabled: bool,
    /// When 90% of that many spans and events wait, the aggregator moves them on before its time. Nothing is
    /// dropped for that number: `buffer_bytes` is the bound.
    pub buffer_size: usize,
    /// Everything is moved on to the exporters that often.
    #[cfg_attr(feature = "serde", serde(rename = "flush_interval_ms", with = "millis"))]
    pub flush_interval: Duration,
    /// URLs that pick exporters.
    pub export_endpoints: Vec<String>,
    /// The share of traces that are kept, from 0 to 1. Metrics and events are never sampled by it.
    pub sample_rate: f64,
    /// On everything exported. `service.name` is the name of the program where it is not given.
    pub tags: Tags,
    /// Measurements whose level is more verbose are not taken.
    #[cfg_attr(feature = "serde", serde(with = "level"))]
    pub min_level: Option<Level>,
    /// What to do when a backend does not answer at the start.
    pub check_at_start: CheckAtStart,
    /// How long a shutdown without a deadline of its own may take.
    #[cfg_attr(feature = "serde", serde(rename = "shutdown_timeout_ms", with = "millis"))]
    pub shutdown_timeout: Duration,
    /// A metric has at most that many series; all further ones are summed up in one, tagged
    /// `otel.metric.overflow=true`.
    pub max_series: usize,
    /// Memory for the cells that threads have of their own; beyond that they share cells, which is slower.
    pub metrics_bytes: usize,
    /// Every counter, histogram and timer of an attribute or a macro of the program stands at 0 from the start, where all
    /// of its tags are known: so a backend can tell "never happened" from "not there". Needs the feature `macros` of
    /// `telemetry-layer`.
    pub zero_series: bool,
    /// A series without a new value for so long ends, once every exporter and every reader has seen its last one: it is
    /// exported no more, its memory is given back, and its place under `max_series` is free. With its next value it
    /// begins anew, at 0. An up-down counter ends only at 0, one that is given by a callback never. None keeps all.
    #[cfg_attr(feature = "serde", serde(rename = "series_expiration_ms", with = "some_millis"))]
    pub series_expiration: Option<Duration>,
    /// A snapshot waits so long for each callback of an observable instrument, and leaves it out from then on until it
    /// returns.
    #[cfg_attr(feature = "serde", serde(rename = "callback_timeout_ms", with = "millis"))]
    pub callback_timeout: Duration,
    /// Memory for spans and events that the aggregator has not moved on yet.
    pub buffer_bytes: usize,
    /// A thread that records a span or an event and finds `buffer_bytes` taken waits so long for room; what finds none by
    /// then is dropped and counted, as without, at once. On an async runtime it is a worker thread that waits. Telemetry's
    /// own threads and those that panic never do.
    #[cfg_attr(feature = "serde", serde(rename = "back_pressure_ms", with = "some_millis"))]
    pub back_pressure: Option<Duration>,
    /// Memory for batches that wait for one exporter.
    pub exporter_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            buffer_size: 1000,
            flush_interval: Duration::from_secs(5),
            export_endpoints: Vec::new(),
            sample_rate: 1.0,
            tags: Tags::new(),
            min_level: None,
            check_at_start: CheckAtStart::Warn,
            shutdown_timeout: Duration::from_secs(5),
            max_series: 2000,
            metrics_bytes: 32 << 20,
            zero_series: false,
            series_expiration: None,
            callback_timeout: Duration::from_secs(1),
            buffer_bytes: 16 << 20,
            back_pressure: None,
            exporter_bytes: 8 << 20,
        }
    }
}

/// What to do when a backend does not answer at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum CheckAtStart {
    /// Say so on standard error, and go on: an outage must not stop the program.
    #[default]
    Warn,
    /// Fail the start.
    Fail,
    /// Don't look.
    Off,
}

impl CheckAtStart {
    /// A backend has this long to answer.
    const TIME: Duration = Duration::from_secs(3);

    pub(super) fn await_result(
        self,
        exporter: &str,
        result: &Receiver<Result<(), ExportError>>,
    ) -> Result<(), Error> {
        if self == Self::Off {
            return Ok(());
        }
        // Nobody waits for a slow backend only to warn.
        let time = if self == Self::Fail { Self::TIME } else { Duration::from_millis(100) };
        let checked = match result.recv_timeout(time) {
            Ok(checked) => checked,
            Err(RecvTimeoutError::Timeout) if self == Self::Warn => Ok(()),
            Err(_) => Err(ExportError::retry(format!("no answer within {time:?}"))),
        };
        match checked {
            Ok(()) => Ok(()),
            Err(source) if self == Self::Fail => Err(Error::Check { exporter: exporter.to_owned(), source }),
            Err(e) => {
                warn(format_args!("exporter {exporter}: the check at the start failed: {e}"));
                Ok(())
            }
        }
    }
}

impl Config {
    /// The defaults, and over them what the environment says in `TELEMETRY_*`.
    pub fn from_env() -> Result<Self, Error> {
        Self::default().with_env()
    }

    /// These settings, and over them what the environment says: for settings that come from a file.
    pub fn with_env(self) -> Result<Self, Error> {
        self.with_vars(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// The same with variables from elsewhere. An empty variable is one that is not set.
    pub fn with_vars(mut self, get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let var = |field: &str| {
            let name = format!("TELEMETRY_{}", field.to_uppercase());
            get(&name).filter(|value| !value.trim().is_empty()).map(|value| Var { name, value })
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
            let urls = var.value.split(',').map(str::trim).filter(|url| !url.is_empty());
            self.export_endpoints = urls.map(str::to_owned).collect();
        }
        if let Some(var) = var("sample_rate") {
            let rate: f64 = var.parse_as("a number from 0 to 1 is needed", |text| text.parse().ok())?;
            HeadSampler::ratio(rate).map_err(|e| Error::config(&var.name, &var.value, e))?;
            self.sample_rate = rate;
        }
        if let Some(var) = var("tags") {
            let tags = Tags::parse(&var.value).map_err(|e| Error::config(&var.name, &var.value, e))?;
            self.tags = tags.or(&self.tags);
        }
        if let Some(var) = var("min_level") {
            let level =
                var.parse_as("one of error, warn, info, debug, trace is needed", |t| t.parse().ok())?;
            self.min_level = Some(level);
        }
        if let Some(var) = var("check_at_start") {
            self.check_at_start = var.parse_as("one of warn, fail, off is needed", |text| match text {
                "warn" => Some(CheckAtStart::Warn),
                "fail" => Some(CheckAtStart::Fail),
                "off" => Some(CheckAtStart::Off),
                _ => None,
            })?;
        }
        if let Some(var) = var("shutdown_timeout_ms") {
            self.shutdown_timeout = var.millis()?;
        }
        if let Some(var) = var("max_series") {
            self.max_series = var.count()?;
        }
        if let Some(var) = var("metrics_bytes") {
            self.metrics_bytes = var.count()?;
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
        }
        Ok(self)
    }

    pub(super) fn of_metrics(&self) -> Settings {
        Settings {
            min_level: self.min_level,
            max_series: self.max_series,
            max_bytes: self.metrics_bytes,
            expiration: self.series_expiration,
            callback_timeout: self.callback_timeout,
        }
    }

    /// What no variable and no type has checked yet.
    pub(super) fn check(&self) -> Result<HeadSampler, Error> {
        let above_0 = [
            ("buffer_size", self.buffer_size),
            ("max_series", self.max_series),
            ("buffer_bytes", self.buffer_bytes),
            ("exporter_bytes", self.exporter_bytes),
        ];
        for (name, value) in above_0 {
            if value == 0 {
                return Err(Error::config(name, value, ABOVE_0));
            }
        }
        let times = [
            ("flush_interval_ms", self.flush_interval),
            ("series_expiration_ms", self.series_expiration.unwrap_or(Duration::MAX)),
            ("back_pressure_ms", self.back_pressure.unwrap_or(Duration::MAX)),
            ("callback_timeout_ms", self.callback_timeout),
        ];
        for (name, time) in times {
            if time.is_zero() {
                return Err(Error::config(name, 0, ABOVE_0));
            }
        }
        HeadSampler::ratio(self.sample_rate).map_err(|e| Error::config("sample_rate", self.sample_rate, e))
    }
}

const ABOVE_0: &str = "a whole number above 0 is needed";

struct Var {
    name: String,
    value: String,
}

impl Var {
    fn parse_as<T>(&self, needed: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        let text = self.value.trim().to_ascii_lowercase();
        parse(&text).ok_or_else(|| Error::config(&self.name, &self.value, needed))
    }

    fn yes_or_no(&self) -> Result<bool, Error> {
        self.parse_as("`true` or `false` is needed", |text| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    fn count(&self) -> Result<usize, Error> {
        self.parse_as(ABOVE_0, |text| text.parse().ok().filter(|n| *n > 0))
    }

    fn millis(&self) -> Result<Duration, Error> {
        self.parse_as(ABOVE_0, |text| text.parse().ok().filter(|n| *n > 0).map(Duration::from_millis))
    }
}

#[cfg(feature = "serde")]
#[allow(clippy::ref_option)] // what serde's derive passes
mod some_millis {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(time: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(d)?.map(Duration::from_millis))
    }
}

#[cfg(feature = "serde")]
mod millis {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(time: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_millis)
    }
}

#[cfg(feature = "serde")]
mod level {
    #![expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use tracing_core::Level;

    pub(super) fn serialize<S: Serializer>(level: &Option<Level>, s: S) -> Result<S::Ok, S::Error> {
        level.map(crate::model::level_name).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Level>, D::Error> {
        let Some(text) = Option::<String>::deserialize(d)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| serde::de::Error::custom(format!("`{text}` is no level")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("TELEMETRY_MAX_SERIES", "10"),
            ("TELEMETRY_METRICS_BYTES", "3000"),
            ("TELEMETRY_ZERO_SERIES", "1"),
            ("TELEMETRY_SERIES_EXPIRATION_MS", "60000"),
            ("TELEMETRY_CALLBACK_TIMEOUT_MS", "20"),
            ("TELEMETRY_BUFFER_BYTES", "1000"),
            ("TELEMETRY_BACK_PRESSURE_MS", "70"),
            ("TELEMETRY_EXPORTER_BYTES", "2000"),
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
            max_series: 10,
            metrics_bytes: 3000,
            zero_series: true,
            series_expiration: Some(Duration::from_mins(1)),
            callback_timeout: Duration::from_millis(20),
            buffer_bytes: 1000,
            back_pressure: Some(Duration::from_millis(70)),
            exporter_bytes: 2000,
        };
        assert_eq!(config, want);
    }

    #[test]
    fn the_defaults_are_the_documented_ones_and_empty_variables_do_not_count() {
        let config = with(&[("TELEMETRY_SAMPLE_RATE", " "), ("TELEMETRY_TAGS", "")]).unwrap();
        assert_eq!(config, Config::default());
        assert_eq!((config.enabled, config.buffer_size, config.sample_rate), (true, 1000, 1.0));
        assert_eq!(config.flush_interval.as_millis(), 5000);
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
        ] {
            let said = with(&[(name, value)]).unwrap_err().to_string();
            assert!(said.starts_with(&format!("{name}={value}: ")), "{said}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_file_sets_what_it_names() {
        let text = r#"{"flush_interval_ms": 20, "tags": {"env": "x"}, "min_level": "warn"}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let want = Config {
            flush_interval: Duration::from_millis(20),
            tags: Tags::parse("env: x").unwrap(),
            min_level: Some(Level::WARN),
            ..Config::default()
        };
        assert_eq!(config, want);
        assert_eq!(serde_json::from_str::<Config>(&serde_json::to_string(&want).unwrap()).unwrap(), want);
        let unknown = serde_json::from_str::<Config>(r#"{"sample": 1}"#).unwrap_err().to_string();
        assert!(unknown.contains("`sample`"), "{unknown}");
    }
}
