//! Baggage: apart from the trace, bounded, each name once.

use std::time::{Duration, Instant};

use telemetry_layer::model::TraceContext;

use crate::{PARENT, of, passed_through, sent_on};

/// What is sent on of that list; the same whether a trace comes with it or not, and whether the span is recorded or not.
fn baggage(list: &str) -> Option<String> {
    let with = [("traceparent", PARENT), ("baggage", list)];
    let damaged = [("traceparent", "damaged"), ("baggage", list)];
    let alone = [("baggage", list)];
    let all =
        [sent_on(&with), passed_through(&with), sent_on(&damaged), passed_through(&damaged), sent_on(&alone)];
    let sent = passed_through(&alone);
    all.iter().for_each(|other| assert_eq!(of(other, "baggage"), of(&sent, "baggage")));
    assert!(!sent.contains_key("traceparent"), "nothing is known of a trace");
    of(&sent, "baggage").map(str::to_owned)
}

#[test]
fn it_goes_on_with_a_trace_and_without() {
    for (came, sent) in [
        ("tenant=a", "tenant=a"),
        ("a=1,b=2;ttl=30;secret,c=", "a=1,b=2;ttl=30;secret,c="),
        (" a = 1 ;\tttl = 30 ; secret ,\tb=2 ", "a=1;ttl=30;secret,b=2"),
        ("a=x%20y%2C%3B%22%5C%25", "a=x%20y%2C%3B%22%5C%25"),
        ("a=%c3%A9", "a=%C3%A9"),
        // What others left as it is, though it is no part of a value.
        ("a=x y\"z", "a=x%20y%22z"),
        ("a=b=c", "a=b=c"),
        // What is no escape stands for itself.
        ("a=100%,b=%zz%4", "a=100%25,b=%25zz%254"),
        ("a=%ff", "a=%EF%BF%BD"),
        ("a=1,no entry,=2,b c=3,d(=4,e=5", "a=1,e=5"),
        ("a=1;=x;ok;b c;d=\"q\"", "a=1;ok"),
        ("!#$%&'*+-.^_`|~=1", "!#$%&'*+-.^_`|~=1"),
    ] {
        assert_eq!(baggage(came).as_deref(), Some(sent), "{came}");
    }
    assert_eq!(baggage("no entry"), None);
}

#[test]
fn of_a_name_that_comes_twice_the_latest_counts() {
    assert_eq!(baggage("a=1;old,b=2,a=3").as_deref(), Some("a=3,b=2"));
    assert_eq!(baggage("a=1,A=2").as_deref(), Some("a=1,A=2"), "case matters");
    let mut context =
        TraceContext::default().with_baggage("a", "1").with_baggage("b", "2").with_baggage("a", "3");
    context.baggage.push(("b".to_owned(), "4".to_owned()));
    assert_eq!(
        (context.baggage("a"), context.baggage("b"), context.baggage("c")),
        (Some("3"), Some("4"), None)
    );
    let mut sent = Vec::new();
    context.inject(|name, value| sent.push((name, value)));
    assert_eq!(sent, [("baggage", "a=3,b=4".to_owned())]);
}

#[test]
fn more_than_everybody_has_to_send_on_is_sent_on() {
    let list = (0..64).map(|n| format!("key{n:02}={}", "x".repeat(121))).collect::<Vec<_>>().join(",");
    assert_eq!(list.len(), 8191);
    assert_eq!(baggage(&list), Some(list));
    let many = (0..TraceContext::MAX_BAGGAGE_MEMBERS).map(|n| format!("k{n}=v")).collect::<Vec<_>>();
    assert_eq!(baggage(&many.join(",")), Some(many.join(",")));
    assert_eq!(baggage(&format!("{},more=1", many.join(","))), Some(many.join(",")));
}

#[test]
fn an_entry_without_room_takes_no_other_with_it() {
    let huge = "x".repeat(TraceContext::MAX_BAGGAGE);
    assert_eq!(baggage(&format!("a=1,huge={huge},b=2")).as_deref(), Some("a=1,b=2"));
    // A value that grows where it is written counts as what it becomes.
    let grows = "\"".repeat(TraceContext::MAX_BAGGAGE / 3);
    assert_eq!(baggage(&format!("grows={grows},b=2")).as_deref(), Some("b=2"));
    assert_eq!(
        baggage(&format!("a=1,b=2,a={huge}")).as_deref(),
        Some("b=2"),
        "the old value is not the latest"
    );
    let exactly = format!("a={}", &huge[2..]);
    assert_eq!(baggage(&exactly), Some(exactly.clone()));
    assert_eq!(baggage(&format!("{exactly}x")), None);
}

/// Where each entry was compared with all before it, this took minutes.
#[test]
fn the_time_it_takes_is_linear() {
    let lists = [
        (0..150_000).map(|n| format!("{n:x}=")).collect::<Vec<_>>().join(","),
        (0..150_000).map(|n| format!("{n:x}=;p")).collect::<Vec<_>>().join(","),
        vec!["a=1"; 300_000].join(","),
        format!("a=1{}", ";p=1".repeat(300_000)),
        format!("a={}", "%41".repeat(300_000)),
        format!("{}b=2", ",".repeat(1_000_000)),
    ];
    let start = Instant::now();
    for list in &lists {
        let read = TraceContext::extract(|name| (name == "baggage").then_some(&**list)).unwrap_or_default();
        assert!(read.baggage.len() <= TraceContext::MAX_BAGGAGE_MEMBERS);
        read.inject(|_, value| assert!(value.len() <= TraceContext::MAX_BAGGAGE));
    }
    let mut by_hand = TraceContext::default();
    by_hand.baggage = (0..100_000).map(|n| (format!("{n:x}"), String::new())).collect();
    by_hand.baggage_properties = (0..100_000).map(|n| (format!("{n:x}"), "p".to_owned())).collect();
    by_hand.inject(|_, value| assert!(value.ends_with(";p") && value.len() <= TraceContext::MAX_BAGGAGE));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
