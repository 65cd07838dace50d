//! What happens when the process ends by `exit`: as `main` returns, or where `std::process::exit` is called.
//!
//! What is called then runs on the thread that exits, which may have no thread-locals any more, while all others go on. A child
//! that is forked off ends without it, unless it has asked for it itself. It never comes after an end that has no hook: a signal
//! that is not handled, `abort`, `_exit`, `exec`.
#![allow(unsafe_code)] // Only C has a hook for it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use super::fork::process;

/// What is done at the end.
type Last = fn();

static LAST: OnceLock<Last> = OnceLock::new();
/// The process that asked for it.
static WANTED_IN: AtomicU32 = AtomicU32::new(u32::MAX);

/// When this process exits, `last` is called, which must not panic. There is one for all that ask.
pub fn on_exit(last: fn()) {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    let _ = LAST.set(last);
    WANTED_IN.store(process(), Relaxed);
    if !IS_SET.swap(true, Relaxed) {
        hook::set();
    }
}

#[cfg(unix)]
mod hook {
    use std::ffi::c_int;
    use std::sync::atomic::Ordering::Relaxed;

    unsafe extern "C" {
        safe fn atexit(callback: extern "C" fn()) -> c_int;
    }

    extern "C" fn exits() {
        if super::WANTED_IN.load(Relaxed) == super::process() {
            super::LAST.get().into_iter().for_each(|last| last());
        }
    }

    pub(super) fn set() {
        // It fails where there is no memory: then the end is as it would be without.
        let _ = atexit(exits);
    }
}

#[cfg(not(unix))]
mod hook {
    pub(super) fn set() {}
}
