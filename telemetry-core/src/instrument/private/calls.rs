//! Calls that are counted: while they run, and by how they ended.

use std::sync::Arc;

use super::outcome::{ERROR_TYPE, Outcome, unfinished};
use crate::collector::{Core, current};
use crate::instrument::route;
use crate::instrument::timer::{borrowed, owned};
use crate::metrics::Site;
use crate::model::Number;

/// Counts a call as long as it runs, for the collector that was current when it began.
#[derive(Debug)]
pub struct Active {
    site: &'static Site,
    core: Option<Arc<Core>>,
}

impl Active {
    pub fn start(site: &'static Site) -> Self {
        let core = current::get();
        if let Some(core) = &core {
            route::add(Some(core), site, Number::Int(1));
        }
        Self { site, core }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(core) = &self.core {
            route::add(Some(core), self.site, Number::Int(-1));
        }
    }
}

/// Counts a call when it is over, with a series for each outcome.
#[derive(Debug)]
pub struct OutcomeCounter {
    sites: &'static [Site; 4],
    tags: Vec<(String, String)>,
    /// None once it is counted.
    value: Option<Number>,
    core: Option<Arc<Core>>,
}

impl OutcomeCounter {
    pub fn start(sites: &'static [Site; 4], tags: &[(&str, &str)], value: impl Into<Number>) -> Self {
        let core = current::get();
        let tags = owned(if core.is_some() { tags } else { &[] });
        Self { sites, tags, value: Some(value.into()), core }
    }

    pub fn end(&mut self, outcome: Outcome) {
        let (core, site) = (self.core.as_deref(), &self.sites[outcome as usize]);
        if let (Some(value), true) = (self.value.take(), core.is_some()) {
            let tags = borrowed(&self.tags);
            if tags.is_empty() {
                route::add(core, site, value);
            } else {
                route::add_with(core, site, &tags, value);
            }
        }
    }

    pub fn end_with(&mut self, outcome: Outcome, error_type: Option<String>) {
        self.tags.extend(error_type.map(|kind| (ERROR_TYPE.to_owned(), kind)));
        self.end(outcome);
    }
}

impl Drop for OutcomeCounter {
    fn drop(&mut self) {
        if self.value.is_some() {
            self.end(unfinished());
        }
    }
}
