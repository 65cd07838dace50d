//! Protobuf messages that others wrote: bytes go in, their fields come out. They may hold anything; nothing here panics.
//!
//! Source: protobuf, "Encoding".

/// Key and content of each field of a message; none of what is no protobuf, and nothing behind it. Keys that are more than one byte are 0, as nobody asks for them.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

pub(super) enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of four or eight bytes.
    Fixed,
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u8, Content<'a>)> {
        let key = u32::try_from(self.varint()?).ok().filter(|key| key >> 3 > 0)?;
        let content = match key & 7 {
            0 => Content::Number(self.varint()?),
            1 => self.take(8).map(|_| Content::Fixed)?,
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Content::Bytes(self.take(len)?)
            }
            5 => self.take(4).map(|_| Content::Fixed)?,
            // Groups, which OTLP never had.
            _ => return None,
        };
        Some((u8::try_from(key).unwrap_or_default(), content))
    }

    fn varint(&mut self) -> Option<u64> {
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

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u8, Content<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}
