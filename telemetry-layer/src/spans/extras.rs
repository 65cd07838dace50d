//! What most spans don't have: a name given late, a kind, a status, links, what travels with the trace, fields that don't
//! fit into the slot. It stands behind the slot's lock and is made when it is first needed.

use std::sync::Arc;

use telemetry_core::__private::record::FieldBuf;
use telemetry_core::model::{SpanContext, SpanKind, StatusRef, TraceContext};

use super::budget::{Booked, Budget};
use crate::fields::{Failure, OtelFields, StatusCode};

/// What most spans don't have.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    pub(crate) name: Option<String>,
    pub(crate) kind: SpanKind,
    /// What the program said of its end.
    pub(crate) code: Option<StatusCode>,
    /// Of the error, if it becomes one.
    pub(crate) description: Option<String>,
    /// Why it failed, as far as anybody knows; what the program says of its end goes before.
    failure: Option<String>,
    pub(crate) has_panicked: bool,
    pub(crate) links: Vec<SpanContext>,
    /// What travels with the trace beside its ids.
    pub(crate) propagated: Option<Arc<TraceContext>>,
    /// All fields, where they are too large for the slot.
    pub(crate) fields: Option<FieldBuf<'static>>,
    booked: Booked,
}

impl Extras {
    /// It failed, for that reason unless another one is known.
    pub(crate) fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    /// A panic has left it.
    pub(crate) fn panic(&mut self) {
        self.has_panicked = true;
        self.fail("panicked".to_owned());
    }

    /// Books what it takes. False where there is not so much memory.
    pub(super) fn book(&mut self, budget: &'static Budget) -> bool {
        let bytes = self.bytes();
        self.booked.change(budget, bytes)
    }

    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        let texts = [&self.name, &self.description, &self.failure];
        let texts = texts.into_iter().flatten().map(String::capacity).sum::<usize>();
        let fields = self.fields.as_ref().map_or(0, FieldBuf::heap_bytes);
        let propagated = self.propagated.as_deref().map_or(0, weight);
        size_of::<Self>() + texts + fields + propagated + self.links.capacity() * size_of::<SpanContext>()
    }

    /// There is no memory for it: what is left says how it ended.
    pub(super) fn forget(&mut self) {
        let Self { code, has_panicked, .. } = *self;
        let failure = self.failure.is_some().then(String::new);
        *self = Self { code, failure, has_panicked, ..Self::default() };
    }

    pub(crate) fn status(&self) -> StatusRef<'_> {
        // Only an error has a description.
        let why = self.description.as_deref().or(self.failure.as_deref());
        match (self.code, why) {
            (Some(StatusCode::Ok), _) => StatusRef::Ok,
            (Some(StatusCode::Error), why) => StatusRef::Error(why.unwrap_or_default()),
            (None, Some(why)) => StatusRef::Error(why),
            (None, None) => StatusRef::Unset,
        }
    }

    pub(crate) fn apply(&mut self, otel: OtelFields) {
        self.code = otel.code.or(self.code);
        self.kind = otel.kind.unwrap_or(self.kind);
        self.name = otel.name.or_else(|| self.name.take());
        self.description = otel.description.or_else(|| self.description.take());
        match otel.error {
            None => {}
            Some(Failure::No) => self.failure = None,
            Some(Failure::Yes(why)) => self.failure = Some(why),
        }
    }
}

/// Spans of one trace have it together; each is weighed with all of it, as whichever is left last keeps it.
fn weight(context: &TraceContext) -> usize {
    let pairs = context.baggage.iter().chain(&context.baggage_properties);
    let pairs = pairs.map(|(key, value)| key.len() + value.len() + size_of::<(String, String)>());
    context.trace_state.len() + pairs.sum::<usize>()
}
