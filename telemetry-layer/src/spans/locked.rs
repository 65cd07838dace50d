//! Locks under which memory may be asked for.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

use telemetry_core::__private::Suppression;
use telemetry_core::__private::sync::{Mutex, MutexGuard};

thread_local! {
    static IS_HELD: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread has a lock of these: then it is in an allocator, whose spans were not taken down.
pub(crate) fn is_held() -> bool {
    IS_HELD.get()
}

/// What is locked. Meanwhile the layer looks away from the thread: an allocator may record what it does.
pub(crate) struct Locked<'a, T> {
    guard: MutexGuard<'a, T>,
    held_before: bool,
    _away: Suppression,
}

impl<'a, T> Locked<'a, T> {
    pub(crate) fn new(mutex: &'a Mutex<T>) -> Self {
        let (away, held_before) = (Suppression::begin(), IS_HELD.replace(true));
        let guard = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        Self { guard, held_before, _away: away }
    }
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        IS_HELD.set(self.held_before);
    }
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
