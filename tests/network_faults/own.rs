//! What telemetry does is not telemetry: a program that records everything, at TRACE and from all threads, exports nothing of
//! what its exporters do.

use std::process::Command;

use telemetry_layer::{Collector, SelfMetrics, Signal, TelemetryLayer};
use telemetry_tests::SOON;
use telemetry_tests::program::point;
use telemetry_tests::receiver::{Authority, Form, Setup};
use tracing_subscriber::prelude::*;

use super::spools::each_spool;

const URL: &str = "URL_OF_A_RECEIVER";
const FLUSHES: u64 = 20;

#[test]
fn nothing_of_our_own_is_exported() {
    let cases = Form::EACH.into_iter().flat_map(|form| [(form, false), (form, true)]);
    each_spool(cases, |(form, has_tls), spool| {
        let authority = Authority::new();
        let setup = Setup::new(form);
        let setup = if has_tls { setup.tls(authority.server("127.0.0.1")) } else { setup };
        let receiver = setup.start(move |_| form.ok().into());
        let directory = tempfile::tempdir().unwrap();
        let options = spool.options(directory.path());
        let url = if has_tls {
            form.secure(receiver.address, &authority.ca(), &format!("compression=gzip&{options}"))
        } else {
            form.url(receiver.address, &options)
        };
        // A program of its own, as the receiver here may record what it does.
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", "own::records_all_that_there_is", "--ignored", "--nocapture"]).env(URL, url);
        let output = program.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        for signal in form.signals() {
            match signal {
                Signal::Spans => {
                    let spans = receiver.taken().into_iter().flat_map(|items| items.spans);
                    assert_eq!(spans.count() as u64, FLUSHES);
                }
                // Log records of others have no such ids.
                signal => receiver.has(*signal, (1..=FLUSHES).map(|id| (id, 1))),
            }
        }
        let metrics = receiver.taken().into_iter().flat_map(|items| items.metrics);
        assert_eq!(metrics.count(), 0);
    });
}

#[test]
#[ignore = "run by the other one, as a program"]
fn records_all_that_there_is() {
    let builder = Collector::builder().ignore_env().self_metrics(SelfMetrics::Off);
    let collector = builder.endpoint(std::env::var(URL).unwrap()).start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    // For all threads: those of the exporter too.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    for id in 1..=FLUSHES {
        tracing::trace_span!("own", id).in_scope(|| tracing::trace!(id, "mine"));
        collector.send([point(id, "")]).unwrap();
        assert!(collector.flush(SOON).is_complete());
    }
    let report = collector.shutdown(SOON);
    assert!(report.is_complete(), "{report}");
    for signal in [Signal::Spans, Signal::Events] {
        let account = report.ledger().signal(signal);
        assert_eq!(account.recorded - account.suppressed, FLUSHES, "{}", report.ledger());
    }
    // The exporters' threads do say something.
    assert!(report.ledger().signal(Signal::Events).suppressed > 0);
}
