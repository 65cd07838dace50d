//! Fields of spans and events.

use arbitrary::Arbitrary;
use telemetry_core::__private::record::{FieldBuf, Key, field_name};
use telemetry_core::model::Value;
use tracing_core::Metadata;

use crate::Words;

/// A value of any type.
#[derive(Arbitrary, Clone, Debug)]
pub enum AnyOf {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number from 0 up.
    U64(u64),
    /// A small one.
    U8(u8),
    /// Any whole number.
    I64(i64),
    /// A number, or none.
    F64(f64),
    /// A text.
    Text(Words),
}

/// The fields of one item: those of its call site, and those with names of their own.
#[derive(Arbitrary, Clone, Debug)]
pub struct MadeFields {
    own: Vec<(u8, AnyOf)>,
    named: Vec<(Words, AnyOf)>,
}

impl AnyOf {
    fn value(&self) -> Value {
        match self {
            Self::Bool(is) => Value::Bool(*is),
            Self::U64(n) => Value::U64(*n),
            Self::U8(n) => Value::U64((*n).into()),
            Self::I64(n) => Value::I64(*n),
            Self::F64(x) => Value::F64(*x),
            Self::Text(words) => Value::Str(words.text()),
        }
    }
}

impl MadeFields {
    /// All of them take less than a record keeps.
    const MOST: usize = 5;

    fn own<'a>(&'a self, site: Option<&'a Metadata<'a>>) -> impl Iterator<Item = (usize, &'a AnyOf)> {
        let known = site.map_or(0, |site| site.fields().len());
        let own = self.own.iter().take(Self::MOST).filter(move |_| known > 0);
        own.map(move |(index, value)| (usize::from(*index) % known, value))
    }

    /// As a record has them.
    pub fn recorded(&self, site: Option<&'static Metadata<'static>>) -> FieldBuf<'static> {
        let mut fields = FieldBuf::new();
        for (index, value) in self.own(site) {
            fields.push(Key::Index(index), value.value().as_ref());
        }
        for (name, value) in self.named.iter().take(Self::MOST) {
            fields.push(Key::Name(&name.text()), value.value().as_ref());
        }
        assert_eq!(fields.cut(), 0);
        fields
    }

    /// Names and values, in their order.
    pub fn all(&self, site: Option<&'static Metadata<'static>>) -> Vec<(String, Value)> {
        let name =
            |index| site.and_then(|site| site.fields().iter().nth(index)).map(|field| field_name(&field));
        let own =
            self.own(site).map(|(index, value)| (name(index).unwrap_or_default().to_owned(), value.value()));
        let named = self.named.iter().take(Self::MOST).map(|(name, value)| (name.text(), value.value()));
        own.chain(named).collect()
    }
}
