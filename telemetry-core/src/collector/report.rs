//! How a flush, a shutdown or a change ended.

use std::fmt;

use crate::pipeline::Ledger;
use crate::text::Quoted;

/// What was delivered and what was not.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) ledger: Ledger,
    pub(super) complete: bool,
    pub(super) late: Vec<String>,
}

impl Report {
    /// Whether all that was recorded before was delivered, or is on disk where its exporter has a spool, in time: of a shutdown, all
    /// of the run; of a flush, all up to its beginning; of an exporter that was removed or replaced, all that was given to it or to another
    /// one under its name. Where anything was lost or refused, no later report is complete either.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The exporters that were given up at a shutdown, or when they were removed or replaced, because they were not done by the deadline.
    pub fn late(&self) -> &[String] {
        &self.late
    }

    /// Where every item was when it ended.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ledger.fmt(f)?;
        if !self.complete {
            f.write_str("not all was delivered, or not in time")?;
            if !self.late.is_empty() {
                f.write_str("; given up: ")?;
                for (i, name) in self.late.iter().enumerate() {
                    write!(f, "{}{}", if i == 0 { "" } else { ", " }, Quoted::word(name))?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
