//! When the dispatcher looks for new items on behalf of exporters that show them as they happen. Pure: it is told the time.
//!
//! While nothing is recorded it sleeps: the next item that a thread records wakes it. While things are recorded it looks in
//! steps, so that threads that record wake nobody.

use std::time::Duration;

use crate::clock::Tick;

/// While things happen it looks that often.
const STEP: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Watch {
    /// Nothing is shown as it happens.
    #[default]
    Off,
    /// It looks again then.
    Looks(Tick),
    /// Threads have been told to tell of their next item. One that was at it just then may not have seen that, so it looks once
    /// more.
    Asks(Tick),
    /// The next item wakes it.
    Sleeps,
}

impl Watch {
    /// From now on it looks.
    pub(super) fn begin(&mut self, now: Tick) {
        if *self == Self::Off {
            *self = Self::Looks(now);
        }
    }

    /// Nobody is there any more who is shown things as they happen.
    pub(super) fn end(&mut self) {
        *self = Self::Off;
    }

    /// Whether nothing is shown as it happens.
    pub(super) fn is_off(self) -> bool {
        self == Self::Off
    }

    /// When it looks next.
    pub(super) fn next(self) -> Option<Tick> {
        match self {
            Self::Looks(at) | Self::Asks(at) => Some(at),
            Self::Off | Self::Sleeps => None,
        }
    }

    /// It has looked, and has found something or not; whether threads are to tell of their next item.
    pub(super) fn looked(&mut self, found: bool, now: Tick) -> bool {
        let is_time = self.next().is_some_and(|at| now >= at);
        match *self {
            Self::Off => return false,
            _ if found => *self = Self::Looks(now.plus(STEP)),
            Self::Looks(_) if is_time => {
                *self = Self::Asks(now.plus(STEP));
                return true;
            }
            Self::Asks(_) if is_time => *self = Self::Sleeps,
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_in_steps_while_things_happen_and_sleeps_when_nothing_does() {
        let at = |millis: u64| Tick::from_raw(millis * 1_000_000);
        let mut watch = Watch::Off;
        assert!(!watch.looked(true, at(0)) && watch.next().is_none(), "nobody is there to be shown anything");
        watch.begin(at(0));
        assert!(watch.looked(false, at(0)), "it asks to be told");
        assert_eq!(watch.next(), Some(at(20)), "and looks once more");
        assert!(!watch.looked(false, at(7)), "what else wakes it changes nothing");
        assert!(!watch.looked(false, at(20)));
        assert_eq!((watch, watch.next()), (Watch::Sleeps, None));
        // A thread has told.
        assert!(!watch.looked(true, at(1_000)));
        assert!(!watch.looked(true, at(1_020)));
        assert_eq!(watch.next(), Some(at(1_040)));
        assert!(!watch.looked(false, at(1_030)), "before its time it is not over");
        assert!(watch.looked(false, at(1_040)));
        assert!(!watch.looked(true, at(1_041)), "somebody was at it");
        assert_eq!(watch.next(), Some(at(1_061)));
    }
}
