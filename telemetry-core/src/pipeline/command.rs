//! What the dispatcher is told.

use crossbeam_channel::Sender;

use super::books::Flush;
use super::output::Output;
use crate::clock::Tick;
use crate::metrics::Observations;

/// One thing that it is to do.
pub(crate) enum Command {
    /// Look whether something is to be done: many items wait, a lane has room again, time has passed.
    Wake,
    /// Move everything on now, and say what to wait for; somebody waits until then.
    Flush(Tick, Sender<Flush>),
    /// One more exporter, which has all from the answer on.
    Add(Box<Output>, Sender<()>),
    /// Another exporter in the place of one.
    Replace(Box<Replace>),
    /// That exporter goes, when it has what was recorded until now, or at the first of these times; its worker has until the second.
    Remove(usize, [Tick; 2], Sender<()>),
    /// What the callbacks say.
    Observed(Observations),
    /// Move everything on for the last time; workers have until then.
    Stop(Tick, Sender<()>),
}

/// An exporter that takes the place of another one.
pub(crate) struct Replace {
    pub(crate) number: usize,
    /// It does so by then.
    pub(crate) by: Tick,
    /// The other one may wait so long for answers.
    pub(crate) until: Tick,
    pub(crate) heir: Box<Output>,
    pub(crate) done: Sender<()>,
}
