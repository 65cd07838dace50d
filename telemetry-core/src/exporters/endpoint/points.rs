//! The backends of data points: each has a file for what its URL says.

#[cfg(feature = "graphite")]
pub(super) mod graphite;
#[cfg(feature = "influxdb")]
pub(super) mod influxdb;
#[cfg(feature = "librato")]
pub(super) mod librato;
#[cfg(feature = "opentsdb")]
pub(super) mod opentsdb;
#[cfg(feature = "statsd")]
pub(super) mod statsd;

use super::{Endpoint, Made};
use crate::exporters::Terms;

/// Of one of these schemes, with whatever transport.
#[cfg_attr(
    not(any(
        feature = "graphite",
        feature = "influxdb",
        feature = "librato",
        feature = "opentsdb",
        feature = "statsd"
    )),
    allow(unused_variables, clippy::needless_pass_by_value, reason = "no such exporter is there")
)]
pub(super) fn make(endpoint: Endpoint<'_>, terms: &Terms) -> Made {
    match endpoint.name() {
        #[cfg(feature = "graphite")]
        "graphite" => graphite::make(endpoint, terms),
        #[cfg(feature = "influxdb")]
        "influxdb" => influxdb::make(endpoint, terms),
        #[cfg(feature = "librato")]
        "librato" => librato::make(endpoint, terms),
        #[cfg(feature = "opentsdb")]
        "opentsdb" => opentsdb::make(endpoint, terms),
        #[cfg(feature = "statsd")]
        "statsd" => statsd::make(endpoint, terms),
        scheme => Err(super::missing(scheme)),
    }
}
