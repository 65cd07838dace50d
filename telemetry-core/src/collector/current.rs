//! Which collector instruments feed: the only global that holds one.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::engine::Engine;
use crate::diagnostics::warn_once;
#[cfg(feature = "catalogue")]
use crate::metrics::catalogue;
use crate::metrics::page;
use crate::sync::{ForkLock, StaticRef};

static GLOBAL: StaticRef<Arc<Engine>> = StaticRef::none();

thread_local! {
    /// Never left filled when a thread ends: without a destructor it can be used in those of others.
    static SCOPED: RefCell<Option<ManuallyDrop<Arc<Engine>>>> = const { RefCell::new(None) };
}

/// Some thread has had a current collector.
static EVER: AtomicBool = AtomicBool::new(false);

/// Beside a layer, half of the set-up is not there where no thread has ever had a current collector, and there are attributes.
#[cfg(feature = "catalogue")]
pub(super) fn say_if_attributes_feed_nobody() {
    if !EVER.load(Relaxed) && catalogue::is_any() {
        warn_once(format_args!(
            "there is a layer, but attributes and instruments feed nobody: no collector was made current. Call `install()` on \
             it, or run inside of `collector.scoped(..)`"
        ));
    }
}

/// Makes it the global one; false if there is one already.
pub(super) fn install(engine: &Arc<Engine>) -> bool {
    EVER.store(true, Relaxed);
    // Under it nobody else is first.
    let all = all();
    let is_first = GLOBAL.get().is_none();
    if is_first {
        GLOBAL.set(Box::leak(Box::new(Arc::clone(engine))));
        engine.is_global.store(true, Relaxed);
    }
    drop(all);
    if let Some((module, attribute)) = MAIN.get() {
        warn_once(format_args!(
            "`#[{attribute}]` on `{module}::main` measures nothing: the call began before telemetry did. Put what is to \
             be measured into a function that it calls, and the attribute there"
        ));
    }
    is_first
}

/// Where a `main` began with nothing that could take its call, and what attribute it has.
static MAIN: OnceLock<(&str, &str)> = OnceLock::new();

/// The call of a `main` with that attribute begins, which is measured by the collector that is current now.
pub(crate) fn expect_nothing_of_main(module: &'static str, attribute: &'static str) {
    if get().is_none() {
        let _ = MAIN.set((module, attribute));
    }
}

/// By their number.
type All = Vec<(u64, Weak<Engine>)>;

/// All collectors that there are.
fn all() -> MutexGuard<'static, All> {
    static ALL: Mutex<All> = Mutex::new(Vec::new());
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While the process forks.
pub(super) fn hold() -> Box<dyn ForkLock> {
    Box::new(all())
}

/// A child leaves the collectors of its parent behind, and has none.
impl ForkLock for MutexGuard<'static, All> {
    fn in_child(&mut self) {
        for engine in self.drain(..).filter_map(|(_, engine)| engine.upgrade()) {
            engine.leave_behind();
            // Its threads are not here: nothing that waits for them, or that they have, can be let go of.
            std::mem::forget(engine);
        }
        GLOBAL.clear();
        let _ = SCOPED.try_with(|scoped| scoped.try_borrow_mut().map(|mut scoped| scoped.take()));
        page::forget_current();
    }
}

/// A collector has begun.
pub(super) fn register(engine: &Arc<Engine>) {
    let mut all = all();
    all.retain(|(_, engine)| engine.strong_count() > 0);
    all.push((engine.number(), Arc::downgrade(engine)));
}

/// Those that want to end with the process.
pub(super) fn all_to_end() -> Vec<Arc<Engine>> {
    let all: Vec<_> = all().iter().filter_map(|(_, engine)| engine.upgrade()).collect();
    all.into_iter().filter(|engine| engine.config.shutdown_on_exit).collect()
}

/// The collector of that number, if it is still there.
pub(crate) fn by_number(number: u64) -> Option<Arc<Engine>> {
    if let Some(current) = get().filter(|engine| engine.number() == number) {
        return Some(current);
    }
    let all = all();
    all.iter().find(|(n, _)| *n == number)?.1.upgrade()
}

pub(super) fn is_installed() -> bool {
    GLOBAL.get().is_some()
}

pub(crate) fn get() -> Option<Arc<Engine>> {
    let scoped = SCOPED.with(|s| s.borrow().as_deref().cloned());
    scoped.or_else(|| GLOBAL.get().cloned())
}

/// Runs `f`, which runs no code of the user, with the current collector, if there is one that is enabled.
#[inline]
pub(crate) fn with(f: impl FnOnce(&Engine)) {
    let mut f = Some(f);
    let mut run = |engine: &Engine| {
        if let Some(f) = f.take()
            && engine.is_enabled()
        {
            f(engine);
        }
    };
    let scoped = SCOPED.with(|s| s.borrow().as_deref().map(|engine| run(engine)).is_some());
    if !scoped && let Some(engine) = GLOBAL.get() {
        run(engine);
    }
}

pub(super) fn scoped<R>(engine: &Arc<Engine>, f: impl FnOnce() -> R) -> R {
    struct Back(Option<ManuallyDrop<Arc<Engine>>>);
    impl Drop for Back {
        fn drop(&mut self) {
            let mine = SCOPED.with(|s| std::mem::replace(&mut *s.borrow_mut(), self.0.take()));
            page::forget_current();
            drop(mine.map(ManuallyDrop::into_inner));
        }
    }
    EVER.store(true, Relaxed);
    let mine = ManuallyDrop::new(Arc::clone(engine));
    let _back = Back(SCOPED.with(|s| s.borrow_mut().replace(mine)));
    page::forget_current();
    f()
}
