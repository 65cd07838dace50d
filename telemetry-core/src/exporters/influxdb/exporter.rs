//! The exporter `influxdb`: line protocol over HTTP, for all versions of `InfluxDB`.
//!
//! Sources: `InfluxDB` 1.8, "`InfluxDB` API reference", "/write"; OSS 2.7, "`InfluxDB` v2 API", "/api/v2/write", which 3.x has too.

use bytes::Bytes;

use super::{Dropped, Precision, Writer};
use crate::exporters::http::{Answer, Client, Settings};
use crate::exporters::protocol::{Encoded, Protocol, Sending};
use crate::exporters::{Batch, Delivery, ExportError, Limits, Signal};
use crate::model::{Kind, Temporality};

/// Where points go, within a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    /// Of 1.x.
    Named {
        name: String,
        /// The retention policy: the database's own where nothing is said.
        rp: Option<String>,
        /// How many nodes of a cluster have to have a point: as the server is told where nothing is said.
        consistency: Option<&'static str>,
    },
    /// Of 2.x and 3.x.
    Bucket {
        bucket: String,
        /// Who has it: 2.x wants to know, 3.x does not ask.
        org: Option<String>,
    },
}

/// Sends to a server.
pub(crate) struct InfluxDb {
    client: Client,
    path: &'static str,
    writer: Writer,
    /// By signal, whether it is sent.
    wanted: [bool; 3],
}

const TEXT: &str = "text/plain; charset=utf-8";

impl InfluxDb {
    /// Requests go to a path below the URL of these settings.
    pub(crate) fn new(
        mut settings: Settings,
        database: Database,
        writer: Writer,
        wanted: [bool; 3],
    ) -> Result<Self, String> {
        // Servers answer so while they are overloaded; points that come twice are one.
        settings.retry_server_errors = true;
        let (path, options) = match database {
            Database::Named { name, rp, consistency } => {
                let consistency = consistency.map(str::to_owned);
                let precision = Some(writer.precision.short_name().to_owned());
                (
                    "write",
                    vec![
                        ("db", Some(name)),
                        ("rp", rp),
                        ("consistency", consistency),
                        ("precision", precision),
                    ],
                )
            }
            Database::Bucket { bucket, org } => {
                // 2.x knows no other word, and 3.x takes both.
                settings.token_scheme = "Token";
                let precision = Some(writer.precision.name().to_owned());
                ("api/v2/write", vec![("org", org), ("bucket", Some(bucket)), ("precision", precision)])
            }
        };
        for (key, value) in options {
            value.into_iter().for_each(|value| settings.query(key, Some(&value)));
        }
        Ok(Self { client: Client::new(settings)?, path, writer, wanted })
    }

    async fn post(&self, body: Bytes) -> Result<Delivery, ExportError> {
        let Err(refused) = self.client.ask(self.path, TEXT, body.clone()).await else {
            return Ok(Delivery::all());
        };
        let Some(answer) = &refused.answer else { return Err(refused.error) };
        let lines = || body.split_inclusive(|byte| *byte == b'\n').count();
        match Dropped::read(answer.status, &answer.body, lines()) {
            Some(dropped) => Ok(Delivery::partial(dropped.lines, self.client.said(&dropped.message))),
            None if matches!(answer.status, 400 | 422) => Err(refused.of_a_part()),
            None => Err(refused.error),
        }
    }
}

/// Whether a server misses nothing but lines. 2.x says so of the organization too.
fn wants_lines(answer: &Answer) -> bool {
    const NO_ORG: &[u8] = b"provide either orgID or org";
    matches!(answer.status, 400 | 422) && !answer.body.windows(NO_ORG.len()).any(|words| words == NO_ORG)
}

impl Protocol for InfluxDb {
    fn name(&self) -> &str {
        "influxdb"
    }

    /// Nothing in a line says in what unit its time is.
    fn format(&self) -> &str {
        match self.writer.precision {
            Precision::Nanos => "influxdb",
            Precision::Micros => "influxdb-us",
            Precision::Millis => "influxdb-ms",
            Precision::Seconds => "influxdb-s",
        }
    }

    /// As many lines as `InfluxData` advises, and far fewer bytes than any server takes.
    fn limits(&self) -> Limits {
        Limits { items: 5_000, bytes: 1 << 20, in_flight: 2 }
    }

    fn wants(&self, signal: Signal) -> bool {
        self.wanted[signal as usize]
    }

    /// Of counters the sum, of which the server makes rates, whatever was lost; of histograms what came since the last time, so
    /// that quantiles are those of that time.
    fn temporality(&self, kind: Kind) -> Temporality {
        if kind == Kind::Histogram { Temporality::Delta } else { Temporality::Cumulative }
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        Ok(self.writer.write(batch, max_bytes, body))
    }

    /// Of each item there is one line.
    fn send(&self, _: Signal, body: Bytes) -> Sending<'_> {
        Box::pin(self.post(body))
    }

    /// A request that writes nothing: the server looks who we are, and whether it has the database.
    fn check(&self) -> Sending<'_, ()> {
        const COMMENT: &[u8] = b"# telemetry\n";
        Box::pin(async {
            match self.client.ask(self.path, TEXT, Bytes::from_static(COMMENT)).await {
                Ok(_) => Ok(()),
                // It is there, and wants lines.
                Err(refused) if refused.answer.as_ref().is_some_and(|answer| wants_lines(answer)) => Ok(()),
                Err(refused) => Err(refused.error),
            }
        })
    }
}
