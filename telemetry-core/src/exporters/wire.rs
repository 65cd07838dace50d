//! Protobuf's wire format, as far as exporters need it. What is written is added to a vector.
//!
//! A field begins with its key: number and wire type. The functions below make the keys of fields up to 15, which are one
//! byte; a key of two bytes stands where it is used.
//!
//! Source: protobuf, "Encoding".

/// The key of a number of variable length.
pub(super) const fn varint(field: u8) -> u8 {
    field << 3
}

/// The key of a number of eight bytes.
pub(super) const fn fixed64(field: u8) -> u8 {
    field << 3 | 1
}

/// The key of bytes behind their length: texts, messages, packed numbers.
pub(super) const fn bytes(field: u8) -> u8 {
    field << 3 | 2
}

/// The greatest number of bytes that a varint takes.
pub(super) const MAX_VARINT: usize = 10;

/// The most that a key and a length take.
pub(super) const MAX_FRAME: usize = 1 + MAX_VARINT;

/// How many bytes a varint takes: one for each seven bits.
#[inline]
pub(super) const fn varint_len(n: u64) -> usize {
    ((63 - (n | 1).leading_zeros() as usize) * 9 + 73) / 64
}

/// Writes a varint, and says how many bytes it takes.
#[inline]
pub(super) fn write_varint(place: &mut [u8; MAX_VARINT], mut n: u64) -> usize {
    let mut len = 0;
    for byte in place {
        *byte = n as u8 | 0x80;
        n >>= 7;
        len += 1;
        if n == 0 {
            *byte &= 0x7f;
            break;
        }
    }
    len
}

#[inline]
pub(super) fn put_varint(out: &mut Vec<u8>, n: u64) {
    if n < 0x80 {
        return out.push(n as u8);
    }
    let mut bytes = [0; MAX_VARINT];
    let end = out.len() + write_varint(&mut bytes, n);
    // All of them, as a copy of fixed size costs less than one of few bytes.
    out.extend_from_slice(&bytes);
    out.truncate(end);
}

/// So many bytes take any length that a request has.
pub(super) const LONG: usize = 5;

/// A varint in that many bytes, which readers take like one in fewer.
pub(super) fn long_varint(n: usize) -> [u8; LONG] {
    std::array::from_fn(|i| (n >> (7 * i)) as u8 & 0x7f | if i + 1 < LONG { 0x80 } else { 0 })
}

/// A field that is left out where it is 0.
#[inline]
pub(super) fn put_count(out: &mut Vec<u8>, key: u8, n: u64) {
    if n > 0 {
        out.push(key);
        put_varint(out, n);
    }
}

#[inline]
pub(super) fn put_fixed64(out: &mut Vec<u8>, key: u8, n: u64) {
    let mut field = [key; 9];
    field[1..].copy_from_slice(&n.to_le_bytes());
    out.extend_from_slice(&field);
}

#[inline]
pub(super) fn put_f64(out: &mut Vec<u8>, key: u8, x: f64) {
    put_fixed64(out, key, x.to_bits());
}

#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    out.push(key);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A text that is left out where it is empty.
#[inline]
pub(super) fn put_text(out: &mut Vec<u8>, key: u8, text: &str) {
    if !text.is_empty() {
        put_bytes(out, key, text.as_bytes());
    }
}

/// How many bytes [`put_bytes`] adds.
#[inline]
pub(super) const fn bytes_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// A message, or packed numbers: the length is written when it is known. `LEN` bytes are kept free for it; where it takes
/// another number of bytes, what was written is moved.
#[inline]
pub(super) fn put_message<const LEN: usize>(out: &mut Vec<u8>, key: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(key);
    out.extend_from_slice(&[0; LEN]);
    let start = out.len();
    write(out);
    put_len(out, start - LEN, start);
}

/// Puts the length of what begins at `start` in place of what stands there from `at` on.
#[inline]
fn put_len(out: &mut Vec<u8>, at: usize, start: usize) {
    let len = out.len() - start;
    match out.get_mut(at..start) {
        Some([first]) if len < 0x80 => *first = len as u8,
        Some([first, second]) if (0x80..0x4000).contains(&len) => {
            (*first, *second) = (len as u8 | 0x80, (len >> 7) as u8);
        }
        Some([first, _]) if len < 0x80 => {
            *first = len as u8;
            out.remove(at + 1);
        }
        _ => {
            let mut bytes = [0; MAX_VARINT];
            let many = write_varint(&mut bytes, len as u64);
            out.splice(at..start, bytes.into_iter().take(many));
        }
    }
}
