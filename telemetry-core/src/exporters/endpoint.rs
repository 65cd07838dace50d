//! `export_endpoints`: a URL goes in, an exporter with the terms of its route comes out.

mod escape;
mod home;
#[cfg(feature = "http")]
mod http;
mod list;
mod options;
mod place;
mod points;
#[cfg(feature = "prometheus")]
mod prometheus;

use std::error::Error as StdError;
#[cfg(feature = "file")]
use std::{ffi::OsString, path::PathBuf};

#[cfg(feature = "file")]
use self::home::at_home;
use self::list::SCHEMES;
use self::options::Options;
#[cfg(feature = "otlp")]
use super::Signal;
use super::error::EndpointError;
#[cfg(feature = "file")]
use super::file::Format;
#[cfg(feature = "otlp")]
use super::otlp::Encoding;
use super::redaction::{HIDDEN, redacted};
use super::route::{Route, Terms};
#[cfg(any(feature = "console", feature = "file", feature = "otlp"))]
use super::words::one_of;

pub(crate) use self::escape::{escape, unescape};
pub(crate) use self::list::split_urls;
pub(crate) use self::place::{with_port, without_user};

/// What stands behind the `+` of a scheme, the scheme of HTTP that it is, and the port on this machine, which is that of every
/// other one too where there is no TLS.
type Transport = (&'static str, &'static str, u16);

const HTTP: Transport = ("http", "http", 80);
const HTTPS: Transport = ("https", "https", 443);

/// The parts of an endpoint: `scheme:rest?options`.
#[derive(Debug)]
struct Endpoint<'a> {
    scheme: String,
    rest: &'a str,
    options: Options<'a>,
}

impl<'a> Endpoint<'a> {
    fn parse(url: &'a str) -> Result<Self, String> {
        let missing = || {
            let is_scheme = SCHEMES.contains(&url.to_ascii_lowercase().as_str());
            if is_scheme {
                "a colon is missing at its end".to_owned()
            } else {
                format!("a scheme is missing; {KNOWN}")
            }
        };
        // What stands before the colon may be a user, where there is no scheme.
        let has_scheme = !redacted(url).starts_with(HIDDEN);
        let (scheme, rest) = url.split_once(':').filter(|_| has_scheme).ok_or_else(missing)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        Ok(Self { scheme: scheme.to_ascii_lowercase(), rest, options: Options::parse(query)? })
    }

    /// Where it leads to, without secrets; its terms were taken.
    fn destination(&self) -> String {
        let mut url = format!("{}:{}", self.scheme, self.rest);
        for (i, (key, value)) in self.options.of_place().enumerate() {
            url.push(if i == 0 { '?' } else { '&' });
            url.extend([key, "=", value]);
        }
        redacted(&url)
    }

    fn end(&self) -> Result<(), (String, Cause)> {
        self.options.end(&self.scheme).map_err(plain)
    }
}

const KNOWN: &str = "known are `chrome-trace:FILE`, `console:`, `console:stderr`, `discard:`, `file:DIR`, `graphite://HOST`, \
                     `http://HOST`, `https://HOST`, `influxdb://HOST`, `librato://HOST`, `opentsdb://HOST`, `otlp://HOST`, \
                     `prometheus://HOST`, `statsd://HOST`";

type Cause = Option<Box<dyn StdError + Send + Sync>>;

/// What was made, or a reason with its cause.
type Made = Result<Route, (String, Cause)>;

fn plain(reason: impl Into<String>) -> (String, Cause) {
    (reason.into(), None)
}

/// Makes the exporter that a URL names. What it needs from the outside (a directory that can be written to)
/// is tried at once.
///
/// | URL | exporter |
/// | --- | --- |
/// | `console:`, `console:stderr` | [`Console`](super::Console): a line for each item as it happens; with `view=tree` spans and their events as a tree when their trace ends |
/// | `file:DIR?rotate_bytes=67108864&keep=4` | [`File`](super::File); with `format=otlp` (feature `otlp`) in OTLP's file format, in files beside those of `format=json` |
/// | `chrome-trace:FILE?rotate_bytes=67108864&keep=4` | [`ChromeTrace`](super::ChromeTrace), which Perfetto and speedscope open; with `args=false` spans have no `args` (feature `chrome-trace`) |
/// | `otlp://HOST:4318`, `otlp+https://HOST` | OTLP over HTTP: spans, metrics, and events as log records; `otlp:` is `otlp://localhost:4318` |
/// | `otlp+grpc://HOST:4317`, `otlp+grpcs://HOST` | OTLP over gRPC (feature `otlp-grpc`); `otlp+grpc:` is `otlp+grpc://localhost:4317` |
/// | `http://HOST:80/PATH`, `https://HOST/PATH` | batches as JSON, posted to any endpoint (feature `http-exporter`) |
/// | `prometheus://HOST:9464/metrics` | a page of all metrics for Prometheus and whoever else scrapes (feature `prometheus`); `prometheus:` is `prometheus://localhost:9464/metrics` |
/// | `discard:` | [`Discard`](super::Discard) |
///
/// `otlp` over HTTP takes these options:
///
/// | option | what |
/// | --- | --- |
/// | `protocol=http/json` | bodies in `http/protobuf` (where nothing is said) or in `http/json` |
/// | `exact=true` | requests go to the URL itself, not to `v1/traces` and the like below it; it needs one signal (`signals=spans`) |
///
/// What `http` and `https` post is one JSON object a request, of about 1 MiB at most:
///
/// ```json
/// {"signal": "spans", "resource": {"service.name": "shop", "process.pid": 7}, "items": [{"name": "pay"}]}
/// ```
///
/// | name | what |
/// | --- | --- |
/// | `signal` | `spans`, `events` or `metrics` |
/// | `resource` | the attributes of the resource: the global tags, and what was found out about where the program runs |
/// | `items` | one at least, as [`File`](super::File) documents them: what it writes into a line is an item here |
///
/// Any 2xx says that all items were taken. What is tried again (408, 429 and 5xx but 501 and 505, after `Retry-After`; 413 in
/// smaller pieces) may arrive twice where an answer is lost. The check at the start is a `HEAD`: any answer is good. The URL can't
/// have a query of its own.
///
/// Endpoints over HTTP and gRPC take these options:
///
/// | option | what |
/// | --- | --- |
/// | `compression=gzip` | `none` (where nothing is said), `gzip`, `zstd` (feature `zstd`) |
/// | `header=Name:value` | a header of each request; more than once too |
/// | `token=TEXT` | `Authorization: Bearer TEXT`; a user and a password in the URL are basic authentication |
/// | `ca=FILE` | certificates that are trusted beside those of the system (PEM) |
/// | `cert=FILE&key=FILE` | the client's own certificate and its key (PEM) |
///
/// In place of a password, a token or a header's value, `$NAME` is the variable of that name and `@FILE` what stands in that file; a
/// file with a password or a token is read again for each request; a variable that is not set or empty and a file that is not there
/// are refused. A secret that begins with one of the two signs has `%24` or `%40` in its place; before a host a slash in a path is
/// written `%2F`. No secret is ever printed; the path of its file is.
///
/// `prometheus` listens at that address: only this machine reaches `localhost`, and `0.0.0.0` is every address. With port 0 the
/// system picks one, which is said on standard error and by [`Collector::served_at`](crate::Collector::served_at). Two endpoints
/// may differ in their paths alone. It takes these options:
///
/// | option | what, and where it is said in code |
/// | --- | --- |
/// | `translation=no_translation` | `underscore_escaping_with_suffixes` (where nothing is said), `underscore_escaping_without_suffixes`, `no_utf8_escaping_with_suffixes`, `no_translation`: `Prometheus::translation` |
/// | `scope_labels=false` | `Prometheus::without_scope_labels` |
/// | `target_info=false` | `Prometheus::without_target_info` |
/// | `created=false` | `Prometheus::without_created` |
/// | `max_bytes=67108864` | `Prometheus::max_bytes` |
/// | `resource_labels=service.*` | `Prometheus::resource_labels` |
///
/// Of the next ones it takes `min_level`, `levels`, `names`, `tags`, `tag` and `host_tag`: it is asked for metrics, and nothing is
/// sent. What `tag` and `host_tag` add is on `target_info`, and on each series that `resource_labels` puts it on.
///
/// Every endpoint takes these options too:
///
/// | option | what, and where it is said in code |
/// | --- | --- |
/// | `min_level=warn` | this level and more severe: [`Filter::min_level`](super::Filter::min_level) |
/// | `levels=info,warn` | these levels: [`Filter::levels`](super::Filter::levels) |
/// | `signals=spans,metrics` | these signals: [`Filter::signals`](super::Filter::signals) |
/// | `names=shop.*,http.*` | names like these: [`Filter::names`](super::Filter::names) |
/// | `tags=env:prod*` | only what has these tags: [`Filter::tag`](super::Filter::tag) |
/// | `tag=env:prod` | adds this tag to all: [`Route::tag`]; a list too, and more than once |
/// | `rate=100` | items a second: [`Route::rate_limit`] |
/// | `in_flight=4`, `timeout_ms=10000` | requests over a network: [`Route::in_flight`], [`Route::timeout`] |
/// | `max_items=512` | of one request: [`Route::max_items`] |
/// | `give_up_after_ms=300000` | [`Route::give_up_after`] |
/// | `linger_ms=50` | [`Route::linger`] |
/// | `flush_interval_ms=60000` | metrics that often: [`Route::flush_interval`] |
/// | `back_pressure_ms=1000` | [`Route::back_pressure`] |
/// | `spool=DIR` | what can't be delivered is stored in that directory: [`Route::spool`]; only over a network |
/// | `spool_mode=always` | `off`, `on_failure` (where nothing is said), `always`: [`Route::spool_mode`] |
/// | `spool_bytes=268435456`, `spool_age_ms=604800000` | how much is stored, and for how long: [`Route::spool_bytes`], [`Route::spool_age`] |
/// | `host_tag=auto`, `host_tag=NAME`, `host_tag=off` | [`Route::host_tag`]; a name nearly like one of the words is refused (`tag=host:NAME` takes any) |
/// | `temporality=delta` | [`Route::temporality`] |
///
/// Words may be in upper case. In directories and lists `%` begins an escape: `%2C` is a comma, `%3F` a question mark, `%20` a
/// space. A directory that begins with `~/` is in the home directory (`HOME`).
pub fn from_url(url: &str) -> Result<Route, EndpointError> {
    let url = url.trim();
    route(url).map_err(|(reason, source)| EndpointError::new(url, reason, source))
}

fn route(url: &str) -> Made {
    let mut endpoint = Endpoint::parse(url).map_err(plain)?;
    let terms = match &*endpoint.scheme {
        "prometheus" => endpoint.options.terms_of_any(),
        _ => endpoint.options.terms(),
    };
    let mut terms = terms.map_err(plain)?;
    terms.destination = Some(endpoint.destination());
    let route = make(endpoint, &terms)?;
    Ok(Route { terms, ..route })
}

fn make(endpoint: Endpoint<'_>, terms: &Terms) -> Made {
    match endpoint.scheme.split('+').next().unwrap_or_default() {
        "otlp" => otlp(endpoint, terms),
        "graphite" | "influxdb" | "librato" | "opentsdb" | "statsd" => points::make(endpoint, terms),
        _ if endpoint.scheme.contains('+') => {
            Err(plain(format!("`{}` is no known scheme; {KNOWN}", endpoint.scheme)))
        }
        "discard" if !matches!(endpoint.rest, "" | "//") => Err(plain("nothing may stand behind `discard:`")),
        "discard" => {
            endpoint.end()?;
            Ok(super::Discard::new().into())
        }
        "console" => console(endpoint),
        "file" => file(endpoint),
        "chrome-trace" => chrome_trace(endpoint),
        "prometheus" => prometheus(endpoint),
        "http" => posts(endpoint, HTTP),
        "https" => posts(endpoint, HTTPS),
        other => Err(plain(format!("`{other}` is no known scheme; {KNOWN}"))),
    }
}

#[cfg(feature = "console")]
fn console(mut endpoint: Endpoint<'_>) -> Made {
    use super::{Console, Stream};
    let is_tree = endpoint.options.read("view", |text| one_of(text, &[("lines", false), ("tree", true)]));
    let is_tree = is_tree.map_err(plain)?.unwrap_or(false);
    endpoint.end()?;
    let stream = match endpoint.rest.to_ascii_lowercase().as_str() {
        "" | "//" | "stdout" => Stream::Stdout,
        "stderr" => Stream::Stderr,
        _ => {
            let shown = redacted(&format!("console:{}", endpoint.rest));
            let shown = shown.strip_prefix("console:").unwrap_or(&shown);
            return Err(plain(format!("`{shown}` is neither `stdout` nor `stderr`")));
        }
    };
    let console = Console::new(stream);
    Ok(if is_tree { console.tree() } else { console }.into())
}

#[cfg(not(feature = "console"))]
fn console(_: Endpoint<'_>) -> Made {
    Err(missing("console"))
}

#[cfg(feature = "file")]
fn file(mut endpoint: Endpoint<'_>) -> Made {
    let directory = directory(endpoint.rest, std::env::var_os("HOME")).map_err(plain)?;
    let bytes = endpoint.options.number("rotate_bytes").map_err(plain)?;
    let keep = endpoint.options.number("keep").map_err(plain)?;
    let is_otlp = endpoint.options.read("format", |text| one_of(text, &[("json", false), ("otlp", true)]));
    let is_otlp = is_otlp.map_err(plain)?.unwrap_or(false);
    endpoint.end()?;
    let otlp = || Format::otlp().ok_or_else(|| missing("otlp"));
    let format = if is_otlp { otlp()? } else { Format::JSON };
    // The URL names it already, but where it has escapes.
    let named = Some(&*directory).filter(|path| !endpoint.rest.ends_with(&*path.to_string_lossy()));
    let mut file = super::File::open(&directory, format)
        .map_err(|e| (super::File::refusal(named, &e), Some(e.into())))?;
    if let Some(bytes) = bytes {
        file = file.rotate_bytes(bytes);
    }
    if let Some(keep) = keep {
        file = file.keep(usize::try_from(keep).unwrap_or(usize::MAX));
    }
    Ok(file.into())
}

#[cfg(not(feature = "file"))]
fn file(_: Endpoint<'_>) -> Made {
    Err(missing("file"))
}

#[cfg(feature = "chrome-trace")]
fn chrome_trace(mut endpoint: Endpoint<'_>) -> Made {
    let home = std::env::var_os("HOME");
    let path = path(endpoint.rest, home, ("chrome-trace:FILE", "a file")).map_err(plain)?;
    let bytes = endpoint.options.number("rotate_bytes").map_err(plain)?;
    let keep = endpoint.options.number("keep").map_err(plain)?;
    let args = endpoint.options.read("args", |text| one_of(text, &[("true", true), ("false", false)]));
    let has_args = args.map_err(plain)?.unwrap_or(true);
    endpoint.end()?;
    // The URL names it already, but where it has escapes.
    let named = Some(&*path).filter(|path| !endpoint.rest.ends_with(&*path.to_string_lossy()));
    let mut trace = super::ChromeTrace::open(&path)
        .map_err(|e| (super::ChromeTrace::refusal(named, &e), Some(e.into())))?;
    if !has_args {
        trace = trace.without_args();
    }
    if let Some(bytes) = bytes {
        trace = trace.rotate_bytes(bytes);
    }
    if let Some(keep) = keep {
        trace = trace.keep(usize::try_from(keep).unwrap_or(usize::MAX));
    }
    Ok(trace.into())
}

#[cfg(not(feature = "chrome-trace"))]
fn chrome_trace(_: Endpoint<'_>) -> Made {
    Err(missing("chrome-trace"))
}

#[cfg(feature = "otlp")]
fn otlp(mut endpoint: Endpoint<'_>, terms: &Terms) -> Made {
    use super::otlp::Otlp;
    let wanted = Signal::EACH.map(|signal| terms.filter.takes_signal(signal));
    let is_grpc = endpoint.scheme.contains("+grpc");
    #[cfg(not(feature = "otlp-grpc"))]
    if is_grpc {
        return Err(missing("otlp-grpc"));
    }
    let settings = endpoint.settings(OTLP_TRANSPORTS).map_err(plain)?;
    #[cfg(feature = "otlp-grpc")]
    if is_grpc {
        endpoint.end()?;
        return Ok(Route::over(Otlp::over_grpc(settings, wanted).map_err(plain)?));
    }
    let exact = endpoint.options.read("exact", |text| one_of(text, &[("true", true), ("false", false)]));
    let is_exact = exact.map_err(plain)?.unwrap_or(false);
    let encoding = endpoint.options.read("protocol", |text| one_of(text, ENCODINGS)).map_err(plain)?;
    endpoint.end()?;
    let otlp = Otlp::over_http(settings, encoding.unwrap_or_default(), is_exact, wanted);
    Ok(Route::over(otlp.map_err(plain)?))
}

#[cfg(feature = "otlp")]
const OTLP_TRANSPORTS: &[Transport] =
    &[("http", "http", 4318), ("https", "https", 4318), ("grpc", "http", 4317), ("grpcs", "https", 4317)];

#[cfg(feature = "otlp")]
const ENCODINGS: &[(&str, Encoding)] =
    &[("http/protobuf", Encoding::Protobuf), ("http/json", Encoding::Json)];

#[cfg(not(feature = "otlp"))]
fn otlp(_: Endpoint<'_>, _: &Terms) -> Made {
    Err(missing("otlp"))
}

#[cfg(feature = "http")]
fn posts(mut endpoint: Endpoint<'_>, transport: Transport) -> Made {
    if matches!(endpoint.rest, "" | "//") {
        return Err(plain("`//` and a host are needed behind the colon"));
    }
    let settings = endpoint.settings(&[transport]).map_err(plain)?;
    endpoint.end()?;
    Ok(Route::over(super::json_batches::JsonBatches::new(settings).map_err(plain)?))
}

#[cfg(not(feature = "http"))]
fn posts(_: Endpoint<'_>, _: Transport) -> Made {
    // There, `http` is the trace context in headers.
    Err(missing("http-exporter"))
}

#[cfg(feature = "prometheus")]
fn prometheus(mut endpoint: Endpoint<'_>) -> Made {
    let (page, place) = endpoint.page().map_err(plain)?;
    endpoint.end()?;
    Ok(page.listen_at(place))
}

#[cfg(not(feature = "prometheus"))]
fn prometheus(_: Endpoint<'_>) -> Made {
    Err(missing("prometheus"))
}

/// A feature is not there; the line that adds it.
fn missing(feature: &str) -> (String, Cause) {
    plain(format!(
        "it needs the feature `{feature}`: in Cargo.toml, `telemetry-layer = {{ version = \"{}\", features = [\"{feature}\"] }}`",
        env!("CARGO_PKG_VERSION")
    ))
}

/// What stands behind `file:`, without escapes and with the home directory in place of `~`.
#[cfg(feature = "file")]
fn directory(rest: &str, home: Option<OsString>) -> Result<PathBuf, String> {
    path(rest, home, ("file:DIR", "a directory"))
}

/// The same behind any scheme; how it is written, and what it is.
#[cfg(feature = "file")]
fn path(rest: &str, home: Option<OsString>, (url, what): (&str, &str)) -> Result<PathBuf, String> {
    let path = match rest.strip_prefix("//") {
        Some(path) if !path.starts_with('/') => {
            let (scheme, place) = url.split_once(':').unwrap_or((url, ""));
            return Err(format!(
                "behind `{scheme}://` stands a host; write `{url}` or `{scheme}:///{place}`"
            ));
        }
        Some(path) => path,
        None => rest,
    };
    if path.is_empty() {
        return Err(format!("{what} is missing behind the colon"));
    }
    at_home(path, home)
}

#[cfg(all(test, feature = "console", feature = "file"))]
mod tests;
