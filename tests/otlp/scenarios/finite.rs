//! What readers of JSON take too that do not know all of protobuf's: NaN and infinities are texts there, as whole numbers are.

use telemetry_layer::Collector;
use telemetry_layer::prelude::*;
use tracing::{error, info_span, warn};

use super::{UNICODE, context};
use crate::forms::Form;

/// What such a reader is sent in a form: of JSON this, of all others everything.
pub(crate) fn of(form: &Form) -> fn(&Collector) {
    if form.content_type == "application/json" { record } else { super::record }
}

fn record(collector: &Collector) {
    let span =
        info_span!("order", otel.kind = "server", text = UNICODE, less = -5, x = 0.1 + 0.2, huge = f64::MAX);
    span.add_link(context(1, 0xfa5));
    span.in_scope(|| {
        warn!(name: "named", big = i64::MAX, beyond = u64::MAX, yes = true, "little\nis \"left\"");
        info_span!("inside").in_scope(|| error!(error = "refused", "{UNICODE}"));
    });
    collector.gauge("heat").with(&[("room", UNICODE)]).set(f64::MIN);
    collector.counter("weight").unit("kg").description("größe").add(0.1);
}

/// They count in whole numbers.
pub(crate) fn histograms(collector: &Collector) {
    collector.histogram("counted").unit("By").record(0.3);
    collector.histogram("counted.in").buckets(&[-1.0, 1e12]).record(0.5);
}
