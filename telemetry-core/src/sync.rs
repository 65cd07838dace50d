//! What threads share, from the standard library; in the models (`--cfg shuttle`) from Shuttle, which tries the orders
//! in which threads may meet (but for [`StaticRef`], which is never the matter of a model).

mod static_ref;

pub use static_ref::StaticRef;

/// Locks it, also after a panic: what is kept under a lock here is whole at any moment.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(shuttle)]
pub use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread_local,
};
#[cfg(not(shuttle))]
pub use std::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread_local,
};
