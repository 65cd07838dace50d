//! Format strings, which know what the names of this bench can't have.

use super::{FORMATTED, REGION, SERVICE, STATSD, case, points};
use crate::case::Entries;
use std::io::Write;

pub(super) fn add(e: &mut Entries) {
    e.add(STATSD, FORMATTED, || {
        let points = points();
        case(move |body| {
            for point in &points {
                let (name, host, value) = (&point.name, &point.host, point.value);
                let ((region, eu), (service, shop)) = (REGION, SERVICE);
                writeln!(body, "{name}:{value}|c|#host:{host},{region}:{eu},{service}:{shop}").expect("memory");
            }
        })
    });
}
