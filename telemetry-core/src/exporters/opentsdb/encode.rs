//! A batch goes in, the body of a request comes out: as many of its first items as fit. No clock is read.

use super::form::{Form, Style};
use super::points::Pen;
use crate::exporters::Batch;
use crate::exporters::lines::put_items;
use crate::exporters::protocol::Encoded;

/// Adds as many of the first items as fit into so many bytes, but one at least, and says how many these are, and how many of them
/// can't be said.
pub fn put_batch(body: &mut Vec<u8>, batch: &Batch, max_bytes: usize, style: &Style) -> Encoded {
    let mut pen = Pen::new(style, batch.resource().tags());
    match style.form {
        Form::Lines { .. } => put_items(body, batch.metrics(), max_bytes, |out, item| pen.put(out, item)),
        Form::Json => {
            body.push(b'[');
            let start = body.len();
            let encoded = put_items(body, batch.metrics(), max_bytes.saturating_sub(2), |out, item| {
                if out.len() > start {
                    out.push(b',');
                }
                pen.put(out, item)
            });
            body.push(b']');
            encoded
        }
    }
}

#[cfg(test)]
mod tests;
