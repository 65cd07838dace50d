//! Looks into the directory of a [spool](crate::exporters::Route::spool), also while its exporter works: what is stored in it, for
//! whom, and whether all of it is as it was written.
//!
//! The directory goes in, its segments come out one by one, as each is read. Nothing is written, and however large its files are
//! and whatever stands in them, no more than a buffer of each is in memory. What is stored is sent by an exporter that has the
//! directory, and by nothing else.
//!
//! ```
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! for segment in telemetry_core::spool::inspect(directory)? {
//!     for waiting in &segment.waiting {
//!         println!("{}: {} {} for {}", segment.file, waiting.items, waiting.signal.name(), waiting.destination);
//!     }
//!     for fault in &segment.faults {
//!         println!("{}: {fault}", segment.file);
//!     }
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::disk::{self, Directory, Disk as _, OWNER};
use super::frame::{Found, Frame, pieces_of};
use super::segment::Name;
use super::stream::Stream;
use crate::exporters::Signal;
use crate::files::is_owned;
use crate::text;

/// So many formats and destinations of one segment are told apart: those that are written here have one.
const MOST_KINDS: usize = 16;
/// Of so many bytes a text is shown.
const MOST_TEXT: usize = 4096;
/// So many faults of one segment are told.
const MOST_FAULTS: usize = 100;
/// A segment that changes while it is read is read so often.
const MOST_TRIES: usize = 10;

/// What stands in the directory of a spool: its segments, the oldest first. Each is read when it is asked for; one that was sent
/// meanwhile is left out.
#[derive(Debug)]
pub struct Inspection {
    path: PathBuf,
    disk: Directory,
    segments: std::vec::IntoIter<(Name, u64)>,
    /// Of each signal the segment that comes last.
    newest: [u64; 3],
    others: usize,
}

/// A file of a spool, with bodies of one signal in the order in which they were stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Segment {
    /// Its name in the directory.
    pub file: String,
    /// What its bodies are of.
    pub signal: Signal,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// All bodies that begin before this byte are done with. None where that is the whole file: it was put aside for what is
    /// damaged in it, until its room is needed.
    pub done: Option<u64>,
    /// The numbers of its first and its last body, done with or not; bodies of all signals are numbered together.
    pub numbers: Option<(u64, u64)>,
    /// What is still to be sent, by format, destination and signal.
    pub waiting: Vec<Waiting>,
    /// Bodies that are still to be sent, and of which nothing is told: a later version of this crate has written them, or there are
    /// too many destinations in one file, which none that is written here has.
    pub unknown: u64,
    /// Bytes at its end that its owner is just writing.
    pub unfinished: u64,
    /// What is not as it was written, at most 100 of it.
    pub faults: Vec<Fault>,
    /// How many more there are.
    pub more_faults: u64,
}

/// Bodies that are still to be sent to one destination. In texts, hidden characters are escaped, and no more than 4 KiB are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// How the bodies are written: [`Route::format`](crate::exporters::Route::format) of the exporter that wrote them.
    pub format: String,
    /// Where they were to go, without secrets.
    pub destination: String,
    /// What their items are.
    pub signal: Signal,
    /// How many there are.
    pub bodies: u64,
    /// How many items are in them.
    pub items: u64,
    /// How long they are together, as they go over the wire but for compression.
    pub bytes: u64,
    /// When the oldest was stored.
    pub oldest: SystemTime,
    /// When the newest was stored.
    pub newest: SystemTime,
}

/// Something in a segment that is not as it was written. It prints as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Where it begins, in bytes from the beginning of the file.
    pub at: u64,
    /// How many bytes it takes.
    pub bytes: u64,
    /// What it is.
    pub kind: FaultKind,
}

/// What is wrong with some bytes of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// They are not what was written: a length or a checksum does not fit. The bodies behind them can be read.
    Damaged,
    /// The end of the file is the beginning of a body: whoever wrote it came to no end. It was not committed.
    Torn,
    /// They can't be read, and why.
    Unreadable(String),
}

/// Looks into that directory. An error where it can't be listed: it is not there, is no directory, or this user may not.
pub fn inspect(directory: impl AsRef<Path>) -> io::Result<Inspection> {
    let path = directory.as_ref().to_owned();
    let mut disk = Directory::to_look_at(&path);
    let all = disk.list()?;
    let others = all.iter().filter(|(name, _)| name != OWNER && Name::parse(name).is_none()).count();
    let named = |(name, bytes): (String, u64)| Some((Name::parse(&name)?, bytes));
    let mut segments: Vec<_> = all.into_iter().filter_map(named).collect();
    segments.sort_unstable_by_key(|(name, _)| (name.number, name.signal as usize, name.done));
    let of =
        |signal| segments.iter().rfind(|(name, _)| name.signal == signal).map_or(0, |(name, _)| name.number);
    let newest = Signal::EACH.map(of);
    Ok(Inspection { path, disk, segments: segments.into_iter(), newest, others })
}

impl Inspection {
    /// Whether an exporter has the directory now, of this process or of another one. An error where that can't be seen: not every
    /// file system has locks.
    pub fn is_owned(&self) -> io::Result<bool> {
        is_owned(&self.path.join(OWNER))
    }

    /// The number of the last body that was committed, as its owner says, or the last one that it had: all that have no larger
    /// number survive whatever happens.
    pub fn committed(&self) -> Option<u64> {
        self.disk.published()
    }

    /// How many other files stand there, which a spool leaves alone.
    pub fn others(&self) -> usize {
        self.others
    }

    /// None where it is gone.
    fn look_at(&mut self, mut name: Name, listed: u64) -> Option<Segment> {
        let mut tries = 1;
        loop {
            let shown = name.to_string();
            let is_last = tries == MOST_TRIES;
            match self.disk.open(&shown) {
                Ok((file, bytes)) => {
                    let segment = self.read(name, &file, bytes);
                    // What its owner changed meanwhile may look like anything.
                    let is_as_it_was = || self.disk.open(&shown).is_ok_and(|(_, now)| now == bytes);
                    if is_last || segment.faults.is_empty() || is_as_it_was() {
                        return Some(segment);
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound && !is_last => {}
                Err(e) => {
                    let mut segment = Segment::new(name, listed);
                    segment.fault(0, listed, FaultKind::Unreadable(shown_error(&e)));
                    return Some(segment);
                }
            }
            tries += 1;
            // Its name follows what is done with.
            let mut now = self.disk.list().ok()?.into_iter().filter_map(|(name, _)| Name::parse(&name));
            name = now.find(|other| (other.number, other.signal) == (name.number, name.signal))?;
        }
    }

    fn read(&self, name: Name, file: &File, bytes: u64) -> Segment {
        let read = |from, most, into: &mut Vec<u8>| disk::read(file, from, most, into);
        let (mut stream, mut segment) = (Stream::new(read, bytes), Segment::new(name, bytes));
        let done = name.done.unwrap_or(u64::MAX);
        for (range, found) in pieces_of(&mut stream) {
            let (at, bytes) = (range.start as u64, range.len() as u64);
            match found {
                Found::Frame(frame) => segment.add(&frame, at < done || frame.is_done),
                Found::Unknown => segment.unknown += u64::from(at >= done),
                Found::Torn if self.is_written(name) => segment.unfinished = bytes,
                Found::Torn => segment.fault(at, bytes, FaultKind::Torn),
                Found::Damage => segment.fault(at, bytes, FaultKind::Damaged),
            }
        }
        if let Some((at, e)) = stream.failed {
            let at = at as u64;
            segment.unfinished = 0;
            segment.faults.retain(|fault| fault.at + fault.bytes <= at);
            segment.fault(at, bytes - at, FaultKind::Unreadable(shown_error(&e)));
        }
        segment
    }

    /// Whether more may come to that segment.
    fn is_written(&self, name: Name) -> bool {
        name.done.is_some()
            && name.number == self.newest[name.signal as usize]
            && self.is_owned().unwrap_or(false)
    }
}

impl Iterator for Inspection {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        loop {
            let (name, bytes) = self.segments.next()?;
            if let Some(segment) = self.look_at(name, bytes) {
                return Some(segment);
            }
        }
    }
}

impl Segment {
    fn new(name: Name, bytes: u64) -> Self {
        Self {
            file: name.to_string(),
            signal: name.signal,
            bytes,
            done: name.done,
            numbers: None,
            waiting: Vec::new(),
            unknown: 0,
            unfinished: 0,
            faults: Vec::new(),
            more_faults: 0,
        }
    }

    fn add(&mut self, frame: &Frame, is_done: bool) {
        let Frame { head, label, body, .. } = frame;
        let (first, last) = self.numbers.unwrap_or((head.number, head.number));
        self.numbers = Some((first.min(head.number), last.max(head.number)));
        if is_done {
            return;
        }
        let (format, destination) = (shown(&label.format), shown(&label.destination));
        let is_same = |one: &Waiting| {
            (one.signal, &one.format, &one.destination) == (head.signal, &format, &destination)
        };
        let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(head.time));
        let (time, bytes) = (time.unwrap_or(SystemTime::UNIX_EPOCH), body.len() as u64);
        let (bodies, items) = (1, head.items.into());
        match self.waiting.iter().position(is_same) {
            Some(at) => {
                let one = &mut self.waiting[at];
                one.bodies += bodies;
                one.items += items;
                one.bytes += bytes;
                one.oldest = one.oldest.min(time);
                one.newest = one.newest.max(time);
            }
            None if self.waiting.len() == MOST_KINDS => self.unknown += 1,
            None => self.waiting.push(Waiting {
                format,
                destination,
                signal: head.signal,
                bodies,
                items,
                bytes,
                oldest: time,
                newest: time,
            }),
        }
    }

    fn fault(&mut self, at: u64, bytes: u64, kind: FaultKind) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault { at, bytes, kind });
        } else {
            self.more_faults += 1;
        }
    }
}

fn shown(text: &str) -> String {
    text::line(format_args!("{text}"), MOST_TEXT)
}

fn shown_error(e: &io::Error) -> String {
    text::line(format_args!("{e}"), MOST_TEXT)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, bytes, kind } = self;
        match kind {
            FaultKind::Damaged => write!(f, "byte {at}: {bytes} bytes are damaged"),
            FaultKind::Torn => {
                write!(f, "byte {at}: torn, {bytes} bytes are the beginning of a body that has no end")
            }
            FaultKind::Unreadable(why) => write!(f, "byte {at}: {bytes} bytes can't be read: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
