//! For what the macros expand to. Nothing here is for users, and all of it may change.

mod call;
mod future;
mod returned;
mod span;

pub use call::{Spanned, in_span, in_span_with_outcome};
pub use future::{Begun, Ended, InSpan, Timed, Told, never, timed, timed_in, told, told_in};
pub use returned::Returned;
pub use span::{announced, begun, open, record_error};
pub use telemetry_core::__private::{
    Active, AnyOutcome, CallTimer, DisplayTag, FutureOutcomeTimer, FutureTimer, OtherTag, Outcome,
    OutcomeCounter, OutcomeTimer, Probe, SpanOutcomeTimer, SpanTimer, Tag, TaggedOutcomeTimer, TextTag,
    bounds, call, count, count_with, error_type, main_begins, observe, record, record_point, start,
    type_name,
};
pub use telemetry_core::__private::{CellKind, FunctionSite, Site, SpanSite};
pub use telemetry_core::Level;
pub use telemetry_core::{outcome_sites, site, sites};
pub use tracing;
