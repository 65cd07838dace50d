//! What a layer does with the spans and events of one call site, beyond keeping them: which fields it changes, and which
//! spans it measures. Decided once for each call site.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use telemetry_core::Level;
use telemetry_core::model::record::FieldBuf;
use telemetry_core::model::{Text, fits};
use telemetry_core::private::SpanSites;
use telemetry_core::thread::suppress;
use tracing::Metadata;

use crate::log_record::{is_log, kept_name};
use crate::metric_fields::has_metrics;
use crate::visit::{Action, FieldRules, Recorder, Special, is_special};

/// Metrics of spans, counted before sampling: `function.duration` with the tag `outcome` (`ok`, `error`, `panic`), whose
/// count is that of the calls, and `function.active`, both tagged `code.function.name`, which is the span's target and
/// name. Spans that `#[time_me]` opened are measured by it already, and not again.
///
/// ```
/// use telemetry_layer::prelude::*;
/// use telemetry_layer::SpanMetrics;
///
/// let collector = Collector::builder().sample_rate(0.01).start()?;
/// let metrics = SpanMetrics::new().target("shop*").max_level(Level::INFO).tag("http.route");
/// let layer = TelemetryLayer::new(&collector).with_span_metrics(metrics);
/// # use telemetry_layer::Level;
/// # Ok::<(), telemetry_layer::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "it does nothing before `TelemetryLayer::with_span_metrics`"]
pub struct SpanMetrics {
    targets: Vec<Text>,
    names: Vec<Text>,
    level: Option<Level>,
    tags: Vec<Text>,
}

impl SpanMetrics {
    /// Of all spans.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only of spans whose target is like that, or like another target given: `*` stands for any text, `?` for one
    /// character.
    pub fn target(mut self, pattern: impl Into<Text>) -> Self {
        self.targets.push(pattern.into());
        self
    }

    /// Only of spans whose name is like that, or like another name given.
    pub fn name(mut self, pattern: impl Into<Text>) -> Self {
        self.names.push(pattern.into());
        self
    }

    /// Only of spans that are not more verbose.
    pub fn max_level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// The field of that name becomes a tag, where a span has it. Others never do.
    pub fn tag(mut self, field: impl Into<Text>) -> Self {
        self.tags.push(field.into());
        self
    }

    fn takes(&self, site: &Metadata<'_>) -> bool {
        let any = |patterns: &[Text], text| {
            patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern, text))
        };
        any(&self.targets, site.target())
            && any(&self.names, site.name())
            && self.level.is_none_or(|level| *site.level() <= level)
            // `#[time_me]` measures it.
            && !is_timed(site)
    }
}

/// A field by which a span says that it is measured already.
const TIMED: &str = "telemetry.timed";

/// Whether its spans are those of `#[time_me]`.
fn is_timed(site: &Metadata<'_>) -> bool {
    site.fields().iter().next().is_some_and(|field| field.name() == TIMED)
}

/// What is done with one call site, and what there is to know of it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// By the field's place; empty where all are kept.
    pub(crate) actions: Box<[Action]>,
    /// Of spans that are measured.
    pub(crate) metrics: Option<Measured>,
    /// Some fields of its spans say something else.
    pub(crate) has_special: bool,
    /// Its spans are those of `#[time_me]`.
    pub(crate) is_timed: bool,
    /// What its events are besides.
    pub(crate) events: Events,
    /// Its fields are recorded as they are, and an event of it is nothing but an event.
    pub(crate) is_plain: bool,
}

impl Plan {
    /// Records fields as planned, and says what the special ones of a span say.
    #[cold]
    pub(crate) fn record(
        &self,
        visit: impl FnOnce(&mut Recorder<'_, '_>),
        fields: &mut FieldBuf<'_>,
    ) -> Special {
        let mut special = Special::default();
        let takes = self.has_special.then_some(&mut special);
        visit(&mut Recorder { fields, rules: Some(FieldRules { special: takes, actions: &self.actions }) });
        special
    }
}

/// What events of a call site are besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Events {
    /// Nothing.
    Usual,
    /// They carry measurements.
    Metrics,
    /// They stand for records of `log`.
    Log,
}

/// How a span is measured.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) sites: SpanSites,
    /// Fields that are tags.
    pub(crate) tags: Box<[&'static str]>,
}

/// What a layer was told to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) redacted: Vec<Text>,
    pub(crate) dropped: Vec<Text>,
    pub(crate) metrics: Option<SpanMetrics>,
}

/// All plans of one layer.
#[derive(Debug)]
pub(crate) struct Plans {
    rules: Rules,
    /// By the address of the call site. A program has so many of them as it has, so they are kept for ever.
    known: RwLock<HashMap<usize, &'static Plan>>,
}

/// The plan for that call site; `plans` are those of the layer with that number.
#[inline]
pub(crate) fn of<'a>(
    layer: u64,
    site: &'static Metadata<'static>,
    plans: impl FnOnce() -> &'a Plans,
) -> &'static Plan {
    type Known = Cell<Option<(u64, usize, &'static Plan)>>;
    const PLACES: usize = 64;
    thread_local! {
        /// What was asked for lately.
        static LATELY: [Known; PLACES] = const { [const { Cell::new(None) }; PLACES] };
    }
    let address = std::ptr::from_ref(site).addr();
    let place = (address >> 5) % PLACES;
    let lately = LATELY.try_with(|lately| lately[place].get()).ok().flatten();
    if let Some((_, _, plan)) = lately.filter(|(of, known, _)| (*of, *known) == (layer, address)) {
        return plan;
    }
    // An allocator may record: what is asked for here is telemetry's own.
    let plan = suppress(|| plans().look_up(address, site));
    let _ = LATELY.try_with(|lately| lately[place].set(Some((layer, address, plan))));
    plan
}

impl Plans {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, known: RwLock::default() }
    }

    #[cold]
    fn look_up(&self, address: usize, site: &'static Metadata<'static>) -> &'static Plan {
        if let Some(plan) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&address) {
            return plan;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(address).or_insert_with(|| Box::leak(Box::new(self.make(site))))
    }

    fn make(&self, site: &'static Metadata<'static>) -> Plan {
        let any = |patterns: &[Text], name: &str| patterns.iter().any(|pattern| fits(pattern, name));
        let action = |name: &str| match (any(&self.rules.dropped, name), any(&self.rules.redacted, name)) {
            (true, _) => Action::Drop,
            (_, true) => Action::Redact,
            _ => Action::Keep,
        };
        let name_of = |name: &'static str| if is_log(site) { kept_name(name) } else { name };
        let mut actions: Box<[Action]> =
            site.fields().iter().map(|field| action(name_of(field.name()))).collect();
        if actions.iter().all(|action| *action == Action::Keep) {
            actions = Box::default();
        }
        let measured = |metrics: &SpanMetrics| {
            let is_tag = |name: &&str| metrics.tags.iter().any(|tag| tag == name);
            let function = format!("{}::{}", site.target(), site.name());
            Measured {
                sites: SpanSites::new(&function, *site.level()),
                tags: site.fields().iter().map(|field| field.name()).filter(is_tag).collect(),
            }
        };
        let metrics =
            self.rules.metrics.as_ref().filter(|metrics| site.is_span() && metrics.takes(site)).map(measured);
        let events = if is_log(site) {
            Events::Log
        } else if site.is_event() && has_metrics(site) {
            Events::Metrics
        } else {
            Events::Usual
        };
        let has_special = site.is_span() && site.fields().iter().any(|field| is_special(field.name()));
        let may_fail = site.is_event() && *site.level() == Level::ERROR;
        let says_more = has_special || may_fail || events != Events::Usual;
        let is_plain = actions.is_empty() && !says_more;
        Plan { actions, metrics, has_special, is_timed: is_timed(site), events, is_plain }
    }
}
