//! Those who record and export: each is installed once, in a fresh process.

use crate::meters::telemetry::install;
use crate::spans;
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfig, BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use std::borrow::Cow;
use std::time::Duration;
use telemetry_layer::{Collector, Guard, TelemetryLayer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// To deliver what is there.
const LONG: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Contender {
    /// A layer that does nothing, and no exporter.
    Floor,
    Otel,
    /// With room for 65,536 spans, of which 8,192 are a request.
    OtelLarge,
    Fastrace,
    Ours,
    OursPressed,
}

/// One that runs.
pub struct Installed {
    /// Records one span of 4 fields.
    pub span: fn(u64),
    provider: Option<SdkTracerProvider>,
    collector: Option<&'static Guard>,
}

fn span4(n: u64) {
    let _g = tracing::info_span!("work", user = n, size = 7i64, path = "/api/items", cached = true).entered();
}

impl Contender {
    pub const ALL: [Self; 6] =
        [Self::Floor, Self::Otel, Self::OtelLarge, Self::Fastrace, Self::Ours, Self::OursPressed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => spans::FLOOR,
            Self::Otel => "tracing-opentelemetry",
            Self::OtelLarge => "tracing-opentelemetry, large queue",
            Self::Fastrace => "fastrace-opentelemetry",
            Self::Ours => "telemetry",
            Self::OursPressed => "telemetry, back-pressure",
        }
    }

    /// Everything is as it is by default, but for what its name says. `options` are added to our endpoint.
    pub fn install(self, port: u16, options: &str) -> Installed {
        let (mut provider, mut collector) = (None, None);
        match self {
            Self::Floor => spans::empty_on(),
            Self::Otel => provider = Some(otel(port, BatchConfig::default())),
            Self::OtelLarge => {
                let config = BatchConfigBuilder::default().with_max_queue_size(65536).with_max_export_batch_size(8192);
                provider = Some(otel(port, config.build()));
            }
            Self::Fastrace => {
                let reporter = fastrace_opentelemetry::OpenTelemetryReporter::new(
                    exporter(port),
                    Cow::Owned(Resource::builder().build()),
                    InstrumentationScope::builder("peers").build(),
                );
                fastrace::set_reporter(reporter, fastrace::collector::Config::default());
            }
            Self::Ours | Self::OursPressed => {
                let endpoint = format!("otlp://127.0.0.1:{port}{options}");
                let mut builder = Collector::builder().endpoint(endpoint);
                if self == Self::OursPressed {
                    builder = builder.back_pressure(LONG);
                }
                let ours = install(builder);
                tracing_subscriber::registry().with(TelemetryLayer::new(ours)).init();
                collector = Some(ours);
            }
        }
        let span = if self == Self::Fastrace { spans::fastrace_span4 } else { span4 };
        Installed { span, provider, collector }
    }
}

impl Installed {
    /// Delivers what was recorded.
    pub fn flush(&self) {
        if let Some(provider) = &self.provider {
            // Where its queue was full it may say no.
            let _ = provider.force_flush();
        }
        fastrace::flush();
        self.collector.iter().for_each(|collector| drop(collector.flush(LONG)));
    }

    /// The same for the last time.
    pub fn shutdown(&self) {
        if let Some(provider) = &self.provider {
            let _ = provider.shutdown();
        }
        fastrace::flush();
        self.collector.iter().for_each(|collector| drop(collector.shutdown(LONG)));
    }

    /// What its own books say was lost; they have to balance.
    pub fn lost(&self) -> Option<u64> {
        let ledger = self.collector?.ledger();
        assert!(ledger.balances(), "{ledger}");
        Some(ledger.lost())
    }
}

fn exporter(port: u16) -> SpanExporter {
    SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("http://127.0.0.1:{port}/v1/traces"))
        .build()
        .expect("an exporter")
}

fn otel(port: u16, config: BatchConfig) -> SdkTracerProvider {
    let processor = BatchSpanProcessor::builder(exporter(port)).with_batch_config(config).build();
    let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).with_span_processor(processor).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("peers"));
    tracing_subscriber::registry().with(layer).init();
    provider
}
