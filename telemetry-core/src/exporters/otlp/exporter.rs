//! The exporter `otlp`: OTLP over HTTP, with bodies in protobuf or in JSON.
//!
//! Source: opentelemetry-proto 1.11, "OTLP/HTTP".

use super::{Answer, Writer, put_json};
use crate::exporters::http::{Client, Settings};
use crate::exporters::protocol::{Limits, Protocol, Sending};
use crate::exporters::{Batch, Delivery, ExportError, Signal};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// How bodies are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    #[default]
    Protobuf,
    Json,
}

/// Sends to a receiver of OTLP, each signal to a path of its own.
pub(crate) struct Otlp {
    client: Client,
    encoding: Encoding,
    writer: Writer,
    /// The paths below the client's URL; none of signals that are not sent.
    paths: [Option<&'static str>; 3],
}

/// The path of each signal.
const PATHS: [&str; 3] = ["v1/traces", "v1/logs", "v1/metrics"];

impl Otlp {
    /// Requests go to paths below the URL of these settings, for the signals that are wanted; of one signal, they may go
    /// exactly there.
    pub(crate) fn new(
        settings: Settings,
        encoding: Encoding,
        is_exact: bool,
        wanted: impl Fn(Signal) -> bool,
    ) -> Result<Self, String> {
        let path = |signal| if is_exact { "" } else { PATHS[signal as usize] };
        let paths = Signal::EACH.map(|signal| wanted(signal).then(|| path(signal)));
        if is_exact && paths.iter().flatten().count() != 1 {
            return Err("`exact` needs one signal, for instance `signals=spans`".to_owned());
        }
        Ok(Self { client: Client::new(settings)?, encoding, writer: Writer::new(), paths })
    }

    /// Bodies come in protobuf, whatever they are sent as.
    async fn post(&self, signal: Signal, body: &[u8]) -> Result<Delivery, ExportError> {
        let path = self.paths[signal as usize].unwrap_or_default();
        let answer = match self.encoding {
            Encoding::Protobuf => self.client.post(path, PROTOBUF, body).await?,
            Encoding::Json => {
                let mut json = Vec::with_capacity(3 * body.len());
                put_json(&mut json, signal, body)
                    .map_err(|e| ExportError::never("a request can't be written as JSON").caused_by(e))?;
                self.client.post(path, JSON, &json).await?
            }
        };
        // Other receivers answer in words of their own, and have taken the request all the same.
        let said = match &*answer.content_type {
            _ if !answer.is_whole => Ok(Answer::default()),
            protobuf if protobuf.starts_with(PROTOBUF) => Answer::read(&answer.body),
            json if json.starts_with(JSON) => Answer::read_json(&answer.body),
            _ => Ok(Answer::default()),
        };
        Ok(match said {
            Ok(Answer { rejected, message }) => {
                Delivery::partial(usize::try_from(rejected).unwrap_or(usize::MAX), message)
            }
            Err(malformed) => Delivery::partial(0, format!("the answer can't be read: {malformed}")),
        })
    }
}

impl Protocol for Otlp {
    fn name(&self) -> &str {
        "otlp"
    }

    fn limits(&self) -> Limits {
        // Far below the 64 MiB that receivers take: what is out weighs on memory, and two requests hide the wait for answers.
        let bytes = match self.encoding {
            Encoding::Protobuf => 4 << 20,
            // These are counted in protobuf: as JSON they are several times as many.
            Encoding::Json => 1 << 20,
        };
        Limits { items: usize::MAX, bytes, in_flight: 2 }
    }

    fn wants(&self, signal: Signal) -> bool {
        self.paths[signal as usize].is_some()
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<usize, ExportError> {
        Ok(self.writer.write(batch, max_bytes, body))
    }

    fn send<'a>(&'a self, signal: Signal, body: &'a [u8]) -> Sending<'a> {
        Box::pin(self.post(signal, body))
    }

    /// A request without items, which receivers answer as any other.
    fn check(&self) -> Sending<'_, ()> {
        Box::pin(async {
            match Signal::EACH.into_iter().find(|signal| self.wants(*signal)) {
                Some(signal) => self.post(signal, &[]).await.map(drop),
                None => Ok(()),
            }
        })
    }
}
