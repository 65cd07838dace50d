//! What receivers answer: how much of a request they rejected, or why they refused it.
//!
//! An answer may hold anything. What is unknown is passed over, and a text is kept up to [`MAX_MESSAGE`].
//!
//! Source: opentelemetry-proto, `trace_service.proto` and its twins; google.rpc, `status.proto`.

use super::wire::{bytes, varint};

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

/// The body of an answer that says no: `google.rpc.Status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// One of gRPC's codes.
    pub code: i32,
    /// Why.
    pub message: String,
}

/// A body that is no protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no protobuf message")]
pub struct Malformed;

impl Answer {
    /// Reads such a body. An empty one says that all was taken.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
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
        Ok(answer)
    }
}

impl Refusal {
    /// Reads such a body.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        const CODE: u8 = varint(1);
        const MESSAGE: u8 = bytes(2);
        let mut refusal = Self::default();
        for field in Fields(body) {
            match field? {
                (CODE, Content::Number(n)) => refusal.code = n as i32,
                (MESSAGE, Content::Bytes(text)) => refusal.message = message(text),
                _ => {}
            }
        }
        Ok(refusal)
    }
}

fn message(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(MAX_MESSAGE + 3)]);
    text[..text.floor_char_boundary(MAX_MESSAGE)].to_owned()
}

/// Key and content of each field of a message. Keys that are more than one byte are 0, as nobody asks for them.
struct Fields<'a>(&'a [u8]);

enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of four or eight bytes.
    Fixed,
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u8, Content<'a>)> {
        let key = u32::try_from(self.varint()?).ok().filter(|key| key >> 3 > 0)?;
        let content = match key & 7 {
            0 => Content::Number(self.varint()?),
            1 => self.take(8).map(|_| Content::Fixed)?,
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Content::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Content::Fixed)?,
            // Groups, which OTLP never had.
            _ => return None,
        };
        Some((u8::try_from(key).unwrap_or_default(), content))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = u64::from(self.take(1)?[0]);
            // Of the tenth byte one bit is left.
            if shift == 63 && byte > 1 {
                return None;
            }
            n |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u8, Content<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Malformed))
    }
}
