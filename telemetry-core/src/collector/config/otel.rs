//! The variables of OpenTelemetry's specification: `OTEL_*`, where `TELEMETRY_*` and code say nothing.
//!
//! Exporters become endpoint URLs of ours, so all that is said of these holds for them too.
//!
//! Source: OpenTelemetry specification 1.60, "Environment variables" and "OTLP exporter".

use std::time::Duration;

use super::Config;
use super::var::{Environment, Var};
use crate::Error;
use crate::exporters::words::one_of;
use crate::exporters::{Signal, escape, unescape, with_port, without_user};
use crate::model::{Propagator, Temporality, Text, Value};

/// What the variables say.
#[derive(Debug, Default)]
pub(in crate::collector) struct Otel {
    disabled: bool,
    sample_rate: Option<f64>,
    flush_interval: Option<Duration>,
    propagators: Option<Vec<Propagator>>,
    pub(in crate::collector) endpoints: Vec<String>,
    /// Some variable says which exporters there are, perhaps none.
    pub(in crate::collector) names_exporters: bool,
    pub(in crate::collector) service_name: Option<Text>,
    /// Of the resource, without that name.
    pub(in crate::collector) attributes: Vec<(Text, Value)>,
}

/// Reads variables.
struct Vars<G>(G);

/// What a variable for a signal may name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Otlp,
    Console,
    /// Of metrics only.
    Prometheus,
    None,
}

/// How OTLP travels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Protobuf,
    Json,
    Grpc,
}

/// How the variables name a signal.
const NAMES: [&str; 3] = ["TRACES", "LOGS", "METRICS"];

/// Nothing here does what these say; the documentation says what is there instead.
const WITHOUT_EFFECT: [&str; 19] = [
    "OTEL_ENTITIES",
    "OTEL_LOG_LEVEL",
    "OTEL_METRICS_EXEMPLAR_FILTER",
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BLRP_MAX_QUEUE_SIZE",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BLRP_EXPORT_TIMEOUT",
    "OTEL_METRIC_EXPORT_TIMEOUT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
];

/// Nor do these, where metrics are not scraped.
const PROMETHEUS: [&str; 2] = ["OTEL_EXPORTER_PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_PORT"];

/// These say what is done here anyway.
const AS_IT_IS: [(&str, &str); 2] = [
    ("OTEL_METRICS_EXEMPLAR_FILTER", "trace_based"),
    ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram"),
];

impl Otel {
    /// Those of this process.
    pub(in crate::collector) fn of_env(env: Environment) -> Result<Self, Error> {
        let otel = Self::read(|name| env.get(name))?;
        // Other names that begin so are for other programs.
        env.check(None)?;
        Ok(otel)
    }

    /// Reads them; where OpenTelemetry would ignore a malformed one, the start fails with its name.
    pub(in crate::collector) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let vars = Vars(get);
        for name in ["OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"] {
            if let Some(var) = vars.var(name) {
                let why = "such files can't be read yet; all `OTEL_*` would be ignored beside it";
                return Err(Error::config(var.name, var.value, why));
            }
        }
        let mut attributes = vars.attributes()?;
        let named = attributes.extract_if(.., |(key, _)| &**key == "service.name").last();
        let name = vars.var("OTEL_SERVICE_NAME").map(|var| var.value.trim().to_owned());
        let service_name = name.or(named.map(|(_, name)| name)).map(Text::from);
        let text = |(key, value)| (Text::from(key), Value::Str(value));
        let attributes = attributes.into_iter().map(text).collect();
        let mut otel = Self { service_name, attributes, ..Self::default() };
        if let Some(var) = vars.var("OTEL_SDK_DISABLED") {
            otel.disabled = var.is_true();
        }
        otel.sample_rate = vars.sample_rate()?;
        otel.propagators = vars.var("OTEL_PROPAGATORS").map(|var| var.propagators()).transpose()?;
        for name in ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY"] {
            let delay = vars.var(name).map(|var| var.millis()).transpose()?;
            otel.flush_interval = otel.flush_interval.into_iter().chain(delay).min();
        }
        // A wrong one is refused also where no exporter takes it.
        vars.var("OTEL_METRIC_EXPORT_INTERVAL").map(|var| var.millis()).transpose()?;
        otel.endpoints = vars.endpoints()?;
        otel.names_exporters = NAMES.iter().any(|name| vars.var(&format!("OTEL_{name}_EXPORTER")).is_some());
        let is_scraped = otel.endpoints.iter().any(|url| url.starts_with("prometheus:"));
        let of_page = PROMETHEUS.into_iter().filter(|_| !is_scraped);
        for var in WITHOUT_EFFECT.into_iter().chain(of_page).filter_map(|name| vars.var(name)) {
            let said = var.value.replace(' ', "").to_ascii_lowercase();
            if !AS_IT_IS.contains(&(&*var.name, &*said)) {
                var.say_without_effect();
            }
        }
        Ok(otel)
    }

    /// Over the defaults, and below all else.
    pub(in crate::collector) fn apply(&self, mut config: Config) -> Config {
        config.enabled &= !self.disabled;
        config.sample_rate = self.sample_rate.unwrap_or(config.sample_rate);
        config.flush_interval = self.flush_interval.unwrap_or(config.flush_interval);
        config.export_endpoints.clone_from(&self.endpoints);
        config.propagators = self.propagators.clone().unwrap_or(config.propagators);
        config
    }
}

impl Config {
    /// These settings, and over them what `OTEL_*` say of them, with variables from elsewhere.
    #[doc(hidden)]
    pub fn with_otel_vars(self, get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        Ok(Otel::read(get)?.apply(self))
    }
}

impl<G: Fn(&str) -> Option<String>> Vars<G> {
    fn var(&self, name: &str) -> Option<Var> {
        Var::get(name.to_owned(), &self.0)
    }

    /// A variable of OTLP: that of a signal, else that of all, and whether it is the signal's own.
    fn otlp(&self, signal: Signal, name: &str) -> Option<(Var, bool)> {
        let own = self.var(&format!("OTEL_EXPORTER_OTLP_{}_{name}", NAMES[signal as usize]));
        own.map(|var| (var, true)).or_else(|| Some((self.var(&format!("OTEL_EXPORTER_OTLP_{name}"))?, false)))
    }

    fn attributes(&self) -> Result<Vec<(String, String)>, Error> {
        let var = self.var("OTEL_RESOURCE_ATTRIBUTES");
        Ok(var.map(|var| var.read(pairs)).transpose()?.unwrap_or_default())
    }

    /// Whatever the sampler, a remote parent's decision is followed.
    fn sample_rate(&self) -> Result<Option<f64>, Error> {
        let arg = self.var("OTEL_TRACES_SAMPLER_ARG");
        let Some(var) = self.var("OTEL_TRACES_SAMPLER") else {
            arg.iter().for_each(Var::say_without_effect);
            return Ok(None);
        };
        let fixed = var.one_of(&[
            ("always_on", Some(1.0)),
            ("always_off", Some(0.0)),
            ("traceidratio", None),
            ("parentbased_always_on", Some(1.0)),
            ("parentbased_always_off", Some(0.0)),
            ("parentbased_traceidratio", None),
        ])?;
        if fixed.is_some() {
            arg.iter().for_each(Var::say_without_effect);
            return Ok(fixed);
        }
        Ok(Some(arg.map_or(Ok(1.0), |arg| arg.share())?))
    }

    /// One URL for all signals that go to the same place in the same way.
    fn endpoints(&self) -> Result<Vec<String>, Error> {
        let mut all: Vec<(String, Vec<&str>)> = Vec::new();
        for signal in Signal::EACH {
            for which in self.exporters(signal)? {
                let url = match which {
                    Which::None => continue,
                    Which::Console => "console:?".to_owned(),
                    Which::Otlp => self.otlp_url(signal)?,
                    Which::Prometheus => self.prometheus_url()?,
                };
                match all.iter_mut().find(|(known, _)| *known == url) {
                    Some((_, signals)) => signals.push(signal.name()),
                    None => all.push((url, vec![signal.name()])),
                }
            }
        }
        let url = |(url, signals): (String, Vec<&str>)| match signals.len() {
            3 => url.trim_end_matches(['?', '&']).to_owned(),
            // It has no others.
            _ if url.starts_with("prometheus:") => url,
            _ => format!("{url}signals={}", signals.join(",")),
        };
        Ok(all.into_iter().map(url).collect())
    }

    /// Which exporters a signal has: none unless a variable names one, or an endpoint.
    fn exporters(&self, signal: Signal) -> Result<Vec<Which>, Error> {
        const WORDS: &[(&str, Which)] = &[
            ("otlp", Which::Otlp),
            ("console", Which::Console),
            ("none", Which::None),
            ("prometheus", Which::Prometheus),
        ];
        let words = if signal == Signal::Metrics { WORDS } else { &WORDS[..3] };
        if let Some(var) = self.var(&format!("OTEL_{}_EXPORTER", NAMES[signal as usize])) {
            return var.read(|text| text.split(',').map(|word| one_of(word.trim(), words)).collect());
        }
        Ok(self.otlp(signal, "ENDPOINT").map(|_| Which::Otlp).into_iter().collect())
    }

    /// Where the page is served that is scraped.
    fn prometheus_url(&self) -> Result<String, Error> {
        let host = self.var("OTEL_EXPORTER_PROMETHEUS_HOST").map_or(Ok("localhost".to_owned()), |var| {
            var.read(|text| {
                // An address of IPv6, which stands in brackets before a port.
                let is_bare = text.contains(':') && !text.starts_with('[');
                if text.contains(['/', '?', '#', '@', ',']) || text.contains(char::is_whitespace) {
                    return Err("a host or an address is needed".to_owned());
                }
                Ok(if is_bare { format!("[{text}]") } else { text.to_owned() })
            })
        })?;
        let port = self.var("OTEL_EXPORTER_PROMETHEUS_PORT").map_or(Ok(9464), |var| {
            var.read(|text| text.parse::<u16>().map_err(|_| "a number from 0 to 65535 is needed".to_owned()))
        })?;
        Ok(format!("prometheus://{host}:{port}"))
    }

    /// With a `?` or a `&` at its end.
    fn otlp_url(&self, signal: Signal) -> Result<String, Error> {
        let own = |name| self.otlp(signal, name).map(|(var, _)| var);
        const PROTOCOLS: &[(&str, Wire)] =
            &[("http/protobuf", Wire::Protobuf), ("http/json", Wire::Json), ("grpc", Wire::Grpc)];
        let wire = own("PROTOCOL").map_or(Ok(Wire::Protobuf), |var| var.one_of(PROTOCOLS))?;
        let is_secure = !own("INSECURE").is_some_and(|var| var.is_true());
        let (mut url, is_exact) = match (self.otlp(signal, "ENDPOINT"), wire) {
            (Some((var, _)), Wire::Grpc) => (var.read(|text| grpc_place(text, is_secure))?, false),
            (Some((var, is_own)), _) => (var.read(place)?, is_own),
            (None, Wire::Grpc) => ("otlp+grpc://localhost:4317".to_owned(), false),
            (None, _) => ("otlp+http://localhost:4318".to_owned(), false),
        };
        url.push('?');
        let mut add = |key: &str, value: &str| {
            url.extend([key, "=", &escape(value), "&"]);
        };
        if is_exact {
            add("exact", "true");
        }
        if wire == Wire::Json {
            add("protocol", "http/json");
        }
        if let Some(var) = own("HEADERS") {
            var.read(pairs)?.iter().for_each(|(name, value)| add("header", &format!("{name}:{value}")));
        }
        if let Some(var) = own("COMPRESSION") {
            add("compression", var.one_of(&[("gzip", "gzip"), ("none", "none")])?);
        }
        if let Some(var) = own("TIMEOUT") {
            add("timeout_ms", &var.millis()?.as_millis().to_string());
        }
        for (name, key) in [("CERTIFICATE", "ca"), ("CLIENT_CERTIFICATE", "cert"), ("CLIENT_KEY", "key")] {
            own(name).into_iter().for_each(|var| add(key, var.value.trim()));
        }
        if let Some(var) = self.var("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE") {
            use Temporality::{Cumulative, Delta};
            // Sums that are asked for cost no memory here that deltas of them would save.
            let which = var.one_of(&[("cumulative", Cumulative), ("delta", Delta), ("lowmemory", Delta)])?;
            add("temporality", which.name());
        }
        if let Some(var) = self.var("OTEL_METRIC_EXPORT_INTERVAL") {
            add("flush_interval_ms", &var.millis()?.as_millis().to_string());
        }
        let batches = ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"];
        if let Some(var) = batches.get(signal as usize).and_then(|name| self.var(name)) {
            add("max_items", &var.count()?.to_string());
        }
        Ok(url)
    }
}

/// `key=value,key=value`, with percent escapes in the values.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let pair = |pair: &str| {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| "`key=value,key=value` is needed".to_owned())?;
        let key = unescape(key.trim())?;
        if key.is_empty() { Err("a key is empty".to_owned()) } else { Ok((key, unescape(value.trim())?)) }
    };
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(pair).collect()
}

/// An endpoint as OpenTelemetry has it becomes one of ours, without options.
fn place(text: &str) -> Result<String, String> {
    if text.contains(['?', '#']) {
        return Err("it can't have a query".to_owned());
    }
    let parts = text.split_once("://").map(|(scheme, place)| (scheme.to_ascii_lowercase(), place));
    let (scheme, place) = parts
        .filter(|(scheme, _)| matches!(&**scheme, "http" | "https"))
        .ok_or_else(|| "`http://` or `https://` is needed".to_owned())?;
    // Without a port it is that of the scheme, which ours is not.
    let place = if scheme == "https" { place.to_owned() } else { with_port(place, 80) };
    // What means a variable or a file in ours is itself there.
    let place = match without_user(&place) {
        (Some(user), host) => format!("{}@{host}", user.replace('$', "%24").replace('@', "%40")),
        (None, _) => place,
    };
    Ok(format!("otlp+{scheme}://{place}"))
}

/// The same for gRPC, where there may be no scheme.
fn grpc_place(text: &str, is_secure: bool) -> Result<String, String> {
    let scheme = if is_secure { "https" } else { "http" };
    let url = if text.contains("://") { place(text) } else { place(&format!("{scheme}://{text}")) }?;
    Ok(url.replacen("otlp+http", "otlp+grpc", 1))
}

#[cfg(test)]
mod tests;
