//! How much of a batch a request takes, and what of it is remembered.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

use super::spans::{Made, batch as spans, batch_of, made, request, some_spans};
use super::*;
use crate::exporters::otlp::wire::varint_len;
use crate::model::{Kind as Measures, Metric, SpanId};

/// The bodies that a batch becomes when each takes so many bytes at most, and how many items each has.
fn bodies(writer: &Writer, batch: &Batch, max_bytes: usize) -> Vec<(usize, Vec<u8>)> {
    let (mut rest, mut bodies) = (batch.clone(), Vec::new());
    while !rest.is_empty() {
        let mut body = Vec::new();
        let items = writer.write(&rest, max_bytes, &mut body);
        assert!(items == 1 || items > 1 && body.len() <= max_bytes, "{items} items in {} bytes", body.len());
        rest.take_first(items);
        bodies.push((items, body));
    }
    bodies
}

proptest! {
    #[test]
    fn what_does_not_fit_comes_in_the_next_request(made in some_spans(), max_bytes in 0..4000_usize) {
        let mut rest = &made[..];
        for (items, body) in bodies(&Writer::new(), &spans(&made), max_bytes) {
            let (first, next) = rest.split_at(items);
            assert_same(&ExportTraceServiceRequest::decode(&*body).unwrap(), &request(first, &resource(&[])));
            rest = next;
        }
        prop_assert!(rest.is_empty());
    }

    /// What a limit leaves free is less than one more item and the lengths around it would take.
    #[test]
    fn as_many_items_as_fit_are_taken(max_bytes in 2000..100_000_usize, targets in 1..5_u64) {
        let made: Vec<Made> = (1..1000).map(|id| {
            let mut made = made(id);
            made.span.target = ["a", "b", "c", "d"][(id % targets) as usize].into();
            made
        }).collect();
        for (items, body) in bodies(&Writer::new(), &spans(&made), max_bytes).iter().rev().skip(1) {
            prop_assert!(body.len() + 200 > max_bytes, "{items} items in {} of {max_bytes} bytes", body.len());
        }
    }

    #[test]
    fn metrics_and_events_keep_to_the_limit_too(max_bytes in 0..2000_usize, names in 1..9_usize) {
        let name = |n: usize| ["a", "b", "c", "d", "e", "f", "g", "h"][n % names % 8];
        let metrics: Vec<_> = (0..99).map(|n| Metric::new(Measures::Counter, name(n / 9), n as u64, 5)).collect();
        let mut points = 0;
        for (items, body) in bodies(&Writer::new(), &super::metrics::batch(&metrics), max_bytes) {
            points += items;
            ExportMetricsServiceRequest::decode(&*body).unwrap();
        }
        prop_assert_eq!(points, metrics.len());
        let events: Vec<_> = (0..99).map(|n| super::events::made(name(n), 5)).collect();
        let of = |(items, body): (usize, Vec<u8>)| {
            let request = ExportLogsServiceRequest::decode(&*body).unwrap();
            let scopes = &request.resource_logs[0].scope_logs;
            (items, scopes.iter().map(|scope| scope.log_records.len()).sum::<usize>())
        };
        let all = bodies(&Writer::new(), &super::events::batch(&events), max_bytes).into_iter().map(of);
        prop_assert!(all.clone().all(|(said, are)| said == are));
        prop_assert_eq!(all.map(|(items, _)| items).sum::<usize>(), events.len());
    }
}

#[test]
fn of_an_empty_batch_nothing_is_written() {
    let mut body = b"before".to_vec();
    for batch in [spans(&[]), super::events::batch(&[]), super::metrics::batch(&[]), spans(&[made(1)]).none()]
    {
        assert_eq!(Writer::new().write(&batch, usize::MAX, &mut body), 0);
    }
    assert_eq!(body, b"before");
}

/// But for those of the resource and of its scopes, which take five.
#[test]
fn no_length_of_an_item_takes_more_bytes_than_it_has_to() {
    for target_len in [1, 100, 127, 128, 8000] {
        let mut made = made(1);
        made.span.target = "x".repeat(target_len).into();
        made.span.fields = vec![("x".into(), Value::Str("y".repeat(target_len)))];
        for many in [1, 3, 200] {
            let mut body = Vec::new();
            Writer::new().write(&spans(&vec![made.clone(); many]), usize::MAX, &mut body);
            let request = ExportTraceServiceRequest::decode(&*body).unwrap();
            let of_resource = &request.resource_spans[0];
            let lengths = [of_resource.encoded_len(), of_resource.scope_spans[0].encoded_len()];
            let longer: usize = lengths.map(|len| 5 - varint_len(len as u64)).iter().sum();
            assert_eq!(body.len(), request.encoded_len() + longer);
        }
    }
}

#[test]
fn one_item_is_taken_however_large_it_is() {
    let mut large = made(1);
    large.span.fields = (0..3).map(|_| ("x".into(), Value::Str("y".repeat(8000)))).collect();
    let mut body = Vec::new();
    assert_eq!(Writer::new().write(&spans(&[large, made(2)]), 100, &mut body), 1);
    assert!(body.len() > 24_000);
}

#[test]
fn items_of_a_filtered_and_merged_batch_arrive_in_their_order() {
    let resource = resource(&[("env", "test")]);
    let all: Vec<Made> = (1..30).map(made).collect();
    let mut batch = batch_of(&all[..10], &resource);
    batch.append(batch_of(&all[10..], &resource));
    let keep = |id: SpanId| !id.get().is_multiple_of(3);
    let filtered = batch.filter(|item| match item {
        crate::exporters::batch::Item::Span(span) => keep(span.span_id()),
        _ => false,
    });
    let kept: Vec<Made> = all.iter().filter(|made| keep(made.context.span_id)).cloned().collect();
    assert_same(&written(&Writer::new(), &filtered), &request(&kept, &resource));
}

#[test]
fn each_batch_brings_its_own_resource() {
    let writer = Writer::new();
    for tags in [&[("service.name", "a")][..], &[("env", "x")], &[]] {
        let resource = resource(tags);
        assert_same(&written(&writer, &batch_of(&[made(1)], &resource)), &request(&[made(1)], &resource));
    }
    // What the program says of the library counts.
    let resource = resource(&[("telemetry.sdk.name", "other")]);
    let request: ExportTraceServiceRequest = written(&writer, &batch_of(&[made(1)], &resource));
    let attributes = &request.resource_spans[0].resource.as_ref().unwrap().attributes;
    let names: Vec<_> = attributes.iter().filter(|of| of.key == "telemetry.sdk.name").collect();
    assert_eq!(names, [&attribute("telemetry.sdk.name", text("other"))]);
}

/// Targets made by hand may be any number of texts.
#[test]
fn memory_is_bounded_whatever_comes() {
    let writer = Writer::new();
    for round in 0..8_u64 {
        let all: Vec<Made> = (1..10_000)
            .map(|id| {
                let mut made = made(id);
                made.span.target = format!("{:>300}", round * 10_000 + id).into();
                made
            })
            .collect();
        written::<ExportTraceServiceRequest>(&writer, &spans(&all));
        assert!(writer.bytes() <= 16 << 20, "{}", writer.bytes());
    }
}
