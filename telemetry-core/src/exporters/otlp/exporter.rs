//! The exporter `otlp`: OTLP over HTTP, with bodies in protobuf or in JSON, or over gRPC.
//!
//! Source: opentelemetry-proto 1.11, "OTLP/HTTP" and "OTLP/gRPC".

use bytes::Bytes;

use super::{Answer, Malformed, Writer, put_json};
#[cfg(feature = "otlp-grpc")]
use crate::exporters::http::grpc;
use crate::exporters::http::{Client, Settings};
use crate::exporters::protocol::{Encoded, Protocol, Sending};
use crate::exporters::{Batch, Delivery, ExportError, Limits, Signal};

/// How bodies are written over HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    #[default]
    Protobuf,
    Json,
}

/// Sends to a receiver of OTLP.
pub(crate) struct Otlp {
    receiver: Receiver,
    writer: Writer,
    /// By signal, whether it is sent.
    wanted: [bool; 3],
}

/// How it is spoken to.
#[cfg_attr(feature = "otlp-grpc", expect(clippy::large_enum_variant, reason = "there is one of an exporter"))]
enum Receiver {
    /// Each signal has a path below the client's URL.
    Http { client: Client, encoding: Encoding, paths: [&'static str; 3] },
    #[cfg(feature = "otlp-grpc")]
    Grpc(grpc::Client),
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

const PATHS: [&str; 3] = ["v1/traces", "v1/logs", "v1/metrics"];
#[cfg(feature = "otlp-grpc")]
const METHODS: [&str; 3] = [
    "opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
];

impl Otlp {
    /// Requests go to paths below the URL of these settings, for the signals that are wanted; of one signal, they may go
    /// exactly there.
    pub(crate) fn over_http(
        settings: Settings,
        encoding: Encoding,
        is_exact: bool,
        wanted: [bool; 3],
    ) -> Result<Self, String> {
        if is_exact && wanted.iter().filter(|wanted| **wanted).count() != 1 {
            return Err("`exact` needs one signal, for instance `signals=spans`".to_owned());
        }
        let paths = if is_exact { [""; 3] } else { PATHS };
        let receiver = Receiver::Http { client: Client::new(settings)?, encoding, paths };
        Ok(Self { receiver, writer: Writer::new(), wanted })
    }

    #[cfg(feature = "otlp-grpc")]
    pub(crate) fn over_grpc(settings: Settings, wanted: [bool; 3]) -> Result<Self, String> {
        Ok(Self { receiver: Receiver::Grpc(grpc::Client::new(settings)?), writer: Writer::new(), wanted })
    }

    /// Bodies come in protobuf, whatever they are sent as.
    async fn post(&self, signal: Signal, body: Bytes) -> Result<Delivery, ExportError> {
        let said = match &self.receiver {
            Receiver::Http { client, encoding, paths } => {
                let path = paths[signal as usize];
                let answer = match encoding {
                    Encoding::Protobuf => client.post(path, PROTOBUF, body).await?,
                    Encoding::Json => client.post(path, JSON, json(signal, &body)?.into()).await?,
                };
                // Other receivers answer in words of their own, and have taken the request all the same.
                match &*answer.content_type {
                    _ if !answer.is_whole => Ok(Answer::default()),
                    protobuf if protobuf.starts_with(PROTOBUF) => Answer::read(&answer.body),
                    json if json.starts_with(JSON) => Answer::read_json(&answer.body),
                    _ => Ok(Answer::default()),
                }
            }
            #[cfg(feature = "otlp-grpc")]
            Receiver::Grpc(client) => match client.call(METHODS[signal as usize], body).await? {
                Some(answer) => Answer::read(&answer),
                None => Err(Malformed),
            },
        };
        Ok(self.receiver.delivery(said))
    }
}

fn json(signal: Signal, body: &[u8]) -> Result<Vec<u8>, ExportError> {
    let mut json = Vec::with_capacity(3 * body.len());
    add_json(&mut json, signal, body)?;
    Ok(json)
}

/// The same added to what is there.
pub(crate) fn add_json(out: &mut Vec<u8>, signal: Signal, body: &[u8]) -> Result<(), ExportError> {
    put_json(out, signal, body)
        .map_err(|e| ExportError::never("a request can't be written as JSON").caused_by(e))
}

impl Receiver {
    /// Whatever an answer of success says, the request was taken.
    fn delivery(&self, said: Result<Answer, Malformed>) -> Delivery {
        match said {
            Ok(Answer { rejected, message }) => {
                let message = match self {
                    Self::Http { client, .. } => client.said(&message),
                    #[cfg(feature = "otlp-grpc")]
                    Self::Grpc(client) => client.said(&message),
                };
                Delivery::partial(usize::try_from(rejected).unwrap_or(usize::MAX), message)
            }
            Err(malformed) => Delivery::partial(0, format!("the answer can't be read: {malformed}")),
        }
    }
}

impl Protocol for Otlp {
    fn name(&self) -> &str {
        "otlp"
    }

    fn limits(&self) -> Limits {
        // Far below the 64 MiB that receivers take: what is out weighs on memory, and two requests hide the wait for answers.
        // Over gRPC, 4 MiB are the most that receivers take where nobody told them otherwise.
        let bytes = match &self.receiver {
            // These are counted in protobuf: as JSON they are several times as many.
            Receiver::Http { encoding: Encoding::Json, .. } => 1 << 20,
            Receiver::Http { encoding: Encoding::Protobuf, .. } => 2 << 20,
            #[cfg(feature = "otlp-grpc")]
            Receiver::Grpc(_) => 2 << 20,
        };
        Limits { items: usize::MAX, bytes, in_flight: 2 }
    }

    fn wants(&self, signal: Signal) -> bool {
        self.wanted[signal as usize]
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        Ok(self.writer.write(batch, max_bytes, body).into())
    }

    fn send(&self, signal: Signal, body: Bytes) -> Sending<'_> {
        Box::pin(self.post(signal, body))
    }

    /// A request without items, which receivers answer as any other.
    fn check(&self) -> Sending<'_, ()> {
        Box::pin(async {
            match Signal::EACH.into_iter().find(|signal| self.wants(*signal)) {
                Some(signal) => self.post(signal, Bytes::new()).await.map(drop),
                None => Ok(()),
            }
        })
    }
}
