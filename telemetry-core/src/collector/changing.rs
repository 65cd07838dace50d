//! How exporters and readers are replaced and removed while the collector runs.
//!
//! Nobody is waited for beyond a deadline: an exporter that hangs is given up with what it has in its hands, as at a shutdown.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::adding::Prepared;
#[cfg(any(feature = "net", test))]
use super::engine::SpoolEnd;
use super::engine::{Engine, Registered, aside, say_late};
use super::report::Report;
use crate::Error;
use crate::clock::{Tick, deadline_in};
use crate::exporters::{Route, Signal, Target};
use crate::pipeline::command::{Command, Replace};
use crate::pipeline::lanes::Lanes;
use crate::sync::lock;

/// What is ours never hangs, but may be late: the dispatcher, and what speaks to a network, which is told to end before the deadline.
const GRACE: Duration = Duration::from_secs(1);

/// One that has left, or is about to.
struct Leaving {
    number: usize,
    name: String,
    is_network: bool,
    lanes: Arc<Lanes>,
}

fn later(until: Instant) -> Instant {
    until.checked_add(GRACE).unwrap_or(until)
}

impl Leaving {
    fn of(exporter: &mut Registered) -> Self {
        exporter.is_leaving = true;
        let Registered { number, is_network, .. } = *exporter;
        Self { number, name: exporter.name.clone(), is_network, lanes: Arc::clone(&exporter.lanes) }
    }
}

impl Engine {
    /// An exporter in the place of the one of that name.
    pub(super) fn replace(&self, name: &str, route: Route, deadline: Duration) -> Result<Report, Error> {
        if self.closed.load(Relaxed) {
            return Err(Error::ShutDown);
        }
        if !self.is_enabled() {
            return Ok(self.report_of_nothing());
        }
        let Route { target, terms } = route;
        #[cfg(not(feature = "prometheus"))]
        let Target::Pushed(driver) = target;
        #[cfg(feature = "prometheus")]
        let Target::Pushed(driver) = target else {
            return Err(Error::exporter(
                "what is pulled can't take the place of an exporter; remove that, and add it",
            ));
        };
        if !lock(&self.exporters).iter().any(|exporter| exporter.is(name)) {
            return Err(self.unknown(name));
        }
        let lost_before = self.lost_late();
        let Prepared {
            mut joining,
            output,
            registered,
            #[cfg(any(feature = "net", test))]
            heir,
        } = self.prepare(driver, terms, Some(name))?;
        let (until, [by, stop]) = self.times(deadline);
        let (done, swapped) = bounded(1);
        let mut exporters = lock(&self.exporters);
        let Some(old) = exporters.iter_mut().find(|exporter| exporter.is(name)) else {
            drop(exporters);
            return Err(self.unknown(name));
        };
        #[cfg(any(feature = "net", test))]
        if let Some((shelf, heir)) = heir {
            let is_it = |end: &&SpoolEnd| Arc::ptr_eq(&end.shelf, &shelf) && end.is_there.load(Relaxed);
            let of_old = old.spool.as_ref().filter(is_it);
            if of_old.is_none_or(|end| end.heirs.send(heir).is_err()) {
                drop(exporters);
                return Err(Error::exporter("another one has the directory of its spool by now"));
            }
        }
        self.books.join(output.number);
        let replace = Replace { number: old.number, by, until: stop, heir: Box::new(output), done };
        // Those that come at the same time follow in the order in which they are here.
        let is_told = self.commands.send(Command::Replace(Box::new(replace))).is_ok();
        let mut old = std::mem::replace(old, registered);
        let leaving = Leaving::of(&mut old);
        exporters.push(old);
        drop(exporters);
        // Not before that is known whose what waits is.
        joining.has_joined =
            is_told && swapped.recv_deadline(later(until)) != Err(RecvTimeoutError::Disconnected);
        if !joining.has_joined {
            return Err(Error::ShutDown);
        }
        Ok(self.wait_gone(&leaving, until, &lost_before))
    }

    /// The exporter of that name goes, or the reader.
    pub(super) fn remove(&self, name: &str, deadline: Duration) -> Result<Report, Error> {
        if self.closed.load(Relaxed) {
            return Err(Error::ShutDown);
        }
        if !self.is_enabled() {
            return Ok(self.report_of_nothing());
        }
        let (until, times) = self.times(deadline);
        let lost_before = self.lost_late();
        let leaving = lock(&self.exporters).iter_mut().find(|exporter| exporter.is(name)).map(Leaving::of);
        let Some(leaving) = leaving else { return self.remove_reader(name, until) };
        let (done, is_out) = bounded(1);
        if self.commands.send(Command::Remove(leaving.number, times, done)).is_ok() {
            let _ = is_out.recv_deadline(later(until));
        }
        Ok(self.wait_gone(&leaving, until, &lost_before))
    }

    fn remove_reader(&self, name: &str, until: Instant) -> Result<Report, Error> {
        let mut readers = lock(&self.readers);
        let Some(place) = readers.iter().position(|reader| reader.name == name) else {
            drop(readers);
            return Err(self.unknown(name));
        };
        let reader = readers.remove(place);
        drop(readers);
        #[cfg(feature = "prometheus")]
        if let Some((address, path)) = &reader.page {
            self.server.hide(*address, path, until);
        }
        let ended = aside(|| reader.end()).map_err(Error::Thread)?;
        let complete = ended.recv_deadline(until).is_ok();
        let late = if complete { Vec::new() } else { vec![name.to_owned()] };
        Ok(Report { ledger: self.ledger(), complete, late })
    }

    /// When all is over; by when it has to have begun, and by when an exporter has to end, so that it can say how.
    fn times(&self, deadline: Duration) -> (Instant, [Tick; 2]) {
        (deadline_in(deadline), [self.clock.now().plus(deadline / 2), self.end_of_workers(deadline)])
    }

    /// It is given up where it has not ended by then.
    fn wait_gone(&self, gone: &Leaving, until: Instant, before: &[(String, Signal, u64)]) -> Report {
        let until = if gone.is_network { later(until) } else { until };
        let late = self.books.wait_ended(Some(gone.number), until);
        gone.lanes.abandon();
        self.books.withdraw(gone.number);
        lock(&self.exporters).retain(|exporter| exporter.number != gone.number);
        let lost_now = self.lost_late().into_iter().filter(|(name, ..)| *name == gone.name);
        let known = |name: &str, signal| {
            let of = before.iter().find(|(known, of, _)| known == name && *of == signal);
            of.map_or(0, |(.., lost)| *lost)
        };
        let new = lost_now.map(|(name, signal, lost)| {
            let lost = lost - known(&name, signal).min(lost);
            (name, signal, lost)
        });
        say_late(&new.collect::<Vec<_>>());
        let ledger = self.ledger();
        let accounts = Signal::EACH.iter().filter_map(|signal| ledger.exporter(&gone.name, *signal));
        let lost: u64 = accounts.map(|account| account.rejected + account.dropped.total()).sum();
        Report { ledger, complete: late.is_empty() && lost == 0, late }
    }
}
