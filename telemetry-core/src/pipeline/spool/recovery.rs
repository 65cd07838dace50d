//! What an earlier process left: files go in, a spool comes out that sends them. Whatever stands in them, it begins.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Display;
use std::io;

use super::disk::Disk;
use super::frame::{Found, Frame, Label, pieces_of};
use super::log::{AT_ONCE, Bounds, Log, Segment};
use super::segment::{self, Name};
use super::store::Store;
use super::stream::Stream;
use crate::pipeline::bodies::Bodies;

/// The memory of so many reads is kept for the next ones.
const MEMORY: usize = 2;

/// What an earlier process left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// What will be sent, by signal.
    pub(crate) items: [u64; 3],
    /// Bytes that were not written to their end.
    pub(crate) torn: u64,
    /// Bytes that are not what was written.
    pub(crate) damaged: u64,
    /// Items for others, and for whom the first of them are.
    pub(crate) foreign: u64,
    pub(crate) foreign_to: Option<String>,
    /// Files that can't be read.
    pub(crate) unreadable: usize,
}

impl<D: Disk> Store<D> {
    /// Takes over what is there. Only where the directory can't be listed it fails; whatever stands in the files does not matter.
    pub(super) fn open(mut disk: D, label: Label, bounds: Bounds) -> io::Result<(Self, Findings)> {
        let mut names: Vec<_> =
            disk.list()?.into_iter().filter_map(|(name, bytes)| Some((Name::parse(&name)?, bytes))).collect();
        names.sort_unstable_by_key(|(name, _)| (name.number, name.signal as usize, name.done));
        let mut store = Self {
            disk,
            label,
            bounds,
            logs: std::array::from_fn(|_| Log { segments: VecDeque::new(), ready: VecDeque::new() }),
            kept: VecDeque::new(),
            held: BTreeSet::new(),
            bytes: 0,
            next_number: 1,
            next_segment: 0,
            committed: 0,
            is_named_anew: false,
            lost: Vec::new(),
            memory: Bodies::keeping(MEMORY),
        };
        let mut findings = Findings::default();
        for (name, bytes) in names {
            store.bytes += bytes;
            note_number(name.number, &mut store.next_number);
            store.take_over(name, bytes, &mut findings);
        }
        store.committed = store.next_number - 1;
        store.disk.publish(store.committed);
        // The bound may have become smaller. Where a file can't be removed, the next one is refused.
        let _ = store.make_room(0);
        Ok((store, findings))
    }

    fn take_over(&mut self, name: Name, bytes: u64, findings: &mut Findings) {
        let shown = name.to_string();
        let Some(done) = name.done else { return self.keep(shown, bytes) };
        let Self { disk, label: own, next_number, .. } = self;
        let read = |from, most, into: &mut Vec<u8>| disk.read(&shown, from, most, into);
        let mut stream = Stream::new(read, bytes);
        let (mut items, mut times) = (0, None);
        let (mut torn, mut damaged, mut foreign) = (0, 0, None::<(u64, String)>);
        for (range, found) in pieces_of(&mut stream) {
            let is_done = (range.start as u64) < done;
            let mut note = |items, whom: &dyn Display| {
                let (known, _) = foreign.get_or_insert_with(|| (0, whom.to_string()));
                *known += items;
            };
            match found {
                Found::Frame(Frame { head, label, is_done: is_marked, .. }) => {
                    note_number(head.number, next_number);
                    if is_done || is_marked {
                        continue;
                    }
                    let (first, last) = times.unwrap_or((head.time, head.time));
                    times = Some((head.time.min(first), head.time.max(last)));
                    if own.takes(&label) && head.signal == name.signal {
                        items += u64::from(head.items);
                    } else {
                        note(head.items.into(), &label);
                    }
                }
                Found::Unknown if !is_done => note(0, &"a later version of this program"),
                Found::Unknown => {}
                Found::Damage => damaged += range.len() as u64,
                Found::Torn => torn += range.len() as u64,
            }
        }
        if stream.failed.is_some() {
            findings.unreadable += 1;
            return self.keep(shown, bytes);
        }
        findings.torn += torn;
        findings.damaged += damaged;
        if let Some((others, whom)) = foreign {
            findings.foreign += others + items;
            findings.foreign_to.get_or_insert(whom);
            return self.keep(shown, bytes);
        }
        findings.items[name.signal as usize] += items;
        let id = self.next_segment();
        self.logs[name.signal as usize].segments.push_back(Segment {
            id,
            name,
            is_open: false,
            file: None,
            written: bytes,
            committed: bytes,
            read: if times.is_none() { bytes } else { done.min(bytes) },
            fresh: 0,
            items,
            since: times.map_or(0, |(first, _)| first),
            time: times.map_or(0, |(_, last)| last),
            bytes,
            is_damaged: damaged > 0,
            at_once: AT_ONCE,
        });
        self.finish(name.signal, id);
    }
}

/// A frame of that number was there: the next one has a larger one.
fn note_number(number: u64, next: &mut u64) {
    if number < segment::MOST {
        *next = (*next).max(number + 1);
    }
}
