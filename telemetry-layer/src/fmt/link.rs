//! Which of our layers stands in the subscriber in which a line is formatted, and where it sees the event.
//!
//! `fmt` does not say in which subscriber it stands, and inside of a call of `tracing` the default one is mostly hidden. But it
//! says which span its Registry takes for the current one: our layer is the one whose Registry says the same on this thread.
//! Each thread looks for it once, and again when there are other layers.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use telemetry_core::__private::Suppression;
use telemetry_core::model::SpanContext;
use tracing::span::Id;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::{FmtContext, FormatFields};
use tracing_subscriber::registry::{LookupSpan, SpanData as _};

use crate::generation::generation;
use crate::layers::living;
use crate::remote::attached_span;
use crate::tracer::Tracer;

/// The layers beside one `fmt` layer, as a thread found them.
struct Link {
    /// Where that layer has its field formatter, which tells it from others.
    formatter: usize,
    generation: u64,
    layers: Vec<Weak<Tracer>>,
}

/// A thread remembers so many.
const MAX_LINKS: usize = 8;

thread_local! {
    static LINKS: RefCell<Vec<Link>> = const { RefCell::new(Vec::new()) };
}

/// The ids with which an event is exported that `fmt` formats, or would be if it were sampled: for event formats of your own.
/// None outside of spans that a [`TelemetryLayer`](crate::TelemetryLayer) sees, where no context is attached either.
///
/// ```
/// use std::fmt;
/// use telemetry_layer::fmt::span_context;
/// use tracing::{Event, Subscriber};
/// use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format::Writer};
/// use tracing_subscriber::registry::LookupSpan;
///
/// struct Short;
///
/// impl<S, N> FormatEvent<S, N> for Short
/// where
///     S: Subscriber + for<'a> LookupSpan<'a>,
///     N: for<'a> FormatFields<'a> + 'static,
/// {
///     fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
///         if let Some(context) = span_context(ctx, event) {
///             write!(writer, "[{}] ", context.trace_id)?;
///         }
///         ctx.format_fields(writer.by_ref(), event)?;
///         writeln!(writer)
///     }
/// }
/// ```
///
/// It takes no lock and allocates nothing, but for the first line of a thread.
pub fn span_context<S, N>(ctx: &FmtContext<'_, S, N>, event: &Event<'_>) -> Option<SpanContext>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let formatter = std::ptr::from_ref(ctx.field_format()).addr();
    let seen = Seen::new(ctx, event);
    let of_layers = match seen {
        Seen::Nothing => None,
        seen => context_there(formatter, &seen, event),
    };
    of_layers.or_else(|| if event.is_root() { None } else { attached_span() })
}

/// What layers say; first those that the thread knows.
fn context_there(formatter: usize, seen: &Seen, event: &Event<'_>) -> Option<SpanContext> {
    let find = |links: &RefCell<Vec<Link>>| {
        // Borrowed already only where an allocator writes lines.
        let mut links = links.try_borrow_mut().ok()?;
        let now = generation();
        let known = links.iter().find(|link| link.formatter == formatter && link.generation == now);
        if let Some(link) = known {
            return first_of(link.layers.iter().filter_map(Weak::upgrade), event);
        }
        let _away = Suppression::begin();
        let (layers, is_certain) = search(seen);
        if is_certain {
            links.retain(|link| link.formatter != formatter && link.generation == now);
            links.truncate(MAX_LINKS - 1);
            links.push(Link {
                formatter,
                generation: now,
                layers: layers.iter().map(Arc::downgrade).collect(),
            });
        }
        first_of(layers.into_iter(), event)
    };
    LINKS.try_with(find).unwrap_or_else(|_| first_of(search(seen).0.into_iter(), event))
}

/// Where the event is for the first layer that has it in a span.
fn first_of(mut layers: impl Iterator<Item = Arc<Tracer>>, event: &Event<'_>) -> Option<SpanContext> {
    layers.find_map(|layer| layer.context_of(event))
}

/// By what a Registry is known.
enum Seen {
    /// There is no span.
    Nothing,
    /// It has that span, which is the parent of the event.
    Parent(Id, &'static Metadata<'static>),
    /// The thread is in that span.
    Current(Id, &'static Metadata<'static>),
    /// The parent of the event is hidden, and the thread is in no span.
    Hidden,
}

impl Seen {
    fn new<S, N>(ctx: &FmtContext<'_, S, N>, event: &Event<'_>) -> Self
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        N: for<'a> FormatFields<'a> + 'static,
    {
        if event.is_root() {
            return Self::Nothing;
        }
        let parent = event.parent().and_then(|id| Some((id.clone(), ctx.metadata(id)?)));
        if let Some((id, site)) = parent {
            return Self::Parent(id, site);
        }
        let current = ctx.current_span();
        match current.id().cloned().zip(current.metadata()) {
            Some((id, site)) => Self::Current(id, site),
            None if event.parent().is_some() => Self::Hidden,
            None => Self::Nothing,
        }
    }

    fn is_in(&self, registry: &Registry) -> bool {
        match self {
            Self::Nothing => false,
            Self::Parent(id, site) => {
                registry.span_data(id).is_some_and(|span| std::ptr::eq(span.metadata(), *site))
            }
            Self::Current(id, site) => {
                let current = registry.current_span();
                current.id() == Some(id)
                    && current.metadata().is_some_and(|current| std::ptr::eq(current, *site))
            }
            Self::Hidden => true,
        }
    }
}

/// The layers in the subscriber that sees that, and whether no other one sees the same. Among several the latest one, as
/// subscribers stand inside of those that were there before.
#[cold]
fn search(seen: &Seen) -> (Vec<Arc<Tracer>>, bool) {
    let is_here = |layer: &Arc<Tracer>| {
        layer.subscriber().is_some_and(|subscriber| {
            subscriber.downcast_ref::<Registry>().is_some_and(|registry| seen.is_in(registry))
        })
    };
    let mut layers: Vec<Arc<Tracer>> = living().into_iter().filter(is_here).collect();
    let all = layers.len();
    let Some(registry) = layers.last().map(|layer| layer.registry()) else { return (layers, true) };
    layers.retain(|layer| layer.registry() == registry);
    let is_certain = layers.len() == all && !matches!(seen, Seen::Hidden);
    (layers, is_certain)
}
