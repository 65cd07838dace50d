//! Takes the fields of a span or an event down as bytes.

use std::error::Error;
use std::fmt;

use telemetry_core::model::record::{FieldBuf, Key, capped};
use telemetry_core::model::{SpanKind, ValueRef};
use tracing::field::{Field, Visit};

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Keep,
    Redact,
    Drop,
}

/// What fields with special names say of a span, instead of being fields of it.
#[derive(Debug, Default)]
pub(crate) struct Special {
    pub(crate) name: Option<String>,
    pub(crate) kind: Option<SpanKind>,
    pub(crate) code: Option<Code>,
    pub(crate) description: Option<String>,
}

impl Special {
    /// Whether there is anything.
    pub(crate) fn is_some(&self) -> bool {
        self.name.is_some() || self.kind.is_some() || self.code.is_some() || self.description.is_some()
    }
}

/// `otel.status_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok,
    Error,
}

/// Whether a field of a span with that name is one of these.
pub(crate) fn is_special(name: &str) -> bool {
    name == "error" || name.starts_with("otel.")
}

/// Writes fields into a buffer.
pub(crate) struct Recorder<'a, 'b> {
    pub(crate) fields: &'a mut FieldBuf<'b>,
    /// None where all are kept as they are.
    pub(crate) rules: Option<FieldRules<'a>>,
}

/// What becomes of fields.
pub(crate) struct FieldRules<'a> {
    /// Takes the special ones of a span.
    pub(crate) special: Option<&'a mut Special>,
    /// What is done with each field, by its place; empty where all are kept.
    pub(crate) actions: &'a [Action],
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
        if self.keeps(field, &value.into()) {
            self.fields.push(Key::Index(field.index()), value);
        }
    }

    fn put_fmt(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        if self.rules.is_none() || self.keeps(field, &text) {
            self.fields.push_fmt(Key::Index(field.index()), text);
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
        !rules.special.as_mut().is_some_and(|special| special.takes(field.name(), value))
    }
}

impl Special {
    /// Whether a field is to be no field: OpenTelemetry's names, as `tracing-opentelemetry` introduced them.
    fn takes(&mut self, name: &str, value: &dyn fmt::Display) -> bool {
        if name == "error" {
            self.fail(value);
        }
        name.starts_with("otel.") && self.take(name, value)
    }

    /// A field that is called `error`, which stays a field.
    fn fail(&mut self, value: &dyn fmt::Display) {
        match capped(format_args!("{value}")).as_str() {
            "false" | "" => {}
            "true" => self.code = self.code.or(Some(Code::Error)),
            text => {
                self.code = self.code.or(Some(Code::Error));
                self.description.get_or_insert_with(|| text.to_owned());
            }
        }
    }

    fn take(&mut self, name: &str, value: &dyn fmt::Display) -> bool {
        let text = || capped(format_args!("{value}"));
        match name.strip_prefix("otel.").unwrap_or_default() {
            "name" => self.name = Some(text()),
            "kind" => self.kind = SpanKind::from_name(&text()).or(self.kind),
            "status_code" => match text().to_ascii_lowercase().as_str() {
                "ok" => self.code = Some(Code::Ok),
                "error" => self.code = Some(Code::Error),
                _ => {}
            },
            "status_description" | "status_message" => self.description = Some(text()),
            _ => return false,
        }
        true
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
        match i64::try_from(value) {
            Ok(value) => self.put(field, value),
            Err(_) => self.put(field, value.to_string().as_str()),
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
    }

    #[inline]
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_fmt(field, format_args!("{value:?}"));
    }
}
