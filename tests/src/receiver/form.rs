//! What exporters speak: where they are told to send to, how a receiver says yes and no, and where the ids of items stand.

use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message as _;
use serde_json::{Value, json};
use telemetry_layer::Signal;

use super::{Act, Answer, Fault, Items, Receiver, Request, Setup, Then, Wait, items, points, rpc};

/// What an exporter over a network speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// OTLP over HTTP, in protobuf.
    Otlp,
    /// OTLP over HTTP, in JSON.
    OtlpJson,
    /// OTLP over gRPC.
    OtlpGrpc,
    /// Batches in JSON, to any place.
    Batches,
    /// The same of data points alone.
    BatchesOfPoints,
    /// InfluxDB 1.x.
    InfluxDb,
    /// InfluxDB 2.x.
    InfluxDb2,
    /// OpenTSDB over HTTP.
    OpenTsdb,
    /// Librato.
    Librato,
}

impl Form {
    /// All of them.
    pub const EACH: [Self; 9] = [
        Self::Otlp,
        Self::OtlpJson,
        Self::OtlpGrpc,
        Self::Batches,
        Self::BatchesOfPoints,
        Self::InfluxDb,
        Self::InfluxDb2,
        Self::OpenTsdb,
        Self::Librato,
    ];

    /// What a program records of each id, and exports where its options name no signals.
    pub fn signals(self) -> &'static [Signal] {
        if self.is_of_points() { &[Signal::Metrics] } else { &[Signal::Spans, Signal::Events] }
    }

    /// Whether its wire carries data points and nothing else.
    pub fn is_of_points(self) -> bool {
        !self.is_otlp() && self != Self::Batches
    }

    /// The option for a program that exports all that there is.
    pub const ALL: &str = "signals=spans,events,metrics";

    /// The option for a program that exports one signal alone, the first of [these](Self::signals).
    pub fn one_signal(self) -> String {
        format!("signals={}", self.signals()[0].name())
    }

    /// A URL with the options that follow.
    pub fn url(self, address: SocketAddr, options: &str) -> String {
        self.with_scheme(false, &address.to_string(), options)
    }

    /// The same for a receiver that speaks TLS, and whose authority stands in that file. User and password come along.
    pub fn secure(self, address: SocketAddr, ca: &Path, options: &str) -> String {
        let options = format!("{options}&ca={}", ca.display());
        self.with_scheme(true, &format!("me:hush-hush@{address}"), &options)
    }

    /// The same with a host that is named.
    pub fn named(self, host: &str, options: &str) -> String {
        self.with_scheme(false, host, options)
    }

    fn with_scheme(self, is_secure: bool, place: &str, options: &str) -> String {
        let (schemes, path, own) = match self {
            Self::Otlp => (["otlp", "otlp+https"], "", ""),
            Self::OtlpJson => (["otlp", "otlp+https"], "", "protocol=http/json&"),
            Self::OtlpGrpc => (["otlp+grpc", "otlp+grpcs"], "", ""),
            Self::Batches | Self::BatchesOfPoints => (["http", "https"], "/ingest", ""),
            Self::InfluxDb => (["influxdb", "influxdb+https"], "", "db=shop&precision=s&"),
            Self::InfluxDb2 => (["influxdb", "influxdb+https"], "", "bucket=b&org=o&precision=s&"),
            Self::OpenTsdb => (["opentsdb+http", "opentsdb+https"], "", "host_tag=off&max_tags=99&"),
            // It has neither tags nor anonymous users.
            Self::Librato => (["librato+http", "librato+https"], "", "source_tag=id&"),
        };
        let needs_user = self == Self::Librato && !place.contains('@');
        let place = if needs_user { format!("me:hush-hush@{place}") } else { place.to_owned() };
        // User and token stand before its host, and only it knows which items a request may be without.
        let is_taken = |option: &&str| {
            self != Self::Librato || !(option.starts_with("token=") || option.starts_with("max_items="))
        };
        let options = options.split('&').filter(is_taken).collect::<Vec<_>>().join("&");
        let scheme = schemes[usize::from(is_secure)];
        let url = format!("{scheme}://{place}{path}?{own}{options}");
        if options.contains("signals=") {
            return url;
        }
        let names: Vec<_> = self.signals().iter().map(|signal| signal.name()).collect();
        format!("{url}&signals={}", names.join(","))
    }

    /// Starts a receiver.
    pub fn receiver(self, script: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Receiver {
        Setup::new(self).start(script)
    }

    /// Whether a request is a call of gRPC, over HTTP/2.
    pub fn is_grpc(self) -> bool {
        self == Self::OtlpGrpc
    }

    fn is_otlp(self) -> bool {
        matches!(self, Self::Otlp | Self::OtlpJson | Self::OtlpGrpc)
    }

    /// The items of a body; none where it is no such body.
    pub(super) fn items(self, path: &str, body: &[u8]) -> Option<Items> {
        match self {
            Self::Otlp | Self::OtlpGrpc => items::protobuf(path, body),
            Self::OtlpJson => items::json(path, body),
            Self::Batches | Self::BatchesOfPoints => items::batch(body),
            Self::InfluxDb if path.starts_with("/write?db=shop&") => points::influxdb(body),
            Self::InfluxDb2 if path.starts_with("/api/v2/write?org=o&bucket=b&") => points::influxdb(body),
            Self::OpenTsdb if path == "/api/put?details" => points::opentsdb(body),
            Self::Librato if path == "/v1/metrics" => points::librato(body),
            _ => None,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Otlp => "application/x-protobuf",
            Self::OtlpJson | Self::InfluxDb | Self::InfluxDb2 | Self::OpenTsdb | Self::Librato => {
                "application/json"
            }
            Self::OtlpGrpc => "application/grpc",
            Self::Batches | Self::BatchesOfPoints => "text/plain",
        }
    }

    /// All is taken.
    pub fn ok(self) -> Answer {
        self.yes(match self {
            Self::InfluxDb | Self::InfluxDb2 => return Answer::of(204),
            Self::Librato => return Answer::of(200),
            Self::OpenTsdb => b"{\"success\":1,\"failed\":0,\"errors\":[]}".to_vec(),
            Self::Otlp | Self::OtlpGrpc => Vec::new(),
            Self::OtlpJson => b"{}".to_vec(),
            Self::Batches | Self::BatchesOfPoints => b"thank you".to_vec(),
        })
    }

    /// Of one request so many items are not taken. None where that can't be said.
    pub fn partly(self, signal: Signal, rejected: i64, why: &str) -> Option<Answer> {
        let refusal = |body: Value| Answer::of(400).body(body.to_string()).partial();
        Some(self.yes(match self {
            Self::InfluxDb | Self::InfluxDb2 if rejected >= 0 => {
                return Some(refusal(json!({ "error": format!("partial write: {why} dropped={rejected}") })));
            }
            Self::OpenTsdb if rejected > 0 => {
                let errors = [json!({ "error": why })];
                return Some(refusal(json!({ "success": 0, "failed": rejected, "errors": errors })));
            }
            Self::Otlp | Self::OtlpGrpc => partly(signal, rejected, why),
            Self::OtlpJson => {
                let name = if signal == Signal::Spans { "rejectedSpans" } else { "rejectedLogRecords" };
                let partial = json!({ name: rejected.to_string(), "errorMessage": why });
                json!({ "partialSuccess": partial }).to_string().into_bytes()
            }
            _ => return None,
        }))
    }

    /// With that message.
    pub fn yes(self, message: Vec<u8>) -> Answer {
        if self.is_grpc() {
            return Answer::grpc(0, "").body(rpc::framed(&message));
        }
        Answer::of(200).header("content-type", self.content_type()).body(message)
    }

    /// Nothing is taken.
    pub fn refusal(self, fault: Fault, why: &str, wait: Option<Wait>) -> Answer {
        if self.is_grpc() {
            return Self::grpc_refusal(fault, why, wait);
        }
        let body = match self {
            Self::OtlpJson => json!({ "code": fault.grpc(), "message": why }).to_string().into_bytes(),
            Self::Batches | Self::BatchesOfPoints => why.as_bytes().to_vec(),
            Self::InfluxDb | Self::InfluxDb2 => json!({ "error": why }).to_string().into_bytes(),
            Self::OpenTsdb => json!({ "error": { "message": why } }).to_string().into_bytes(),
            Self::Librato => json!({ "errors": { "request": [why] } }).to_string().into_bytes(),
            _ => rpc::status(fault.grpc(), why, None),
        };
        let answer = Answer::of(fault.http()).header("content-type", self.content_type()).body(body);
        match wait {
            Some(wait) => answer.header("retry-after", &wait.text()),
            None => answer,
        }
    }

    fn grpc_refusal(fault: Fault, why: &str, wait: Option<Wait>) -> Answer {
        let is_large = fault == Fault::TooLarge;
        let size = "Received message larger than max (5000 vs. 4000)";
        let message = if is_large { format!("{size} {why}") } else { why.to_owned() };
        let answer = Answer::grpc(fault.grpc(), &message);
        let Some(wait) = wait else { return answer };
        let status = rpc::status(fault.grpc(), &message, Some(wait.time()));
        answer.trailer("grpc-status-details-bin", &BASE64_STANDARD_NO_PAD.encode(status))
    }

    /// What an exporter does then.
    pub fn then(self, fault: Fault, wait: Option<Wait>) -> Then {
        match fault {
            Fault::TooLarge => Then::Smaller,
            // Any receiver may fail for a moment; of one of OTLP the specification knows better.
            Fault::Failed if !self.is_otlp() => Then::Again,
            Fault::Malformed | Fault::Unknown | Fault::Failed => Then::Never,
            // OTLP over gRPC: without a time to wait for it is final.
            Fault::Limited if self.is_grpc() && wait.is_none() => Then::Never,
            _ => Then::Again,
        }
    }
}

fn partly(signal: Signal, rejected: i64, why: &str) -> Vec<u8> {
    let error_message = why.to_owned();
    if signal == Signal::Spans {
        let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message };
        ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    } else {
        let partial = ExportLogsPartialSuccess { rejected_log_records: rejected, error_message };
        ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    }
}
