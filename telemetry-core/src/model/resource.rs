//! What all that one program exports has in common.

use super::{Tags, TagsError, Text};

/// The global tags: on every metric, event and span that leaves. `service.name` is always among them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Resource(Tags);

impl Resource {
    /// The tags, with `service.name` from `fallback` where they have none.
    pub fn new(mut tags: Tags, fallback: impl Into<Text>) -> Result<Self, TagsError> {
        if tags.get("service.name").is_none() {
            tags.insert("service.name", fallback)?;
        }
        Ok(Self(tags))
    }

    /// The tags, sorted by key.
    pub fn tags(&self) -> &Tags {
        &self.0
    }

    /// The tag `service.name`.
    pub fn service_name(&self) -> &str {
        self.0.get("service.name").unwrap_or_default()
    }
}
