//! Crates that write the same.

use super::{CADENCE, REGION, SERVICE, STATSD, case, points};
use crate::case::Entries;
use cadence::prelude::*;
use std::sync::{Arc, Mutex};

/// A sink that keeps lines, as its buffered ones do on their way to a socket.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl cadence::MetricSink for Lines {
    fn emit(&self, line: &str) -> std::io::Result<usize> {
        let mut all = self.0.lock().expect("nobody panicked");
        all.extend_from_slice(line.as_bytes());
        all.push(b'\n');
        Ok(line.len())
    }
}

pub(super) fn add(e: &mut Entries) {
    e.add(STATSD, CADENCE, || {
        let (points, lines) = (points(), Lines::default());
        let client = cadence::StatsdClient::builder("", lines.clone()).with_tag(SERVICE.0, SERVICE.1).build();
        case(move |body| {
            for point in &points {
                let line = client.count_with_tags(&point.name, point.value).with_tag("host", &point.host);
                line.with_tag(REGION.0, REGION.1).try_send().expect("a sink that keeps all");
            }
            std::mem::swap(body, &mut *lines.0.lock().expect("nobody panicked"));
            lines.0.lock().expect("nobody panicked").clear();
        })
    });
}
