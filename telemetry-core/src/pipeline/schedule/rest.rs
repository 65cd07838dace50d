//! What a schedule's driver sees to: its spool, and what it lets go of.

use super::Schedule;
use crate::pipeline::line::Line;
use crate::pipeline::parcel::Parcel;
use crate::pipeline::spooling::Spooling;

impl Schedule {
    /// From now on it has a spool.
    pub(crate) fn spool_to(&mut self, spool: Spooling) {
        self.spool = Some(spool);
    }

    /// It has none from now on.
    pub(crate) fn take_spool(&mut self) -> Option<Spooling> {
        self.spool.take()
    }

    /// Its spool and its lines, for the driver.
    pub(in crate::pipeline) fn spooling(&mut self) -> Option<(&mut Spooling, &mut [Line; 3])> {
        self.spool.as_mut().map(|spool| (spool, &mut self.lines))
    }

    /// A request is let go of, and waits again.
    pub(crate) fn recall(&mut self, parcel: Parcel) {
        self.lines[parcel.batch.signal() as usize].recall(parcel);
    }
}
