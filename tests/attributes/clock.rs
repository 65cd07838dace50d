//! A call and its span have the same times.

use telemetry_layer::prelude::*;
use telemetry_tests::recorded;

/// Whether the counter of the machine is what the library measures by.
fn has_counter() -> bool {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    cfg!(target_arch = "x86_64") && std::fs::read_to_string(path).is_ok_and(|clock| clock.trim() == "tsc")
}

#[test]
fn a_call_and_its_span_begin_and_end_with_one_reading_of_the_clock() {
    #[time_me(name = "inner", fields(from = "inner"))]
    fn inner() -> u64 {
        sum()
    }

    fn sum() -> u64 {
        std::hint::black_box((0..2_000).sum())
    }

    // Its span does not open: `tracing` lets a scoped subscriber see nothing while it looks at fields.
    #[time_me]
    fn beneath() -> u64 {
        sum()
    }

    struct Deep;

    impl std::fmt::Debug for Deep {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            std::fmt::Display::fmt(&beneath(), f)
        }
    }

    #[time_me(name = "shown", fields(deep = ?Deep))]
    fn shown() {}

    #[time_me(name = "outer", outcome, fields(sum = inner()))]
    fn outer() -> Result<u64, String> {
        let before = std::time::Instant::now();
        let sum = inner();
        while before.elapsed().as_micros() < 50 {}
        checked(sum)
    }

    #[time_me(name = "checked", outcome, err)]
    fn checked(sum: u64) -> Result<u64, String> {
        Ok(sum + inner())
    }

    let mut metrics = None;
    let kept = recorded(|collector| {
        for _ in 0..20 {
            outer().unwrap();
            shown();
        }
        metrics = Some(collector.snapshot());
    });
    let metrics = metrics.unwrap();
    let timed = |name: &str, spans: usize| {
        let timer = metrics.named(name).next().unwrap().histogram().unwrap();
        let lasted: Vec<u64> =
            kept.spans.iter().filter(|span| span.name == name).map(|span| span.duration_nano).collect();
        assert_eq!((timer.count as usize, lasted.len()), (spans, spans), "{name}");
        (timer.min.unwrap() * 1e9, timer.max.unwrap() * 1e9, lasted)
    };
    for (name, spans) in [("outer", 20), ("shown", 20), ("checked", 20), ("inner", 60)] {
        let (min, max, lasted) = timed(name, spans);
        let (least, most) = (*lasted.iter().min().unwrap() as f64, *lasted.iter().max().unwrap() as f64);
        assert!(least <= min + 1.0 && most <= max + 1.0, "a span is not open longer: {name} {lasted:?}");
        // Of `outer` a call that makes a field comes between its start and that of its span.
        if has_counter() && name != "outer" {
            assert!((least - min).abs() < 2.0, "{name}: {min} as measured, {least} as a span");
        }
    }
    let outer_spans: Vec<_> = kept.spans.iter().filter(|span| span.name == "outer").collect();
    let within = |span: &telemetry_layer::model::Span| {
        outer_spans.iter().any(|outer| {
            Some(outer.span_id) == span.parent_span_id && outer.start_unix_nano <= span.start_unix_nano
        })
    };
    let inside = kept.spans.iter().filter(|span| span.name == "inner").filter(|span| within(span)).count();
    assert_eq!(inside, 20, "a field is made before its span begins");
}

/// Each on a thread of its own, which has no cells and no buffers yet.
#[test]
fn the_first_call_costs_its_metric_what_it_costs_its_span() {
    #[time_me(name = "first")]
    fn first() {}

    #[time_me(name = "first.outcome", outcome, err)]
    fn first_with_outcome() -> Result<(), String> {
        Ok(())
    }

    #[time_me(name = "first.async")]
    async fn first_async() {}

    #[time_me(name = "first.async.outcome", outcome)]
    async fn first_async_with_outcome() -> Result<(), String> {
        Ok(())
    }

    #[time_me(name = "first.async.err", err)]
    async fn first_async_with_error() -> Result<(), String> {
        Ok(())
    }

    type Call = fn();
    let calls: [(&str, Call); 5] = [
        ("first.async.outcome", || telemetry_tests::ready(first_async_with_outcome()).unwrap()),
        ("first.async.err", || telemetry_tests::ready(first_async_with_error()).unwrap()),
        ("first", || first()),
        ("first.outcome", || first_with_outcome().unwrap()),
        ("first.async", || telemetry_tests::ready(first_async())),
    ];
    for (name, call) in calls {
        let mut measured = Vec::new();
        let kept = recorded(|collector| {
            let dispatch = tracing::dispatcher::get_default(Clone::clone);
            for _ in 0..5 {
                let run = || tracing::dispatcher::with_default(&dispatch, || collector.scoped(call));
                std::thread::scope(|scope| scope.spawn(run).join().unwrap());
                let metrics = collector.snapshot();
                measured.push(metrics.named(name).next().unwrap().histogram().unwrap().sum * 1e9);
            }
        });
        let spans = kept.spans.iter().filter(|span| span.name == name);
        let spans: Vec<f64> = spans.map(|span| span.duration_nano as f64).collect();
        assert_eq!(spans.len(), 5, "{name}");
        let (measured, all) = (measured[4], spans.iter().sum::<f64>());
        if has_counter() {
            assert!((measured - all).abs() < 10.0, "{name}: {measured} for {spans:?}");
        }
    }
}
