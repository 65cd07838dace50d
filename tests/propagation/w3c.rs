//! The cases of W3C's harness for Trace Context, and what level 2 says beyond them.

use crate::{PARENT, SPAN, TRACE, of, passed_through, sent_on};
use telemetry_layer::model::TraceContext;

/// The trace that a server goes on with.
fn trace(lines: &[(&str, &str)]) -> String {
    let sent = sent_on(lines);
    let parent = of(&sent, "traceparent").unwrap();
    let parts: Vec<&str> = parent.split('-').collect();
    assert_eq!((parts.len(), parts[0], parts[1].len(), parts[2].len()), (4, "00", 32, 16), "{parent}");
    assert_ne!(parts[2], SPAN, "the span is another one");
    parts[1].to_owned()
}

/// What is sent on of a `tracestate` in those lines; the same whether the span is recorded or not.
fn state(lines: &[&str]) -> Option<String> {
    let mut all = vec![("traceparent", PARENT)];
    all.extend(lines.iter().map(|line| ("tracestate", *line)));
    let (sent, passed) = (sent_on(&all), passed_through(&all));
    assert_eq!((of(&passed, "traceparent"), sent["traceparent"] == PARENT), (Some(PARENT), false));
    assert_eq!(of(&sent, "tracestate"), of(&passed, "tracestate"));
    assert_eq!(sent.get_all("tracestate").iter().count(), sent.len() - 1);
    of(&sent, "tracestate").map(str::to_owned)
}

#[test]
fn a_parent_that_follows_the_grammar_is_taken() {
    let id = format!("{TRACE}-{SPAN}");
    for parent in [
        PARENT.to_owned(),
        format!("00-{id}-00"),
        format!("00-{id}-ff"),
        format!(" \t{PARENT}\t "),
        // Of a version to come the first four parts mean the same.
        format!("cc-{id}-01"),
        format!("cc-{id}-01-what-will-be"),
        format!("01-{id}-09-"),
    ] {
        assert_eq!(trace(&[("traceparent", &parent)]), TRACE, "{parent:?}");
    }
}

#[test]
fn one_that_does_not_begins_a_trace_and_takes_its_state_with_it() {
    let id = format!("{TRACE}-{SPAN}");
    for parent in [
        String::new(),
        format!("00-{id}"),
        format!("00-{id}-"),
        format!("00-{id}-01-"),
        format!("00-{id}-01-what-will-be"),
        format!("00-{id}-01.what-will-be"),
        format!("cc-{id}-01.what-will-be"),
        format!("ff-{id}-01"),
        format!("0-{id}-01"),
        format!("000-{id}-01"),
        format!(".0-{id}-01"),
        format!("0A-{id}-01"),
        format!("00-{id}-.0"),
        format!("00-{id}-0"),
        format!("00-{id}-001"),
        format!("00-{id}-0A"),
        format!("00-{id}-+1"),
        format!("00-{}-01", id.to_uppercase()),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-.{}-{SPAN}-01", &TRACE[1..]),
        format!("00-{}-{SPAN}-01", &TRACE[1..]),
        format!("00-0{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{TRACE}-{}.-01", &SPAN[1..]),
        format!("00-{TRACE}-{}-01", &SPAN[1..]),
        format!("00-{TRACE}-0{SPAN}-01"),
        format!("00-{TRACE}{SPAN}-01"),
        format!("{PARENT},{PARENT}"),
    ] {
        let lines = [("traceparent", &*parent), ("tracestate", "vendor=1")];
        assert_ne!(trace(&lines), TRACE, "{parent:?}");
        assert_eq!(of(&sent_on(&lines), "tracestate"), Some("ot=th:0"), "{parent:?}");
        assert!(passed_through(&lines).is_empty(), "{parent:?}");
    }
    assert_ne!(trace(&[]), TRACE);
    let other = format!("00-{}-{SPAN}-01", TRACE.replace('4', "5"));
    let of_two = trace(&[("traceparent", PARENT), ("traceparent", &other)]);
    assert!(of_two != TRACE && !other.contains(&of_two), "nobody knows which of two it is");
    assert!(passed_through(&[("tracestate", "vendor=1")]).is_empty());
}

#[test]
fn bytes_that_are_no_text_are_no_parent() {
    let lines =
        [("traceparent", &[PARENT.as_bytes(), b"\xff"].concat()[..]), ("baggage", b"a=1,\xff=2,b=\xff")];
    let passed = passed_through(&lines);
    assert_eq!((of(&passed, "traceparent"), of(&passed, "baggage")), (None, Some("a=1,b=%EF%BF%BD")));
    let lines = [("traceparent", PARENT.as_bytes()), ("tracestate", b"a=1"), ("tracestate", b"b=\xff")];
    assert_eq!(of(&passed_through(&lines), "tracestate"), None);
}

#[test]
fn the_flags_that_are_known_are_handed_on() {
    for (came, sent) in [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("fc", "00")] {
        let parent = format!("00-{TRACE}-{SPAN}-{came}");
        for headers in [sent_on(&[("traceparent", &parent)]), passed_through(&[("traceparent", &parent)])] {
            assert!(headers["traceparent"].to_str().unwrap().ends_with(sent), "{came}: {headers:?}");
        }
    }
}

#[test]
fn a_state_that_follows_the_grammar_goes_on_as_it_came() {
    let (long_key, long_value) = (format!("{}=1", "z".repeat(256)), format!("a={}", "z".repeat(256)));
    for list in [
        "foo=1",
        "foo=1,bar=2",
        "bar=2,foo=1",
        "foo=1,",
        ",foo=1",
        "foo=1,,,bar=2",
        "foo=1 \t , \t bar=2, \t baz=3",
        "foo= 1",
        "0=1",
        "tenant@system=1",
        "foo@@bar=1",
        "abcdefghijklmnopqrstuvwxyz0123456789_-*/@=1",
        "foo= !\"#$%&'()*+-./0123456789:;<>?@ABCXYZ[\\]^_`abcxyz{|}~",
        &long_key,
        &long_value,
    ] {
        assert_eq!(state(&[list]).as_deref(), Some(list));
    }
    assert_eq!(state(&[" \tfoo=1\t "]).as_deref(), Some("foo=1"));
}

#[test]
fn one_that_does_not_is_discarded_as_a_whole() {
    let (long_key, long_value) = (format!("{}=1", "z".repeat(257)), format!("a={}", "z".repeat(257)));
    for list in [
        "foo",
        "=1",
        "foo=",
        "foo =1",
        "FOO=1",
        "foO=1",
        "foo.bar=1",
        "_foo=1",
        "@foo=1",
        "-foo=1",
        "foo=bar=baz",
        "foo=a\tb",
        "foo=1;bar=2=3",
        &long_key,
        &long_value,
    ] {
        for lines in [vec![list], vec!["good=1", list], vec![list, "good=1"]] {
            assert_eq!(state(&lines), None, "{lines:?}");
        }
    }
    assert_eq!(state(&["foo=,bar=3"]), None);
    for twice in ["foo=1,foo=1", "foo=1,foo=2", "foo=1,bar=2,foo=3", "foo=1, foo=2"] {
        assert_eq!(state(&[twice]), None, "{twice}");
    }
    assert_eq!(state(&["foo=1", "foo=2"]), None);
    for nothing in ["", ",", " , ,\t"] {
        assert_eq!(state(&[nothing]), None, "{nothing:?}");
    }
}

#[test]
fn lines_are_one_list() {
    assert_eq!(
        state(&["foo=1,bar=2", "rojo=1,congo=2", "baz=3"]).unwrap(),
        "foo=1,bar=2,rojo=1,congo=2,baz=3"
    );
    for lines in [["", "foo=1"], ["foo=1", ""]] {
        assert_eq!(state(&lines).unwrap().trim_matches(','), "foo=1");
    }
}

#[test]
fn more_than_32_members_are_none() {
    let members = |many: usize| (0..many).map(|n| format!("m{n:02}=1")).collect::<Vec<_>>();
    assert_eq!(state(&[&members(32).join(",")]), Some(members(32).join(",")));
    let (first, second) = (members(17).join(","), members(32)[17..].join(","));
    assert_eq!(state(&[&first, &second]), Some(members(32).join(",")));
    assert_eq!(state(&[&members(33).join(",")]), None);
    assert_eq!(state(&[&members(40).join(",")]), None);
}

#[test]
fn a_state_that_is_too_long_loses_long_members_first() {
    let member = |key: &str, len: usize| format!("{key}={}", "x".repeat(len - key.len() - 1));
    let join = |all: &[&str]| all.join(",");
    let (short, long, longer) = (member("s", 128), member("l", 129), member("m", 250));
    let (t, u, v) = (member("t", 128), member("u", 128), member("v", 126));
    for (came, sent) in [
        // 512 bytes are not too long.
        (join(&[&short, &t, &u, &member("w", 125)]), join(&[&short, &t, &u, &member("w", 125)])),
        (join(&[&short, &t, &u, &v]), join(&[&short, &t, &u])),
        (join(&[&long, &short, &t, &u]), join(&[&short, &t, &u])),
        (join(&[&short, &longer, &t, &long]), join(&[&short, &longer, &t])),
        (join(&[&member("a", 602), "b=2"]), "b=2".to_owned()),
        (join(&["b=2", &member("a", 602)]), "b=2".to_owned()),
    ] {
        assert!(came.len() <= TraceContext::MAX_STATE || came != sent);
        assert_eq!(state(&[&came]), Some(sent), "{came}");
    }
    assert_eq!(state(&[&member("a", 602)]), None, "nothing is left");
    assert_eq!(state(&[&join(&[&member("a", 602), "B=2"])]), None, "a grammar is one for all members");
}

/// The lines of a request.
fn written(context: &TraceContext) -> String {
    let mut lines = Vec::new();
    context.inject(|name, value| lines.push(format!("{name}: {value}\n")));
    lines.concat()
}

/// Transports that are not HTTP let everything through.
#[test]
fn nothing_that_is_sent_breaks_out_of_its_header() {
    let sent = |name: &'static str, value: &str| {
        let get = |asked: &str| match asked {
            "traceparent" => Some(PARENT),
            _ => (asked == name).then_some(value),
        };
        written(&TraceContext::extract(get).unwrap())
    };
    let only_parent = format!("traceparent: {PARENT}\n");
    for text in
        ["a=b\r\nX-Admin: 1\r\n\r\n\x1b[2J", "a=1,b=\0", "a=1\n", "\u{2028}a=1", "a=\u{e9}", "a=1\u{a0}"]
    {
        assert_eq!(sent("tracestate", text), only_parent, "{text:?}");
        let lines = sent("baggage", text);
        assert!(
            lines.lines().count() <= 2 && lines.bytes().all(|b| b == b'\n' || (b' '..0x7f).contains(&b)),
            "{lines:?}"
        );
    }
    let by_hand = |change: fn(&mut TraceContext)| {
        let mut context = TraceContext::extract(|name| (name == "traceparent").then_some(PARENT)).unwrap();
        change(&mut context);
        written(&context)
    };
    assert_eq!(by_hand(|context| context.trace_state = "a=1\r\nb: 2".to_owned()), only_parent);
    let name = |context: &mut TraceContext| context.baggage.push(("a\r\nb".to_owned(), "1".to_owned()));
    assert_eq!(by_hand(name), only_parent);
    let properties = |context: &mut TraceContext| {
        context.baggage.push(("a".to_owned(), "1\r\n".to_owned()));
        context.baggage_properties.push(("a".to_owned(), "x\r\ny: z;fine".to_owned()));
    };
    assert_eq!(by_hand(properties), format!("{only_parent}baggage: a=1%0D%0A;fine\n"));
}
