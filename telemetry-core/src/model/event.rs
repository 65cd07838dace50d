//! Something that happened at one moment, owned: for hand-made items, for tests and for serde.

use super::{SpanContext, SpanId, Text, TraceId, Value};
use tracing_core::Level;

/// One event. Its time is nanoseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use = "an event goes nowhere before it is given to a collector"]
pub struct Event {
    /// The trace it fell in.
    #[cfg_attr(feature = "serde", serde(default))]
    pub trace_id: Option<TraceId>,
    /// The span it fell in.
    #[cfg_attr(feature = "serde", serde(default))]
    pub span_id: Option<SpanId>,
    /// What kind of event; empty where the program gave it none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub name: Text,
    /// The text for people.
    #[cfg_attr(feature = "serde", serde(default))]
    pub message: String,
    /// How severe.
    #[cfg_attr(feature = "serde", serde(with = "super::level_serde"))]
    pub level: Level,
    /// The module or component that it comes from.
    #[cfg_attr(feature = "serde", serde(default))]
    pub target: Text,
    /// When it happened, in nanoseconds since the Unix epoch.
    pub time_unix_nano: u64,
    /// Names and values beside the message.
    #[cfg_attr(feature = "serde", serde(default, with = "fields_serde"))]
    pub fields: Vec<(Text, Value)>,
}

impl Event {
    /// An event of that level outside of any span.
    pub fn new(level: Level, message: impl Into<String>, time_unix_nano: u64) -> Self {
        Self {
            trace_id: None,
            span_id: None,
            name: Text::default(),
            message: message.into(),
            level,
            target: Text::default(),
            time_unix_nano,
            fields: Vec::new(),
        }
    }

    /// The same with that name.
    pub fn name(mut self, name: impl Into<Text>) -> Self {
        self.name = name.into();
        self
    }

    /// The same in that span.
    pub fn within(mut self, span: SpanContext) -> Self {
        (self.trace_id, self.span_id) = (Some(span.trace_id), Some(span.span_id));
        self
    }

    /// The same with that target.
    pub fn target(mut self, target: impl Into<Text>) -> Self {
        self.target = target.into();
        self
    }

    /// The same with that field added.
    pub fn field(mut self, name: impl Into<Text>, value: impl Into<Value>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }
}

/// Fields as a map, in their order.
#[cfg(feature = "serde")]
pub(super) mod fields_serde {
    use super::{Text, Value};
    use serde::de::{MapAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(fields: &[(Text, Value)], s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(fields.iter().map(|(k, v)| (k, v.as_ref())))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<(Text, Value)>, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(Text, Value)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of fields")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    fields.push((key.into(), value));
                }
                Ok(fields)
            }
        }
        d.deserialize_map(Fields)
    }
}
