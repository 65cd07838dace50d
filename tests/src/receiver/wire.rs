//! What exporters speak over streams that acknowledge nothing: where they are told to send to, and what a line of a data point is.

use super::points;
use super::stream::Place;

/// A line for each data point, over a stream on which nobody says that it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Graphite's plain text over TCP.
    Graphite,
    /// OpenTSDB's telnet.
    OpenTsdb,
    /// `DogStatsD` over TCP.
    DogStatsD,
    /// StatsD with Graphite's tags over a Unix socket.
    StatsD,
}

impl Wire {
    /// All of them.
    pub const EACH: [Self; 4] = [Self::Graphite, Self::OpenTsdb, Self::DogStatsD, Self::StatsD];

    /// A URL with the options that follow, for a program that exports data points alone.
    pub fn url(self, place: &Place, options: &str) -> String {
        self.named(&place.to_string(), options)
    }

    /// The same with a host, or a path, that is named.
    pub fn named(self, place: &str, options: &str) -> String {
        let (scheme, own) = match self {
            Self::Graphite => ("graphite", ""),
            Self::OpenTsdb => ("opentsdb", "host_tag=off&max_tags=99&max_line=999999&"),
            Self::DogStatsD => ("statsd+tcp", "dialect=datadog&timestamps=true&"),
            Self::StatsD => ("statsd+unixstream", "dialect=graphite&"),
        };
        format!("{scheme}://{place}?{own}{options}&signals=metrics")
    }

    /// Whether it goes over a Unix socket.
    pub fn is_unix(self) -> bool {
        self == Self::StatsD
    }

    /// What a receiver says that does not take a line.
    ///
    /// # Panics
    ///
    /// Where none says anything.
    pub fn complaint(self, why: &str) -> Vec<u8> {
        match self {
            // None of Graphite's does, but others that take its lines.
            Self::Graphite => format!("{why}\n").into_bytes(),
            Self::OpenTsdb => format!("put: illegal argument: {why}\n").into_bytes(),
            _ => panic!("nobody says `{why}` over {self:?}"),
        }
    }

    /// The id of the data point that stands in a line; none where it is not one, as a whole, that a program recorded.
    pub(super) fn id(self, line: &str) -> Option<u64> {
        match self {
            Self::Graphite => points::graphite(line),
            Self::OpenTsdb => points::put(line),
            Self::DogStatsD => points::datadog(line),
            Self::StatsD => points::statsd(line),
        }
    }
}
