//! Exporters that are replaced or removed, and what stands in their spools.

use std::time::Duration;

use telemetry_layer::exporters::from_url;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Form, Setup, refusing, silent};
use telemetry_tests::{SOON, each};

use super::{all, busy, delivered_and_spooled, files, options, until};

fn name(form: Form) -> &'static str {
    match form {
        Form::Otlp | Form::OtlpJson | Form::OtlpGrpc => "otlp",
        Form::Batches | Form::BatchesOfPoints => "http",
        Form::InfluxDb | Form::InfluxDb2 => "influxdb",
        Form::OpenTsdb => "opentsdb",
        Form::Librato => "librato",
    }
}

#[test]
fn one_whose_backend_has_moved_is_replaced_and_all_arrives_once() {
    each(Form::EACH, |form| {
        let directory = tempfile::tempdir().unwrap();
        let options = options(form, directory.path());
        let program = Program::start(&form.url(refusing(), &options));
        program.record(1..=100);
        assert!(program.flush().is_complete(), "what is stored is not lost");
        assert_eq!(delivered_and_spooled(&program, form), (0, 100));
        // Some of this waits still.
        program.record(101..=200).hand_over();
        let receiver = form.receiver(move |_| form.ok().into());
        let living = from_url(&form.url(receiver.address, &options)).unwrap();
        let report = program.collector.replace(name(form), living, SOON).unwrap();
        assert!(report.late().is_empty(), "{report}");
        program.record(201..=300);
        until(&program, || delivered_and_spooled(&program, form) == (300, 0));
        receiver.has_each_once(1..=300);
        assert_eq!(program.alike(|account| (account.accepted, account.recovered)), (300, 0));
        assert!(program.collector.shutdown(SOON).is_complete());
        assert!(files(directory.path()).is_empty(), "{:?}", files(directory.path()));
    });
}

/// There and back, while the first one hangs.
#[test]
fn a_spool_goes_from_one_to_the_next_as_often_as_that_is_wanted() {
    each([Form::Otlp], |form| {
        let directory = tempfile::tempdir().unwrap();
        let options = options(form, directory.path());
        let (_listener, hanging) = silent();
        let program = Program::start(&form.url(hanging, &options));
        let receiver = form.receiver(move |_| form.ok().into());
        let (busy, _is_up) = busy(form, |_| true);
        let mut recorded = 0;
        for address in [busy.address, refusing(), hanging, refusing(), receiver.address] {
            program.record(recorded + 1..=recorded + 50).hand_over();
            recorded += 50;
            let next = from_url(&form.url(address, &options)).unwrap();
            let report = program.collector.replace("otlp", next, Duration::from_millis(500)).unwrap();
            assert!(report.ledger().balances() && report.late().is_empty(), "{report}");
        }
        until(&program, || delivered_and_spooled(&program, form) == (recorded, 0));
        receiver.has_each_once(1..=recorded);
    });
}

#[test]
fn one_that_is_removed_stores_what_it_could_not_deliver_for_the_next_one_there() {
    each([Form::Otlp, Form::InfluxDb], |form| {
        let directory = tempfile::tempdir().unwrap();
        let options = options(form, directory.path());
        let (listener, address) = silent();
        let program = Program::start(&form.url(address, &options));
        program.record(1..=100);
        let report = program.collector.remove(name(form), Duration::from_secs(2)).unwrap();
        assert!(report.is_complete(), "{report}");
        assert_eq!(delivered_and_spooled(&program, form), (0, 100));
        drop(listener);
        let receiver = Setup::new(form).start_at(address, move |_| form.ok().into());
        program.collector.endpoint(&form.url(address, &options)).unwrap();
        program.record(101..=200);
        until(&program, || all(&program, form, |account| account.delivered == 200));
        receiver.has_each_once(1..=200);
    });
}

#[test]
fn another_directory_leaves_what_is_stored_where_it_is() {
    each([Form::Otlp], |form| {
        let [old, new] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let address = refusing();
        let program = Program::start(&form.url(address, &options(form, old.path())));
        program.record(1..=100);
        assert!(program.flush().is_complete());
        let receiver = form.receiver(move |_| form.ok().into());
        let heir = from_url(&form.url(receiver.address, &options(form, new.path()))).unwrap();
        assert!(program.collector.replace("otlp", heir, SOON).unwrap().is_complete());
        program.record(101..=200);
        assert!(program.flush().is_complete());
        assert_eq!(delivered_and_spooled(&program, form), (100, 100));
        receiver.has_each_once(101..=200);
        // It is free, and of another format nobody may take what is in it.
        let program = Program::start(&form.url(address, &options(form, old.path())));
        until(&program, || all(&program, form, |account| account.spooled == 100));
        let other = Form::InfluxDb.url(refusing(), &format!("spool={}", old.path().display()));
        let error =
            program.collector.replace("otlp", from_url(&other).unwrap(), SOON).unwrap_err().to_string();
        assert!(error.ends_with("writes there in another format"), "{error}");
    });
}
