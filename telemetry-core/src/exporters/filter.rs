//! Which items an exporter is given.

use std::collections::HashMap;

use tracing_core::callsite::Identifier;
use tracing_core::{Level, Metadata};

use super::batch::{Batch, Item};
use super::item::{EventRef, SpanRef};
use super::signal::Signal;
use crate::metrics::MetricRef;
use crate::model::{Resource, Text, ValueRef, glob};

/// Which items an exporter is given. All that is said of it has to hold; of a list, one of its entries.
///
/// Items that it leaves out are counted as filtered. A span whose parent is left out keeps its `parent_span_id`.
///
/// ```
/// use telemetry_core::exporters::{Discard, Filter, Route};
/// use telemetry_core::{Collector, Level, Signal};
///
/// let alerts = Filter::new().min_level(Level::WARN).signals([Signal::Events]);
/// let shop = Filter::new().names(["shop.*"]).tag("env", "prod*");
/// let collector = Collector::builder()
///     .exporter(Route::new(Discard::new()).only(alerts))
///     .exporter(Route::new(Discard::new()).only(shop))
///     .start()?;
/// # drop(collector);
/// # Ok::<(), telemetry_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it does nothing before a route has it"]
pub struct Filter {
    min_level: Option<Level>,
    levels: Option<Vec<Level>>,
    signals: Option<Vec<Signal>>,
    names: Option<Vec<Text>>,
    tags: Vec<(Text, Text)>,
}

impl Filter {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this level and more severe. A metric without a level passes.
    pub fn min_level(mut self, level: Level) -> Self {
        self.min_level = Some(level);
        self
    }

    /// Of one of these levels. A metric without a level passes.
    pub fn levels(mut self, levels: impl IntoIterator<Item = Level>) -> Self {
        self.levels = Some(levels.into_iter().collect());
        self
    }

    /// Of one of these signals.
    pub fn signals(mut self, signals: impl IntoIterator<Item = Signal>) -> Self {
        self.signals = Some(signals.into_iter().collect());
        self
    }

    /// With a name like one of these patterns, in which `*` is any text and `?` any character. Most events have no name of
    /// their own: then it is their target.
    pub fn names(mut self, patterns: impl IntoIterator<Item = impl Into<Text>>) -> Self {
        self.names = Some(patterns.into_iter().map(Into::into).collect());
        self
    }

    /// With that tag, whose value is like the pattern: of its own, of the collector or, of spans and events, a field of that
    /// name that is a text. More of them have to hold all.
    pub fn tag(mut self, key: impl Into<Text>, pattern: impl Into<Text>) -> Self {
        self.tags.push((key.into(), pattern.into()));
        self
    }

    /// Whether it lets all pass.
    pub(crate) fn is_open(&self) -> bool {
        let Self { min_level, levels, signals, names, tags } = self;
        min_level.is_none() && levels.is_none() && signals.is_none() && names.is_none() && tags.is_empty()
    }

    /// Whether it looks at levels.
    pub(crate) fn has_levels(&self) -> bool {
        self.min_level.is_some() || self.levels.is_some()
    }

    /// Whether another one looks at levels in the same way.
    pub(crate) fn has_same_levels(&self, other: &Self) -> bool {
        (&self.min_level, &self.levels) == (&other.min_level, &other.levels)
    }

    pub(crate) fn takes_signal(&self, signal: Signal) -> bool {
        self.signals.as_ref().is_none_or(|signals| signals.contains(&signal))
    }

    pub(crate) fn takes_level(&self, level: Option<Level>) -> bool {
        let Some(level) = level else { return true };
        self.min_level.is_none_or(|min| level <= min)
            && self.levels.as_ref().is_none_or(|levels| levels.contains(&level))
    }

    pub(crate) fn takes_metric(&self, metric: &MetricRef<'_>, resource: &Resource) -> bool {
        self.takes_level(metric.level())
            && self.takes_name(metric.name())
            && self.takes_tags(resource, |key| metric.own_tags().get(key))
    }

    fn takes_name(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.iter().any(|pattern| glob::matches(pattern, name)))
    }

    fn takes_tags<'a>(&self, resource: &Resource, own: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.tags.iter().all(|(key, pattern)| {
            let value = own(key).or_else(|| resource.tags().get(key));
            value.is_some_and(|value| glob::matches(pattern, value))
        })
    }
}

/// A filter at work: it remembers what it decided of a call site.
#[derive(Debug)]
pub(crate) struct Sieve {
    filter: Filter,
    of_site: HashMap<Identifier, bool>,
    last: Option<(Identifier, bool)>,
}

/// What of an item mostly is its call site's.
#[derive(Clone, Copy)]
struct Site<'a> {
    meta: Option<&'static Metadata<'static>>,
    level: Level,
    name: &'a str,
    /// The name is that of the call site.
    is_static: bool,
}

impl Sieve {
    pub(crate) fn new(filter: Filter) -> Self {
        Self { filter, of_site: HashMap::new(), last: None }
    }

    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What it leaves of a batch.
    pub(crate) fn sift(&mut self, batch: &Batch) -> Batch {
        if self.filter.is_open() {
            return batch.clone();
        }
        let resource = batch.resource();
        batch.filter(|item| match item {
            Item::Span(span) => self.takes_span(&span, resource),
            Item::Event(event) => self.takes_event(&event, resource),
            Item::Metric(metric) => self.filter.takes_metric(&metric, resource),
        })
    }

    fn takes_span(&mut self, span: &SpanRef<'_>, resource: &Resource) -> bool {
        let site = span.call_site();
        let is_static = site.is_some_and(|site| std::ptr::eq(site.name(), span.name()));
        let site = Site { meta: site, level: span.level(), name: span.name(), is_static };
        self.takes_site(site) && self.filter.takes_tags(resource, |key| text(span.field(key)))
    }

    fn takes_event(&mut self, event: &EventRef<'_>, resource: &Resource) -> bool {
        let site = event.call_site();
        let name = if event.name().is_empty() { event.target() } else { event.name() };
        let site = Site { meta: site, level: event.level(), name, is_static: site.is_some() };
        self.takes_site(site) && self.filter.takes_tags(resource, |key| text(event.field(key)))
    }

    /// By level and name, which for most is the same for all of a call site.
    fn takes_site(&mut self, item: Site<'_>) -> bool {
        let decide = |filter: &Filter| filter.takes_level(Some(item.level)) && filter.takes_name(item.name);
        let Some(site) = item.meta.filter(|_| item.is_static) else { return decide(&self.filter) };
        let site = site.callsite();
        if let Some((last, takes)) = &self.last
            && *last == site
        {
            return *takes;
        }
        let takes = *self.of_site.entry(site.clone()).or_insert_with(|| decide(&self.filter));
        self.last = Some((site, takes));
        takes
    }
}

fn text(value: Option<ValueRef<'_>>) -> Option<&str> {
    if let Some(ValueRef::Str(text)) = value { Some(text) } else { None }
}
