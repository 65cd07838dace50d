//! The kinds of attributes and macros.

/// What is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Count,
    Time,
    Gauge,
    Histogram,
    Record,
}

impl Kind {
    /// The metric of a function that got no name.
    pub(crate) fn unnamed(self) -> &'static str {
        if self == Self::Time { "function.duration" } else { "function.calls" }
    }

    /// The attribute of this kind.
    pub(crate) fn attribute(self) -> &'static str {
        if self == Self::Time { "time_me" } else { "count_me" }
    }

    /// Where its values go; a timer's name says that.
    pub(crate) fn cell(self) -> Option<&'static str> {
        match self {
            Self::Count => Some("Counter"),
            Self::Time => None,
            Self::Histogram => Some("Histogram"),
            Self::Gauge | Self::Record => Some("Gauge"),
        }
    }

    pub(crate) fn has_buckets(self) -> bool {
        matches!(self, Self::Time | Self::Histogram)
    }

    /// What an attribute of this kind takes.
    pub(crate) fn takes(self) -> &'static str {
        match self {
            Self::Time => {
                "`name`, `level`, `source`, `tags(..)`, `description`, `buckets`, `span`, `span_name`, `fields(..)`, \
                 `outcome`, `error_type`, `err`, `active`, `crate`"
            }
            _ => {
                "`name`, `value`, `level`, `source`, `tags(..)`, `unit`, `description`, `outcome`, `error_type`, `crate`"
            }
        }
    }
}
