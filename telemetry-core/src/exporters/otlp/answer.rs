//! What receivers answer: how much of a request they rejected.
//!
//! An answer may hold anything. What is unknown is passed over, and a text is kept up to [`MAX_MESSAGE`].
//!
//! Source: opentelemetry-proto, `trace_service.proto` and its twins.

use super::wire::{bytes, varint};
use crate::exporters::protobuf::{Content, Fields};

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
    /// Reads such a body, unless it is no protobuf. An empty one says that all was taken.
    pub fn read(body: &[u8]) -> Option<Self> {
        const PARTIAL_SUCCESS: u8 = bytes(1);
        const REJECTED: u8 = varint(1);
        const MESSAGE: u8 = bytes(2);
        let mut answer = Self::default();
        for field in Fields(body) {
            if let (PARTIAL_SUCCESS, Content::Bytes(partial)) = field? {
                for field in Fields(partial) {
                    match field? {
                        (REJECTED, Content::Number(n)) => {
                            answer.rejected = n.cast_signed().max(0).cast_unsigned();
                        }
                        (MESSAGE, Content::Bytes(text)) => answer.message = message(text),
                        _ => {}
                    }
                }
            }
        }
        Some(answer)
    }
}

fn message(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(MAX_MESSAGE + 3)]);
    text[..text.floor_char_boundary(MAX_MESSAGE)].to_owned()
}
