//! A message in the frame that gRPC puts around it: a flag, which says whether it is compressed, and its length.

use std::array::IntoIter;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Flag and length.
const HEAD: usize = 5;

/// A request's body: what stands before a message, and the message, which is not copied.
#[derive(Clone, Debug)]
pub(super) struct Framed(IntoIter<Bytes, 2>);

impl Framed {
    pub(super) fn new(message: Bytes, is_compressed: bool) -> Result<Self, String> {
        let length = message.len();
        let short =
            u32::try_from(length).map_err(|_| format!("{length} bytes are too many for one message"))?;
        let [a, b, c, d] = short.to_be_bytes();
        let head: [u8; HEAD] = [u8::from(is_compressed), a, b, c, d];
        Ok(Self([head.to_vec().into(), message].into_iter()))
    }
}

impl Body for Framed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_slice().iter().map(|bytes| bytes.len() as u64).sum())
    }
}

/// The message of a body that holds one, not compressed.
pub(super) fn message(body: &[u8]) -> Option<&[u8]> {
    let (head, message) = body.split_first_chunk::<HEAD>()?;
    let [0, length @ ..] = *head else { return None };
    (message.len() == u32::from_be_bytes(length) as usize).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_how_long_its_message_is() {
        let framed = |message: Vec<u8>, is_compressed| {
            let framed = Framed::new(message.into(), is_compressed).unwrap();
            let all = framed.0.as_slice().concat();
            assert_eq!((framed.size_hint().exact(), framed.is_end_stream()), (Some(all.len() as u64), false));
            all
        };
        assert_eq!(framed(vec![], false), [0; 5]);
        assert_eq!(framed(vec![b'x'; 0x0102], true)[..6], [1, 0, 0, 1, 2, b'x']);
        assert_eq!(message(b"\0\0\0\0\x02ab"), Some(&b"ab"[..]));
        assert_eq!(message(b"\0\0\0\0\0"), Some(&b""[..]));
        for wrong in [&b""[..], b"\0\0\0\0", b"\x01\0\0\0\0", b"\0\0\0\0\x02a", b"\0\0\0\0\x01ab"] {
            assert_eq!(message(wrong), None, "{wrong:?}");
        }
    }
}
