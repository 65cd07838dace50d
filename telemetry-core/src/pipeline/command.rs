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
    /// What the callbacks say.
    Observed(Observations),
    /// Move everything on for the last time; workers have until then.
    Stop(Tick, Sender<()>),
}
