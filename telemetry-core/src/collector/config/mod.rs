//! Settings: from code, from the environment, from a file.

mod check;
mod env;
#[cfg(feature = "serde")]
mod files;
mod otel;
mod var;

use std::time::Duration;

use tracing_core::Level;

#[cfg(feature = "serde")]
use self::files::{level, millis, some_millis};
use crate::Error;
use crate::detect::Detect;
use crate::exporters::redaction::redacted;
use crate::exporters::words::ABOVE_0;
use crate::metrics::Settings;
use crate::model::cut::{MAX_TEXT, TEXT_BYTES};
use crate::model::{Propagator, Tags};
use crate::sampling::HeadSampler;

pub use check::CheckAtStart;
pub(super) use otel::Otel;
pub(super) use var::{Environment, env_var};

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
/// | `shutdown_on_exit` | `TELEMETRY_SHUTDOWN_ON_EXIT` | `false` |
/// | `max_series` | `TELEMETRY_MAX_SERIES` | 2000 |
/// | `metrics_bytes` | `TELEMETRY_METRICS_BYTES` | 32 MiB |
/// | `max_text_bytes` | `TELEMETRY_MAX_TEXT_BYTES` | 8192 |
/// | `open_spans_bytes` | `TELEMETRY_OPEN_SPANS_BYTES` | 128 MiB |
/// | `zero_series` | `TELEMETRY_ZERO_SERIES` | `false` |
/// | `series_expiration` (`series_expiration_ms`) | `TELEMETRY_SERIES_EXPIRATION_MS` | none |
/// | `callback_timeout` (`callback_timeout_ms`) | `TELEMETRY_CALLBACK_TIMEOUT_MS` | 1000 |
/// | `buffer_bytes` | `TELEMETRY_BUFFER_BYTES` | 16 MiB |
/// | `back_pressure` (`back_pressure_ms`) | `TELEMETRY_BACK_PRESSURE_MS` | none |
/// | `exporter_bytes` | `TELEMETRY_EXPORTER_BYTES` | 128 MiB |
/// | `self_metrics` | `TELEMETRY_SELF_METRICS`: `off`, `export`, `otel` or `all` | `off` |
/// | `process_metrics` | `TELEMETRY_PROCESS_METRICS` | `false` |
/// | `detect` | `TELEMETRY_DETECT`: `none`, or a list of `service`, `process`, `host`, `os`, `container`, `kubernetes` | all of them |
/// | `propagators` | `TELEMETRY_PROPAGATORS`: `none`, or a list of `tracecontext`, `baggage`, `b3`, `b3multi` | `tracecontext`, `baggage` |
///
/// `TELEMETRY_TOKEN` is no field: an endpoint that takes a token and has none in its URL looks for it there (`opentsdb+http`).
#[derive(Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Config {
    /// Without, nothing is recorded and no thread is started.
    pub enabled: bool,
    /// When 90% of that many spans and events wait, the dispatcher moves them on before its time. Where as many come again
    /// at once, it does so every 50 ms, or when 16 times as many wait or a quarter of the memory for them is taken; but not where
    /// an exporter shows things as they happen. Nothing is dropped for that number: `buffer_bytes` is the bound.
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
    /// Where the process exits and the collector runs, it is shut down then
    /// ([`Builder::shutdown_on_exit`](crate::Builder::shutdown_on_exit) says what that is).
    pub shutdown_on_exit: bool,
    /// A metric has at most that many series; all further ones are summed up in one, tagged
    /// `otel.metric.overflow=true`.
    pub max_series: usize,
    /// Memory for metrics: series weighed by what they take, and the cells that threads have of their own. Beyond that threads
    /// share cells, which is slower, and further series are summed up, as beyond `max_series`: in that of their metric that is
    /// tagged `otel.metric.overflow=true`, or in `telemetry.metrics.overflow`. For series there is 1 MiB at least. What a
    /// histogram's values spread over more than before is weighed at the next reading.
    pub metrics_bytes: usize,
    /// A longer text of a field, a message, a status or a description is cut where it is recorded, also while it is formatted,
    /// and ends in `..`: from 128 to 31744 bytes. Names, units, keys and values of tags are cut at 4 KiB, and have a hash
    /// of the whole behind that, so that two which differ only beyond it stay two; OpenTelemetry exempts those of metrics
    /// from limits, which would leave memory to whoever is outside. How much was cut is counted
    /// ([`ledger::cut_texts`](crate::ledger::cut_texts)).
    pub max_text_bytes: usize,
    /// Memory for the spans of one layer that are open: half a KiB each, and what does not fit there. A span for which there
    /// is none is dropped (`open_spans_full`); those below it are not.
    pub open_spans_bytes: usize,
    /// Every counter, histogram and timer of an attribute or a macro of the program stands at 0 from the start, where all
    /// of its tags are known: so a backend can tell "never happened" from "not there". Needs the feature `macros` of
    /// `telemetry-layer`.
    pub zero_series: bool,
    /// A series without a new value for so long ends, once every exporter and every reader has seen its last one: it is
    /// exported no more, its memory is given back, and its place under `max_series` is free. With its next value it
    /// begins anew, at 0. An up-down counter ends only at 0, one that is given by a callback never. None keeps all.
    #[cfg_attr(feature = "serde", serde(rename = "series_expiration_ms", with = "some_millis"))]
    pub series_expiration: Option<Duration>,
    /// A snapshot waits so long for all callbacks of observable instruments together, and leaves those that have not returned
    /// by then out until they do.
    #[cfg_attr(feature = "serde", serde(rename = "callback_timeout_ms", with = "millis"))]
    pub callback_timeout: Duration,
    /// Memory for spans and events that the dispatcher has not moved on yet.
    pub buffer_bytes: usize,
    /// Where an exporter does not keep up, or `buffer_bytes` are taken, threads that record spans and events wait for room:
    /// so long in all, once for each time that an exporter falls behind. Then it loses its oldest items, until it has caught up
    /// to half. Without, nobody waits. On an async runtime it is a worker thread that waits; telemetry's own threads and those
    /// that panic never do. A route can say otherwise ([`Route::back_pressure`](crate::exporters::Route::back_pressure)).
    #[cfg_attr(feature = "serde", serde(rename = "back_pressure_ms", with = "some_millis"))]
    pub back_pressure: Option<Duration>,
    /// Memory for batches that wait for one exporter, at least 64 KiB: an eighth of it for metrics, the rest for spans and
    /// events. Requests that are out take as much again at most.
    pub exporter_bytes: usize,
    /// What telemetry exports of itself, beside what the program measures.
    pub self_metrics: SelfMetrics,
    /// What the process takes of its machine, on Linux, named by OpenTelemetry's semantic conventions (in development): counters
    /// `process.cpu.time` (`s`, tagged `cpu.mode`) and `process.paging.faults` (tagged `system.paging.fault.type`); up-down counters
    /// `process.memory.usage` and `process.memory.virtual` (`By`), `process.thread.count` and
    /// `process.unix.file_descriptor.count`; the gauge `process.uptime` (`s`). They are read for each snapshot.
    pub process_metrics: bool,
    /// What is found out about the program and about where it runs, when the collector starts. Exporters that send a
    /// resource have it; it is on no item of the others.
    pub detect: Vec<Detect>,
    /// In which formats HTTP headers tell of traces, coming in and going out. `b3` and `b3multi` need the feature `b3`.
    pub propagators: Vec<Propagator>,
}

/// Which metrics of telemetry itself are exported, read off the ledger.
///
/// | | |
/// | --- | --- |
/// | `export` | `telemetry.export.total`, `.successful`, `.failed` (items, tagged `exporter` and `signal`) and `.duration` (of an attempt, in seconds); `telemetry.texts.cut`, once a text was cut |
/// | `otel` | `otel.sdk.exporter.{span,log,metric_data_point}.{exported,inflight}`, `otel.sdk.exporter.operation.duration`, `otel.sdk.processor.{span,log}.processed`, `otel.sdk.log.created`, as OpenTelemetry's semantic conventions have them (in development) |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum SelfMetrics {
    /// None.
    #[default]
    Off,
    /// `telemetry.export.*`.
    Export,
    /// `otel.sdk.*`.
    Otel,
    /// Both.
    All,
}

/// Endpoints are shown without their secrets.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            enabled,
            buffer_size,
            flush_interval,
            export_endpoints,
            sample_rate,
            tags,
            min_level,
            check_at_start,
            shutdown_timeout,
            shutdown_on_exit,
            max_series,
            metrics_bytes,
            max_text_bytes,
            open_spans_bytes,
            zero_series,
            series_expiration,
            callback_timeout,
            buffer_bytes,
            back_pressure,
            exporter_bytes,
            self_metrics,
            process_metrics,
            detect,
            propagators,
        } = self;
        let export_endpoints: Vec<String> = export_endpoints.iter().map(|url| redacted(url)).collect();
        f.debug_struct("Config")
            .field("enabled", enabled)
            .field("buffer_size", buffer_size)
            .field("flush_interval", flush_interval)
            .field("export_endpoints", &export_endpoints)
            .field("sample_rate", sample_rate)
            .field("tags", tags)
            .field("min_level", min_level)
            .field("check_at_start", check_at_start)
            .field("shutdown_timeout", shutdown_timeout)
            .field("shutdown_on_exit", shutdown_on_exit)
            .field("max_series", max_series)
            .field("metrics_bytes", metrics_bytes)
            .field("max_text_bytes", max_text_bytes)
            .field("open_spans_bytes", open_spans_bytes)
            .field("zero_series", zero_series)
            .field("series_expiration", series_expiration)
            .field("callback_timeout", callback_timeout)
            .field("buffer_bytes", buffer_bytes)
            .field("back_pressure", back_pressure)
            .field("exporter_bytes", exporter_bytes)
            .field("self_metrics", self_metrics)
            .field("process_metrics", process_metrics)
            .field("detect", detect)
            .field("propagators", propagators)
            .finish()
    }
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
            shutdown_on_exit: false,
            max_series: 2000,
            metrics_bytes: 32 << 20,
            max_text_bytes: MAX_TEXT,
            open_spans_bytes: 128 << 20,
            zero_series: false,
            series_expiration: None,
            callback_timeout: Duration::from_secs(1),
            buffer_bytes: 16 << 20,
            back_pressure: None,
            exporter_bytes: 128 << 20,
            self_metrics: SelfMetrics::Off,
            process_metrics: false,
            detect: Detect::ALL.to_vec(),
            propagators: Propagator::DEFAULT.to_vec(),
        }
    }
}

impl Config {
    pub(super) fn of_metrics(&self) -> Settings {
        Settings {
            min_level: self.min_level,
            max_series: self.max_series,
            max_bytes: self.metrics_bytes,
            max_text: self.max_text_bytes,
            expiration: self.series_expiration,
            callback_timeout: self.callback_timeout,
        }
    }

    /// As records have it.
    pub(super) fn max_text(&self) -> u32 {
        u32::try_from(self.max_text_bytes).unwrap_or(u32::MAX)
    }

    /// What no variable and no type has checked yet.
    pub(super) fn check(&self) -> Result<HeadSampler, Error> {
        let above_0 = [
            ("buffer_size", self.buffer_size),
            ("max_series", self.max_series),
            ("buffer_bytes", self.buffer_bytes),
            ("metrics_bytes", self.metrics_bytes),
            ("open_spans_bytes", self.open_spans_bytes),
        ];
        for (name, value) in above_0 {
            if value == 0 {
                return Err(Error::config(name, value, ABOVE_0));
            }
        }
        if self.exporter_bytes < LEAST_EXPORTER_BYTES {
            return Err(Error::config("exporter_bytes", self.exporter_bytes, least_exporter_bytes()));
        }
        if !TEXT_BYTES.contains(&self.max_text_bytes) {
            return Err(Error::config("max_text_bytes", self.max_text_bytes, text_bytes()));
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

/// With less, a handful of spans would fill it.
const LEAST_EXPORTER_BYTES: usize = 64 << 10;

fn least_exporter_bytes() -> String {
    format!("at least {LEAST_EXPORTER_BYTES} are needed")
}

fn text_bytes() -> String {
    format!("a whole number from {} to {} is needed", TEXT_BYTES.start(), TEXT_BYTES.end())
}
