//! What telemetry says about itself: short lines on standard error, never through `tracing`.

use std::collections::HashSet;
use std::fmt::Arguments;
use std::io::Write as _;

use crate::sync::{Mutex, lock};
use crate::thread::Suppression;

/// One line, from a thread of ours or from whoever sets telemetry up.
pub(crate) fn warn(text: Arguments<'_>) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "telemetry: {text}");
}

/// What was said once is not said again; beyond that many things, nothing new is said.
const MOST: usize = 256;

#[derive(Default)]
struct Pending {
    said: HashSet<String>,
    lines: Vec<String>,
}

static PENDING: Mutex<Option<Pending>> = Mutex::new(None);

/// One line from a thread that records, which must not wait for standard error: the aggregator prints it. The
/// same line is printed once.
pub(crate) fn warn_later(text: Arguments<'_>) {
    let text = text.to_string();
    // The lock is held while memory is asked for.
    let _suppression = Suppression::begin();
    let mut pending = lock(&PENDING);
    let pending = pending.get_or_insert_default();
    if pending.said.len() < MOST && !pending.said.contains(&text) {
        pending.lines.push(text.clone());
        pending.said.insert(text);
    }
}

pub(crate) fn print_pending() {
    let mut pending = lock(&PENDING);
    let lines = pending.as_mut().map(|p| std::mem::take(&mut p.lines)).unwrap_or_default();
    drop(pending);
    for line in lines {
        warn(format_args!("{line}"));
    }
}

/// All that was said so far.
#[cfg(all(test, not(shuttle)))]
pub(crate) fn said() -> Vec<String> {
    let pending = lock(&PENDING);
    pending.as_ref().map(|p| p.said.iter().cloned().collect()).unwrap_or_default()
}
