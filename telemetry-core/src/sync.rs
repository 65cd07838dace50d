//! What threads share, from the standard library; in the models (`--cfg shuttle`) from Shuttle, which tries the orders
//! in which threads may meet (but for [`StaticRef`], which is never the matter of a model).

mod static_ref;

pub use static_ref::StaticRef;

#[cfg(shuttle)]
pub use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, atomic},
    thread_local,
};
#[cfg(not(shuttle))]
pub use std::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, atomic},
    thread_local,
};
