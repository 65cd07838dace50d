//! The bytes in which a finished span or event travels from the thread that made it to the exporters.
//!
//! Writers append to a [`Chunk`]; readers walk it and see borrowed [`SpanRecord`]s and [`EventRecord`]s.
//! A record is copied as it is and never becomes an object on the way. What a `tracing` call site says of
//! itself is not copied at all: a record points at the call site's `&'static Metadata`.
//!
//! Times are left as the writer's clock gave them ([`Time::Tick`]), or are nanoseconds since the Unix epoch
//! for items made by hand ([`Time::Unix`]).
//!
//! A record: its length, then fixed values, then optional texts, then fields. A field: its key (an index
//! into the call site's field names, or a name), its type, its value, in whole words of 64 bits. All numbers are
//! little-endian.

mod chunk;
mod cursor;
mod encode;
mod field_buf;
mod fields;
mod head;
mod links;
mod value;
mod words;

pub use chunk::{Chunk, Mark};
pub use encode::{Encoded, RawSpan};
pub use field_buf::{FieldBuf, FieldWords, Key, MAX_FIELDS};
pub use fields::{FieldKey, Fields, RawValue, field_name, latest};
pub use head::{EventHead, EventRecord, Site, SpanHead, SpanRecord, Time};
pub use links::Links;
pub use words::Words;

#[cfg(test)]
mod tests;
