//! Texts for settings: URLs and the values of variables, with words among them that mean something there.

use arbitrary::Arbitrary;

/// What must never be printed.
pub const SECRET: &str = "pA55w0rd";

/// A text of parts.
#[derive(Arbitrary, Clone, Debug)]
pub struct Parts<'a>(Vec<Part<'a>>);

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Part<'a> {
    Known(u8),
    Text(&'a str),
}

const KNOWN: &[&str] = &[
    "otlp:",
    "otlp://",
    "otlp+http://",
    "otlp+https://",
    "console:",
    "stderr",
    "stdout",
    "discard:",
    "http://",
    "https://",
    "kafka://",
    "librato://",
    "librato+http://",
    "OTLP",
    "localhost",
    "127.0.0.1",
    "[::1]",
    ":4318",
    "/",
    "/v1/traces",
    "?",
    "&",
    "=",
    ",",
    ":",
    "@",
    "#",
    "%",
    "%2C",
    "%25",
    "$",
    "+",
    " ",
    "*",
    "..",
    "me:",
    "min_level=",
    "levels=",
    "signals=",
    "names=",
    "tags=",
    "tag=",
    "rate=",
    "in_flight=",
    "max_items=",
    "timeout_ms=",
    "give_up_after_ms=",
    "linger_ms=",
    "view=",
    "flush_interval_ms=",
    "back_pressure_ms=",
    "host_tag=",
    "temporality=",
    "exact=",
    "compression=",
    "header=",
    "token=",
    "source_tag=",
    "name_tags=",
    "quantiles=",
    "true",
    "false",
    "none",
    "gzip",
    "zstd",
    "otlp",
    "http/protobuf",
    "grpc",
    "info",
    "warn",
    "spans",
    "events",
    "metrics",
    "auto",
    "off",
    "delta",
    "cumulative",
    "lowmemory",
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_traceidratio",
    "service.name=",
    "env:prod",
    "1",
    "0",
    "0.5",
    "-1",
    "1e999",
    "18446744073709551616",
];

impl Parts<'_> {
    /// The text.
    pub fn text(&self) -> String {
        let part = |part: &Part<'_>| match *part {
            Part::Known(number) => KNOWN[usize::from(number) % KNOWN.len()].to_owned(),
            Part::Text(text) => text.to_owned(),
        };
        self.0.iter().map(part).collect()
    }
}

/// Whether an exporter of that URL would read or write a file; with TLS, these are the certificates of the system.
pub fn needs_files(url: &str) -> bool {
    let url = url.trim();
    let scheme = url.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let is_of_files =
        matches!(&*scheme, "chrome-trace" | "file") || scheme.starts_with("otlp+") && scheme.ends_with('s');
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let names_one = |option: &str| match option.split_once('=') {
        Some(("ca" | "cert" | "key", _)) => true,
        Some(("header" | "token", value)) => value.contains('@'),
        _ => false,
    };
    is_of_files || query.split('&').any(names_one)
}
