//! How data points are written: what an endpoint's options say.

use crate::exporters::lines::byte_set;

/// How data points are written.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Style {
    /// As lines or as JSON.
    pub form: Form,
    /// What names and tags may hold.
    pub characters: Characters,
    /// Times in milliseconds, not in seconds.
    pub is_millis: bool,
    /// A point has at most so many tags, `le` among them.
    pub max_tags: usize,
    /// What histograms become.
    pub histograms: Histograms,
}

/// As lines or as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `put NAME TIME VALUE key=value ..`
    Lines {
        /// A line has at most so many bytes, without its end.
        max_line: usize,
    },
    /// An array of objects. Those of one item stand in lines of their own, behind the first one.
    Json,
}

/// What names, and keys and values of tags, may hold. Each other character becomes `_`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Characters {
    /// `A-Z a-z 0-9 - _ . /`
    #[default]
    Ascii,
    /// The letters of all scripts too, but of those beyond U+FFFF, which are two characters for OpenTSDB and none of them a letter.
    Unicode,
    /// The same, and in values anything. In lines nothing but letters can be.
    Any,
}

/// What histograms become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Histograms {
    /// Count, sum, least, greatest and quantiles.
    #[default]
    Summary,
    /// Count, sum, and how many values lie below each bound.
    Buckets,
}

impl Form {
    /// OpenTSDB takes no longer line.
    pub const MAX_LINE: usize = 1024;
}

impl Style {
    /// As OpenTSDB takes them where nobody has told it otherwise.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            characters: Characters::default(),
            is_millis: false,
            max_tags: usize::MAX,
            histograms: Histograms::default(),
        }
    }
}

impl Characters {
    /// Whether a name or a key may have it.
    pub(super) fn takes(self, c: char) -> bool {
        match self {
            _ if c.is_ascii() => PLAIN[c as usize],
            Self::Ascii => false,
            Self::Unicode | Self::Any => c.is_alphabetic() && u32::from(c) < 0x1_0000,
        }
    }
}

/// What all servers take.
pub(super) static PLAIN: [bool; 256] =
    byte_set!(b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-'..=b'/' | b'_');
