//! How values are kept, and which ones are refused.

use crate::model::{Kind, Number};

/// How values of a site are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CellKind {
    /// A sum that only grows.
    Counter,
    /// A sum that grows and shrinks.
    UpDownCounter,
    /// The last value.
    Gauge,
    /// A distribution.
    Histogram,
    /// A count with its rates.
    Meter,
}

impl CellKind {
    /// Why it does not take a value, if it does not.
    pub(crate) fn refusal(self, value: Number) -> Option<&'static str> {
        match value {
            Number::Float(x) if !x.is_finite() => Some("a value is not a finite number"),
            value if self.kind() == Kind::Counter && value.as_f64() < 0.0 => Some("a value is negative"),
            _ => None,
        }
    }

    /// As what it is exported.
    pub fn kind(self) -> Kind {
        match self {
            Self::Counter | Self::Meter => Kind::Counter,
            Self::UpDownCounter => Kind::UpDownCounter,
            Self::Gauge => Kind::Gauge,
            Self::Histogram => Kind::Histogram,
        }
    }
}
