//! Views: rules that change metrics before they are kept, by name.

use crate::metrics::site::Bounds;
use crate::model::{Text, glob, valid_tag_key};

/// A rule for the metrics whose name matches a pattern: another name, no metric at all, fewer tags, other buckets.
///
/// All rules whose pattern matches a metric's own name apply, in their order. They act where a series is made, so a metric
/// with fewer tags has fewer series, and recording costs the same as without.
///
/// ```
/// use telemetry_core::metrics::View;
/// use telemetry_core::{Collector, counter};
///
/// let collector = Collector::builder()
///     .view(View::new("http.*").without_tags(["user.id"]))
///     .view(View::new("http.requests").rename("http.server.requests"))
///     .start()?;
/// collector.scoped(|| counter("http.requests").with(&[("user.id", "7"), ("route", "/")]).inc());
/// let metrics = collector.snapshot();
/// assert_eq!(metrics.named("http.server.requests").next().unwrap().own_tags().to_string(), "route: /");
/// # Ok::<(), telemetry_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a view does nothing before `Builder::view`"]
pub struct View {
    pattern: Text,
    rename: Option<Text>,
    description: Option<Text>,
    is_dropped: bool,
    only_tags: Option<Vec<Text>>,
    without_tags: Vec<Text>,
    buckets: Option<Vec<f64>>,
    max_buckets: Option<usize>,
}

/// A histogram's exponential buckets span at most so many places unless a view says otherwise: 40 octaves at scale 3.
const MAX_BUCKETS: usize = 320;

impl View {
    /// For metrics whose name is like that: `*` stands for any text, `?` for one character.
    pub fn new(pattern: impl Into<Text>) -> Self {
        Self {
            pattern: pattern.into(),
            rename: None,
            description: None,
            is_dropped: false,
            only_tags: None,
            without_tags: Vec::new(),
            buckets: None,
            max_buckets: None,
        }
    }

    /// Under another name. The pattern must then be a whole name, for one metric.
    pub fn rename(mut self, name: impl Into<Text>) -> Self {
        self.rename = Some(name.into());
        self
    }

    /// With another description.
    pub fn description(mut self, text: impl Into<Text>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Not at all.
    pub fn drop(mut self) -> Self {
        self.is_dropped = true;
        self
    }

    /// With only these of its own tags; global ones stay.
    pub fn only_tags<T: Into<Text>>(mut self, keys: impl IntoIterator<Item = T>) -> Self {
        self.only_tags = Some(keys.into_iter().map(Into::into).collect());
        self
    }

    /// Without these of its own tags.
    pub fn without_tags<T: Into<Text>>(mut self, keys: impl IntoIterator<Item = T>) -> Self {
        self.without_tags.extend(keys.into_iter().map(Into::into));
        self
    }

    /// With the buckets that these upper bounds make, finite and ascending, at most 256; with exponential buckets where
    /// there are none.
    pub fn buckets(mut self, bounds: impl Into<Vec<f64>>) -> Self {
        self.buckets = Some(bounds.into());
        self
    }

    /// With exponential buckets that span at most so many places, at least 2: what is wider is exported at a coarser
    /// scale. 320 without a view.
    pub fn max_buckets(mut self, places: usize) -> Self {
        self.max_buckets = Some(places);
        self
    }

    /// What is wrong with it.
    pub(crate) fn check(&self) -> Result<(), String> {
        let wildcard = self.pattern.contains(['*', '?']);
        if let Some(name) = &self.rename {
            if wildcard {
                return Err(format!(
                    "many metrics can't have the one name `{name}`: only a whole name is renamed"
                ));
            }
            if !valid_tag_key(name) {
                return Err(format!("`{name}` is no metric name: letters, digits and `. - _ /` only"));
            }
        }
        let bounds = self.buckets.as_deref().unwrap_or_default();
        Bounds::new(bounds).map_err(|e| format!("its buckets {bounds:?} are refused: {e}"))?;
        Ok(())
    }

    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    fn takes_tag(&self, key: &str) -> bool {
        self.only_tags.as_ref().is_none_or(|only| only.iter().any(|k| k == key))
            && !self.without_tags.iter().any(|k| k == key)
    }
}

/// The rules of a collector.
#[derive(Debug, Default)]
pub(crate) struct Views(Vec<View>);

/// What the rules make of one metric.
#[derive(Default)]
pub(crate) struct Viewed<'a>(Vec<&'a View>);

impl Views {
    pub(crate) fn new(views: Vec<View>) -> Self {
        Self(views)
    }

    pub(crate) fn of(&self, name: &str) -> Viewed<'_> {
        Viewed(self.0.iter().filter(|view| glob::matches(&view.pattern, name)).collect())
    }
}

impl<'a> Viewed<'a> {
    pub(crate) fn name(&self) -> Option<&'a Text> {
        self.0.iter().rev().find_map(|view| view.rename.as_ref())
    }

    pub(crate) fn description(&self) -> Option<&'a Text> {
        self.0.iter().rev().find_map(|view| view.description.as_ref())
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.0.iter().any(|view| view.is_dropped)
    }

    pub(crate) fn takes_tag(&self, key: &str) -> bool {
        self.0.iter().all(|view| view.takes_tag(key))
    }

    pub(crate) fn buckets(&self) -> Option<&'a [f64]> {
        self.0.iter().rev().find_map(|view| view.buckets.as_deref())
    }

    pub(crate) fn max_buckets(&self) -> usize {
        self.0.iter().rev().find_map(|view| view.max_buckets).unwrap_or(MAX_BUCKETS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |view: View| view.check().unwrap_err();
        assert!(wrong(View::new("a.*").rename("b")).contains("many metrics can't have the one name `b`"));
        assert!(wrong(View::new("a").rename("b c")).contains("`b c` is no metric name"));
        assert!(
            wrong(View::new("a").buckets([2.0, 1.0])).contains("[2.0, 1.0] are refused: they must be finite")
        );
        assert!(View::new("a").rename("b").buckets([]).check().is_ok());
    }
}
