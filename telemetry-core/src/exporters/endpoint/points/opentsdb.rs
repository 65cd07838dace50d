//! `opentsdb:`: what stands behind the colon and the options become an exporter.

use super::super::scheme::Scheme;
use super::super::{http, options, tls};
use super::{Endpoint, Made};
use crate::exporters::Terms;

pub(in super::super) const SCHEME: Scheme = Scheme {
    names: &["opentsdb"],
    urls: &[("`opentsdb://HOST:4242`", "OpenTSDB (feature `opentsdb`)")],
    examples: &["opentsdb://localhost", "opentsdb+tls://localhost", "opentsdb+http://localhost"],
    own: &[],
    shared: &[&options::ANY, &options::PUSHED, &http::CLIENT, &tls::TABLE],
    text: "",
};

pub(super) fn make(endpoint: Endpoint<'_>, _: &Terms) -> Made {
    Err(crate::exporters::endpoint::plain(endpoint.scheme))
}
