//! What is left in lanes whose exporter was replaced, on its way to the one that has taken its place.
//!
//! The dispatcher takes at once what waits, and later what the worker leaves: what failed, and what was out without an answer. It sees
//! to the account when the worker has ended. Where it ends itself before that, the worker keeps what it has.

use super::Lanes;
use crate::clock::Tick;
use crate::exporters::Signal;
use crate::pipeline::parcel::Parcel;
use crate::sync::lock;

impl Lanes {
    /// Another exporter takes its place: all that waits of these signals is for that one, and what the worker [leaves](Self::leave) until
    /// then.
    pub(crate) fn replace(&self, until: Tick, signals: &[Signal]) -> Vec<Parcel> {
        let mut left = Vec::new();
        self.change(|state| {
            (state.told.stop, state.told.is_replaced) = (Some(until), true);
            left.append(&mut state.handed_back);
            for signal in signals {
                state.bytes[*signal as usize] = 0;
                left.extend(std::mem::take(&mut state.waiting[*signal as usize]));
            }
            true
        });
        left
    }

    /// What the worker has left, and whether that was all of it.
    pub(crate) fn take_left(&self) -> (Vec<Parcel>, bool) {
        let mut state = lock(&self.state);
        (std::mem::take(&mut state.handed_back), state.has_left || state.told.abandoned)
    }

    /// Nobody comes to take more. False where there is something to be taken.
    pub(crate) fn forget_heir(&self) -> bool {
        let mut is_forgotten = false;
        self.change(|state| {
            is_forgotten = state.handed_back.is_empty() && !state.has_left;
            state.told.is_replaced &= !is_forgotten;
            is_forgotten
        });
        is_forgotten
    }

    /// The worker leaves that; it comes back where nobody takes it.
    pub(crate) fn leave(&self, parcels: Vec<Parcel>) -> Vec<Parcel> {
        let mut state = lock(&self.state);
        if !state.told.is_replaced {
            return parcels;
        }
        state.handed_back.extend(parcels);
        drop(state);
        (self.wake)();
        Vec::new()
    }

    /// The worker has left all, and ends; whether the dispatcher sees to its account.
    pub(crate) fn leaves(&self) -> bool {
        let mut state = lock(&self.state);
        state.has_left = state.told.is_replaced;
        let has_left = state.has_left;
        drop(state);
        if has_left {
            (self.wake)();
        }
        has_left
    }
}
