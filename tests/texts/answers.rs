//! What backends answer, in bytes that need be no text, and what exporters of the program say: one line each, for the program
//! that asks for reports.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use telemetry_layer::prelude::*;
use telemetry_tests::program::Program;
use telemetry_tests::receiver::{Act, Answer, Form};
use telemetry_tests::{SOON, each};

use crate::hostile;

/// As gRPC writes messages.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "%{byte:02X}");
        all
    })
}

/// Refusals, in turn with answers that take the request and say something of it.
fn answer(form: Form, n: usize, bytes: &[u8]) -> Answer {
    let (text, warns) = (String::from_utf8_lossy(bytes), n % 2 == 1);
    let warning = form.partly(form.signals()[0], 1, &text).filter(|_| warns);
    match (warning, form) {
        (Some(warning), _) => warning,
        (None, Form::OtlpGrpc) => Answer::grpc(3, &escaped(bytes)),
        _ => Answer::of(400).body(bytes),
    }
}

#[test]
fn what_a_backend_says_is_one_line() {
    each(Form::EACH, |form| {
        let answers = hostile::bytes();
        let many = answers.len() as u64;
        let receiver = form.receiver(move |request| {
            let n = request.number as usize - 1;
            Act::from(answer(form, n, &answers[n]))
        });
        let program = Program::start(&form.url(receiver.address, &form.one_signal()));
        for id in 1..=many {
            program.record([id]).flush();
        }
        assert_eq!(program.account(form.signals()[0]).rejected, many);
        let said = program.said();
        assert_eq!(said.len(), many as usize);
        said.iter().for_each(|line| hostile::is_one_line(line));
        let with_words = said.iter().filter(|line| line.contains("admin=true")).count();
        assert!(with_words > 20, "{with_words}");
    });
}

#[test]
fn what_an_exporter_says_is_one_line() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let (seen, mut texts) = (Arc::clone(&reports), hostile::texts().into_iter());
    let says = move |_: &Batch| {
        let text = texts.next().unwrap();
        match text.len() % 3 {
            0 => Err(ExportError::never(text.clone()).caused_by(text)),
            1 => Err(ExportError::never("no").caused_by(text)),
            _ => Ok(Delivery::partial(1, text)),
        }
    };
    let builder = Collector::builder().ignore_env().exporter(says);
    let builder = builder.on_export(move |report| seen.lock().unwrap().push(report.clone()));
    let collector = builder.start().unwrap();
    for n in 1..=hostile::texts().len() {
        collector.record("n", n as u64);
        collector.flush(SOON);
    }
    let report = collector.shutdown(SOON);
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), hostile::texts().len(), "{report}");
    for report in reports.iter() {
        hostile::is_one_line(report.error.as_deref().unwrap_or_default());
        hostile::is_one_line(&format!("{report:?}"));
    }
}
