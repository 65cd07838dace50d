//! `target_info`: the metric whose labels are the attributes of the resource.
//!
//! Source: OpenTelemetry, "Prometheus and OpenMetrics Compatibility", "Resource Attributes"; OpenMetrics 1.0.0, "Supporting
//! target metadata".

use super::family::{About, Class, head};
use super::form::Dialect;
use super::labels::Labels;
use super::line::Line;
use super::protobuf;
use crate::model::Resource;

const ABOUT: About<'static> = About { description: "What the program is and where it runs.", unit: "" };

/// The name of its family, and what that is.
pub(super) fn family(dialect: Dialect) -> (&'static str, Class) {
    match dialect {
        Dialect::OpenMetrics => ("target", Class::Info),
        Dialect::Text | Dialect::Protobuf => ("target_info", Class::Gauge),
    }
}

/// All of it; nothing where the resource is empty.
pub(super) fn info(labels: &mut Labels, resource: &Resource) -> Vec<u8> {
    let all = resource.attributes().map(|(key, value)| (key, value.to_string()));
    let mut all: Vec<(&str, String)> = all.collect();
    if all.is_empty() {
        return Vec::new();
    }
    all.sort();
    let pairs = all.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
    let mut written = Vec::new();
    labels.put(&mut written, &mut Line::new(), &pairs, false, &mut Vec::new());
    let dialect = labels.dialect;
    let (name, class) = family(dialect);
    let head = head(class, name, &ABOUT, dialect);
    let mut out = Vec::new();
    if dialect == Dialect::Protobuf {
        protobuf::put_info(&mut out, &head, &written);
    } else {
        out.extend_from_slice(&head);
        out.extend_from_slice(b"target_info{");
        out.extend_from_slice(&written);
        out.extend_from_slice(b"} 1\n");
    }
    out
}
