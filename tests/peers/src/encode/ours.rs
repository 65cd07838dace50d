//! Ours, from the batches that an exporter is given; and prost, from the types that it makes of what ours wrote.

use super::{EVENT, N, OURS, POINT, PROST, REGION, SPAN, case, event, points, span};
use crate::case::Entries;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_core::__private::otlp::Writer;
use telemetry_layer::{Batch, Collector, Signal, TelemetryLayer, counter};
use tracing_subscriber::layer::SubscriberExt;

const LONG: Duration = Duration::from_secs(60);

/// What an exporter is given of one signal of all that `record` records.
fn batches(signal: Signal, record: fn()) -> Vec<Batch> {
    let all: Arc<Mutex<Vec<Batch>>> = Arc::default();
    let taken = all.clone();
    let take = move |batch: &Batch| {
        if batch.signal() == signal {
            taken.lock().unwrap().push(batch.clone());
        }
    };
    let collector = Collector::builder().ignore_env().buffer_size(1 << 20).exporter(take).start().unwrap();
    let subscriber = tracing_subscriber::registry().with(TelemetryLayer::new(&collector));
    collector.scoped(|| tracing::subscriber::with_default(subscriber, record));
    assert!(collector.flush(LONG).is_complete());
    let all = std::mem::take(&mut *all.lock().unwrap());
    assert_eq!(all.iter().map(|batch| batch.len() as u64).sum::<u64>(), N, "items of {signal:?}");
    all
}

fn spans() -> Vec<Batch> {
    batches(Signal::Spans, || (0..N).for_each(span))
}

fn events() -> Vec<Batch> {
    batches(Signal::Events, || tracing::info_span!("request").in_scope(|| (0..N).for_each(event)))
}

fn counters() -> Vec<Batch> {
    batches(Signal::Metrics, || {
        for (metric, host) in points() {
            counter(metric).with(&[("host", &host), REGION]).inc();
        }
    })
}

/// The request of each batch.
fn write(writer: &Writer, batches: &[Batch], body: &mut Vec<u8>) {
    batches.iter().for_each(|batch| assert_eq!(writer.write(batch, usize::MAX, body), batch.len()));
}

fn add_both<M: Message + Default + 'static>(e: &mut Entries, op: &'static str, batches: fn() -> Vec<Batch>) {
    e.add(op, PROST, move || {
        let requests = batches().into_iter().map(|batch| {
            let mut body = vec![];
            write(&Writer::new(), &[batch], &mut body);
            M::decode(&*body).expect("what ours wrote")
        });
        let requests: Vec<M> = requests.collect();
        case(move |body| requests.iter().for_each(|request| request.encode(body).expect("room")))
    });
    e.add(op, OURS, move || {
        let (batches, writer) = (batches(), Writer::new());
        case(move |body| write(&writer, &batches, body))
    });
}

pub(super) fn add(e: &mut Entries) {
    add_both::<ExportTraceServiceRequest>(e, SPAN, spans);
    add_both::<ExportLogsServiceRequest>(e, EVENT, events);
    add_both::<ExportMetricsServiceRequest>(e, POINT, counters);
}
