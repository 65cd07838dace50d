//! Events, with a call site and without.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};

use super::*;
use crate::model::record::{Chunk, EventHead, FieldBuf, Key, Site, Time, field_name};
use crate::model::{Event, SpanContext, SpanId, TraceId};

/// An event, and what only a record holds of it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) event: Event,
    sampled: bool,
    site: Option<&'static Metadata<'static>>,
    own: Vec<(usize, Value)>,
    dropped: u32,
}

pub(super) fn made(message: &str, time: u64) -> Made {
    let event = Event::new(Level::INFO, message, time);
    Made { event, sampled: false, site: None, own: Vec::new(), dropped: 0 }
}

pub(super) fn batch(made: &[Made]) -> Batch {
    let mut chunk = Chunk::default();
    made.iter().for_each(|made| made.push(&mut chunk));
    Batch::of_events(chunk, resource(&[]), Arc::default())
}

impl Made {
    /// By chance.
    fn random(&self) -> bool {
        self.event.time_unix_nano.is_multiple_of(2)
    }

    fn push(&self, chunk: &mut Chunk) {
        let Self { event, sampled, site, own, dropped } = self;
        let mut fields = FieldBuf::new();
        own.iter().for_each(|(index, value)| fields.push(Key::Index(*index), value.as_ref()));
        if site.is_none() {
            fields.push(Key::Name("message"), event.message.as_str());
        }
        event.fields.iter().for_each(|(name, value)| fields.push(Key::Name(name), value.as_ref()));
        let inline = Site::Inline { name: &event.name, target: &event.target, level: event.level };
        let head = EventHead {
            trace_id: event.trace_id,
            span_id: event.span_id,
            sampled: *sampled,
            random: self.random(),
            time: Time::Unix(event.time_unix_nano),
            site: site.map_or(inline, Site::Static),
            cut: *dropped,
        };
        chunk.push_event(&head, &fields);
    }

    fn otlp(&self) -> (String, LogRecord) {
        let Self { event, sampled, site, own, dropped } = self;
        let target = site.map_or(&*event.target, |site| site.target());
        let name = site.map_or(&*event.name, |site| site.name());
        let level = site.map_or(event.level, |site| *site.level());
        let names =
            |index: &usize| site.and_then(|site| site.fields().iter().nth(*index)).map(|f| field_name(&f));
        let own = own.iter().filter_map(|(index, value)| Some((names(index)?, value)));
        let body =
            own.clone().filter(|(name, _)| *name == "message").map(|(_, value)| value.clone()).next_back();
        let body = body.or(site.is_none().then(|| Value::Str(event.message.clone())));
        let more = event.fields.iter().map(|(name, value)| (&**name, value));
        let fields = own.filter(|(name, _)| *name != "message").chain(more);
        let (severity, text) = match level {
            Level::ERROR => (SeverityNumber::Error, "ERROR"),
            Level::WARN => (SeverityNumber::Warn, "WARN"),
            Level::INFO => (SeverityNumber::Info, "INFO"),
            Level::DEBUG => (SeverityNumber::Debug, "DEBUG"),
            Level::TRACE => (SeverityNumber::Trace, "TRACE"),
        };
        let attributes = fields.map(|(name, value)| attribute(name, any(value)));
        let record = LogRecord {
            time_unix_nano: event.time_unix_nano,
            observed_time_unix_nano: event.time_unix_nano,
            severity_number: severity.into(),
            severity_text: text.to_owned(),
            body: body.filter(|body| *body != Value::Str(String::new())).map(|body| any(&body)),
            attributes: site.map(place).unwrap_or_default().into_iter().chain(attributes).collect(),
            dropped_attributes_count: *dropped,
            flags: if event.trace_id.is_some() {
                u32::from(*sampled) | u32::from(self.random()) << 1
            } else {
                0
            },
            trace_id: event.trace_id.map_or(Vec::new(), |id| id.get().to_be_bytes().to_vec()),
            span_id: event.span_id.map_or(Vec::new(), |id| id.get().to_be_bytes().to_vec()),
            event_name: if name.starts_with("event ") { String::new() } else { name.to_owned() },
        };
        (target.to_owned(), record)
    }
}

fn request(made: &[Made]) -> ExportLogsServiceRequest {
    let scopes = by_scope(made.iter().map(Made::otlp)).into_iter();
    let scope_logs = scopes.map(|(name, log_records)| ScopeLogs {
        scope: Some(scope(&name)),
        log_records,
        ..ScopeLogs::default()
    });
    let of_resource = ResourceLogs {
        resource: Some(otlp_resource(&resource(&[]))),
        scope_logs: scope_logs.collect(),
        schema_url: SCHEMA.to_owned(),
    };
    ExportLogsServiceRequest { resource_logs: vec![of_resource] }
}

pub(super) fn some_event() -> impl Strategy<Value = Made> {
    let level =
        (0..5_usize).prop_map(|at| [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE][at]);
    let ids = (prop::option::of(some_id()), prop::option::of(some_id()), proptest::bool::ANY);
    let named = prop::collection::vec(("[a-zäß.]{1,6}", some_value()), 0..4);
    // At most one message.
    let own = prop::collection::btree_map(0..4_usize, some_value(), 0..5);
    let site = prop::option::of(0..SITES.len());
    (level, ids, some_id(), ".{0,30}", "[a-z.]{0,9}", named, own, (site, 0..300_u32)).prop_map(
        |(level, (trace, span, sampled), time, message, name, named, own, (site, dropped))| {
            let mut event = Event::new(level, message, time).name(name).target("by.hand");
            event.trace_id = trace.and_then(|id| TraceId::new(id.into()));
            event.span_id = span.and_then(SpanId::new);
            event.fields = named.into_iter().map(|(name, value)| (name.into(), value)).collect();
            let site = site.map(|at| SITES[at]);
            let known = site.map_or(0, |site| site.fields().len());
            let own = own.into_iter().filter(|(index, _)| *index < known).collect();
            Made { event, sampled, site, own, dropped }
        },
    )
}

proptest! {
    #[test]
    fn every_event_arrives_as_it_was_made(made in prop::collection::vec(some_event(), 1..12)) {
        let writer = Writer::new();
        assert_same(&written(&writer, &batch(&made)), &request(&made));
        assert_same(&written(&writer, &batch(&made)), &request(&made));
    }
}

#[test]
fn an_event_in_a_span_names_it_and_one_outside_names_none() {
    let span = SpanContext::new(TraceId::new(0xab).unwrap(), SpanId::new(0xcd).unwrap(), true);
    let mut inside = made("in", 1);
    (inside.event, inside.sampled) = (inside.event.within(span), true);
    let request: ExportLogsServiceRequest = written(&Writer::new(), &batch(&[inside, made("out", 2)]));
    let [inside, outside] = &*request.resource_logs[0].scope_logs[0].log_records else {
        panic!("two events")
    };
    assert_eq!((inside.trace_id[15], inside.span_id[7], inside.flags), (0xab, 0xcd, 1));
    assert_eq!((outside.trace_id.len(), outside.span_id.len(), outside.flags), (0, 0, 0));
    assert_eq!((&inside.body, &outside.body), (&Some(text("in")), &Some(text("out"))));
}
