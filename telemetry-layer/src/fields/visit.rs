//! Takes the fields of a span or an event down as bytes, and changes or leaves out those that it is told to.

use std::error::Error;
use std::fmt;

use telemetry_core::__private::cut::{apart, formatted};
use telemetry_core::__private::record::{FieldBuf, Key};
use telemetry_core::model::ValueRef;
use tracing::field::{Field, Visit};

use super::error_chain::{Chain, EXCEPTION_MESSAGE};
use super::metric_fields::Measurements;
use super::otel::OtelFields;

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Keep,
    Redact,
    Drop,
}

/// Writes fields into a buffer.
pub(crate) struct Recorder<'a, 'b> {
    pub(crate) fields: &'a mut FieldBuf<'b>,
    /// None where all are kept as they are.
    pub(crate) rules: Option<FieldRules<'a>>,
}

/// What becomes of fields.
pub(crate) struct FieldRules<'a> {
    /// Takes those that say something of a span itself.
    pub(crate) otel: Option<&'a mut OtelFields>,
    /// Takes those that are measurements.
    pub(crate) measurements: Option<&'a mut Measurements>,
    /// What is done with each field, by its place; empty where all are kept.
    pub(crate) actions: &'a [Action],
    /// What is done with [`EXCEPTION_MESSAGE`].
    pub(crate) exception: Action,
}

/// Stands in place of a value that is not to be seen.
pub(crate) const REDACTED: &str = "[redacted]";

impl Recorder<'_, '_> {
    #[expect(clippy::inline_always, reason = "what the value is, callers know")]
    #[inline(always)]
    fn put<'v>(&mut self, field: &Field, value: impl Into<ValueRef<'v>> + Copy) {
        if self.rules.is_none() {
            self.fields.push(Key::Index(field.index()), value);
        } else {
            self.put_by_rules(field, value);
        }
    }

    #[cold]
    fn put_by_rules<'v>(&mut self, field: &Field, value: impl Into<ValueRef<'v>> + Copy) {
        let measures = self.rules.as_ref().is_some_and(|rules| rules.measurements.is_some());
        let (value, own) = (value.into(), self.fields.max_text());
        // Beside a measurement it is a tag, which tells series apart.
        let text = if let ValueRef::Str(text) = value { text } else { "" };
        let text = apart(text, if measures { own } else { usize::MAX });
        let value = if let ValueRef::Str(_) = value { ValueRef::Str(&text) } else { value };
        if self.keeps(field, &value) {
            self.fields.push(Key::Index(field.index()), value);
        }
        if let Some(rules) = &mut self.rules
            && let Some(measurements) = &mut rules.measurements
            && rules.actions.get(field.index()) != Some(&Action::Drop)
        {
            measurements.take(field.name(), value);
        }
    }

    fn put_fmt(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        if self.rules.is_none() {
            self.fields.push_fmt(Key::Index(field.index()), text);
        } else {
            self.put_fmt_by_rules(field, text);
        }
    }

    #[cold]
    fn put_fmt_by_rules(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        let measures = self.rules.as_ref().is_some_and(|rules| rules.measurements.is_some());
        if measures && Measurements::takes(field.name()) {
            let text = formatted(text, self.fields.max_text());
            self.put_by_rules(field, text.as_str());
        } else if self.keeps(field, &text) {
            self.fields.push_fmt(Key::Index(field.index()), text);
        }
    }

    #[cold]
    fn put_chain(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let rules = self.rules.as_ref();
        let own = rules.and_then(|rules| rules.actions.get(field.index()).copied()).unwrap_or(Action::Keep);
        match (own, rules.map_or(Action::Keep, |rules| rules.exception)) {
            (Action::Keep, Action::Keep) => {
                self.fields.replace_fmt(EXCEPTION_MESSAGE, format_args!("{}", Chain(error)));
            }
            (Action::Keep, Action::Redact) => {
                self.fields.replace_fmt(EXCEPTION_MESSAGE, format_args!("{REDACTED}"));
            }
            _ => {}
        }
    }

    /// Whether a field is recorded as it is.
    #[cold]
    fn keeps(&mut self, field: &Field, value: &dyn fmt::Display) -> bool {
        let Some(rules) = &mut self.rules else { return true };
        match rules.actions.get(field.index()) {
            Some(Action::Drop) => return false,
            Some(Action::Redact) => {
                self.fields.push(Key::Index(field.index()), ValueRef::Str(REDACTED));
                return false;
            }
            Some(Action::Keep) | None => {}
        }
        let max_text = self.fields.max_text();
        let measurements = rules.measurements.as_mut();
        if measurements.is_some_and(|measured| measured.declares(field.name(), value, max_text)) {
            return false;
        }
        !rules.otel.as_mut().is_some_and(|otel| otel.takes(field.name(), value, max_text))
    }
}

impl Visit for Recorder<'_, '_> {
    #[inline]
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    #[inline]
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    #[inline]
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.put(field, value),
            Err(_) => self.put(field, value.to_string().as_str()),
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => self.put(field, value),
            (_, Ok(value)) => self.put(field, value),
            _ => self.put(field, value.to_string().as_str()),
        }
    }

    #[inline]
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    #[inline]
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put_fmt(field, format_args!("{value}"));
        self.put_chain(field, value);
    }

    #[inline]
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_fmt(field, format_args!("{value:?}"));
    }
}
