//! Turns a program that uses `tracing` into one that delivers exact metrics, events and traces.
//!
//! Add [`TelemetryLayer`] to the subscriber you have, or let [`init`] set up everything from the environment;
//! annotate functions with [`count_me`] and [`time_me`]; read metrics, events and spans where an exporter put
//! them. No async runtime is needed, recording never blocks, and what is lost is counted.
//!
//! ```
//! use telemetry_layer::prelude::*;
//!
//! #[count_me]
//! #[time_me]
//! fn checkout(items: u64) -> u64 {
//!     tracing::info!(items, "checked out");
//!     items * 10
//! }
//!
//! let _telemetry = telemetry_layer::init_with(Collector::builder().endpoint("discard:"))?;
//! checkout(3);
//! # Ok::<(), telemetry_layer::Error>(())
//! ```
//!
//! With `console:` in place of `discard:`, or with `TELEMETRY_EXPORT_ENDPOINTS=console:` and [`init`], that prints a span,
//! an event and two metrics when `_telemetry` is dropped at the end of `main`. Keep it in a variable with a name: `let _ = ..`
//! drops it at once.
//!
//! | you want | look at |
//! | --- | --- |
//! | spans and events from `tracing` | [`TelemetryLayer`], [`init`] |
//! | functions counted and timed | [`count_me`], [`time_me`]; in the middle of one [`count!`], [`time!`] |
//! | metrics of your own | [`counter()`], [`gauge()`](gauge()), [`histogram()`](histogram()), [`timer()`], [`meter()`], [`up_down_counter()`] |
//! | spans measured, open spans seen | [`SpanMetrics`], [`OpenSpans`] |
//! | traces across services | [`HttpServerLayer`], [`inject_headers`], [`with_remote_parent`], [`Context`], [`SpanExt`] |
//! | metrics in InfluxDB, OpenTSDB, Graphite, StatsD, Datadog, Librato; all signals by OTLP | an endpoint ([`Builder::endpoint`]); all of them: [`exporters::from_url`] |
//! | nothing lost while a backend is away | `spool=DIR` of an endpoint, [`Route::spool`](exporters::Route::spool) |
//! | an exporter of your own | [`Exporter`]; those that are there: [`exporters`] |
//! | a page for Prometheus | the endpoint `prometheus:` ([`exporters::from_url`]); with a server of your own, `PrometheusService` |
//! | to tell instances, hosts, pods apart | [`Builder::service`], [`Detect`] |
//! | trace ids in the lines of `fmt` | [`WithTraceIds`](fmt::WithTraceIds) |
//! | settings | [`Builder`], [`Config`], [the variables](#variables) |
//! | to know that nothing is lost | [`Collector::ledger`], [`Report`] |
//!
//! # Guides
//!
//! ## Add the layer to a subscriber you have
//!
//! ```
//! use telemetry_layer::prelude::*;
//! use tracing_subscriber::filter::LevelFilter;
//!
//! let telemetry = Collector::builder().tag("env", "test").endpoint("discard:").install()?;
//! let layer = TelemetryLayer::new(&telemetry).with_redacted_fields(["password", "*.token"]);
//! tracing_subscriber::registry().with(LevelFilter::INFO).with(layer).init();
//! tracing::info_span!("login", password = "secret").in_scope(|| tracing::info!("done"));
//! # Ok::<(), telemetry_layer::Error>(())
//! ```
//!
//! `install` makes the collector the global one, which attributes and instruments of all threads feed; `start` gives one
//! that is used only where it is handed to, or scoped ([`Collector::scoped`]). Metrics pass neither through filters nor
//! through sampling: they are exact with `RUST_LOG=off` too.
//!
//! ## Measure functions
//!
//! ```
//! use telemetry_layer::prelude::*;
//!
//! #[time_me(name = "shop.pay", outcome, tags(method = "card"))]
//! fn pay(amount: u64) -> Result<u64, String> {
//!     count!("shop.turnover", amount);
//!     if amount == 0 { Err("nothing to pay".to_owned()) } else { Ok(amount) }
//! }
//!
//! let collector = Collector::builder().start()?;
//! let _ = collector.scoped(|| (pay(5), pay(0)));
//! assert_eq!(collector.snapshot().total("shop.turnover"), 5.0);
//! # Ok::<(), telemetry_layer::Error>(())
//! ```
//!
//! Beside `#[tracing::instrument]`, write `#[time_me(span = false)]`: there is one span then, the one you have.
//!
//! ## Follow a trace across services
//!
//! A server attaches the [`Context`] that came with a request, a client sends what [`current_trace_context`] says. With the feature `tower`, [`HttpServerLayer`] does the server's part for axum and everything else that is built on
//! tower, and measures `http.server.request.duration`, both with the route that axum's router finds (feature `axum`); with the
//! feature `http`, [`inject_headers`] does the client's.
//!
//! ```
//! use telemetry_layer::model::TraceContext;
//! use telemetry_layer::{Context, current_trace_context};
//!
//! fn handle(header: impl Fn(&str) -> Option<&'static str>) {
//!     // For the whole request, whether its span is recorded or not.
//!     let _attached = TraceContext::extract(header).map(|came| Context::new(came).attach());
//!     tracing::info_span!("request").in_scope(|| {
//!         if let Some(context) = current_trace_context() {
//!             context.inject(|name, value| println!("{name}: {value}"));
//!         }
//!     });
//! }
//! # handle(|_| None);
//! ```
//!
//! No log filter breaks a trace: [`Context`] holds what came, whether the span of the request is recorded or not, and
//! [`in_current_context`] takes it along to a task that is spawned. [`HttpServerLayer`] does that by itself.
//!
//! ## Keep less
//!
//! ```
//! use telemetry_layer::prelude::*;
//! use telemetry_layer::{SpanMetrics, sampling::Sampling};
//!
//! let sampling = Sampling::new().spans("health*", 0.0).events_per_second(1000.0);
//! let collector = Collector::builder().sample_rate(0.1).sampling(sampling).start()?;
//! let layer = TelemetryLayer::new(&collector)
//!     .with_span_metrics(SpanMetrics::new().target("shop*"))
//!     .without_fields(["internal*"]);
//! # drop(layer);
//! # Ok::<(), telemetry_layer::Error>(())
//! ```
//!
//! A trace is kept whole or not at all, decided when it begins. [`SpanMetrics`] counts spans before that.
//!
//! ## Test what a program tells
//!
//! With the feature `testing`: an exporter that keeps everything, a clock that only the test moves, and assertions that
//! show what was there instead. A scoped collector belongs to one test, so tests run in parallel.
//!
#![cfg_attr(feature = "testing", doc = "```")]
#![cfg_attr(not(feature = "testing"), doc = "```ignore")]
//! use telemetry_layer::prelude::*;
//! use telemetry_layer::testing::{Memory, assert_counter};
//!
//! let memory = Memory::new();
//! let collector = Collector::builder().ignore_env().exporter(memory.clone()).start()?;
//! collector.scoped(|| counter("orders").with(&[("currency", "EUR")]).inc());
//! assert_counter(&collector.snapshot(), "orders", &[("currency", "EUR")], 1);
//! # Ok::<(), telemetry_layer::Error>(())
//! ```
//!
//! ## Send it elsewhere
//!
//! An [`Exporter`] is a type, or for the start a closure. Each has a thread and bounded queues of its own: a slow or failing
//! one takes nothing from the others.
//!
//! ```
//! use telemetry_layer::prelude::*;
//!
//! let failed = |batch: &Batch| {
//!     for span in batch.spans().filter(|span| span.status().is_error()) {
//!         println!("{} failed", span.name());
//!     }
//! };
//! let collector = Collector::builder().exporter(failed).start()?;
//! # drop(collector);
//! # Ok::<(), telemetry_layer::Error>(())
//! ```
//!
//! ## End in order
//!
//! The [`Guard`] that `install` and [`init`] return shuts everything down when it is dropped: what was recorded is delivered
//! before the deadline, and what was not is said. `std::process::exit` and a signal without a handler end a program without
//! that.
//!
//! ```
//! use std::time::Duration;
//! use telemetry_layer::prelude::*;
//!
//! let telemetry = Collector::builder().endpoint("discard:").install()?;
//! counter("orders").inc();
//! let report = telemetry.shutdown(Duration::from_secs(10));
//! assert!(report.is_complete() && report.ledger().balances(), "{report}");
//! # Ok::<(), telemetry_layer::Error>(())
//! ```
//!
//! # Features
//!
//! | feature | by default | what it adds |
//! | --- | --- | --- |
//! | `macros` | yes | [`count_me`], [`time_me`], [`count!`], [`time!`], [`gauge!`](macro@gauge), [`histogram!`](macro@histogram), [`record!`] and the catalogue of what they measure |
//! | `console` | yes | the exporter `console:`, what happens as it happens, as lines or as trees; without any other endpoint [`init`] shows it on standard error |
//! | `file` | yes | the exporter `file:DIR`, JSON lines in files that rotate by size |
//! | `chrome-trace` | | the exporter `chrome-trace:FILE`, a trace that Perfetto and speedscope open |
//! | `env-filter` | yes | [`init`] and [`init_with`], which read `RUST_LOG` |
//! | `log` | yes | records of the `log` crate become events, with [`init`] |
//! | `serde` | with `file` | `Serialize` and `Deserialize` for [`Config`] and the model |
//! | `otlp` | | the exporter `otlp://HOST`, OTLP over HTTP, and OpenTelemetry's variables for it |
//! | `otlp-grpc` | | the same over gRPC: `otlp+grpc://HOST` |
//! | `http-exporter` | | the exporters `http://HOST/PATH` and `https://..`, batches as JSON posted to any endpoint; with `otlp` too |
//! | `influxdb` | | the exporter `influxdb://HOST`, line protocol for InfluxDB and what speaks it |
//! | `opentsdb` | | the exporter `opentsdb://HOST`, lines of `put`, or JSON over HTTP |
//! | `graphite` | | the exporter `graphite://HOST`, lines of Graphite's plaintext protocol |
//! | `statsd` | | the exporter `statsd://HOST`, for StatsD and Datadog's agent |
//! | `librato` | | the exporter `librato://USER:TOKEN@HOST`, gauges for Librato's API of metrics with sources |
//! | `prometheus` | | the page `prometheus://localhost:9464`, for Prometheus and whoever else scrapes; with `tower`, `PrometheusService`, for a route of your own server |
//! | `zstd` | | bodies of requests compressed with zstd |
//! | `http` | | [`inject_headers`] and [`extract_headers`]: trace context in `http::HeaderMap` |
//! | `b3` | | B3, as Zipkin's libraries pass traces on: `b3` and `b3multi` among the [propagators](Config::propagators) |
//! | `tower` | | [`HttpServerLayer`], for everything that is built on tower; `http` with it |
//! | `axum` | | the same with the routes of axum's router; `tower` with it |
//! | `fmt` | | [`fmt`](mod@fmt): trace ids in the lines of `tracing_subscriber::fmt` |
//! | `fmt-json` | | the same in its lines of JSON |
//! | `testing` | | [`testing`]: an exporter that keeps everything, assertions |
//! | `full` | | all of these |
//!
//! # Variables
//!
//! What the environment can set. Code wins over it; a wrong value fails the start and names its variable; an empty variable is
//! one that is not set. What each of them does stands with the field of the same name of [`Config`], which can also be read
//! from a file with `serde`. Numbers are whole and above 0 where nothing else is said.
//!
//! | variable | default | range |
//! | --- | --- | --- |
//! | `TELEMETRY_ENABLED` | `true` | `true`, `1`, `false`, `0` |
//! | `TELEMETRY_EXPORT_ENDPOINTS` | none; with [`init`] what happens is shown on standard error | URLs, separated by commas: `console:`, `console:stderr?view=tree`, `file:DIR`, `chrome-trace:FILE`, `discard:`, and [more](exporters::from_url) |
//! | `TELEMETRY_SAMPLE_RATE` | 1.0 | from 0 to 1: the share of traces that are kept |
//! | `TELEMETRY_TAGS` | none | `key: value, key2: value2`, at most 25; on everything exported |
//! | `TELEMETRY_MIN_LEVEL` | none: all measurements are taken | `error`, `warn`, `info`, `debug`, `trace` |
//! | `TELEMETRY_CHECK_AT_START` | `warn` | `warn`, `fail`, `off` |
//! | `TELEMETRY_FLUSH_INTERVAL_MS` | 5000 | milliseconds |
//! | `TELEMETRY_SHUTDOWN_TIMEOUT_MS` | 5000 | milliseconds |
//! | `TELEMETRY_SHUTDOWN_ON_EXIT` | `false` | `true`: an exit, and a panic that aborts, shut down first |
//! | `TELEMETRY_BUFFER_SIZE` | 1000 | spans and events; at 90% they are moved on before their time |
//! | `TELEMETRY_BUFFER_BYTES` | 16777216 (16 MiB) | bytes |
//! | `TELEMETRY_BACK_PRESSURE_MS` | none: what finds no room is dropped | milliseconds that a thread waits for room |
//! | `TELEMETRY_EXPORTER_BYTES` | 134217728 (128 MiB) | bytes, for each exporter |
//! | `TELEMETRY_SELF_METRICS` | `off` | `off`, `export`, `otel`, `all` |
//! | `TELEMETRY_PROCESS_METRICS` | `false` | `true`, `1`, `false`, `0` |
//! | `TELEMETRY_DETECT` | all of them | `none`, or some of `service`, `process`, `host`, `os`, `container`, `kubernetes`, separated by commas |
//! | `TELEMETRY_PROPAGATORS` | `tracecontext,baggage` | `none`, or some of `tracecontext`, `baggage`, `b3`, `b3multi`, separated by commas |
//! | `TELEMETRY_MAX_SERIES` | 2000 | series of one metric: the cardinality limit |
//! | `TELEMETRY_METRICS_BYTES` | 33554432 (32 MiB) | bytes |
//! | `TELEMETRY_MAX_TEXT_BYTES` | 8192 (8 KiB) | bytes, from 128 to 31744; longer texts are cut |
//! | `TELEMETRY_OPEN_SPANS_BYTES` | 134217728 (128 MiB) | bytes, for the spans of each layer that are open |
//! | `TELEMETRY_ZERO_SERIES` | `false` | `true`, `1`, `false`, `0` |
//! | `TELEMETRY_SERIES_EXPIRATION_MS` | none: series are kept | milliseconds |
//! | `TELEMETRY_CALLBACK_TIMEOUT_MS` | 1000 | milliseconds |
//! | `RUST_LOG` | `info` | what `tracing_subscriber::EnvFilter` takes; for spans and events, with [`init`] |
//! | `RUST_BACKTRACE` | none | `1`, `full`: panics have a backtrace, with [`install_panic_hook`] |
//!
//! # Limits
//!
//! | what | how much |
//! | --- | --- |
//! | a text in a field, a message, a status, a description | 8 KiB (`max_text_bytes`); a longer one is cut, and ends in `..` |
//! | a name of anything, a unit, key and value of a tag | 4 KiB; a longer one is cut, and ends in `..` and a hash of the whole |
//! | the fields of one span or event | 32 KiB, and the first 255; what does not fit is counted in the item |
//! | links of a span | 128 |
//! | tags of a metric, or global ones | 25 |
//! | series of one metric | 2000 (`max_series`); the next ones are summed up in one |
//! | `tracestate` | 512 bytes and 32 members; members of more than 128 bytes go first |
//! | baggage | 16 KiB and 256 entries |
//! | memory | `buffer_bytes`, `exporter_bytes`, `metrics_bytes`, `open_spans_bytes` of [`Config`] |
//!
//! Two names that differ only beyond what is kept stay two by their hashes, whatever way they come; where the value of a tag is
//! formatted (`debug = ?value`), nothing is known beyond it, so there two become one. How many texts were cut says
//! [`ledger::cut_texts`]. OpenTelemetry exempts metrics from limits on attributes; here they have them too, as their tags may
//! come from whoever sends a request.

mod context;
mod events;
mod fields;
#[cfg(feature = "fmt")]
pub mod fmt;
mod generation;
mod heartbeat;
#[cfg(feature = "http")]
mod http;
mod inherited;
#[cfg(feature = "env-filter")]
mod init;
mod layer;
mod layers;
mod open_spans;
mod opens;
mod panics;
#[cfg(feature = "macros")]
mod private;
mod remote;
mod span_ext;
mod spans;
mod tracer;

pub use self::context::{
    Context, ContextGuard, InContext, current_trace_context, in_current_context, with_remote_parent,
};
pub use self::fields::SpanMetrics;
#[cfg(feature = "axum")]
pub use self::http::{HttpRoute, HttpRouteLayer};
#[cfg(feature = "tower")]
pub use self::http::{
    HttpServer, HttpServerBody, HttpServerBodyFuture, HttpServerBodyLayer, HttpServerFuture, HttpServerLayer,
    HttpServerWithBody, RequestSpan,
};
#[cfg(all(feature = "prometheus", feature = "tower"))]
pub use self::http::{PrometheusBody, PrometheusFuture, PrometheusService};
#[cfg(feature = "http")]
pub use self::http::{extract_headers, inject_headers};
#[cfg(feature = "env-filter")]
pub use self::init::{init, init_with};
pub use self::layer::TelemetryLayer;
pub use self::open_spans::{OpenSpan, OpenSpans};
pub use self::panics::install_panic_hook;
pub use self::span_ext::{SetParentError, SpanExt};

#[cfg(any(
    feature = "graphite",
    feature = "http-exporter",
    feature = "influxdb",
    feature = "librato",
    feature = "opentsdb",
    feature = "otlp",
    feature = "statsd"
))]
pub use telemetry_core::spool;
#[cfg(feature = "testing")]
pub use telemetry_core::testing;
pub use telemetry_core::{
    Batch, Builder, CheckAtStart, Collector, Config, Counter, Delivery, Detect, Error, ExportError, Exporter,
    Gauge, Guard, Histogram, Level, Meter, Report, ScopedFuture, SelfMetrics, Signal, Tagged, Timer,
    TimerGuard, UpDownCounter, clock, counter, exporters, gauge, histogram, ledger, meter, metrics, model,
    sampling, suppress, suppress_future, timer, up_down_counter,
};
#[cfg(feature = "macros")]
pub use telemetry_macros::{count, count_me, gauge, histogram, record, time, time_me};

/// What most programs need: `use telemetry_layer::prelude::*;`.
///
/// `gauge` and `histogram` are each a function (`gauge("queue.depth")`) and, with the feature `macros`, a macro
/// (`gauge!(...)`).
pub mod prelude {
    pub use crate::exporters::Route;
    pub use crate::{
        Batch, Collector, Delivery, ExportError, Exporter, Signal, SpanExt, TelemetryLayer, counter, gauge,
        histogram, meter, timer, up_down_counter,
    };
    #[cfg(feature = "macros")]
    pub use crate::{count, count_me, record, time, time_me};
    pub use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
    pub use tracing_subscriber::util::SubscriberInitExt as _;
}

/// For what the macros expand to. Nothing here is for users, and all of it may change.
#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod __private {
    pub use crate::private::*;
}
