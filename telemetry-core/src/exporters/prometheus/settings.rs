//! What a page shows.

use super::Translation;
use super::labels::Common;
use crate::model::{Resource, Text, glob};

/// What metrics were measured with; nothing else of it is known.
const SCOPE: &str = "telemetry";

/// What whoever makes a page says of it.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) translation: Translation,
    pub(super) has_scope: bool,
    pub(super) has_target_info: bool,
    pub(super) has_created: bool,
    /// Patterns of the keys of resource attributes that are labels of each series.
    pub(super) resource_labels: Vec<Text>,
    pub(super) max_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            translation: Translation::default(),
            has_scope: true,
            has_target_info: true,
            has_created: true,
            resource_labels: Vec::new(),
            max_bytes: 64 << 20,
        }
    }
}

impl Settings {
    /// The labels that all series have.
    pub(super) fn common(&self, resource: &Resource) -> impl Iterator<Item = Common> {
        let scope = self.has_scope.then(|| Common::new("otel_scope_name", SCOPE.to_owned(), false));
        let is_wanted = |key: &str| self.resource_labels.iter().any(|pattern| glob::matches(pattern, key));
        let wanted = resource.attributes().filter(move |(key, _)| is_wanted(key));
        let resource = wanted.map(|(key, value)| Common::new(key, value.to_string(), true));
        scope.into_iter().chain(resource)
    }
}
