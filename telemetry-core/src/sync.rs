//! What threads share, from the standard library; in the models (`--cfg shuttle`) from Shuttle, which tries the orders
//! in which threads may meet (but for [`StaticRef`], which is never the matter of a model).

mod exit;
mod fork;
pub mod prefetch;
mod static_ref;

pub use exit::on_exit;
pub use fork::{AsItIs, ForkLock, Origin, on_fork};
pub use static_ref::StaticRef;

use std::sync::PoisonError;

/// Locks it, also after a panic: what is kept under a lock here is whole at any moment.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same to read.
pub fn read<T>(of: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    of.read().unwrap_or_else(PoisonError::into_inner)
}

/// The same to write.
pub fn write<T>(of: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    of.write().unwrap_or_else(PoisonError::into_inner)
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
