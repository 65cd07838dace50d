//! What telemetry says about itself: short lines on standard error, never through `tracing`.
//!
//! A thread of its own writes them, so nobody waits where standard error is a pipe that nobody reads. What waits is bounded;
//! lines for which there is no room are counted, and that is said.

use std::collections::{HashSet, VecDeque};
use std::fmt::Arguments;
use std::io::Write as _;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sync::ForkLock;
use crate::text;
use crate::thread::{Suppression, spawn};

/// So many lines wait, each of at most so many bytes.
const MOST: usize = 256;
const MOST_BYTES: usize = 4 << 10;
/// A report of a shutdown has as many lines as there are exporters.
const MOST_OF_REPORT: usize = 64 << 10;

static LINES: Mutex<Lines> = Mutex::new(Lines::new());
static CHANGED: Condvar = Condvar::new();

struct Lines {
    waiting: VecDeque<String>,
    /// Lines for which there was no room.
    dropped: u64,
    /// The thread is there.
    has_writer: bool,
    is_writing: bool,
    /// What was said once is not said again; beyond so many things, nothing new is said.
    said: Option<HashSet<String>>,
}

impl Lines {
    const fn new() -> Self {
        Self { waiting: VecDeque::new(), dropped: 0, has_writer: false, is_writing: false, said: None }
    }

    fn add(&mut self, line: String) {
        if self.waiting.len() < MOST {
            self.waiting.push_back(line);
        } else {
            self.dropped += 1;
        }
    }

    /// What is to be written next; what there was no room for comes when all else is written.
    fn next(&mut self) -> Option<String> {
        self.waiting.pop_front().or_else(|| {
            let dropped = std::mem::take(&mut self.dropped);
            (dropped > 0).then(|| format!("{dropped} more lines could not be written"))
        })
    }

    fn is_done(&self) -> bool {
        !self.is_writing && self.waiting.is_empty() && self.dropped == 0
    }
}

fn lines() -> MutexGuard<'static, Lines> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is said while the process forks.
pub(crate) fn hold() -> Box<dyn ForkLock> {
    Box::new(lines())
}

/// What its parent has to say the parent says.
impl ForkLock for MutexGuard<'static, Lines> {
    fn in_child(&mut self) {
        **self = Lines::new();
    }
}

/// One line, from a thread of ours or from whoever sets telemetry up. Nobody waits until it is written.
pub fn warn(text: Arguments<'_>) {
    put(text::line(text, MOST_BYTES));
    start();
}

/// Some lines.
pub(crate) fn warn_report(text: Arguments<'_>) {
    put(text::lines(text, MOST_OF_REPORT));
    start();
}

/// One line from a thread that records, which starts no thread. The same line is written once.
pub fn warn_once(text: Arguments<'_>) {
    let text = text::line(text, MOST_BYTES);
    // The lock is held while memory is asked for.
    let _away = Suppression::begin();
    let mut known = lines();
    let said = known.said.get_or_insert_default();
    if said.len() >= MOST || !said.insert(text.clone()) {
        return;
    }
    drop(known);
    put(text);
}

/// Something was recorded after the end, for the usual reason. The program may end at any moment, so this waits for a
/// little while, once.
#[cold]
pub(crate) fn say_late() {
    warn_once(format_args!(
        "something was recorded after the shutdown of its collector, and is lost. Is the guard kept until the end of \
         `main`? (`let _telemetry = ..`, not `let _ = ..`)"
    ));
    flush(Duration::from_millis(10));
}

/// The same in a process that was forked from the one whose collector it was.
#[cold]
pub(crate) fn say_in_child() {
    warn_once(format_args!(
        "this process was forked from one that records: what it records for the collector of that one is lost. It may \
         start a collector of its own"
    ));
    flush(Duration::from_millis(10));
}

/// Starts the thread that writes, where it is not there yet.
pub(crate) fn start() {
    let mut known = lines();
    if known.has_writer || known.waiting.is_empty() {
        return;
    }
    known.has_writer = spawn("telemetry-stderr", write).is_ok();
}

/// Waits until all that was said is written, but only so long.
pub(crate) fn flush(at_most: Duration) {
    start();
    let (until, mut known) = (Instant::now() + at_most, lines());
    while known.has_writer && !known.is_done() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        known = CHANGED.wait_timeout(known, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn put(line: String) {
    let _away = Suppression::begin();
    lines().add(line);
    CHANGED.notify_all();
}

fn write() {
    let mut known = lines();
    loop {
        let Some(line) = known.next() else {
            known.is_writing = false;
            CHANGED.notify_all();
            known = CHANGED.wait(known).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        known.is_writing = true;
        drop(known);
        write_out(&line);
        known = lines();
    }
}

/// Where standard error is closed there is nobody to tell.
fn write_out(line: &str) {
    let line = format!("telemetry: {line}\n");
    // Not with the lock of `std::io::stderr`: a child of a process that forks meanwhile would never get it.
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        if let Ok(stderr) = std::io::stderr().as_fd().try_clone_to_owned() {
            let _ = std::fs::File::from(stderr).write_all(line.as_bytes());
            return;
        }
    }
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// All that was said once so far.
#[cfg(test)]
pub(crate) fn said() -> Vec<String> {
    lines().said.as_ref().map(|said| said.iter().cloned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_room_are_counted_and_that_is_said_last() {
        let mut lines = Lines::new();
        (0..MOST + 3).for_each(|n| lines.add(n.to_string()));
        assert_eq!((0..MOST).filter_map(|_| lines.next()).last(), Some((MOST - 1).to_string()));
        assert!(!lines.is_done());
        assert_eq!(lines.next(), Some("3 more lines could not be written".to_owned()));
        assert!(lines.next().is_none() && lines.is_done());
    }
}
