//! Chosen buckets, values below zero, histograms that are wide.

use std::time::Duration;

use proptest::prelude::*;
use telemetry_layer::metrics::View;
use telemetry_layer::model::{Buckets, HistogramValue};
use telemetry_layer::testing::assert_histogram;

use crate::{builder, ending, flush_after, one};

#[test]
fn chosen_buckets_are_exact_on_many_threads_and_after_them() {
    let collector = builder().start().unwrap();
    let sizes = collector.histogram("size").unit("By").buckets(&[10.0, 100.0]);
    let times = collector.timer("time").buckets(&[0.001, 1.0]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                collector.scoped(|| {
                    for n in 0..200 {
                        sizes.record(n);
                        sizes.with(&[("k", "v")]).record(n);
                        times.record(Duration::from_millis(n));
                    }
                });
            });
        }
    });
    let metrics = collector.snapshot();
    for metric in metrics.named("size") {
        let size = metric.histogram().unwrap();
        assert_eq!(size.buckets.bounds(), Some(&[10.0, 100.0][..]));
        let counted: Vec<_> = size.by_upper_bound().collect();
        assert_eq!(counted, [(10.0, 44), (100.0, 360), (f64::INFINITY, 396)], "{}", metric.own_tags());
        assert_eq!((size.count, size.min, size.max), (800, Some(0.0), Some(199.0)));
    }
    assert!(one(&metrics, "time").histogram().unwrap().by_upper_bound().eq([(0.001, 8), (1.0, 792)]));
}

#[test]
fn buckets_that_cannot_be_are_not_taken_and_nothing_else_is_lost() {
    let collector = builder().start().unwrap();
    collector.histogram("h").buckets(&[3.0, 1.0]).record(2);
    let metrics = collector.snapshot();
    assert_histogram(&metrics, "h", &[], 1, 2.0);
    assert!(one(&metrics, "h").histogram().unwrap().buckets.bounds().is_none());
}

#[test]
fn values_below_zero_have_buckets_and_quantiles() {
    let collector = builder().start().unwrap();
    let heat = collector.histogram("heat");
    collector.scoped(|| (-100..=100).for_each(|n| heat.record(n)));
    let metrics = collector.snapshot();
    let heat = one(&metrics, "heat").histogram().unwrap();
    assert_eq!((heat.count, heat.buckets.zero_count(), heat.sum), (201, 1, 0.0));
    for (share, exact) in [(0.0, -100.0), (0.25, -50.0), (0.5, 0.0), (0.75, 50.0), (1.0, 100.0)] {
        let got: f64 = heat.quantile(share).unwrap();
        assert!((got - exact).abs() <= 0.045 * f64::abs(exact), "p{share}: {got} for {exact}");
    }
}

#[test]
fn a_very_wide_histogram_is_thinned_and_keeps_its_count() {
    let collector = builder().view(View::new("narrow").max_buckets(20)).start().unwrap();
    for name in ["wide", "narrow"] {
        let histogram = collector.histogram(name);
        (-60..60).for_each(|power| histogram.record(f64::from(power).exp2()));
    }
    let metrics = collector.snapshot();
    for (name, places) in [("wide", 320), ("narrow", 20)] {
        let histogram = one(&metrics, name).histogram().unwrap();
        let Buckets::Exponential { scale, positive, .. } = &histogram.buckets else { panic!("{name}") };
        let (first, last) = (positive[0].0, positive.last().unwrap().0);
        assert!(last - first < places && *scale < 3, "{name}: {first}..{last}");
        assert_eq!((histogram.count, histogram.max), (120, Some(59f64.exp2())));
    }
}

#[test]
fn a_quantile_above_all_bounds_is_the_last_of_them_where_nobody_knows_more() {
    let (clock, deltas, collector) = ending();
    collector.histogram("h").buckets(&[1.0, 2.0]).record(50);
    flush_after(&clock, &collector, 1);
    let delta = &deltas.all()[0];
    assert!(delta.histogram().unwrap().quantile(0.99).is_some_and(|q| q > 2.0 && q <= 50.0));
    collector.histogram("h").buckets(&[1.0, 2.0]).record(60);
    flush_after(&clock, &collector, 1);
    assert_eq!(deltas.all()[1].histogram().unwrap().quantile(0.99), Some(2.0));
}

/// The buckets of an exponential histogram: bounds, the lower of which a bucket does not hold, and count.
fn with_bounds(histogram: &HistogramValue) -> Vec<(f64, f64, u64)> {
    let Buckets::Exponential { positive, negative, .. } = &histogram.buckets else { panic!("{histogram:?}") };
    let (zero, below) = (histogram.buckets.zero_count(), negative.len());
    // The upper bound of a bucket is the lower one of the next.
    let mut next = histogram.clone();
    let Buckets::Exponential { positive: upper, negative: lower, .. } = &mut next.buckets else { panic!() };
    upper.iter_mut().for_each(|(index, _)| *index -= 1);
    lower.iter_mut().for_each(|(index, _)| *index += 1);
    let zeros = usize::from(zero > 0);
    assert_eq!(histogram.by_upper_bound().count(), below + zeros + positive.len());
    let both = histogram.by_upper_bound().zip(next.by_upper_bound());
    let both = both.map(|((upper, n), (lower, _))| (lower, upper, n));
    both.collect()
}

const CHOSEN: [f64; 8] = [f64::MIN, -1.0, -5e-324, 0.0, 5e-324, f64::MIN_POSITIVE, 1.0, f64::MAX];

fn holds((lower, upper): (f64, f64), x: f64) -> bool {
    match x {
        x if x < 0.0 => lower <= x && x < upper,
        x if x > 0.0 => lower < x && x <= upper,
        _ => (lower, upper) == (0.0, 0.0),
    }
}

fn finite() -> impl Strategy<Value = f64> {
    let bits = any::<u64>().prop_map(f64::from_bits);
    let subnormal = (0..1u64 << 52, any::<bool>())
        .prop_map(|(bits, is_negative)| f64::from_bits(bits | u64::from(is_negative) << 63));
    let powers = (-1074..1024, any::<bool>()).prop_map(|(power, is_negative)| {
        let power = f64::from(power).exp2();
        if is_negative { -power } else { power }
    });
    let ends =
        prop::sample::select(vec![f64::MAX, f64::MIN, f64::MIN_POSITIVE, 0.0, -0.0, 5e-324, -5e-324, 1.0]);
    prop_oneof![4 => bits, 2 => subnormal, 2 => powers, 1 => ends].prop_filter("finite", |x| x.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn every_finite_value_lies_within_the_bounds_of_its_bucket(
        values in prop::collection::vec(finite(), 1..20),
        places in 2..400usize,
    ) {
        let collector = builder().start().unwrap();
        let (own, chosen) = (collector.histogram("own"), collector.histogram("chosen").buckets(&CHOSEN));
        collector.scoped(|| values.iter().for_each(|x| {
            own.record(*x);
            chosen.record(*x);
        }));
        let metrics = collector.snapshot();
        let exported = one(&metrics, "own").histogram().unwrap().clone();
        for histogram in [exported.clone(), exported.thinned(places)] {
            let buckets = with_bounds(&histogram);
            for (lower, upper, n) in &buckets {
                let inside = values.iter().filter(|x| holds((*lower, *upper), **x)).count();
                prop_assert_eq!(inside as u64, *n, "{:e} .. {:e}: {:?}", lower, upper, values);
            }
            prop_assert_eq!(buckets.iter().map(|(.., n)| n).sum::<u64>(), values.len() as u64);
        }
        let mut lower = f64::NEG_INFINITY;
        let chosen = one(&metrics, "chosen").histogram().unwrap();
        let Buckets::Explicit { bounds, counts, .. } = &chosen.buckets else { panic!("{chosen:?}") };
        for (upper, n) in bounds.iter().copied().chain([f64::INFINITY]).zip(counts) {
            let inside = values.iter().filter(|x| lower < **x && **x <= upper).count();
            prop_assert_eq!(inside as u64, *n, "{:e} .. {:e}: {:?}", lower, upper, values);
            lower = upper;
        }
    }

    #[test]
    fn quantiles_are_as_exact_as_is_said_of_their_range(
        range in prop::sample::select(vec![
            (12, 0.045), (24, 0.091), (48, 0.19), (96, 0.42), (192, 1.0), (384, 3.0), (631, 15.0),
        ]),
        from in 0.0..1.0f64,
        places in prop::collection::vec(0.0..=1.0f64, 1..200),
        is_negative: bool,
    ) {
        let (powers, error) = range;
        // In powers of ten, and somewhere between the smallest and the greatest double.
        let first = -323.3 + from * (631.5 - f64::from(powers)).max(0.0);
        let value = |place: f64| 10f64.powf(first + place * f64::from(powers) * 0.999_99).clamp(5e-324, f64::MAX);
        let sign = if is_negative { -1.0 } else { 1.0 };
        let mut values: Vec<f64> = places.iter().map(|place| sign * value(*place)).collect();
        let collector = builder().start().unwrap();
        let histogram = collector.histogram("h");
        collector.scoped(|| values.iter().for_each(|x| histogram.record(*x)));
        values.sort_by(f64::total_cmp);
        let metrics = collector.snapshot();
        let mut histogram = one(&metrics, "h").histogram().unwrap().clone();
        // A delta does not know them.
        (histogram.min, histogram.max) = (None, None);
        for share in [0.0, 0.1, 0.5, 0.9, 0.99, 1.0] {
            let rank = (share * values.len() as f64).ceil().max(1.0) as usize;
            let (exact, got) = (values[rank - 1].abs(), histogram.quantile(share).unwrap().abs());
            let (least, most) = (exact / (1.0 + error) - 5e-324, exact * (1.0 + error) + 5e-324);
            prop_assert!(least <= got && got <= most, "p{}: {:e} for {:e}", share, got, exact);
        }
    }
}

#[test]
fn histograms_whose_counts_a_program_made_are_merged_as_far_as_numbers_go() {
    let full = |set: fn(&mut Buckets)| {
        let mut full = HistogramValue::default();
        full.count = u64::MAX;
        full.sum = f64::MAX;
        set(&mut full.buckets);
        full
    };
    let exponential = full(|buckets| {
        if let Buckets::Exponential { zero_count, positive, negative, .. } = buckets {
            *zero_count = u64::MAX;
            *positive = vec![(i32::MAX, u64::MAX), (3, u64::MAX), (3, u64::MAX)];
            *negative = vec![(i32::MIN, u64::MAX)];
        }
    });
    let json =
        r#"{"explicit": {"bounds": [1.0, 2.0], "counts": [18446744073709551615, 1, 18446744073709551615]}}"#;
    let mut explicit = full(|_| {});
    explicit.buckets = serde_json::from_str(json).unwrap();
    let other_bounds =
        r#"{"explicit": {"bounds": [0.5], "counts": [18446744073709551615, 18446744073709551615]}}"#;
    let mut other = full(|_| {});
    other.buckets = serde_json::from_str(other_bounds).unwrap();
    let all = [exponential, explicit, other];
    for (one, another) in all.iter().flat_map(|one| all.iter().map(move |another| (one, another))) {
        let mut merged = one.clone();
        merged.merge(another);
        assert_eq!((merged.count, merged.buckets.count(), merged.sum), (u64::MAX, u64::MAX, f64::MAX));
        assert!(merged.by_upper_bound().all(|(_, n)| n > 0));
        assert!(merged.quantile(0.5).is_some_and(f64::is_finite), "{merged:?}");
        assert!(merged.thinned(2).quantile(1.0).is_some_and(f64::is_finite));
    }
}
