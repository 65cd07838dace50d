//! Everything in one line.

use std::env::VarError;

use telemetry_core::__private::{nearest, warn};
use telemetry_core::{Builder, Collector, Error, Guard};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::layer::TelemetryLayer;

/// Shows what happens as it happens, and metrics once in a year, and at the end.
#[cfg(feature = "console")]
const LIVE: &str = "console:stderr?flush_interval_ms=31536000000";

/// Sets everything up from the environment: a global collector from `TELEMETRY_*`, and a global `tracing`
/// subscriber that obeys `RUST_LOG` (`info` where that is not set).
///
/// Where neither code nor the environment says where anything goes, it is shown on standard error: events and finished spans as
/// they happen, in colours if that is a terminal, and the metrics once, at the end or with a flush (feature `console`).
/// `TELEMETRY_EXPORT_ENDPOINTS=discard:` turns that off; beside other endpoints, `console:stderr` is the same by choice, with metrics
/// each `flush_interval`.
///
/// Records of the `log` crate become events too (feature `log`), unless the program has a logger already, which is said on standard
/// error.
///
/// The guard shuts it down when it is dropped; keep it in `main`. Metrics of instruments and attributes don't
/// pass through `RUST_LOG`: they are exact also with `RUST_LOG=off`.
///
/// # Errors
///
/// A malformed variable, an endpoint that can't be used, or a collector or subscriber that is there already.
pub fn init() -> Result<Guard, Error> {
    init_with(Collector::builder())
}

/// The same with settings from code, which win over the environment.
pub fn init_with(builder: Builder) -> Result<Guard, Error> {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    let filter = filter.try_from_env().or_else(|e| match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(value) if !value.trim().is_empty() => Err(Error::config(EnvFilter::DEFAULT_ENV, value, e)),
        Err(VarError::NotUnicode(value)) => {
            Err(Error::config(EnvFilter::DEFAULT_ENV, value.display(), "it is not UTF-8"))
        }
        _ => Ok(EnvFilter::new("info")),
    })?;
    if Collector::has_global() {
        return Err(Error::AlreadyInstalled);
    }
    std::env::var(EnvFilter::DEFAULT_ENV).iter().for_each(|value| say_if_misspelt(value));
    #[cfg(feature = "console")]
    let builder = builder.last_resort(LIVE);
    let collector = builder.start()?;
    let subscriber = tracing_subscriber::registry().with(filter).with(TelemetryLayer::new(&collector));
    // Not `try_init`, which fails where a logger is there already, if some crate of the program wants records of `log`.
    tracing::subscriber::set_global_default(subscriber).map_err(|_| {
        let text =
            "a tracing subscriber is installed already; add `TelemetryLayer::new(&collector)` to that one";
        Error::Setup(text.into())
    })?;
    #[cfg(feature = "log")]
    take_log_records();
    let guard = collector.install()?;
    guard.say_if_nobody_is_there();
    Ok(guard)
}

/// To `EnvFilter` a word alone is a target, also where a level was meant.
fn say_if_misspelt(filter: &str) {
    const LEVELS: [&str; 7] = ["off", "error", "warn", "warning", "info", "debug", "trace"];
    for word in filter.split(',').map(str::trim) {
        let meant = nearest(word, &LEVELS, 1)
            .filter(|level| *level == "warning" || !level.eq_ignore_ascii_case(word));
        if let Some(level) = meant {
            let level = if level == "warning" { "warn" } else { level };
            warn(format_args!(
                "`{}`: `{word}` is a target there, and no level; did you mean `{level}`?",
                EnvFilter::DEFAULT_ENV
            ));
        }
    }
}

/// From now on records of the `log` crate are events, as far as the subscriber wants any of their level.
#[cfg(feature = "log")]
fn take_log_records() {
    use tracing_log::{AsLog as _, LogTracer};
    let most = LevelFilter::current().as_log();
    if LogTracer::builder().with_max_level(most).init().is_err() {
        warn(format_args!("records of the `log` crate go to the logger that the program has set already"));
    }
}
