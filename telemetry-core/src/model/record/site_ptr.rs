//! A place for a call site that one thread writes and others read.
#![allow(unsafe_code)] // A pointer is the only form in which a reference is atomic.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use tracing_core::Metadata;

/// A `&'static Metadata`, or none, that can be replaced.
#[derive(Debug)]
pub struct SitePtr(AtomicPtr<Metadata<'static>>);

impl Default for SitePtr {
    fn default() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }
}

impl SitePtr {
    /// Replaces it.
    #[inline]
    pub fn set(&self, site: &'static Metadata<'static>) {
        self.0.store(ptr::from_ref(site).cast_mut(), Ordering::Release);
    }

    /// What was set last.
    #[inline]
    pub fn get(&self) -> Option<&'static Metadata<'static>> {
        // SAFETY: it is null, or was a `&'static Metadata<'static>` in `set`, the only one that stores; such a
        // reference is valid for ever and never written through, and what it points to was complete before it was
        // stored.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }
}
