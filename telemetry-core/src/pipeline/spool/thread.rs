//! The thread of a spool: it alone writes and reads, so a disk that is slow holds up neither the exporter's requests nor anybody
//! who records. Bodies that wait for it are committed together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::disk::{Directory, OWNER, make};
use super::frame::Label;
use super::log::{Bounds, Key, Why};
use super::mounts::network;
use super::recovery::Findings;
use super::shelf::{Figures, Replay, Shelf};
use super::store::Store;
use crate::clock::Clock;
use crate::exporters::Signal;
use crate::files::Owner;
use crate::pipeline::books::{Books, Outcome};
use crate::pipeline::feedback::Complaints;
use crate::pipeline::lanes::Lanes;
use crate::pipeline::ledger::Reason;
use crate::pipeline::parcel::Parcel;
use crate::thread::spawn;

/// A directory that this exporter has, and nobody else.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    owner: Owner,
}

impl Place {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory where it is missing; an error where somebody else has it.
    pub(crate) fn take(path: &Path) -> std::io::Result<Self> {
        // The program may change its working directory.
        let path = std::path::absolute(path)?;
        make(&path)?;
        let mut owner = Owner::new(path.join(OWNER));
        owner.hold()?;
        Ok(Self { path, owner })
    }
}

/// For whom a spool works.
pub(crate) struct For {
    pub(crate) account: usize,
    pub(crate) books: Arc<Books>,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) complaints: Arc<Complaints>,
    /// How its bodies are written, and where they go, without secrets.
    pub(crate) format: String,
    pub(crate) destination: String,
    /// It sends what was stored for other destinations too.
    pub(crate) takes_all: bool,
}

impl For {
    fn label(&self) -> Label {
        Label::new(&self.format, &self.destination).of_all(self.takes_all)
    }
}

/// The worker's end of a spool.
#[derive(Debug)]
pub(crate) struct Spool {
    account: usize,
    books: Arc<Books>,
    /// Never full for long: so much is stored at once, and no more than was ready is settled.
    orders: Option<Sender<Order>>,
    ended: Receiver<()>,
    shelf: Arc<Shelf>,
    /// Of which the thread is told when there are some more of them.
    settled: Vec<(Signal, Key)>,
}

/// Who has a spool next.
pub(crate) struct Heir {
    pub(crate) spool: Sender<Spool>,
    pub(crate) lanes: Arc<Lanes>,
}

impl Heir {
    /// It has it from now on; given back where it is not there any more.
    pub(crate) fn give(self, spool: Spool) -> Option<Spool> {
        let unsent = self.spool.send(spool).err().map(|unsent| unsent.0);
        self.lanes.wake();
        unsent
    }
}

enum Order {
    Store(Box<Bound>),
    Settle(Vec<(Signal, Key)>),
    /// From now on it works for somebody else, in other bounds.
    Serve(Box<For>, Bounds),
}

/// A body on its way to the disk.
#[derive(Debug)]
struct Bound {
    parcel: Parcel,
    body: Bytes,
    /// So many of its items are not in the body.
    rejected: u64,
}

impl Spool {
    /// Starts the thread; what it finds it tells the books.
    pub(crate) fn start(place: Place, bounds: Bounds, whose: For) -> std::io::Result<Self> {
        let ((orders, to_do), (end, ended)) = (unbounded(), bounded(0));
        let (account, books) = (whose.account, Arc::clone(&whose.books));
        let shelf = Arc::new(Shelf::new(Arc::clone(&whose.lanes)));
        let keeper = Keeper { place, bounds, whose, shelf: Arc::clone(&shelf), store: None };
        spawn("telemetry-spool", move || {
            // It is dropped last: by then the directory is free.
            let _end = end;
            keeper.run(&to_do);
        })?;
        Ok(Self { account, books, orders: Some(orders), ended, shelf, settled: Vec::new() })
    }

    pub(crate) fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// Hands a parcel over, which is settled when it is stored and [comes back](Shelf::take_failed) when it can't be; at once
    /// where nobody is there to do it.
    pub(crate) fn store(&self, parcel: Parcel, body: Bytes, rejected: u64) -> Option<Parcel> {
        let Some(orders) = &self.orders else { return Some(parcel) };
        self.shelf.is_storing();
        let order = Order::Store(Box::new(Bound { parcel, body, rejected }));
        match orders.send(order).map_err(|unsent| unsent.0) {
            Ok(()) | Err(Order::Settle(..) | Order::Serve(..)) => None,
            Err(Order::Store(bound)) => {
                self.shelf.stored(1, [false; 3], Vec::new());
                Some(bound.parcel)
            }
        }
    }

    /// It works for another exporter of that account from now on, which writes in the same format.
    pub(crate) fn pass_to(&self, whose: For, bounds: Bounds) {
        self.shelf.pass_to(Arc::clone(&whose.lanes));
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order::Serve(Box::new(whose), bounds));
        }
    }

    /// A stored body is done with; the thread is [told](Self::tell_settled) later.
    pub(crate) fn settle(&mut self, replay: &Replay, outcome: Outcome) {
        self.books.unspool(self.account, replay.signal(), replay.items(), outcome);
        self.settled.push((replay.signal(), replay.stored.key));
    }

    /// Of so many settled bodies the thread was not told.
    pub(crate) fn settled(&self) -> usize {
        self.settled.len()
    }

    /// Tells the thread what is settled. Each time it wakes takes from whoever sends.
    pub(crate) fn tell_settled(&mut self) {
        let settled = std::mem::take(&mut self.settled);
        if let Some(orders) = self.orders.as_ref().filter(|_| !settled.is_empty()) {
            let _ = orders.send(Order::Settle(settled));
        }
    }

    /// Nothing follows: what was handed over is stored, and the directory is free when this returns, but for a disk that hangs.
    pub(crate) fn close(&mut self, until: Instant) {
        self.tell_settled();
        self.orders = None;
        let _ = self.ended.recv_deadline(until);
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.tell_settled();
    }
}

/// So many bodies are committed together at most.
const MOST_TOGETHER: usize = 64;
/// It looks that often whether something has become too old.
const TICK: Duration = Duration::from_mins(1);

struct Keeper {
    place: Place,
    bounds: Bounds,
    whose: For,
    shelf: Arc<Shelf>,
    /// None where the directory can't be read.
    store: Option<Store<Directory>>,
}

impl Keeper {
    fn run(mut self, orders: &Receiver<Order>) {
        if let Some(kind) = network(&self.place.path) {
            let why = "after a crash what was stored may not be there, and locks may hold nobody off";
            self.say("spool far away", 0, format_args!("its spool {} is on {kind}: {why}", self.shown()));
        }
        self.open();
        self.go_on();
        loop {
            let mut group = Vec::new();
            match orders.recv_timeout(TICK) {
                Ok(first) => {
                    for order in std::iter::once(first).chain(orders.try_iter().take(MOST_TOGETHER - 1)) {
                        match (order, &mut self.store) {
                            (Order::Store(bound), _) => group.push(*bound),
                            (Order::Settle(settled), Some(store)) => store.settle(&settled),
                            (Order::Settle(..), None) => {}
                            (Order::Serve(whose, bounds), _) => {
                                self.put(std::mem::take(&mut group));
                                self.serve(*whose, bounds);
                            }
                        }
                    }
                    self.put(group);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.go_on();
        }
        self.close();
    }

    fn open(&mut self) {
        match Store::open(Directory::new(&self.place.path), self.whose.label(), self.bounds) {
            Ok((store, findings)) => {
                for (signal, items) in Signal::EACH.into_iter().zip(findings.items).filter(|(_, n)| *n > 0) {
                    self.whose.books.recover(self.whose.account, signal, items);
                }
                self.say_found(findings);
                self.store = Some(store);
            }
            Err(e) => self.say("spool", 0, format_args!("its spool {} can't be read: {e}", self.shown())),
        }
    }

    fn serve(&mut self, whose: For, bounds: Bounds) {
        (self.whose, self.bounds) = (whose, bounds);
        if let Some(store) = &mut self.store {
            store.serve(self.whose.label(), bounds);
        }
    }

    fn shown(&self) -> String {
        format!("`{}`", self.place.path.display())
    }

    fn say(&self, kind: &'static str, items: u64, text: std::fmt::Arguments<'_>) {
        self.whose.complaints.say(kind, items, text);
    }

    fn say_found(&self, findings: Findings) {
        let Findings { torn, damaged, foreign, foreign_to, unreadable, .. } = findings;
        let shown = self.shown();
        if let Some(whom) = foreign_to {
            let why = "they are left for it, until their room is needed";
            self.say(
                "spool of others",
                0,
                format_args!("in its spool {shown} {foreign} items are for {whom}; {why}"),
            );
        }
        if damaged + torn > 0 {
            let why = "what stands behind them is sent";
            self.say(
                "spool damaged",
                0,
                format_args!("in its spool {shown} {damaged} bytes are damaged and {torn} torn; {why}"),
            );
        }
        if unreadable > 0 {
            self.say(
                "spool unreadable",
                0,
                format_args!("in its spool {shown} {unreadable} files can't be read"),
            );
        }
    }

    /// Stores these together.
    fn put(&mut self, group: Vec<Bound>) {
        if group.is_empty() {
            return;
        }
        if self.store.is_none() {
            self.open();
        }
        let (bodies, now) = (group.len(), self.whose.clock.unix_nanos());
        let (mut written, mut failed, mut why) = (Vec::new(), Vec::new(), None);
        for bound in group {
            let Bound { parcel, body, rejected } = &bound;
            let items = (parcel.batch.len() as u64).saturating_sub(*rejected);
            let items = u32::try_from(items).unwrap_or(u32::MAX);
            let store = self.store.as_mut();
            let ended = store.map(|store| store.append(parcel.batch.signal(), items, body, now));
            match ended {
                Some(Ok(())) => written.push(bound),
                Some(Err(e)) => {
                    why = Some(e);
                    failed.push(bound);
                }
                None => failed.push(bound),
            }
        }
        if let Some(store) = &mut self.store
            && !written.is_empty()
            && let Err(e) = store.commit()
        {
            why = Some(e);
            failed.append(&mut written);
        }
        let mut stored = [false; 3];
        for Bound { parcel, rejected, .. } in written {
            stored[parcel.batch.signal() as usize] = true;
            self.whose.lanes.done(parcel.batch.signal(), parcel.batch.bytes());
            parcel.settle(Outcome::Spooled { rejected });
        }
        if let Some(e) = why {
            let why = "what waits stays in memory meanwhile";
            self.say("spool", 0, format_args!("its spool {} can't be written to: {e}; {why}", self.shown()));
        }
        self.shelf.stored(bodies, stored, failed.into_iter().map(|bound| bound.parcel).collect());
    }

    /// Says what was lost, and hands out what is next.
    fn go_on(&mut self) {
        let Some(store) = &mut self.store else { return self.shelf.note(Figures::default()) };
        let now = self.whose.clock.unix_nanos();
        store.drop_old(now);
        for signal in Signal::EACH {
            let room = self.shelf.room(signal);
            let more = std::iter::from_fn(|| store.take(signal, now)).take(room).collect();
            self.shelf.put(signal, more, store.has(signal));
        }
        let (lost, figures) =
            (store.take_lost(), Figures { bytes: store.bytes(), committed: store.committed() });
        for lost in lost {
            self.lose(lost.signal, lost.items, lost.why);
        }
        self.shelf.note(figures);
    }

    fn lose(&self, signal: Signal, items: u64, why: Why) {
        let (reason, text) = match why {
            Why::Full => (Reason::SpoolFull, "its spool (`spool_bytes`) is full"),
            Why::Old => (Reason::Expired, "they were in its spool for too long (`spool_age`)"),
            Why::Damaged => (Reason::SpoolDamaged, "they can't be read in its spool any more"),
        };
        self.whose.books.unspool(self.whose.account, signal, items, Outcome::Dropped(reason));
        self.say("lost in its spool", items, format_args!("lost {}: {text}", signal.amount(items)));
    }

    fn close(mut self) {
        let Some(store) = &mut self.store else { return };
        // What had to go while it was ready to be sent will not be found.
        let gone: Vec<Replay> =
            self.shelf.take_all().into_iter().filter(|replay| !store.has_key(replay.stored.key)).collect();
        store.close();
        gone.iter().for_each(|replay| self.lose(replay.signal(), replay.items(), Why::Full));
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.place.owner.release();
    }
}
