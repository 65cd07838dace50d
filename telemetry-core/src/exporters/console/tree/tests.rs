use proptest::prelude::*;

use super::*;

/// The lines without what stands before the branches and without ids.
fn drawn(traces: &mut Traces, shown: impl IntoIterator<Item = Shown>) -> Vec<String> {
    let mut pen = Pen::new(false);
    shown.into_iter().for_each(|shown| shown.draw(false, traces, &mut pen));
    let after = |line: &str| line.chars().skip(31).collect::<String>();
    pen.text.lines().map(|line| after(line).split(" [").next().unwrap_or_default().to_owned()).collect()
}

fn span(name: &str, times: [u64; 2], id: u64, parent: u64) -> Item {
    Item::of_test(name, times, [1, id, parent])
}

#[test]
fn branches_stand_below_what_they_are_a_part_of_in_the_order_in_which_they_began() {
    let mut traces = Traces::default();
    for item in [
        span("query", [150, 350], 4, 3),
        span("reserve", [100, 400], 3, 2),
        Item::of_test("db: asked", [120, 0], [1, 3, 0]),
        span("charge", [400, 1_100], 5, 2),
        Item::of_test("app: ready", [50, 0], [1, 2, 0]),
    ] {
        assert!(traces.take(item, false).is_none(), "it waits");
    }
    let root = traces.take(span("order", [0, 1_000], 2, 9), true);
    assert_eq!(
        drawn(&mut traces, root),
        [
            "trace  order 1.00µs",
            "event  ├─ app: ready",
            "span   ├─ reserve 300ns 30%",
            "event  │  ├─ db: asked",
            "span   │  └─ query 200ns 20%",
            "span   └─ charge 700ns 70%",
        ]
    );
    assert_eq!((traces.bytes, traces.open.len(), traces.ages.len()), (0, 0, 0));
    let late = traces.take(span("mail", [900, 1_500], 6, 2), false);
    assert_eq!(
        late.as_ref().map(|late| (late.word, late.of.as_deref())),
        Some((Some("late"), Some("order")))
    );
    assert_eq!(drawn(&mut traces, late), ["span   mail 600ns"]);
}

#[test]
fn a_branch_is_drawn_only_so_deep() {
    let mut traces = Traces::default();
    for n in (2..5_000).rev() {
        assert!(traces.take(span("deep", [n, 200_000], n, n - 1), false).is_none());
    }
    let top = traces.take(span("top", [1, 200_000], 1, 0), true);
    let lines = drawn(&mut traces, top);
    assert_eq!(lines.len(), 4_999);
    let widest = "span   ".len() + 41 * 3 + "deep 200µs 100%".chars().count();
    assert_eq!(lines.iter().map(|line| line.chars().count()).max(), Some(widest));
    assert!(lines.last().unwrap().contains("   ⋯ deep"), "{:?}", lines.last());
}

#[test]
fn beyond_so_many_bytes_the_oldest_traces_come_as_lines() {
    let mut traces = Traces::default();
    let mut given_up = Vec::new();
    let each = span("work", [1, 2], 1, 9).bytes() + ART;
    let all = 2 * MOST / each;
    for n in 1..=all as u64 {
        assert!(traces.take(Item::of_test("work", [n, n + 1], [n, n, u64::MAX]), false).is_none());
        given_up.extend(traces.give_up());
        assert!(traces.bytes <= MOST);
    }
    let times: Vec<u64> = given_up.iter().map(|shown| shown.item.time).collect();
    assert!(times.is_sorted() && times.len() >= all - MOST / each && !given_up.iter().any(|s| s.is_top));
    assert_eq!(traces.unfinished().len() + given_up.len(), all);
    assert!(traces.shown.bytes <= MOST_OF_NAMES && traces.shown.order.len() == traces.shown.by_id.len());
}

proptest! {
    /// Whatever is said to be a part of what, in whatever order.
    #[test]
    fn each_item_is_shown_once(
        items in prop::collection::vec((0..3_u64, 1..12_u64, 0..12_u64, prop::bool::ANY, prop::bool::ANY), 0..60),
        every in 1..20_usize,
    ) {
        let (mut traces, mut lines) = (Traces::default(), Vec::new());
        let mut waiting = Vec::new();
        for (n, (trace, id, parent, is_span, is_remote)) in items.iter().enumerate() {
            let start = n as u64 + 1;
            let item = Item::of_test(&n.to_string(), [start, if *is_span { start + 5 } else { 0 }], [*trace, *id, *parent]);
            let is_root = item.parent.is_none() || *is_remote;
            waiting.extend(traces.take(item, is_root && *is_span));
            if n % every == 0 {
                lines.extend(drawn(&mut traces, std::mem::take(&mut waiting)));
            }
        }
        lines.extend(drawn(&mut traces, waiting));
        let unfinished = traces.unfinished();
        lines.extend(drawn(&mut traces, unfinished));
        let rest = traces.rest();
        lines.extend(drawn(&mut traces, rest));
        let name = |line: &String| {
            let mut words = line.split(' ').skip(1);
            words.find_map(|word| word.parse::<usize>().ok())
        };
        let mut names: Vec<_> = lines.iter().map(|line| name(line).unwrap_or(usize::MAX)).collect();
        names.sort_unstable();
        prop_assert_eq!(names, (0..items.len()).collect::<Vec<_>>(), "{:?}", lines);
        prop_assert_eq!((traces.bytes, traces.open.len(), traces.ages.len()), (0, 0, 0));
    }
}
