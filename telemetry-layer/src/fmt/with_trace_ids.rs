//! A format of `fmt` whose lines have the ids too.

use std::fmt;

use telemetry_core::model::SpanContext;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::link::span_context;

/// The names under which ids stand in lines.
pub(super) const TRACE_ID: &str = "trace_id";
pub(super) const SPAN_ID: &str = "span_id";

/// Adds `trace_id` and `span_id` to the lines of `tracing_subscriber::fmt`: the ids with which the event is exported, or would
/// be if it were sampled.
///
/// ```
/// use telemetry_layer::fmt::WithTraceIds;
/// use telemetry_layer::prelude::*;
///
/// let collector = Collector::builder().endpoint("discard:").start()?;
/// let subscriber = tracing_subscriber::registry()
///     .with(TelemetryLayer::new(&collector))
///     .with(tracing_subscriber::fmt::layer().compact().map_event_format(WithTraceIds::new));
/// tracing::subscriber::with_default(subscriber, || {
///     // .. INFO shop: checked out items=3 trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331
///     tracing::info_span!("checkout").in_scope(|| tracing::info!(items = 3, "checked out"));
/// });
/// # Ok::<(), telemetry_layer::Error>(())
/// ```
///
/// The formats are `fmt`'s own: the full one, `compact()`, `pretty()`, which has a line for them, and with the feature
/// `fmt-json` `json()`, where they are members of the object itself. In a format of your own, ask [`span_context`].
///
/// It does not matter whether the [`TelemetryLayer`](crate::TelemetryLayer) was added before `fmt` or after it, nor which
/// filters either of them has: the ids are those of the innermost span that the `TelemetryLayer` sees. Outside of such spans
/// they are those of the [`Context`](crate::Context) that is attached to the thread, and without one the line is as it was. A
/// line that says that a span begins (`FmtSpan::NEW`) has its ids only where the `TelemetryLayer` was added first.
///
/// A field of the event that is called `trace_id` or `span_id` itself stays the only one of that name. Whether lines are
/// coloured is up to the layer (`fmt::Layer::with_ansi`); what the format was told of it does not count here. As with an event
/// that is exported, a span whose ids were written stays in its trace
/// ([`SpanExt::set_parent`](crate::SpanExt::set_parent)).
#[derive(Clone, Debug)]
#[must_use = "a format does nothing before it is part of a layer"]
pub struct WithTraceIds<L = Full, T = SystemTime> {
    plain: Format<L, T>,
    /// The same with colours: a line with ids goes through a writer of our own, which can't say that it is a terminal.
    coloured: Format<L, T>,
}

impl<L: LineFormat + Clone, T: Clone> WithTraceIds<L, T> {
    /// Lines of that format.
    pub fn new(format: Format<L, T>) -> Self {
        Self { coloured: format.clone().with_ansi(true), plain: format.with_ansi(false) }
    }
}

impl<S, N, L, T> FormatEvent<S, N> for WithTraceIds<L, T>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    L: LineFormat,
    Format<L, T>: FormatEvent<S, N>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let is_coloured = writer.has_ansi_escapes();
        let format = if is_coloured { &self.coloured } else { &self.plain };
        let Some(context) = span_context(ctx, event) else { return format.format_event(ctx, writer, event) };
        let ids = Ids::new(context, event);
        L::write(&ids, writer, is_coloured, |writer| format.format_event(ctx, writer, event))
    }
}

/// A format of `fmt` whose lines [`WithTraceIds`] can add ids to.
pub trait LineFormat: sealed::Write {}

impl<L: sealed::Write> LineFormat for L {}

pub(super) mod sealed {
    use super::{Ids, Writer, fmt};

    /// How ids get into a line.
    pub trait Write {
        /// Writes what `line` writes, and the ids.
        fn write(
            ids: &Ids,
            writer: Writer<'_>,
            is_coloured: bool,
            line: impl FnOnce(Writer<'_>) -> fmt::Result,
        ) -> fmt::Result;
    }
}

/// The ids of one line.
#[derive(Debug)]
pub struct Ids {
    pub(super) context: SpanContext,
    /// Whether the event has fields of these names itself.
    pub(super) has_own: [bool; 2],
}

impl Ids {
    fn new(context: SpanContext, event: &Event<'_>) -> Self {
        let fields = event.metadata().fields();
        let has_own = [TRACE_ID, SPAN_ID].map(|own| fields.iter().any(|field| field.name() == own));
        Self { context, has_own }
    }
}
