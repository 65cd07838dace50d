//! What receivers answer: how much of a request they rejected.
//!
//! An answer may hold anything. What is unknown is passed over, and a text is kept up to [`MAX_MESSAGE`].
//!
//! Source: opentelemetry-proto, `trace_service.proto` and its twins.

use serde_json::Value;

use crate::exporters::protobuf::{Content, Fields, Malformed};

/// A longer text is cut.
const MAX_MESSAGE: usize = 1024;

/// The body of an answer that says yes: `ExportTraceServiceResponse` and its twins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// How many items were rejected. They are lost: OTLP forbids to send them again.
    pub rejected: u64,
    /// Why; where nothing was rejected, a warning. Empty where there is nothing to say.
    pub message: String,
}

impl Answer {
    /// Reads such a body. An empty one says that all was taken.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        const PARTIAL_SUCCESS: u32 = 1;
        const REJECTED: u32 = 1;
        const MESSAGE: u32 = 2;
        let mut answer = Self::default();
        for field in Fields(body) {
            if let (PARTIAL_SUCCESS, Content::Bytes(partial)) = field? {
                for field in Fields(partial) {
                    match field? {
                        (REJECTED, Content::Varint(n)) => {
                            answer.rejected = n.cast_signed().max(0).cast_unsigned();
                        }
                        (MESSAGE, Content::Bytes(text)) => answer.message = message(text),
                        _ => {}
                    }
                }
            }
        }
        Ok(answer)
    }

    /// Reads one in JSON. As in protobuf's mapping, a number may be a text, and what is missing is nothing.
    pub fn read_json(body: &[u8]) -> Result<Self, Malformed> {
        const REJECTED: [&str; 3] = ["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"];
        if body.is_empty() {
            return Ok(Self::default());
        }
        let body: Value = serde_json::from_slice(body).map_err(|_| Malformed)?;
        let Some(partial) = body.get("partialSuccess") else { return Ok(Self::default()) };
        let number = |n: &Value| n.as_u64().or_else(|| n.as_str()?.parse().ok());
        let rejected = REJECTED.iter().find_map(|name| number(partial.get(name)?));
        let text = partial.get("errorMessage").and_then(Value::as_str).unwrap_or_default();
        Ok(Self { rejected: rejected.unwrap_or_default(), message: message(text.as_bytes()) })
    }
}

fn message(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(MAX_MESSAGE + 3)]);
    text[..text.floor_char_boundary(MAX_MESSAGE)].to_owned()
}
