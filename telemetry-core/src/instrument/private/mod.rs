//! For what the macros expand to. Nothing here is for users, and all of it may change.

mod call_mode;
mod calls;
mod outcome;
mod span_sites;
mod tag;
mod timer;
mod value;
mod with_span;

pub use calls::{Active, OutcomeCounter, main_begins};
pub use outcome::{AnyOutcome, Outcome, Probe, error_type, type_name};
pub use span_sites::SpanSites;
pub use tag::{DisplayTag, OtherTag, Tag, TextTag};
pub use timer::{
    CallTimer, Ends, FutureOutcomeTimer, FutureTimer, OutcomeTimer, SpanOutcomeTimer, SpanTimer,
    TaggedOutcomeTimer, start,
};
pub use value::{bounds, count, count_with, observe, record, record_point};
pub use with_span::{End, Measures, Over, announce, end_together, opened};

/// Calls a closure whose type is to be inferred as that of a function.
pub fn call<R>(f: impl FnOnce() -> R) -> R {
    f()
}
