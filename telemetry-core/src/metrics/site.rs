//! What a call site or a handle measures: its name, kind, unit and tags, said once. No values are kept here.

mod bounds;
mod function;
mod kind;
mod number;
mod span;

pub(crate) use bounds::{Bounds, MOST_BOUNDS, hold as hold_bounds};
pub use function::FunctionSite;
pub use kind::CellKind;
pub(crate) use number::{MAX_NUMBER, hold as hold_numbers};
pub use span::SpanSite;

use std::panic::Location;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;

use tracing_core::Level;

use crate::model::{Tags, TagsError, Text, cut};

/// What is measured, and a dense number by which every collector finds its series without a look at names.
///
/// A macro keeps its site in a `static`; a handle made from code owns one.
#[derive(Debug)]
#[must_use = "a site is what values are recorded by"]
pub struct Site {
    pub(crate) kind: CellKind,
    pub(crate) name: Text,
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
    pub(crate) level: Option<Level>,
    /// The function whose calls it measures, where nobody named the metric.
    function: Option<FunctionPath>,
    /// How those of its calls ended that it measures; empty for all.
    outcome: &'static str,
    tags: SiteTags,
    /// Upper bounds of a histogram's buckets; without, they are exponential.
    pub(crate) bounds: &'static [f64],
    /// Of a timer: its measurements are seen while they run.
    pub(crate) is_long_task: bool,
    /// It has tags that are known only when it is recorded.
    pub(super) is_tagged_later: bool,
    /// Where it stands in the source; empty where nobody knows.
    pub(super) file: &'static str,
    pub(super) line: u32,
    /// [`UNKNOWN`] until first used.
    number: AtomicU32,
}

/// Put together when it is first read, at no cost to the compiler.
#[derive(Clone, Debug)]
struct FunctionPath {
    module: &'static str,
    name: &'static str,
    path: OnceLock<Box<str>>,
    /// Where spans of its calls begin.
    span: OnceLock<&'static SpanSite>,
}

impl FunctionPath {
    const fn new(module: &'static str, name: &'static str) -> Self {
        Self { module, name, path: OnceLock::new(), span: OnceLock::new() }
    }

    fn path(&self) -> &str {
        if self.path.get().is_none() {
            // Put together outside: an allocator may be what is measured.
            let path = format!("{}::{}", self.module, self.name).into();
            let _ = self.path.set(path);
        }
        self.path.get().map_or("", |path| path)
    }
}

#[derive(Clone, Debug)]
enum SiteTags {
    Static(&'static [(&'static str, &'static str)]),
    Owned(Tags),
}

/// Its number before it was first used.
const UNKNOWN: u32 = 0;
/// That of a site which has none, and is found by name.
const UNNUMBERED: u32 = u32::MAX;

const FUNCTION: &str = "code.function.name";

impl Site {
    /// A site without unit, description and level.
    pub const fn new(
        kind: CellKind,
        name: &'static str,
        tags: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self::made(kind, name, "", None, tags, None)
    }

    /// All that differs, at once: what is changed later the compiler copies at each step.
    const fn made(
        kind: CellKind,
        name: &'static str,
        unit: &'static str,
        function: Option<FunctionPath>,
        tags: &'static [(&'static str, &'static str)],
        place: Option<&'static Location<'static>>,
    ) -> Self {
        let (file, line) = match place {
            Some(place) => (place.file(), place.line()),
            None => ("", 0),
        };
        Self {
            kind,
            name: Text::Borrowed(name),
            unit,
            description: "",
            level: None,
            function,
            outcome: "",
            tags: SiteTags::Static(tags),
            bounds: &[],
            is_long_task: false,
            is_tagged_later: false,
            file,
            line,
            number: AtomicU32::new(UNKNOWN),
        }
    }

    /// The same for the place in the source that calls this.
    #[track_caller]
    pub const fn here(
        kind: CellKind,
        name: &'static str,
        tags: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self::made(kind, name, "", None, tags, Some(Location::caller()))
    }

    /// The same for a histogram of seconds.
    #[track_caller]
    pub const fn timer(name: &'static str, tags: &'static [(&'static str, &'static str)]) -> Self {
        Self::made(CellKind::Histogram, name, "s", None, tags, Some(Location::caller()))
    }

    /// For the calls of a function.
    pub(super) const fn of_function(
        kind: CellKind,
        module: &'static str,
        name: &'static str,
        place: &'static Location<'static>,
    ) -> Self {
        let (metric, unit) = match kind {
            CellKind::Histogram => ("function.duration", "s"),
            CellKind::UpDownCounter => ("function.active", ""),
            _ => ("function.calls", ""),
        };
        Self::made(kind, metric, unit, Some(FunctionPath::new(module, name)), &[], Some(place))
    }

    /// How long a function takes.
    #[track_caller]
    pub const fn timed(module: &'static str, name: &'static str) -> Self {
        Self::of_function(CellKind::Histogram, module, name, Location::caller())
    }

    /// How often it is called.
    #[track_caller]
    pub const fn counted(module: &'static str, name: &'static str) -> Self {
        Self::of_function(CellKind::Counter, module, name, Location::caller())
    }

    /// How many of its calls run.
    #[track_caller]
    pub const fn active(module: &'static str, name: &'static str) -> Self {
        Self::of_function(CellKind::UpDownCounter, module, name, Location::caller())
    }

    /// The same with these tags and no others.
    pub const fn tags(mut self, tags: &'static [(&'static str, &'static str)]) -> Self {
        if let SiteTags::Static(own) = &mut self.tags {
            *own = tags;
        }
        self
    }

    /// One for each way in which a call can end.
    pub const fn outcomes(self) -> [Self; 4] {
        let all = [self.ended("ok"), self.ended("error"), self.ended("panic"), self.ended("cancelled")];
        // Nothing in a static has to be dropped.
        std::mem::forget(self);
        all
    }

    const fn ended(&self, outcome: &'static str) -> Self {
        let (Text::Borrowed(name), SiteTags::Static(tags)) = (&self.name, &self.tags) else {
            panic!("it is no static")
        };
        let function = match &self.function {
            Some(FunctionPath { module, name, .. }) => Some(FunctionPath::new(module, name)),
            None => None,
        };
        let mut ended = self.like(Text::Borrowed(name), function, SiteTags::Static(tags));
        ended.outcome = outcome;
        ended
    }

    /// The same but for these and its number.
    const fn like(&self, name: Text, function: Option<FunctionPath>, tags: SiteTags) -> Self {
        let &Self { kind, unit, description, level, outcome, bounds, is_long_task, is_tagged_later, .. } =
            self;
        Self {
            kind,
            name,
            unit,
            description,
            level,
            function,
            outcome,
            tags,
            bounds,
            is_long_task,
            is_tagged_later,
            file: self.file,
            line: self.line,
            number: AtomicU32::new(UNKNOWN),
        }
    }

    /// The same with more tags, which are known only when it is recorded.
    pub const fn tagged_later(mut self) -> Self {
        self.is_tagged_later = true;
        self
    }

    /// For a handle.
    pub(crate) fn owned(
        kind: CellKind,
        name: Text,
        unit: &'static str,
        place: &'static Location<'static>,
    ) -> Self {
        let mut site = Self::new(kind, "", &[]).unit(unit).at(place.file(), place.line());
        (site.name, site.tags) = (cut::kept_name(name), SiteTags::Owned(Tags::new()));
        site
    }

    /// The same with that unit, in UCUM.
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// The same with that description.
    pub const fn description(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// The same with buckets that have these upper bounds, finite and ascending.
    pub const fn buckets(mut self, bounds: &'static [f64]) -> Self {
        self.bounds = bounds;
        self
    }

    /// These upper bounds, checked, for a site that is made from code.
    pub(crate) fn keep_bounds(bounds: &[f64]) -> Result<&'static [f64], impl std::fmt::Display> {
        Bounds::new(bounds).map(|bounds| bounds.map_or(&[][..], |bounds| bounds.list))
    }

    /// The same with its place in the source.
    pub(crate) const fn at(mut self, file: &'static str, line: u32) -> Self {
        (self.file, self.line) = (file, line);
        self
    }

    /// The same at that level.
    pub const fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// The same without a number, found by name each time: for a site that is made for one measurement.
    pub(crate) fn unnumbered(mut self) -> Self {
        self.number = AtomicU32::new(UNNUMBERED);
        self
    }

    /// Where spans of the calls begin that it measures, if it is for those of a function: with the function's name, at
    /// its level, and with a field for their status where there is a site for each outcome.
    #[inline]
    pub fn span(&self) -> Option<&'static SpanSite> {
        let function = self.function.as_ref()?;
        function.span.get().copied().or_else(|| self.make_span(function))
    }

    #[cold]
    fn make_span(&self, function: &FunctionPath) -> Option<&'static SpanSite> {
        const FIELDS: &[&str] = &["telemetry.timed", "otel.status_code"];
        let fields = if self.outcome.is_empty() { &FIELDS[..1] } else { FIELDS };
        // Methods are measured by the name of their type too.
        let name = function.name.rsplit("::").next().unwrap_or(function.name);
        let level = self.level.unwrap_or(Level::INFO);
        let site = SpanSite::at(function.module, name, level, fields, self.file, self.line);
        // Made outside: an allocator may be what is measured.
        let _ = function.span.set(Box::leak(Box::new(site)));
        function.span.get().copied()
    }

    /// What is measured.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `file:line`, where it is known.
    pub(crate) fn place(&self) -> String {
        if self.file.is_empty() {
            "an unknown place".to_owned()
        } else {
            format!("{}:{}", self.file, self.line)
        }
    }

    /// Whether it is one of many functions that share a metric: the buckets of one are not those of others.
    pub(crate) fn is_function(&self) -> bool {
        let mut is_function = false;
        self.each_tag(|key, _| is_function |= key == FUNCTION);
        is_function
    }

    /// Its own tags.
    pub(crate) fn each_tag<'a>(&'a self, mut f: impl FnMut(&'a str, &'a str)) {
        self.function.iter().for_each(|function| f(FUNCTION, function.path()));
        if !self.outcome.is_empty() {
            f("outcome", self.outcome);
        }
        match &self.tags {
            SiteTags::Static(tags) => tags.iter().for_each(|(k, v)| f(k, v)),
            SiteTags::Owned(tags) => tags.iter().for_each(|(k, v)| f(k, v)),
        }
    }

    /// The same, to be changed.
    pub(crate) fn copy(&self) -> Self {
        self.like(self.name.clone(), self.function.clone(), self.tags.clone())
    }

    /// What it declares, under that name and without its tags.
    pub(crate) fn declaration(&self, name: Text) -> Self {
        self.like(name, None, SiteTags::Static(&[]))
    }

    pub(crate) fn add_tag(&mut self, key: Text, value: Text) -> Result<(), TagsError> {
        let mut all = Tags::new();
        self.each_tag(|k, v| drop(all.insert(k.to_owned(), v.to_owned())));
        all.insert(key, value)?;
        (self.function, self.outcome, self.tags) = (None, "", SiteTags::Owned(all));
        Ok(())
    }
}
