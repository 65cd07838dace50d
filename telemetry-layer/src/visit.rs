//! Takes the fields of a span or an event down as bytes.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;

use telemetry_core::model::record::{FieldBuf, Key, capped};
use telemetry_core::model::{SpanKind, ValueRef};

use tracing::Metadata;
use tracing::field::{Field, Visit};

use crate::plan::Action;

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
    #[inline]
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

/// Whether a call site has fields with such names.
#[inline]
pub(crate) fn has_special(site: &'static Metadata<'static>) -> bool {
    /// Addresses of call sites that were asked for lately, and above them the answers.
    const KNOWN: usize = 64;
    thread_local! {
        static CACHE: [Cell<(usize, bool)>; KNOWN] = const { [const { Cell::new((0, false)) }; KNOWN] };
    }
    let address = std::ptr::from_ref(site).addr();
    let find = || site.fields().iter().any(|field| is_special(field.name()));
    let cached = CACHE.try_with(|cache| {
        let place = &cache[(address >> 5) % KNOWN];
        let (known, has) = place.get();
        if known == address {
            return has;
        }
        let has = find();
        place.set((address, has));
        has
    });
    cached.unwrap_or_else(|_| find())
}

fn is_special(name: &str) -> bool {
    name == "error" || name.starts_with("otel.")
}

/// Writes fields into a buffer; takes the special ones of a span apart where `special` is given.
pub(crate) struct Recorder<'a> {
    pub(crate) fields: &'a mut FieldBuf,
    pub(crate) special: Option<&'a mut Special>,
    /// What is done with each field, by its place; empty where all are kept.
    pub(crate) actions: &'a [Action],
}

/// Stands in place of a value that is not to be seen.
pub(crate) const REDACTED: &str = "[redacted]";

impl Recorder<'_> {
    #[inline]
    fn put(&mut self, field: &Field, value: ValueRef<'_>) {
        if self.keeps(field) && !self.take_special(field, &value) {
            self.fields.push(Key::Index(field.index()), value);
        }
    }

    /// Whether a field is recorded as it is.
    #[inline]
    fn keeps(&mut self, field: &Field) -> bool {
        self.actions.is_empty() || self.keeps_by_action(field)
    }

    #[cold]
    fn keeps_by_action(&mut self, field: &Field) -> bool {
        match self.actions.get(field.index()) {
            Some(Action::Drop) => false,
            Some(Action::Redact) => {
                self.fields.push(Key::Index(field.index()), ValueRef::Str(REDACTED));
                false
            }
            Some(Action::Keep) | None => true,
        }
    }

    /// OpenTelemetry's names, as `tracing-opentelemetry` introduced them.
    #[inline]
    fn take_special(&mut self, field: &Field, value: &dyn fmt::Display) -> bool {
        let Some(special) = &mut self.special else { return false };
        match field.name() {
            "error" => {
                special.fail(value);
                false
            }
            name => name.starts_with("otel.") && special.take(name, value),
        }
    }
}

impl Special {
    /// A field that is called `error`, which stays a field.
    #[cold]
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

    #[cold]
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

impl Visit for Recorder<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, ValueRef::Bool(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, ValueRef::U64(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, ValueRef::I64(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.put(field, ValueRef::U64(value)),
            Err(_) => self.put(field, ValueRef::Str(&value.to_string())),
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.put(field, ValueRef::I64(value)),
            Err(_) => self.put(field, ValueRef::Str(&value.to_string())),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, ValueRef::F64(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, ValueRef::Str(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_fmt(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_fmt(field, format_args!("{value:?}"));
    }
}

impl Recorder<'_> {
    fn record_fmt(&mut self, field: &Field, text: fmt::Arguments<'_>) {
        if self.keeps(field) && !self.take_special(field, &text) {
            self.fields.push_fmt(Key::Index(field.index()), text);
        }
    }
}

/// Beyond that a buffer is not kept for later.
const KEPT: usize = 4 << 10;

/// Runs `f` with an empty buffer of this thread. What `f` runs may record in its turn: it gets another one.
#[inline]
pub(crate) fn with_fields(mut f: impl FnMut(&mut FieldBuf)) {
    thread_local! {
        static SPARE: RefCell<FieldBuf> = const { RefCell::new(FieldBuf::new()) };
    }
    let known = SPARE.try_with(|spare| {
        let (mut spare, mut own) = (spare.try_borrow_mut().ok(), FieldBuf::new());
        let fields = spare.as_deref_mut().unwrap_or(&mut own);
        fields.clear();
        f(fields);
        if fields.capacity() > KEPT {
            *fields = FieldBuf::new();
        }
    });
    if known.is_err() {
        // The thread is ending, and its buffer is gone.
        let f: &mut dyn FnMut(&mut FieldBuf) = &mut f;
        f(&mut FieldBuf::new());
    }
}
