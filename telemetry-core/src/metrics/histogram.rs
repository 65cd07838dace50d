//! Histogram cells: base-2 exponential buckets at a fixed scale, found by integer arithmetic, or buckets with bounds
//! that somebody chose.
//!
//! Eight buckets an octave (scale 3, each 9% wide) over `2^-64 .. 2^64`; what lies outside falls into the
//! first or the last. Buckets come in blocks of four octaves, made when something first falls into them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::SystemTime;

use super::bounds::{Bounds, MOST_BOUNDS};
use super::number::Float;
use crate::model::{Exemplar, HistogramValue};
use crate::sync::{Mutex, lock};
use crate::thread::kept_span;

pub(crate) const SCALE: i32 = 3;
const PER_OCTAVE: usize = 1 << SCALE;
const MIN_EXPONENT: i32 = -64;
const OCTAVES: usize = 128;
const BLOCK: usize = 4 * PER_OCTAVE;
const BLOCKS: usize = OCTAVES * PER_OCTAVE / BLOCK;
const MANTISSA: u64 = (1 << 52) - 1;

/// The mantissas of `2^(1/8) .. 2^(7/8)`, and one beyond all: the upper bounds of the buckets of an octave.
const BOUNDS: [u64; PER_OCTAVE] = [
    1.090_507_732_665_257_7_f64.to_bits() & MANTISSA,
    1.189_207_115_002_721_f64.to_bits() & MANTISSA,
    1.296_839_554_651_009_6_f64.to_bits() & MANTISSA,
    std::f64::consts::SQRT_2.to_bits() & MANTISSA,
    1.542_210_825_407_940_7_f64.to_bits() & MANTISSA,
    1.681_792_830_507_429_f64.to_bits() & MANTISSA,
    1.834_008_086_409_342_4_f64.to_bits() & MANTISSA,
    1 << 52,
];

/// What all threads share of one series.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: Buckets,
    sum: Float,
    min: Float,
    max: Float,
    /// In no order, and perhaps several of a bucket.
    exemplars: Mutex<Vec<Exemplar>>,
}

#[derive(Debug)]
enum Buckets {
    Exponential { positive: Box<Blocks>, zero: AtomicU64, negative: OnceLock<Box<Blocks>> },
    Chosen { bounds: Bounds, counts: Box<[AtomicU64]> },
}

impl Histogram {
    /// With exponential buckets, or with those bounds.
    pub(crate) fn new(bounds: Option<Bounds>) -> Self {
        let buckets = match bounds {
            None => Buckets::Exponential {
                positive: Box::default(),
                zero: AtomicU64::new(0),
                negative: OnceLock::new(),
            },
            Some(bounds) => Buckets::Chosen {
                bounds,
                counts: (0..=bounds.list.len()).map(|_| AtomicU64::new(0)).collect(),
            },
        };
        let (min, max) = (Float::new(f64::INFINITY), Float::new(f64::NEG_INFINITY));
        Self { buckets, sum: Float::new(0.0), min, max, exemplars: Mutex::default() }
    }

    pub(crate) fn bounds(&self) -> Option<Bounds> {
        match self.buckets {
            Buckets::Exponential { .. } => None,
            Buckets::Chosen { bounds, .. } => Some(bounds),
        }
    }

    /// Takes a finite value, measured for that collector.
    pub(crate) fn record(&self, x: f64, collector: Option<u64>) {
        let bucket = match &self.buckets {
            Buckets::Chosen { bounds, counts } => &counts[bounds.place(x)],
            Buckets::Exponential { positive, .. } if x > 0.0 => positive.bucket(slot(x)),
            Buckets::Exponential { negative, .. } if x < 0.0 => {
                negative.get_or_init(Box::default).bucket(slot(-x))
            }
            Buckets::Exponential { zero, .. } => zero,
        };
        let before = bucket.fetch_add(1, Relaxed);
        self.sum.add(x);
        self.min.lower_to(x);
        self.max.raise_to(x);
        if before.is_multiple_of(EXEMPLARS_APART)
            && let Some(exemplar) = exemplar(x, collector)
        {
            keep_last(&mut lock(&self.exemplars), &[exemplar]);
        }
    }

    /// The count is the sum of the buckets as they were read, so it always fits them.
    pub(crate) fn read(&self) -> HistogramValue {
        let mut value = match &self.buckets {
            Buckets::Chosen { bounds, counts } => chosen(*bounds, counts),
            Buckets::Exponential { positive, zero, negative } => HistogramValue {
                zero_count: zero.load(Relaxed),
                buckets: positive.read(),
                negative_buckets: negative.get().map(|blocks| blocks.read()).unwrap_or_default(),
                scale: SCALE,
                ..HistogramValue::default()
            },
        };
        finish(&mut value, self.sum.get(), self.min.get(), self.max.get());
        value.exemplars.clone_from(&lock(&self.exemplars));
        value
    }

    /// Takes all that a thread's own histogram has seen, which never has negative buckets.
    pub(crate) fn absorb(&self, other: &HistogramValue) {
        for (index, n) in &other.buckets {
            let bucket = match &self.buckets {
                Buckets::Chosen { counts, .. } => &counts[*index as usize],
                Buckets::Exponential { positive, .. } => {
                    positive.bucket((index - MIN_EXPONENT * PER_OCTAVE as i32) as usize)
                }
            };
            bucket.fetch_add(*n, Relaxed);
        }
        if let Buckets::Exponential { zero, .. } = &self.buckets {
            zero.fetch_add(other.zero_count, Relaxed);
        }
        self.sum.add(other.sum);
        other.min.into_iter().for_each(|x| self.min.lower_to(x));
        other.max.into_iter().for_each(|x| self.max.raise_to(x));
        keep_last(&mut lock(&self.exemplars), &other.exemplars);
    }
}

/// Exponential buckets, in blocks that are made when something first falls into them.
#[derive(Debug)]
struct Blocks([OnceLock<Box<[AtomicU64; BLOCK]>>; BLOCKS]);

impl Default for Blocks {
    fn default() -> Self {
        Self([const { OnceLock::new() }; BLOCKS])
    }
}

impl Blocks {
    fn bucket(&self, slot: usize) -> &AtomicU64 {
        let block = self.0[slot / BLOCK].get_or_init(|| Box::new([const { AtomicU64::new(0) }; BLOCK]));
        &block[slot % BLOCK]
    }

    fn read(&self) -> Vec<(i32, u64)> {
        let filled = self.0.iter().enumerate().filter_map(|(i, block)| Some((i, block.get()?)));
        let all = filled.flat_map(|(i, block)| {
            block.iter().enumerate().map(move |(j, n)| (index(i * BLOCK + j), n.load(Relaxed)))
        });
        all.filter(|(_, n)| *n > 0).collect()
    }
}

fn chosen(bounds: Bounds, counts: &[AtomicU64]) -> HistogramValue {
    let counts = counts.iter().take(bounds.list.len() + 1).map(|n| n.load(Relaxed)).enumerate();
    HistogramValue {
        bounds: bounds.list.to_vec(),
        buckets: counts.filter(|(_, n)| *n > 0).map(|(at, n)| (at as i32, n)).collect(),
        ..HistogramValue::default()
    }
}

/// Sets all but the buckets; the count is their sum.
fn finish(value: &mut HistogramValue, sum: f64, min: f64, max: f64) {
    let all = value.buckets.iter().chain(&value.negative_buckets);
    value.count = value.zero_count + all.map(|(_, n)| n).sum::<u64>();
    value.sum = sum;
    value.min = Some(min).filter(|x| x.is_finite());
    value.max = Some(max).filter(|x| x.is_finite());
}

/// The histogram of one series on one thread, which alone writes to it: loads and stores. It has buckets for 40
/// octaves around its first value, or for chosen bounds; what lies outside, and what is negative, belongs into the
/// shared histogram.
#[derive(Debug)]
pub(crate) struct OwnHistogram {
    /// The [`place`] of the first bucket. Beyond [`EMPTY`] it is none, and no value is less than a window above it: there
    /// are chosen bounds whose number it is less [`CHOSEN`], no value came yet, or nobody said which buckets it has.
    base: AtomicUsize,
    /// For which it is, once it was prepared.
    collector: AtomicU64,
    buckets: [AtomicU64; WINDOW],
    zero: AtomicU64,
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
    /// With the place of their buckets; the oldest one goes first.
    exemplars: Mutex<Vec<(usize, Exemplar)>>,
}

/// Of the values of a bucket each one with such a distance to the last is looked at whether it is an exemplar.
const EXEMPLARS_APART: u64 = 64;

const WINDOW: usize = 40 * PER_OCTAVE;
const EMPTY: usize = 1 << 20;
const CHOSEN: usize = EMPTY + 1;
const UNSET: usize = usize::MAX / 2;
const _: () = assert!(MOST_BOUNDS < WINDOW, "there is a bucket beyond the last bound");

impl Default for OwnHistogram {
    fn default() -> Self {
        Self::new()
    }
}

impl OwnHistogram {
    pub(crate) const fn new() -> Self {
        Self {
            base: AtomicUsize::new(UNSET),
            collector: AtomicU64::new(0),
            buckets: [const { AtomicU64::new(0) }; WINDOW],
            zero: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            min: AtomicU64::new(f64::INFINITY.to_bits()),
            max: AtomicU64::new(f64::NEG_INFINITY.to_bits()),
            exemplars: Mutex::new(Vec::new()),
        }
    }

    /// Prepares it for values of a series with these bounds, of that collector. Before, it takes none.
    pub(crate) fn choose(&self, collector: u64, bounds: Option<Bounds>) {
        if self.base.load(Relaxed) == UNSET {
            self.collector.store(collector, Relaxed);
            self.base.store(bounds.map_or(EMPTY, |bounds| CHOSEN + bounds.number()), Relaxed);
        }
    }

    /// Takes a finite value; false if it has no bucket for it.
    #[inline]
    pub(crate) fn record(&self, x: f64) -> bool {
        if x > 0.0 { self.record_positive(x) } else { self.record_rare(x) }
    }

    /// The same for a value above 0.
    #[inline]
    pub(crate) fn record_positive(&self, x: f64) -> bool {
        let at = place(x).wrapping_sub(self.base.load(Relaxed));
        if at < WINDOW { self.put(&self.buckets[at], at, x) } else { self.record_rare(x) }
    }

    #[cold]
    fn record_rare(&self, x: f64) -> bool {
        let (bucket, at) = match self.base.load(Relaxed) {
            UNSET => return false,
            EMPTY if x > 0.0 => {
                let slot = slot(x);
                let first = slot.saturating_sub(WINDOW / 2).min(OCTAVES * PER_OCTAVE - WINDOW);
                self.base.store(FIRST + first, Relaxed);
                (&self.buckets[slot - first], slot - first)
            }
            ..=EMPTY if x == 0.0 => (&self.zero, WINDOW),
            ..=EMPTY => return false,
            base => match Bounds::numbered(base - CHOSEN) {
                Some(bounds) => (&self.buckets[bounds.place(x)], bounds.place(x)),
                None => return false,
            },
        };
        self.put(bucket, at, x)
    }

    #[inline]
    fn put(&self, bucket: &AtomicU64, at: usize, x: f64) -> bool {
        let before = bucket.load(Relaxed);
        bucket.store(before.wrapping_add(1), Relaxed);
        let sum = f64::from_bits(self.sum.load(Relaxed)) + x;
        self.sum.store(sum.to_bits(), Relaxed);
        if x < f64::from_bits(self.min.load(Relaxed)) {
            self.min.store(x.to_bits(), Relaxed);
        }
        if x > f64::from_bits(self.max.load(Relaxed)) {
            self.max.store(x.to_bits(), Relaxed);
        }
        // The last thing there is to do, so that nothing has to be kept for after it.
        !before.is_multiple_of(EXEMPLARS_APART) || self.note(at, x)
    }

    /// The count is the sum of the buckets as they were read.
    pub(crate) fn read(&self) -> HistogramValue {
        let base = self.base.load(Relaxed);
        let bounds = base.checked_sub(CHOSEN).and_then(Bounds::numbered);
        let mut value = if let Some(bounds) = bounds {
            chosen(bounds, &self.buckets)
        } else {
            // The first value may come between the two loads: then it is seen the next time.
            let filled = self.buckets.iter().map(|n| n.load(Relaxed)).enumerate();
            let filled = filled.filter(|(_, n)| *n > 0 && base < EMPTY);
            HistogramValue {
                zero_count: self.zero.load(Relaxed),
                buckets: filled
                    .map(|(at, n)| (index(base.wrapping_sub(FIRST).wrapping_add(at)), n))
                    .collect(),
                scale: SCALE,
                ..HistogramValue::default()
            }
        };
        let of = |cell: &AtomicU64| f64::from_bits(cell.load(Relaxed));
        let sum = of(&self.sum).clamp(f64::MIN, f64::MAX);
        finish(&mut value, sum, of(&self.min), of(&self.max));
        value.exemplars = lock(&self.exemplars).iter().map(|(_, exemplar)| *exemplar).collect();
        value
    }

    /// Keeps a value of that bucket as an exemplar, where it was measured in a span that is kept.
    #[cold]
    fn note(&self, at: usize, x: f64) -> bool {
        let Some(exemplar) = exemplar(x, Some(self.collector.load(Relaxed))) else { return true };
        // Who reads it is done soon, and the next one will do.
        let Ok(mut exemplars) = self.exemplars.try_lock() else { return true };
        exemplars.retain(|(bucket, _)| *bucket != at);
        if exemplars.len() == HistogramValue::MAX_EXEMPLARS {
            exemplars.remove(0);
        }
        exemplars.push((at, exemplar));
        true
    }

    /// Forgets everything; nobody writes to it now.
    pub(crate) fn clear(&self) {
        let empty = Self::new();
        self.base.store(UNSET, Relaxed);
        self.buckets.iter().chain([&self.zero, &self.sum]).for_each(|cell| cell.store(0, Relaxed));
        self.min.store(empty.min.into_inner(), Relaxed);
        self.max.store(empty.max.into_inner(), Relaxed);
        lock(&self.exemplars).clear();
    }
}

/// That value, where this thread is in a span that is kept, of a layer that feeds that collector.
#[cold]
fn exemplar(value: f64, collector: Option<u64>) -> Option<Exemplar> {
    let (trace_id, span_id) = kept_span(collector?)?;
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let time_unix_nano = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    Some(Exemplar { value, time_unix_nano, trace_id, span_id })
}

fn keep_last(exemplars: &mut Vec<Exemplar>, more: &[Exemplar]) {
    exemplars.extend(more);
    exemplars.drain(..exemplars.len().saturating_sub(HistogramValue::MAX_EXEMPLARS));
}

/// The place of a value above 0 among all buckets.
fn slot(x: f64) -> usize {
    place(x).saturating_sub(FIRST).min(OCTAVES * PER_OCTAVE - 1)
}

/// The place where the buckets begin.
const FIRST: usize = (1023 + MIN_EXPONENT) as usize * PER_OCTAVE;

/// The same, counted from the smallest double there is.
#[inline]
fn place(x: f64) -> usize {
    // The double just below, because a bucket holds its upper bound and not its lower one.
    let bits = x.to_bits() - 1;
    let mantissa = bits & MANTISSA;
    // A straight line over the octave is never above the bucket and at most one below it.
    let guess = (mantissa >> (52 - SCALE)) as usize;
    (bits >> 52) as usize * PER_OCTAVE + guess + usize::from(mantissa >= BOUNDS[guess])
}

/// OpenTelemetry's index of the bucket in that place.
fn index(slot: usize) -> i32 {
    slot as i32 + MIN_EXPONENT * PER_OCTAVE as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(x in 1e-18..1e18f64) {
            let h = HistogramValue { scale: SCALE, ..HistogramValue::default() };
            let i = index(slot(x));
            let (lower, upper) = (h.upper_bound(i - 1), h.upper_bound(i));
            prop_assert!(lower * (1.0 - 1e-14) <= x && x <= upper * (1.0 + 1e-14), "{lower} < {x} <= {upper}");
        }

        #[test]
        fn quantiles_are_within_the_documented_error(mut values in prop::collection::vec(1e-6..1e6f64, 1..300)) {
            let histogram = Histogram::new(None);
            values.iter().for_each(|x| histogram.record(*x, None));
            let read = histogram.read();
            values.sort_by(f64::total_cmp);
            for share in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let rank = (share * values.len() as f64).ceil().max(1.0) as usize;
                let (exact, got) = (values[rank - 1], read.quantile(share).unwrap());
                prop_assert!((got / exact - 1.0).abs() < 0.045, "p{share}: {got} for {exact}");
            }
            prop_assert_eq!((read.min, read.max), (values.first().copied(), values.last().copied()));
        }
    }

    #[test]
    fn powers_of_two_belong_to_the_bucket_below_them() {
        for power in -20..20 {
            let x = f64::from(power).exp2();
            assert_eq!(index(slot(x)), power * 8 - 1, "2^{power}");
            assert_eq!(index(slot(x * 1.000_001)), power * 8, "just above 2^{power}");
        }
    }

    #[test]
    fn all_values_are_counted_wherever_they_lie() {
        let histogram = Histogram::new(None);
        for x in [f64::MIN, -1.0, 0.0, f64::MIN_POSITIVE, 1e-300, 1.0, 1e300, f64::MAX] {
            histogram.record(x, None);
        }
        let read = histogram.read();
        assert_eq!((read.count, read.zero_count, read.negative_buckets.len()), (8, 1, 2));
        assert_eq!((read.min, read.max), (Some(f64::MIN), Some(f64::MAX)));
        let middle = read.quantile(0.25).unwrap();
        assert!((-1.045..=-0.955).contains(&middle), "{middle}");
    }

    #[test]
    fn chosen_bounds_hold_their_upper_values_on_a_thread_and_shared() {
        let bounds = Bounds::new(&[-1.0, 0.0, 2.5]).unwrap();
        let (shared, own) = (Histogram::new(bounds), OwnHistogram::new());
        own.choose(1, bounds);
        for x in [-5.0, -1.0, -0.5, 0.0, 1.0, 2.5, 2.6, 1e300] {
            shared.record(x, None);
            assert!(own.record(x));
        }
        let read = own.read();
        assert_eq!(read.buckets, [(0, 2), (1, 2), (2, 2), (3, 2)]);
        assert_eq!((read.count, &read.bounds[..]), (8, &[-1.0, 0.0, 2.5][..]));
        assert_eq!(read, shared.read());
        shared.absorb(&read);
        assert_eq!((shared.read().count, shared.read().buckets[3]), (16, (3, 4)));
    }
}
