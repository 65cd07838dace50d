//! The page at an address of its own: what the collector's server is told of it.

use std::sync::Arc;

use super::Prometheus;
use crate::exporters::route::Route;
use crate::exporters::server::{Content, Page, Place, Pulled};

/// Where Prometheus looks for it.
const DEFAULT: (u16, &str) = (9464, "/metrics");

impl Prometheus {
    /// The page as the collector's own server shows it, on a thread that does nothing else: at that host, port (9464 where none is
    /// said; 0 is any that is free, see [`Collector::served_at`](crate::Collector::served_at)) and path (`/metrics`). Whoever
    /// reaches the port may read the page, so it should be `localhost` unless a firewall stands before it. What is wrong with the
    /// address, or that the port is taken, fails the start.
    ///
    /// At most 64 connections are open at a time, a request has 16 KiB at most, and one who does not read its answer within 30 s
    /// is cut off.
    ///
    /// ```
    /// use telemetry_core::Collector;
    /// use telemetry_core::exporters::{Filter, Prometheus};
    ///
    /// let page = Prometheus::new().listen("localhost:0").only(Filter::new().names(["shop.*"]));
    /// let collector = Collector::builder().exporter(page).start()?;
    /// println!("metrics are at {}", collector.served_at()[0]);
    /// # Ok::<(), telemetry_core::Error>(())
    /// ```
    pub fn listen(self, address: impl Into<String>) -> Route {
        let address = address.into();
        let place = Self::place(&address).map_err(|reason| (address, reason));
        self.pulled(place)
    }

    /// What is missing is as Prometheus expects it.
    pub(in crate::exporters) fn place(text: &str) -> Result<Place, String> {
        Place::parse(text, DEFAULT)
    }

    pub(in crate::exporters) fn listen_at(self, place: Place) -> Route {
        self.pulled(Ok(place))
    }

    fn pulled(self, place: Result<Place, (String, String)>) -> Route {
        Route::pulled(Pulled { page: Arc::new(self.clone()), reader: Box::new(self), place })
    }
}

impl Page for Prometheus {
    fn title(&self) -> &str {
        "metrics, for Prometheus"
    }

    fn answer(&self, accept: &str, accept_encoding: &str) -> Content {
        let answer = self.respond(accept, accept_encoding);
        let (media_type, encoding) = (answer.content_type(), answer.content_encoding());
        Content { media_type, encoding, body: answer.into_body() }
    }
}
