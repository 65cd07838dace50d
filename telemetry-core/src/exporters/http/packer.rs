//! Bodies as they are sent: compressed, in memory that the next one uses again.

use std::io::{self, Write as _};

use bytes::{BufMut as _, BytesMut};
use flate2::write::GzEncoder;

use super::settings::Compression;

/// Packs one body after the other.
pub(super) struct Packer {
    compression: Compression,
    /// Its memory comes back to it when the requests that it was lent to are over.
    buffer: BytesMut,
    #[cfg(feature = "zstd")]
    context: Option<zstd::bulk::Compressor<'static>>,
}

impl Packer {
    pub(super) fn new(compression: Compression) -> Self {
        Self {
            compression,
            buffer: BytesMut::new(),
            #[cfg(feature = "zstd")]
            context: None,
        }
    }

    /// The value of `Content-Encoding`.
    pub(super) fn encoding(&self) -> Option<&'static str> {
        match self.compression {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Some("zstd"),
        }
    }

    /// The body behind room for so many bytes.
    pub(super) fn pack(&mut self, room: usize, body: &[u8]) -> io::Result<BytesMut> {
        self.buffer.clear();
        self.buffer.resize(room, 0);
        match self.compression {
            Compression::None => self.buffer.extend_from_slice(body),
            Compression::Gzip => {
                let mut encoder = GzEncoder::new((&mut self.buffer).writer(), flate2::Compression::fast());
                encoder.write_all(body)?;
                encoder.finish()?;
            }
            #[cfg(feature = "zstd")]
            Compression::Zstd => {
                let context = match &mut self.context {
                    Some(context) => context,
                    none => none.insert(zstd::bulk::Compressor::new(1)?),
                };
                self.buffer.resize(room + zstd::zstd_safe::compress_bound(body.len()), 0);
                let length = context.compress_to_buffer(body, &mut self.buffer[room..])?;
                self.buffer.truncate(room + length);
            }
        }
        Ok(self.buffer.split())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn body(seed: usize) -> Vec<u8> {
        (0..100_000).map(|n| (n * seed % 251) as u8).collect()
    }

    #[test]
    fn gzip_is_read_back() {
        let mut packer = Packer::new(Compression::Gzip);
        for seed in 1..4 {
            let (packed, mut read) = (packer.pack(0, &body(seed)).unwrap(), Vec::new());
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut read).unwrap();
            assert!(read == body(seed) && packed.len() < read.len() / 2);
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn zstd_is_read_back() {
        let mut packer = Packer::new(Compression::Zstd);
        for seed in 1..4 {
            let packed = packer.pack(0, &body(seed)).unwrap();
            assert!(zstd::decode_all(&packed[..]).unwrap() == body(seed) && packed.len() < 50_000);
        }
    }

    #[test]
    fn memory_is_used_again_when_a_request_is_over() {
        let mut packer = Packer::new(Compression::None);
        let (first, beside) = (packer.pack(0, &body(1)).unwrap(), packer.pack(0, &body(2)).unwrap());
        assert!(first == body(1) && beside == body(2), "two that are out at once don't share it");
        drop((first, beside));
        let places: Vec<_> = (0..100).map(|_| packer.pack(0, &body(1)).unwrap().as_ptr().addr()).collect();
        let (low, high) = (places.iter().min().unwrap(), places.iter().max().unwrap());
        assert!(high - low <= 1 << 20, "100 bodies of 100,000 bytes lie in {} bytes", high - low);
    }
}
