//! A reference that one thread leaves and others find.
#![allow(unsafe_code)] // A pointer is the only form in which a reference is atomic.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A `&'static T`, or none, that can be replaced.
#[derive(Debug)]
pub struct StaticRef<T: Sync + 'static>(AtomicPtr<T>);

impl<T: Sync> Default for StaticRef<T> {
    fn default() -> Self {
        Self::none()
    }
}

impl<T: Sync> StaticRef<T> {
    /// None.
    pub const fn none() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// Replaces it.
    #[inline]
    pub fn set(&self, value: &'static T) {
        self.0.store(ptr::from_ref(value).cast_mut(), Ordering::Release);
    }

    /// From now on there is none.
    pub fn clear(&self) {
        self.0.store(ptr::null_mut(), Ordering::Release);
    }

    /// What was set last.
    #[inline]
    pub fn get(&self) -> Option<&'static T> {
        // SAFETY: it is null, or was a `&'static T` in `set` or `get_or_set`, the only ones that store; such a
        // reference is valid for ever and never written through, what it points to was complete before it was stored,
        // and any thread may have it, as `T` is `Sync`.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// What was set first, be it this.
    pub fn get_or_set(&self, value: &'static T) -> &'static T {
        let own = ptr::from_ref(value).cast_mut();
        let _ = self.0.compare_exchange(ptr::null_mut(), own, Ordering::AcqRel, Ordering::Acquire);
        self.get().unwrap_or(value)
    }
}
