//! Ours, from the batches that an exporter is given.

use super::{N, OURS, STATSD, batches, case};
use crate::case::Entries;
use telemetry_core::__private::statsd::{Dialect, Form, Writer};

pub(super) fn add(e: &mut Entries) {
    e.add(STATSD, OURS, || {
        let batches = batches();
        // As large as may be, for peers that don't pack either.
        let writer = Writer::new(Form::of(Dialect::Datadog), None);
        case(move |body| {
            let written: usize = batches.iter().map(|batch| writer.write(batch, usize::MAX, body).items).sum();
            assert_eq!(written as u64, N);
        })
    });
}
