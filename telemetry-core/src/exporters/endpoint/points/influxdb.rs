//! `influxdb:`: what stands behind the colon and the options become an exporter.

use super::{Endpoint, Made};
use crate::exporters::Terms;

pub(super) fn make(endpoint: Endpoint<'_>, _: &Terms) -> Made {
    Err(crate::exporters::endpoint::plain(endpoint.scheme))
}
