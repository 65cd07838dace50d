//! What a status other than OK means for the items: the only table of codes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use percent_encoding::percent_decode;
use reqwest::header::HeaderMap;

use crate::exporters::ExportError;
use crate::exporters::http::message::said;
use crate::exporters::http::place::Place;
use crate::exporters::http::refusal::{SLOWLY, later};
use crate::exporters::http::rpc_status::RpcStatus;

/// The status of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Status {
    code: u8,
    message: String,
    /// After which time the call may be made again, where the receiver says that it may (`RetryInfo`).
    retry: Option<Duration>,
}

/// The names of codes, which begin at 0.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// Any other number is this one.
const UNKNOWN: u8 = 2;

/// Padding may be there or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Status {
    /// The status that stands in headers or trailers, if one does.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let code = headers.get("grpc-status")?.to_str().ok().and_then(|code| code.parse().ok());
        let code = code.filter(|code| usize::from(*code) < NAMES.len()).unwrap_or(UNKNOWN);
        let message = headers
            .get("grpc-message")
            .map(|text| percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned());
        let details = headers.get("grpc-status-details-bin").and_then(|text| BASE64.decode(text).ok());
        let retry = details.and_then(|details| RpcStatus::read(&details)?.retry);
        Some(Self { code, message: message.unwrap_or_default(), retry })
    }

    /// All was taken.
    pub(super) fn is_ok(&self) -> bool {
        self.code == 0
    }

    /// OTLP lets a client repeat what is named here and, only with a time that the receiver names, `RESOURCE_EXHAUSTED`. A token
    /// may be renewed, so what is not allowed is asked for again slowly. All else is refused for good.
    pub(super) fn error(&self, at: &Place, secrets: &[String]) -> ExportError {
        let text = self.text(at, secrets);
        match NAMES[usize::from(self.code)] {
            "RESOURCE_EXHAUSTED" | "OUT_OF_RANGE" if self.is_about_size() => ExportError::too_large(text),
            "RESOURCE_EXHAUSTED" if self.retry.is_none() => ExportError::never(text),
            "CANCELLED" | "DEADLINE_EXCEEDED" | "ABORTED" | "OUT_OF_RANGE" | "UNAVAILABLE" | "DATA_LOSS"
            | "RESOURCE_EXHAUSTED" => later(self.retry.filter(|wait| !wait.is_zero()), text),
            "UNAUTHENTICATED" | "PERMISSION_DENIED" => {
                ExportError::retry_after(self.retry.unwrap_or_default().max(SLOWLY), text)
            }
            _ => ExportError::never(text),
        }
    }

    /// gRPC has no code for a message that is larger than the receiver takes: these are the words of its implementations in
    /// C++, Go and Python, in Java, and in Rust.
    fn is_about_size(&self) -> bool {
        let text = self.message.to_ascii_lowercase();
        ["larger than max", "exceeds maximum size", "message length too large"]
            .iter()
            .any(|words| text.contains(words))
    }

    fn text(&self, at: &Place, secrets: &[String]) -> String {
        let (name, said) = (NAMES[usize::from(self.code)], said(self.message.as_bytes(), secrets));
        let colon = if said.is_empty() { "" } else { ": " };
        format!("{at} answered {name}{colon}{said}")
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::exporters::Again::{self, After, Later, Never, Smaller};
    use crate::exporters::http::rpc_status::tests::{Any, Delay, Status as Details, retry_info};

    fn status(code: &str, message: &str, details: Vec<Any>) -> Status {
        let details = Details { code: 0, message: String::new(), details }.encode_to_vec();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("grpc-status", code),
            ("grpc-message", message),
            ("grpc-status-details-bin", &*base64::prelude::BASE64_STANDARD_NO_PAD.encode(details)),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        Status::read(&headers).unwrap()
    }

    fn place() -> Place {
        Place("http://me:secret@h:4317/a.b/Export".parse().unwrap())
    }

    fn again(code: &str, message: &str, details: Vec<Any>) -> Again {
        status(code, message, details).error(&place(), &[]).again()
    }

    #[test]
    fn each_code_says_whether_to_try_again() {
        let slowly = After(Duration::from_secs(30));
        let delay = |seconds| vec![retry_info(Some(Delay { seconds, nanos: 0 }))];
        for (code, plain, with_time) in [
            ("1", Later, After(Duration::from_secs(7))),
            ("2", Never, Never),
            ("3", Never, Never),
            ("4", Later, After(Duration::from_secs(7))),
            ("5", Never, Never),
            ("6", Never, Never),
            ("7", slowly, slowly),
            ("8", Never, After(Duration::from_secs(7))),
            ("9", Never, Never),
            ("10", Later, After(Duration::from_secs(7))),
            ("11", Later, After(Duration::from_secs(7))),
            ("12", Never, Never),
            ("13", Never, Never),
            ("14", Later, After(Duration::from_secs(7))),
            ("15", Later, After(Duration::from_secs(7))),
            ("16", slowly, slowly),
            ("17", Never, Never),
            ("-1", Never, Never),
            ("?", Never, Never),
        ] {
            assert_eq!(again(code, "", vec![]), plain, "{code}");
            assert_eq!(again(code, "", delay(7)), with_time, "{code} with a time");
        }
        assert_eq!(again("8", "", delay(0)), Later);
        assert_eq!(again("16", "", delay(60)), After(Duration::from_mins(1)));
        for (code, message) in [
            ("8", "Received message larger than max (5000000 vs. 4194304)"),
            ("8", "grpc: received message larger than max (5000000 vs. 4194304)"),
            ("8", "gRPC message exceeds maximum size 4194304: 5000000"),
            ("11", "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes"),
        ] {
            assert_eq!(again(code, message, delay(7)), Smaller, "{message}");
        }
    }

    #[test]
    fn a_status_is_read_whatever_it_holds() {
        let mut headers = HeaderMap::new();
        assert_eq!(Status::read(&headers), None);
        headers.insert("grpc-status", "0".parse().unwrap());
        assert!(Status::read(&headers).unwrap().is_ok());
        headers.insert("grpc-status", "14".parse().unwrap());
        headers.insert("grpc-message", "100%25 f%C3%BCll%2".parse().unwrap());
        headers.insert("grpc-status-details-bin", "!no base64!".parse().unwrap());
        let status = Status::read(&headers).unwrap();
        assert_eq!(status, Status { code: 14, message: "100% füll%2".to_owned(), retry: None });
        headers.insert("grpc-message", "%FF%zz%".parse().unwrap());
        assert_eq!(Status::read(&headers).unwrap().message, "\u{fffd}%zz%");
    }

    #[test]
    fn the_text_names_code_place_and_message() {
        let text = |code, message, secrets: &[String]| {
            status(code, message, vec![]).error(&place(), secrets).to_string()
        };
        let begins = "http://h:4317/a.b/Export answered";
        assert_eq!(text("14", "", &[]), format!("{begins} UNAVAILABLE"));
        assert_eq!(
            text("16", "no hunter22%0Amore", &["hunter22".to_owned()]),
            format!("{begins} UNAUTHENTICATED: no ***")
        );
        assert_eq!(text("99", "odd", &[]), format!("{begins} UNKNOWN: odd"));
    }
}
