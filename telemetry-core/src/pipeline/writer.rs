//! The end of the buffers at which a thread records: it appends finished records to a block of its own, and takes no lock
//! but to lease the next one.

use std::cell::RefCell;
use std::sync::Arc;

use super::block::Block;
use super::buffers::Buffers;
use super::pool::LEAST;
use super::thread_buffer::{ThreadBuffer, increase};
use crate::exporters::Signal;
use crate::model::record::{Encoded, Words};
use crate::sync::lock;
use crate::thread::{Suppression, is_suppressed};

/// With what one thread records spans and events.
#[derive(Debug)]
pub struct Writer {
    buffers: Arc<Buffers>,
    thread: Arc<ThreadBuffer>,
    /// Of spans and of events.
    blocks: [Option<Arc<Block>>; 2],
    /// Items that the buffers have not been told of.
    untold: usize,
}

thread_local! {
    static MINE: RefCell<Vec<Writer>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f`, which runs no code of the user, with a writer of this thread.
pub(crate) fn with(buffers: &Arc<Buffers>, f: impl FnOnce(&mut Writer)) {
    let mut f = Some(f);
    let mut run = |writer: &mut Writer| f.take().into_iter().for_each(|f| f(writer));
    let known = MINE.try_with(|mine| {
        // Borrowed already only where an allocator records.
        let Ok(mut mine) = mine.try_borrow_mut() else { return run(&mut Writer::new(buffers)) };
        if let Some(writer) = mine.iter_mut().find(|writer| writer.buffers.id() == buffers.id()) {
            return run(writer);
        }
        // Those of collectors that are gone go with them.
        mine.retain(|writer| Arc::strong_count(&writer.buffers) > 1);
        let mut writer = Writer::new(buffers);
        run(&mut writer);
        mine.push(writer);
    });
    if known.is_err() {
        // The thread is ending and its locals are gone: a writer for this one item.
        run(&mut Writer::new(buffers));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.buffers.tell(self.untold);
    }
}

impl Writer {
    /// A writer for this thread.
    pub(crate) fn new(buffers: &Arc<Buffers>) -> Self {
        let thread = buffers.add_thread();
        Self { buffers: Arc::clone(buffers), thread, blocks: [None, None], untold: 0 }
    }

    /// An item that head sampling did not choose.
    #[inline]
    pub fn sampled_out(&mut self, signal: Signal) {
        increase(&self.thread.counts[signal as usize].sampled_out);
    }

    /// A span for which there was no memory while it was open.
    #[cold]
    pub fn open_spans_full(&mut self) {
        increase(&self.thread.counts[Signal::Spans as usize].open_spans_full);
    }

    /// Adds a finished record.
    pub fn push<const HEAD: usize>(&mut self, signal: Signal, record: Encoded<impl Words, HEAD>) {
        self.push_with(signal, record, |_| ());
    }

    /// The same with a record that `last` completes: when the clock is read last, what comes before and what comes after
    /// do not wait for each other.
    #[expect(clippy::inline_always, reason = "what the record is, callers know")]
    #[inline(always)]
    pub fn push_with<W: Words, const HEAD: usize>(
        &mut self,
        signal: Signal,
        mut record: Encoded<W, HEAD>,
        last: impl FnOnce(&mut Encoded<W, HEAD>) + Copy,
    ) {
        if self.buffers.is_closed() {
            return self.push_late(signal);
        }
        let block = self.blocks[signal as usize].as_ref();
        if !block.is_some_and(|block| block.push(record, last)) {
            last(&mut record);
            return self.push_to_next(signal, &record);
        }
        self.count();
    }

    #[inline]
    fn count(&mut self) {
        self.untold += 1;
        if self.untold >= self.buffers.step() {
            self.buffers.tell(std::mem::take(&mut self.untold));
        }
    }

    #[cold]
    fn push_late(&mut self, signal: Signal) {
        increase(&self.thread.counts[signal as usize].closed);
        self.blocks = [None, None];
        self.buffers.say_late(signal);
    }

    /// Begins its block anew if all of it was read, else leases the next one.
    #[cold]
    fn push_to_next<const HEAD: usize>(&mut self, signal: Signal, record: &Encoded<impl Words, HEAD>) {
        let i = signal as usize;
        // Never one of ours, which others may wait for, and none that panics.
        let may_wait = !is_suppressed() && !std::thread::panicking();
        let _away = Suppression::begin();
        let mut taken = lock(&self.thread.taken);
        let (own, need) = (self.blocks[i].as_ref(), record.words() * 8);
        let is_own_free = || own.is_some_and(|own| own.unread() == 0 && own.size() >= need);
        let before = own.map_or(LEAST / 2, |own| own.size());
        let mut leased = None;
        if !is_own_free() {
            leased = self.buffers.lease(before, need);
            if leased.is_none() && may_wait {
                // Not with the lock: what this thread has written is what makes room.
                drop(taken);
                leased = self.buffers.await_lease(before, need, is_own_free);
                taken = lock(&self.thread.taken);
            }
        }
        if leased.is_none()
            && let Some(own) = own.filter(|_| is_own_free())
        {
            own.clear();
            own.push(*record, |_| ());
            drop(taken);
            return self.count();
        }
        let Some(block) = leased else {
            return increase(&self.thread.counts[i].buffer_full);
        };
        block.push(*record, |_| ());
        let block = Arc::new(block);
        taken.blocks[i].push(Arc::clone(&block));
        drop(taken);
        self.blocks[i] = Some(block);
        self.count();
    }
}
