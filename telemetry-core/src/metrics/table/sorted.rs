//! What comes before what in a snapshot, and how two sorted lists become one.

use std::cmp::Ordering;

use crate::model::{Identity, Kind, Tags};

/// Names a metric whatever its levels are.
pub(super) type MetricKey<'a> = (&'a str, Kind, &'a Tags);

pub(super) fn key(id: &Identity) -> MetricKey<'_> {
    (&id.name, id.kind, &id.tags)
}

/// By name and kind: of the series of one metric none comes before another.
pub(super) fn compare_metrics(a: &Identity, b: &Identity) -> Ordering {
    (&*a.name, a.kind).cmp(&(&*b.name, b.kind))
}

/// By name, kind and tags, and then from the most verbose level to none.
pub(super) fn compare(a: &Identity, b: &Identity) -> Ordering {
    key(a).cmp(&key(b)).then_with(|| b.level.cmp(&a.level))
}

/// Gives to `put` what two sorted lists hold, in order, and whether it is one of the few. Of equal ones, these come first.
pub(super) fn interleave<T>(
    many: Vec<T>,
    few: Vec<T>,
    is_before: impl Fn(&T, &T) -> bool,
    mut put: impl FnMut(T, bool),
) {
    let mut many = many.into_iter();
    for one in few {
        let before = count_before(many.as_slice(), |other| is_before(other, &one));
        many.by_ref().take(before).for_each(|other| put(other, false));
        put(one, true);
    }
    many.for_each(|other| put(other, false));
}

/// How many of them, from the first on, are before something. It looks at the nearest ones first.
fn count_before<T>(sorted: &[T], is_before: impl Fn(&T) -> bool) -> usize {
    let mut end = 1;
    while end <= sorted.len() && is_before(&sorted[end - 1]) {
        end *= 2;
    }
    let start = end / 2;
    start + sorted[start..end.min(sorted.len())].partition_point(is_before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_ones_are_looked_at_first() {
        for len in 0..20 {
            let sorted: Vec<usize> = (0..len).collect();
            for before in 0..=len {
                let looked = std::cell::Cell::new(0);
                let is_before = |n: &usize| {
                    looked.set(looked.get() + 1);
                    *n < before
                };
                assert_eq!(count_before(&sorted, is_before), before);
                assert!(looked.get() <= 2 + 2 * before.checked_ilog2().unwrap_or(0) + 1, "{before} of {len}");
            }
        }
    }
}
