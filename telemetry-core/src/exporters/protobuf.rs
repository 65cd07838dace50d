//! The reader of protobuf: the bytes of a message come in, its fields come out one by one, in the order in which they stand.
//!
//! It reads what receivers answer, whatever that holds, and what is written here. Nothing is copied.
//!
//! Source: protobuf, "Encoding".

/// A message that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no message of protobuf")]
pub struct Malformed;

/// Number and content of each field of a message.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

/// What a field holds, as far as the message itself tells.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    Varint(u64),
    Fixed64(u64),
    /// A text, a message or packed numbers.
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u32, Content<'a>)> {
        let key = u32::try_from(self.varint()?).ok().filter(|key| key >> 3 > 0)?;
        let content = match key & 7 {
            0 => Content::Varint(self.varint()?),
            1 => Content::Fixed64(self.fixed64()?),
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Content::Bytes(self.take(len)?)
            }
            5 => Content::Fixed32(u32::from_le_bytes(*self.take(4)?.first_chunk()?)),
            // Groups, which OTLP never had.
            _ => return None,
        };
        Some((key >> 3, content))
    }

    /// The next packed number of variable length.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = u64::from(self.take(1)?[0]);
            // Of the tenth byte one bit is left.
            if shift == 63 && byte > 1 {
                return None;
            }
            n |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    /// The next packed number of eight bytes.
    pub(super) fn fixed64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(*self.take(8)?.first_chunk()?))
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
}

impl<'a> Content<'a> {
    /// Where it holds bytes.
    pub(super) fn bytes(self) -> Result<&'a [u8], Malformed> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(Malformed) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Content<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Malformed))
    }
}
