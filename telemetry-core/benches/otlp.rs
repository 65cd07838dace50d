//! What OTLP costs, beside prost that is given its types already built: `cargo bench -p telemetry-core --features otlp
//! --bench otlp`. Both write the same content.
//!
//! On a Xeon with AVX-512, 3 runs, their fastest samples and medians, in ns an item; and instructions (callgrind):
//!
//! | | ours | prost | of prost |
//! | --- | --- | --- | --- |
//! | span of 4 fields | 51 to 56; 1,176 | 189 to 252; 3,805 | 0.22 to 0.28; 0.31 |
//! | with its place in the source, 50 call sites | 66 to 74; 1,296 | 267 to 333; 5,071 | 0.22 to 0.25; 0.26 |
//! | event of 4 fields and a message | 49 to 54; 1,268 | 178 to 222; 3,699 | 0.25 to 0.28; 0.34 |
//! | data point of a counter with 2 tags | 24 to 27; 506 | 108 to 118; 2,296 | 0.22 to 0.24; 0.22 |

use std::sync::{Arc, Mutex};
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use telemetry_core::__private::otlp::Writer;
use telemetry_core::__private::record::{Encoded, EventHead, FieldBuf, Key, Links, Site, SpanHead, Time};
use telemetry_core::model::{
    Kind as Measures, Metric, SpanContext, SpanId, SpanKind, StatusRef, Tags, TraceId,
};
use telemetry_core::{Batch, Collector, Delivery, ExportError, Level, Signal};
use tracing_core::callsite::Identifier;
use tracing_core::field::FieldSet;
use tracing_core::{Callsite, Interest, Kind, Metadata};

const ITEMS: u64 = 2000;

fn main() {
    divan::main();
}

/// Writes a batch.
#[inline(never)]
fn ours(writer: &Writer, batch: &Batch, body: &mut Vec<u8>) {
    body.clear();
    black_box(writer.write(batch, usize::MAX, body));
}

/// Writes the same from types that are built.
#[inline(never)]
fn prost(request: &impl Message, body: &mut Vec<u8>) {
    body.clear();
    black_box(request.encode(body)).unwrap();
}

fn bench_ours(bencher: Bencher<'_, '_>, batch: &Batch) {
    let (writer, mut body) = (Writer::new(), Vec::new());
    ours(&writer, batch, &mut body);
    bencher.counter(ItemsCount::new(batch.len())).bench_local(|| ours(&writer, batch, &mut body));
}

fn bench_prost<M: Message + Default>(bencher: Bencher<'_, '_>, batch: &Batch) {
    let mut body = Vec::new();
    ours(&Writer::new(), batch, &mut body);
    let request = M::decode(&*body).unwrap();
    bencher.counter(ItemsCount::new(batch.len())).bench_local(|| prost(&request, &mut body));
}

#[divan::bench]
fn spans_ours(bencher: Bencher<'_, '_>) {
    bench_ours(bencher, &spans(&sites(1, None)));
}

#[divan::bench]
fn spans_prost(bencher: Bencher<'_, '_>) {
    bench_prost::<ExportTraceServiceRequest>(bencher, &spans(&sites(1, None)));
}

/// As they come from programs: with their place in the source, and from many call sites.
#[divan::bench]
fn spans_of_many_call_sites_ours(bencher: Bencher<'_, '_>) {
    bench_ours(bencher, &spans(&sites(50, Some("src/some/file.rs"))));
}

#[divan::bench]
fn spans_of_many_call_sites_prost(bencher: Bencher<'_, '_>) {
    bench_prost::<ExportTraceServiceRequest>(bencher, &spans(&sites(50, Some("src/some/file.rs"))));
}

#[divan::bench]
fn events_ours(bencher: Bencher<'_, '_>) {
    bench_ours(bencher, &events(&sites(1, None)));
}

#[divan::bench]
fn events_prost(bencher: Bencher<'_, '_>) {
    bench_prost::<ExportLogsServiceRequest>(bencher, &events(&sites(1, None)));
}

#[divan::bench]
fn points_ours(bencher: Bencher<'_, '_>) {
    bench_ours(bencher, &points());
}

#[divan::bench]
fn points_prost(bencher: Bencher<'_, '_>) {
    bench_prost::<ExportMetricsServiceRequest>(bencher, &points());
}

/// Call sites of a span, or of an event, in modules of their own.
fn sites(many: u32, file: Option<&'static str>) -> Vec<&'static Metadata<'static>> {
    struct Nobody;
    impl Callsite for Nobody {
        fn set_interest(&self, _: Interest) {}
        fn metadata(&self) -> &Metadata<'_> {
            sites(1, None)[0]
        }
    }
    static NOBODY: Nobody = Nobody;
    const NAMES: &[&str] = &["user", "size", "path", "cached", "message"];
    let site = |n: u32| {
        let fields = FieldSet::new(NAMES, Identifier(&NOBODY));
        let target = ["shop::cart", "shop::pay", "shop::stock", "shop::mail"][n as usize % 4];
        let line = file.map(|_| 100 + n);
        &*Box::leak(Box::new(Metadata::new(
            "work",
            target,
            Level::INFO,
            file,
            line,
            None,
            fields,
            Kind::SPAN,
        )))
    };
    (0..many).map(site).collect()
}

fn fields(n: u64) -> FieldBuf<'static> {
    let mut fields = FieldBuf::new();
    fields.push(Key::Index(0), n);
    fields.push(Key::Index(1), 7_i64);
    fields.push(Key::Index(2), "/api/items");
    fields.push(Key::Index(3), true);
    fields
}

fn context(n: u64) -> SpanContext {
    let trace = TraceId::new(u128::from(n + 1) << 64 | 0x1234_5678_9abc_def0).unwrap();
    SpanContext::new(trace, SpanId::new(n + 1).unwrap(), true)
}

/// What an exporter is given of all that `record` records.
fn batch(record: impl FnOnce(&Collector)) -> Batch {
    let first: Arc<Mutex<Option<Batch>>> = Arc::default();
    let taken = Arc::clone(&first);
    let take = move |batch: &Batch| -> Result<Delivery, ExportError> {
        taken.lock().unwrap().get_or_insert_with(|| batch.clone());
        Ok(Delivery::all())
    };
    let collector = Collector::builder().ignore_env().exporter(take).start().unwrap();
    record(&collector);
    collector.flush(Duration::from_secs(10));
    first.lock().unwrap().take().unwrap()
}

fn spans(sites: &[&'static Metadata<'static>]) -> Batch {
    batch(|collector| {
        let sink = collector.sink();
        for n in 0..ITEMS {
            let head = SpanHead {
                context: context(n),
                parent: SpanId::new(n % 3),
                parent_is_remote: Some(false),
                start: Time::Tick(sink.clock().now().raw()),
                duration_nano: 1000 + n,
                kind: SpanKind::Internal,
                status: StatusRef::Unset,
                name: None,
                site: Site::Static(sites[n as usize % sites.len()]),
                cut: 0,
                trace_state: "",
                links: Links::default(),
            };
            let (texts, fields) = (head.texts(), fields(n));
            sink.with_writer(|writer| {
                writer.push(Signal::Spans, Encoded::span(&head, (&*texts, fields.words())));
            });
        }
    })
}

fn events(sites: &[&'static Metadata<'static>]) -> Batch {
    batch(|collector| {
        let sink = collector.sink();
        for n in 0..ITEMS {
            let head = EventHead {
                trace_id: Some(context(n).trace_id),
                span_id: Some(context(n).span_id),
                sampled: true,
                random: true,
                time: Time::Tick(sink.clock().now().raw()),
                site: Site::Static(sites[n as usize % sites.len()]),
                cut: 0,
            };
            let (texts, mut fields) = (head.site.texts(), fields(n));
            fields.push(Key::Index(4), "an order was paid");
            sink.with_writer(|writer| {
                writer.push(Signal::Events, Encoded::event(&head, (&*texts, fields.words())));
            });
        }
    })
}

/// Of a hundred metrics.
fn points() -> Batch {
    batch(|collector| {
        for metric in 0..ITEMS / 20 {
            let name: &'static str = format!("requests.{metric}").leak();
            for host in 0..20_u64 {
                let mut tags = Tags::new();
                tags.insert("host", format!("host{host}")).unwrap();
                tags.insert("region", "eu-west").unwrap();
                let time = 1_700_000_000_000_000_000;
                collector.collect_metric(Metric::new(Measures::Counter, name, host, time).tags(tags));
            }
        }
    })
}
