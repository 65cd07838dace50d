//! The backends of data points: each has a file for what its URL says.

#[cfg(feature = "graphite")]
mod graphite;
#[cfg(feature = "influxdb")]
mod influxdb;
#[cfg(feature = "librato")]
mod librato;
#[cfg(feature = "opentsdb")]
mod opentsdb;
#[cfg(feature = "statsd")]
mod statsd;

use super::{Endpoint, Made};
use crate::exporters::Terms;

/// Of one of these schemes, with whatever transport.
#[cfg_attr(not(feature = "points"), allow(unused_variables, reason = "no such exporter is there"))]
pub(super) fn make(endpoint: Endpoint<'_>, terms: &Terms) -> Made {
    let scheme = endpoint.scheme.split('+').next().unwrap_or_default();
    match scheme {
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
        _ => Err(super::missing(scheme)),
    }
}
