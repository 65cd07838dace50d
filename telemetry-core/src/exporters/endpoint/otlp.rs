//! `otlp:`: what stands behind the colon and the options become an exporter, over HTTP or gRPC.

use super::scheme::{Scheme, row};
use super::{Endpoint, Made, Transport, http, options, plain, tls};
use crate::exporters::otlp::{Encoding, Otlp};
use crate::exporters::words::one_of;
use crate::exporters::{Route, Signal, Terms};

pub(super) const SCHEME: Scheme = Scheme {
    names: &["otlp"],
    urls: &[
        (
            "`otlp://HOST:4318`, `otlp+https://HOST`",
            "OTLP over HTTP: spans, metrics, and events as log records (feature `otlp`); `otlp:` is `otlp://localhost:4318`",
        ),
        (
            "`otlp+grpc://HOST:4317`, `otlp+grpcs://HOST`",
            "OTLP over gRPC (feature `otlp-grpc`); `otlp+grpc:` is `otlp+grpc://localhost:4317`",
        ),
    ],
    examples: &["otlp://localhost:4318"],
    own: &[
        row(
            "protocol",
            "`http/protobuf`",
            "http/json",
            "over HTTP, bodies in `http/protobuf` or in `http/json`",
        ),
        row(
            "exact",
            "`false`",
            "true&signals=spans",
            "over HTTP, requests go to the URL itself, not to `v1/traces` and the like below it; it needs one signal (`signals=spans`)",
        ),
    ],
    shared: &[&options::ANY, &options::PUSHED, &options::ITEMS, &http::CLIENT, &http::BEARER, &tls::TABLE],
    text: "",
};

pub(super) fn make(mut endpoint: Endpoint<'_>, terms: &Terms) -> Made {
    let wanted = Signal::EACH.map(|signal| terms.filter.takes_signal(signal));
    let is_grpc = endpoint.scheme.contains("+grpc");
    #[cfg(not(feature = "otlp-grpc"))]
    if is_grpc {
        return Err(super::missing("otlp-grpc"));
    }
    let settings = endpoint.settings(TRANSPORTS).map_err(plain)?;
    #[cfg(feature = "otlp-grpc")]
    if is_grpc {
        endpoint.end()?;
        return Ok(Route::over(Otlp::over_grpc(settings, wanted).map_err(plain)?));
    }
    let exact = endpoint.options.flag("exact");
    let is_exact = exact.map_err(plain)?.unwrap_or(false);
    let encoding = endpoint.options.read("protocol", encoding).map_err(plain)?;
    endpoint.end()?;
    let otlp = Otlp::over_http(settings, encoding.unwrap_or_default(), is_exact, wanted);
    Ok(Route::over(otlp.map_err(plain)?))
}

pub(super) const TRANSPORTS: &[Transport] =
    &[("http", "http", 4318), ("https", "https", 4318), ("grpc", "http", 4317), ("grpcs", "https", 4317)];

const ENCODINGS: &[(&str, Encoding)] =
    &[("http/protobuf", Encoding::Protobuf), ("http/json", Encoding::Json)];

fn encoding(text: &str) -> Result<Encoding, String> {
    // OpenTelemetry's own variable has that word.
    if text.eq_ignore_ascii_case("grpc") {
        return Err("an endpoint over gRPC is `otlp+grpc:`".to_owned());
    }
    one_of(text, ENCODINGS)
}
