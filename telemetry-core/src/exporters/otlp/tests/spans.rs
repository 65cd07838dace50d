//! Spans, with a call site and without.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::Link;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span as OtlpSpan, Status as OtlpStatus,
};

use super::*;
use crate::model::record::{Chunk, FieldBuf, Key, Links, Site, SpanHead, Time, field_name};
use crate::model::{Span, SpanContext, SpanId, SpanKind, Status, TraceId};

/// A span, and what only a record holds of it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) span: Span,
    pub(super) context: SpanContext,
    /// Its name and target count then, unless it has a late name.
    pub(super) site: Option<&'static Metadata<'static>>,
    pub(super) late_name: bool,
    /// Of the call site, by their index.
    pub(super) own: Vec<(usize, Value)>,
    pub(super) dropped: u32,
}

pub(super) fn made(id: u64) -> Made {
    let context =
        SpanContext::new(TraceId::new(u128::from(id) << 64 | 7).unwrap(), SpanId::new(id).unwrap(), true);
    let span = Span::new(context, "by hand", 1_700_000_000_000_000_000 + id, 1000);
    Made { span, context, site: None, late_name: false, own: Vec::new(), dropped: 0 }
}

pub(super) fn batch(made: &[Made]) -> Batch {
    batch_of(made, &resource(&[]))
}

pub(super) fn batch_of(made: &[Made], resource: &Arc<Resource>) -> Batch {
    let mut chunk = Chunk::default();
    made.iter().for_each(|made| made.push(&mut chunk));
    Batch::of_spans(chunk, Arc::clone(resource), Arc::default())
}

impl Made {
    /// Each by chance.
    fn parent_is_remote(&self) -> Option<bool> {
        [None, Some(false), Some(true)][self.span.duration_nano as usize % 3]
    }

    fn push(&self, chunk: &mut Chunk) {
        let Self { span, context, site, late_name, own, dropped } = self;
        let mut fields = FieldBuf::new();
        own.iter().for_each(|(index, value)| fields.push(Key::Index(*index), value.as_ref()));
        span.fields.iter().for_each(|(name, value)| fields.push(Key::Name(name), value.as_ref()));
        let inline = Site::Inline { name: &span.name, target: &span.target, level: span.level };
        let head = SpanHead {
            context: *context,
            parent: span.parent_span_id,
            parent_is_remote: self.parent_is_remote(),
            start: Time::Unix(span.start_unix_nano),
            duration_nano: span.duration_nano,
            kind: span.kind,
            status: span.status.as_ref(),
            name: late_name.then_some(&*span.name),
            site: site.map_or(inline, Site::Static),
            cut: *dropped,
            trace_state: &span.trace_state,
            links: Links::new(&span.links),
        };
        chunk.push_span(&head, &fields);
    }

    fn otlp(&self) -> (String, OtlpSpan) {
        let Self { span, context, site, late_name, own, dropped } = self;
        let target = site.map_or(&*span.target, |site| site.target());
        let name = site.filter(|_| !late_name).map_or(&*span.name, |site| site.name());
        let own = own.iter().filter_map(|(index, value)| {
            let field = site.and_then(|site| site.fields().iter().nth(*index));
            Some(attribute(field_name(&field?), any(value)))
        });
        let more = span.fields.iter().map(|(name, value)| attribute(name, any(value)));
        let (message, code) = match &span.status {
            Status::Unset => ("", None),
            Status::Ok => ("", Some(StatusCode::Ok)),
            Status::Error(message) => (&**message, Some(StatusCode::Error)),
        };
        let flags = |context: &SpanContext| u32::from(context.sampled) | u32::from(context.random) << 1;
        let link = |link: &SpanContext| Link {
            trace_id: link.trace_id.get().to_be_bytes().to_vec(),
            span_id: link.span_id.get().to_be_bytes().to_vec(),
            flags: flags(link) | 0x100 | u32::from(link.is_remote) << 9,
            ..Link::default()
        };
        let remote = if span.parent_span_id.is_none() { Some(false) } else { self.parent_is_remote() };
        let span = OtlpSpan {
            trace_id: context.trace_id.get().to_be_bytes().to_vec(),
            span_id: context.span_id.get().to_be_bytes().to_vec(),
            trace_state: span.trace_state.clone(),
            parent_span_id: span.parent_span_id.map_or(Vec::new(), |id| id.get().to_be_bytes().to_vec()),
            flags: flags(context) | remote.map_or(0, |is_remote| 0x100 | u32::from(is_remote) << 9),
            name: name.to_owned(),
            kind: span.kind as i32 + 1,
            start_time_unix_nano: span.start_unix_nano,
            end_time_unix_nano: span.end_unix_nano(),
            attributes: site.map(place).unwrap_or_default().into_iter().chain(own).chain(more).collect(),
            dropped_attributes_count: *dropped,
            links: span.links.iter().map(link).collect(),
            status: code.map(|code| OtlpStatus { message: message.to_owned(), code: code.into() }),
            ..OtlpSpan::default()
        };
        (target.to_owned(), span)
    }
}

pub(super) fn request(made: &[Made], resource: &Resource) -> ExportTraceServiceRequest {
    let scopes = by_scope(made.iter().map(Made::otlp)).into_iter();
    let scope_spans =
        scopes.map(|(name, spans)| ScopeSpans { scope: Some(scope(&name)), spans, ..ScopeSpans::default() });
    let of_resource = ResourceSpans {
        resource: Some(otlp_resource(resource)),
        scope_spans: scope_spans.collect(),
        schema_url: SCHEMA.to_owned(),
    };
    ExportTraceServiceRequest { resource_spans: vec![of_resource] }
}

pub(super) fn some_spans() -> impl Strategy<Value = Vec<Made>> {
    let with_fields = (some_span(), some_fields()).prop_map(|(made, (site, own, named))| {
        let site = site.map(|at| SITES[at]);
        let known = site.map_or(0, |site| site.fields().len());
        let own = own.into_iter().filter(|(index, _)| *index < known).collect();
        let mut span = made.span;
        span.fields = named.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Made { span, site, own, ..made }
    });
    prop::collection::vec(with_fields, 1..12)
}

fn some_context() -> impl Strategy<Value = SpanContext> {
    (1..u128::MAX, some_id(), 0..8_u8).prop_map(|(trace, span, flags)| {
        let context =
            SpanContext::new(TraceId::new(trace).unwrap(), SpanId::new(span).unwrap(), flags & 1 > 0);
        SpanContext { random: flags & 2 > 0, is_remote: flags & 4 > 0, ..context }
    })
}

/// Without fields.
fn some_span() -> impl Strategy<Value = Made> {
    let target = prop_oneof![Just("shop::cart"), Just(""), Just("by.hand")];
    let status = prop_oneof![Just(Status::Unset), Just(Status::Ok), ".{0,200}".prop_map(Status::Error)];
    let times = (some_id(), some_id());
    // Most spans have none of these, and are written in a way of their own.
    let seldom = (
        prop_oneof![6 => Just(0), 1 => 1..300_u32],
        proptest::bool::weighted(0.1),
        prop_oneof![6 => Just(String::new()), 1 => "[a-z=,]{1,9}"],
        prop_oneof![6 => Just(Vec::new()), 1 => prop::collection::vec(some_context(), 1..3)],
    );
    let context = (some_context(), prop::option::of(some_id()), 0..5_usize);
    (context, ".{0,20}", target, status, times, seldom).prop_map(
        |((context, parent, kind), name, target, status, (start, duration), seldom)| {
            let mut span = Span::new(context, name, start, duration);
            span.parent_span_id = parent.and_then(SpanId::new);
            span.kind = ["internal", "server", "client", "producer", "consumer"]
                .map(|name| SpanKind::from_name(name).unwrap())[kind];
            (span.target, span.status) = (target.into(), status);
            let (dropped, late_name, trace_state, links) = seldom;
            (span.trace_state, span.links) = (trace_state, links);
            Made { span, context, late_name, dropped, ..made(1) }
        },
    )
}

/// A call site, its fields and those with names of their own.
type Fields = (Option<usize>, Vec<(usize, Value)>, Vec<(String, Value)>);

fn some_fields() -> impl Strategy<Value = Fields> {
    let own = prop::collection::vec((0..4_usize, some_value()), 0..5);
    let named = prop::collection::vec(("[a-zäß.]{0,40}", some_value()), 0..4);
    let named = prop_oneof![3 => Just(Vec::new()), 1 => named];
    (prop::option::of(0..SITES.len()), own, named)
}

proptest! {
    #[test]
    fn every_span_arrives_as_it_was_made(made in some_spans(), again in some_spans()) {
        let (writer, resource) = (Writer::new(), resource(&[("env", "prüf"), ("service.name", "shop")]));
        for made in [&made, &again, &made] {
            assert_same(&written(&writer, &batch_of(made, &resource)), &request(made, &resource));
        }
    }
}

fn site_span(id: u64, site: usize) -> Made {
    Made { site: Some(SITES[site]), ..made(id) }
}

#[test]
fn a_call_site_says_scope_name_and_place_once_and_for_all() {
    let late = Made { late_name: true, ..site_span(3, 0) };
    let made = [site_span(1, 0), site_span(2, 2), late, site_span(4, 1), site_span(5, 3), made(6)];
    let request: ExportTraceServiceRequest = written(&Writer::new(), &batch(&made));
    let scopes: Vec<_> = request.resource_spans[0]
        .scope_spans
        .iter()
        .map(|of| {
            (&*of.scope.as_ref().unwrap().name, of.spans.iter().map(|span| &*span.name).collect::<Vec<_>>())
        })
        .collect();
    // What was made by hand without a target falls in with what has none.
    let want = [
        ("shop::cart", vec!["work", "by hand", "späť"]),
        ("shop::pay", vec!["event src/pay.rs:7"]),
        ("", vec!["nowhere", "by hand"]),
    ];
    assert_eq!(scopes, want);
    assert_same(&request, &super::spans::request(&made, &resource(&[])));
}

#[test]
fn numbers_that_are_none_and_texts_of_any_length_arrive() {
    let mut made = Vec::new();
    for id in 1..4 {
        let mut one = site_span(id, 0);
        let fields = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0].map(|x| ("x".into(), Value::F64(x)));
        one.span.fields.extend(fields);
        one.span.fields.push(("u64".into(), Value::U64(u64::MAX)));
        let long = "\u{1d11e}é".repeat(id as usize * 400);
        one.own = vec![
            (2, Value::Str(long.clone())),
            (0, Value::Str(String::new())),
            (0, Value::Str(long.clone())),
        ];
        one.span.status = Status::Error(long);
        one.span.links = vec![one.context; 128];
        made.push(one);
    }
    assert_same(&written(&Writer::new(), &batch(&made)), &request(&made, &resource(&[])));
}

#[test]
fn fields_of_every_length_around_the_short_way_arrive() {
    let text = |len: usize| Value::Str("x".repeat(len));
    let made: Vec<_> =
        (0..300).map(|len| Made { own: vec![(0, text(len)), (3, text(len))], ..site_span(1, 0) }).collect();
    assert_same(&written(&Writer::new(), &batch(&made)), &request(&made, &resource(&[])));
}

/// The memory in which most are written has 2 KiB.
#[test]
fn spans_of_every_length_around_that_of_their_memory_arrive() {
    let text = |len: usize| Value::Str("x".repeat(len));
    let of = |(fields, last)| {
        let mut own = vec![(0, text(90)); fields];
        own.push((3, text(last)));
        Made { own, ..site_span(1, 0) }
    };
    let made: Vec<_> = (14..22).flat_map(|fields| (0..=90).map(move |last| (fields, last))).map(of).collect();
    let (first, last) =
        (request(&made[..1], &resource(&[])), request(&made[made.len() - 1..], &resource(&[])));
    assert!(prost::Message::encoded_len(&first) < 2_000 && prost::Message::encoded_len(&last) > 2_300);
    assert_same(&written(&Writer::new(), &batch(&made)), &request(&made, &resource(&[])));
}
