//! The order of the source: rooms use only rooms below them, no file needs itself, a file is one idea, and every folder
//! is where the design has it.

mod arrows;
mod cases;
mod circles;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

use sources::{Crate, Id, Texts};

/// The rooms of telemetry-core from the ground up; `telemetry-core/ARCHITECTURE.md` describes them.
const ROOMS: [&str; 18] = [
    "sync",
    "text",
    "model",
    "thread",
    "diagnostics",
    "files",
    "clock",
    "detect",
    "metrics",
    "process_metrics",
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

/// Where functions are kept to be called later: by these, lower code calls code above it. The room, the item, the reason.
const HOOKS: &[(&str, &str, &str)] = &[
    ("sync", "Hold", "a process that forks holds the locks that rooms above have named"),
    ("sync", "Last", "a process that exits ends the collectors that want it"),
    ("thread", "Look", "an exemplar has the ids of the span that its thread is in, which the layer knows"),
    ("thread", "Begin", "where threads are wanted, the layer begins to take down on which ones spans are"),
    ("clock", "Watcher", "a clock that a test moves tells whoever waits for it"),
    ("metrics", "Read", "the user's: what an observable instrument shows"),
    ("pipeline", "Buffers", "wakes the dispatcher when a thread has filled half of the pool"),
    ("pipeline", "Lanes", "wakes the dispatcher when a lane that was full has room again"),
    ("pipeline", "OnExport", "the user's: what is told of each attempt"),
    ("pipeline", "Schedule", "a random number; tests have one that is none"),
    ("pipeline", "Dispatcher", "the collector's: what telemetry measures of itself"),
    (
        "instrument",
        "Look",
        "a measurement has tags of the spans that its thread is in, which the layer knows",
    ),
    ("http", "Skip", "the user's: which requests are left out"),
    ("http", "Client", "the user's: where a request comes from"),
    ("http", "OnRequest", "the user's: says more of a request"),
    ("collector", "Change", "the builder's own: what code sets is laid over the environment"),
];

/// The crates whose files are looked at one by one, and their roots.
const CRATES: [&str; 3] =
    ["telemetry-core/src/lib.rs", "telemetry-layer/src/lib.rs", "telemetry-macros/src/lib.rs"];

/// Folders of sources; what is in `tests` is looked at less closely.
const CRATES_AND_PROGRAMS: [&str; 7] = [
    "telemetry-core/src",
    "telemetry-layer/src",
    "telemetry-macros/src",
    "examples/src",
    "tests/peers/src",
    "tests/fuzz/src",
    "tests/fuzz/fuzz_targets",
];

/// A crate, with the paths of its files from the top.
fn read(root: &str) -> Crate {
    let folder = top().join(root).parent().unwrap().to_owned();
    let relative = |path: &Path| path.strip_prefix(top()).unwrap().to_owned();
    let texts: Texts =
        sources(&folder).iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect();
    let krate = Crate::read(root, &texts);
    let seen: Vec<_> = krate.modules.iter().map(|module| &module.path).chain(&krate.of_tests).collect();
    for path in texts.keys() {
        let below_tests = krate.of_tests.iter().any(|tests| path.starts_with(tests.with_extension("")));
        assert!(seen.contains(&path) || below_tests, "no module declares {}", path.display());
    }
    krate
}

/// The first module below the root that a file is in.
fn room(krate: &Crate, file: Id) -> &str {
    krate.above(file).get(1).map_or("lib", |room| &krate.modules[*room].name)
}

#[test]
fn no_file_needs_itself() {
    let circles: Vec<_> = CRATES.map(read).iter().flat_map(|krate| krate.circles(&krate.arrows())).collect();
    assert!(circles.is_empty(), "{} circles\n{}", circles.len(), circles.join("\n"));
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let krate = read(CRATES[0]);
    let arrows = krate.arrows();
    let floor = |room: &str| {
        ROOMS.iter().position(|r| *r == room).unwrap_or_else(|| panic!("{room} is no room of the design"))
    };
    let mut up = Vec::new();
    for arrow in &arrows {
        let (from, to) = (room(&krate, arrow.from), room(&krate, arrow.to));
        if floor(to) > floor(from) {
            let at = krate.modules[arrow.from].path.display();
            up.push(format!("{at}:{} uses {}, which is in {to}, a room above", arrow.line, arrow.path));
        }
    }
    assert!(up.is_empty(), "{}", up.join("\n"));
    assert!(arrows.len() > 500, "the test reads the sources: {}", arrows.len());
}

#[test]
fn calls_upward_are_listed() {
    let mut listed = HOOKS.to_vec();
    for krate in CRATES.map(read) {
        for hook in &krate.hooks {
            let file = &krate.modules[krate.modules[hook.module].file];
            let room = room(&krate, krate.modules[hook.module].file);
            let before = listed.len();
            listed.retain(|(of, item, _)| (*of, *item) != (room, &*hook.item));
            assert_ne!(
                before,
                listed.len(),
                "{}:{} keeps a function in {}",
                file.path.display(),
                hook.line,
                hook.item
            );
        }
    }
    assert!(listed.is_empty(), "these keep no function: {listed:?}");
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

/// Whether a file has a test of that name, which runs.
fn has_test(text: &str, name: &str) -> bool {
    let Some((before, _)) = text.split_once(&format!("fn {name}(")) else { return false };
    let above = before.rsplit_once('\n').map_or("", |(above, _)| above).lines().rev().map(str::trim);
    let attributes: Vec<_> = above.take_while(|line| line.starts_with(['#', '/'])).collect();
    let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    attributes.iter().any(is_test) && !attributes.iter().any(|line| line.starts_with("#[ignore"))
}

#[test]
fn a_test_is_one_that_runs() {
    let text = "#[test]\nfn a() {}\nfn b() {}\n    #[tokio::test]\n    // c\n    async fn c() {}\n#[test]\n#[ignore]\nfn d() {}";
    assert_eq!(["a", "b", "c", "d", "e"].map(|name| has_test(text, name)), [true, false, true, false, false]);
}

#[test]
fn each_promise_has_its_test() {
    let readme = fs::read_to_string(top().join("README.md")).unwrap();
    let (_, section) = readme.split_once("\n### What is promised\n").unwrap();
    let (section, _) = section.split_once("\n### ").unwrap();
    let rows: Vec<_> = section.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
    let mut missing = Vec::new();
    for row in &rows {
        let [_, _, _, tests] = row.trim_matches(['|', ' ']).split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{row}: what happens, what becomes of it, where it shows, its test");
        };
        let named: Vec<_> =
            tests.split('`').skip(1).step_by(2).map(|test| test.split_once(": ").unwrap()).collect();
        assert!(!named.is_empty(), "{row}: no test is named");
        let is_there = |(path, name): &(&str, &str)| {
            fs::read_to_string(top().join(path)).is_ok_and(|text| has_test(&text, name))
        };
        missing.extend(named.into_iter().filter(|test| !is_there(test)));
    }
    assert!(missing.is_empty(), "README.md names tests that there are not: {missing:?}");
    assert!(rows.len() > 50, "the test reads the table: {} rows", rows.len());
}

#[test]
fn every_source_file_says_what_it_is_for() {
    for path in CRATES_AND_PROGRAMS.iter().flat_map(|folder| sources(&top().join(folder))) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//!") || path.ends_with("tests.rs"),
            "{} has no module doc",
            path.display()
        );
    }
}

#[test]
fn a_source_file_is_one_idea() {
    const MOST: usize = 450;
    let mut long = Vec::new();
    for path in CRATES_AND_PROGRAMS.iter().flat_map(|folder| sources(&top().join(folder))) {
        if path.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().take_while(|line| !line.starts_with("mod tests {")).count();
        if lines > MOST {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "more than {MOST} lines before the tests:\n{}", long.join("\n"));
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
