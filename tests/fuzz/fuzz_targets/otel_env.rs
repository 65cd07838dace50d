//! Any texts as the variables of OpenTelemetry, and ours over them.
//!
//! Invariant: settings, or an error that names a variable that is set; never a panic. Neither prints a secret: the password in
//! an endpoint, the values of headers. The endpoints that come out are routes or errors.
//!
//! No input is used that names a file.
#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use telemetry_core::exporters::from_url;
use telemetry_core::{Config, Error};
use telemetry_fuzz::{Parts, SECRET, needs_files};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    all: Vec<(u8, Parts<'a>)>,
    endpoint: Option<(u8, Parts<'a>, Parts<'a>)>,
    headers: Option<(u8, Parts<'a>, Parts<'a>)>,
}

const SIGNALS: [&str; 4] = ["", "TRACES_", "LOGS_", "METRICS_"];
const NAMES: [&str; 58] = [
    "OTEL_CONFIG_FILE",
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BLRP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_PROPAGATORS",
    "OTEL_TRACES_EXPORTER",
    "OTEL_LOGS_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "TELEMETRY_ENABLED",
    "TELEMETRY_BUFFER_SIZE",
    "TELEMETRY_FLUSH_INTERVAL_MS",
    "TELEMETRY_EXPORT_ENDPOINTS",
    "TELEMETRY_SAMPLE_RATE",
    "TELEMETRY_TAGS",
    "TELEMETRY_MIN_LEVEL",
    "TELEMETRY_CHECK_AT_START",
    "TELEMETRY_SHUTDOWN_TIMEOUT_MS",
    "TELEMETRY_MAX_SERIES",
    "TELEMETRY_METRICS_BYTES",
    "TELEMETRY_ZERO_SERIES",
    "TELEMETRY_SERIES_EXPIRATION_MS",
    "TELEMETRY_CALLBACK_TIMEOUT_MS",
    "TELEMETRY_BUFFER_BYTES",
    "TELEMETRY_BACK_PRESSURE_MS",
    "TELEMETRY_EXPORTER_BYTES",
    "TELEMETRY_SELF_METRICS",
    "TELEMETRY_DETECT",
    "TELEMETRY_PROPAGATORS",
    "OTEL_EXPORTER_OTLP_INSECURE",
];

fuzz_target!(|input: Input<'_>| {
    let mut vars: BTreeMap<String, String> = BTreeMap::new();
    for (number, value) in &input.all {
        vars.insert(NAMES[usize::from(*number) % NAMES.len()].to_owned(), value.text());
    }
    let signal = |number: u8| SIGNALS[usize::from(number) % SIGNALS.len()];
    if let Some((of, user, behind)) = &input.endpoint {
        let user: String = user.text().chars().filter(|c| !"/?#".contains(*c)).collect();
        let value = format!("http://{user}:{SECRET}@{}", behind.text());
        vars.insert(format!("OTEL_EXPORTER_OTLP_{}ENDPOINT", signal(*of)), value);
    }
    if let Some((of, before, behind)) = &input.headers {
        let value = format!("{}={SECRET}{}", before.text(), behind.text());
        vars.insert(format!("OTEL_EXPORTER_OTLP_{}HEADERS", signal(*of)), value);
    }
    let get = |name: &str| vars.get(name).cloned();
    let config = Config::default().with_otel_vars(get).and_then(|config| config.with_vars(get));
    let said = match &config {
        Ok(config) => format!("{config:?}"),
        Err(e) => {
            let Error::Config { name, .. } = e else { panic!("{e}") };
            assert!(vars.get(name).is_some_and(|value| !value.trim().is_empty()), "{e}");
            format!("{e} {e:?}")
        }
    };
    assert!(!said.contains(SECRET), "{vars:?}\n{said}");
    let endpoints = config.map(|config| config.export_endpoints).unwrap_or_default();
    for url in endpoints.iter().filter(|url| !needs_files(url)) {
        let said = from_url(url).map_or_else(|e| format!("{e} {e:?}"), |route| format!("{route:?}"));
        assert!(!said.contains(SECRET), "{url}\n{said}");
    }
});
