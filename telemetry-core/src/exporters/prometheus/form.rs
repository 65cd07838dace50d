//! The forms that a page has, and what a response says of each.
//!
//! Source: Prometheus, "Content Negotiation" and "Escaping Schemes".

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) version: Version,
    pub(super) escaping: Escaping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// The text format 0.0.4.
    Text0,
    /// The text format 1.0.0, which differs in nothing that is written here.
    Text1,
    /// OpenMetrics 0.0.1, which scrapers from before 1.0.0 ask for and which is the same too.
    OpenMetrics0,
    OpenMetrics1,
    /// Messages `io.prometheus.client.MetricFamily`, each behind its length.
    Protobuf,
}

/// What is written alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Text,
    OpenMetrics,
    Protobuf,
}

/// What becomes of names that are more than letters, digits and `_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escaping {
    Underscores,
    Dots,
    Values,
    /// Nothing: they stand in quotes.
    AllowUtf8,
}

impl Form {
    /// The one that every scraper reads.
    pub(super) const DEFAULT: Self = Self { version: Version::Text0, escaping: Escaping::Underscores };

    pub(super) fn dialect(self) -> Dialect {
        match self.version {
            Version::Text0 | Version::Text1 => Dialect::Text,
            Version::OpenMetrics0 | Version::OpenMetrics1 => Dialect::OpenMetrics,
            Version::Protobuf => Dialect::Protobuf,
        }
    }

    /// The header `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        macro_rules! escaped {
            ($type:literal) => {
                match self.escaping {
                    Escaping::Underscores => concat!($type, "; escaping=underscores"),
                    Escaping::Dots => concat!($type, "; escaping=dots"),
                    Escaping::Values => concat!($type, "; escaping=values"),
                    Escaping::AllowUtf8 => concat!($type, "; escaping=allow-utf-8"),
                }
            };
        }
        match self.version {
            Version::Text0 => escaped!("text/plain; version=0.0.4; charset=utf-8"),
            Version::Text1 => escaped!("text/plain; version=1.0.0; charset=utf-8"),
            Version::OpenMetrics0 => {
                escaped!("application/openmetrics-text; version=0.0.1; charset=utf-8")
            }
            Version::OpenMetrics1 => {
                escaped!("application/openmetrics-text; version=1.0.0; charset=utf-8")
            }
            Version::Protobuf => escaped!(
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            ),
        }
    }
}

impl Escaping {
    /// By the name that requests have for it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "underscores" => Self::Underscores,
            "dots" => Self::Dots,
            "values" => Self::Values,
            "allow-utf-8" => Self::AllowUtf8,
            _ => return None,
        })
    }
}
