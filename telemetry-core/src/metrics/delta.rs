//! Deltas for a reader that wants them, from cells that only ever grow.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{Identity, Kind, Metric, MetricValue, Number, Tags, Temporality, Text};

/// What one reader has been given so far.
///
/// It moves on only when what was made from it is in the exporter's queue ([`Self::commit`]), and goes back when
/// that is dropped from there ([`Self::restore`]): no count is lost.
#[derive(Debug)]
pub(crate) struct Baseline {
    /// Of which kinds it wants deltas; of the others it is given what there is.
    kinds: Vec<Kind>,
    seen: HashMap<Key, Metric>,
    /// Deltas that were dropped when their series was over already, or had begun anew.
    owed: Vec<Metric>,
    /// Of the other kinds what was dropped, the newest of each: said anew where nothing newer is.
    others: HashMap<Key, Metric>,
}

/// Names a metric whatever its levels are: which of them comes first may change.
type Key = (Text, Kind, Tags);

fn key(identity: &Arc<Identity>) -> Key {
    (identity.name.clone(), identity.kind, identity.tags.clone())
}

impl Baseline {
    /// A reader that joins now: what was counted before is not its business.
    pub(crate) fn joining(kinds: Vec<Kind>, now: &[Metric]) -> Self {
        let (owed, others) = Default::default();
        let of_deltas = now.iter().filter(|m| kinds.contains(&m.identity.kind));
        let seen = of_deltas.map(|m| (key(&m.identity), m.clone())).collect();
        Self { kinds, seen, owed, others }
    }

    /// Of which kinds it wants deltas.
    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// What came since, of the kinds it wants deltas of; those that did not move are left out.
    pub(crate) fn since(&self, now: &[Metric]) -> Vec<Metric> {
        let mut all: Vec<Metric> =
            now.iter().filter_map(|metric| self.step(metric)).chain(self.owed.iter().cloned()).collect();
        if !self.others.is_empty() {
            let said: HashSet<Key> = all.iter().map(|metric| key(&metric.identity)).collect();
            all.extend(
                self.others.iter().filter(|(key, _)| !said.contains(key)).map(|(_, other)| other.clone()),
            );
        }
        if !self.owed.is_empty() || !self.others.is_empty() {
            all.sort_by_cached_key(|metric| key(&metric.identity));
        }
        all
    }

    pub(crate) fn commit(&mut self, now: &[Metric]) {
        self.owed.clear();
        self.others.clear();
        let of_deltas = now.iter().filter(|m| self.kinds.contains(&m.identity.kind));
        self.seen = of_deltas.map(|m| (key(&m.identity), self.given(m))).collect();
    }

    /// How far what was made of that reading goes: what is too much for one delta is part of the next.
    fn given(&self, now: &Metric) -> Metric {
        if now.taken_off.is_none() {
            return now.clone();
        }
        let sum = sum_since(now, self.before(now)).filter(|sum| Number::whole(*sum).as_whole() != Some(*sum));
        let left = sum.and_then(|sum| Some(sum - Number::whole(sum).as_whole()?)).unwrap_or_default();
        now.clone().with_taken_off(now.taken_off() - left)
    }

    /// A delta was dropped after it was committed: it is part of the next one.
    pub(crate) fn restore(&mut self, dropped: &Metric) {
        if dropped.temporality != Temporality::Delta {
            let other = self.others.entry(key(&dropped.identity)).or_insert_with(|| dropped.clone());
            if other.time_unix_nano < dropped.time_unix_nano {
                other.clone_from(dropped);
            }
            return;
        }
        let Some(seen) = self.seen.get_mut(&key(&dropped.identity)).filter(|seen| seen.life == dropped.life)
        else {
            self.owed.push(dropped.clone());
            return;
        };
        match (&mut seen.value, &dropped.value) {
            (MetricValue::Number(value), MetricValue::Number(delta)) => match delta.as_whole() {
                Some(delta) => *seen = seen.clone().with_taken_off(seen.taken_off() - delta),
                None => *value = value.minus(*delta),
            },
            (MetricValue::Histogram(seen), MetricValue::Histogram(delta)) => **seen = seen.since(delta),
            _ => return,
        }
        // The window of the next one begins where that of the dropped one began.
        let start = dropped.start_time_unix_nano.unwrap_or(seen.time_unix_nano);
        seen.time_unix_nano = seen.time_unix_nano.min(start);
    }

    fn step(&self, now: &Metric) -> Option<Metric> {
        if !self.kinds.contains(&now.identity.kind) {
            return Some(now.clone());
        }
        let before = self.before(now);
        let value = match (&now.value, before.map(|b| &b.value)) {
            (MetricValue::Number(_), _) => MetricValue::Number(since(now, before)),
            (MetricValue::Histogram(h), Some(MetricValue::Histogram(b))) => {
                MetricValue::Histogram(h.since(b).into())
            }
            (value, _) => value.clone(),
        };
        let moved = match &value {
            MetricValue::Number(n) => n.as_f64() != 0.0,
            MetricValue::Histogram(h) => h.count > 0,
        };
        moved.then(|| Metric {
            start_time_unix_nano: before.map_or(now.start_time_unix_nano, |b| Some(b.time_unix_nano)),
            temporality: Temporality::Delta,
            value,
            taken_off: None,
            ..now.clone()
        })
    }

    /// What was given of that series, which was over before if it began a new life since: then all of it was given.
    fn before(&self, now: &Metric) -> Option<&Metric> {
        self.seen.get(&key(&now.identity)).filter(|before| before.life == now.life)
    }
}

/// What came to a sum.
fn since(now: &Metric, before: Option<&Metric>) -> Number {
    if let Some(sum) = sum_since(now, before) {
        return Number::whole(sum);
    }
    let taken_off = now.taken_off() - before.map_or(0, Metric::taken_off);
    now.number().minus(before.map_or(Number::Int(0), Metric::number)).plus(taken_off.into())
}

/// What came to a sum of whole numbers, exactly; none of another.
fn sum_since(now: &Metric, before: Option<&Metric>) -> Option<i128> {
    let whole = |metric: &Metric| Some(metric.number().as_whole()? + metric.taken_off());
    Some(whole(now)? - before.map_or(Some(0), whole)?)
}
