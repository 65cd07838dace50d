//! Trace and span ids, as W3C Trace Context and OpenTelemetry write them: lower-case hexadecimal.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

use crate::text::Clean;

/// 16 bytes that all spans of one trace share; never zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(NonZeroU128);

/// 8 bytes that name one span in its trace; never zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(NonZeroU64);

impl TraceId {
    pub(crate) const MIN: Self = Self(NonZeroU128::MIN);

    /// None for zero, which W3C Trace Context calls invalid.
    pub const fn new(id: u128) -> Option<Self> {
        match NonZeroU128::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The id as a number; its bytes on the wire are big-endian.
    pub const fn get(self) -> u128 {
        self.0.get()
    }
}

impl SpanId {
    pub(crate) const MIN: Self = Self(NonZeroU64::MIN);

    /// None for zero, which W3C Trace Context calls invalid.
    pub const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The id as a number; its bytes on the wire are big-endian.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// Where a span stands: what an event carries, and what crosses process borders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SpanContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Whether the trace was chosen by head sampling.
    pub sampled: bool,
    /// Whether somebody vouches for it that the low 56 bits of the trace id are random.
    ///
    /// Source: W3C Trace Context, level 2, "Random Trace ID Flag".
    #[cfg_attr(feature = "serde", serde(default))]
    pub random: bool,
    /// Whether another program told of the span.
    #[cfg_attr(feature = "serde", serde(default))]
    pub is_remote: bool,
}

impl SpanContext {
    /// A span of this program, in a trace whose id nobody vouches for.
    #[inline]
    pub const fn new(trace_id: TraceId, span_id: SpanId, sampled: bool) -> Self {
        Self { trace_id, span_id, sampled, random: false, is_remote: false }
    }

    /// Another span of that trace, of this program.
    #[inline]
    pub const fn with_span(self, span_id: SpanId) -> Self {
        Self { span_id, is_remote: false, ..self }
    }

    /// The same of a trace whose id is random, or perhaps is not.
    #[inline]
    pub const fn with_random(self, random: bool) -> Self {
        Self { random, ..self }
    }

    /// The same of a trace that is kept or not.
    #[inline]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        Self { sampled, ..self }
    }
}

/// The number that so many digits are, as headers have them: in lower case.
pub(super) fn lower_hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if is_hex && text.len() == digits { u128::from_str_radix(text, 16).ok() } else { None }
}

/// What is no id: not hexadecimal, of the wrong length, or zero.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no id: {digits} hexadecimal digits are needed, not all of them 0", Clean(.text))]
pub struct ParseIdError {
    text: String,
    digits: usize,
}

macro_rules! hex_id {
    ($id:ident, $int:ident, $digits:literal) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:0", $digits, "x}"), self.get())
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $id {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let hex = text.len() == $digits && text.bytes().all(|b| b.is_ascii_hexdigit());
                hex.then(|| $int::from_str_radix(text, 16).ok().and_then(Self::new))
                    .flatten()
                    .ok_or_else(|| ParseIdError { text: text.to_owned(), digits: $digits })
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $id {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_id!(TraceId, u128, 32);
hex_id!(SpanId, u64, 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hexadecimal_both_ways() {
        let id = TraceId::new(0xabc).unwrap();
        assert_eq!(id.to_string(), "00000000000000000000000000000abc");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("00f067aa0ba902b7".parse::<SpanId>().unwrap().get(), 0x00f0_67aa_0ba9_02b7);
    }

    #[test]
    fn zero_signs_and_wrong_lengths_are_refused() {
        for bad in ["0000000000000000", "+0f067aa0ba902b7", "f067aa0ba902b7", "00f067aa0ba902bg"] {
            assert!(bad.parse::<SpanId>().unwrap_err().to_string().contains(bad));
        }
    }
}
