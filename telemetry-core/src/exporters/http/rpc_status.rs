//! `google.rpc.Status`: what receivers of OTLP say of a request that they refuse, in the body over HTTP and in a trailer over
//! gRPC.
//!
//! Source: google.rpc, `status.proto` and `error_details.proto`; protobuf, `any.proto` and `duration.proto`.

use std::time::Duration;

use crate::exporters::protobuf::{Content, Fields};

/// What it says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RpcStatus {
    pub(super) message: String,
    /// After which time the request may be made again, where it says that it may.
    pub(super) retry: Option<Duration>,
}

impl RpcStatus {
    /// None where that is another message, or none at all. Of one that was cut comes what is left of its message.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (mut status, mut fields, mut rest) = (Self::default(), Fields(bytes), bytes);
        while let Some(field) = fields.next() {
            let Ok(field) = field else {
                if status.message.is_empty() {
                    cut_message(rest)?.clone_into(&mut status.message);
                }
                return Some(status);
            };
            rest = fields.0;
            match field {
                (1, Content::Varint(_)) => {}
                (2, Content::Bytes(text)) => str::from_utf8(text).ok()?.clone_into(&mut status.message),
                (3, Content::Bytes(detail)) => status.retry = status.retry.or(retry(detail)),
                _ => return None,
            }
        }
        Some(status)
    }
}

/// The message of which the end is missing, perhaps within a character.
fn cut_message(field: &[u8]) -> Option<&str> {
    const MESSAGE: u8 = 0x12;
    let mut text = Fields(field.strip_prefix(&[MESSAGE])?);
    text.varint()?;
    Some(text.0.utf8_chunks().next()?.valid())
}

/// The time of a `RetryInfo`, where the detail is one. Without a time it means at once.
fn retry(detail: &[u8]) -> Option<Duration> {
    let (mut kind, mut info) = (&[][..], &[][..]);
    for field in Fields(detail) {
        match field.ok()? {
            (1, Content::Bytes(url)) => kind = url,
            (2, Content::Bytes(value)) => info = value,
            _ => {}
        }
    }
    let (mut seconds, mut nanos) = (0, 0);
    for field in Fields(kind.ends_with(b"/google.rpc.RetryInfo").then_some(info)?) {
        if let (1, Content::Bytes(delay)) = field.ok()? {
            for field in Fields(delay) {
                match field.ok()? {
                    (1, Content::Varint(n)) => seconds = n.cast_signed(),
                    (2, Content::Varint(n)) => nanos = n as i32,
                    _ => {}
                }
            }
        }
    }
    let nanos = u32::try_from(nanos).unwrap_or(0).min(999_999_999);
    Some(Duration::new(u64::try_from(seconds).unwrap_or(0), nanos))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::exporters::http) struct Status {
        #[prost(int32, tag = "1")]
        pub(in crate::exporters::http) code: i32,
        #[prost(string, tag = "2")]
        pub(in crate::exporters::http) message: String,
        #[prost(message, repeated, tag = "3")]
        pub(in crate::exporters::http) details: Vec<Any>,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(in crate::exporters::http) struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        value: Vec<u8>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        delay: Option<Delay>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(in crate::exporters::http) struct Delay {
        #[prost(int64, tag = "1")]
        pub(in crate::exporters::http) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(in crate::exporters::http) nanos: i32,
    }

    pub(in crate::exporters::http) fn retry_info(delay: Option<Delay>) -> Any {
        let type_url = "type.googleapis.com/google.rpc.RetryInfo".to_owned();
        Any { type_url, value: RetryInfo { delay }.encode_to_vec() }
    }

    #[test]
    fn a_time_may_be_missing_or_wrong() {
        let read = |details: Vec<Any>| {
            let status = Status { code: 8, message: "full".to_owned(), details };
            RpcStatus::read(&status.encode_to_vec()).unwrap().retry
        };
        let other = Any { type_url: "type.googleapis.com/google.rpc.Help".to_owned(), value: vec![1] };
        let after = |seconds, nanos| retry_info(Some(Delay { seconds, nanos }));
        assert_eq!(read(vec![]), None);
        assert_eq!(read(vec![other.clone()]), None);
        assert_eq!(read(vec![retry_info(None)]), Some(Duration::ZERO));
        assert_eq!(read(vec![other, after(3, 500_000_000)]), Some(Duration::from_millis(3_500)));
        assert_eq!(read(vec![after(-3, -1)]), Some(Duration::ZERO));
        assert_eq!(read(vec![after(1, i32::MAX)]), Some(Duration::new(1, 999_999_999)));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(code: i32, message in ".{0,40}", seconds in 0..i64::MAX, nanos in 0..1_000_000_000) {
            let details = vec![retry_info(Some(Delay { seconds, nanos }))];
            let status = RpcStatus::read(&Status { code, message: message.clone(), details }.encode_to_vec());
            let retry = Some(Duration::new(seconds as u64, nanos as u32));
            prop_assert_eq!(status, Some(RpcStatus { message, retry }));
        }

        #[test]
        fn whatever_comes_does_not_panic(bytes in prop::collection::vec(prop_oneof![0..30_u8, proptest::num::u8::ANY], 0..80)) {
            let _ = (RpcStatus::read(&bytes), retry(&bytes));
            let mut detail = retry_info(None);
            detail.value = bytes;
            let _ = retry(&detail.encode_to_vec());
        }
    }
}
