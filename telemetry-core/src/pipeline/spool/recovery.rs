//! What an earlier process left: files go in, a spool comes out that sends them. Whatever stands in them, it begins.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Display;
use std::io;

use super::disk::Disk;
use super::frame::{Found, Frame, Label, pieces};
use super::log::{Bounds, Log, Segment};
use super::segment::{self, Name};
use super::store::Store;

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
        };
        let mut findings = Findings::default();
        for (name, bytes) in names {
            store.bytes += bytes;
            store.note_number(name.number);
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
        let Ok(content) = self.disk.read(&shown, 0, bytes) else {
            findings.unreadable += 1;
            return self.keep(shown, bytes);
        };
        let (mut items, mut times, mut is_damaged) = (0, Vec::new(), false);
        let mut foreign: Option<(u64, String)> = None;
        for (range, found) in pieces(&content) {
            let is_done = (range.start as u64) < done;
            let mut note = |items, whom: &dyn Display| {
                let (known, _) = foreign.get_or_insert_with(|| (0, whom.to_string()));
                *known += items;
            };
            match found {
                Found::Frame(Frame { head, .. }) if is_done => {
                    self.note_number(head.number);
                }
                Found::Frame(Frame { head, label, .. }) => {
                    self.note_number(head.number);
                    times.push(head.time);
                    if self.label.takes(&label) && head.signal == name.signal {
                        items += u64::from(head.items);
                    } else {
                        note(head.items.into(), &label);
                    }
                }
                Found::Unknown if !is_done => note(0, &"a later version of this program"),
                Found::Damage => {
                    findings.damaged += range.len() as u64;
                    is_damaged = true;
                }
                Found::Torn => findings.torn += range.len() as u64,
                Found::Unknown => {}
            }
        }
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
            read: if times.is_empty() { bytes } else { done.min(bytes) },
            fresh: 0,
            items,
            since: times.iter().copied().min().unwrap_or(0),
            time: times.into_iter().max().unwrap_or(0),
            bytes,
            is_damaged,
        });
        self.finish(name.signal, id);
    }

    /// A frame of that number was there: the next one has a larger one.
    fn note_number(&mut self, number: u64) {
        if number < segment::MOST {
            self.next_number = self.next_number.max(number + 1);
        }
    }
}
