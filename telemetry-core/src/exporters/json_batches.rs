//! The exporters `http` and `https`: batches as JSON objects, posted to an endpoint that need know nothing of telemetry.
//!
//! Each request is one object, which [`from_url`](super::from_url) documents. What it answers is not looked at, but for its
//! status: any 2xx says that all was taken.

use bytes::Bytes;

use super::batch::Batch;
use super::error::{Delivery, ExportError};
use super::http::{Client, Settings};
use super::json::{Map, Tagged, put};
use super::limits::Limits;
use super::protocol::{Encoded, Protocol, Sending};
use super::signal::Signal;

/// Posts to one URL.
pub(crate) struct JsonBatches {
    client: Client,
}

impl JsonBatches {
    /// Requests go to the URL of these settings.
    pub(crate) fn new(mut settings: Settings) -> Result<Self, String> {
        // What is no receiver of OTLP answers 500 while it is overloaded or restarted.
        settings.retry_server_errors = true;
        Ok(Self { client: Client::new(settings)? })
    }
}

impl Protocol for JsonBatches {
    fn name(&self) -> &str {
        "http"
    }

    fn limits(&self) -> Limits {
        // What many servers take where nobody has told them otherwise.
        Limits { items: usize::MAX, bytes: 1 << 20, in_flight: 2 }
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        put_batch(body, batch, max_bytes)
            .map(Encoded::from)
            .map_err(|e| ExportError::never("an item can't be written as JSON").caused_by(e))
    }

    fn send(&self, _: Signal, body: Bytes) -> Sending<'_> {
        Box::pin(async move {
            self.client.post("", "application/json", body).await?;
            Ok(Delivery::all())
        })
    }

    /// A `HEAD`, as nobody knows what such an endpoint makes of a batch without items. What it answers says nothing of what it
    /// would answer to a batch, but that it is there.
    fn check(&self) -> Sending<'_, ()> {
        Box::pin(self.client.reach())
    }
}

/// Adds the object of as many of the first items as fit into so many bytes, but one at least, and says how many these are.
fn put_batch(body: &mut Vec<u8>, batch: &Batch, max_bytes: usize) -> serde_json::Result<usize> {
    const END: &[u8] = b"]}";
    let (start, resource) = (body.len(), batch.resource());
    body.extend_from_slice(b"{\"signal\":");
    put(body, batch.signal().name())?;
    body.extend_from_slice(b",\"resource\":");
    put(body, &Map(|| resource.attributes()))?;
    body.extend_from_slice(b",\"items\":[");
    let mut items = 0;
    for item in batch.items() {
        let before = body.len();
        if items > 0 {
            body.push(b',');
        }
        put(body, &Tagged(item, resource))?;
        if items > 0 && body.len() - start + END.len() > max_bytes {
            body.truncate(before);
            break;
        }
        items += 1;
    }
    body.extend_from_slice(END);
    Ok(items)
}

#[cfg(test)]
mod tests;
