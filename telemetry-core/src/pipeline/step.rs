//! What a schedule says: what is to be done next, and what became of an attempt.

use std::time::Duration;

use super::parcel::{Parcel, Tries};
#[cfg(any(feature = "net", test))]
use super::spool::Replay;
use crate::clock::Tick;
use crate::exporters::{Activity, Limits};

/// What the driver is to do.
#[derive(Debug)]
pub(crate) enum Step {
    /// Make one attempt, and say how it [ended](super::schedule::Schedule::ended).
    Attempt(Parcel),
    /// Hand it over to the spool.
    #[cfg(any(feature = "net", test))]
    Store(Parcel),
    /// Make one attempt with a stored body, and say how it [ended](super::schedule::Schedule::replayed).
    #[cfg(any(feature = "net", test))]
    Replay(Replay),
    /// Nothing until then, or until lanes or flights change.
    Wait(Option<Tick>, Activity),
    /// Nothing more: let go of what is still out.
    Done,
}

/// How a route wants to be served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Of one request, and how many may be out at once.
    pub(crate) limits: Limits,
    /// A parcel that was tried for so long is dropped.
    pub(crate) give_up_after: Duration,
    /// Few items wait so long for more.
    pub(crate) linger: Duration,
    /// Items a second.
    pub(crate) rate: Option<f64>,
}

/// What became of an attempt's items.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aftermath {
    pub(crate) delivered: u64,
    pub(crate) rejected: u64,
    pub(crate) expired: u64,
    pub(crate) next: Next,
    /// Others, whose last attempt was an earlier one, and that are given up with it.
    pub(crate) given_up: Vec<GivenUp>,
}

/// Items that are refused or expired.
#[derive(Clone, Debug)]
pub(crate) struct GivenUp {
    pub(crate) items: u64,
    pub(crate) is_refused: bool,
    pub(crate) tries: Tries,
}

/// What happens next to those that are neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: there are none.
    #[default]
    Settled,
    /// They are tried again, not before that much time has passed.
    Retry(Duration),
    /// They are tried again in smaller requests.
    Split,
}

/// A step, or none; an error says until when there is none, and why.
pub(super) type NextStep = Result<Option<Step>, (Tick, Activity)>;

impl GivenUp {
    pub(super) fn of(parcel: &Parcel, is_refused: bool) -> Self {
        Self { items: parcel.batch.len() as u64, is_refused, tries: parcel.tries.clone() }
    }
}
