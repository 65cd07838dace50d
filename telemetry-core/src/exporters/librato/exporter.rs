//! The exporter `librato`: `POST /v1/metrics`.

use bytes::Bytes;

use super::Writer;
use crate::exporters::http::{Client, Settings};
use crate::exporters::protocol::{Encoded, Protocol, Sending};
use crate::exporters::{Batch, Delivery, ExportError, Limits, Signal};
use crate::model::{Kind, Temporality};

/// Sends to one account.
pub(crate) struct Librato {
    client: Client,
    writer: Writer,
}

impl Librato {
    /// Requests go to `v1/metrics` below the URL of these settings.
    pub(crate) fn new(mut settings: Settings, writer: Writer) -> Result<Self, String> {
        settings.retry_server_errors = true;
        Ok(Self { client: Client::new(settings)?, writer })
    }
}

impl Protocol for Librato {
    fn name(&self) -> &str {
        "librato"
    }

    fn limits(&self) -> Limits {
        // What is taken at once; a request of 300 measurements never has as many.
        Limits { items: usize::MAX, bytes: 4 << 20, in_flight: 2 }
    }

    fn wants(&self, signal: Signal) -> bool {
        signal == Signal::Metrics
    }

    fn temporality(&self, kind: Kind) -> Temporality {
        match kind {
            Kind::Counter | Kind::Histogram => Temporality::Delta,
            _ => Temporality::Cumulative,
        }
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        Ok(self.writer.write(batch, max_bytes, body))
    }

    fn send(&self, _: Signal, body: Bytes) -> Sending<'_> {
        Box::pin(async move {
            self.client.post("v1/metrics", "application/json", body).await?;
            Ok(Delivery::all())
        })
    }

    /// Whether somebody is there: a request without measurements would be refused.
    fn check(&self) -> Sending<'_, ()> {
        Box::pin(self.client.reach())
    }
}
