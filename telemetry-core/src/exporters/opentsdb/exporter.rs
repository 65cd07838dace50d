//! The exporter itself: one attempt over the one connection of telnet, or over HTTP.

use std::time::Duration;

use bytes::Bytes;

use super::answer::{Answer, heard, is_too_large};
use super::encode::put_batch;
use super::form::{Form, Style};
use crate::exporters::http::{self, Client};
use crate::exporters::protocol::{Encoded, Protocol, Sending};
use crate::exporters::socket::Connection;
use crate::exporters::{Batch, Delivery, ExportError, Limits, Signal};
use crate::model::{Kind, Temporality};

/// Sends data points to whoever takes OpenTSDB's.
pub(crate) struct OpenTsdb {
    server: Server,
    style: Style,
    max_bytes: usize,
}

/// How it is spoken to.
enum Server {
    /// What it refuses it writes back, some time later.
    Telnet {
        connection: Connection,
        answer_time: Duration,
    },
    Http(Client),
}

const PATH: &str = "api/put";
const JSON: &str = "application/json";
const BAD_REQUEST: u16 = 400;

impl OpenTsdb {
    /// Lines over a connection; after each request the server's are waited for.
    pub(crate) fn over_telnet(connection: Connection, answer_time: Duration, style: Style) -> Self {
        Self { server: Server::Telnet { connection, answer_time }, style, max_bytes: 1 << 20 }
    }

    /// JSON, posted to a path below the client's URL.
    pub(crate) fn over_http(client: Client, style: Style) -> Self {
        // What a server says of each point that it refuses has to be read as well.
        Self {
            server: Server::Http(client),
            style: Style { form: Form::Json, ..style },
            max_bytes: 512 << 10,
        }
    }

    /// No larger body, but of one item.
    pub(crate) fn max_bytes(mut self, most: usize) -> Self {
        self.max_bytes = most;
        self
    }
}

/// What is written back to an attempt that fails, or is let go of, counts nowhere: all of its points are tried again.
struct Attempt<'a>(&'a Connection);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        drop(self.0.heard_counted());
    }
}

/// What was written back until then is of this request, or of one before that nobody can tell it from.
async fn put(connection: &Connection, answer_time: Duration, body: &[u8]) -> Result<Delivery, ExportError> {
    let _attempt = Attempt(connection);
    connection.send(body).await?;
    // Whoever closes the connection now may not have read all of it: it is sent again.
    connection.listen(answer_time).await?;
    let (lines, more) = connection.heard_counted();
    Ok(heard(&lines, more))
}

async fn post(client: &Client, body: Bytes) -> Result<Delivery, ExportError> {
    let delivery = |answer: &http::Answer| {
        let read = if answer.is_whole { Answer::read(&answer.body) } else { None };
        read.map(|read| read.delivery(&body, |text| client.said(text)))
    };
    match client.ask(PATH, JSON, body.clone()).await {
        Ok(answer) => Ok(delivery(&answer).unwrap_or_else(|| {
            // Others answer in words of their own, and have taken the request all the same.
            let is_broken = answer.content_type.starts_with(JSON) && !answer.body.is_empty();
            let reason = if is_broken { "the answer can't be read" } else { "" };
            Delivery::partial(0, reason)
        })),
        Err(refused) => match &refused.answer {
            Some(answer) if answer.status == BAD_REQUEST => {
                if let Some(delivery) = delivery(answer) {
                    return Ok(delivery);
                }
                if is_too_large(&answer.body) {
                    let why = "a request so large is one in chunks for this server (`max_bytes`)";
                    return Err(ExportError::too_large(why));
                }
                Err(refused.of_a_part())
            }
            _ => Err(refused.error),
        },
    }
}

impl Protocol for OpenTsdb {
    fn name(&self) -> &str {
        "opentsdb"
    }

    fn format(&self) -> &str {
        if let Form::Json = self.style.form { "opentsdb-json" } else { "opentsdb" }
    }

    fn limits(&self) -> Limits {
        // Over one connection all is in order, and what the server writes back is of one request.
        let in_flight = if let Server::Telnet { .. } = self.server { 1 } else { 2 };
        Limits { items: usize::MAX, bytes: self.max_bytes, in_flight }
    }

    fn wants(&self, signal: Signal) -> bool {
        signal == Signal::Metrics
    }

    fn temporality(&self, kind: Kind) -> Temporality {
        // Quantiles of all since the start soon say nothing of now.
        if kind == Kind::Histogram { Temporality::Delta } else { Temporality::Cumulative }
    }

    fn encode(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Result<Encoded, ExportError> {
        Ok(put_batch(body, batch, max_bytes, &self.style))
    }

    fn send(&self, _: Signal, body: Bytes) -> Sending<'_> {
        Box::pin(async move {
            match &self.server {
                Server::Telnet { connection, answer_time } => put(connection, *answer_time, &body).await,
                Server::Http(client) => post(client, body).await,
            }
        })
    }

    fn check(&self) -> Sending<'_, ()> {
        match &self.server {
            Server::Telnet { connection, .. } => Box::pin(connection.reach()),
            Server::Http(client) => Box::pin(client.reach()),
        }
    }
}
