//! What a receiver says in the body of a refusal, in one line.

use serde_json::Value;

use super::rpc_status::RpcStatus;
use crate::text;

/// So much of it is told.
const MOST: usize = 200;

/// The first line of a text, or the message of a JSON object or of a `google.rpc.Status`, which is what OTLP answers in.
/// Secrets that the receiver repeats are hidden.
pub(super) fn said(body: &[u8], secrets: &[String]) -> String {
    let text = json(body).or_else(|| Some(RpcStatus::read(body)?.message));
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let text = secrets.iter().fold(text, |text, secret| text.replace(secret, "***"));
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    // A page that a proxy shows to people says no more than the status.
    if line.starts_with('<') { String::new() } else { text::line(format_args!("{line}"), MOST) }
}

/// `{"message": ".."}`, `{"error": ".."}` or `{"error": {"message": ".."}}`; `{"errors": {"params": {"name": [".."]}}}`, as
/// Librato says what is wrong with which parameter.
fn json(body: &[u8]) -> Option<String> {
    let all: Value = serde_json::from_slice(body).ok()?;
    let inner = all.get("error").filter(|error| error.is_object()).unwrap_or(&all);
    let text = inner.get("message").or_else(|| inner.get("error")).and_then(Value::as_str);
    text.map(str::to_owned).or_else(|| {
        let mut by_name = Vec::new();
        each_text("", all.get("errors").filter(|errors| errors.is_object())?, &mut by_name);
        (!by_name.is_empty()).then(|| by_name.join("; "))
    })
}

/// All texts in a value, each with the name of the list or the member that it is.
fn each_text(name: &str, value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => all.push(format!("{name}: {text}")),
        Value::Array(values) => values.iter().for_each(|value| each_text(name, value, all)),
        Value::Object(members) => members.iter().for_each(|(name, value)| each_text(name, value, all)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_message_is_found() {
        let long = "x".repeat(500);
        let mut status_of_300 = vec![0x08, 0x83, 0x01, 0x12, 0xac, 0x02];
        status_of_300.extend_from_slice(&long.as_bytes()[..300]);
        let cut = format!("{} ..", "x".repeat(200));
        for (body, message) in [
            (&b""[..], ""),
            (b"\n  the queue is full  \nmore", "the queue is full"),
            (b"{\n \"code\": 8, \"message\": \"too\\nmany\"\n}", "too"),
            (b"{\"error\":\"database not found\"}", "database not found"),
            (b"{\"error\":{\"code\":400,\"message\":\"no tags\"}}", "no tags"),
            (b"{\"errors\":[1]}", "{\"errors\":[1]}"),
            (b"{\"errors\":{\"params\":{\"a\":1}}}", "{\"errors\":{\"params\":{\"a\":1}}}"),
            (
                b"{\"errors\":{\"params\":{\"name\":[\"is too long\",\"is odd\"],\"value\":\"is no number\"},\"request\":[\"is bad\"]}}",
                "name: is too long; name: is odd; value: is no number; request: is bad",
            ),
            (b"{\"message\":\"cut of", "{\"message\":\"cut of"),
            (b"\x08\x0e\x12\x04busy", "busy"),
            (b"\x12\x04busy", "busy"),
            (b"\x12\x05ab\xc3", "ab"),
            (b"\x08\x0e\x12\x04busy\x1a\x7fthe details are cut", "busy"),
            (b"\x12", "\\u{12}"),
            (b"\x08\xff", "\\u{8}\u{fffd}"),
            (b"\x12\xff\xff\xff\xff\xff", "\\u{12}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"<html>\r\n<title>503</title>", ""),
            (b"\x1b[2Jgone", "\\u{1b}[2Jgone"),
            (long.as_bytes(), &cut),
            (&status_of_300, &cut),
        ] {
            assert_eq!(said(body, &[]), message, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn secrets_that_are_repeated_are_hidden() {
        let secrets = ["hunter22".to_owned(), "abc\"def".to_owned()];
        assert_eq!(said(b"no hunter22, no hunter2", &secrets), "no ***, no hunter2");
        assert_eq!(said(br#"{"message":"no abc\"def"}"#, &secrets), "no ***");
        // Also one that the cut would go through.
        let body = format!("{}hunter22", "x".repeat(MOST - 4));
        assert_eq!(said(body.as_bytes(), &secrets), format!("{}***", "x".repeat(MOST - 4)));
    }

    proptest! {
        #[test]
        fn whatever_is_said_becomes_one_line(body: Vec<u8>, begins in 0..3_usize) {
            let body = [&[][..], b"\x08\x0e\x12", b"\x12"][begins].iter().chain(&body).copied().collect::<Vec<_>>();
            let line = said(&body, &[]);
            prop_assert!(!line.contains(char::is_control) && line.len() < MOST + 20, "{line:?}");
        }
    }
}
