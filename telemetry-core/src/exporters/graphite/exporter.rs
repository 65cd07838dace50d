//! The exporter itself: one attempt over a socket.

use bytes::Bytes;

use super::encode::{MAX_LINE, is_fit, put_batch};
use crate::exporters::protocol::{Encoded, Protocol, Sending};
use crate::exporters::socket::{Connection, Settings};
use crate::exporters::words::has_full_nodes;
use crate::exporters::{Batch, ExportError, Limits, Signal};
use crate::model::{Kind, Temporality};

/// Sends data points to whoever takes Graphite's.
pub(crate) struct Graphite {
    connection: Connection,
    /// With a dot at its end, unless it is empty.
    prefix: String,
    max_line: usize,
}

impl Graphite {
    /// Lines go there; `prefix` and a dot stand before all names, unless it is empty.
    pub(crate) fn new(settings: Settings, prefix: &str) -> Result<Self, String> {
        let connection = Connection::new(settings)?;
        let max_line = connection.max_packet().unwrap_or(MAX_LINE + 1);
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}.") };
        Ok(Self { connection, prefix, max_line })
    }
}

/// Whether it can stand before a name as it is.
pub(crate) fn is_prefix(text: &str) -> bool {
    !text.starts_with('~') && text.chars().all(is_fit) && has_full_nodes(text)
}

impl Protocol for Graphite {
    fn name(&self) -> &str {
        "graphite"
    }

    fn limits(&self) -> Limits {
        // Over one connection the last point of a second is the newest one. What is on its way when it breaks is sent again.
        Limits { items: usize::MAX, bytes: 256 << 10, in_flight: 1 }
    }

    fn wants(&self, signal: Signal) -> bool {
        signal == Signal::Metrics
    }

    fn temporality(&self, kind: Kind) -> Temporality {
        // Quantiles of all since the start soon say nothing of now.
        if kind == Kind::Histogram { Temporality::Delta } else { Temporality::Cumulative }
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        Ok(put_batch(body, batch, max_bytes, &self.prefix, self.max_line))
    }

    fn send(&self, _: Signal, body: Bytes) -> Sending<'_> {
        Box::pin(async move {
            self.connection.send(&body).await?;
            Ok(self.connection.delivery("Graphite"))
        })
    }

    fn check(&self) -> Sending<'_, ()> {
        Box::pin(self.connection.reach())
    }
}
