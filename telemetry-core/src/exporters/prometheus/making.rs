//! How a sheet is made: a snapshot comes in, and what can be taken over from an earlier sheet; what goes out is a sheet in which
//! all series have their place.

use std::sync::Arc;

use super::draft::Draft;
use super::form::{Dialect, Escaping};
use super::known::Known;
use super::labels::Labels;
use super::notices::Notices;
use super::settings::Settings;
use super::sheet::Sheet;
use super::target;
use crate::metrics::Snapshot;

/// The sheet for a snapshot.
pub(super) fn sheet(
    settings: &Settings,
    (dialect, escaping): (Dialect, Escaping),
    snapshot: &Snapshot,
    before: Option<&Sheet>,
    notices: &mut Notices,
) -> Sheet {
    let (metrics, resource) = (snapshot.metrics(), snapshot.resource());
    let mut names = Labels::new(settings.translation, escaping, dialect);
    let target = if settings.has_target_info { target::info(&mut names, resource) } else { Vec::new() };
    settings.common(resource).for_each(|common| names.add_common(common));
    let known = Known::new(before.filter(|before| before.resource == *resource), metrics);
    let mut draft = Draft::new(names, known, settings.max_bytes, notices);
    draft.add(metrics, settings.has_target_info);
    let (families, rows, labels, left_out) = draft.finish(metrics);
    let seen = metrics.iter().map(|metric| Arc::clone(&metric.identity)).collect();
    let (resource, has_created) = (Arc::clone(resource), settings.has_created);
    Sheet { dialect, escaping, has_created, resource, seen, target, families, rows, labels, left_out }
}
