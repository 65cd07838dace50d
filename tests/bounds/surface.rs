//! Which items of the public surface take texts, as `.ci/surface` has them.

use std::collections::BTreeSet;

/// Types that are texts, or hold some that a program made.
const TEXTS: [&str; 24] = [
    "str",
    "String",
    "Text",
    "Value",
    "Tags",
    "SeriesKey",
    "DataPoint",
    "TimeSeries",
    "Metric",
    "Event",
    "TraceContext",
    "Attributes",
    "Record",
    "HeaderMap",
    "Request",
    "Route",
    "View",
    "Reader",
    "Exporter",
    "Config",
    "Identity",
    "PathBuf",
    "Error",
    "Span",
];

/// Methods of traits of the standard library, which hand nothing in.
const OF_TRAITS: [&str; 12] = [
    "fmt",
    "eq",
    "ne",
    "cmp",
    "partial_cmp",
    "hash",
    "from",
    "clone",
    "try_from",
    "default",
    "drop",
    "poll_ready",
];

const INSTRUMENTS: [&str; 6] = ["Counter", "UpDownCounter", "Gauge", "Histogram", "Timer", "Meter"];

/// The functions that take texts (`Type::function`), types with open fields that do (`Type`), and macros (`name!`).
pub(crate) fn ways() -> BTreeSet<String> {
    let all = ["telemetry-core", "telemetry-layer", "telemetry-macros"].map(|name| {
        let path = format!("{}/../.ci/surface/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    });
    all.iter().flat_map(|text| text.lines()).filter_map(way).collect()
}

fn way(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("pub proc macro ") {
        let name = name.rsplit("::").next()?;
        return Some(name.trim_matches(['#', '[', ']']).trim_end_matches("!()").to_owned() + "!");
    }
    let item = line.trim_start_matches("#[non_exhaustive] ").strip_prefix("pub ")?;
    let (head, rest) = item.split_at(end_of_path(item));
    let is_function = head.contains("fn ");
    let path =
        ["const ", "async ", "fn "].iter().fold(head, |head, word| head.strip_prefix(word).unwrap_or(head));
    let (path, of_function) = without_generics(path);
    let segments: Vec<&str> = path.split("::").collect();
    let [.., of, last] = segments[..] else { return None };
    if !takes_text(arguments(rest)) && !takes_text(of_function) || OF_TRAITS.contains(&last) {
        return None;
    }
    let is_instrument =
        |name: &str| INSTRUMENTS.iter().any(|one| one.to_lowercase() == name.replace('_', ""));
    let of = if INSTRUMENTS.contains(&of) { "Instrument" } else { of };
    let last = if is_instrument(last) { "instrument" } else { last };
    match (is_function, of.starts_with(|c: char| c.is_uppercase())) {
        (true, true) => Some(format!("{of}::{last}")),
        (true, false) => Some(last.to_owned()),
        // A field, or a variant.
        (false, true) if rest.starts_with([':', '(']) => Some(of.to_owned()),
        _ => None,
    }
}

/// A path, and the generics that it ends with, if any.
fn without_generics(path: &str) -> (String, &str) {
    let (mut kept, mut depth, mut last) = (String::new(), 0, path.len());
    for (at, c) in path.char_indices() {
        match c {
            '<' => {
                if depth == 0 {
                    last = at;
                }
                depth += 1;
            }
            '>' => depth -= 1,
            c if depth == 0 => {
                last = path.len();
                kept.push(c);
            }
            _ => {}
        }
    }
    (kept, &path[last..])
}

/// Where the path of an item ends, without what stands in angle brackets.
fn end_of_path(item: &str) -> usize {
    let mut depth = 0;
    let ends = |(at, c): (usize, char)| {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            '(' if depth == 0 => return Some(at),
            ':' if depth == 0 && item[at..].starts_with(": ") => return Some(at),
            _ => {}
        }
        None
    };
    item.char_indices().find_map(ends).unwrap_or(item.len())
}

/// Without what is returned.
fn arguments(rest: &str) -> &str {
    let mut depth = 0;
    let ends = |(at, c): (usize, char)| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0 && c == ')').then_some(at)
    };
    rest.char_indices().find_map(ends).map_or(rest, |end| &rest[..end])
}

fn takes_text(arguments: &str) -> bool {
    let mut words = arguments.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|word| TEXTS.contains(&word))
}

#[test]
fn items_are_read_as_they_are_written() {
    for (line, want) in [
        (
            "pub fn telemetry_core::Collector::endpoint(&self, &str) -> core::result::Result<(), Error>",
            Some("Collector::endpoint"),
        ),
        (
            "pub fn telemetry_core::Meter::tag(self, impl core::convert::Into<telemetry_core::model::Text>) -> Self",
            Some("Instrument::tag"),
        ),
        (
            "pub fn telemetry_core::up_down_counter(impl Into<telemetry_core::model::Text>) -> X",
            Some("instrument"),
        ),
        ("pub fn telemetry_core::Counter::add(&self, impl Into<telemetry_core::model::Number>)", None),
        ("pub fn telemetry_core::Tagged<'_, a::Timer>::time<R>(&self, impl FnOnce() -> R) -> R", None),
        ("pub fn telemetry_core::model::SeriesKey::name(&self) -> &str", None),
        ("pub fn telemetry_core::model::Tags::fmt(&self, &mut core::fmt::Formatter<'_>) -> String", None),
        (
            "pub fn a::View::only_tags<T: Into<a::Text>>(self, impl IntoIterator<Item = T>) -> Self",
            Some("View::only_tags"),
        ),
        ("pub fn alloc::boxed::Box<dyn a::Exporter>::name(&self) -> &str", None),
        ("pub telemetry_core::model::Event::message: alloc::string::String", Some("Event")),
        ("pub telemetry_core::model::Value::Str(alloc::string::String)", Some("Value")),
        ("pub proc macro telemetry_macros::#[count_me]", Some("count_me!")),
        ("pub proc macro telemetry_macros::gauge!()", Some("gauge!")),
        ("impl core::fmt::Debug for telemetry_core::model::Tags", None),
    ] {
        assert_eq!(way(line).as_deref(), want, "{line}");
    }
}
