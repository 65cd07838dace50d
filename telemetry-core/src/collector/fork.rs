//! A child process and the collectors of its parent: it leaves them behind, and may start others.

use std::sync::atomic::AtomicBool;

use super::current;
use crate::clock;
use crate::diagnostics;
use crate::metrics::{hold_bounds, hold_numbers, page};
use crate::sync::on_fork;
use crate::thread::Suppression;

/// From now on a child that this process forks finds no lock that another thread had, ids of its own, and no collector.
///
/// The locks are those that a child takes that has left the collectors behind: of what all threads of a process share.
pub(super) fn prepare() {
    static NAMED: AtomicBool = AtomicBool::new(false);
    on_fork(
        &NAMED,
        &[
            // An allocator may record: not while all that is held.
            || Box::new(Suppression::begin()),
            current::hold,
            clock::hold,
            hold_numbers,
            hold_bounds,
            page::hold,
            diagnostics::hold,
        ],
    );
}
