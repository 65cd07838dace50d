//! Numbers that tell threads apart, and their names, for exporters that show what each thread did.
//!
//! A number is never used again in a process, unless there were 4 billion threads. The names of the threads that came last are
//! kept, also when these have ended. Whoever records is told whether anybody wants to know of threads at all.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::Suppression;
use crate::model::cut::prefix;
use crate::sync::{AsItIs, on_fork};

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(0) };
    /// Gone when the thread is ending.
    static HERE: Here = const { Here };
}

struct Here;

impl Drop for Here {
    fn drop(&mut self) {}
}

/// So many names are kept, of so many bytes.
const MOST: usize = 4096;
const NAME: usize = 64;

static WANTED: AtomicBool = AtomicBool::new(false);

/// What the layer does from then on.
type Begin = fn();

static BEGIN: OnceLock<Begin> = OnceLock::new();

/// Somebody wants to know which thread recorded what, from now on.
#[cfg(feature = "chrome-trace")]
pub(crate) fn want_threads() {
    if !WANTED.swap(true, SeqCst) {
        BEGIN.get().into_iter().for_each(|begin| begin());
    }
}

/// Whether somebody does.
pub fn are_threads_wanted() -> bool {
    WANTED.load(SeqCst)
}

/// When somebody begins to want it, `begin` is called.
#[doc(hidden)]
pub fn on_threads_wanted(begin: fn()) {
    let _ = BEGIN.set(begin);
}

fn names() -> MutexGuard<'static, VecDeque<(u32, Box<str>)>> {
    static NAMES: Mutex<VecDeque<(u32, Box<str>)>> = Mutex::new(VecDeque::new());
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// That of this thread; never 0.
#[inline]
pub fn thread_number() -> u32 {
    match NUMBER.try_with(Cell::get) {
        Ok(number @ 1..) => number,
        _ => first_number(),
    }
}

#[cold]
fn first_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Relaxed).wrapping_add(1).max(1);
    let _ = NUMBER.try_with(|own| own.set(number));
    // An allocator may record what it does.
    let _away = Suppression::begin();
    // A thread that is ending can't be asked for its name.
    let name = HERE.try_with(|_| std::thread::current().name().map(|name| prefix(name, NAME).into()));
    if let Ok(Some(name)) = name {
        static NAMED: AtomicBool = AtomicBool::new(false);
        on_fork(&NAMED, &[|| Box::new(AsItIs(names()))]);
        let mut names = names();
        if names.len() >= MOST {
            names.pop_front();
        }
        names.push_back((number, name));
    }
    number
}

/// The name of the thread with that number, if it has one and that is still kept.
#[cfg(feature = "chrome-trace")]
pub(crate) fn name_of(number: u32) -> Option<String> {
    let names = names();
    names.iter().rev().find(|(known, _)| *known == number).map(|(_, name)| name.to_string())
}

#[cfg(all(test, feature = "chrome-trace"))]
mod tests {
    use super::*;

    #[test]
    fn threads_have_numbers_of_their_own_and_the_last_names_are_kept() {
        let spawn = |name: String| {
            let thread = std::thread::Builder::new().name(name).spawn(|| (thread_number(), thread_number()));
            let (first, second) = thread.unwrap().join().unwrap();
            assert_eq!(first, second);
            first
        };
        let long = "é".repeat(NAME);
        let [a, b] = ["a".to_owned(), long.clone()].map(spawn);
        assert_ne!(a, b);
        assert_eq!(name_of(a).as_deref(), Some("a"));
        let cut = name_of(b).unwrap();
        assert!(cut.len() <= NAME && cut.len() >= NAME - 1 && long.starts_with(&cut));
        for n in 0..MOST {
            spawn(n.to_string());
        }
        assert_eq!(name_of(a), None, "only the last ones are kept");
        assert!(names().len() <= MOST);
    }

    #[test]
    fn a_thread_that_is_ending_has_a_number_too() {
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                assert!(thread_number() > 0);
            }
        }
        thread_local!(static LATE: Late = const { Late });
        std::thread::spawn(|| LATE.with(|_| ())).join().unwrap();
    }
}
