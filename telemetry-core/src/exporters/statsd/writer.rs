//! A batch goes in, and the lines of as many of its first points as a request takes come out.

use super::form::{Dialect, Form};
use super::points::Pen;
use crate::exporters::Batch;
use crate::exporters::lines::put_items;
use crate::exporters::protocol::Encoded;
use crate::model::ValueRef;

/// Writes batches in one form.
#[derive(Clone, Debug)]
pub struct Writer {
    form: Form,
    max_packet: Option<usize>,
}

/// Of a line where there are no packets: what the largest packet could hold.
const MAX_LINE: usize = 64 << 10;

impl Writer {
    /// For packets of at most so many bytes, or for a stream.
    pub fn new(form: Form, max_packet: Option<usize>) -> Self {
        Self { form, max_packet }
    }

    /// Whose lines it writes.
    pub fn dialect(&self) -> Dialect {
        self.form.dialect
    }

    /// Adds the lines of as many of the first points as fit into so many bytes and into one packet, but one at least. The lines of
    /// one point may need several packets; each line fits into one, and lines that mean nothing alone are in one.
    pub fn write(&self, batch: &Batch, max_bytes: usize, body: &mut Vec<u8>) -> Encoded {
        let most = self.max_packet.unwrap_or(MAX_LINE);
        let max_bytes = max_bytes.min(self.max_packet.unwrap_or(max_bytes));
        let mut pen = Pen::new(&self.form, most, self.container(batch));
        put_items(body, batch.metrics(), max_bytes, |out, point| pen.put(out, point))
    }

    /// The id of the container that the program runs in, where it is known and looks like one.
    fn container<'a>(&self, batch: &'a Batch) -> Option<&'a str> {
        if self.form.dialect != Dialect::Datadog {
            return None;
        }
        let of_container = batch.resource().attributes().find(|(key, _)| *key == "container.id");
        let Some((_, ValueRef::Str(id))) = of_container else { return None };
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        Some(id).filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(is_id))
    }
}
