//! Memory of fixed size in which one item is written before it goes to its request as a whole: asking a vector for room piece by
//! piece takes longer than writing.

/// Most items are far smaller. What does not fit is written elsewhere.
const SIZE: usize = 2 << 10;
/// Key and length of the message come before it; of a message that fits, the length takes two bytes at most.
const FRAME: usize = 3;

#[derive(Debug)]
pub(super) struct Pad([u8; SIZE]);

/// One message as it is written.
pub(super) struct Pen<'a> {
    bytes: &'a mut [u8; SIZE],
    at: usize,
}

impl Default for Pad {
    fn default() -> Self {
        Self([0; SIZE])
    }
}

impl Pad {
    /// A message without fields.
    #[inline]
    pub(super) fn begin(&mut self) -> Pen<'_> {
        Pen { bytes: &mut self.0, at: FRAME }
    }
}

impl<'a> Pen<'a> {
    /// Adds bytes, of which the number is known beforehand; none where they don't fit.
    #[inline]
    pub(super) fn put<const N: usize>(&mut self, bytes: &[u8; N]) -> Option<()> {
        self.put_some(bytes, N)
    }

    /// Adds the first `len` of these. All are copied: that costs less than to copy so many.
    #[inline]
    pub(super) fn put_some<const N: usize>(&mut self, bytes: &[u8; N], len: usize) -> Option<()> {
        *self.room()? = *bytes;
        self.at += len;
        Some(())
    }

    /// Adds bytes.
    #[inline]
    pub(super) fn put_all(&mut self, bytes: &[u8]) -> Option<()> {
        self.bytes.get_mut(self.at..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }

    /// What comes next, if so much fits.
    #[inline]
    pub(super) fn room<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.bytes.get_mut(self.at..)?.first_chunk_mut()
    }

    /// So many bytes of what comes next are written.
    #[inline]
    pub(super) fn wrote(&mut self, len: usize) {
        self.at += len;
    }

    /// The message as a field with that key.
    #[inline]
    pub(super) fn field(self, key: u8) -> Option<&'a [u8]> {
        const { assert!(SIZE < 1 << 14) };
        let len = self.at - FRAME;
        let is_short = len < 0x80;
        if is_short {
            self.bytes[1..FRAME].copy_from_slice(&[key, len as u8]);
        } else {
            self.bytes[..FRAME].copy_from_slice(&[key, len as u8 | 0x80, (len >> 7) as u8]);
        }
        self.bytes.get(usize::from(is_short)..self.at)
    }
}
