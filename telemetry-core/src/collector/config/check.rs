//! `check_at_start`: what becomes of a backend that does not answer when the collector starts.

/// What to do when a backend does not answer at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum CheckAtStart {
    /// Say so on standard error, and go on: an outage must not stop the program.
    #[default]
    Warn,
    /// Fail the start.
    Fail,
    /// Don't look.
    Off,
}
