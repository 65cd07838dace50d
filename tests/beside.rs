//! Our layer beside others: what these see is what they would see without it.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use telemetry_tests::beside::{Other, locked, program, sees_the_same};
use telemetry_tests::on_a_thread;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Record};
use tracing::{Event, Id, Subscriber, debug, info, info_span};
use tracing_mock::layer::MockLayer;
use tracing_mock::subscriber::MockHandle;
use tracing_mock::{expect, layer as mock};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

const ALL: &[Option<LevelFilter>] = &[None, Some(LevelFilter::DEBUG), Some(LevelFilter::WARN)];

/// Takes down all that a layer is told, and which span is the current one then.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Witness {
    fn note<S>(&self, ctx: &Context<'_, S>, what: &str, id: Option<&Id>, record: impl FnOnce(&mut Fields))
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut fields = Fields(String::new());
        record(&mut fields);
        let of = id.and_then(|id| ctx.span(id));
        let (name, parent) = (of.as_ref().map(SpanRef::name), of.as_ref().and_then(SpanRef::parent));
        let parent = parent.map(|parent| parent.name());
        let current = ctx.lookup_current().map(|current| current.name());
        let line = format!("{what} {name:?} below {parent:?}, current is {current:?}:{}", fields.0);
        locked(&self.0).push(line);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Witness {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        self.note(&ctx, "new", Some(id), |fields| attributes.record(fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, ctx: Context<'_, S>) {
        self.note(&ctx, "record", Some(id), |fields| values.record(fields));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, ctx: Context<'_, S>) {
        self.note(&ctx, "followed", Some(follows), |_| ());
        self.note(&ctx, "follows", Some(id), |_| ());
    }

    fn event_enabled(&self, event: &Event<'_>, ctx: Context<'_, S>) -> bool {
        self.note(&ctx, "asked for", None, |fields| event.record(fields));
        true
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let span = ctx.event_span(event).map(|span| span.id());
        self.note(&ctx, "event", span.as_ref(), |fields| event.record(fields));
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.note(&ctx, "enter", Some(id), |_| ());
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        self.note(&ctx, "exit", Some(id), |_| ());
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        self.note(&ctx, "close", Some(&id), |_| ());
    }
}

impl Other for Witness {
    fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        self.clone().boxed()
    }

    fn saw(self) -> Vec<String> {
        locked(&self.0).clone()
    }
}

#[test]
fn another_layer_is_told_the_same_in_the_same_order() {
    let kept = sees_the_same::<Witness>(program, ALL);
    assert_eq!(kept.spans.iter().filter(|span| span.name == "on a thread").count(), 12);
}

/// What `fmt` prints, in all its forms.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        locked(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Printed {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Other for Printed {
    fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let plain = || {
            let layer = tracing_subscriber::fmt::layer().with_writer(self.clone()).with_ansi(false);
            layer.with_span_events(FmtSpan::FULL).without_time()
        };
        vec![plain().boxed(), plain().compact().boxed()].boxed()
    }

    fn saw(self) -> Vec<String> {
        String::from_utf8_lossy(&locked(&self.0)).lines().map(str::to_owned).collect()
    }
}

#[test]
fn what_fmt_prints_does_not_change() {
    sees_the_same::<Printed>(program, ALL);
}

/// What `tracing-mock` has to see of [`small_program`].
struct Mock {
    layer: Mutex<Option<MockLayer>>,
    handle: MockHandle,
}

fn small_program() {
    let outer = info_span!("outer");
    outer.in_scope(|| {
        info!(n = 1, "in it");
        info_span!("inner", n = 2).in_scope(|| debug!("deeper"));
        info_span!(parent: None, "root").in_scope(|| outer.in_scope(|| info!("in it again")));
        on_a_thread(|| info_span!(parent: &outer, "elsewhere").in_scope(|| ()));
    });
    info!("in none");
}

impl Default for Mock {
    fn default() -> Self {
        let span = |name: &'static str| expect::span().named(name);
        let message = |text: &'static str| expect::event().with_fields(expect::msg(text));
        let (layer, handle) = mock::mock()
            .new_span(span("outer").with_ancestry(expect::is_contextual_root()))
            .enter(span("outer"))
            .event(expect::event().with_fields(expect::msg("in it").and(expect::field("n").with_value(&1))))
            .new_span(span("inner").with_ancestry(expect::has_contextual_parent("outer")))
            .enter(span("inner"))
            .event(message("deeper").in_scope([span("inner"), span("outer")]))
            .exit(span("inner"))
            .new_span(span("root").with_ancestry(expect::is_explicit_root()))
            .enter(span("root"))
            .enter(span("outer"))
            .event(message("in it again").in_scope([span("root")]))
            .exit(span("outer"))
            .exit(span("root"))
            .new_span(span("elsewhere").with_ancestry(expect::has_explicit_parent("outer")))
            .enter(span("elsewhere"))
            .exit(span("elsewhere"))
            .exit(span("outer"))
            .event(message("in none").in_scope([]))
            .only()
            .run_with_handle();
        Self { layer: Mutex::new(Some(layer)), handle }
    }
}

impl Other for Mock {
    fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        locked(&self.layer).take().boxed()
    }

    fn saw(self) -> Vec<String> {
        self.handle.assert_finished();
        vec![String::new(); 9]
    }
}

#[test]
fn a_mock_sees_what_it_expects() {
    let kept = sees_the_same::<Mock>(small_program, &[None, Some(LevelFilter::TRACE)]);
    assert_eq!(kept.spans.iter().filter(|span| span.name == "elsewhere").count(), 8);
}
