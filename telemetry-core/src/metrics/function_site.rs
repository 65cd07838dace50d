//! By what annotated functions are measured whose metric nobody gave a name or anything else: the compiler keeps as
//! little as there can be, and the sites are made when they are first asked for.

use std::panic::Location;
use std::sync::OnceLock;

use super::site::{CellKind, Site};

/// What is known of a function before it is measured.
#[derive(Debug)]
pub struct FunctionSite {
    kind: CellKind,
    has_outcomes: bool,
    module: &'static str,
    name: &'static str,
    place: &'static Location<'static>,
    sites: OnceLock<Sites>,
}

#[derive(Clone, Copy, Debug)]
enum Sites {
    One(&'static Site),
    /// One for each way in which a call can end.
    Outcomes(&'static [Site; 4]),
}

impl FunctionSite {
    #[track_caller]
    const fn new(kind: CellKind, module: &'static str, name: &'static str, has_outcomes: bool) -> Self {
        Self { kind, has_outcomes, module, name, place: Location::caller(), sites: OnceLock::new() }
    }

    /// How long it takes.
    #[track_caller]
    pub const fn timed(module: &'static str, name: &'static str) -> Self {
        Self::new(CellKind::Histogram, module, name, false)
    }

    /// The same for each way in which a call can end.
    #[track_caller]
    pub const fn timed_by_outcome(module: &'static str, name: &'static str) -> Self {
        Self::new(CellKind::Histogram, module, name, true)
    }

    /// How often it is called.
    #[track_caller]
    pub const fn counted(module: &'static str, name: &'static str) -> Self {
        Self::new(CellKind::Counter, module, name, false)
    }

    /// The same for each way in which a call can end.
    #[track_caller]
    pub const fn counted_by_outcome(module: &'static str, name: &'static str) -> Self {
        Self::new(CellKind::Counter, module, name, true)
    }

    /// How many of its calls run.
    #[track_caller]
    pub const fn active(module: &'static str, name: &'static str) -> Self {
        Self::new(CellKind::UpDownCounter, module, name, false)
    }

    /// Its site.
    #[inline]
    pub fn site(&'static self) -> &'static Site {
        match self.sites() {
            Sites::One(site) => site,
            Sites::Outcomes([first, ..]) => first,
        }
    }

    /// Its sites, of one that has them by outcome.
    #[inline]
    pub fn outcomes(&'static self) -> &'static [Site; 4] {
        match self.sites() {
            Sites::Outcomes(sites) => sites,
            Sites::One(_) => unreachable!("it is not measured by outcome"),
        }
    }

    /// All of them.
    #[cfg(feature = "catalogue")]
    pub(super) fn all(&'static self) -> &'static [Site] {
        match self.sites() {
            Sites::One(site) => std::slice::from_ref(site),
            Sites::Outcomes(sites) => sites,
        }
    }

    #[inline]
    fn sites(&'static self) -> Sites {
        self.sites.get().copied().unwrap_or_else(|| self.make())
    }

    #[cold]
    fn make(&'static self) -> Sites {
        let site = Site::of_function(self.kind, self.module, self.name, self.place);
        let made = if self.has_outcomes {
            Sites::Outcomes(Box::leak(Box::new(site.outcomes())))
        } else {
            Sites::One(Box::leak(Box::new(site)))
        };
        // Made outside: an allocator may be what is measured.
        let _ = self.sites.set(made);
        self.sites.get().copied().unwrap_or(made)
    }
}
