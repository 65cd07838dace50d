//! How much is stored, and what is said of it.

use std::time::{Duration, Instant};

use telemetry_layer::ledger::Reason;
use telemetry_layer::model::Event;
use telemetry_layer::prelude::*;
use telemetry_layer::{Level, SelfMetrics};
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Form, Setup, refusing};
use telemetry_tests::{Memory, SOON};

use super::{all, files, options, until};

#[test]
fn what_is_stored_has_its_bound_and_the_oldest_goes() {
    const BYTES: u64 = 100_000;
    let form = Form::Otlp;
    let directory = tempfile::tempdir().unwrap();
    let address = refusing();
    let options = format!("{}&spool_bytes={BYTES}", options(form, directory.path()));
    let program = Program::start(&form.url(address, &options));
    for round in 0..50 {
        program.record_with(100 * round + 1..=100 * (round + 1), "some text that takes room");
        program.flush();
        let of = |name: String| std::fs::metadata(directory.path().join(name)).map_or(0, |found| found.len());
        let used: u64 = files(directory.path()).into_iter().map(of).sum();
        assert!(used <= BYTES && (round < 20 || used > BYTES / 2), "{used}");
    }
    let lost = Signal::ALL.iter().map(|signal| program.account(*signal).dropped.by(Reason::SpoolFull));
    let stored: u64 = Signal::ALL.iter().map(|signal| program.account(*signal).spooled).sum();
    assert_eq!(lost.sum::<u64>() + stored, 10_000);
    assert!(stored > 100, "{stored}");
    let receiver = Setup::new(form).start_at(address, move |_| form.ok().into());
    until(&program, || all(&program, form, |account| account.spooled == 0));
    let came: u64 = receiver.taken().iter().map(|items| items.len() as u64).sum();
    assert!(came <= stored && came > 100, "{came} of {stored}");
    let newest = receiver.taken().into_iter().flat_map(|items| items.spans).max();
    assert_eq!(newest, Some(5_000));
}

#[test]
fn how_much_is_stored_is_a_metric() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::default();
    let collector = Collector::builder()
        .ignore_env()
        .flush_interval(Duration::from_hours(1))
        .on_export(|_| ())
        .self_metrics(SelfMetrics::Export)
        .endpoint(Form::Otlp.url(refusing(), &options(Form::Otlp, directory.path())))
        .exporter(memory.clone())
        .start()
        .unwrap();
    collector.collect_event(&Event::new(Level::INFO, "stored", 7));
    let of = |name: &str| {
        let kept = memory.kept();
        let found = kept.metrics.iter().rfind(|metric| metric.identity.name == name);
        found.map(|found| {
            assert_eq!(found.identity.tags.get("exporter"), Some("otlp"));
            found.number().as_f64() as u64
        })
    };
    let begin = Instant::now();
    while of("telemetry.export.spool.committed") != Some(1) {
        assert!(collector.flush(SOON).is_complete() && begin.elapsed() < SOON);
    }
    let name = files(directory.path()).remove(0);
    let bytes = std::fs::metadata(directory.path().join(name)).unwrap().len();
    assert_eq!(of("telemetry.export.spool.size"), Some(bytes));
    let committed = std::fs::read_to_string(directory.path().join("owner")).unwrap();
    assert_eq!(committed, format!("{:020}\n", 1), "from outside");
}

#[test]
fn what_was_stored_for_another_destination_is_left_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let form = Form::Otlp;
    let (address, elsewhere) = (refusing(), form.receiver(move |_| form.ok().into()));
    let program = Program::start(&form.url(address, &options(form, directory.path())));
    program.record(1..=100);
    program.collector.shutdown(SOON);
    let other = Program::start(&form.url(elsewhere.address, &options(form, directory.path())));
    other.record(101..=110);
    assert!(other.collector.shutdown(SOON).is_complete());
    elsewhere.has_each_once(101..=110);
    assert_eq!(other.alike(|account| (account.recovered, account.delivered)), (0, 10));
    let receiver = Setup::new(form).start_at(address, move |_| form.ok().into());
    // How it is sent may change.
    let options = format!("{}&compression=gzip&timeout_ms=3000", options(form, directory.path()));
    let program = Program::start(&form.url(address, &options));
    until(&program, || all(&program, form, |account| account.delivered == 100));
    receiver.has_each_once(1..=100);
}
