//! A message in the frame that gRPC puts around it: a flag, which says whether it is compressed, and its length.

use bytes::{Bytes, BytesMut};

/// Flag and length.
pub(super) const HEAD: usize = 5;

/// A message behind room for flag and length.
pub(super) fn framed(mut body: BytesMut, is_compressed: bool) -> Result<Bytes, String> {
    let length = body.len().saturating_sub(HEAD);
    let length = u32::try_from(length).map_err(|_| format!("{length} bytes are too many for one message"))?;
    if let Some((head, _)) = body.split_first_chunk_mut::<HEAD>() {
        head[0] = u8::from(is_compressed);
        head[1..].copy_from_slice(&length.to_be_bytes());
    }
    Ok(body.freeze())
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
        let framed = |body: &[u8], is_compressed| framed(body.into(), is_compressed).unwrap();
        assert_eq!(framed(b"?????", false), &[0; 5][..]);
        assert_eq!(framed(&[b'x'; 5 + 0x0102], true)[..6], [1, 0, 0, 1, 2, b'x']);
        assert_eq!(message(b"\0\0\0\0\x02ab"), Some(&b"ab"[..]));
        assert_eq!(message(b"\0\0\0\0\0"), Some(&b""[..]));
        for wrong in [&b""[..], b"\0\0\0\0", b"\x01\0\0\0\0", b"\0\0\0\0\x02a", b"\0\0\0\0\x01ab"] {
            assert_eq!(message(wrong), None, "{wrong:?}");
        }
    }
}
