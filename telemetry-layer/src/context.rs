//! Where a thread stands in its trace, kept, and taken to other threads and tasks.

use std::pin::Pin;
use std::sync::Arc;
use std::task;

use telemetry_core::model::TraceContext;
use tracing::Span;
use tracing::span::EnteredSpan;

use crate::remote::{self, Attached};
use crate::span_ext::trace_context_of_thread;
use crate::spans::is_context_innermost;

/// Where a thread stands in its trace: the span that it is in, and the context of another program that is attached to it.
///
/// No log filter touches an attached context: spans that open under it are parts of that trace, and
/// [`current_trace_context`] hands it on, whether the span of the request that brought it is recorded or not. A span with
/// `parent: None` begins a trace of its own all the same.
///
/// ```
/// use telemetry_layer::model::TraceContext;
/// use telemetry_layer::{Context, current_trace_context};
///
/// # let header = |name: &str| (name == "traceparent").then_some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
/// let came = TraceContext::extract(header).unwrap();
/// let _attached = Context::new(came.clone()).attach();
/// assert_eq!(current_trace_context(), Some(came), "without any span");
/// ```
///
/// A task that is spawned begins without; [`in_current_context`] takes it along.
#[derive(Clone, Debug)]
#[must_use = "a context does nothing before it is attached"]
pub struct Context {
    span: Span,
    attached: Option<Arc<TraceContext>>,
    /// The context was attached in the span, and the span was not entered under it.
    is_inside: bool,
}

impl Context {
    /// What came from another program. Where only baggage came, it goes on with the trace that this thread is in.
    pub fn new(mut context: TraceContext) -> Self {
        if context.span.is_none()
            && let Some(here) = current_trace_context()
        {
            (context.span, context.trace_state) = (here.span, here.trace_state);
        }
        Self { span: Span::none(), attached: Some(Arc::new(context)), is_inside: true }
    }

    /// Where this thread stands.
    pub fn current() -> Self {
        Self { span: Span::current(), attached: remote::attached(), is_inside: is_context_innermost() }
    }

    /// This thread stands there until the guard is dropped. In async code a future takes it along instead
    /// ([`Context::scope_future`]), as what is awaited may go on elsewhere.
    pub fn attach(&self) -> ContextGuard {
        let attach = || self.attached.clone().map(remote::attach);
        let enter = || (!self.span.is_none()).then(|| self.span.clone().entered());
        let (attached, entered) = if self.is_inside {
            let entered = enter();
            (attach(), entered)
        } else {
            (attach(), enter())
        };
        ContextGuard { _attached: attached, _entered: entered }
    }

    /// Runs `f` there.
    pub fn scoped<R>(&self, f: impl FnOnce() -> R) -> R {
        let _attached = self.attach();
        f()
    }

    /// The future runs there, on whatever threads it is polled and dropped.
    pub fn scope_future<F: Future>(self, future: F) -> InContext<F> {
        InContext { context: self, future: Some(Box::pin(future)) }
    }
}

/// Keeps a [`Context`] attached to the thread that made it.
#[derive(Debug)]
#[must_use = "what is attached goes with its guard"]
pub struct ContextGuard {
    _attached: Option<Attached>,
    _entered: Option<EnteredSpan>,
}

/// A future in its [`Context`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct InContext<F> {
    context: Context,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<F::Output> {
        let Self { context, future } = self.get_mut();
        let Some(future) = future else { return task::Poll::Pending };
        context.scoped(|| future.as_mut().poll(cx))
    }
}

impl<F> Drop for InContext<F> {
    fn drop(&mut self) {
        let Self { context, future } = self;
        context.scoped(|| drop(future.take()));
    }
}

/// The future goes on with the trace that this thread is in, wherever it runs: what a task is spawned with.
///
/// ```
/// # mod tokio { pub fn spawn(_: impl Future + Send + 'static) {} }
/// tokio::spawn(telemetry_layer::in_current_context(async {
///     tracing::info!("still a part of the request");
/// }));
/// ```
///
/// [`Instrument`](tracing::Instrument) does the same only where the span of the request is not filtered out.
pub fn in_current_context<F: Future>(future: F) -> InContext<F> {
    Context::current().scope_future(future)
}

/// Runs `f`; spans that begin in it on this thread are children of that span elsewhere, unless they say `parent: None`.
/// Without a parent it just runs. What a server does with the context that came with a request, around the opening of
/// the request's span; where a filter may leave that span out, [`Context`] stays for the whole of the request.
///
/// ```
/// use telemetry_layer::model::TraceContext;
///
/// # fn header(_: &str) -> Option<&'static str> { None }
/// let parent = TraceContext::extract(header);
/// let span = telemetry_layer::with_remote_parent(parent, || tracing::info_span!("request", otel.kind = "server"));
/// ```
pub fn with_remote_parent<R>(parent: Option<TraceContext>, f: impl FnOnce() -> R) -> R {
    match parent {
        Some(parent) => Context::new(parent).scoped(f),
        None => f(),
    }
}

/// Where this thread stands, for other programs: what to inject into a request. That is the innermost span that a layer of
/// ours sees, or the context that is attached in front of it, as it came.
pub fn current_trace_context() -> Option<TraceContext> {
    trace_context_of_thread().or_else(|| remote::attached().map(Arc::unwrap_or_clone))
}
