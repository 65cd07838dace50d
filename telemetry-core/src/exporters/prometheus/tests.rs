//! Pages as their readers see them.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::metrics::Reader as _;
use crate::model::{Exemplar, HistogramValue, Kind, Metric, MetricValue, Resource, SpanId, Tags, TraceId};

mod grammar;
mod made;

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";

/// A page of data points that somebody made.
fn page(metrics: Vec<Metric>) -> Prometheus {
    of(Prometheus::new().without_target_info().without_scope_labels(), metrics)
}

fn of(page: Prometheus, mut metrics: Vec<Metric>) -> Prometheus {
    metrics.sort_by(|a, b| {
        let key = |of: &'static str| of;
        let _ = key;
        (&a.identity.name, a.identity.kind, &a.identity.tags).cmp(&(&b.identity.name, b.identity.kind, &b.identity.tags))
    });
    page.clone().attach(source_of(metrics, resource())).unwrap();
    page
}

fn resource() -> Resource {
    Resource::new(Tags::parse("env: test").unwrap(), "shop").unwrap()
}
