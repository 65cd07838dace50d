//! What gRPC adds to messages: frames around them, and `google.rpc.Status` with what is said of an error.

use std::io::{self, Read as _};
use std::time::Duration;

use prost::Message;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes, tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The bytes of such a status, with the time to wait for.
pub(super) fn status(code: u32, message: &str, wait: Option<Duration>) -> Vec<u8> {
    let delay = |wait: Duration| Delay { seconds: wait.as_secs() as i64, nanos: wait.subsec_nanos() as i32 };
    let info = |wait| RetryInfo { retry_delay: Some(delay(wait)) };
    let type_url = "type.googleapis.com/google.rpc.RetryInfo";
    let any = |wait| Any { type_url: type_url.to_owned(), value: info(wait).encode_to_vec() };
    let details = wait.map(any).into_iter().collect();
    Status { code: code as i32, message: message.to_owned(), details }.encode_to_vec()
}

/// A message in its frame.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

/// How many bytes the frame has that begins so.
pub(super) fn frame_length(body: &[u8]) -> Option<usize> {
    let length = body.get(1..5)?.try_into().ok()?;
    Some(5 + u32::from_be_bytes(length) as usize)
}

/// The message in the only frame of a body.
pub(super) fn message(body: &[u8]) -> Option<Vec<u8>> {
    let message = body.get(5..).filter(|_| frame_length(body) == Some(body.len()))?;
    if body[0] == 1 { gunzipped(message).ok() } else { Some(message.to_vec()) }
}

pub(super) fn gunzipped(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut out)?;
    Ok(out)
}
