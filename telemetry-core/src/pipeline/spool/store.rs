//! The spool itself: bodies go in, are committed together, and come out again in their order, also out of what an earlier process
//! left. It is told the time, makes no thread, and knows neither tickets nor protocols.
//!
//! Each signal has segments of its own, so one that is not taken holds up no other. A new process begins new segments: what an old
//! one left by half is never written to again. How far a segment is done with stands in its [name](super::segment), and nowhere else.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::ops::Range;

use super::disk::Disk;
use super::frame::{self, Found, Frame, Head, Label, pieces, wholes};
use super::log::{AT_ONCE, Bounds, Kept, Key, Log, Lost, Segment, Stored, Why};
use super::segment::Name;
use crate::exporters::Signal;
use crate::pipeline::bodies::Bodies;

/// So many names are tried for a segment.
const MOST_TRIES: usize = 100;

pub(super) struct Store<D: Disk> {
    pub(super) disk: D,
    pub(super) label: Label,
    pub(super) bounds: Bounds,
    pub(super) logs: [Log<D::File>; 3],
    /// Segments that are kept for somebody else to look at, until there is no room for them.
    pub(super) kept: VecDeque<Kept>,
    /// What was read and is not settled.
    pub(super) held: BTreeSet<Key>,
    /// Of all files.
    pub(super) bytes: u64,
    pub(super) next_number: u64,
    pub(super) next_segment: u64,
    pub(super) committed: u64,
    /// There is a file whose name may not stay.
    pub(super) is_named_anew: bool,
    pub(super) lost: Vec<Lost>,
    /// For what is read.
    pub(super) memory: Bodies,
}

impl<D: Disk> Store<D> {
    pub(super) fn keep(&mut self, name: String, bytes: u64) {
        self.kept.push_back(Kept { name, bytes });
    }

    pub(super) fn next_segment(&mut self) -> u64 {
        self.next_segment += 1;
        self.next_segment
    }

    /// Writes a body; it is not stored before it is [committed](Self::commit).
    pub(super) fn append(&mut self, signal: Signal, items: u32, body: &[u8], now: u64) -> io::Result<()> {
        let size = frame::size(&self.label, body) as u64;
        if size > self.bounds.bytes.min(frame::MOST) {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the body is larger than its spool may be",
            ));
        }
        self.drop_old(now);
        self.make_room(size)?;
        let at = self.open_segment(signal, size, now)?;
        let head = Head { number: self.next_number, signal, time: now, items };
        let frame = frame::encode(head, &self.label, body);
        let Self { logs, disk, .. } = self;
        let segment = &mut logs[signal as usize].segments[at];
        let Some(file) = &mut segment.file else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(e) = disk.append(file, [&frame, body]) {
            // A part of it may be there, and nothing must follow that.
            if disk.cut(file, segment.written).is_err() {
                segment.bytes += size;
                self.bytes += size;
            }
            let id = segment.id;
            self.seal(signal, id);
            return Err(e);
        }
        segment.written += size;
        segment.bytes += size;
        segment.fresh += u64::from(items);
        segment.time = now;
        self.bytes += size;
        self.next_number += 1;
        Ok(())
    }

    /// The place of the segment to which so many bytes go.
    fn open_segment(&mut self, signal: Signal, bytes: u64, now: u64) -> io::Result<usize> {
        let bounds = self.bounds;
        let last = self.logs[signal as usize].segments.back().filter(|last| last.is_open);
        if let Some(last) = last {
            let is_young = now.saturating_sub(last.since) <= bounds.age / 8;
            if last.written + bytes <= bounds.segment() && is_young {
                return Ok(self.logs[signal as usize].segments.len() - 1);
            }
            let id = last.id;
            self.seal(signal, id);
        }
        let (name, file) = self.create(signal)?;
        self.is_named_anew = true;
        let id = self.next_segment();
        let (is_open, is_damaged) = (true, false);
        let (written, committed, read, fresh, items, bytes) = (0, 0, 0, 0, 0, 0);
        let segments = &mut self.logs[signal as usize].segments;
        segments.push_back(Segment {
            id,
            name,
            is_open,
            file: Some(file),
            written,
            committed,
            read,
            fresh,
            items,
            since: now,
            time: now,
            bytes,
            is_damaged,
            at_once: AT_ONCE,
        });
        Ok(segments.len() - 1)
    }

    fn create(&mut self, signal: Signal) -> io::Result<(Name, D::File)> {
        let mut tries = 0;
        loop {
            let name = Name { number: self.next_number, signal, done: Some(0) };
            match self.disk.create(&name.to_string()) {
                Ok(file) => return Ok((name, file)),
                // Something is there that is no file.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && tries < MOST_TRIES => {
                    self.next_number += 1;
                }
                Err(e) => return Err(e),
            }
            tries += 1;
        }
    }

    /// Nothing follows any more.
    fn seal(&mut self, signal: Signal, id: u64) {
        let Some(segment) = self.logs[signal as usize].segments.iter_mut().find(|known| known.id == id)
        else {
            return;
        };
        segment.is_open = false;
        if segment.is_committed() {
            segment.file = None;
            self.finish(signal, id);
        }
    }

    /// All that was written is stored from now on; after an error, nothing of it is.
    pub(super) fn commit(&mut self) -> io::Result<u64> {
        let Self { logs, disk, .. } = self;
        let segments = logs.iter_mut().flat_map(|log| &mut log.segments);
        let mut synced = Ok(());
        for segment in segments.filter(|segment| !segment.is_committed()) {
            let file = segment.file.as_mut().ok_or(io::ErrorKind::NotFound);
            synced = synced.and_then(|()| disk.sync(file?));
        }
        if self.is_named_anew {
            synced = synced.and_then(|()| disk.sync_names());
            self.is_named_anew = synced.is_err();
        }
        let mut undone = Vec::new();
        for segment in logs.iter_mut().flat_map(|log| &mut log.segments) {
            if segment.is_committed() {
                continue;
            }
            if synced.is_ok() {
                segment.committed = segment.written;
                segment.items += segment.fresh;
            } else {
                let file = segment.file.as_mut();
                let is_cut = file.is_some_and(|file| disk.cut(file, segment.committed).is_ok());
                if is_cut {
                    self.bytes -= segment.bytes - segment.committed;
                    segment.bytes = segment.committed;
                }
                segment.written = segment.committed;
                undone.push((segment.name.signal, segment.id));
            }
            segment.fresh = 0;
            if !segment.is_open {
                segment.file = None;
            }
        }
        undone.into_iter().for_each(|(signal, id)| self.seal(signal, id));
        synced?;
        self.committed = self.next_number - 1;
        self.disk.publish(self.committed);
        Ok(self.committed)
    }

    /// The oldest body of that signal which nobody has; it stays stored until it is [settled](Self::settle).
    pub(super) fn take(&mut self, signal: Signal, now: u64) -> Option<Stored> {
        loop {
            while let Some(stored) = self.logs[signal as usize].ready.pop_front() {
                if !self.bounds.is_old(stored.time, now) {
                    return Some(stored);
                }
                self.lose(signal, stored.items, Why::Old);
                self.settle(&[(signal, stored.key)]);
            }
            self.read(signal)?;
        }
    }

    /// Whether there may be one more to take.
    pub(super) fn has(&self, signal: Signal) -> bool {
        let log = &self.logs[signal as usize];
        !log.ready.is_empty() || log.segments.iter().any(|segment| segment.read < segment.committed)
    }

    /// Reads on in the oldest segment; none where there is none that can be read.
    fn read(&mut self, signal: Signal) -> Option<()> {
        let Self { logs, disk, label, held, memory, .. } = self;
        let Log { segments, ready } = &mut logs[signal as usize];
        let mut unread = segments.iter_mut().filter(|segment| segment.read < segment.committed);
        // What can't be read now may be later.
        let (segment, content) = unread.find_map(|segment| {
            let bytes = segment.at_once.min(segment.committed - segment.read);
            let mut content = memory.take(usize::try_from(bytes).ok()?);
            disk.read(&segment.name.to_string(), segment.read, bytes, &mut content).ok()?;
            Some((segment, memory.lend(content)))
        })?;
        let (from, left) = (segment.read, segment.committed - segment.read);
        let (id, is_all) = (segment.id, segment.at_once >= left);
        let mut take = |range: Range<usize>, found| match found {
            Found::Frame(Frame { is_done: true, .. }) | Found::Torn => {}
            // Others than this one's own are set aside when it begins; before it was passed on its own had another destination.
            Found::Frame(Frame { head, label: known, body, .. })
                if known.is_like(label) && head.signal == signal =>
            {
                let key = Key { segment: id, at: from + range.start as u64 };
                held.insert(key);
                let (items, time, body) = (head.items.into(), head.time, content.slice(body));
                ready.push_back(Stored { key, signal, items, time, body });
                segment.items = segment.items.saturating_sub(items);
            }
            _ => segment.is_damaged = true,
        };
        if is_all {
            pieces(&content).for_each(|(range, found)| take(range, found));
            segment.is_damaged |= (content.len() as u64) < left;
            segment.read = segment.committed;
        } else {
            let mut end = 0;
            for (range, found) in wholes(&content) {
                end = range.end;
                take(range, found);
            }
            segment.read += end as u64;
            if end == 0 {
                // One that is larger, or none.
                segment.at_once = u64::MAX;
            }
        }
        if segment.read < segment.committed {
            return Some(());
        }
        let missing = std::mem::take(&mut segment.items);
        if missing > 0 {
            self.lose(signal, missing, Why::Damaged);
        }
        self.finish(signal, id);
        Some(())
    }

    /// Whether a body that was taken is still stored.
    pub(super) fn has_key(&self, key: Key) -> bool {
        self.held.contains(&key)
    }

    /// Bodies are done with, however that ended.
    pub(super) fn settle(&mut self, settled: &[(Signal, Key)]) {
        // Their segments may have had to go.
        let settled: Vec<_> = settled.iter().filter(|(_, key)| self.held.remove(key)).collect();
        for (signal, key) in &settled {
            let first = Key { segment: key.segment, at: 0 };
            let segments = &self.logs[*signal as usize].segments;
            // The name of a segment does not tell of it as long as an older one is out.
            if self.held.range(first..*key).next().is_some()
                && let Some(segment) = segments.iter().find(|segment| segment.id == key.segment)
            {
                // Where that fails it may be sent again.
                let _ = self.disk.overwrite(&segment.name.to_string(), key.at + frame::DONE_AT, frame::DONE);
            }
        }
        let segments: BTreeSet<_> =
            settled.iter().map(|(signal, key)| (key.segment, *signal as usize)).collect();
        for (segment, signal) in segments {
            self.finish(Signal::EACH[signal], segment);
        }
    }

    /// A segment that is done with goes; of another one its name says how far it is.
    pub(super) fn finish(&mut self, signal: Signal, id: u64) {
        let Self { logs, disk, held, .. } = self;
        let segments = &mut logs[signal as usize].segments;
        let Some(at) = segments.iter().position(|segment| segment.id == id) else { return };
        let segment = &mut segments[at];
        let from = Key { segment: id, at: 0 };
        let done =
            held.range(from..).next().filter(|key| key.segment == id).map_or(segment.read, |key| key.at);
        let is_over = done == segment.written && segment.is_committed() && !segment.is_open;
        let (old, bytes) = (segment.name.to_string(), segment.bytes);
        let name = Name { done: Some(done).filter(|_| !is_over), ..segment.name };
        let is_renamed = (!is_over || segment.is_damaged)
            && name != segment.name
            && disk.rename(&old, &name.to_string()).is_ok();
        if !is_over {
            segment.name = if is_renamed { name } else { segment.name };
            return;
        }
        let is_damaged = segment.is_damaged;
        segments.remove(at);
        if is_damaged {
            self.keep(if is_renamed { name.to_string() } else { old }, bytes);
        } else if disk.remove(&old).is_ok() {
            self.bytes -= bytes;
        } else {
            // It is tried again when room is needed.
            self.keep(old, bytes);
        }
    }

    /// What was lost since the last time, and was stored.
    pub(super) fn take_lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    fn lose(&mut self, signal: Signal, items: u64, why: Why) {
        self.lost.push(Lost { signal, items, why });
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Up to that number all frames are stored that were written.
    pub(super) fn committed(&self) -> u64 {
        self.committed
    }

    /// Segments of which even the newest frame is too old go.
    pub(super) fn drop_old(&mut self, now: u64) {
        for signal in Signal::EACH {
            while let Some(first) = self.logs[signal as usize].segments.front()
                && first.is_committed()
                && first.written > 0
                && self.bounds.is_old(first.time, now)
                && self.evict(signal, 0, Why::Old).is_ok()
            {}
        }
    }

    /// So many more bytes have room; the oldest go for them.
    pub(super) fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        while self.bytes + bytes > self.bounds.bytes {
            if let Some(kept) = self.kept.front() {
                self.disk.remove(&kept.name)?;
                self.bytes -= self.kept.pop_front().map_or(0, |kept| kept.bytes);
                continue;
            }
            let may_go = |segment: &Segment<_>| segment.is_committed() && segment.bytes > 0;
            let oldest = Signal::EACH.into_iter().filter_map(|signal| {
                let mut segments = self.logs[signal as usize].segments.iter().enumerate();
                let (at, segment) = segments.find(|(_, segment)| may_go(segment))?;
                Some((segment.name.number, signal, at))
            });
            let Some((_, signal, at)) = oldest.min_by_key(|(number, ..)| *number) else {
                return Err(io::Error::new(
                    io::ErrorKind::StorageFull,
                    "what is being stored takes all of the spool",
                ));
            };
            self.evict(signal, at, Why::Full)?;
        }
        Ok(())
    }

    /// A segment goes, and all of it that nobody has taken out is lost.
    fn evict(&mut self, signal: Signal, at: usize, why: Why) -> io::Result<()> {
        let log = &mut self.logs[signal as usize];
        self.disk.remove(&log.segments[at].name.to_string())?;
        let Some(segment) = log.segments.remove(at) else { return Ok(()) };
        self.bytes -= segment.bytes;
        let of = |stored: &Stored| stored.key.segment == segment.id;
        let ready: u64 = log.ready.iter().filter(|stored| of(stored)).map(|stored| stored.items).sum();
        log.ready.retain(|stored| !of(stored));
        self.held.retain(|key| key.segment != segment.id);
        if segment.items + ready > 0 {
            self.lose(signal, segment.items + ready, why);
        }
        Ok(())
    }

    /// What is stored from now on is for somebody else, who is sent what is there too.
    pub(super) fn serve(&mut self, label: Label, bounds: Bounds) {
        // A segment holds frames with one label.
        self.close();
        (self.label, self.bounds) = (label, bounds);
        // Where a file can't be removed, the next one is refused.
        let _ = self.make_room(0);
    }

    /// Nothing follows in this process, or in the segments that there are.
    pub(super) fn close(&mut self) {
        for signal in Signal::EACH {
            let open = self.logs[signal as usize].segments.iter().find(|segment| segment.is_open);
            if let Some(id) = open.map(|segment| segment.id) {
                self.seal(signal, id);
            }
        }
    }
}
