//! Tags that measurements have from the spans that they are made in, where a layer was told so.
//!
//! A thread that is in such a span has no cells of its own meanwhile: its values go the way of all that is shared, and there they
//! are given the tags. So whoever wants none pays nothing, not even a look.

use std::cell::Cell;
use std::sync::OnceLock;

use crate::collector::Engine;
use crate::metrics::{CellKind, Site, page};

thread_local! {
    /// How many layers have such a span on this thread.
    static GIVING: Cell<u32> = const { Cell::new(0) };
}

/// Says which tags the spans give that this thread is in, of a layer that feeds that collector.
type Look = fn(collector: u64) -> Vec<(String, String)>;

static LOOK: OnceLock<Look> = OnceLock::new();

/// From now on `look` is asked where measurements are made in such spans.
pub fn look_for_tags(look: Look) {
    let _ = LOOK.set(look);
}

/// This thread is in a span that gives tags. Nothing where it is ending.
pub fn tags_begin() {
    let _ = GIVING.try_with(|giving| giving.set(giving.get() + 1));
    page::forget_current();
}

/// It is in no such span of the same layer any more.
pub fn tags_end() {
    let _ = GIVING.try_with(|giving| giving.set(giving.get().saturating_sub(1)));
}

/// Whether it may be.
pub(super) fn has_tags() -> bool {
    GIVING.try_with(Cell::get).unwrap_or_default() > 0
}

/// Runs `f` with the tags of a measurement and those that spans give it beside these. Only counts and distributions have such:
/// what is added to a sum in one span may be taken off it in another.
pub(super) fn with_tags(engine: &Engine, site: &Site, own: &[(&str, &str)], f: impl FnOnce(&[(&str, &str)])) {
    let takes = !matches!(site.kind, CellKind::UpDownCounter | CellKind::Gauge);
    let given = LOOK.get().filter(|_| takes).map(|look| look(engine.number())).unwrap_or_default();
    let mut tags = own.to_vec();
    for (key, value) in &given {
        let mut is_there = own.iter().any(|(own, _)| own == key);
        site.each_tag(|own, _| is_there |= own == key);
        if !is_there {
            tags.push((key, value));
        }
    }
    f(&tags);
}
