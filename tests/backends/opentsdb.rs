//! OpenTSDB's wires, telnet and HTTP, and what Apptuit makes of the second: against VictoriaMetrics, and against a server of the tests
//! that answers as both are documented to.

mod answers;
mod apptuit;
mod conformance;
mod properties;
mod rows;

use telemetry_layer::ledger::ExporterAccount;
use telemetry_layer::{Builder, Collector, Report, Signal};
use telemetry_tests::collector;

/// In seconds.
const TIME: u64 = 1_700_000_000;
const NANOS: u64 = 1_000_000_000;

/// A collector with one global tag, which looks at no variable and flushes only when asked, and an exporter to that URL.
fn exporting(url: &str, change: impl FnOnce(Builder) -> Builder) -> Collector {
    collector(|builder| change(builder.service("shop", "1").endpoint(url))).0
}

/// What became of the points of the exporter.
#[track_caller]
fn account(report: &Report) -> ExporterAccount {
    assert!(report.ledger().balances(), "{report}");
    *report.ledger().exporter("opentsdb", Signal::Metrics).unwrap_or_else(|| panic!("{report}"))
}
