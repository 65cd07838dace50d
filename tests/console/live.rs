//! What happens is shown when it happens, in its order.

use crate::started::{Line, lines, printed, program};
use crate::terminal::Terminal;

#[test]
fn a_terminal_shows_in_colours_what_happens_while_the_program_waits() {
    // It waits for its input then, and flushes only once in a day.
    let mut terminal = Terminal::start(program("happens", &[]));
    for text in ["open", "checkout", "card declined", "of log"] {
        terminal.shows(text);
    }
    assert!(!terminal.shown.contains("orders"), "metrics come at the end: {}", terminal.shown);
    assert!(terminal.shown.contains("\u{1b}[33mWARN "), "{:?}", terminal.shown);
    let shown = terminal.ends();
    assert!(shown.contains("orders") && !shown.contains("nobody asked"), "{shown}");
    let mut plain = Terminal::start(program("happens", &[("NO_COLOR", "1")]));
    plain.shows("of log");
    let shown = plain.ends();
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn a_pipe_gets_whole_lines_without_colours_on_standard_error() {
    let [out, err] = printed("happens", &[]);
    assert!(!out.contains("checkout"), "{out}");
    assert!(!err.contains('\u{1b}'), "{err:?}");
    let lines = lines(&err);
    let kinds: Vec<&str> = lines.iter().map(|line| line.kind).collect();
    assert_eq!(kinds, ["tags", "event", "event", "span", "event", "metric"], "{err}");
    let texts: Vec<&str> = lines[1..].iter().map(|line| line.text.split(" [").next().unwrap()).collect();
    assert_eq!(texts[0], "console::programs: open till=3");
    assert_eq!(texts[1], "console::programs: card declined card=\"visa 4\"");
    assert!(texts[2].starts_with("checkout ") && texts[2].ends_with(" order=7"), "{texts:?}");
    assert!(texts[3].starts_with("old: of log code.file.path="), "{texts:?}");
    assert_eq!(texts[4], "orders 1");
    let levels: Vec<&str> = lines.iter().map(|line| line.level).collect();
    assert_eq!(levels, ["", "INFO", "WARN", "INFO", "WARN", ""]);
    let [_, forced] = printed("happens", &[("CLICOLOR_FORCE", "1")]);
    assert!(forced.contains("\u{1b}[33mWARN "), "{forced:?}");
}

#[test]
fn whoever_says_where_things_go_is_shown_nothing() {
    for vars in [
        ("TELEMETRY_EXPORT_ENDPOINTS", "discard:"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("TELEMETRY_ENABLED", "false"),
    ] {
        let [_, err] = printed("happens", &[vars]);
        assert!(lines(&err).is_empty(), "{vars:?}: {err}");
    }
    assert_eq!(printed("has_an_exporter", &[])[1], "");
    let [out, err] = printed("happens", &[("TELEMETRY_EXPORT_ENDPOINTS", "console:,discard:")]);
    assert!(out.contains("checkout") && err.is_empty(), "{out}\n{err}");
}

#[test]
fn a_program_with_a_logger_of_its_own_keeps_it_and_is_told() {
    let [out, err] = printed("has_a_logger", &[]);
    assert!(out.contains("own logger: to its own"), "{out}");
    assert!(err.contains("telemetry: records of the `log` crate go to the logger"), "{err}");
    assert!(err.contains("to telemetry"), "{err}");
}

#[test]
fn what_many_threads_do_comes_in_its_order_and_what_comes_late_says_so() {
    let [_, err] = printed("is_busy", &[]);
    let lines = lines(&err);
    assert_eq!(lines[0].kind, "tags");
    let (events, spans): (Vec<_>, Vec<_>) = lines[1..].iter().cloned().partition(|line| line.kind == "event");
    assert_eq!((events.len(), spans.len()), (10_000, 200));
    let mut newest = "";
    for line in &lines[1..] {
        // Times are cut to milliseconds.
        let in_order = if line.is_late() { line.time <= newest } else { line.time >= newest };
        assert!(in_order, "{line:?} after {newest}");
        newest = newest.max(line.time);
    }
    for thread in 0..8 {
        let own = |line: &&Line<'_>| line.field("thread") == Some(&thread.to_string());
        for (kind, step) in [(&events, 1), (&spans, 50)] {
            let all = kind.iter().filter(own);
            // What comes late comes behind what is newer.
            let (late, timely): (Vec<_>, Vec<_>) = all.partition(|line| line.is_late());
            let n = |line: &&Line<'_>| line.field("n").unwrap().parse::<u64>().unwrap();
            let timely: Vec<u64> = timely.iter().map(&n).collect();
            assert!(timely.is_sorted(), "{timely:?}");
            let mut all: Vec<u64> = late.iter().map(n).chain(timely).collect();
            all.sort_unstable();
            assert_eq!(all, (0..1_250).step_by(step).collect::<Vec<_>>());
        }
    }
}
