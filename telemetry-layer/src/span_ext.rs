//! What a span can be asked, and told, while it is open.

use std::fmt;
use std::sync::Arc;

use telemetry_core::__private::record::{FieldBuf, Key};
use telemetry_core::model::{SpanContext, SpanId, TraceContext, TraceId, Value, ValueRef};
use tracing::span::Id;
use tracing::{Dispatch, Span};

use crate::fields::{Action, OtelFields, REDACTED};
use crate::layer::TelemetryLayer;
use crate::layers::layers_of;
use crate::spans::Slot;
#[cfg(feature = "macros")]
use crate::spans::{CANCELLED, ERROR_TYPE};
use crate::tracer::Tracer;

/// What `TelemetryLayer` knows of a span, and can be told of it while it is open.
///
/// Where no layer of ours sees the span (it is disabled, filtered out, or closed), there is nothing to know, and nothing
/// happens.
///
/// Only [`tracing::Span`] has it.
pub trait SpanExt: sealed::Sealed {
    /// Makes it a child of a span elsewhere, and so a part of that trace, sampled as that is, with all spans below it. Only
    /// before the trace that they are in is known: before one of them has an event or is linked to, a child has ended,
    /// or somebody has asked for their [`trace_context`](SpanExt::trace_context). Not while another thread opens or closes
    /// spans below it, which may stay where they are. A context that tells of no span only brings its baggage.
    ///
    /// Spans that were not sampled before have lost the fields they began with; they are counted in them. It is better
    /// to open the span inside of [`with_remote_parent`](crate::with_remote_parent), which tells first.
    fn set_parent(&self, parent: &TraceContext) -> Result<(), SetParentError>;

    /// Adds a link to another span; a span keeps 128.
    fn add_link(&self, to: SpanContext);

    /// Gives it a field, declared or not, in place of one of that name. Names with a meaning (`otel.name`, `error`) have it
    /// here too. Other layers don't see it: `fmt` prints what is declared and recorded. A span has at most 255 fields; more
    /// are counted as cut.
    ///
    /// ```
    /// use telemetry_layer::prelude::*;
    ///
    /// tracing::Span::current().set_attribute("http.response.header.etag", "a1b2");
    /// ```
    fn set_attribute(&self, name: impl AsRef<str>, value: impl Into<Value>);

    /// Where it stands, for other programs. From then on it stays in its trace.
    fn trace_context(&self) -> Option<TraceContext>;

    /// Its trace, which may be another one after [`set_parent`](SpanExt::set_parent).
    fn trace_id(&self) -> Option<TraceId>;

    /// Its id.
    fn span_id(&self) -> Option<SpanId>;
}

mod sealed {
    /// Lets [`SpanExt`](super::SpanExt) gain methods without breaking anybody.
    pub trait Sealed {}
    impl Sealed for tracing::Span {}
}

/// Why a span keeps its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetParentError {
    /// No layer of ours sees the span.
    NotSeen,
    /// Its trace is known already: in an event or a link, in a child that has ended, or to somebody who asked.
    InUse,
}

impl fmt::Display for SetParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSeen => "no TelemetryLayer sees the span: it is disabled, filtered out, or closed",
            Self::InUse => {
                "the trace of the span is in use already: it, or a span below it, has an event or a link to it, a child \
                 of it has ended, or its context was asked for"
            }
        })
    }
}

impl std::error::Error for SetParentError {}

impl SpanExt for Span {
    fn set_parent(&self, parent: &TraceContext) -> Result<(), SetParentError> {
        let set = |tracer: &Tracer, id, slot: &'static Slot| {
            let Some(site) = slot.site() else { return Err(SetParentError::NotSeen) };
            let (now, all) = (tracer.sink.clock().now(), tracer.store.below(id, slot));
            let Some(far) = parent.span else {
                for (below, slot) in all {
                    let mut told = slot.propagated().map(Arc::unwrap_or_clone).unwrap_or_default();
                    told.baggage.clone_from(&parent.baggage);
                    told.baggage_properties.clone_from(&parent.baggage_properties);
                    slot.propagate(below, Some(Arc::new(told)).filter(|told| told.is_more_than_ids()));
                }
                return Ok(());
            };
            if all.iter().any(|(_, slot)| slot.is_published()) {
                return Err(SetParentError::InUse);
            }
            let sampled = tracer.sink.sampler().keeps_remote(parent, site, || now);
            let propagated = tracer.carried(Arc::new(parent.clone()), sampled);
            for (below, slot) in all {
                let parent_span = (below == id).then_some(far.span_id);
                slot.move_to(below, far.with_sampled(sampled), parent_span, now);
                slot.propagate(below, propagated.clone());
            }
            Ok(())
        };
        let all = each_slot(self, set);
        all.into_iter().reduce(Result::and).unwrap_or(Err(SetParentError::NotSeen))
    }

    fn add_link(&self, to: SpanContext) {
        each_slot(self, |_, id, slot| slot.link(id, to));
    }

    fn set_attribute(&self, name: impl AsRef<str>, value: impl Into<Value>) {
        let (name, value) = (name.as_ref(), value.into());
        each_slot(self, |tracer, id, slot| set_attribute(tracer, id, slot, name, value.as_ref()));
    }

    fn trace_context(&self) -> Option<TraceContext> {
        with_slot(self, Tracer::trace_context).flatten()
    }

    fn trace_id(&self) -> Option<TraceId> {
        with_slot(self, |_, id, slot| Some(slot.context(id)?.trace_id)).flatten()
    }

    fn span_id(&self) -> Option<SpanId> {
        with_slot(self, |_, id, slot| Some(slot.context(id)?.span_id)).flatten()
    }
}

/// Where the innermost span of this thread stands that a layer sees; none where a context is attached in front of it.
pub(crate) fn trace_context_of_thread() -> Option<TraceContext> {
    tracing::dispatcher::get_default(|dispatch| {
        let current = dispatch.current_span();
        let here = |tracer: &Tracer| {
            let (id, slot) = tracer.with_thread(|thread| thread.current()).flatten()?;
            tracer.trace_context(id, slot)
        };
        each_layer(dispatch, current.id(), here).into_iter().flatten().next()
    })
}

fn set_attribute(tracer: &Tracer, id: u64, slot: &Slot, name: &str, value: ValueRef<'_>) {
    if !tracer.is_recording(None) || !slot.is_watched() {
        return;
    }
    let action = tracer.action(name);
    let value = match action {
        Action::Drop => return,
        Action::Redact => ValueRef::Str(REDACTED),
        Action::Keep => value,
    };
    let mut otel = OtelFields::default();
    let mut fields = FieldBuf::new().with_max_text(tracer.max_text);
    if action == Action::Redact || !otel.takes(name, &value, fields.max_text()) {
        fields.push(Key::Name(name), value);
        slot.update(&fields);
    }
    slot.apply(id, otel);
}

/// Says of the span of a call that nobody waits for it any more.
#[cfg(feature = "macros")]
pub(crate) fn cancel(span: &Span) {
    each_slot(span, |tracer, id, slot| {
        if slot.is_watched() && slot.cancel(id) {
            set_attribute(tracer, id, slot, ERROR_TYPE, ValueRef::Str(CANCELLED));
        }
    });
}

/// Runs `f` for each layer that sees the span.
fn each_slot<R>(span: &Span, mut f: impl FnMut(&Tracer, u64, &'static Slot) -> R) -> Vec<R> {
    let seen = span.with_subscriber(|(id, dispatch)| {
        let number = id.into_u64();
        each_layer(dispatch, Some(id), |tracer| tracer.store.find(number).map(|slot| f(tracer, number, slot)))
    });
    seen.unwrap_or_default().into_iter().flatten().collect()
}

/// Runs `f` for each layer of a subscriber; one that came into it late is known by a span that it has seen.
fn each_layer<R>(dispatch: &Dispatch, seen: Option<&Id>, mut f: impl FnMut(&Tracer) -> R) -> Vec<R> {
    let layers = layers_of(dispatch, seen);
    if layers.is_empty() {
        return dispatch
            .downcast_ref::<TelemetryLayer>()
            .map(|layer| f(layer.tracer()))
            .into_iter()
            .collect();
    }
    layers.iter().map(|tracer| f(tracer)).collect()
}

/// The same for the first one.
fn with_slot<R>(span: &Span, f: impl FnOnce(&Tracer, u64, &'static Slot) -> R) -> Option<R> {
    let mut f = Some(f);
    let all = each_slot(span, |tracer, id, slot| f.take().map(|f| f(tracer, id, slot)));
    all.into_iter().next().flatten()
}
