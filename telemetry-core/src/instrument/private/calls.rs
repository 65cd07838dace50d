//! Calls that are counted: while they run, and by how they ended.

use std::sync::Arc;

use super::outcome::{ERROR_TYPE, Outcome, unfinished};
use crate::collector::{Engine, current};
use crate::instrument::route;
use crate::instrument::timer::{borrowed, owned};
use crate::metrics::Site;
use crate::model::Number;

/// A `main` with that attribute begins. Where nothing is there to take its call, whoever installs a collector says so.
pub fn main_begins(module: &'static str, attribute: &'static str) {
    current::expect_nothing_of_main(module, attribute);
}

/// Counts a call as long as it runs, for the collector that was current when it began.
#[derive(Debug)]
pub struct Active {
    site: &'static Site,
    engine: Option<Arc<Engine>>,
}

impl Active {
    pub fn start(site: &'static Site) -> Self {
        let engine = current::get();
        if let Some(engine) = &engine {
            route::add(Some(engine), site, Number::Int(1));
        }
        Self { site, engine }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(engine) = &self.engine {
            route::add(Some(engine), self.site, Number::Int(-1));
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
    engine: Option<Arc<Engine>>,
}

impl OutcomeCounter {
    pub fn start(sites: &'static [Site; 4], tags: &[(&str, &str)], value: impl Into<Number>) -> Self {
        let engine = current::get();
        let tags = owned(if engine.is_some() { tags } else { &[] });
        Self { sites, tags, value: Some(value.into()), engine }
    }

    pub fn end(&mut self, outcome: Outcome) {
        let (engine, site) = (self.engine.as_deref(), &self.sites[outcome as usize]);
        if let (Some(value), true) = (self.value.take(), engine.is_some()) {
            let tags = borrowed(&self.tags);
            if tags.is_empty() {
                route::add(engine, site, value);
            } else {
                route::add_with(engine, site, &tags, value);
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
