//! What of a signal goes to the spool, and what of it comes out of that.

use super::{NextStep, Schedule, Step};
use crate::clock::Tick;
use crate::exporters::{Activity, Signal};

impl Schedule {
    /// What of a signal is to be stored, or until when that is nothing.
    pub(super) fn next_to_store(&mut self, signal: Signal, now: Tick) -> NextStep {
        let Some(most) = self.spool.as_ref().map(|spool| spool.most_bytes().min(self.pace.limits.bytes))
        else {
            return Ok(None);
        };
        // What is stored can't be made smaller any more.
        let items = self.lines[signal as usize].items;
        let parcel = if let Some(parcel) = self.lines[signal as usize].take_again(items) {
            Some(parcel)
        } else {
            let Some(waiting) = self.lanes.waiting(signal) else { return Ok(None) };
            if let Some(until) = self.lingers(signal, waiting, most, now) {
                return Err((until, Activity::Linger));
            }
            self.lanes.take(signal, items, most)
        };
        let Some(parcel) = parcel else { return Ok(None) };
        self.lines[signal as usize].flying.push(parcel.since);
        Ok(Some(Step::Store(parcel)))
    }

    /// What is stored of a signal and may be sent, or until when that is nothing.
    pub(super) fn next_stored(&mut self, signal: Signal, is_full: bool, now: Tick) -> NextStep {
        match self.spool.as_ref().filter(|_| !is_full) {
            Some(spool) => spool.next(signal, &mut self.lines[signal as usize], &mut self.rate, now),
            None => Ok(None),
        }
    }
}
