//! How the lines of one endpoint look, and what is wrong with a form that contradicts itself.

use crate::exporters::words::has_full_nodes;

/// Whose lines they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Etsy's: without tags.
    #[default]
    Plain,
    /// `DogStatsD`.
    Datadog,
    /// Tags as Graphite has them in names.
    Graphite,
}

/// Which tags become part of the name where there is no other place for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TagsInName {
    /// The point's own and the global ones.
    #[default]
    All,
    /// Without the global ones.
    Own,
    /// Points that differ in nothing else become one.
    None,
}

/// What a distribution is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A timer, in milliseconds.
    Ms,
    /// A histogram, which the server makes quantiles of.
    H,
    /// A distribution, of which quantiles are made for all senders together.
    D,
}

impl Type {
    pub(super) fn word(self) -> &'static [u8] {
        match self {
            Self::Ms => b"ms",
            Self::H => b"h",
            Self::D => b"d",
        }
    }
}

/// How lines look.
#[derive(Clone, Debug)]
pub struct Form {
    /// What servers it is for.
    pub dialect: Dialect,
    /// Before each name, with its dot.
    pub prefix: String,
    /// Of the plain dialect.
    pub tags_in_name: TagsInName,
    /// Type of histograms of times.
    pub timers: Type,
    /// Type of the others.
    pub histograms: Type,
    /// Lines of one distribution, about; none is one for each bucket.
    pub samples: Option<u64>,
    /// Whether points have their times.
    pub has_times: bool,
}

/// A percentile that servers make where nobody told them otherwise is the 90th; these tell the 98th from the 100th.
const SAMPLES: u64 = 50;

impl Form {
    /// What that dialect has where nothing is said.
    pub fn of(dialect: Dialect) -> Self {
        let is_datadog = dialect == Dialect::Datadog;
        Self {
            dialect,
            prefix: String::new(),
            tags_in_name: TagsInName::default(),
            timers: Type::Ms,
            histograms: if is_datadog { Type::D } else { Type::Ms },
            samples: (!is_datadog).then_some(SAMPLES),
            has_times: false,
        }
    }

    /// The same with a prefix, which is refused where names can't hold it as it is.
    pub fn prefixed(mut self, prefix: &str) -> Result<Self, String> {
        let is_datadog = self.dialect == Dialect::Datadog;
        let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_' || (c == '-' && !is_datadog);
        if let Some(other) = prefix.chars().find(|c| !is_fit(*c)) {
            return Err(format!("`{other}` can't be in a name"));
        }
        if is_datadog && !prefix.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err("a letter is needed at its beginning".to_owned());
        }
        if !has_full_nodes(prefix) {
            return Err("names with dots between them are needed".to_owned());
        }
        self.prefix = format!("{}.", prefix.trim_end_matches('.'));
        Ok(self)
    }
}
