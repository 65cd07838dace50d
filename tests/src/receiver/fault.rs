//! Why a receiver refuses a request, whatever it speaks, and what an exporter makes of that.

use std::time::{Duration, SystemTime};

/// Why a receiver refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is wrong: 400, `INVALID_ARGUMENT`.
    Malformed,
    /// Nobody knows who sends it: 401, UNAUTHENTICATED.
    Unauthenticated,
    /// Who sends it may not: 403, `PERMISSION_DENIED`.
    Forbidden,
    /// There is no such service: 404, UNIMPLEMENTED.
    Unknown,
    /// The request is too large: 413, `RESOURCE_EXHAUSTED` with a message that says so.
    TooLarge,
    /// There are too many of them: 429, `RESOURCE_EXHAUSTED`.
    Limited,
    /// The receiver failed by this request: 500, INTERNAL.
    Failed,
    /// What stands behind the receiver does not answer well: 502, UNAVAILABLE.
    Gateway,
    /// It has too much to do: 503, UNAVAILABLE.
    Busy,
    /// What stands behind it does not answer in time: 504, `DEADLINE_EXCEEDED`.
    Late,
}

/// How long a receiver wants to be left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// So many seconds.
    Seconds(u64),
    /// Until then, in whole seconds. In gRPC it is a time too.
    Date(SystemTime),
}

/// What becomes of the items of a request that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// They are sent again.
    Again,
    /// They are sent again in smaller requests.
    Smaller,
    /// They are lost, and counted as rejected.
    Never,
}

impl Fault {
    /// All of them.
    pub const EACH: [Self; 10] = [
        Self::Malformed,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Unknown,
        Self::TooLarge,
        Self::Limited,
        Self::Failed,
        Self::Gateway,
        Self::Busy,
        Self::Late,
    ];

    pub(super) fn http(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::Unknown => 404,
            Self::TooLarge => 413,
            Self::Limited => 429,
            Self::Failed => 500,
            Self::Gateway => 502,
            Self::Busy => 503,
            Self::Late => 504,
        }
    }

    pub(super) fn grpc(self) -> u32 {
        match self {
            Self::Malformed => 3,
            Self::Late => 4,
            Self::Forbidden => 7,
            Self::TooLarge | Self::Limited => 8,
            Self::Unknown => 12,
            Self::Failed => 13,
            Self::Gateway | Self::Busy => 14,
            Self::Unauthenticated => 16,
        }
    }
}

impl Wait {
    /// A date three seconds from now, of which at least two are left.
    pub fn date() -> Self {
        Self::Date(SystemTime::now() + Duration::from_secs(3))
    }

    /// As `Retry-After`.
    pub(super) fn text(self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Date(date) => httpdate::fmt_http_date(date),
        }
    }

    pub(super) fn time(self) -> Duration {
        match self {
            Self::Seconds(seconds) => Duration::from_secs(seconds),
            Self::Date(date) => date.duration_since(SystemTime::now()).unwrap_or_default(),
        }
    }
}
