//! What exporters speak over streams that acknowledge nothing: where they are told to send to, and what a line of a data point is.

use super::points;
use super::stream::Place;

/// A line for each data point, over a stream on which nobody says that it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Graphite's plain text over TCP.
    Graphite,
}

impl Wire {
    /// All of them.
    pub const EACH: [Self; 1] = [Self::Graphite];

    /// A URL with the options that follow, for a program that exports data points alone.
    pub fn url(self, place: &Place, options: &str) -> String {
        self.named(&place.to_string(), options)
    }

    /// The same with a host, or a path, that is named.
    pub fn named(self, place: &str, options: &str) -> String {
        let (scheme, own) = match self {
            Self::Graphite => ("graphite", ""),
        };
        format!("{scheme}://{place}?{own}{options}&signals=metrics")
    }

    /// Whether it goes over a Unix socket.
    pub fn is_unix(self) -> bool {
        false
    }

    /// What a receiver says that does not take a line.
    ///
    /// # Panics
    ///
    /// Where none says anything.
    pub fn complaint(self, why: &str) -> Vec<u8> {
        panic!("nobody says `{why}` over {self:?}")
    }

    /// The id of the data point that stands in a line; none where it is not one, as a whole, that a program recorded.
    pub(super) fn id(self, line: &str) -> Option<u64> {
        match self {
            Self::Graphite => points::graphite(line),
        }
    }
}
