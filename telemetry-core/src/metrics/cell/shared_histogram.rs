//! What all threads share of a histogram series: any of them writes, snapshots read.
//!
//! Exponential buckets come in blocks of four octaves, made when something first falls into them. Those of values beyond
//! `2^-64 .. 2^64`, which hardly anybody records, stand in a list, and get coarser when it would become long.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::buckets::chosen;
use super::exemplar::{EXEMPLARS_APART, exemplar, keep_last};
use super::number::Float;
use crate::metrics::site::Bounds;
use crate::model::exponential::{PER_OCTAVE, SCALE, index};
use crate::model::{Buckets, Exemplar, HistogramValue};
use crate::sync::{Mutex, lock};

const BLOCK: usize = 4 * PER_OCTAVE;
const BLOCKS: usize = 32;
/// The index of the first bucket of the first block.
const FIRST: i32 = -64 * PER_OCTAVE as i32;
/// The list of the others spans at most so many places on each side of 0, as an exported histogram does.
const MOST_PLACES: usize = 320;

/// What all threads share of one series.
#[derive(Debug)]
pub(crate) struct SharedHistogram {
    cells: Cells,
    sum: Float,
    min: Float,
    max: Float,
    /// In no order, and perhaps several of a bucket.
    exemplars: Mutex<Vec<Exemplar>>,
}

#[derive(Debug)]
enum Cells {
    Exponential {
        positive: Box<Blocks>,
        zero: AtomicU64,
        negative: OnceLock<Box<Blocks>>,
        far: OnceLock<Box<Mutex<Buckets>>>,
    },
    Chosen {
        bounds: Bounds,
        counts: Box<[AtomicU64]>,
    },
}

impl SharedHistogram {
    /// What one takes that holds a value.
    pub(crate) const LEAST_BYTES: usize =
        size_of::<Self>() + size_of::<Blocks>() + size_of::<[AtomicU64; BLOCK]>();

    /// With exponential buckets, or with those bounds.
    pub(crate) fn new(bounds: Option<Bounds>) -> Self {
        let cells = match bounds {
            None => Cells::Exponential {
                positive: Box::default(),
                zero: AtomicU64::new(0),
                negative: OnceLock::new(),
                far: OnceLock::new(),
            },
            Some(bounds) => {
                Cells::Chosen { bounds, counts: (0..=bounds.list.len()).map(|_| AtomicU64::new(0)).collect() }
            }
        };
        let (min, max) = (Float::new(f64::INFINITY), Float::new(f64::NEG_INFINITY));
        Self { cells, sum: Float::new(0.0), min, max, exemplars: Mutex::default() }
    }

    pub(crate) fn bounds(&self) -> Option<Bounds> {
        match self.cells {
            Cells::Exponential { .. } => None,
            Cells::Chosen { bounds, .. } => Some(bounds),
        }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let cells = match &self.cells {
            Cells::Exponential { positive, negative, .. } => {
                positive.bytes() + negative.get().map_or(0, |blocks| blocks.bytes())
            }
            Cells::Chosen { counts, .. } => size_of_val(&**counts),
        };
        size_of::<Self>() + cells + lock(&self.exemplars).capacity() * size_of::<Exemplar>()
    }

    /// Takes a finite value, measured for that collector.
    pub(crate) fn record(&self, x: f64, collector: u64) {
        let before = match &self.cells {
            Cells::Chosen { bounds, counts } => counts[bounds.place(x)].fetch_add(1, Relaxed),
            Cells::Exponential { zero, .. } if x == 0.0 => zero.fetch_add(1, Relaxed),
            Cells::Exponential { .. } => self.cells.add(x < 0.0, index(x.abs()), 1),
        };
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
        let mut octaves = None;
        let buckets = match &self.cells {
            Cells::Chosen { bounds, counts } => chosen(*bounds, counts),
            Cells::Exponential { positive, zero, negative, far } => {
                let mut all = Buckets::Exponential {
                    scale: SCALE,
                    zero_count: zero.load(Relaxed),
                    positive: positive.read(),
                    negative: negative.get().map(|blocks| blocks.read()).unwrap_or_default(),
                };
                if let Some(far) = far.get() {
                    let far = lock(far);
                    octaves = all.octaves_with(&far).map(Box::new);
                    all.merge(&far);
                }
                all
            }
        };
        let (sum, ends) = (self.sum.get(), [self.min.get(), self.max.get()]);
        let read = HistogramValue::of(buckets, sum, ends, lock(&self.exemplars).clone());
        HistogramValue { octaves, ..read }
    }

    /// Takes all that a thread's own histogram has seen, which never has negative buckets.
    pub(crate) fn absorb(&self, other: &HistogramValue) {
        match (&self.cells, &other.buckets) {
            (Cells::Chosen { counts, .. }, Buckets::Explicit { counts: more, .. }) => {
                for (count, n) in counts.iter().zip(more) {
                    count.fetch_add(*n, Relaxed);
                }
            }
            (Cells::Exponential { zero, .. }, Buckets::Exponential { positive, zero_count, .. }) => {
                zero.fetch_add(*zero_count, Relaxed);
                for (index, n) in positive {
                    self.cells.add(false, *index, *n);
                }
            }
            // A thread's own histogram has the buckets of its series, from its first value on.
            _ => {}
        }
        self.sum.add(other.sum);
        other.min.into_iter().for_each(|x| self.min.lower_to(x));
        other.max.into_iter().for_each(|x| self.max.raise_to(x));
        keep_last(&mut lock(&self.exemplars), &other.exemplars);
    }
}

impl Cells {
    /// Adds to an exponential bucket, and says what was in it before; of one that is far from the others, what was in all
    /// of these.
    fn add(&self, is_negative: bool, index: i32, n: u64) -> u64 {
        let Self::Exponential { positive, negative, far, .. } = self else { return 0 };
        match usize::try_from(index - FIRST) {
            Ok(at) if at < BLOCK * BLOCKS && is_negative => {
                negative.get_or_init(Box::default).bucket(at).fetch_add(n, Relaxed)
            }
            Ok(at) if at < BLOCK * BLOCKS => positive.bucket(at).fetch_add(n, Relaxed),
            _ => {
                let one = Buckets::one(is_negative, index, n);
                let none = || Mutex::new(Buckets::one(false, index, 0)).into();
                let mut far = lock(far.get_or_init(none));
                let before = far.count();
                far.merge(&one);
                // Of what it was before nothing is kept: it holds nothing that lies among the others.
                let _ = far.thin(MOST_PLACES);
                before
            }
        }
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

    fn bytes(&self) -> usize {
        let blocks = self.0.iter().filter(|block| block.get().is_some()).count();
        size_of::<Self>() + blocks * size_of::<[AtomicU64; BLOCK]>()
    }

    fn read(&self) -> Vec<(i32, u64)> {
        let filled = self.0.iter().enumerate().filter_map(|(i, block)| Some((i, block.get()?)));
        let all = filled.flat_map(|(i, block)| {
            block.iter().enumerate().map(move |(j, n)| (FIRST + (i * BLOCK + j) as i32, n.load(Relaxed)))
        });
        all.filter(|(_, n)| *n > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_are_within_the_documented_error(mut values in prop::collection::vec(1e-6..1e6f64, 1..300)) {
            let histogram = SharedHistogram::new(None);
            values.iter().for_each(|x| histogram.record(*x, 0));
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
    fn all_values_are_counted_wherever_they_lie() {
        let histogram = SharedHistogram::new(None);
        for x in [f64::MIN, -1.0, 0.0, f64::MIN_POSITIVE, 1e-300, 1.0, 1e300, f64::MAX] {
            histogram.record(x, 0);
        }
        let read = histogram.read();
        let Buckets::Exponential { zero_count, negative, .. } = &read.buckets else { panic!("{read:?}") };
        assert_eq!((read.count, *zero_count, negative.len()), (8, 1, 2));
        assert_eq!((read.min, read.max), (Some(f64::MIN), Some(f64::MAX)));
        let middle = read.clone().thinned(MOST_PLACES).quantile(0.25).unwrap();
        assert!((-16.0..=-1.0 / 16.0).contains(&middle), "{middle}");
    }
}
