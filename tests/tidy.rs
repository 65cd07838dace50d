//! The order of the source: rooms use only rooms below them, and every folder is where the design has it.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of telemetry-core from the ground up; `telemetry-core/ARCHITECTURE.md` describes them.
const ROOMS: [&str; 14] = [
    "sync",
    "model",
    "diagnostics",
    "thread",
    "clock",
    "metrics",
    "sampling",
    "exporters",
    "pipeline",
    "error",
    "collector",
    "instrument",
    "testing",
    "lib",
];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            all.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
    all
}

/// The rooms that a source names with `crate::room`, outside of comments; all macros stand at the top.
fn used(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut rooms = Vec::new();
    for part in code.split("crate::").skip(1) {
        let names =
            part.strip_prefix('{').map_or(part, |list| list.split_once('}').map_or(list, |(list, _)| list));
        let word = |text: &str| {
            text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
        };
        if part.starts_with('{') {
            rooms.extend(names.split(',').map(word));
        } else if let room = word(names)
            && !names[room.len()..].starts_with('!')
        {
            rooms.push(room);
        }
    }
    rooms
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let src = top().join("telemetry-core/src");
    let place = |room: &str| ROOMS.iter().position(|r| *r == room);
    let mut seen = 0;
    for path in sources(&src) {
        if path.ends_with("tests.rs") {
            continue;
        }
        let relative = path.strip_prefix(&src).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let room = first.trim_end_matches(".rs");
        let own = place(room).unwrap_or_else(|| panic!("{room} is no room of the design"));
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for other in used(text) {
            // What lib.rs re-exports is used under its room's name, but for `Error`.
            let other = match other.as_str() {
                "Error" => "error".to_owned(),
                "Collector" => "collector".to_owned(),
                _ => other,
            };
            let at = place(&other).unwrap_or_else(|| panic!("{} uses crate::{other}", relative.display()));
            assert!(at <= own, "{} uses {other}, a room above it", relative.display());
            seen += 1;
        }
    }
    assert!(seen > 50, "the test reads the sources: {seen}");
}

#[test]
fn the_top_level_holds_what_the_design_lists() {
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "telemetry-core",
        "telemetry-macros",
        "telemetry-layer",
        "examples",
        "tests",
        "target",
    ];
    for entry in fs::read_dir(top()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || known.contains(&name.as_str()), "{name} at the top level");
    }
}

#[test]
fn the_readme_begins_with_the_quickstart() {
    let code = fs::read_to_string(top().join("examples/src/quickstart.rs")).unwrap();
    let (_, code) = code.split_once("\n\n").unwrap();
    let readme = fs::read_to_string(top().join("README.md")).unwrap();
    let first = readme.split("```rust\n").nth(1).unwrap();
    assert!(first.starts_with(&format!("{code}```")), "{first}");
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let crates = ["telemetry-core", "telemetry-macros", "telemetry-layer", "examples"];
    for path in crates.iter().flat_map(|name| sources(&top().join(name).join("src"))) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//!") || path.ends_with("tests.rs"),
            "{} has no module doc",
            path.display()
        );
        assert!(text.lines().count() <= 600, "{} is more than one idea long", path.display());
    }
}

#[test]
fn tests_wait_on_conditions_and_not_on_time() {
    let files = ["telemetry-core", "telemetry-macros", "telemetry-layer", "tests"];
    for path in files.iter().flat_map(|name| sources(&top().join(name))) {
        let tests = path.starts_with(top().join("tests")) && !path.starts_with(top().join("tests/peers"));
        if !path.ends_with("tests.rs") && !tests {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let sleeps = concat!("sle", "ep(");
        assert!(!text.contains(sleeps), "{} sleeps", path.display());
    }
}
