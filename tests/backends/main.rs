//! The backends of data points: what is recorded is read back from real servers, with the same values. A server that is not
//! installed is left out, unless `TELEMETRY_REQUIRE_SERVERS` is 1.

mod graphite;
mod influxdb;
mod librato;
mod opentsdb;
mod read_back;
mod scenarios;
#[allow(dead_code, reason = "each backend needs some of it")]
mod servers;
mod statsd;
