//! What the program's attributes and macros will measure, known before the first of them runs.

use tracing_core::Level;

use super::site::{Site, SiteTags};
use super::table::Table;
use crate::model::Kind;

/// The sites of one attribute or macro; the linker brings all of them together.
#[derive(Debug)]
pub struct Listed {
    sites: &'static [Site],
    /// They have tags that are known only when they are recorded.
    is_tagged_later: bool,
}

inventory::collect!(Listed);

impl Listed {
    /// That site.
    pub const fn one(site: &'static Site, is_tagged_later: bool) -> Self {
        Self::all(std::slice::from_ref(site), is_tagged_later)
    }

    /// These sites.
    pub const fn all(sites: &'static [Site], is_tagged_later: bool) -> Self {
        Self { sites, is_tagged_later }
    }
}

/// A metric that an attribute or a macro of the program feeds, with the tags that are known without running it. A
/// function with `outcome` has one for each.
#[derive(Clone, Copy, Debug)]
pub struct StaticMetric {
    site: &'static Site,
    is_tagged_later: bool,
}

impl StaticMetric {
    /// Its name.
    pub fn name(&self) -> &'static str {
        &self.site.name
    }

    /// What it is exported as.
    pub fn kind(&self) -> Kind {
        self.site.kind.kind()
    }

    /// Its unit, in UCUM; empty where none was given.
    pub fn unit(&self) -> &'static str {
        self.site.unit
    }

    /// Its description; empty where none was given.
    pub fn description(&self) -> &'static str {
        self.site.description
    }

    /// Its level, if one was given.
    pub fn level(&self) -> Option<Level> {
        self.site.level
    }

    /// Tags whose values are known without running it.
    pub fn tags(&self) -> &'static [(&'static str, &'static str)] {
        match &self.site.tags {
            SiteTags::Static(tags) => tags,
            SiteTags::Owned(_) => &[],
        }
    }

    /// Whether it has tags beside these, whose values are known only when it is recorded.
    pub fn is_tagged_later(&self) -> bool {
        self.is_tagged_later
    }

    /// The source file that feeds it, as the compiler was told to find it.
    pub fn file(&self) -> &'static str {
        self.site.file
    }

    /// The line there.
    pub fn line(&self) -> u32 {
        self.site.line
    }
}

/// Every metric that an attribute or a macro feeds anywhere in the program, also in the crates it is made of, whether it
/// was used already or not: sorted by name, tags and place.
///
/// Handles made from code ([`counter`](crate::counter) and the like) are not among them: nobody knows of one before it is
/// made.
pub fn catalogue() -> Vec<StaticMetric> {
    let listed = inventory::iter::<Listed>.into_iter();
    let mut all: Vec<StaticMetric> = listed
        .flat_map(|Listed { sites, is_tagged_later }| {
            sites.iter().map(|site| StaticMetric { site, is_tagged_later: *is_tagged_later })
        })
        .collect();
    all.sort_by_key(|metric| (metric.name(), metric.tags(), metric.file(), metric.line()));
    all
}

impl Table {
    /// Makes the series of all static counters and histograms whose tags are known: they stand at 0 from now on.
    pub(crate) fn begin_static(&self) {
        for metric in catalogue() {
            if !metric.is_tagged_later && metric.kind() != Kind::Gauge {
                self.begin(metric.site);
            }
        }
    }
}
