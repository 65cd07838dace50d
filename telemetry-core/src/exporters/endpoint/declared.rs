//! All schemes that there are, with what is declared of each.

use super::options;
use super::scheme::{Row, Scheme};

/// All schemes whose features are on, in the order in which they are documented.
pub(super) const SCHEMES: &[&Scheme] = &[
    #[cfg(feature = "console")]
    &super::console::SCHEME,
    #[cfg(feature = "file")]
    &super::file::FILE,
    #[cfg(feature = "chrome-trace")]
    &super::file::CHROME_TRACE,
    #[cfg(feature = "otlp")]
    &super::otlp::SCHEME,
    #[cfg(feature = "http")]
    &super::http::SCHEME,
    #[cfg(feature = "prometheus")]
    &super::prometheus::SCHEME,
    #[cfg(feature = "influxdb")]
    &super::points::influxdb::SCHEME,
    #[cfg(feature = "opentsdb")]
    &super::points::opentsdb::SCHEME,
    #[cfg(feature = "graphite")]
    &super::points::graphite::SCHEME,
    #[cfg(feature = "statsd")]
    &super::points::statsd::SCHEME,
    #[cfg(feature = "librato")]
    &super::points::librato::SCHEME,
    &DISCARD,
];

const DISCARD: Scheme = Scheme {
    names: &["discard"],
    urls: &[("`discard:`", "[`Discard`](super::Discard)")],
    examples: &["discard:"],
    own: &[],
    shared: &[&options::ANY, &options::PUSHED, &options::ITEMS],
    text: "",
};

/// All options of an endpoint.
pub(super) fn options_of(name: &str) -> Vec<&'static Row> {
    // One that is not there is refused later, whatever its options are.
    let scheme = SCHEMES.iter().find(|scheme| scheme.names.contains(&name)).copied().unwrap_or(&DISCARD);
    scheme.own.iter().chain(scheme.shared.iter().flat_map(|table| table.rows)).collect()
}
