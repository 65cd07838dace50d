//! The way of a value: into this thread's own cell where there is one, else into the shared cell of its series.
//!
//! Values come in with their site, and with the collector that a handle is bound to, if it is; without, the current one
//! takes them.

use super::inherited;
use crate::collector::{Engine, current};
use crate::metrics::{CellKind, Site, page};
use crate::model::Number;

/// Adds to this thread's own cell where it can: whole numbers, from 0 up for sums that only grow. All whole numbers
/// of one series go the same way, so that a snapshot does not see one of a pair and miss the other.
#[inline]
pub(super) fn add(bound: Option<&Engine>, site: &Site, value: Number) {
    if !page::is_any() {
        return;
    }
    match value {
        Number::Int(n)
            if (n > 0 || site.kind == CellKind::UpDownCounter)
                && page::add(bound.map(Engine::number), site, n) => {}
        value => add_rest(bound, site, value),
    }
}

/// A 0, which a thread's own cell takes too, and what is to be shared.
#[cold]
fn add_rest(bound: Option<&Engine>, site: &Site, value: Number) {
    match value {
        Number::Int(0) if page::add(bound.map(Engine::number), site, 0) => {}
        value => share(bound, site, value),
    }
}

/// Records in this thread's own histogram where it can.
#[inline]
pub(super) fn observe(bound: Option<&Engine>, site: &Site, value: Number) {
    let x = value.as_f64();
    if !(x.is_finite() && page::record(bound.map(Engine::number), site, x)) && page::is_any() {
        share(bound, site, value);
    }
}

pub(super) fn add_with(bound: Option<&Engine>, site: &Site, tags: &[(&str, &str)], value: Number) {
    let own = |n| page::with_tagged(bound.map(Engine::number), site, tags, |cell| cell.add(n));
    match value {
        Number::Int(n) if (n >= 0 || site.kind == CellKind::UpDownCounter) && own(n) => {}
        value if page::is_any() => share_with(bound, site, tags, value),
        _ => {}
    }
}

/// A value of a histogram, with tags that may be none.
pub(super) fn observe_tagged(bound: Option<&Engine>, site: &Site, tags: &[(&str, &str)], value: Number) {
    if tags.is_empty() {
        observe(bound, site, value);
    } else {
        observe_with(bound, site, tags, value);
    }
}

pub(super) fn observe_with(bound: Option<&Engine>, site: &Site, tags: &[(&str, &str)], value: Number) {
    let x = value.as_f64();
    let own = || page::with_tagged(bound.map(Engine::number), site, tags, |cell| cell.record(x));
    if !(x.is_finite() && own()) && page::is_any() {
        share_with(bound, site, tags, value);
    }
}

#[cold]
fn share_with(bound: Option<&Engine>, site: &Site, tags: &[(&str, &str)], value: Number) {
    if inherited::has_tags() {
        return share_in_span(bound, site, tags, value);
    }
    attach(bound, site, true);
    with_engine(bound, |engine| engine.table().record_tagged(site, tags, value));
}

/// Makes this thread's page in the current collector the one that it records in, if the value is for that collector.
fn attach(bound: Option<&Engine>, site: &Site, is_tagged: bool) {
    current::with(|engine| {
        if bound.is_none_or(|bound| std::ptr::eq(bound, engine)) {
            engine.table().attach(site, is_tagged);
        }
    });
}

/// Takes a value into the shared cell, and sees to it that the next one finds a cell of this thread's own.
#[cold]
fn share(bound: Option<&Engine>, site: &Site, value: Number) {
    if inherited::has_tags() {
        return share_in_span(bound, site, &[], value);
    }
    attach(bound, site, false);
    with_engine(bound, |engine| engine.table().record(site, &[], value));
}

/// In a span that may give it tags: the thread does without cells of its own there.
fn share_in_span(bound: Option<&Engine>, site: &Site, tags: &[(&str, &str)], value: Number) {
    with_engine(bound, |engine| {
        inherited::with_tags(engine, site, tags, |tags| match tags {
            [] => engine.table().record(site, tags, value),
            tags => engine.table().record_tagged(site, tags, value),
        });
    });
}

#[inline]
pub(super) fn with_engine(bound: Option<&Engine>, f: impl FnOnce(&Engine)) {
    match bound {
        Some(engine) if engine.is_enabled() => f(engine),
        Some(_) => {}
        None => current::with(f),
    }
}
