//! What stays the same from one page to the next: which families there are, what stands before their series, and how labels of
//! which keys are written. Of single series it knows nothing.

use std::sync::Arc;

use super::families::Families;
use super::form::{Dialect, Escaping};
use super::labels::Labels;
use super::settings::Settings;
use super::target;
use crate::model::Resource;

/// One for each way in which names are written.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) dialect: Dialect,
    pub(super) escaping: Escaping,
    pub(super) has_created: bool,
    resource: Arc<Resource>,
    /// The metric whose labels are the attributes of the resource, whole.
    pub(super) target: Vec<u8>,
    pub(super) labels: Labels,
    pub(super) families: Families,
}

impl Sheet {
    pub(super) fn new(
        settings: &Settings,
        (dialect, escaping): (Dialect, Escaping),
        resource: &Arc<Resource>,
    ) -> Self {
        let mut labels = Labels::new(settings.translation, escaping, dialect);
        let has_target = settings.has_target_info;
        let target = if has_target { target::info(&mut labels, resource) } else { Vec::new() };
        settings.common(resource).for_each(|common| labels.add_common(common));
        let (families, has_created) = (Families::new(dialect, has_target), settings.has_created);
        Self { dialect, escaping, has_created, resource: Arc::clone(resource), target, labels, families }
    }

    /// Whether it is for what was measured there.
    pub(super) fn is_of(&self, resource: &Arc<Resource>) -> bool {
        Arc::ptr_eq(&self.resource, resource) || self.resource == *resource
    }

    /// A page begins.
    pub(super) fn begin(&mut self) {
        let are_plans_gone = self.labels.forget_plans();
        self.families.begin(are_plans_gone);
    }
}
