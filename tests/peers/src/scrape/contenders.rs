//! Who is scraped. All have the same series: one metric, with two labels, of which one differs.

use super::{BOUNDS, Form, Hot, Kind, NAME, Operation, SERIES, Target, value};
use metrics_exporter_prometheus::PrometheusBuilder;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::{prometheus_protobuf, prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::hint::black_box as bb;
use std::sync::atomic::AtomicU64;
use telemetry_core::exporters::Prometheus;
use telemetry_layer::{Collector, Config};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Contender {
    /// With the labels and families that the others' pages have.
    Ours,
    /// As it is by default.
    OursDefault,
    PrometheusClient,
    MetricsExporter,
}

use Contender::{MetricsExporter, Ours, OursDefault, PrometheusClient};

impl Contender {
    pub const ALL: [Self; 4] = [Ours, OursDefault, PrometheusClient, MetricsExporter];

    pub fn name(self) -> &'static str {
        match self {
            Ours => "telemetry",
            OursDefault => "telemetry, all by default",
            PrometheusClient => "prometheus-client",
            MetricsExporter => "metrics-exporter-prometheus",
        }
    }

    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|who| who.name() == name).expect("no such contender")
    }

    /// Whether it has pages of that form.
    pub fn has(self, form: Form) -> bool {
        match form {
            Form::Text => true,
            Form::OpenMetrics => self != MetricsExporter,
            Form::Protobuf => self != MetricsExporter || cfg!(feature = "protoc"),
        }
    }

    /// All series of that kind. One of them in a process can be the global one.
    pub fn make(self, kind: Kind, is_global: bool) -> Target {
        match self {
            Ours | OursDefault => {
                let page = Prometheus::new();
                let bare = |page: Prometheus| page.without_scope_labels().without_target_info().without_created();
                ours(kind, if self == Ours { bare(page) } else { page }, is_global)
            }
            PrometheusClient => prometheus_client(kind),
            MetricsExporter => metrics_exporter(kind, is_global),
        }
    }
}

/// What records again and again.
const HOT: &str = "hot";

fn repeat(f: impl Fn(usize) + 'static) -> Operation {
    Box::new(move |n| (0..n as usize).for_each(&f))
}

fn ids() -> Vec<String> {
    (0..SERIES).map(|id| id.to_string()).collect()
}

fn config() -> Config {
    let mut config = Config::default();
    config.max_series = 2 * SERIES;
    config.metrics_bytes = 256 << 20;
    config
}

fn ours(kind: Kind, page: Prometheus, is_global: bool) -> Target {
    let builder = Collector::builder().config(config()).reader(page.clone());
    let collector: &'static Collector = if is_global {
        crate::meters::telemetry::install(builder)
    } else {
        Box::leak(Box::new(builder.ignore_env().start().expect("a collector")))
    };
    let (counter, gauge) = (collector.counter(NAME), collector.gauge(NAME));
    let (histogram, ids) = (collector.histogram(NAME).buckets(&BOUNDS), ids());
    let record = move |n: usize| {
        for (series, id) in ids.iter().enumerate() {
            let tags = [("id", &**id), ("method", "GET")];
            match kind {
                Kind::Counter => counter.with(&tags).inc(),
                Kind::Gauge => gauge.with(&tags).set(value(series, n)),
                Kind::Histogram => histogram.with(&tags).record(value(series, n)),
            }
        }
    };
    let scrape = move |form| match form {
        Form::Text => page.text().into_bytes(),
        Form::OpenMetrics => page.respond("application/openmetrics-text;version=1.0.0", "").into_body(),
        Form::Protobuf => {
            const ACCEPT: &str =
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
            page.respond(ACCEPT, "").into_body()
        }
    };
    Target::new(record, scrape, move |hot| {
        let (counter, histogram) = (collector.counter(HOT), collector.histogram(HOT).buckets(&BOUNDS));
        match hot {
            Hot::Counter => repeat(move |_| counter.inc()),
            Hot::TaggedCounter => repeat(move |_| counter.with(&[("id", bb("7")), ("method", bb("GET"))]).inc()),
            Hot::Histogram => repeat(move |i| histogram.record(value(0, i))),
        }
    })
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    id: String,
    method: &'static str,
}

fn prometheus_client(kind: Kind) -> Target {
    let (counters, gauges) = (Family::<Labels, Counter>::default(), Family::<Labels, Gauge<f64, AtomicU64>>::default());
    let histograms = Family::<Labels, Histogram>::new_with_constructor(|| Histogram::new(BOUNDS));
    let mut registry = Registry::default();
    match kind {
        Kind::Counter => registry.register(NAME, "Requests", counters.clone()),
        Kind::Gauge => registry.register(NAME, "Requests", gauges.clone()),
        Kind::Histogram => registry.register(NAME, "Requests", histograms.clone()),
    }
    let all: Vec<Labels> = ids().into_iter().map(|id| Labels { id, method: "GET" }).collect();
    let (one, counter, histogram) = (all[7].clone(), counters.clone(), histograms.clone());
    let record = move |n: usize| {
        for (series, labels) in all.iter().enumerate() {
            match kind {
                Kind::Counter => _ = counters.get_or_create(labels).inc(),
                Kind::Gauge => _ = gauges.get_or_create(labels).set(value(series, n)),
                Kind::Histogram => histograms.get_or_create(labels).observe(value(series, n)),
            }
        }
    };
    let scrape = move |form| {
        let mut page = String::new();
        match form {
            Form::Text => prometheus_text::encode(&mut page, &registry).expect("a page"),
            Form::OpenMetrics => text::encode(&mut page, &registry).expect("a page"),
            Form::Protobuf => return prometheus_protobuf::encode_to_vec(&registry).expect("a page"),
        }
        page.into_bytes()
    };
    Target::new(record, scrape, move |hot| match hot {
        Hot::Counter => {
            let counter = counter.get_or_create(&one).clone();
            repeat(move |_| _ = counter.inc())
        }
        Hot::TaggedCounter => {
            let (counter, one) = (counter.clone(), one.clone());
            repeat(move |_| _ = counter.get_or_create(bb(&one)).inc())
        }
        Hot::Histogram => {
            let histogram = histogram.get_or_create(&one).clone();
            repeat(move |i| histogram.observe(value(0, i)))
        }
    })
}

fn metrics_exporter(kind: Kind, is_global: bool) -> Target {
    let builder = PrometheusBuilder::new().set_buckets(&BOUNDS).expect("bounds");
    let recorder: &'static _ = Box::leak(Box::new(builder.build_recorder()));
    if is_global {
        metrics::set_global_recorder(recorder).expect("the only one");
    }
    let (ids, handle) = (ids(), recorder.handle());
    let record = move |n: usize| {
        metrics::with_local_recorder(recorder, || {
            for (series, id) in ids.iter().enumerate() {
                let (id, value) = (id.clone(), value(series, n));
                match kind {
                    Kind::Counter => metrics::counter!(NAME, "id" => id, "method" => "GET").increment(1),
                    Kind::Gauge => metrics::gauge!(NAME, "id" => id, "method" => "GET").set(value),
                    Kind::Histogram => metrics::histogram!(NAME, "id" => id, "method" => "GET").record(value),
                }
            }
        });
    };
    let scrape = move |form| match form {
        #[cfg(feature = "protoc")]
        Form::Protobuf => handle.render_protobuf(),
        _ => handle.render().into_bytes(),
    };
    Target::new(record, scrape, move |hot| {
        let make = || match hot {
            Hot::Counter => {
                let counter = metrics::counter!(HOT);
                repeat(move |_| counter.increment(1))
            }
            // As the global recorder.
            Hot::TaggedCounter => {
                repeat(|_| metrics::counter!(HOT, "id" => bb("7"), "method" => bb("GET")).increment(1))
            }
            Hot::Histogram => {
                let histogram = metrics::histogram!(HOT);
                repeat(move |i| histogram.record(value(0, i)))
            }
        };
        metrics::with_local_recorder(recorder, make)
    })
}
