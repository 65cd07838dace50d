//! Everything in one line.

use std::env::VarError;

use telemetry_core::{Builder, Collector, Error, Guard};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::layer::TelemetryLayer;

/// Sets everything up from the environment: a global collector from `TELEMETRY_*`, and a global `tracing`
/// subscriber that obeys `RUST_LOG` (`info` where that is not set).
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
    let collector = builder.start()?;
    let subscriber = tracing_subscriber::registry().with(filter).with(TelemetryLayer::new(&collector));
    subscriber.try_init().map_err(|_| {
        let text =
            "a tracing subscriber is installed already; add `TelemetryLayer::new(&collector)` to that one";
        Error::Setup(text.into())
    })?;
    let guard = collector.install()?;
    guard.say_if_nobody_is_there();
    Ok(guard)
}
