//! What a spool remembers of its segments, and what comes out of them. Pure.

use std::collections::VecDeque;

use bytes::Bytes;

use super::segment::Name;
use crate::exporters::Signal;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Of all files together, as long as they are.
    pub(crate) bytes: u64,
    /// In nanoseconds.
    pub(crate) age: u64,
}

impl Bounds {
    /// A segment that has so many bytes is followed by another one. The oldest one goes whole, so it must not be much of all.
    pub(super) fn segment(self) -> u64 {
        (self.bytes / 16).min(4 << 20)
    }

    pub(super) fn is_old(self, time: u64, now: u64) -> bool {
        now.saturating_sub(time) > self.age
    }
}

/// Which body it is that was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(super) segment: u64,
    pub(super) at: u64,
}

/// A body that was stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(super) key: Key,
    pub(crate) signal: Signal,
    pub(crate) items: u64,
    /// When it was stored, in nanoseconds since the Unix epoch.
    pub(crate) time: u64,
    pub(crate) body: Bytes,
}

/// Items that were stored and won't be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) signal: Signal,
    pub(crate) items: u64,
    pub(crate) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// There was no room for it beside newer ones.
    Full,
    /// It was there for too long.
    Old,
    /// It can't be read any more.
    Damaged,
}

/// The segments of one signal, oldest first, and what was read of them.
pub(super) struct Log<F> {
    pub(super) segments: VecDeque<Segment<F>>,
    pub(super) ready: VecDeque<Stored>,
}

pub(super) struct Segment<F> {
    pub(super) id: u64,
    pub(super) name: Name,
    /// More may follow.
    pub(super) is_open: bool,
    /// Until all of it is committed.
    pub(super) file: Option<F>,
    /// Bytes that were written, of which so many are committed, and so many of these were read.
    pub(super) written: u64,
    pub(super) committed: u64,
    pub(super) read: u64,
    /// Items that are written and not committed, and that are committed and not read.
    pub(super) fresh: u64,
    pub(super) items: u64,
    /// When its first and its last frame were stored.
    pub(super) since: u64,
    pub(super) time: u64,
    /// As it is on the disk.
    pub(super) bytes: u64,
    pub(super) is_damaged: bool,
    /// So much of it is read at once.
    pub(super) at_once: u64,
}

/// So much of a segment is read at once: two bodies of the usual size, or many small ones. It stays in memory until they are sent. In
/// tests it is so little that their small segments are read bit by bit too.
pub(super) const AT_ONCE: u64 = if cfg!(test) { 700 } else { 528 << 10 };

pub(super) struct Kept {
    pub(super) name: String,
    pub(super) bytes: u64,
}

impl<F> Segment<F> {
    pub(super) fn is_committed(&self) -> bool {
        self.committed == self.written
    }
}
