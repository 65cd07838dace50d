//! Files that nobody else writes to: who owns a directory, and what is no regular file. A path goes in, an open file or a lock
//! comes out. Nothing here knows what stands in them.

mod owner;
mod regular;

pub(crate) use owner::Owner;
#[cfg(any(feature = "net", test))]
pub(crate) use owner::is_owned;
pub(crate) use regular::{Identity, check_regular, is_nowhere, open_regular, write_whole};
