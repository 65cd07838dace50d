//! A file as its readers see it, and what has to be true of each.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The events of a file.
#[derive(Debug)]
pub(crate) struct Trace(pub(crate) Vec<Value>);

impl Trace {
    /// Reads a file, all lines of which have to be whole, and checks it.
    #[track_caller]
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(text.ends_with('\n'), "{}: its last line is torn", path.display());
        let trace = Self::parse(&text);
        trace.check();
        trace
    }

    /// The `]` that it need not have is added.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let all = serde_json::from_str(&format!("{text}]")).unwrap_or_else(|e| panic!("{e}: {text}"));
        let Value::Array(events) = all else { panic!("no array") };
        Self(events)
    }

    /// The events of one kind.
    pub(crate) fn of<'a>(&'a self, ph: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        let ph = ph.to_owned();
        self.0.iter().filter(move |event| event["ph"] == ph)
    }

    /// The only event of that kind and name.
    #[track_caller]
    pub(crate) fn one(&self, ph: &str, name: &str) -> &Value {
        let found: Vec<_> = self.of(ph).filter(|event| event["name"] == name).collect();
        assert_eq!(found.len(), 1, "{ph} {name}: {found:?}");
        found[0]
    }

    /// The name of the thread that an event is on.
    #[track_caller]
    pub(crate) fn thread_of(&self, event: &Value) -> &str {
        let is_its = |name: &&Value| name["name"] == "thread_name" && name["tid"] == event["tid"];
        self.of("M").find(is_its).unwrap_or_else(|| panic!("{event}"))["args"]["name"].as_str().unwrap()
    }

    /// The numbers `i` of all spans, sorted.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let spans = self.of("X").chain(self.of("b"));
        let mut numbers: Vec<u64> = spans.filter_map(|span| span["args"]["fields"]["i"].as_u64()).collect();
        numbers.sort_unstable();
        numbers
    }

    /// What is true of every trace.
    #[track_caller]
    pub(crate) fn check(&self) {
        let first = &self.0[0];
        assert!(first["ph"] == "M" && first["name"] == "process_name", "{first}");
        let kinds: HashSet<&str> = self.0.iter().map(|event| event["ph"].as_str().unwrap()).collect();
        assert!(kinds.iter().all(|ph| ["M", "X", "b", "e", "s", "f", "i", "C"].contains(ph)), "{kinds:?}");
        assert!(self.0.iter().all(|event| event["pid"] == first["pid"]));
        self.check_threads();
        self.check_async();
        self.check_flows();
        // Where spans have `args`.
        let ids = self.of("X").chain(self.of("b")).filter_map(|span| span.get("args"));
        let mut ids: Vec<&str> = ids.map(|args| args["span_id"].as_str().unwrap()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "a span is drawn twice");
    }

    /// Each thread is named once, and spans on it lie beside or in each other.
    #[track_caller]
    fn check_threads(&self) {
        let names = self.of("M").filter(|event| event["name"] == "thread_name");
        let names: Vec<u64> = names.map(|event| event["tid"].as_u64().unwrap()).collect();
        let named: HashSet<u64> = names.iter().copied().collect();
        assert_eq!(named.len(), names.len());
        let mut tracks: HashMap<u64, Vec<(u64, u64)>> = HashMap::new();
        for span in self.of("X") {
            let (tid, start) = (span["tid"].as_u64().unwrap(), nanos(&span["ts"]));
            assert!(named.contains(&tid), "{span}");
            tracks.entry(tid).or_default().push((start, start + nanos(&span["dur"])));
        }
        for instant in self.of("i") {
            let has_thread = named.contains(&instant["tid"].as_u64().unwrap());
            assert_eq!(instant["s"], if has_thread { "t" } else { "p" }, "{instant}");
        }
        tracks.into_values().for_each(nest);
    }

    /// Each begin has its end, and on each track they lie beside or in each other.
    #[track_caller]
    fn check_async(&self) {
        let mut open: HashMap<(&Value, &Value), Vec<&Value>> = HashMap::new();
        let mut tracks: HashMap<&Value, Vec<(u64, u64)>> = HashMap::new();
        for event in self.of("b") {
            open.entry((&event["id"], &event["name"])).or_default().push(event);
        }
        for end in self.of("e") {
            let begins = open.get_mut(&(&end["id"], &end["name"])).unwrap_or_else(|| panic!("{end}"));
            // Its own stands in the same line, in front of it, and so in the same order.
            let begin = begins.remove(0);
            assert!(end["cat"] == begin["cat"] && end["pid"] == begin["pid"], "{begin} {end}");
            assert!(nanos(&begin["ts"]) <= nanos(&end["ts"]), "{begin} {end}");
            tracks.entry(&begin["id"]).or_default().push((nanos(&begin["ts"]), nanos(&end["ts"])));
        }
        assert!(open.values().all(Vec::is_empty), "{open:?}");
        tracks.into_values().for_each(nest);
    }

    /// Each has both ends, its own number, leads forward in time, and begins and ends in a span on its thread.
    #[track_caller]
    fn check_flows(&self) {
        let mut ends: HashMap<&str, &Value> = HashMap::new();
        for end in self.of("f") {
            assert_eq!(end["bp"], "e");
            assert!(ends.insert(end["id"].as_str().unwrap(), end).is_none(), "{end}");
        }
        for begin in self.of("s") {
            let end = ends.remove(begin["id"].as_str().unwrap()).unwrap_or_else(|| panic!("{begin}"));
            assert!(begin["cat"] == end["cat"] && begin["name"] == end["name"], "{begin} {end}");
            assert!(nanos(&begin["ts"]) <= nanos(&end["ts"]), "{begin} {end}");
        }
        assert!(ends.is_empty(), "{ends:?}");
    }

    /// The span at whose start a flow begins, and that in which it ends.
    #[track_caller]
    pub(crate) fn flow(&self, of: &str) -> (&str, &str) {
        let at = |flow: &Value| {
            let is_its =
                |span: &&Value| span["tid"] == flow["tid"] && nanos(&span["ts"]) == nanos(&flow["ts"]);
            self.of("X").find(is_its).unwrap_or_else(|| panic!("{flow}"))["name"].as_str().unwrap()
        };
        (at(self.one("s", of)), at(self.one("f", of)))
    }
}

/// Microseconds with three decimals, to the nanosecond.
#[track_caller]
pub(crate) fn nanos(micros: &Value) -> u64 {
    let nanos = micros.as_f64().unwrap() * 1e3;
    assert!((nanos - nanos.round()).abs() < 0.1, "{micros} is not exact");
    nanos.round() as u64
}

#[track_caller]
fn nest(mut spans: Vec<(u64, u64)>) {
    spans.sort_unstable_by_key(|(start, end)| (*start, std::cmp::Reverse(*end)));
    let mut around: Vec<u64> = Vec::new();
    for (start, end) in spans {
        while around.last().is_some_and(|until| *until <= start) {
            around.pop();
        }
        assert!(around.last().is_none_or(|until| end <= *until), "{start} to {end} begins in another one");
        around.push(end);
    }
}
