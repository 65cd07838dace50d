//! The exporter `statsd`: lines over UDP, TCP, TLS or a Unix socket.

use bytes::Bytes;

use super::{Dialect, Form, Writer};
use crate::exporters::protocol::{Encoded, Protocol, Sending};
use crate::exporters::socket::{Connection, packets};
use crate::exporters::{Batch, Delivery, ExportError, Limits, Signal};
use crate::model::{Kind, Temporality};

/// Sends to one server.
pub(crate) struct Statsd {
    writer: Writer,
    connection: Connection,
    /// On a stream, each packet has its length before it.
    is_framed: bool,
}

/// Of a packet with its length before it: what Datadog's agent reads (`dogstatsd_buffer_size`).
const MAX_FRAME: usize = 8 << 10;

/// Of a request on a stream, which is sent again as a whole when the connection breaks; more than any packet has.
const MAX_REQUEST: usize = 256 << 10;

impl Statsd {
    /// Lines of that form go over that connection. Framed, each packet has its length before it, in 4 bytes (little-endian), as
    /// Datadog's agent reads a stream.
    pub(crate) fn new(form: Form, connection: Connection, is_framed: bool) -> Self {
        let max_packet = if is_framed { Some(MAX_FRAME) } else { connection.max_packet() };
        Self { writer: Writer::new(form, max_packet), connection, is_framed }
    }

    async fn post(&self, body: &[u8]) -> Result<Delivery, ExportError> {
        if self.is_framed {
            self.connection.send(&framed(body)).await?;
        } else {
            self.connection.send(body).await?;
        }
        Ok(self.connection.delivery("StatsD"))
    }
}

/// All packets of a body, each with its length before it.
fn framed(body: &[u8]) -> Vec<u8> {
    let mut frames = Vec::with_capacity(body.len() + size_of::<u32>());
    for packet in packets(body, MAX_FRAME) {
        frames.extend_from_slice(&(packet.len() as u32).to_le_bytes());
        frames.extend_from_slice(packet);
    }
    frames
}

impl Protocol for Statsd {
    fn name(&self) -> &str {
        "statsd"
    }

    fn format(&self) -> &str {
        match self.writer.dialect() {
            Dialect::Plain => "statsd",
            Dialect::Datadog => "statsd-datadog",
            Dialect::Graphite => "statsd-graphite",
        }
    }

    /// A request is a packet, whatever fits into that many bytes. One after the other, as the last gauge wins.
    fn limits(&self) -> Limits {
        Limits { items: usize::MAX, bytes: MAX_REQUEST, in_flight: 1 }
    }

    fn wants(&self, signal: Signal) -> bool {
        signal == Signal::Metrics
    }

    fn temporality(&self, kind: Kind) -> Temporality {
        match kind {
            Kind::Counter | Kind::Histogram => Temporality::Delta,
            // A gauge there.
            _ => Temporality::Cumulative,
        }
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        Ok(self.writer.write(batch, max_bytes, body))
    }

    fn send(&self, _: Signal, body: Bytes) -> Sending<'_> {
        Box::pin(async move { self.post(&body).await })
    }

    fn check(&self) -> Sending<'_, ()> {
        Box::pin(self.connection.reach())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_has_its_length_before_it() {
        assert_eq!(framed(b"a:1|c\nb:2|c\n"), b"\x0c\0\0\0a:1|c\nb:2|c\n");
        let line = [b"x".repeat(5_000), b"\n".to_vec()].concat();
        let frames = framed(&[&line[..], &line].concat());
        let one = [&5_001_u32.to_le_bytes(), &*line].concat();
        assert_eq!(frames, [&one[..], &one].concat());
    }
}
