//! The exporter `otlp`: OTLP over HTTP, with bodies in protobuf.
//!
//! Source: opentelemetry-proto 1.11, "OTLP/HTTP".

use super::{Answer, Writer};
use crate::exporters::http::{Client, Settings};
use crate::exporters::protocol::{Limits, Protocol, Sending};
use crate::exporters::{Batch, Delivery, ExportError, Signal};

const PROTOBUF: &str = "application/x-protobuf";

/// Sends to a receiver of OTLP, each signal to a path of its own.
pub(crate) struct Otlp {
    client: Client,
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
        is_exact: bool,
        wanted: impl Fn(Signal) -> bool,
    ) -> Result<Self, String> {
        let path = |signal| if is_exact { "" } else { PATHS[signal as usize] };
        let paths = Signal::EACH.map(|signal| wanted(signal).then(|| path(signal)));
        if is_exact && paths.iter().flatten().count() != 1 {
            return Err("`exact` needs one signal, for instance `signals=spans`".to_owned());
        }
        Ok(Self { client: Client::new(settings)?, writer: Writer::new(), paths })
    }

    async fn post(&self, path: &str, body: &[u8]) -> Result<Delivery, ExportError> {
        let answer = self.client.post(path, PROTOBUF, body).await?;
        // Other receivers answer in words of their own, and have taken the request all the same.
        let is_readable = answer.is_whole && answer.content_type.starts_with(PROTOBUF);
        let said = if is_readable { Answer::read(&answer.body) } else { Some(Answer::default()) };
        Ok(match said {
            Some(Answer { rejected, message }) => {
                Delivery::partial(usize::try_from(rejected).unwrap_or(usize::MAX), message)
            }
            None => Delivery::partial(0, "the answer is no protobuf message"),
        })
    }
}

impl Protocol for Otlp {
    fn name(&self) -> &str {
        "otlp"
    }

    fn limits(&self) -> Limits {
        // Far below the 64 MiB that receivers take: what is out weighs on memory, and two requests hide the wait for answers.
        Limits { items: usize::MAX, bytes: 4 << 20, in_flight: 2 }
    }

    fn wants(&self, signal: Signal) -> bool {
        self.paths[signal as usize].is_some()
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<usize, ExportError> {
        Ok(self.writer.write(batch, max_bytes, body))
    }

    fn send<'a>(&'a self, signal: Signal, body: &'a [u8]) -> Sending<'a> {
        Box::pin(self.post(self.paths[signal as usize].unwrap_or_default(), body))
    }

    /// A request without items, which receivers answer as any other.
    fn check(&self) -> Sending<'_, ()> {
        Box::pin(async {
            match self.paths.iter().flatten().next() {
                Some(path) => self.post(path, &[]).await.map(drop),
                None => Ok(()),
            }
        })
    }
}
