//! Any bytes as the answer of a receiver of OTLP.
//!
//! Invariant: reading ends, in a time that is linear in the length, without a panic. What is read is what `prost` reads, but
//! for the end of a long message; and a body that repeats itself says what its last repetition says. Whatever of it can be
//! written as JSON becomes JSON.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use telemetry_core::__private::otlp::{Answer, put_json};
use telemetry_core::Signal;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Bytes(&'a [u8]),
    Answer { rejected: i64, message: &'a str },
}

/// More than any answer that is read has.
const LONG: usize = 64 << 10;

fn kept(message: &str) -> &str {
    &message[..message.floor_char_boundary(1024)]
}

fuzz_target!(|input: Input<'_>| match input {
    Input::Bytes(body) => any(body),
    Input::Answer { rejected, message } => answer(rejected, message),
});

fn any(body: &[u8]) {
    let answer = Answer::read(body);
    if let (Ok(is), Ok(want)) = (&answer, ExportTraceServiceResponse::decode(body)) {
        let want = want.partial_success.unwrap_or_default();
        assert_eq!(is.rejected, want.rejected_spans.max(0).unsigned_abs());
        assert_eq!(is.message, kept(&want.error_message));
    }
    let long = body.repeat(LONG.checked_div(body.len()).unwrap_or_default());
    let long_answer = Answer::read(&long);
    if !body.is_empty() && answer.is_ok() {
        assert_eq!(long_answer, answer);
    }
    let _ = Answer::read_json(body);
    for signal in [Signal::Spans, Signal::Events, Signal::Metrics] {
        let mut json = Vec::new();
        if put_json(&mut json, signal, body).is_ok() {
            assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok(), "{}", json.escape_ascii());
        }
    }
}

fn answer(rejected: i64, error_message: &str) {
    let want = Answer { rejected: rejected.max(0).unsigned_abs(), message: kept(error_message).to_owned() };
    let error_message = error_message.to_owned();
    let partial =
        ExportTracePartialSuccess { rejected_spans: rejected, error_message: error_message.clone() };
    let spans = ExportTraceServiceResponse { partial_success: Some(partial) };
    let partial =
        ExportLogsPartialSuccess { rejected_log_records: rejected, error_message: error_message.clone() };
    let events = ExportLogsServiceResponse { partial_success: Some(partial) };
    let partial = ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message };
    let metrics = ExportMetricsServiceResponse { partial_success: Some(partial) };
    for body in [spans.encode_to_vec(), events.encode_to_vec(), metrics.encode_to_vec()] {
        assert_eq!(Answer::read(&body).as_ref(), Ok(&want));
    }
}
