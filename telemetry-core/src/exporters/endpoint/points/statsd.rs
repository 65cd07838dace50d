//! `statsd:`: what stands behind the colon and the options become an exporter.

use super::super::scheme::Scheme;
use super::super::{options, socket, tls};
use super::{Endpoint, Made};
use crate::exporters::Terms;

pub(in super::super) const SCHEME: Scheme = Scheme {
    names: &["statsd"],
    urls: &[("`statsd://HOST:8125`", "packets of StatsD (feature `statsd`)")],
    examples: &["statsd://localhost", "statsd+tls://localhost"],
    own: &[],
    shared: &[&options::ANY, &options::PUSHED, &socket::PACKETS, &tls::TABLE],
    text: "",
};

pub(super) fn make(endpoint: Endpoint<'_>, _: &Terms) -> Made {
    Err(crate::exporters::endpoint::plain(endpoint.scheme))
}
