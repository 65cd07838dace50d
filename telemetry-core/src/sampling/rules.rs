//! Head sampling by the name of a root span, and which limits there are for each call site.

use tracing_core::Metadata;

use super::head::{HeadSampler, randomness};
use super::limiter::{Kept, KeptBack, Limiter};
use crate::clock::Tick;
use crate::model::trace_state::{self, Threshold};
use crate::model::{Text, TraceContext, TraceId, glob};
use crate::thread::random_u64;

/// Which traces and events are kept, beyond the one rate for all traces ([`crate::Config::sample_rate`]).
///
/// ```
/// use telemetry_core::Collector;
/// use telemetry_core::sampling::Sampling;
///
/// let sampling = Sampling::new().spans("health*", 0.0).spans_per_second(50.0).events_per_second(1000.0);
/// let collector = Collector::builder().sample_rate(0.1).sampling(sampling).start()?;
/// # Ok::<(), telemetry_core::Error>(())
/// ```
///
/// A share that does not lie between 0 and 1 fails the start, and so does a limit below 0.
#[derive(Clone, Debug, Default)]
#[must_use = "rules decide nothing before `Builder::sampling`"]
pub struct Sampling {
    names: Vec<(Text, f64)>,
    events: Option<f64>,
    spans_per_second: Option<f64>,
    events_per_second: Option<f64>,
    ignores_remote: bool,
}

impl Sampling {
    /// Nothing beyond the rate for all traces.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of traces whose root span here has a name like that (`*` stands for any text, `?` for one character) that share is
    /// kept, from 0 to 1. The first pattern that matches counts.
    pub fn spans(mut self, pattern: impl Into<Text>, rate: f64) -> Self {
        self.names.push((pattern.into(), rate));
        self
    }

    /// Of the traces that the other rules keep, each call site of root spans begins at most so many a second, with
    /// bursts of a second's worth. An event says what was kept back, as for [events](Sampling::events_per_second).
    pub fn spans_per_second(mut self, limit: f64) -> Self {
        self.spans_per_second = Some(limit);
        self
    }

    /// That share of all events is kept, from 0 to 1; those of one trace all or none.
    pub fn events(mut self, rate: f64) -> Self {
        self.events = Some(rate);
        self
    }

    /// Each call site makes at most so many events a second, with bursts of a second's worth.
    ///
    /// What it keeps back is said: every 5 seconds, at a flush and at the end, an event at the level of the call site says
    /// `12 more events kept back at src/main.rs:7`, with the fields `kept_back`, `code.file.path` and `code.line.number`.
    pub fn events_per_second(mut self, limit: f64) -> Self {
        self.events_per_second = Some(limit);
        self
    }

    /// Traces that began elsewhere are sampled by the rules here, not as it was decided there.
    pub fn ignore_remote(mut self) -> Self {
        self.ignores_remote = true;
        self
    }
}

/// What a collector decides by.
#[derive(Debug)]
pub struct Sampler {
    head: HeadSampler,
    /// None where there is nothing but the rate.
    rules: Option<Box<Rules>>,
}

#[derive(Debug)]
struct Rules {
    names: Vec<(Text, HeadSampler)>,
    events: Option<HeadSampler>,
    spans_by_site: Limiter,
    events_by_site: Limiter,
    ignores_remote: bool,
}

/// A rule whose number is wrong.
#[derive(Debug)]
pub(crate) struct BadRule {
    pub(crate) rule: String,
    pub(crate) value: f64,
    pub(crate) needed: String,
}

impl Sampler {
    pub(crate) fn new(head: HeadSampler, sampling: Option<Sampling>) -> Result<Self, BadRule> {
        let rules = sampling.map(Rules::new).transpose()?.map(Box::new);
        Ok(Self { head, rules })
    }

    /// Whether the trace that begins with a span of that call site is kept. `now` is asked for only where a limit
    /// needs it.
    #[inline]
    pub fn keeps(
        &self,
        trace: TraceId,
        site: &'static Metadata<'static>,
        now: impl FnOnce() -> Tick,
    ) -> bool {
        match &self.rules {
            None => self.head.keeps(trace),
            Some(rules) => rules.keeps(self.head, randomness(trace), site, now),
        }
    }

    /// The same for a part of a trace that began elsewhere.
    pub fn keeps_remote(
        &self,
        remote: &TraceContext,
        site: &'static Metadata<'static>,
        now: impl FnOnce() -> Tick,
    ) -> bool {
        if !self.decides_on(remote) {
            return remote.span.is_some_and(|span| span.sampled);
        }
        let randomness = randomness_of(remote);
        match &self.rules {
            None => self.head.keeps_random(randomness),
            Some(rules) => rules.keeps(self.head, randomness, site, now),
        }
    }

    /// Whether a trace that began elsewhere is sampled as it is decided here.
    fn decides_on(&self, remote: &TraceContext) -> bool {
        remote.is_deferred() || self.rules.as_ref().is_some_and(|rules| rules.ignores_remote)
    }

    /// What `tracestate` says of a trace that began elsewhere, where that is another thing than came: a threshold that does
    /// not say how it was decided would make others count wrong.
    pub fn trace_state_below(&self, remote: &TraceContext, sampled: bool) -> Option<String> {
        let came = &*remote.trace_state;
        if self.decides_on(remote)
            && sampled
            && let Some(threshold) = self.threshold()
        {
            return Some(trace_state::with_threshold(came, Some(&threshold)));
        }
        let holds = match trace_state::threshold(came) {
            Threshold::Unsaid => true,
            Threshold::At(least) => sampled && !self.decides_on(remote) && randomness_of(remote) >= least,
            Threshold::Malformed => false,
        };
        (!holds).then(|| trace_state::with_threshold(came, None))
    }

    /// The same for a finished span, which has no call site.
    pub fn keeps_finished(&self, trace: TraceId) -> bool {
        self.head.keeps(trace)
    }

    /// Whether no event is left out.
    #[inline]
    pub fn keeps_all_events(&self) -> bool {
        self.rules.is_none()
    }

    /// Whether an event of that call site is kept.
    pub fn keeps_event(
        &self,
        trace: Option<TraceId>,
        site: &'static Metadata<'static>,
        now: impl FnOnce() -> Tick,
    ) -> bool {
        match &self.rules {
            None => true,
            Some(rules) => rules.keeps_event(trace, site, now),
        }
    }

    /// What limits have kept back at each call site since this was asked last.
    pub(crate) fn take_kept_back(&self) -> Vec<KeptBack> {
        let Some(rules) = &self.rules else { return Vec::new() };
        let of = |limiter: &Limiter, what| limiter.take_kept_back(what);
        let mut all = of(&rules.spans_by_site, Kept::Traces);
        all.extend(of(&rules.events_by_site, Kept::Events));
        all
    }

    /// What `tracestate` says, beside what came, of a trace that was decided here and kept; as it came where more than the
    /// rate decides.
    pub fn trace_state_of_own(&self, came: String) -> String {
        match self.threshold() {
            Some(threshold) => trace_state::with_threshold(&came, Some(&threshold)),
            None => came,
        }
    }

    /// None where more than the rate decides, and nobody knows the share that is kept.
    fn threshold(&self) -> Option<String> {
        let is_known = self.rules.as_ref().is_none_or(|rules| rules.keep_the_rate());
        is_known.then(|| self.head.threshold())
    }
}

impl Rules {
    fn new(sampling: Sampling) -> Result<Self, BadRule> {
        let share = |rule: String, value| {
            HeadSampler::ratio(value).map_err(|e| BadRule { rule, value, needed: e.to_string() })
        };
        let limits = [
            ("sampling.spans_per_second", sampling.spans_per_second),
            ("sampling.events_per_second", sampling.events_per_second),
        ];
        for (rule, limit) in limits {
            if let Some(value) = limit.filter(|limit| limit.is_nan() || *limit < 0.0) {
                let needed = "a number from 0 up is needed".to_owned();
                return Err(BadRule { rule: rule.to_owned(), value, needed });
            }
        }
        let named = |(pattern, rate): (Text, f64)| {
            let sampler = share(format!("sampling.spans({pattern})"), rate)?;
            Ok((pattern, sampler))
        };
        Ok(Self {
            names: sampling.names.into_iter().map(named).collect::<Result<_, _>>()?,
            events: sampling.events.map(|rate| share("sampling.events".to_owned(), rate)).transpose()?,
            spans_by_site: Limiter::new(sampling.spans_per_second),
            events_by_site: Limiter::new(sampling.events_per_second),
            ignores_remote: sampling.ignores_remote,
        })
    }

    fn keeps(
        &self,
        head: HeadSampler,
        randomness: u64,
        site: &'static Metadata<'static>,
        now: impl FnOnce() -> Tick,
    ) -> bool {
        let own = self.names.iter().find(|(pattern, _)| glob::matches(pattern, site.name()));
        own.map_or(head, |(_, own)| *own).keeps_random(randomness) && self.spans_by_site.allows(site, now)
    }

    /// Whether they leave the share of traces as the rate has it.
    fn keep_the_rate(&self) -> bool {
        self.names.is_empty() && self.spans_by_site.is_none()
    }

    fn keeps_event(
        &self,
        trace: Option<TraceId>,
        site: &'static Metadata<'static>,
        now: impl FnOnce() -> Tick,
    ) -> bool {
        let any = || TraceId::new(u128::from(random_u64())).unwrap_or(TraceId::MIN);
        self.events.is_none_or(|rate| rate.keeps(trace.unwrap_or_else(any)))
            && self.events_by_site.allows(site, now)
    }
}

/// By what a trace that began elsewhere is sampled: `rv` of its state, else its id.
fn randomness_of(remote: &TraceContext) -> u64 {
    let said = trace_state::randomness(&remote.trace_state);
    said.or_else(|| remote.span.map(|span| randomness(span.trace_id))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_whose_number_is_wrong_is_named() {
        let new = |sampling| Sampler::new(HeadSampler::ratio(1.0).unwrap(), Some(sampling));
        let wrong = |sampling| new(sampling).unwrap_err();
        let bad = wrong(Sampling::new().spans("health*", 0.1).spans("rare", 1.5));
        assert_eq!((&*bad.rule, bad.value), ("sampling.spans(rare)", 1.5));
        assert_eq!(wrong(Sampling::new().events(-0.1)).rule, "sampling.events");
        assert_eq!(wrong(Sampling::new().spans_per_second(-1.0)).rule, "sampling.spans_per_second");
        assert_eq!(wrong(Sampling::new().events_per_second(f64::NAN)).rule, "sampling.events_per_second");
        let all = Sampling::new()
            .spans("health*", 0.0)
            .events(1.0)
            .spans_per_second(0.0)
            .events_per_second(f64::INFINITY);
        assert!(new(all).is_ok());
    }
}
