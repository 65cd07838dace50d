//! Which collector instruments feed: the only global that holds one.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use super::Core;

static GLOBAL: OnceLock<Arc<Core>> = OnceLock::new();

thread_local! {
    static SCOPED: RefCell<Option<Arc<Core>>> = const { RefCell::new(None) };
}

/// Makes it the global one; false if there is one already.
pub(super) fn install(core: &Arc<Core>) -> bool {
    GLOBAL.set(Arc::clone(core)).is_ok()
}

pub(super) fn is_installed() -> bool {
    GLOBAL.get().is_some()
}

pub(crate) fn get() -> Option<Arc<Core>> {
    let scoped = SCOPED.try_with(|s| s.borrow().clone()).unwrap_or_default();
    scoped.or_else(|| GLOBAL.get().cloned())
}

/// Runs `f`, which runs no code of the user, with the current collector, if there is one that is enabled.
#[inline]
pub(crate) fn with(f: impl FnOnce(&Core)) {
    let mut f = Some(f);
    let mut run = |core: &Core| {
        if let Some(f) = f.take()
            && core.is_enabled()
        {
            f(core);
        }
    };
    let scoped = SCOPED.try_with(|s| s.borrow().as_deref().map(&mut run).is_some()).unwrap_or(false);
    if !scoped && let Some(core) = GLOBAL.get() {
        run(core);
    }
}

pub(super) fn scoped<R>(core: &Arc<Core>, f: impl FnOnce() -> R) -> R {
    struct Back(Option<Arc<Core>>);
    impl Drop for Back {
        fn drop(&mut self) {
            let mine = SCOPED.try_with(|s| std::mem::replace(&mut *s.borrow_mut(), self.0.take()));
            drop(mine);
        }
    }
    let _back = Back(SCOPED.with(|s| s.borrow_mut().replace(Arc::clone(core))));
    f()
}
