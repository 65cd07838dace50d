//! By what annotated functions are measured whose metric nobody gave a name or anything else: the compiler keeps as
//! little as there can be, and the sites are made when they are first asked for.

use std::panic::Location;

use super::{CellKind, Site};
use crate::sync::StaticRef;

/// What is known of a function before it is measured.
#[derive(Debug)]
#[must_use = "a site is what values are recorded by"]
pub struct FunctionSite {
    kind: CellKind,
    has_outcomes: bool,
    module: &'static str,
    name: &'static str,
    place: &'static Location<'static>,
    /// Made at first use, one of the two.
    site: StaticRef<Site>,
    outcomes: StaticRef<[Site; 4]>,
}

impl FunctionSite {
    #[track_caller]
    const fn new(kind: CellKind, module: &'static str, name: &'static str) -> Self {
        let (site, outcomes) = (StaticRef::none(), StaticRef::none());
        Self { kind, has_outcomes: false, module, name, place: Location::caller(), site, outcomes }
    }

    /// How long it takes.
    #[track_caller]
    pub const fn timed(module: &'static str, name: &'static str) -> Self {
        Self::new(CellKind::Histogram, module, name)
    }

    /// How often it is called.
    #[track_caller]
    pub const fn counted(module: &'static str, name: &'static str) -> Self {
        Self::new(CellKind::Counter, module, name)
    }

    /// How many of its calls run.
    #[track_caller]
    pub const fn active(module: &'static str, name: &'static str) -> Self {
        Self::new(CellKind::UpDownCounter, module, name)
    }

    /// The same for each way in which a call can end.
    pub const fn by_outcome(mut self) -> Self {
        self.has_outcomes = true;
        self
    }

    /// Its site, of one that has no outcomes.
    #[inline]
    pub fn site(&'static self) -> &'static Site {
        self.site.get().unwrap_or_else(|| self.make())
    }

    /// Its sites, of one that has them by outcome.
    #[inline]
    pub fn outcomes(&'static self) -> &'static [Site; 4] {
        self.outcomes.get().unwrap_or_else(|| self.make_outcomes())
    }

    /// All of them.
    #[cfg(feature = "catalogue")]
    pub(crate) fn all(&'static self) -> &'static [Site] {
        if self.has_outcomes { self.outcomes() } else { std::slice::from_ref(self.site()) }
    }

    const fn new_site(&self) -> Site {
        Site::of_function(self.kind, self.module, self.name, self.place)
    }

    // Both are made before anybody waits for them: an allocator may be what is measured.

    #[cold]
    fn make(&'static self) -> &'static Site {
        debug_assert!(!self.has_outcomes, "it is measured by outcome");
        self.site.get_or_set(Box::leak(Box::new(self.new_site())))
    }

    #[cold]
    fn make_outcomes(&'static self) -> &'static [Site; 4] {
        debug_assert!(self.has_outcomes, "it is not measured by outcome");
        self.outcomes.get_or_set(Box::leak(Box::new(self.new_site().outcomes())))
    }
}
