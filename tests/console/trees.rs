//! A trace as a tree, when its root has ended.

use std::io::Write as _;

use crate::started::{Line, lines, program};
use crate::terminal::Terminal;

/// Kind, branch and text, without ids, times and shares.
fn shape<'a>(line: &Line<'a>) -> (&'a str, &'a str, String) {
    let art = line.text.find(|c| !matches!(c, '│' | '├' | '└' | '─' | ' ')).unwrap();
    let (art, text) = line.text.split_at(art);
    let is_measure =
        |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(['s', '%']);
    let text = text.split(" [").next().unwrap().split(' ').filter(|word| !is_measure(word));
    (line.kind, art, text.collect::<Vec<_>>().join(" "))
}

/// What stands in brackets behind the ids.
fn marks<'a>(line: &Line<'a>) -> &'a str {
    let Some((_, ids)) = line.text.rsplit_once(" [") else { return "" };
    let ids = ids.trim_end_matches(']');
    let is_id = |word: &&str| word.len() >= 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let last_id = ids.split(' ').rfind(is_id).unwrap();
    ids.rsplit_once(last_id).unwrap().1.trim()
}

#[test]
fn a_trace_comes_as_a_tree_when_its_root_ends_and_what_comes_later_says_where_it_belongs() {
    let vars = [("TELEMETRY_EXPORT_ENDPOINTS", "console:stderr?view=tree"), ("NO_COLOR", "1")];
    let mut terminal = Terminal::start(program("has_traces", &vars));
    for text in ["card declined", " order ", "before", "sent"] {
        terminal.shows(text);
        terminal.shows("\n");
        terminal.input().write_all(b"\n").unwrap();
    }
    let shown = terminal.ends().replace("\r\n", "\n");
    let lines = lines(&shown);
    let shapes: Vec<_> = lines[1..].iter().map(shape).collect();
    let here = |text: &str| format!("console::programs: {text}");
    let want = [
        ("event", "", here("outside")),
        ("trace", "", "checkout order=7".to_owned()),
        ("span", "├─ ", "reserve item=9".to_owned()),
        ("span", "│  └─ ", "query rows=3".to_owned()),
        ("event", "│     └─ ", here("asked")),
        ("span", "└─ ", "charge error (no stock)".to_owned()),
        ("event", "   └─ ", here("card declined card=\"visa 4\"")),
        ("trace", "", "order".to_owned()),
        ("span", "", "mail".to_owned()),
        ("span", "└─ ", "connect".to_owned()),
        ("span", "   └─ ", "before".to_owned()),
        ("event", "", "by_hand: sent".to_owned()),
        ("span", "", "inner n=1".to_owned()),
        ("event", "└─ ", here("within")),
        ("event", "", here("in what is open")),
    ];
    assert_eq!(shapes, want, "{shown}");
    let marks: Vec<_> = lines[1..].iter().map(marks).collect();
    assert_eq!(
        marks,
        ["", "", "", "", "", "", "", "", "order late", "", "", "order late", "open", "", "open"],
        "{shown}"
    );
    // Branches begin after their top, and their part of it is less than all.
    for line in &lines[3..8] {
        assert!(line.time.starts_with('+'), "{line:?}");
        let share = line.text.split(' ').find_map(|word| word.strip_suffix('%'));
        assert_eq!(share.is_some(), line.kind == "span", "{line:?}");
        assert!(share.is_none_or(|share| share.parse::<f64>().unwrap() <= 100.0), "{line:?}");
    }
}
