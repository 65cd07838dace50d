//! Records of the `log` crate, which `tracing-log` turns into events of one call site each level: what they say of
//! their own place is in fields.

use std::fmt;

use telemetry_core::__private::cut::{MAX_NAME, formatted};
use telemetry_core::__private::record::{FieldBuf, Key};
use telemetry_core::model::ValueRef;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata};

use super::visit::{Action, REDACTED};

/// Whether an event stands for a record of `log`.
pub(crate) fn is_log(site: &'static Metadata<'static>) -> bool {
    site.target() == "log" && site.fields().field("log.target").is_some()
}

/// Writes the fields of such an event, and what its target is. File and line keep the names that OpenTelemetry
/// gives them.
pub(crate) fn write_log_record(
    event: &Event<'_>,
    actions: &[Action],
    fields: &mut FieldBuf<'_>,
    target: &mut String,
) {
    event.record(&mut Taker { fields, actions, target });
}

/// The name under which a field of such an event is kept.
pub(crate) fn kept_name(name: &str) -> &str {
    match name {
        "log.file" => "code.file.path",
        "log.line" => "code.line.number",
        name => name.strip_prefix("r#").unwrap_or(name),
    }
}

struct Taker<'a, 'b> {
    fields: &'a mut FieldBuf<'b>,
    /// What is done with each field, by its place; empty where all are kept.
    actions: &'a [Action],
    target: &'a mut String,
}

impl Taker<'_, '_> {
    fn put(&mut self, field: &Field, value: ValueRef<'_>) {
        match field.name() {
            "log.target" => *self.target = formatted(format_args!("{value}"), MAX_NAME),
            "log.module_path" => {}
            _ if !self.keeps(field) => {}
            name => self.fields.push(Key::Name(kept_name(name)), value),
        }
    }

    /// Whether a field is kept as it is.
    fn keeps(&mut self, field: &Field) -> bool {
        match self.actions.get(field.index()) {
            Some(Action::Drop) => return false,
            Some(Action::Redact) => self.fields.push(Key::Name(kept_name(field.name())), REDACTED),
            Some(Action::Keep) | None => return true,
        }
        false
    }
}

impl Visit for Taker<'_, '_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, ValueRef::I64(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, ValueRef::U64(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, ValueRef::Bool(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, ValueRef::F64(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, ValueRef::Str(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.keeps(field) {
            self.fields.push_fmt(Key::Name(kept_name(field.name())), format_args!("{value:?}"));
        }
    }
}
