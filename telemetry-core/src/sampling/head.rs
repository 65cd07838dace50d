//! The decision when a trace begins, from nothing but its id.

use crate::model::TraceId;

/// Keeps a share of all traces. Every program that samples by the low 56 bits of the trace id, as OpenTelemetry's
/// consistent probability sampling does, keeps the same ones.
///
/// Source: OpenTelemetry specification, "`TraceState`: Probability Sampling".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadSampler {
    /// Ids whose low 56 bits are below this are not kept.
    reject_below: u64,
}

/// What is no ratio.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{0}` is no sampling ratio: it must lie between 0 and 1")]
pub(crate) struct BadRatio(pub f64);

const ALL: u64 = 1 << 56;

/// A threshold has so many hexadecimal digits behind those that are `f`, as OpenTelemetry recommends it: so who samples the
/// same share elsewhere has the same threshold.
const PRECISION: u32 = 4;

/// By what a trace with that id is sampled, where nothing else is said of it.
#[inline]
pub(super) fn randomness(trace: TraceId) -> u64 {
    (trace.get() as u64) & (ALL - 1)
}

impl HeadSampler {
    /// Keeps that share, from 0 (none) to 1 (all).
    pub(crate) fn ratio(ratio: f64) -> Result<Self, BadRatio> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err(BadRatio(ratio));
        }
        let exact = ((1.0 - ratio) * ALL as f64) as u64;
        let leading = (!(exact << 8)).leading_zeros() / 4;
        let unit = 1 << (4 * 14_u32.saturating_sub(leading + PRECISION));
        Ok(Self { reject_below: (exact + unit / 2) / unit * unit })
    }

    /// The threshold, as `tracestate` has it of a trace that this sampler kept.
    pub(super) fn threshold(self) -> String {
        let digits = format!("{:014x}", self.reject_below.min(ALL - 1));
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
    }

    /// Whether a trace with that randomness is kept.
    #[inline]
    pub(super) fn keeps_random(self, randomness: u64) -> bool {
        randomness >= self.reject_below
    }

    /// Whether the trace with that id is kept.
    #[inline]
    pub(crate) fn keeps(self, trace: TraceId) -> bool {
        self.keeps_random(randomness(trace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::new_trace_id;

    #[test]
    fn none_all_and_a_share() {
        let kept = |ratio| {
            let sampler = HeadSampler::ratio(ratio).unwrap();
            (0..100_000).filter(|_| sampler.keeps(new_trace_id())).count()
        };
        assert_eq!((kept(0.0), kept(1.0)), (0, 100_000));
        // Seven standard deviations: one run in 10^11 is outside.
        assert!((9_335..10_665).contains(&kept(0.1)));
    }

    #[test]
    fn a_smaller_ratio_keeps_a_part_of_what_a_greater_one_keeps() {
        let (few, many) = (HeadSampler::ratio(0.2).unwrap(), HeadSampler::ratio(0.6).unwrap());
        assert!((0..10_000).map(|_| new_trace_id()).all(|id| !few.keeps(id) || many.keeps(id)));
    }

    #[test]
    fn a_threshold_has_four_digits_behind_those_that_are_f() {
        for (ratio, threshold) in [
            (1.0, "0"),
            (0.5, "8"),
            (0.25, "c"),
            (1.0 / 3.0, "aaab"),
            (0.1, "e666"),
            (0.01, "fd70a"),
            (0.00001, "ffff583a"),
            (1.0 / (1_u64 << 50) as f64, "ffffffffffffc"),
        ] {
            assert_eq!(HeadSampler::ratio(ratio).unwrap().threshold(), threshold, "{ratio}");
        }
        for ratio in (1..=1000_u32).map(|n| f64::from(n) / 1000.0) {
            let rounded = HeadSampler::ratio(ratio).unwrap().reject_below as f64 / ALL as f64;
            assert!((1.0 - rounded - ratio).abs() <= ratio / 8192.0, "{ratio}");
        }
    }

    #[test]
    fn what_is_no_ratio_is_named() {
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(HeadSampler::ratio(bad).unwrap_err().to_string().contains(&bad.to_string()));
        }
    }
}
