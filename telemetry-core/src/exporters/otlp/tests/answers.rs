//! Answers of receivers, whatever they hold.

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};

use super::*;
use crate::exporters::otlp::Answer;

#[test]
fn an_empty_answer_says_that_all_was_taken() {
    assert_eq!(Answer::read(&[]), Some(Answer::default()));
    assert_eq!(Answer::read(&ExportTraceServiceResponse::default().encode_to_vec()), Some(Answer::default()));
}

proptest! {
    #[test]
    fn what_was_rejected_is_read_alike_of_all_signals(rejected: i64, error_message in ".{0,40}") {
        let want = Answer { rejected: rejected.max(0) as u64, message: error_message.clone() };
        let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message: error_message.clone() };
        let spans = ExportTraceServiceResponse { partial_success: Some(partial) };
        let partial = ExportLogsPartialSuccess { rejected_log_records: rejected, error_message: error_message.clone() };
        let events = ExportLogsServiceResponse { partial_success: Some(partial) };
        let partial = ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message };
        let metrics = ExportMetricsServiceResponse { partial_success: Some(partial) };
        for body in [spans.encode_to_vec(), events.encode_to_vec(), metrics.encode_to_vec()] {
            prop_assert_eq!(&Answer::read(&body), &Some(want.clone()));
        }
    }

    /// Whatever comes; and what prost can read is read alike.
    #[test]
    fn no_answer_is_too_strange(body in prop::collection::vec(prop_oneof![0..20_u8, proptest::num::u8::ANY], 0..60)) {
        let answer = Answer::read(&body);
        if let Ok(want) = ExportTraceServiceResponse::decode(&*body) && let Some(answer) = answer {
            let want = want.partial_success.unwrap_or_default();
            prop_assert_eq!(answer.rejected, want.rejected_spans.max(0) as u64);
            prop_assert_eq!(answer.message, want.error_message);
        }
    }
}

#[test]
fn what_is_no_protobuf_is_said_to_be_none() {
    for body in [
        &b"<html>busy</html>"[..],
        b"{}",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0a\x05",
        b"\x08",
        &[0x80; 40],
        b"\0\0",
    ] {
        assert_eq!(Answer::read(body), None, "{body:?}");
    }
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    let body = |error_message| {
        let partial = ExportTracePartialSuccess { rejected_spans: 1, error_message };
        ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
    };
    let message = |text: String| Answer::read(&body(text)).unwrap().message;
    assert_eq!(message("é".repeat(5000)), "é".repeat(512));
    assert_eq!(message("x".repeat(1023) + &"\u{1d11e}".repeat(257)), "x".repeat(1023));
}
