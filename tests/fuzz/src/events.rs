//! Events, with a call site and without.

use std::num::{NonZeroU64, NonZeroU128};

use arbitrary::Arbitrary;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use telemetry_core::__private::record::{Encoded, EventHead, Site, Time};
use telemetry_core::model::Value;
use telemetry_core::{Collector, Level, Signal};

use crate::Words;
use crate::fields::MadeFields;
use crate::otlp::{any, attribute, place};
use crate::sites::{level, site_of};
use crate::spans::{span_id, trace_id};

/// An event, as a record has it. Its message is a field of that name.
#[derive(Arbitrary, Clone, Debug)]
pub struct MadeEvent {
    site: u8,
    trace: Option<NonZeroU128>,
    span: Option<NonZeroU64>,
    sampled: bool,
    random: bool,
    time: u64,
    name: Words,
    target: Words,
    level: u8,
    cut: u32,
    fields: MadeFields,
}

impl MadeEvent {
    pub(crate) fn record(&self, collector: &Collector) {
        let site = site_of(self.site);
        let (name, target) = (self.name.text(), self.target.text());
        let inline = Site::Inline { name: &name, target: &target, level: level(self.level) };
        let head = EventHead {
            trace_id: self.trace.map(trace_id),
            span_id: self.span.map(span_id),
            sampled: self.sampled,
            random: self.random,
            time: Time::Unix(self.time),
            site: site.map_or(inline, Site::Static),
            cut: self.cut,
        };
        let (texts, fields) = (head.site.texts(), self.fields.recorded(site));
        collector.sink().with_writer(|writer| {
            writer.push(Signal::Events, Encoded::event(&head, (&*texts, fields.words())));
        });
    }

    /// Its scope, and what OTLP says of it.
    pub(crate) fn otlp(&self) -> (String, LogRecord) {
        let site = site_of(self.site);
        // What `tracing` calls an event that has no name.
        let name = site.map_or_else(|| self.name.text(), |site| site.name().to_owned());
        let is_unnamed = site.is_some() && name.starts_with("event ");
        let (severity, text) = match site.map_or_else(|| level(self.level), |site| *site.level()) {
            Level::ERROR => (SeverityNumber::Error, "ERROR"),
            Level::WARN => (SeverityNumber::Warn, "WARN"),
            Level::INFO => (SeverityNumber::Info, "INFO"),
            Level::DEBUG => (SeverityNumber::Debug, "DEBUG"),
            Level::TRACE => (SeverityNumber::Trace, "TRACE"),
        };
        let is_message = |(name, _): &(String, Value)| name == "message";
        let (messages, fields): (Vec<_>, Vec<_>) = self.fields.all(site).into_iter().partition(is_message);
        let is_something = |(_, value): &(String, Value)| *value != Value::Str(String::new());
        let record = LogRecord {
            time_unix_nano: self.time,
            observed_time_unix_nano: self.time,
            severity_number: severity.into(),
            severity_text: text.to_owned(),
            body: messages.into_iter().filter(is_something).next_back().map(|(_, value)| any(&value)),
            attributes: place(site)
                .into_iter()
                .chain(fields.iter().map(|(name, value)| attribute(name, value)))
                .collect(),
            dropped_attributes_count: self.cut,
            flags: self.trace.map_or(0, |_| u32::from(self.sampled) | u32::from(self.random) << 1),
            trace_id: self.trace.map_or(Vec::new(), |id| id.get().to_be_bytes().to_vec()),
            span_id: self.span.map_or(Vec::new(), |id| id.get().to_be_bytes().to_vec()),
            event_name: if is_unnamed { String::new() } else { name },
        };
        (site.map_or_else(|| self.target.text(), |site| site.target().to_owned()), record)
    }
}
