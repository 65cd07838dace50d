//! Answers of receivers, whatever they hold.

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};

use super::*;
use crate::exporters::otlp::{Answer, Malformed};

#[test]
fn an_empty_answer_says_that_all_was_taken() {
    assert_eq!(Answer::read(&[]), Ok(Answer::default()));
    assert_eq!(Answer::read(&ExportTraceServiceResponse::default().encode_to_vec()), Ok(Answer::default()));
}

proptest! {
    #[test]
    fn what_was_rejected_is_read_alike_of_all_signals(rejected: i64, error_message in "[^0-9]{0,40}") {
        let want = Answer { rejected: rejected.max(0) as u64, message: error_message.clone() };
        let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message: error_message.clone() };
        let spans = ExportTraceServiceResponse { partial_success: Some(partial) };
        let partial = ExportLogsPartialSuccess { rejected_log_records: rejected, error_message: error_message.clone() };
        let events = ExportLogsServiceResponse { partial_success: Some(partial) };
        let partial = ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message };
        let metrics = ExportMetricsServiceResponse { partial_success: Some(partial) };
        for body in [spans.encode_to_vec(), events.encode_to_vec(), metrics.encode_to_vec()] {
            prop_assert_eq!(&Answer::read(&body), &Ok(want.clone()));
        }
        let json = [serde_json::to_string(&spans), serde_json::to_string(&events), serde_json::to_string(&metrics)];
        for body in json.map(Result::unwrap) {
            prop_assert_eq!(&Answer::read_json(body.as_bytes()), &Ok(want.clone()), "{}", body);
            // The mapping of protobuf has it as a text.
            let texts = body.replace(&rejected.to_string(), &format!("\"{rejected}\""));
            prop_assert_eq!(&Answer::read_json(texts.as_bytes()), &Ok(want.clone()), "{}", texts);
        }
    }

    /// Whatever comes; and what prost can read is read alike.
    #[test]
    fn no_answer_is_too_strange(body in prop::collection::vec(prop_oneof![0..20_u8, proptest::num::u8::ANY], 0..60)) {
        let answer = Answer::read(&body);
        if let Ok(want) = ExportTraceServiceResponse::decode(&*body) && let Ok(answer) = answer {
            let want = want.partial_success.unwrap_or_default();
            prop_assert_eq!(answer.rejected, want.rejected_spans.max(0) as u64);
            prop_assert_eq!(answer.message, want.error_message);
        }
    }
}

#[test]
fn an_answer_in_json_may_leave_out_what_it_likes() {
    for body in [
        "",
        "{}",
        "null",
        "[]",
        r#"{"partialSuccess":null}"#,
        r#"{"partialSuccess":{}}"#,
        r#"{"status":"ok"}"#,
    ] {
        assert_eq!(Answer::read_json(body.as_bytes()), Ok(Answer::default()), "{body}");
    }
    let warned = Answer { rejected: 0, message: "slow down".to_owned() };
    let body = br#"{"partialSuccess":{"rejectedSpans":"many","errorMessage":"slow down","more":[1]}}"#;
    assert_eq!(Answer::read_json(body), Ok(warned));
    for body in ["{", "busy", "{}{}", "\u{0}"] {
        assert_eq!(Answer::read_json(body.as_bytes()), Err(Malformed), "{body}");
    }
    let long = format!(r#"{{"partialSuccess":{{"errorMessage":"{}"}}}}"#, "é".repeat(5000));
    assert_eq!(Answer::read_json(long.as_bytes()).unwrap().message, "é".repeat(512));
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
        assert_eq!(Answer::read(body), Err(Malformed), "{body:?}");
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
