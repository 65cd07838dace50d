use super::*;
use crate::model::cut::MAX_TEXT;
use crate::model::{SpanContext, SpanId, SpanKind, Status, StatusRef, TraceId, Value, ValueRef};
use proptest::prelude::*;
use tracing_core::Level;

fn context(trace: u128, span: u64, sampled: bool) -> SpanContext {
    let context = SpanContext::new(TraceId::new(trace).unwrap(), SpanId::new(span).unwrap(), sampled);
    SpanContext { random: span.is_multiple_of(2), ..context }
}

fn field() -> impl Strategy<Value = (String, Value)> {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<u64>().prop_map(Value::U64),
        any::<i64>().prop_map(Value::I64),
        (-1e300..1e300f64).prop_map(Value::F64),
        ".{0,40}".prop_map(Value::Str),
    ];
    ("[a-z.]{1,12}", value)
}

/// What is known of a parent: each by chance.
fn told(n: u64) -> Option<bool> {
    [None, Some(false), Some(true)][n as usize % 3]
}

proptest! {
    #[test]
    fn every_span_comes_out_as_it_went_in(
        spans in prop::collection::vec(
            (1..u128::MAX, 1..u64::MAX, any::<u64>(), any::<u64>(), any::<u64>(), 0..5u8, any::<bool>(), "\\PC{0,20}",
             prop::collection::vec(field(), 0..6)),
            0..8),
    ) {
        let mut twice = Chunk::default();
        let links = [context(3, 4, true), SpanContext { is_remote: true, ..context(u128::MAX, 5, false) }];
        for (trace, span, parent, start, duration, kind, sampled, name, fields) in spans.iter().chain(&spans) {
            let mut buf = FieldBuf::new();
            for (key, value) in fields {
                buf.push(Key::Name(key), value.as_ref());
            }
            let status = Status::Error(name.clone());
            twice.push_span(&SpanHead {
                context: context(*trace, *span, *sampled),
                parent: SpanId::new(*parent),
                parent_is_remote: told(*duration),
                start: Time::Tick(*start),
                duration_nano: *duration,
                kind: SpanKind::from_index(*kind),
                status: if *sampled { status.as_ref() } else { StatusRef::Ok },
                name: sampled.then_some(name.as_str()),
                site: Site::Inline { name, target: "t", level: Level::WARN },
                cut: 7,
                trace_state: if *sampled { "ot=th:8" } else { "" },
                links: Links::new(&links[..usize::from(*kind).min(2)]),
            }, &buf);
        }
        prop_assert_eq!(twice.len(), 2 * spans.len());
        let read: Vec<SpanRecord<'_>> = twice.spans().collect();
        for (record, (trace, span, parent, start, duration, kind, sampled, name, fields)) in
            read.iter().zip(spans.iter().cycle())
        {
            prop_assert_eq!(record.head.context, context(*trace, *span, *sampled));
            prop_assert_eq!(record.head.parent, SpanId::new(*parent));
            prop_assert_eq!(record.head.parent_is_remote, told(*duration));
            prop_assert_eq!(record.head.start, Time::Tick(*start));
            prop_assert_eq!(record.head.duration_nano, *duration);
            prop_assert_eq!(record.head.kind, SpanKind::from_index(*kind));
            prop_assert_eq!(record.head.cut, 7);
            prop_assert_eq!(record.head.name, sampled.then_some(name.as_str()));
            prop_assert_eq!(record.head.status, if *sampled { StatusRef::Error(name) } else { StatusRef::Ok });
            prop_assert_eq!(record.head.trace_state, if *sampled { "ot=th:8" } else { "" });
            prop_assert!(record.head.links.iter().eq(links[..usize::from(*kind).min(2)].iter().copied()));
            let site = matches!(record.head.site, Site::Inline { name: n, target: "t", .. } if n == name);
            prop_assert!(site);
            let out: Vec<(&str, ValueRef<'_>)> = record.fields.iter().collect();
            let want: Vec<(&str, ValueRef<'_>)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_ref())).collect();
            prop_assert_eq!(out, want);
            let keyed = record.fields.keyed().zip(fields).all(|((key, value), (name, want))| {
                let is_same = match (value, want) {
                    (RawValue::Bool(a), Value::Bool(b)) => a == *b,
                    (RawValue::U64(a), Value::U64(b)) => a == *b,
                    (RawValue::I64(a), Value::I64(b)) => a == *b,
                    (RawValue::F64(a), Value::F64(b)) => a.to_bits() == b.to_bits(),
                    (RawValue::Text(a), Value::Str(b)) => a == b.as_bytes(),
                    _ => false,
                };
                key == FieldKey::Name(name) && is_same
            });
            prop_assert!(keyed && record.fields.keyed().count() == fields.len());
        }
        prop_assert_eq!(read.len(), twice.len());
    }
}

#[test]
fn events_keep_time_and_context() {
    let mut chunk = Chunk::default();
    let mut fields = FieldBuf::new();
    fields.push_fmt(Key::Name("message"), format_args!("{} and {}", 1, 2));
    let site = Site::Inline { name: "", target: "app", level: Level::ERROR };
    let (trace_id, span_id) = (TraceId::new(5), SpanId::new(6));
    let time = Time::Unix(9);
    for (trace_id, span_id) in [(None, None), (trace_id, None), (trace_id, span_id)] {
        let head = EventHead {
            trace_id,
            span_id,
            sampled: span_id.is_some(),
            random: span_id.is_none(),
            time,
            site,
            cut: 0,
        };
        chunk.push_event(&head, &fields);
    }
    let events: Vec<EventRecord<'_>> = chunk.events().collect();
    let ids: Vec<_> =
        events.iter().map(|e| (e.head.trace_id, e.head.span_id, e.head.sampled, e.head.random)).collect();
    let want = [(None, None, false, true), (trace_id, None, false, true), (trace_id, span_id, true, false)];
    assert_eq!(ids, want);
    assert_eq!(events[1].head.time, Time::Unix(9));
    assert_eq!(events[1].fields.iter().collect::<Vec<_>>(), [("message", ValueRef::Str("1 and 2"))]);
}

#[test]
fn long_texts_are_cut_at_a_character_and_many_fields_are_counted() {
    let mut buf = FieldBuf::new();
    let long = "é".repeat(MAX_TEXT);
    for _ in 0..5 {
        buf.push(Key::Name("a"), ValueRef::Str(&long));
        buf.push_fmt(Key::Name("b"), format_args!("x{long}"));
    }
    assert!(buf.cut() > 0 && buf.words().count() * 8 <= MAX_FIELDS);
    let bytes = buf.bytes();
    let fields = Fields { bytes: &bytes, site: None };
    for (_, value) in fields.iter() {
        let ValueRef::Str(text) = value else { panic!("{value:?}") };
        assert!(text.len() <= MAX_TEXT && text.len() >= MAX_TEXT - 1 && text.ends_with("é.."));
    }
    assert_eq!(fields.iter().count() + buf.cut() as usize, 10);
}

#[test]
fn a_field_that_no_byte_can_number_is_counted() {
    let mut buf = FieldBuf::new();
    for index in [0, 254, 255, 300] {
        buf.push(Key::Index(index), ValueRef::Bool(true));
        buf.push_fmt(Key::Index(index), format_args!("x"));
    }
    assert_eq!((Fields { bytes: &buf.bytes(), site: None }.iter().count(), buf.cut()), (4, 4));
}

proptest! {
    /// From any record on the same records follow, also in a copy of them.
    #[test]
    fn a_part_of_a_chunk_is_read_from_where_it_begins(many in 1..40_usize, from in 0..40_usize, items in 0..40_usize) {
        let mut chunk = Chunk::default();
        for n in 0..many {
            let mut fields = FieldBuf::new();
            (0..n % 4).for_each(|i| fields.push(Key::Name("some.name"), ValueRef::U64(i as u64)));
            let site = if n % 3 == 0 {
                Site::Inline { name: "n", target: "t", level: Level::INFO }
            } else {
                Site::Static(metadata())
            };
            let head = EventHead { trace_id: None, span_id: None, sampled: false, random: false, time: Time::Unix(n as u64), site, cut: 0 };
            chunk.push_event(&head, &fields);
        }
        let from = from.min(many);
        let items = items.min(many - from);
        let mark = chunk.skip(Mark::default(), from);
        let times = |chunk: &Chunk, mark, items| -> Vec<(Time, bool, usize)> {
            let of = |event: EventRecord<'_>| {
                (event.head.time, matches!(event.head.site, Site::Static(_)), event.fields.iter().count())
            };
            chunk.events_from(mark, items).map(of).collect()
        };
        let all = times(&chunk, Mark::default(), many);
        prop_assert_eq!(times(&chunk, mark, items), &all[from..from + items]);
        let mut copy = Chunk::default();
        copy.copy(&chunk, mark, items);
        copy.copy(&chunk, Mark::default(), 1);
        let want: Vec<_> = all[from..from + items].iter().chain(&all[..1]).copied().collect();
        prop_assert_eq!(times(&copy, Mark::default(), items + 1), want);
    }
}

/// Of some call site.
fn metadata() -> &'static tracing_core::Metadata<'static> {
    struct Nobody;
    static NOBODY: Nobody = Nobody;
    static METADATA: tracing_core::Metadata<'static> = tracing_core::metadata! {
        name: "work", target: "test", level: Level::INFO, fields: &["a"], callsite: &NOBODY,
        kind: tracing_core::Kind::EVENT
    };
    impl tracing_core::Callsite for Nobody {
        fn set_interest(&self, _: tracing_core::Interest) {}
        fn metadata(&self) -> &tracing_core::Metadata<'_> {
            &METADATA
        }
    }
    &METADATA
}

#[test]
fn of_a_text_that_panics_what_was_printed_is_kept() {
    use std::fmt;

    struct Breaks(&'static str);
    impl fmt::Display for Breaks {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)?;
            panic!("on purpose")
        }
    }
    let places = [const { crate::sync::atomic::AtomicU64::new(0) }; 12];
    for room in 0..=places.len() {
        let mut buf = FieldBuf::at(&places[..room]);
        buf.push(Key::Index(0), ValueRef::U64(7));
        for (index, text) in [(1, ""), (2, "half of it"), (3, "")] {
            let print = || buf.push_fmt(Key::Index(index), format_args!("{}", Breaks(text)));
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(print)).unwrap_err();
        }
        buf.push_fmt(Key::Name("after"), format_args!("all"));
        let bytes = buf.bytes();
        let found: Vec<_> = Fields { bytes: &bytes, site: None }.keyed().collect();
        let want = [
            (FieldKey::Index(0), RawValue::U64(7)),
            (FieldKey::Index(2), RawValue::Text(b"half of it")),
            (FieldKey::Name("after"), RawValue::Text(b"all")),
        ];
        assert_eq!(found, want, "with room for {room} words");
    }
}

proptest! {
    /// However many there are, and with which names.
    #[test]
    fn of_names_that_come_twice_the_last_is_kept(names in prop::collection::vec("[a-c]{0,2}", 0..40)) {
        let items: Vec<(usize, String)> = names.into_iter().enumerate().collect();
        let kept: Vec<usize> = latest(&items, |(_, name)| name).map(|(at, _)| *at).collect();
        let is_last = |at: &usize| items[at + 1..].iter().all(|(_, name)| *name != items[*at].1);
        let want: Vec<usize> = (0..items.len()).filter(is_last).collect();
        prop_assert_eq!(kept, want);
    }
}

#[test]
fn records_say_which_thread_wrote_them_and_keep_all_else() {
    let mut chunk = Chunk::default();
    let mut fields = FieldBuf::new();
    fields.push(Key::Name("n"), ValueRef::U64(7));
    let site = Site::Static(metadata());
    let mut head = SpanHead {
        context: SpanContext::new(TraceId::new(1).unwrap(), SpanId::new(2).unwrap(), true),
        parent: SpanId::new(3),
        parent_is_remote: Some(true),
        start: Time::Tick(5),
        duration_nano: 6,
        kind: SpanKind::Server,
        status: StatusRef::Ok,
        name: Some("named"),
        site,
        cut: u32::MAX,
        trace_state: "",
        links: Links::default(),
    };
    chunk.push_span(&head, &fields);
    let from = chunk.end();
    head.parent_is_remote = Some(false);
    let texts = head.texts();
    for is_far in [false, true] {
        let mut record = Encoded::span(&head, (&*texts, fields.words()));
        record.on_one_thread(is_far);
        chunk.push(&record);
    }
    chunk.spans_are_of(from, u32::MAX - 1);
    let spans: Vec<SpanRecord<'_>> = chunk.spans().collect();
    let of = |span: &SpanRecord<'_>| (span.thread, span.on_one_thread, span.is_parent_far);
    let thread = u32::MAX - 1;
    assert_eq!(
        spans.iter().map(of).collect::<Vec<_>>(),
        [(0, false, false), (thread, true, false), (thread, true, true)]
    );
    let remote: Vec<_> = spans.iter().map(|span| span.head.parent_is_remote).collect();
    assert_eq!(remote, [Some(true), Some(false), Some(false)]);
    for span in &spans {
        assert_eq!((span.head.cut, span.head.duration_nano, span.head.name), (u32::MAX, 6, Some("named")));
        assert!(
            span.head.context.sampled
                && span.head.kind == SpanKind::Server
                && span.head.status == StatusRef::Ok
        );
        assert_eq!(span.fields.iter().collect::<Vec<_>>(), [("n", ValueRef::U64(7))]);
    }

    let mut events = Chunk::default();
    for cut in [0, u32::MAX] {
        let head = EventHead {
            trace_id: None,
            span_id: None,
            sampled: false,
            random: false,
            time: Time::Tick(1),
            site,
            cut,
        };
        events.push_event(&head, &fields);
    }
    events.events_are_of(0, 9);
    let all: Vec<_> = events.events().map(|event| (event.thread, event.head.cut)).collect();
    assert_eq!(all, [(9, 0), (9, u32::MAX)]);
}
