//! The value of a field of a span or an event.

use std::fmt;

/// An owned field value.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(untagged))]
#[non_exhaustive]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number from 0 up.
    U64(u64),
    /// A whole number, below 0 where it was recorded as signed.
    I64(i64),
    /// Any other number.
    F64(f64),
    /// Text, also what was recorded by `Debug` or `Display`, and the digits of integers that 64 bits are too few for.
    Str(String),
}

/// A borrowed field value, as exporters see it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ValueRef<'a> {
    /// True or false.
    Bool(bool),
    /// A whole number from 0 up.
    U64(u64),
    /// A whole number recorded as signed.
    I64(i64),
    /// Any other number.
    F64(f64),
    /// Text.
    Str(&'a str),
}

impl ValueRef<'_> {
    /// The same value, owned.
    pub fn to_value(self) -> Value {
        match self {
            Self::Bool(v) => Value::Bool(v),
            Self::U64(v) => Value::U64(v),
            Self::I64(v) => Value::I64(v),
            Self::F64(v) => Value::F64(v),
            Self::Str(v) => Value::Str(v.to_owned()),
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl Value {
    /// The same value, borrowed.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Bool(v) => ValueRef::Bool(*v),
            Self::U64(v) => ValueRef::U64(*v),
            Self::I64(v) => ValueRef::I64(*v),
            Self::F64(v) => ValueRef::F64(*v),
            Self::Str(v) => ValueRef::Str(v),
        }
    }
}

macro_rules! from {
    ($($type:ty => $kind:ident),*) => {
        $(
            impl<'a> From<$type> for ValueRef<'a> {
                #[inline]
                fn from(value: $type) -> Self {
                    Self::$kind(value)
                }
            }
        )*
    };
}

from!(bool => Bool, u64 => U64, i64 => I64, f64 => F64, &'a str => Str);

impl fmt::Display for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => v.fmt(f),
            Self::U64(v) => v.fmt(f),
            Self::I64(v) => v.fmt(f),
            Self::F64(v) => v.fmt(f),
            Self::Str(v) => v.fmt(f),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ValueRef<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(v) => s.serialize_bool(*v),
            Self::U64(v) => s.serialize_u64(*v),
            Self::I64(v) => s.serialize_i64(*v),
            // JSON has no name for these; this is what the JSON form of protobuf calls them.
            Self::F64(v) if v.is_nan() => s.serialize_str("NaN"),
            Self::F64(v) if v.is_infinite() => {
                s.serialize_str(if *v > 0.0 { "Infinity" } else { "-Infinity" })
            }
            Self::F64(v) => s.serialize_f64(*v),
            Self::Str(v) => s.serialize_str(v),
        }
    }
}

macro_rules! into_value {
    ($($from:ty => $variant:ident($via:ty)),*) => {$(
        impl From<$from> for Value {
            fn from(v: $from) -> Self {
                Value::$variant(<$via>::from(v))
            }
        }
    )*};
}

into_value!(bool => Bool(bool), &str => Str(String), String => Str(String), f32 => F64(f64), f64 => F64(f64),
            u8 => U64(u64), u16 => U64(u64), u32 => U64(u64), u64 => U64(u64),
            i8 => I64(i64), i16 => I64(i64), i32 => I64(i64), i64 => I64(i64));

impl From<usize> for Value {
    fn from(v: usize) -> Self {
        Self::U64(v as u64)
    }
}
