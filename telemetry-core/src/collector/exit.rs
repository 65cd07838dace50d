//! The end of the process, for collectors that are to end with it.
//!
//! What comes in is that the process exits, or aborts by a panic; what goes out is a shutdown, as that of the guard. None of it
//! runs on the thread that ends the process, which may have lost its thread-locals, and may hold a lock of ours.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::config::Config;
use super::current;
use crate::diagnostics;
use crate::sync::on_exit;
use crate::thread::{quietly, spawn};

/// The process waits so much longer than the longest shutdown may take: for one that hangs.
const GRACE: Duration = Duration::from_secs(3);

/// Of the shutdowns that there may be at the end, in milliseconds.
static LONGEST: AtomicU64 = AtomicU64::new(0);

/// For a collector that begins.
pub(super) fn prepare(config: &Config) {
    if !config.shutdown_on_exit {
        return;
    }
    LONGEST.fetch_max(u64::try_from(config.shutdown_timeout.as_millis()).unwrap_or(u64::MAX), Relaxed);
    on_exit(end_all);
    if cfg!(panic = "abort") {
        end_after_panics();
    }
}

/// The last hook is called first, and calls those before it: what they record of the panic is there when it goes on.
fn end_after_panics() {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    // A thread that panics can set none.
    if thread::panicking() || IS_SET.swap(true, Relaxed) {
        return;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        end_all();
    }));
}

/// Shuts down all that are to end with the process, side by side, and waits for that.
fn end_all() {
    let done = Arc::new((Mutex::new(false), Condvar::new()));
    let ended = Arc::clone(&done);
    let ender = spawn("telemetry-exit", move || {
        let engines = current::all_to_end();
        thread::scope(|scope| {
            for engine in &engines {
                let end = || {
                    quietly(|| engine.end_with_process());
                };
                if thread::Builder::new().spawn_scoped(scope, end).is_err() {
                    end();
                }
            }
        });
        *ended.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        ended.1.notify_all();
    });
    if let Err(e) = ender {
        diagnostics::warn(format_args!(
            "the process ends without a shutdown: no thread could be started: {e}"
        ));
        return diagnostics::flush(GRACE);
    }
    let at_most = Duration::from_millis(LONGEST.load(Relaxed)).saturating_add(GRACE);
    let is_done = done.0.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = done.1.wait_timeout_while(is_done, at_most, |is_done| !*is_done);
}
