//! What all instruments share: what is measured, and for whom.

use std::sync::Arc;

use super::route;
use crate::collector::{Engine, current};
use crate::diagnostics::warn_once;
use crate::metrics::{CellKind, Site};
use crate::model::{Number, Text};

/// The site of a handle.
#[derive(Clone, Debug)]
pub(super) enum SiteRef {
    Static(&'static Site),
    Owned(Arc<Site>),
}

impl std::ops::Deref for SiteRef {
    type Target = Site;

    fn deref(&self) -> &Site {
        match self {
            Self::Static(site) => site,
            Self::Owned(site) => site,
        }
    }
}

/// What all instruments share.
#[derive(Clone, Debug)]
pub(super) struct Instrument {
    pub(super) site: SiteRef,
    pub(super) bound: Option<Arc<Engine>>,
}

impl Instrument {
    #[track_caller]
    pub(super) fn new(kind: CellKind, name: Text, unit: &'static str, bound: Option<Arc<Engine>>) -> Self {
        let place = std::panic::Location::caller();
        Self { site: SiteRef::Owned(Arc::new(Site::owned(kind, name, unit, place))), bound }
    }

    pub(super) fn change(self, change: impl FnOnce(&mut Site)) -> Self {
        let mut site = self.site.copy();
        change(&mut site);
        Self { site: SiteRef::Owned(Arc::new(site)), bound: self.bound }
    }

    pub(super) fn tag(self, key: Text, value: Text) -> Self {
        self.change(|site| {
            if let Err(e) = site.add_tag(key, value) {
                warn_once(format_args!("metric `{}`: {e}; it is left out", site.name()));
            }
        })
    }

    fn with_engine(&self, f: impl FnOnce(&Engine)) {
        route::with_engine(self.bound.as_deref(), f);
    }

    /// A value that no thread keeps for itself.
    pub(super) fn record(&self, tags: &[(&str, &str)], value: Number) {
        self.with_engine(|engine| engine.table().record(&self.site, tags, value));
    }

    /// A value of a sum, with tags known only now.
    pub(super) fn add_with(&self, tags: &[(&str, &str)], value: Number) {
        route::add_with(self.bound.as_deref(), &self.site, tags, value);
    }

    /// A value of a histogram, with tags known only now.
    pub(super) fn observe_with(&self, tags: &[(&str, &str)], value: Number) {
        route::observe_with(self.bound.as_deref(), &self.site, tags, value);
    }

    pub(super) fn observe_by(&self, read: impl Fn() -> Number + Send + Sync + 'static) {
        // Not inside of `current::with`: what an earlier `read` had captured goes now, and may do anything.
        let engine = self.bound.clone().or_else(current::get).filter(|engine| engine.is_enabled());
        if let Some(engine) = engine {
            engine.table().observe(&self.site, read);
        }
    }

    /// Buckets with these upper bounds.
    pub(super) fn buckets(self, bounds: &[f64]) -> Self {
        self.change(|site| match Site::keep_bounds(bounds) {
            Ok(kept) => site.bounds = kept,
            Err(e) => warn_once(format_args!(
                "metric `{}`: the buckets {bounds:?} are refused: {e}; it has exponential ones",
                site.name()
            )),
        })
    }

    /// A value of a sum.
    #[inline]
    pub(super) fn add(&self, value: Number) {
        route::add(self.bound.as_deref(), &self.site, value);
    }

    /// A value of a histogram.
    #[inline]
    pub(super) fn observe(&self, value: Number) {
        route::observe(self.bound.as_deref(), &self.site, value);
    }
}
