//! What becomes of the names of metrics and tags.

/// What becomes of the names of metrics and tags, which Prometheus was stricter about than OpenTelemetry is.
///
/// Whatever it is, a scraper may ask for names that are escaped further.
///
/// Source: OpenTelemetry, configuration of the Prometheus exporter, `translation_strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Translation {
    /// `http.server.request.duration` in `s` becomes `http_server_request_duration_seconds`, and a counter ends in `_total`.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// Only what Prometheus' old names can't hold becomes `_`: `http_server_request_duration`.
    UnderscoreEscapingWithoutSuffixes,
    /// Units and `_total` are added, and nothing is replaced: `http.server.request.duration_seconds`.
    NoUtf8EscapingWithSuffixes,
    /// Names stay as they are. Two metrics that differ only in unit or kind are one here, and of these one is left out.
    NoTranslation,
}

impl Translation {
    /// Whether names become such as Prometheus knew from the beginning.
    pub(super) fn escapes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes)
    }

    /// Whether units and `_total` are added.
    pub(super) fn has_suffixes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::NoUtf8EscapingWithSuffixes)
    }
}
