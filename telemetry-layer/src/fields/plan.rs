//! What a layer does with the spans and events of one call site, beyond keeping them: which fields it changes, and which
//! spans it measures. Decided once for each call site.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use telemetry_core::__private::SpanSites;
use telemetry_core::__private::glob;
use telemetry_core::__private::record::{FieldBuf, field_name};
use telemetry_core::__private::sync::Origin;
use telemetry_core::Level;
use telemetry_core::model::Text;
use telemetry_core::suppress;
use tracing::{Event, Metadata};

use super::error_chain::EXCEPTION_MESSAGE;
use super::log_record::{is_log, kept_name};
use super::metric_fields::{Measurements, has_metrics};
use super::otel::{OtelFields, is_otel};
use super::span_metrics::{SpanMetrics, is_timed};
use super::visit::{Action, FieldRules, Recorder};

/// What is done with one call site, and what there is to know of it.
#[derive(Debug)]
pub(crate) struct CallsitePlan {
    /// By the field's place; empty where all are kept.
    pub(crate) actions: Box<[Action]>,
    /// What is done with what an error and its sources say.
    exception: Action,
    names: FieldNames,
    /// Of spans that are measured.
    pub(crate) metrics: Option<SpanMetricSites>,
    /// What its spans have for what happens in them.
    pub(crate) gives: Gives,
    /// Fields that its events have of the spans that they are in, and tags of what they measure.
    pub(crate) inherited: Box<[Text]>,
    pub(crate) inherited_tags: Box<[Text]>,
    /// Some fields of its spans say something of the span itself.
    pub(crate) has_otel: bool,
    /// Its spans are those of `#[time_me]`.
    pub(crate) is_timed: bool,
    /// What its events are besides.
    pub(crate) events: EventKind,
    /// Its fields are recorded as they are, and an event of it is nothing but an event.
    pub(crate) is_plain: bool,
}

impl CallsitePlan {
    /// Whether the fields of its spans are needed, kept or not.
    pub(crate) fn is_watched(&self) -> bool {
        self.metrics.is_some() || self.gives != Gives::Nothing
    }

    /// Records fields of a span as planned, and what they say of the span itself.
    #[cold]
    pub(crate) fn record(
        &self,
        visit: impl FnOnce(&mut Recorder<'_, '_>),
        fields: &mut FieldBuf<'_>,
        otel: &mut OtelFields,
    ) {
        let rules = FieldRules {
            otel: self.has_otel.then_some(otel),
            measurements: None,
            actions: &self.actions,
            exception: self.exception,
        };
        visit(&mut Recorder { fields, rules: Some(rules) });
    }

    /// Records fields of an event as planned, and those that are measurements.
    #[cold]
    pub(crate) fn record_event(
        &self,
        event: &Event<'_>,
        fields: &mut FieldBuf<'_>,
        measurements: &mut Measurements,
    ) {
        let rules = FieldRules {
            otel: None,
            measurements: (self.events == EventKind::Metrics).then_some(measurements),
            actions: &self.actions,
            exception: self.exception,
        };
        event.record(&mut Recorder { fields, rules: Some(rules) });
    }

    /// Of fields of the same name the last one is kept.
    pub(crate) fn settle(&self, fields: &mut FieldBuf<'_>, site: &'static Metadata<'static>) {
        if self.names == FieldNames::Repeated {
            fields.keep_latest(site);
        }
    }
}

/// Whether fields of a call site may have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldNames {
    Distinct,
    Repeated,
}

/// What the spans of a call site have for what happens in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    Nothing,
    /// Fields of events.
    Fields,
    /// Tags of what is measured, and perhaps fields of events.
    Tags,
}

/// What events of a call site are besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// Nothing.
    Plain,
    /// They carry measurements.
    Metrics,
    /// They stand for records of `log`.
    Log,
}

/// How the spans of a call site are measured.
#[derive(Debug)]
pub(crate) struct SpanMetricSites {
    pub(crate) sites: SpanSites,
    /// Fields that are tags.
    pub(crate) tags: Box<[Text]>,
}

/// What a layer was told to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) redacted: Vec<Text>,
    pub(crate) dropped: Vec<Text>,
    pub(crate) metrics: Option<SpanMetrics>,
    /// Fields of spans that events have, and that are tags of what is measured.
    pub(crate) inherited: Vec<Text>,
    pub(crate) inherited_tags: Vec<Text>,
}

impl Rules {
    /// What is done with a field of that name.
    pub(crate) fn action(&self, name: &str) -> Action {
        let any = |patterns: &[Text]| patterns.iter().any(|pattern| glob::matches(pattern, name));
        match (any(&self.dropped), any(&self.redacted)) {
            (true, _) => Action::Drop,
            (_, true) => Action::Redact,
            _ => Action::Keep,
        }
    }
}

/// All plans of one layer.
#[derive(Debug)]
pub(crate) struct CallsitePlans {
    rules: Rules,
    /// By the address of the call site. A program has so many of them as it has, so they are kept for ever.
    known: RwLock<HashMap<usize, &'static CallsitePlan>>,
    origin: Origin,
}

/// The plan for that call site; `plans` are those of the layer with that number.
#[inline]
pub(crate) fn plan_of<'a>(
    layer: u64,
    site: &'static Metadata<'static>,
    plans: impl FnOnce() -> &'a CallsitePlans,
) -> &'static CallsitePlan {
    type Cached = Cell<Option<(u64, usize, &'static CallsitePlan)>>;
    const PLACES: usize = 64;
    thread_local! {
        /// What was asked for lately.
        static CACHE: [Cached; PLACES] = const { [const { Cell::new(None) }; PLACES] };
    }
    let address = std::ptr::from_ref(site).addr();
    let place = (address >> 5) % PLACES;
    let cached = CACHE.try_with(|cache| cache[place].get()).ok().flatten();
    if let Some((_, _, plan)) = cached.filter(|(of, known, _)| (*of, *known) == (layer, address)) {
        return plan;
    }
    // An allocator may record: what is asked for here is telemetry's own.
    let plan = suppress(|| plans().look_up(address, site));
    let _ = CACHE.try_with(|cache| cache[place].set(Some((layer, address, plan))));
    plan
}

impl CallsitePlans {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, known: RwLock::default(), origin: Origin::here() }
    }

    #[cold]
    fn look_up(&self, address: usize, site: &'static Metadata<'static>) -> &'static CallsitePlan {
        if !self.origin.is_here() {
            return self.look_up_in_child(address);
        }
        if let Some(plan) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&address) {
            return plan;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.entry(address).or_insert_with(|| Box::leak(Box::new(self.make(site))))
    }

    /// The lock may be another thread's for ever. What has no plan yet needs none: nothing of it is exported.
    fn look_up_in_child(&self, address: usize) -> &'static CallsitePlan {
        static NONE: LazyLock<CallsitePlan> = LazyLock::new(|| CallsitePlan {
            actions: Box::default(),
            exception: Action::Keep,
            names: FieldNames::Distinct,
            metrics: None,
            gives: Gives::Nothing,
            inherited: Box::default(),
            inherited_tags: Box::default(),
            has_otel: false,
            is_timed: false,
            events: EventKind::Plain,
            is_plain: true,
        });
        let known = self.known.try_read().ok();
        known.and_then(|known| known.get(&address).copied()).unwrap_or_else(|| &NONE)
    }

    fn make(&self, site: &'static Metadata<'static>) -> CallsitePlan {
        let name_of = |name: &'static str| if is_log(site) { kept_name(name) } else { name };
        let names: Vec<&str> = site.fields().iter().map(|field| name_of(field_name(&field))).collect();
        let mut actions: Box<[Action]> = names.iter().map(|name| self.rules.action(name)).collect();
        if actions.iter().all(|action| *action == Action::Keep) {
            actions = Box::default();
        }
        let exception = self.rules.action(EXCEPTION_MESSAGE);
        let is_double = |(at, name): (usize, &&str)| *name == EXCEPTION_MESSAGE || names[..at].contains(name);
        let has_double = names.iter().enumerate().any(is_double);
        let field_names = if has_double { FieldNames::Repeated } else { FieldNames::Distinct };
        let measured = |metrics: &SpanMetrics| {
            let function = format!("{}::{}", site.target(), site.name());
            SpanMetricSites { sites: SpanSites::new(&function, *site.level()), tags: metrics.tags() }
        };
        let metrics =
            self.rules.metrics.as_ref().filter(|metrics| site.is_span() && metrics.takes(site)).map(measured);
        let events = if is_log(site) {
            EventKind::Log
        } else if site.is_event() && has_metrics(site) {
            EventKind::Metrics
        } else {
            EventKind::Plain
        };
        let has_otel = site.is_span() && site.fields().iter().any(|field| is_otel(field.name()));
        let may_fail = site.is_event() && *site.level() == Level::ERROR;
        let says_more = has_otel || may_fail || events != EventKind::Plain;
        let declares =
            |listed: &[Text]| site.is_span() && names.iter().any(|name| listed.iter().any(|l| l == name));
        let gives = match (declares(&self.rules.inherited_tags), declares(&self.rules.inherited)) {
            (true, _) => Gives::Tags,
            (_, true) => Gives::Fields,
            _ => Gives::Nothing,
        };
        let of_events = |listed: &[Text]| if site.is_event() { listed.into() } else { Box::default() };
        let (inherited, inherited_tags): (Box<[Text]>, Box<[Text]>) =
            (of_events(&self.rules.inherited), of_events(&self.rules.inherited_tags));
        let says_more = says_more || !inherited.is_empty();
        let is_plain = actions.is_empty() && exception == Action::Keep && !has_double && !says_more;
        let is_timed = is_timed(site);
        CallsitePlan {
            actions,
            exception,
            names: field_names,
            metrics,
            gives,
            inherited,
            inherited_tags,
            has_otel,
            is_timed,
            events,
            is_plain,
        }
    }
}
