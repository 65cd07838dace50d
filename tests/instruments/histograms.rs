//! Chosen buckets, values below zero, histograms that are wide.

use std::time::Duration;

use telemetry_layer::metrics::View;
use telemetry_layer::model::Buckets;
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
