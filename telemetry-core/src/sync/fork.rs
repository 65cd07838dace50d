//! What happens when the process forks: the child has one thread, the one that forked, and copies of everything else.
//!
//! A lock that another thread had at that moment would be held in the child for ever. So the locks that the child needs are named
//! here: the thread that forks takes them, and parent and child let go of them, the child after it has put in order what they
//! guard. What has locks that can't be named, because there may be any number of it, knows by an [`Origin`] that it comes
//! from another process, and goes without.
#![allow(unsafe_code)] // Only C has a hook for it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock that is held while the process forks.
pub trait ForkLock {
    /// Puts in order, in the child, what it guards.
    fn in_child(&mut self) {}
}

/// Takes a lock.
type Hold = fn() -> Box<dyn ForkLock>;

static HOLDS: Mutex<Vec<Hold>> = Mutex::new(Vec::new());

/// How many forks lie between the program's first process and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static HELD: RefCell<Option<Holding>> = const { RefCell::new(None) };
}

/// All locks that are held, and first that of their list.
struct Holding(MutexGuard<'static, Vec<Hold>>, Vec<Box<dyn ForkLock>>);

/// From now on these locks are held while the process forks, after those that were named before: a thread that has one of them may
/// ask for those behind it, and not the other way round. `are_named` says whether they are.
pub fn on_fork(are_named: &AtomicBool, locks: &[Hold]) {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    if are_named.load(Relaxed) {
        return;
    }
    let mut holds = holds();
    // Nobody waits for another thread to be done with it, which a child would do for ever.
    if !are_named.swap(true, Relaxed) {
        holds.extend(locks);
    }
    drop(holds);
    if !IS_SET.swap(true, Relaxed) {
        hook::set();
    }
}

/// The process in which something was made.
#[derive(Clone, Copy, Debug)]
pub struct Origin(u32);

impl Origin {
    /// This one.
    pub fn here() -> Self {
        Self(process())
    }

    /// Whether it is this one.
    pub fn is_here(self) -> bool {
        self.0 == process()
    }
}

/// Tells a process from those that it was forked from.
pub(super) fn process() -> u32 {
    FORKS.load(Relaxed)
}

/// A lock whose content is whole as it is.
pub struct AsItIs<G>(pub G);

impl<G> ForkLock for AsItIs<G> {}

fn holds() -> MutexGuard<'static, Vec<Hold>> {
    HOLDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Without locks where the thread is ending, and has no memory of its own any more.
fn hold_all() {
    let holds = holds();
    let held = holds.iter().map(|hold| hold()).collect();
    let _ = HELD.try_with(|own| own.replace(Some(Holding(holds, held))));
}

fn let_go(is_child: bool) {
    let Some(Holding(holds, mut held)) = HELD.try_with(RefCell::take).ok().flatten() else { return };
    if is_child {
        held.iter_mut().for_each(|held| held.in_child());
    }
    // The first one last: meanwhile the thread may be told to record nothing.
    held.drain(..).rev().for_each(drop);
    drop(holds);
}

#[cfg(unix)]
mod hook {
    use std::ffi::c_int;
    use std::sync::atomic::Ordering::Relaxed;

    unsafe extern "C" {
        safe fn pthread_atfork(
            prepare: Option<extern "C" fn()>,
            parent: Option<extern "C" fn()>,
            child: Option<extern "C" fn()>,
        ) -> c_int;
    }

    extern "C" fn prepare() {
        super::hold_all();
    }

    extern "C" fn parent() {
        super::let_go(false);
    }

    extern "C" fn child() {
        super::FORKS.fetch_add(1, Relaxed);
        super::let_go(true);
    }

    pub(super) fn set() {
        // It fails where there is no memory: then a fork is as it would be without.
        let _ = pthread_atfork(Some(prepare), Some(parent), Some(child));
    }
}

#[cfg(not(unix))]
mod hook {
    pub(super) fn set() {}
}
