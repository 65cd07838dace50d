//! The rows of the design: what is compared with what. To add a group, add rows.

use super::loads::GROUP as EXPORT;
use super::scrapes::GROUP as SCRAPE;
use super::sizes::GROUP as WIRES;
use super::spools::GROUP as SPOOL;
use crate::encode;
use crate::spans::FLOOR;
use crate::wires::{self, FORMATTED, graphite, influxdb, librato, opentsdb, statsd};

/// A case of the bench.
#[derive(Clone, Copy, PartialEq)]
pub struct Measure {
    pub op: &'static str,
    pub who: &'static str,
    /// Calls of functions that the limit does not make: as many bare calls are subtracted.
    pub calls: u8,
}

const fn inline(op: &'static str, who: &'static str) -> Measure {
    Measure { op, who, calls: 0 }
}
const fn called(op: &'static str, who: &'static str) -> Measure {
    Measure { op, who, calls: 1 }
}

pub const BARE_CALL: Measure = inline("timed fn", "bare call");

/// Nanoseconds in the design's table; what counts is their ratio.
pub struct Budget {
    pub threads: usize,
    reference: f64,
    ours: f64,
}

impl Budget {
    /// What ours divided by the reference may be.
    pub fn at_most(&self) -> f64 {
        self.ours / self.reference
    }
}

const fn budget(threads: usize, reference: f64, ours: f64) -> Budget {
    Budget { threads, reference, ours }
}

pub struct Row {
    group: &'static str,
    pub what: &'static str,
    pub budgets: &'static [Budget],
    pub limit: Option<Measure>,
    pub peers: &'static [Measure],
    /// Peers that the design's numbers leave out: shown where they are better, but no reference.
    pub others: &'static [Measure],
    /// tracing-opentelemetry, only to be shown.
    pub otel: Option<Measure>,
    /// Ours while nobody empties the buffers, only to be shown: each record goes to memory that was never used.
    pub undrained: Option<Measure>,
    /// Each of these has to meet the budget: how it is done, and its case.
    ours: &'static [(&'static str, Measure)],
}

const COUNTER: [Budget; 2] = [budget(1, 1.8, 1.2), budget(2, 12.8, 1.2)];
const HISTOGRAM: [Budget; 2] = [budget(1, 4.4, 4.0), budget(2, 41.0, 4.0)];

/// Points on one of the older wires: ahead of each peer.
macro_rules! wire {
    ($op:expr, $($peer:expr),+) => {
        Row {
            group: WIRES,
            what: $op,
            budgets: &[budget(1, 1.0, 1.0)],
            limit: None,
            peers: &[$(inline($op, $peer)),+],
            others: &[],
            otel: None,
            undrained: None,
            ours: &[("exporter", inline($op, wires::OURS))],
        }
    };
}

pub const ROWS: &[Row] = &[
    Row {
        group: "metrics",
        what: "macro or instrument, no collector",
        budgets: &[budget(1, 3.0, 1.0)],
        limit: None,
        // The disabled macro of a span, whose 3 ns the design compares with.
        peers: &[inline("span0 root", "no subscriber")],
        others: &[
            inline("counter0", "metrics macro, no recorder"),
            // Its body is a function too.
            Measure { op: "timed fn", who: "#[tracing::instrument], no subscriber", calls: 2 },
        ],
        otel: None,
        undrained: None,
        ours: &[
            ("attribute", called("counter0", "telemetry, #[count_me], no collector")),
            ("macro", inline("counter0", "telemetry, count!, no collector")),
            ("handle", inline("counter0", "telemetry, handle, no collector")),
        ],
    },
    Row {
        group: "metrics",
        what: "counter, no tags",
        budgets: &COUNTER,
        limit: Some(inline("counter0", "limit: one AtomicU64")),
        peers: &[
            inline("counter0", "metrics cached handle"),
            inline("counter0", "prometheus-client cached"),
            inline("counter0", "prometheus cached IntCounter"),
            inline("counter0", "opentelemetry Counter::add"),
        ],
        others: &[],
        otel: Some(inline("counter0", "tracing-opentelemetry MetricsLayer")),
        undrained: None,
        ours: &[
            ("attribute", called("counter0", "telemetry, #[count_me]")),
            ("macro", inline("counter0", "telemetry, count!")),
            ("handle", inline("counter0", "telemetry, handle")),
        ],
    },
    Row {
        group: "metrics",
        what: "counter, 2 static tags",
        budgets: &COUNTER,
        limit: Some(inline("counter2", "limit: one AtomicU64")),
        peers: &[
            inline("counter2", "metrics cached handle"),
            inline("counter2", "prometheus-client cached"),
            inline("counter2", "prometheus cached IntCounter"),
        ],
        others: &[],
        otel: Some(inline("counter2", "tracing-opentelemetry MetricsLayer")),
        undrained: None,
        ours: &[
            ("attribute", called("counter2", "telemetry, #[count_me]")),
            ("macro", inline("counter2", "telemetry, count!")),
            ("handle", inline("counter2", "telemetry, handle")),
        ],
    },
    Row {
        group: "metrics",
        what: "counter, 2 dynamic tags",
        budgets: &[budget(1, 11.0, 15.0), budget(2, 107.0, 20.0)],
        limit: None,
        peers: &[
            inline("counter2", "metrics macro, prometheus recorder"),
            inline("counter2", "prometheus-client Family::get_or_create"),
            inline("counter2", "prometheus with_label_values"),
            inline("counter2", "opentelemetry Counter::add"),
        ],
        others: &[],
        otel: Some(inline("counter2", "tracing-opentelemetry MetricsLayer")),
        undrained: None,
        ours: &[
            ("macro", inline("counter2", "telemetry, count!, dynamic tags")),
            ("handle.with", inline("counter2", "telemetry, handle.with, dynamic tags")),
        ],
    },
    Row {
        group: "metrics",
        what: "histogram, no tags",
        budgets: &HISTOGRAM,
        limit: Some(inline("hist0", "limit: log2 buckets + sum")),
        peers: &[
            inline("hist0", "prometheus-client cached"),
            inline("hist0", "prometheus cached Histogram"),
            inline("hist0", "opentelemetry Histogram::record"),
        ],
        others: &[],
        otel: Some(inline("hist0", "tracing-opentelemetry MetricsLayer")),
        undrained: None,
        ours: &[("handle", inline("hist0", "telemetry, handle"))],
    },
    Row {
        group: "metrics",
        what: "histogram, 2 static tags",
        budgets: &HISTOGRAM,
        limit: Some(inline("hist2", "limit: log2 buckets + sum")),
        peers: &[
            inline("hist2", "metrics cached handle"),
            inline("hist2", "prometheus-client Family::get_or_create"),
            inline("hist2", "prometheus with_label_values"),
            inline("hist2", "opentelemetry Histogram::record"),
        ],
        others: &[],
        otel: Some(inline("hist2", "tracing-opentelemetry MetricsLayer")),
        undrained: None,
        ours: &[("handle", inline("hist2", "telemetry, handle"))],
    },
    Row {
        group: "metrics",
        what: "timer with outcome, no span",
        budgets: &[budget(1, 19.2, 32.0)],
        limit: Some(inline("timed fn", "limit: 2 x quanta raw")),
        peers: &[
            called("timed fn", "#[hotpath::measure]"),
            called("timed fn", "#[fastrace::trace], in a root"),
            called("timed fn", "#[autometrics], prometheus"),
            inline("timed fn", "prometheus cached start_timer"),
        ],
        others: &[],
        otel: None,
        undrained: None,
        ours: &[("attribute", called("timed fn", "telemetry, #[time_me(span = false, outcome)]"))],
    },
    Row {
        group: "spans",
        what: "sampled root span, 4 fields",
        budgets: &[budget(1, 62.0, 120.0), budget(2, 96.0, 175.0)],
        limit: Some(inline("span4 root", FLOOR)),
        peers: SPAN4_PEERS,
        others: &[],
        otel: Some(inline("span4 root", "tracing-opentelemetry, batch")),
        undrained: Some(inline("span4 root", "telemetry, undrained")),
        ours: &[("layer", inline("span4 root", "telemetry"))],
    },
    Row {
        group: "spans",
        what: "sampled child span, 4 fields",
        budgets: &[budget(1, 104.0, 165.0)],
        limit: Some(inline("span4 child3", FLOOR)),
        peers: &[inline("span4 child3", "fastrace"), inline("span4 child3", "emit, null emitter")],
        others: &[],
        otel: Some(inline("span4 child3", "tracing-opentelemetry, batch")),
        undrained: Some(inline("span4 child3", "telemetry, undrained")),
        ours: &[("layer", inline("span4 child3", "telemetry"))],
    },
    Row {
        group: "spans",
        what: "span not kept, 4 fields, root",
        budgets: &[budget(1, 62.0, 75.0)],
        limit: Some(inline("span4 root", FLOOR)),
        peers: &[],
        others: &[],
        otel: Some(inline("span4 root", "tracing-opentelemetry, ratio 0.01")),
        undrained: None,
        ours: &[("layer", inline("span4 root", "telemetry, ratio 0.01"))],
    },
    Row {
        group: "spans",
        what: "span not kept, 4 fields, child",
        budgets: &[budget(1, 104.0, 130.0)],
        limit: Some(inline("span4 child3", FLOOR)),
        peers: &[],
        others: &[],
        otel: Some(inline("span4 child3", "tracing-opentelemetry, ratio 0.01")),
        undrained: None,
        ours: &[("layer", inline("span4 child3", "telemetry, ratio 0.01"))],
    },
    Row {
        group: "spans",
        what: "event of 3 fields inside a span",
        budgets: &[budget(1, 89.0, 50.0)],
        limit: None,
        peers: &[inline("event3", "fastrace, span events"), inline("event3", "emit, null emitter")],
        others: &[],
        otel: Some(inline("event3", "tracing-opentelemetry, as span events")),
        undrained: None,
        ours: &[("layer", inline("event3", "telemetry"))],
    },
    Row {
        group: "spans",
        what: "#[time_me] with a sampled span",
        budgets: &[budget(1, 65.0, 130.0)],
        limit: Some(inline("span0 root", FLOOR)),
        peers: &[called("timed fn", "#[fastrace::trace], in a root")],
        others: &[],
        otel: None,
        undrained: None,
        ours: &[("attribute", called("timed fn", "telemetry, #[time_me]"))],
    },
    Row {
        group: EXPORT,
        what: "finished span to OTLP bytes, 4 fields",
        budgets: &[budget(1, 1.0, 0.25)],
        ours: &[("exporter", inline(encode::SPAN, encode::OURS))],
        ..encoded(encode::SPAN)
    },
    Row {
        group: EXPORT,
        what: "event to OTLP bytes, 4 fields and a message",
        budgets: &[budget(1, 1.0, 0.35)],
        ours: &[("exporter", inline(encode::EVENT, encode::OURS))],
        ..encoded(encode::EVENT)
    },
    Row {
        group: EXPORT,
        what: "point to OTLP bytes, a counter with 2 tags",
        budgets: &[budget(1, 1.0, 0.28)],
        ours: &[("exporter", inline(encode::POINT, encode::OURS))],
        ..encoded(encode::POINT)
    },
    wire!(statsd::OP, FORMATTED, statsd::CADENCE),
    wire!(graphite::OP, FORMATTED),
    wire!(influxdb::OP, FORMATTED, influxdb::BUILDER, influxdb::QUESTDB),
    wire!(opentsdb::LINES, FORMATTED),
    wire!(opentsdb::OP, opentsdb::SERDE),
    Row { others: &[inline(librato::OP, opentsdb::SERDE)], ..wire!(librato::OP, librato::ADDED_UP) },
];

/// Beside prost and the SDK.
const fn encoded(op: &'static str) -> Row {
    let (limit, otel) = (Some(inline(op, encode::PROST)), Some(inline(op, encode::SDK)));
    Row { group: EXPORT, what: "", budgets: &[], limit, peers: &[], others: &[], otel, undrained: None, ours: &[] }
}

const SPAN4_PEERS: &[Measure] = &[
    inline("span4 root", "fastrace"),
    inline("span4 root", "emit, null emitter"),
    inline("span4 root", "sentry-tracing, rate 1.0"),
    inline("span4 root", "tracing-chrome, args"),
    inline("span4 root", "fmt json, span close"),
];

/// The lines of all rows that are done by an attribute.
const MACROS: &str = "macros";
const BY_ATTRIBUTE: &str = "attribute";

impl Row {
    /// Which of ours belong to that group: how it is done, and its case.
    pub fn ours_in(&self, group: &str) -> impl Iterator<Item = &(&'static str, Measure)> {
        let whole = self.group == group;
        self.ours.iter().filter(move |(by, _)| whole || group == MACROS && *by == BY_ATTRIBUTE)
    }

    /// What ours is compared with: the limit, else each peer, of which the best is the reference.
    pub fn references(&self) -> &[Measure] {
        self.limit.as_ref().map_or(self.peers, std::slice::from_ref)
    }

    /// What a verdict of that group needs.
    pub fn judged(&self, group: &str) -> Vec<Measure> {
        let mut all: Vec<_> = self.ours_in(group).map(|(_, m)| m).chain(self.references()).copied().collect();
        if all.iter().any(|m| m.calls > 0) {
            all.push(BARE_CALL);
        }
        all
    }

    /// What is shown besides.
    pub fn shown(&self, group: &str) -> Vec<Measure> {
        let judged = self.judged(group);
        let all = self.peers.iter().chain(self.others).chain(&self.otel).chain(&self.undrained);
        let mut shown: Vec<_> = all.copied().filter(|m| !judged.contains(m)).collect();
        if shown.iter().any(|m| m.calls > 0) && !judged.contains(&BARE_CALL) {
            shown.push(BARE_CALL);
        }
        shown
    }
}

pub fn groups() -> Vec<&'static str> {
    let mut all: Vec<_> = ROWS.iter().map(|row| row.group).collect();
    all.dedup();
    all.extend([MACROS, SCRAPE, SPOOL]);
    all
}
