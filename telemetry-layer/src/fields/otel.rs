//! Fields of spans that say something of the span itself: OpenTelemetry's names, as `tracing-opentelemetry` introduced
//! them, and `error`.

use std::fmt;

use telemetry_core::__private::cut::{MAX_NAME, formatted};
use telemetry_core::model::SpanKind;

/// What these fields say of a span, instead of being fields of it.
#[derive(Debug, Default)]
pub(crate) struct OtelFields {
    pub(crate) name: Option<String>,
    pub(crate) kind: Option<SpanKind>,
    pub(crate) code: Option<StatusCode>,
    pub(crate) description: Option<String>,
    /// What `error` says.
    pub(crate) error: Option<Failure>,
}

/// Whether something failed.
#[derive(Debug)]
pub(crate) enum Failure {
    No,
    /// For that reason; empty where nobody said.
    Yes(String),
}

/// `otel.status_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusCode {
    Ok,
    Error,
}

/// Whether a field of a span with that name is one of these.
pub(crate) fn is_otel(name: &str) -> bool {
    name == "error" || name.starts_with("otel.")
}

impl OtelFields {
    /// Whether there is anything.
    pub(crate) fn is_some(&self) -> bool {
        let Self { name, kind, code, description, error } = self;
        let is_status = code.is_some() || description.is_some() || error.is_some();
        is_status || name.is_some() || kind.is_some()
    }

    /// Whether a field is to be no field.
    pub(crate) fn takes(&mut self, name: &str, value: &dyn fmt::Display, max_text: usize) -> bool {
        if name == "error" {
            self.fail(&formatted(format_args!("{value}"), max_text));
        }
        name.starts_with("otel.") && self.take(name, value, max_text)
    }

    /// A field that is called `error`, which stays a field.
    fn fail(&mut self, text: &str) {
        self.error = Some(match text {
            "false" | "" => Failure::No,
            "true" => Failure::Yes(String::new()),
            text => Failure::Yes(text.to_owned()),
        });
    }

    fn take(&mut self, name: &str, value: &dyn fmt::Display, max_text: usize) -> bool {
        let text = || formatted(format_args!("{value}"), max_text);
        match name.strip_prefix("otel.").unwrap_or_default() {
            "name" => self.name = Some(formatted(format_args!("{value}"), MAX_NAME)),
            "kind" => self.kind = SpanKind::from_name(&text()).or(self.kind),
            "status_code" => match text().to_ascii_lowercase().as_str() {
                "ok" => self.code = Some(StatusCode::Ok),
                "error" => self.code = Some(StatusCode::Error),
                _ => {}
            },
            "status_description" | "status_message" => self.description = Some(text()),
            _ => return false,
        }
        true
    }
}
