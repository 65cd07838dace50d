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

impl HeadSampler {
    /// Keeps that share, from 0 (none) to 1 (all).
    pub(crate) fn ratio(ratio: f64) -> Result<Self, BadRatio> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err(BadRatio(ratio));
        }
        Ok(Self { reject_below: ((1.0 - ratio) * ALL as f64) as u64 })
    }

    /// What `tracestate` says of a trace that this sampler kept; nothing where it keeps all.
    pub(crate) fn trace_state(self) -> String {
        if self.reject_below == 0 {
            return String::new();
        }
        let threshold = format!("{:014x}", self.reject_below.min(ALL - 1));
        format!("ot=th:{}", threshold.trim_end_matches('0'))
    }

    /// Whether the trace with that id is kept.
    #[inline]
    pub(crate) fn keeps(self, trace: TraceId) -> bool {
        let low = (trace.get() as u64) & (ALL - 1);
        low >= self.reject_below
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
    fn what_is_no_ratio_is_named() {
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(HeadSampler::ratio(bad).unwrap_err().to_string().contains(&bad.to_string()));
        }
    }
}
