//! Bodies as they are sent: compressed, in memory that the next one uses again.

use std::io::{self, Write as _};

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::write::{GzEncoder, ZlibEncoder};

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
            Compression::Deflate => Some("deflate"),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Some("zstd"),
        }
    }

    pub(super) fn pack(&mut self, body: Bytes) -> io::Result<Bytes> {
        self.buffer.clear();
        match self.compression {
            Compression::None => return Ok(body),
            Compression::Gzip => {
                let mut encoder = GzEncoder::new((&mut self.buffer).writer(), flate2::Compression::fast());
                encoder.write_all(&body)?;
                encoder.finish()?;
            }
            Compression::Deflate => {
                let mut encoder = ZlibEncoder::new((&mut self.buffer).writer(), flate2::Compression::fast());
                encoder.write_all(&body)?;
                encoder.finish()?;
            }
            #[cfg(feature = "zstd")]
            Compression::Zstd => {
                let context = match &mut self.context {
                    Some(context) => context,
                    none => none.insert(zstd::bulk::Compressor::new(1)?),
                };
                self.buffer.resize(zstd::zstd_safe::compress_bound(body.len()), 0);
                let length = context.compress_to_buffer(&body, &mut self.buffer[..])?;
                self.buffer.truncate(length);
            }
        }
        Ok(self.buffer.split().freeze())
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
            let (packed, mut read) = (packer.pack(body(seed).into()).unwrap(), Vec::new());
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut read).unwrap();
            assert!(read == body(seed) && packed.len() < read.len() / 2);
        }
    }

    #[test]
    fn deflate_has_the_frame_of_zlib() {
        let mut packer = Packer::new(Compression::Deflate);
        let (packed, mut read) = (packer.pack(body(3).into()).unwrap(), Vec::new());
        flate2::read::ZlibDecoder::new(&packed[..]).read_to_end(&mut read).unwrap();
        assert!(read == body(3) && packed.len() < read.len() / 2);
        // RFC 1950, 2.2: the method is deflate, and both bytes together a multiple of 31.
        assert!(packed[0] & 0xf == 8 && u16::from_be_bytes([packed[0], packed[1]]).is_multiple_of(31));
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn zstd_is_read_back() {
        let mut packer = Packer::new(Compression::Zstd);
        for seed in 1..4 {
            let packed = packer.pack(body(seed).into()).unwrap();
            assert!(zstd::decode_all(&packed[..]).unwrap() == body(seed) && packed.len() < 50_000);
        }
    }

    #[test]
    fn what_is_not_compressed_is_not_copied() {
        let body = Bytes::from(body(1));
        let packed = Packer::new(Compression::None).pack(body.clone()).unwrap();
        assert_eq!(packed.as_ptr(), body.as_ptr());
    }

    #[test]
    fn memory_is_used_again_when_a_request_is_over() {
        let mut packer = Packer::new(Compression::Gzip);
        // Noise, which does not become less.
        let mut noise = |mut n: u64| {
            let mut next = || {
                n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (n >> 56) as u8
            };
            packer.pack((0..100_000).map(|_| next()).collect()).unwrap()
        };
        let (first, beside) = (noise(1), noise(2));
        assert_ne!(first, beside, "two that are out at once don't share it");
        drop((first, beside));
        let places: Vec<_> = (0..100).map(|n| noise(n).as_ptr().addr()).collect();
        let (low, high) = (places.iter().min().unwrap(), places.iter().max().unwrap());
        assert!(high - low <= 1 << 20, "100 bodies of 100,000 bytes lie in {} bytes", high - low);
    }
}
