//! A batch goes in, the body of a request comes out: as many of its first items as fit. No clock is read.

use super::form::{Form, Style};
use super::points::put_item;
use crate::exporters::Batch;
use crate::exporters::lines::{TagRuns, put_items};
use crate::exporters::protocol::Encoded;

/// Adds as many of the first items as fit into so many bytes, but one at least, and says how many these are, and how many of them
/// can't be said.
pub fn put_batch(body: &mut Vec<u8>, batch: &Batch, max_bytes: usize, style: &Style) -> Encoded {
    let (mut tags, global) = (TagRuns::default(), batch.resource().tags());
    match style.form {
        Form::Lines { .. } => put_items(body, batch.metrics(), max_bytes, |out, item| {
            put_item(out, item, global, style, &mut tags)
        }),
        Form::Json => {
            body.push(b'[');
            let start = body.len();
            let encoded = put_items(body, batch.metrics(), max_bytes.saturating_sub(2), |out, item| {
                if out.len() > start {
                    out.push(b',');
                }
                put_item(out, item, global, style, &mut tags)
            });
            body.push(b']');
            encoded
        }
    }
}

#[cfg(test)]
mod tests;
