//! What the numbers of fields mean: the part of OTLP's schema that is written here, as tables, with the names of JSON.
//!
//! Source: opentelemetry-proto 1.11.

use Sort::{
    Bool, Double, Doubles, Fixed64s, Id, Message, Messages, Number, Signed64, Text, Unsigned64, Varints,
    Zigzag32,
};

/// The fields of a message, in the order in which they stand in JSON.
pub(super) type Table = &'static [Field];

/// One of them.
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) sort: Sort,
}

/// What a field holds.
pub(super) enum Sort {
    Message(Table),
    /// Any number of them.
    Messages(Table),
    Text,
    /// The bytes of an id.
    Id,
    Bool,
    Double,
    Unsigned64,
    Signed64,
    /// Of 32 bits, or of an enumeration.
    Number,
    /// Of 32 bits, with its sign in the last one.
    Zigzag32,
    /// Packed numbers of eight bytes.
    Fixed64s,
    /// Packed numbers of variable length.
    Varints,
    /// Packed ones.
    Doubles,
}

/// The greatest number of a field.
pub(super) const MAX_NUMBER: u32 = 16;

const fn field(number: u32, name: &'static str, sort: Sort) -> Field {
    assert!(number <= MAX_NUMBER);
    Field { number, name, sort }
}

/// Of a request for spans.
pub(super) const RESOURCE_SPANS: Table = &[
    field(1, "resource", Message(RESOURCE)),
    field(2, "scopeSpans", Messages(SCOPE_SPANS)),
    field(3, "schemaUrl", Text),
];
/// Of one for events.
pub(super) const RESOURCE_LOGS: Table = &[
    field(1, "resource", Message(RESOURCE)),
    field(2, "scopeLogs", Messages(SCOPE_LOGS)),
    field(3, "schemaUrl", Text),
];
/// Of one for metrics.
pub(super) const RESOURCE_METRICS: Table = &[
    field(1, "resource", Message(RESOURCE)),
    field(2, "scopeMetrics", Messages(SCOPE_METRICS)),
    field(3, "schemaUrl", Text),
];
const SCOPE_SPANS: Table = &[field(1, "scope", Message(SCOPE)), field(2, "spans", Messages(SPAN))];
const SCOPE_LOGS: Table = &[field(1, "scope", Message(SCOPE)), field(2, "logRecords", Messages(LOG_RECORD))];
const SCOPE_METRICS: Table = &[field(1, "scope", Message(SCOPE)), field(2, "metrics", Messages(METRIC))];

const RESOURCE: Table = &[field(1, "attributes", Messages(KEY_VALUE))];
const SCOPE: Table = &[field(1, "name", Text)];
const KEY_VALUE: Table = &[field(1, "key", Text), field(2, "value", Message(ANY_VALUE))];
const ANY_VALUE: Table = &[
    field(1, "stringValue", Text),
    field(2, "boolValue", Bool),
    field(3, "intValue", Signed64),
    field(4, "doubleValue", Double),
];

const SPAN: Table = &[
    field(1, "traceId", Id),
    field(2, "spanId", Id),
    field(3, "traceState", Text),
    field(4, "parentSpanId", Id),
    field(16, "flags", Number),
    field(5, "name", Text),
    field(6, "kind", Number),
    field(7, "startTimeUnixNano", Unsigned64),
    field(8, "endTimeUnixNano", Unsigned64),
    field(9, "attributes", Messages(KEY_VALUE)),
    field(10, "droppedAttributesCount", Number),
    field(13, "links", Messages(LINK)),
    field(15, "status", Message(STATUS)),
];
const LINK: Table = &[field(1, "traceId", Id), field(2, "spanId", Id), field(6, "flags", Number)];
const STATUS: Table = &[field(2, "message", Text), field(3, "code", Number)];

const LOG_RECORD: Table = &[
    field(1, "timeUnixNano", Unsigned64),
    field(11, "observedTimeUnixNano", Unsigned64),
    field(2, "severityNumber", Number),
    field(3, "severityText", Text),
    field(12, "eventName", Text),
    field(5, "body", Message(ANY_VALUE)),
    field(6, "attributes", Messages(KEY_VALUE)),
    field(7, "droppedAttributesCount", Number),
    field(8, "flags", Number),
    field(9, "traceId", Id),
    field(10, "spanId", Id),
];

const METRIC: Table = &[
    field(1, "name", Text),
    field(2, "description", Text),
    field(3, "unit", Text),
    field(5, "gauge", Message(GAUGE)),
    field(7, "sum", Message(SUM)),
    field(9, "histogram", Message(HISTOGRAM)),
    field(10, "exponentialHistogram", Message(EXPONENTIAL_HISTOGRAM)),
];
const GAUGE: Table = &[field(1, "dataPoints", Messages(NUMBER_POINT))];
const SUM: Table = &[
    field(1, "dataPoints", Messages(NUMBER_POINT)),
    field(2, "aggregationTemporality", Number),
    field(3, "isMonotonic", Bool),
];
const HISTOGRAM: Table =
    &[field(1, "dataPoints", Messages(HISTOGRAM_POINT)), field(2, "aggregationTemporality", Number)];
const EXPONENTIAL_HISTOGRAM: Table =
    &[field(1, "dataPoints", Messages(EXPONENTIAL_POINT)), field(2, "aggregationTemporality", Number)];
const NUMBER_POINT: Table = &[
    field(7, "attributes", Messages(KEY_VALUE)),
    field(2, "startTimeUnixNano", Unsigned64),
    field(3, "timeUnixNano", Unsigned64),
    field(4, "asDouble", Double),
    field(6, "asInt", Signed64),
];
const HISTOGRAM_POINT: Table = &[
    field(9, "attributes", Messages(KEY_VALUE)),
    field(2, "startTimeUnixNano", Unsigned64),
    field(3, "timeUnixNano", Unsigned64),
    field(4, "count", Unsigned64),
    field(5, "sum", Double),
    field(6, "bucketCounts", Fixed64s),
    field(7, "explicitBounds", Doubles),
    field(8, "exemplars", Messages(EXEMPLAR)),
    field(11, "min", Double),
    field(12, "max", Double),
];
const EXPONENTIAL_POINT: Table = &[
    field(1, "attributes", Messages(KEY_VALUE)),
    field(2, "startTimeUnixNano", Unsigned64),
    field(3, "timeUnixNano", Unsigned64),
    field(4, "count", Unsigned64),
    field(5, "sum", Double),
    field(6, "scale", Zigzag32),
    field(7, "zeroCount", Unsigned64),
    field(8, "positive", Message(BUCKETS)),
    field(9, "negative", Message(BUCKETS)),
    field(11, "exemplars", Messages(EXEMPLAR)),
    field(12, "min", Double),
    field(13, "max", Double),
];
const BUCKETS: Table = &[field(1, "offset", Zigzag32), field(2, "bucketCounts", Varints)];
const EXEMPLAR: Table = &[
    field(2, "timeUnixNano", Unsigned64),
    field(3, "asDouble", Double),
    field(4, "spanId", Id),
    field(5, "traceId", Id),
];
