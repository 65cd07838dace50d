//! What a schedule does not see to itself: what its driver lets go of, its spool, and what is left for another exporter.

use super::Schedule;
#[cfg(any(feature = "net", test))]
use crate::pipeline::line::Line;
#[cfg(any(feature = "net", test))]
use crate::pipeline::parcel::Parcel;
#[cfg(any(feature = "net", test))]
use crate::pipeline::spooling::Spooling;

impl Schedule {
    /// What failed is for the exporter that has taken this one's place, if there is one.
    pub(crate) fn leave(&mut self) {
        let left: Vec<_> = self.lines.iter_mut().flat_map(|line| std::mem::take(&mut line.again)).collect();
        if !left.is_empty() {
            let kept = self.lanes.leave(left);
            kept.into_iter().for_each(|kept| self.lines[kept.batch.signal() as usize].again.push_back(kept));
        }
    }

    /// From now on it has a spool.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn spool_to(&mut self, spool: Spooling) {
        self.spool = Some(spool);
    }

    /// It has none from now on.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn take_spool(&mut self) -> Option<Spooling> {
        self.spool.take()
    }

    /// Its spool and its lines, for the driver.
    #[cfg(any(feature = "net", test))]
    pub(in crate::pipeline) fn spooling(&mut self) -> Option<(&mut Spooling, &mut [Line; 3])> {
        self.spool.as_mut().map(|spool| (spool, &mut self.lines))
    }

    /// A request is let go of, and waits again.
    #[cfg(any(feature = "net", test))]
    pub(crate) fn recall(&mut self, parcel: Parcel) {
        self.lines[parcel.batch.signal() as usize].recall(parcel);
    }
}
