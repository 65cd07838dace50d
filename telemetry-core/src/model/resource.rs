//! What all that one program exports has in common.

use super::{Tags, TagsError, Text, Value, ValueRef, cut};

/// What a program is and where it runs: the global tags, which are on every metric, event and span that leaves, and
/// attributes that only exporters with a place for them send (OTLP, `file:`). `service.name` is always among the tags.
/// With serde it is its tags alone.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Resource {
    tags: Tags,
    /// Beside the tags, each key once.
    #[cfg_attr(feature = "serde", serde(skip))]
    others: Vec<(Text, Value)>,
}

impl Resource {
    /// The tags, with `service.name` from `fallback` where they have none.
    pub fn new(mut tags: Tags, fallback: impl Into<Text>) -> Result<Self, TagsError> {
        if tags.get("service.name").is_none() {
            tags.insert("service.name", fallback)?;
        }
        Ok(Self { tags, others: Vec::new() })
    }

    /// Adds attributes that are no tags; texts are cut as those of tags are. A key that is there already keeps its value; of one
    /// that comes twice here, the last value counts.
    #[must_use]
    pub fn with_attributes(mut self, pairs: impl IntoIterator<Item = (Text, Value)>) -> Self {
        let before = self.others.len();
        for (key, value) in pairs {
            let key = cut::kept_name(key);
            let value = match value {
                Value::Str(text) => Value::Str(cut::kept_name(text.into()).into_owned()),
                value => value,
            };
            match self.others.iter().position(|(other, _)| *other == key) {
                Some(at) if at < before => {}
                Some(at) => self.others[at].1 = value,
                None => self.others.push((key, value)),
            }
        }
        self
    }

    /// The same with these tags, which win over its own.
    pub(crate) fn with_tags(&self, tags: &Tags) -> Self {
        Self { tags: tags.or(&self.tags), others: self.others.clone() }
    }

    /// The tags, sorted by key.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// All there is: the tags, and then the attributes that are no tags. A tag wins over an attribute of the same key.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, ValueRef<'_>)> {
        let tags = self.tags.iter().map(|(key, value)| (key, ValueRef::Str(value)));
        let others = self.others.iter().filter(|(key, _)| self.tags.get(key).is_none());
        tags.chain(others.map(|(key, value)| (&**key, value.as_ref())))
    }

    /// The tag `service.name`.
    pub fn service_name(&self) -> &str {
        self.tags.get("service.name").unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_attributes_that_come_twice_at_once_the_last_counts() {
        let number = |n| ("a".into(), Value::U64(n));
        let resource = Resource::new(Tags::new(), "shop").unwrap().with_attributes([number(1), number(2)]);
        let all: Vec<_> = resource.with_attributes([number(3), number(4)]).others;
        assert_eq!(all, [number(2)]);
    }

    #[test]
    fn tags_win_and_of_attributes_the_first() {
        let text = |key: &'static str, value: &str| (Text::from(key), Value::Str(value.to_owned()));
        let resource = Resource::new(Tags::parse("env: prod, host.name: till").unwrap(), "shop").unwrap();
        let resource = resource
            .with_attributes([text("os.type", "linux"), text("host.name", "detected")])
            .with_attributes([text("os.type", "windows"), ("process.pid".into(), Value::U64(7))])
            .with_tags(&Tags::parse("env: test").unwrap());
        let all: Vec<_> = resource.attributes().collect();
        let tags = [("env", "test"), ("host.name", "till"), ("service.name", "shop"), ("os.type", "linux")];
        assert_eq!(all[..4], tags.map(|(key, value)| (key, ValueRef::Str(value))));
        assert_eq!(all[4..], [("process.pid", ValueRef::U64(7))]);
        assert_eq!(resource.tags().len(), 3);
    }
}
