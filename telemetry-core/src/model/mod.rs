//! Plain data: what is measured, as the rest of the crate passes it on.
//!
//! Values come in from instruments, from the layer and from users' own hands; they go out to exporters.
//! Nothing here reads a clock, a variable or a file, and nothing here starts a thread.

#[cfg(feature = "b3")]
mod b3;
mod baggage;
mod buckets;
pub(crate) mod cut;
mod event;
pub(crate) mod exponential;
pub(crate) mod glob;
mod histogram;
mod ids;
mod metric;
mod point;
pub(crate) mod record;
mod resource;
mod series_key;
mod span;
mod tags;
mod trace_context;
pub(crate) mod trace_state;
mod value;

pub use buckets::Buckets;
pub use event::Event;
pub use histogram::{Exemplar, HistogramValue};
pub use ids::{ParseIdError, SpanContext, SpanId, TraceId};
pub(crate) use metric::float_above;
pub use metric::{Identity, Kind, Metric, MetricValue, Number, Temporality};
pub use point::{DataPoint, PointError, SendError, TimeSeries};
pub use resource::Resource;
pub use series_key::{SeriesKey, SeriesKeyError};
pub use span::{Span, SpanKind, Status, StatusRef};
pub(crate) use tags::valid_key as valid_tag_key;
pub use tags::{Tags, TagsError};
pub use trace_context::{Propagator, TraceContext};
pub use value::{Value, ValueRef};

/// A name or a text that is mostly static.
pub type Text = std::borrow::Cow<'static, str>;

/// The five levels of `tracing`, by their lower-case names; also what serde reads and writes.
pub fn level_name(level: tracing_core::Level) -> &'static str {
    match level {
        tracing_core::Level::ERROR => "error",
        tracing_core::Level::WARN => "warn",
        tracing_core::Level::INFO => "info",
        tracing_core::Level::DEBUG => "debug",
        tracing_core::Level::TRACE => "trace",
    }
}

#[cfg(feature = "serde")]
mod level_serde {
    #![expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]

    use serde::{Deserialize as _, Deserializer, Serializer};
    use tracing_core::Level;

    pub(super) fn serialize<S: Serializer>(level: &Level, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(super::level_name(*level))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Level, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        text.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is no level")))
    }
}
