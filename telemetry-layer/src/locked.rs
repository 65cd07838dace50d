//! Locks under which memory may be asked for.

use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

use telemetry_core::sync::{Mutex, MutexGuard};
use telemetry_core::thread::Suppression;

/// What is locked. Meanwhile the layer looks away from the thread: an allocator may record what it does.
pub(crate) struct Locked<'a, T> {
    guard: MutexGuard<'a, T>,
    _away: Suppression,
}

impl<'a, T> Locked<'a, T> {
    pub(crate) fn new(mutex: &'a Mutex<T>) -> Self {
        let away = Suppression::begin();
        Self { guard: mutex.lock().unwrap_or_else(PoisonError::into_inner), _away: away }
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
