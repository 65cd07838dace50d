//! A child process and the collectors of its parent: it leaves them behind, and may start others.

use std::sync::Once;

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
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An allocator may record: not while all that is held.
        on_fork(|| Box::new(Suppression::begin()));
        on_fork(current::hold);
        on_fork(clock::hold);
        on_fork(hold_numbers);
        on_fork(hold_bounds);
        on_fork(page::hold);
        on_fork(diagnostics::hold);
    });
}
