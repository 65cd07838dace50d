//! The spans that are open: where they are kept, and which of them each thread is in.

mod budget;
mod extras;
mod giving;
mod local;
mod locked;
mod outcome;
#[cfg(all(test, shuttle))]
mod shuttle;
mod slot;
mod store;

pub(crate) use extras::Extras;
pub(crate) use local::{
    ThreadState, context_begins, context_ends, is_context_innermost, kept_span, layers_of_thread, with_thread,
};
pub(crate) use locked::is_held;
#[cfg(feature = "macros")]
pub(crate) use outcome::{CANCELLED, ERROR_TYPE};
pub(crate) use slot::{Opening, Slot};
pub(crate) use store::{Store, free_slots};
